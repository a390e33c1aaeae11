//! Blind transfer (RFC 3515): the talk's other party asks us to connect the caller elsewhere. The
//! caller's leg stays; the referrer's ends when the new party has answered, and he is told how it went.

use base::{AgentKey, Instant, LegKey};
use sip::ReferTarget;

use super::{Journey, Lead, Phase, Talk, Wait, With};
use crate::core::Core;
use crate::dial::Dial;
use crate::leg::Farewell;
use crate::numbers::Destination;
use crate::record::StepKind;

impl Journey {
    /// A REFER arrived on `leg`.
    pub(crate) fn asked_to_refer(
        &mut self,
        core: &mut Core,
        now: Instant,
        leg: LegKey,
        target: &ReferTarget,
    ) {
        self.let_caller_refer(leg);
        let Some(by) = self.referrer(leg) else { return self.refuse_referral(core, now, leg, 403) };
        let destination = core.plan.from_agent(&target.user);
        match destination {
            Destination::Queue(_) if self.flow.is_none() => self.refuse_referral(core, now, leg, 403),
            Destination::Queue(queue) => {
                let name = core.settings.queue(queue).map(|queue| queue.name.clone()).unwrap_or_default();
                core.sip.accept_refer(now, leg);
                self.step(core, now, StepKind::Referred, &format!("queue {name}"));
                self.refer_to_queue(core, now, queue);
            }
            Destination::Agent(_) | Destination::Outside { .. } | Destination::Emergency(_) => {
                self.refer_to(core, now, leg, by, destination);
            }
            Destination::Entry(_) | Destination::Feature { .. } | Destination::Unknown => {
                self.refuse_referral(core, now, leg, 404);
            }
        }
    }

    fn refuse_referral(&self, core: &mut Core, now: Instant, leg: LegKey, code: u16) {
        core.count("refused", "refer");
        core.sip.refuse_refer(now, leg, code);
    }

    /// Who may refer: an agent who talks, nobody else. A carrier's REFER would be a call at our cost.
    pub(super) fn referrer(&self, leg: LegKey) -> Option<AgentKey> {
        match &self.phase {
            Phase::Talking(talk) if talk.leg == leg => match talk.with {
                With::Served { agent, .. } | With::Agent(agent) => Some(agent),
                With::Outside => None,
            },
            _ => None,
        }
    }

    /// An agent who had called somebody himself may refer him, too: the one he called becomes the one
    /// whose journey this is.
    pub(super) fn let_caller_refer(&mut self, leg: LegKey) {
        let sip::Peer::Agent(origin) = self.origin else { return };
        if leg != self.caller || self.flow.is_some() {
            return;
        }
        if let Phase::Talking(talk) = &mut self.phase {
            core::mem::swap(&mut self.caller, &mut talk.leg);
            core::mem::swap(&mut talk.held_by_caller, &mut talk.held_by_peer);
            talk.with = With::Agent(origin);
        }
    }

    fn refer_to_queue(&mut self, core: &mut Core, now: Instant, queue: base::QueueKey) {
        let Phase::Talking(talk) = self.take_phase() else { return };
        core.sip.refer_result(now, talk.leg, 200);
        let mut caller = match &talk.with {
            With::Served { wait, .. } => wait.caller.clone(),
            With::Agent(_) | With::Outside => acd::Caller::new(self.profile.tier, queue),
        };
        self.let_talk_go(core, now, &talk);
        // A new wish: a new place, and the other queue's own skills.
        caller.queue = queue;
        caller.skills = acd::Requirement::none();
        caller.since = None;
        // A flow that knows a queue goes on speaking as if this were it.
        let led = self.flow.as_ref().is_some_and(|flow| flow.queue().is_some());
        let lead = if led { Lead::Flow } else { Lead::Referral };
        self.take_place(core, now, Wait { lead, caller, since: now });
        self.waits_again(core, now);
    }

    fn refer_to(
        &mut self,
        core: &mut Core,
        now: Instant,
        leg: LegKey,
        by: AgentKey,
        destination: Destination,
    ) {
        match self.dial(core, now, destination, Some(by)) {
            Err(nobody) => self.refuse_referral(core, now, leg, nobody.code().clamp(400, 699)),
            Ok(dial) => {
                core.sip.accept_refer(now, leg);
                self.ring_for_caller(core, now, Box::new(dial), "");
            }
        }
    }

    /// Music to the caller until the new party answers; the referrer keeps his leg as long.
    pub(super) fn ring_for_caller(&mut self, core: &mut Core, now: Instant, dial: Box<Dial>, how: &str) {
        self.step(core, now, StepKind::Referred, how);
        let Phase::Talking(talk) = self.take_phase() else { return };
        self.ledger.talk_ends(now);
        core.unbridge(self.caller);
        self.hold_caller(core);
        self.enter(core, now, Phase::Referring { talk, dial });
    }

    /// The new party answered: the referrer hears so and is let go.
    pub(super) fn referred(&mut self, core: &mut Core, now: Instant, leg: LegKey, talk: &Talk, dial: &Dial) {
        if core.is_up(talk.leg) {
            core.sip.refer_result(now, talk.leg, 200);
        }
        self.let_talk_go(core, now, talk);
        self.begin_talk(core, now, leg, dial);
    }

    /// Nobody answered: the talk goes on as it was, or, if the referrer has left, the flow goes on.
    pub(super) fn referral_failed(&mut self, core: &mut Core, now: Instant, code: u16) {
        let Phase::Referring { talk, mut dial } = self.take_phase() else { return };
        dial.cancel(core, now, &Farewell::Normal);
        core.sip.refer_result(now, talk.leg, code.clamp(400, 699));
        let held = talk.is_held();
        self.ledger.talk_begins(now);
        if !held {
            core.bridge(self.caller, talk.leg);
        }
        self.step(core, now, StepKind::Resumed, "referral failed");
        self.enter(core, now, Phase::Talking(talk));
    }

    /// The referrer hung up while the new party was still being rung: the caller rings on by himself.
    pub(super) fn referrer_left(&mut self, core: &mut Core, now: Instant, talk: &Talk, dial: Box<Dial>) {
        self.let_talk_go(core, now, talk);
        self.step(core, now, StepKind::HungUp, "referrer");
        self.enter(core, now, Phase::Dialling { dial, wish: super::Wish::Referrer });
    }
}
