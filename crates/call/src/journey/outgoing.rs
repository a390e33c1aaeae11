//! Calls that go out: an agent dials a colleague, an outside number or an emergency number; or the
//! flow transfers the caller.

use base::{AgentKey, Instant, LegKey};
use bytes::Bytes;
use ivr::Input;
use sip::Peer;

use super::{Journey, Phase, Reached, Talk, Wish, With};
use crate::core::Core;
use crate::dial::{Callee, Dial, NobodyThere};
use crate::leg::{Dialog, Farewell};
use crate::numbers::Destination;
use crate::record::StepKind;

impl Journey {
    /// Rings whom the caller (or his flow) asked for.
    pub(super) fn call_out(&mut self, core: &mut Core, now: Instant, destination: Destination, wish: Wish) {
        let by = match (wish, self.origin) {
            (Wish::Own, Peer::Agent(agent)) => Some(agent),
            _ => None,
        };
        match self.dial(core, now, destination, by) {
            Ok(dial) => {
                self.enter(core, now, Phase::Dialling { dial: Box::new(dial), wish });
                if wish == Wish::Flow {
                    self.hold_caller(core);
                }
            }
            Err(nobody) => self.nobody_there(core, now, wish, nobody.code()),
        }
    }

    /// Starts ringing a destination; `by` is the agent who asked for it, if one did.
    pub(super) fn dial(
        &mut self,
        core: &mut Core,
        now: Instant,
        destination: Destination,
        by: Option<AgentKey>,
    ) -> Result<Dial, NobodyThere> {
        if self.max_forwards == 0 {
            // Never round in circles through another switch (RFC 3261 §16.3).
            return Err(NobodyThere::Refused(483));
        }
        let terms = self.terms(core);
        match destination {
            Destination::Agent(agent) if Some(agent) == by => Err(NobodyThere::Refused(486)),
            Destination::Agent(agent) => {
                let number = core.agent_number(agent);
                self.step(core, now, StepKind::Dialled, &format!("agent {number}"));
                Dial::agent(core, now, agent, terms)
            }
            Destination::Outside { number, trunks } => {
                let agent = by.and_then(|by| core.settings.agent(by));
                if agent.is_some_and(|agent| !agent.may_dial_out) {
                    core.count("refused", "may_not_dial_out");
                    return Err(NobodyThere::Refused(403));
                }
                self.step(core, now, StepKind::Dialled, "outside");
                Dial::outside(core, now, number, false, trunks, terms)
            }
            Destination::Emergency(number) => {
                let carries = core.settings.trunks.iter().filter(|trunk| trunk.emergency);
                let trunks = carries.map(|trunk| trunk.key).collect();
                core.count("emergency_calls", "");
                self.step(core, now, StepKind::Dialled, "emergency");
                Dial::outside(core, now, number, true, trunks, terms)
            }
            Destination::Entry(_)
            | Destination::Queue(_)
            | Destination::Feature { .. }
            | Destination::Unknown => Err(NobodyThere::Refused(404)),
        }
    }

    /// The one who is called is being rung: his tone, or his early voice, goes back to a waiting caller.
    pub(super) fn ringing(
        &mut self,
        core: &mut Core,
        now: Instant,
        leg: LegKey,
        code: u16,
        body: Option<&Bytes>,
    ) {
        let Phase::Dialling { dial, wish: Wish::Own } = &mut self.phase else { return };
        if core.leg(self.caller).is_none_or(|caller| caller.dialog != Dialog::Incoming) {
            return;
        }
        // Early media of one outside leg only: several phones of an agent would speak over each other.
        let outside = matches!(dial.callee, Callee::Outside { .. });
        let early = body.filter(|_| outside && self.offer.is_some());
        let Some(body) = early else {
            return core.sip.ring(now, self.caller, if code == 183 { 180 } else { code }, None);
        };
        if dial.early == Some(leg) || core.accept_answer(leg, body).is_err() {
            return;
        }
        dial.early = Some(leg);
        if self.agree_with(core, leg).is_ok() {
            core.sip.ring(now, self.caller, 183, self.answer.clone());
            core.bridge(self.caller, leg);
        }
    }

    /// Answers the waiting caller's offer so that he speaks what the called one speaks. What was once
    /// said in a 183 is not changed by the 200.
    fn agree_with(&mut self, core: &mut Core, leg: LegKey) -> Result<(), crate::audio::Fault> {
        if self.answer.is_some() {
            return Ok(());
        }
        let ours = &core.settings.media.codecs;
        let codecs = core.codec(leg).map(|codec| crate::audio::with_others(&[codec], ours));
        self.answer_caller(core, codecs)
    }

    /// One of the rung legs failed.
    pub(super) fn dial_failed(&mut self, core: &mut Core, now: Instant, leg: LegKey, code: u16) {
        let (Phase::Dialling { dial, .. } | Phase::Referring { dial, .. }) = &mut self.phase else { return };
        if dial.early == Some(leg) {
            dial.early = None;
            core.unbridge(self.caller);
        }
        if let Err(nobody) = dial.failed(core, now, leg, code) {
            let code = nobody.code();
            match &self.phase {
                Phase::Referring { .. } => self.referral_failed(core, now, code),
                _ => self.dialling_failed(core, now, code),
            }
        }
    }

    /// Nobody answered an outgoing call.
    pub(super) fn dialling_failed(&mut self, core: &mut Core, now: Instant, code: u16) {
        if let Phase::Dialling { mut dial, wish } = self.take_phase() {
            dial.cancel(core, now, &Farewell::Normal);
            self.nobody_there(core, now, wish, code);
        }
    }

    fn nobody_there(&mut self, core: &mut Core, now: Instant, wish: Wish, code: u16) {
        match wish {
            Wish::Own => self.refuse_with(core, now, code.clamp(400, 699)),
            Wish::Back => self.not_reached(core, now, code),
            Wish::Flow | Wish::Referrer if self.flow.is_none() => {
                self.finish(core, now, StepKind::Ended, "nobody-there", &Farewell::Normal);
            }
            Wish::Flow | Wish::Referrer => {
                self.enter(core, now, Phase::Guided);
                let failed = if wish == Wish::Flow { Input::TransferFailed } else { Input::AgentHungUp };
                self.tell_flow(core, now, failed);
            }
        }
    }

    /// Somebody answered an outgoing call.
    pub(super) fn dial_answered(&mut self, core: &mut Core, now: Instant, leg: LegKey, body: Option<&Bytes>) {
        let early = matches!(&self.phase, Phase::Dialling { dial, .. } if dial.early == Some(leg));
        let usable = match body {
            Some(body) => core.accept_answer(leg, body).is_ok(),
            // His 183 had the answer already.
            None => early,
        };
        if !usable {
            core.count("answers_unusable", "");
            core.part(now, leg, &Farewell::Status(488));
            return self.dial_failed(core, now, leg, 488);
        }
        match self.take_phase() {
            Phase::Dialling { mut dial, wish } => {
                dial.won(core, now, leg);
                self.connected(core, now, leg, &dial, wish);
            }
            Phase::Referring { talk, mut dial } => {
                dial.won(core, now, leg);
                self.referred(core, now, leg, &talk, &dial);
            }
            other => self.put_back(other),
        }
    }

    fn connected(&mut self, core: &mut Core, now: Instant, leg: LegKey, dial: &Dial, wish: Wish) {
        if wish == Wish::Back {
            return self.customer_answered(core, now, leg);
        }
        if wish == Wish::Own {
            if self.agree_with(core, leg).is_err() {
                core.part(now, leg, &Farewell::Status(488));
                return self.refuse_with(core, now, 488);
            }
            self.ledger.record.answered = Some(core.wall(now));
            let answer = self.answer.take();
            core.accept(now, self.caller, answer);
        }
        self.begin_talk(core, now, leg, dial);
        if wish == Wish::Flow {
            self.tell_flow(core, now, Input::TransferJoined);
        }
    }

    /// Joins the caller and whoever answered outside of the distributor.
    pub(super) fn begin_talk(&mut self, core: &mut Core, now: Instant, leg: LegKey, dial: &Dial) {
        let with = match &dial.callee {
            Callee::Agent(agent) => {
                self.engage(core, now, *agent);
                With::Agent(*agent)
            }
            Callee::Outside { .. } => With::Outside,
        };
        self.talk_with(core, now, leg, with);
    }

    /// Joins the caller and `leg`, which is not there by the distributor's doing.
    pub(super) fn talk_with(&mut self, core: &mut Core, now: Instant, leg: LegKey, with: With) {
        let detail = match with {
            With::Agent(agent) | With::Served { agent, .. } => {
                let number = core.agent_number(agent);
                self.ledger.record.agent = Some(number.clone());
                number
            }
            With::Outside => "outside".to_owned(),
        };
        self.reached = match (&with, self.origin) {
            (With::Agent(_) | With::Served { .. }, Peer::Trunk(_)) => Reached::Agent,
            _ if self.reached == Reached::Agent => Reached::Agent,
            _ => Reached::Outside,
        };
        core.bridge(self.caller, leg);
        self.ledger.talk_begins(now);
        self.step(core, now, StepKind::Bridged, &detail);
        self.enter(core, now, Phase::Talking(Box::new(Talk::new(leg, with))));
        self.settle_hold(core, now, self.caller);
    }

    /// Music to the caller while somebody is rung for him.
    pub(super) fn hold_caller(&self, core: &mut Core) {
        let music = core.settings.media.hold_music.clone();
        core.music(self.caller, &self.profile.language, &music);
    }
}
