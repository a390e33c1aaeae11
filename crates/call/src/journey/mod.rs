//! One caller's journey: what state it is in, and which file carries each state further.
//!
//! ```text
//! Identifying ── 200, ACK ──▶ Guided ⇄ Waiting ⇄ Presenting ─▶ Joining ─▶ Talking ─▶ Guided (survey) ─▶ over
//!     │                         └────────────▶ Dialling ──────────────────▶ Talking ⇄ Referring
//!     └── agent's call ──▶ Dialling, or Answering(confirmation) ─▶ Confirming ─▶ over
//! ```
//!
//! Every state has a deadline ([`Phase::limit`]); [`Journey::finish`] ends a journey from any state
//! and leaves nothing of it behind.

mod arrival;
mod callback;
mod consultation;
pub(crate) mod feature;
mod flow;
mod outgoing;
mod presenting;
mod queueing;
pub(crate) mod recording;
mod referral;
mod talking;

use base::{AgentKey, CallKey, CallbackKey, Duration, Instant, LegKey, Pii, TierKey};
use bytes::Bytes;
use ivr::Interpreter;
use sip::Peer;

pub(crate) use arrival::arrive;
pub(crate) use callback::call_back;

use crate::core::Core;
use crate::dial::{CallerId, Dial};
use crate::ledger::Ledger;
use crate::leg::Farewell;
use crate::message::Output;
use crate::record::{Outcome, StepKind};
use crate::settings::Limits;
use crate::switch::Timer;

/// What the directory (or its silence) says about the caller.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) tier: TierKey,
    pub(crate) language: String,
    pub(crate) senior: bool,
    pub(crate) known: bool,
    pub(crate) managers: [Option<AgentKey>; 2],
}

/// Who leads a waiting caller: speaks to him, and is told what becomes of him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// A queue step of his flow.
    Flow,
    /// Music; a transfer step of his flow waits for the outcome.
    Transfer,
    /// Music; an agent referred him here.
    Referral,
    /// A greeting, then music: he was called back.
    Callback,
}

/// A place in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) lead: Lead,
    /// As offered to the distributor, with the place kept.
    pub(crate) caller: acd::Caller,
    /// When the caller took the place.
    pub(crate) since: Instant,
}

/// An agent whose phones ring for the caller.
#[derive(Clone, Debug)]
pub(crate) struct Rung {
    pub(crate) agent: AgentKey,
    pub(crate) dial: Dial,
}

/// Who talks to the caller.
#[derive(Clone, Debug)]
pub(crate) enum With {
    /// An agent by the distributor's decision.
    Served {
        /// Who.
        agent: AgentKey,
        /// The place that the caller gets back if the agent is lost.
        wait: Box<Wait>,
    },
    /// An agent, called directly.
    Agent(AgentKey),
    /// Somebody outside.
    Outside,
}

/// A talk: the caller's leg and this one.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) leg: LegKey,
    pub(crate) with: With,
    pub(crate) held_by_caller: bool,
    pub(crate) held_by_peer: bool,
}

impl Talk {
    pub(crate) fn new(leg: LegKey, with: With) -> Self {
        Talk { leg, with, held_by_caller: false, held_by_peer: false }
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.held_by_caller || self.held_by_peer
    }
}

/// What follows the ACK.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// The flow.
    Flow,
    /// These prompts, then BYE.
    Confirm(Vec<&'static str>),
}

/// Whose wish an outgoing leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The caller's own: he is an agent and hears ringing; his INVITE waits for the answer.
    Own,
    /// The flow's: the caller is connected already.
    Flow,
    /// An agent's who referred the caller and then left him: the caller is connected already.
    Referrer,
    /// The distributor's: a customer is called back, and becomes the caller when he answers.
    Back,
}

/// The state of a journey.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The directory is being asked.
    Identifying,
    /// 200 was sent, its ACK is awaited.
    Answering(Then),
    /// The flow leads; no queue.
    Guided,
    /// In a queue; the flow plays music and announcements.
    Waiting(Box<Wait>),
    /// In a queue, and an agent's phones ring; several agents' where they are rung together.
    Presenting { wait: Box<Wait>, rung: Vec<Rung> },
    /// The agent picked up; his number is being spoken to the caller.
    Joining { wait: Box<Wait>, agent: AgentKey, leg: LegKey },
    /// Voices joined (or one party holds).
    Talking(Box<Talk>),
    /// Somebody is rung outside of any queue.
    Dialling { dial: Box<Dial>, wish: Wish },
    /// The talk's other party asked for somebody else, who is being rung; the caller hears music.
    Referring { talk: Box<Talk>, dial: Box<Dial> },
    /// A feature code is confirmed by voice.
    Confirming,
    /// Nothing follows.
    Over,
}

impl Phase {
    /// How long the state may last, and the word for the record if it lasts longer.
    const fn limit(&self, limits: &Limits) -> (Duration, &'static str) {
        match self {
            Phase::Identifying => (limits.lookup_max, "lookup"),
            Phase::Answering(_) => (limits.answering_max, "no-ack"),
            Phase::Guided => (limits.flow_max, "flow-too-long"),
            Phase::Waiting(_) | Phase::Presenting { .. } => (limits.wait_max, "wait-too-long"),
            Phase::Joining { .. } | Phase::Confirming => (limits.prompt_max, "prompt-too-long"),
            Phase::Talking(_) => (limits.call_max, "call-too-long"),
            Phase::Dialling { .. } | Phase::Referring { .. } => (limits.ring_max, "rang-too-long"),
            Phase::Over => (Duration::ZERO, "over"),
        }
    }

    /// The word of [`crate::view::CallView::phase`].
    pub(crate) const fn word(&self, talked: bool) -> &'static str {
        match self {
            Phase::Guided if talked => "survey",
            Phase::Identifying | Phase::Answering(_) | Phase::Guided | Phase::Confirming | Phase::Over => {
                "flow"
            }
            Phase::Waiting(_) => "queued",
            Phase::Presenting { .. } | Phase::Joining { .. } => "ringing",
            Phase::Talking(_) | Phase::Referring { .. } => "talking",
            Phase::Dialling { .. } => "outbound",
        }
    }
}

/// How far the call has got, for its outcome: the last one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Nothing yet.
    Nothing,
    /// The flow served the caller: a back end answered, or the flow came to its end.
    Service,
    /// The caller took a callback or was led to self-service.
    Deflected,
    /// An agent talked to the caller.
    Agent,
    /// The other side of an outgoing call answered.
    Outside,
}

/// The caller's leg of a customer who is being called back and has not answered.
pub(crate) const NOBODY: LegKey = LegKey(u64::MAX);

/// One call.
pub(crate) struct Journey {
    pub(crate) key: CallKey,
    pub(crate) worker: usize,
    /// The caller's leg.
    pub(crate) caller: LegKey,
    pub(crate) origin: Peer,
    pub(crate) dialled: String,
    pub(crate) id: CallerId,
    /// For INVITEs that follow from the caller's.
    pub(crate) max_forwards: u8,
    /// The caller's offer, until it is answered.
    pub(crate) offer: Option<Bytes>,
    /// Our answer to it, until it is sent.
    pub(crate) answer: Option<Bytes>,
    pub(crate) profile: Profile,
    pub(crate) flow: Option<Box<Interpreter>>,
    pub(crate) phase: Phase,
    /// Agents who are in this call without the distributor's doing.
    pub(crate) engaged: Vec<AgentKey>,
    pub(crate) reached: Reached,
    /// The promise that this call keeps.
    pub(crate) callback: Option<CallbackKey>,
    /// The flow waits to hear whether a promise was taken on.
    pub(crate) booking: Option<ivr::Token>,
    pub(crate) ledger: Ledger,
    /// See [`crate::Switch::sabotage`].
    #[cfg(debug_assertions)]
    pub(crate) trap: Option<bool>,
}

impl Journey {
    /// Panics if it was told to.
    #[cfg(debug_assertions)]
    #[expect(clippy::panic, reason = "what a test of panics needs")]
    pub(crate) fn spring(&mut self, after: bool) {
        if self.trap.take_if(|when| *when == after).is_some() {
            panic!("as told");
        }
    }

    /// A step for the record and the event stream.
    pub(crate) fn step(&mut self, core: &mut Core, now: Instant, what: StepKind, detail: &str) {
        let lost = self.ledger.steps_lost;
        self.ledger.step(now, what, detail);
        if self.ledger.steps_lost > lost {
            core.count("limited", "steps");
        }
        core.notice(now, self.key, what, detail);
    }

    /// Goes to another state; its deadline starts now.
    pub(crate) fn enter(&mut self, core: &mut Core, now: Instant, phase: Phase) -> Phase {
        let (limit, _) = phase.limit(&core.settings.limits);
        core.timers.set(Timer::Call(self.key), now + limit);
        core::mem::replace(&mut self.phase, phase)
    }

    /// Takes the state out, to be put back by [`Journey::enter`] or [`Journey::put_back`].
    fn take_phase(&mut self) -> Phase {
        core::mem::replace(&mut self.phase, Phase::Guided)
    }

    /// Puts a state back that [`Journey::take_phase`] took; its deadline runs on.
    fn put_back(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Whether nothing is left to be done.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// An agent takes part without the distributor's doing.
    fn engage(&mut self, core: &mut Core, now: Instant, agent: AgentKey) {
        self.engaged.push(agent);
        core.engage(now, agent, true);
    }

    /// He no longer does.
    fn disengage(&mut self, core: &mut Core, now: Instant, agent: AgentKey) {
        if let Some(at) = self.engaged.iter().position(|&other| other == agent) {
            self.engaged.swap_remove(at);
            core.engage(now, agent, false);
        }
    }

    /// Time is up.
    pub(crate) fn on_limit(&mut self, core: &mut Core, now: Instant) {
        let (_, word) = self.phase.limit(&core.settings.limits);
        match &self.phase {
            Phase::Over => {}
            Phase::Identifying => {
                core.count("lookups_late", "");
                self.identified(core, now, None);
            }
            Phase::Joining { .. } => self.join(core, now),
            Phase::Referring { .. } => self.referral_failed(core, now, 408),
            Phase::Dialling { .. } => self.dialling_failed(core, now, 408),
            _ => {
                core.count("timeouts", word);
                self.finish(core, now, StepKind::Ended, word, &Farewell::Status(408));
            }
        }
    }

    /// The longest call: whatever it is doing, it is over.
    pub(crate) fn on_call_max(&mut self, core: &mut Core, now: Instant) {
        core.count("timeouts", "call-too-long");
        self.finish(core, now, StepKind::Ended, "call-too-long", &Farewell::Status(408));
    }

    /// Ends the journey from any state: everybody who rings or talks is told, the distributor is
    /// told, the caller is told, the record is written. The one place where a call ends.
    pub(crate) fn finish(
        &mut self,
        core: &mut Core,
        now: Instant,
        what: StepKind,
        detail: &str,
        farewell: &Farewell,
    ) {
        let phase = core::mem::replace(&mut self.phase, Phase::Over);
        if matches!(phase, Phase::Over) {
            return;
        }
        let waited = matches!(phase, Phase::Waiting(_) | Phase::Presenting { .. } | Phase::Joining { .. });
        let unreached = matches!(phase, Phase::Dialling { wish: Wish::Back, .. });
        let key = self.key;
        self.let_go(core, now, phase);
        if waited {
            core.acd(acd::Input::Abandon { call: key });
            self.step(core, now, StepKind::Abandoned, "");
        }
        self.callback_over(core, unreached);
        core.part(now, self.caller, farewell);
        for agent in core::mem::take(&mut self.engaged) {
            core.engage(now, agent, false);
        }
        for timer in [Timer::Call(key), Timer::Flow(key), Timer::Longest(key)] {
            core.timers.cancel(timer);
        }
        self.flow = None;
        self.step(core, now, what, detail);
        let outcome = self.outcome(waited, what, detail);
        core.count("calls_ended", outcome.word());
        let record = self.ledger.close(now, core.wall, outcome);
        core.output(Output::Record(Box::new(record)));
    }

    /// Ends what a state holds.
    fn let_go(&mut self, core: &mut Core, now: Instant, phase: Phase) {
        match phase {
            Phase::Presenting { rung, .. } => {
                for Rung { mut dial, .. } in rung {
                    dial.cancel(core, now, &Farewell::Normal);
                }
            }
            Phase::Dialling { mut dial, .. } => dial.cancel(core, now, &Farewell::Normal),
            Phase::Joining { leg, .. } => core.part(now, leg, &Farewell::Normal),
            Phase::Talking(talk) => self.let_talk_go(core, now, &talk),
            Phase::Referring { talk, mut dial } => {
                dial.cancel(core, now, &Farewell::Normal);
                self.let_talk_go(core, now, &talk);
            }
            Phase::Identifying
            | Phase::Answering(_)
            | Phase::Guided
            | Phase::Waiting(_)
            | Phase::Confirming
            | Phase::Over => {}
        }
    }

    /// The other party of a talk is let go: the agent goes to his wrap-up.
    fn let_talk_go(&mut self, core: &mut Core, now: Instant, talk: &Talk) {
        self.ledger.talk_ends(now);
        core.part(now, talk.leg, &Farewell::Normal);
        match &talk.with {
            With::Served { agent, .. } => core.acd(acd::Input::Ended { call: self.key, agent: *agent }),
            With::Agent(agent) => self.disengage(core, now, *agent),
            With::Outside => {}
        }
    }

    fn outcome(&self, waited: bool, what: StepKind, detail: &str) -> Outcome {
        let by_caller = what == StepKind::HungUp && detail == "caller";
        if self.ledger.record.answered.is_none() && what == StepKind::Ended {
            return if self.callback.is_some() { Outcome::NotReached } else { Outcome::Refused };
        }
        match self.reached {
            _ if waited && by_caller => Outcome::Abandoned,
            Reached::Agent => Outcome::Answered,
            Reached::Outside => Outcome::Outbound,
            Reached::Deflected => Outcome::Deflected,
            Reached::Service => Outcome::SelfService,
            // Who never pressed a key nor spoke has left, though the flow hung up for him.
            Reached::Nothing if by_caller || detail == "silent" => Outcome::LeftEarly,
            Reached::Nothing => Outcome::Failed,
        }
    }

    /// The caller's leg ended, by whom or what.
    pub(crate) fn caller_gone(&mut self, core: &mut Core, now: Instant, by: sip::EndedBy) {
        let (what, detail) = match by {
            sip::EndedBy::Peer => (StepKind::HungUp, "caller"),
            sip::EndedBy::SessionTimer => (StepKind::Ended, "session-timer"),
            sip::EndedBy::NoAck => (StepKind::Ended, "no-ack"),
            sip::EndedBy::PeerGone => (StepKind::Ended, "caller-gone"),
        };
        self.finish(core, now, what, detail, &Farewell::Normal);
    }

    /// A leg ended by itself.
    pub(crate) fn leg_ended(&mut self, core: &mut Core, now: Instant, leg: LegKey, by: sip::EndedBy) {
        if leg == self.caller { self.caller_gone(core, now, by) } else { self.peer_ended(core, now, leg, by) }
    }

    /// An INVITE of ours came to nothing.
    pub(crate) fn leg_failed(&mut self, core: &mut Core, now: Instant, leg: LegKey, code: u16) {
        match &self.phase {
            Phase::Presenting { .. } => self.presentation_failed(core, now, leg, code),
            Phase::Dialling { .. } | Phase::Referring { .. } => self.dial_failed(core, now, leg, code),
            _ => {}
        }
    }

    /// An INVITE of ours is being presented.
    pub(crate) fn on_ringing(
        &mut self,
        core: &mut Core,
        now: Instant,
        leg: LegKey,
        code: u16,
        body: Option<&Bytes>,
    ) {
        if matches!(self.phase, Phase::Dialling { .. }) {
            self.ringing(core, now, leg, code, body);
        }
    }

    /// An INVITE of ours was answered.
    pub(crate) fn on_answered(&mut self, core: &mut Core, now: Instant, leg: LegKey, body: Option<&Bytes>) {
        match &self.phase {
            Phase::Presenting { .. } => self.picked_up(core, now, leg, body.map(|body| body.as_ref())),
            Phase::Dialling { .. } | Phase::Referring { .. } => self.dial_answered(core, now, leg, body),
            _ => core.part(now, leg, &Farewell::Normal),
        }
    }

    /// A key arrived as RFC 4733. In a talk the worker has passed it on already.
    pub(crate) fn key_pressed(&mut self, core: &mut Core, now: Instant, leg: LegKey, digit: media::Digit) {
        if leg == self.caller && self.talk().is_none() {
            self.digit(core, now, digit);
        }
    }

    /// A leg's port could not be opened: another one, where its number was not told yet.
    pub(crate) fn port_failed(&mut self, core: &mut Core, now: Instant, leg: LegKey) {
        let told = matches!(&self.phase, Phase::Dialling { dial, .. } if dial.early.is_some());
        let untold = leg == self.caller && !core.is_up(leg) && !told;
        if core.reopen_audio(now, leg, untold).is_ok() {
            if self.answer.take().is_some() && self.answer_caller(core, None).is_err() {
                self.refuse_with(core, now, 500);
            }
            return;
        }
        core.count("broken", "port");
        self.mute(core, now, leg, "port");
    }

    /// The media of a leg are gone: its worker fell over.
    pub(crate) fn media_lost(&mut self, core: &mut Core, now: Instant, leg: LegKey) {
        self.mute(core, now, leg, "media-lost");
    }

    /// A leg that has no media is of no use: the caller's ends the call, another one is lost to it.
    fn mute(&mut self, core: &mut Core, now: Instant, leg: LegKey, why: &str) {
        if leg == self.caller {
            let farewell = Farewell::Busy(core.settings.limits.retry_after_s);
            return self.finish(core, now, StepKind::Ended, why, &farewell);
        }
        if core.is_up(leg) {
            return self.peer_lost(core, now, leg, why);
        }
        core.part(now, leg, &Farewell::Normal);
        self.leg_failed(core, now, leg, 503);
    }

    /// The caller's number, private.
    pub(crate) fn number(&self) -> Pii<String> {
        self.id.number.clone()
    }
}
