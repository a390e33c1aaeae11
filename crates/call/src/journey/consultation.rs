//! Attended transfer (RFC 5589 §7, RFC 3891): an agent who talks to a caller calls somebody else, asks
//! him, and joins the two by REFER with Replaces. Both calls are ours, so nothing goes over the wire but
//! what ends the agent's legs: the party asked becomes the caller's other side. It may still be ringing.

use base::{AgentKey, CallKey, Instant, LegKey};
use sip::Peer;

use super::{Journey, Phase, Talk, Wish, With};
use crate::core::Core;
use crate::dial::Dial;
use crate::leg::{Farewell, Leg};
use crate::record::StepKind;
use crate::switch::Switch;

/// Whom the agent asked.
enum Asked {
    /// They talk.
    Talking(Box<Talk>),
    /// He is still being rung.
    Ringing(Box<Dial>),
}

impl Switch {
    /// A REFER came on `leg` and wants the call of `other` joined to it.
    pub(crate) fn consult(&mut self, now: Instant, leg: LegKey, other: LegKey) {
        let Some((main, asking)) = self.both_calls(leg, other) else {
            self.core.count("refused", "refer");
            return self.core.sip.refuse_refer(now, leg, 403);
        };
        let (main_leg, asking_leg) =
            if self.call_of(leg) == Some(main) { (leg, other) } else { (other, leg) };
        let lived = self.guarded(main, |calls, core| {
            let Some(mut asked) = calls.remove(&asking) else { return };
            let joined = match calls.get_mut(&main) {
                Some(journey) => journey.take_over(core, now, (main_leg, asking_leg), &mut asked, leg),
                None => Err(403),
            };
            if let Err(code) = joined {
                core.count("refused", "refer");
                core.sip.refuse_refer(now, leg, code);
            }
            if !asked.is_over() {
                calls.insert(asking, asked);
            }
        });
        if lived.is_none() {
            self.mishaps.also(asking);
        }
    }

    fn call_of(&self, leg: LegKey) -> Option<CallKey> {
        self.core.leg(leg).and_then(|leg| leg.call)
    }

    /// The call whose caller is to be joined, and the one in which the agent asks: two calls of one agent,
    /// the second of which he began himself.
    fn both_calls(&self, leg: LegKey, other: LegKey) -> Option<(CallKey, CallKey)> {
        let agent = |leg: LegKey| match self.core.leg(leg).map(Leg::peer) {
            Some(Peer::Agent(agent)) => Some(agent),
            _ => None,
        };
        if agent(leg).is_none() || agent(leg) != agent(other) {
            return None;
        }
        let (one, two) = (self.call_of(leg)?, self.call_of(other)?);
        let asks = |call: CallKey, leg: LegKey| {
            self.calls.get(&call).is_some_and(|journey| journey.caller == leg && journey.flow.is_none())
        };
        match (one == two, asks(one, leg), asks(two, other)) {
            (true, ..) => None,
            (_, _, true) => Some((one, two)),
            (_, true, false) => Some((two, one)),
            _ => None,
        }
    }
}

impl Core {
    /// The leg serves another call from now on.
    fn hand_over(&mut self, leg: LegKey, to: CallKey) {
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.call = Some(to);
        }
    }

    /// The worker of another leg of this agent's: who asks a third party must be able to join him.
    pub(crate) fn worker_of(&self, agent: AgentKey) -> Option<usize> {
        let of_agent = |leg: &&Leg| leg.peer() == Peer::Agent(agent);
        let live = self.legs.values().filter(of_agent).filter_map(Leg::audio);
        live.map(|audio| audio.port.worker).min()
    }
}

impl Journey {
    /// Whether the caller's leg and this one can be joined: both have agreed on a codec, and on one worker.
    fn speaks_with(&self, core: &Core, leg: LegKey) -> Result<(), u16> {
        let worker = |leg: LegKey| core.leg(leg).and_then(Leg::audio).map(|audio| audio.port.worker);
        if worker(self.caller) != worker(leg) {
            // One voice cannot be handed to another media worker.
            return Err(503);
        }
        match (core.codec(self.caller), core.codec(leg)) {
            (Some(_), Some(_)) => Ok(()),
            _ => Err(488),
        }
    }

    /// Takes the party that the agent asked over from `asked`, whose call is over then. `referred` is the
    /// leg that the REFER came on.
    fn take_over(
        &mut self,
        core: &mut Core,
        now: Instant,
        (own, asking): (LegKey, LegKey),
        asked: &mut Journey,
        referred: LegKey,
    ) -> Result<(), u16> {
        self.let_caller_refer(own);
        if self.referrer(own).is_none() {
            return Err(403);
        }
        debug_assert_eq!(asked.caller, asking, "who asks began that call");
        match &asked.phase {
            Phase::Talking(talk) => self.speaks_with(core, talk.leg)?,
            // Who is asked is not there yet: only the REFER of the talk itself can wait for him.
            Phase::Dialling { wish: Wish::Own, .. } if referred == own && asked.worker == self.worker => {}
            _ => return Err(403),
        }
        core.sip.accept_refer(now, referred);
        // Else he hears how it goes on when the one he asked has answered, or has not.
        if let Phase::Talking(_) = asked.phase {
            core.sip.refer_result(now, referred, 200);
        }
        match asked.hand_over(core, now, self.key) {
            Some(Asked::Talking(talk)) => self.joined(core, now, *talk),
            Some(Asked::Ringing(dial)) => self.ring_for_caller(core, now, dial, "attended"),
            None => {}
        }
        Ok(())
    }

    /// Gives the other side to the call `to`; the asking is over.
    fn hand_over(&mut self, core: &mut Core, now: Instant, to: CallKey) -> Option<Asked> {
        let asked = match self.take_phase() {
            Phase::Talking(talk) => {
                self.ledger.talk_ends(now);
                core.hand_over(talk.leg, to);
                if let With::Agent(agent) = talk.with
                    && let Some(at) = self.engaged.iter().position(|&other| other == agent)
                {
                    // He goes on being in a call: in the other one.
                    self.engaged.swap_remove(at);
                }
                Some(Asked::Talking(talk))
            }
            Phase::Dialling { mut dial, .. } => {
                dial.serve(to);
                for &leg in &dial.legs {
                    core.hand_over(leg, to);
                }
                Some(Asked::Ringing(dial))
            }
            other => {
                self.put_back(other);
                return None;
            }
        };
        self.step(core, now, StepKind::Referred, &format!("joined to {to}"));
        self.finish(core, now, StepKind::Ended, "joined", &Farewell::Normal);
        asked
    }

    /// The caller's other side is now the one whom the agent asked; the agent is let go.
    fn joined(&mut self, core: &mut Core, now: Instant, asked: Talk) {
        let Phase::Talking(talk) = self.take_phase() else { return };
        self.step(core, now, StepKind::Referred, "attended");
        self.let_talk_go(core, now, &talk);
        if let With::Agent(agent) = asked.with {
            self.engaged.push(agent);
        }
        self.talk_with(core, now, asked.leg, asked.with);
        self.settle_hold(core, now, asked.leg);
    }
}
