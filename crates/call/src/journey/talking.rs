//! Voices are joined: hold and resume, keys, the end of the talk by either side, an agent who is lost.
//!
//! Hold is answered here and not passed to the other side: the holder's offer is between him and us,
//! the other party keeps his session and hears our music. So there is no glare across the switch, a
//! held carrier sees no re-INVITE, and a changed address on one side never disturbs the other.

use base::{Instant, LegKey};
use bytes::Bytes;
use ivr::Input;
use sip::EndedBy;

use super::{Journey, Phase, Talk, With};
use crate::audio::Fault;
use crate::core::Core;
use crate::leg::Farewell;
use crate::record::StepKind;

impl Journey {
    /// The talk, if voices are joined.
    pub(super) fn talk(&self) -> Option<&Talk> {
        match &self.phase {
            Phase::Talking(talk) | Phase::Referring { talk, .. } => Some(talk),
            _ => None,
        }
    }

    /// A new offer within the dialog: hold, resume, another address, a refresh.
    pub(crate) fn reoffered(&mut self, core: &mut Core, now: Instant, leg: LegKey, body: Option<&Bytes>) {
        let answer = match body {
            Some(offer) => core.answer_offer(leg, offer),
            None => core.make_offer(leg),
        };
        match answer {
            Ok(answer) => {
                core.sip.answer_reoffer(now, leg, Ok(Some(answer)));
                if body.is_some() {
                    self.settle_hold(core, now, leg);
                }
            }
            Err(fault) => {
                // The session stays as it was (RFC 3261 §14.2).
                core.count("reoffers_refused", fault_word(fault));
                core.sip.answer_reoffer(now, leg, Err(fault.status()));
            }
        }
    }

    /// After a negotiation on `leg`: whoever is held hears music, whoever is free is joined.
    pub(super) fn settle_hold(&mut self, core: &mut Core, now: Instant, leg: LegKey) {
        let (caller, language) = (self.caller, self.profile.language.clone());
        let by_caller = leg == caller;
        let holding = core.is_holding(leg);
        let Phase::Talking(talk) = &mut self.phase else { return };
        if !by_caller && leg != talk.leg {
            return;
        }
        let was = talk.is_held();
        let flag = if by_caller { &mut talk.held_by_caller } else { &mut talk.held_by_peer };
        let changed = *flag != holding;
        *flag = holding;
        let (is, peer) = (talk.is_held(), talk.leg);
        let held = if by_caller { peer } else { caller };
        let who = if by_caller { "caller" } else { "agent" };
        let music = core.settings.media.hold_music.clone();
        match (changed, holding) {
            (true, true) => {
                if !was {
                    core.unbridge(caller);
                }
                core.music(held, &language, &music);
                self.step(core, now, StepKind::Held, who);
            }
            (true, false) if is => {
                // The other one still holds: he hears nothing, we hear his silence no longer than he likes.
                core.command(held, media::Command::Stop { leg: held });
                self.step(core, now, StepKind::Resumed, who);
            }
            (true, false) => {
                core.bridge(caller, peer);
                self.step(core, now, StepKind::Resumed, who);
            }
            (false, _) => {}
        }
    }

    /// A key as INFO: to the flow, or as RFC 4733 to the other side.
    pub(crate) fn info_digit(&mut self, core: &mut Core, now: Instant, leg: LegKey, digit: media::Digit) {
        let peer = match &self.phase {
            Phase::Talking(talk) => Some(if leg == self.caller { talk.leg } else { self.caller }),
            _ => None,
        };
        match peer {
            Some(peer) => core.command(peer, media::Command::SendDigits { leg: peer, digits: vec![digit] }),
            None if leg == self.caller => self.digit(core, now, digit),
            None => {}
        }
    }

    /// A leg other than the caller's ended by itself.
    pub(crate) fn peer_ended(&mut self, core: &mut Core, now: Instant, leg: LegKey, by: EndedBy) {
        match by {
            EndedBy::Peer => self.peer_hung_up(core, now, leg),
            EndedBy::SessionTimer => self.peer_lost(core, now, leg, "session-timer"),
            EndedBy::NoAck => self.peer_lost(core, now, leg, "no-ack"),
            EndedBy::PeerGone => self.peer_lost(core, now, leg, "peer-gone"),
        }
    }

    fn peer_hung_up(&mut self, core: &mut Core, now: Instant, leg: LegKey) {
        match self.take_phase() {
            Phase::Joining { wait, agent, leg: joining } if joining == leg => {
                // Off hook and on hook again before a word was said: not a talk, the place is kept.
                self.enter(core, now, Phase::Waiting(wait));
                core.acd(acd::Input::Declined { call: self.key, agent, why: acd::Decline::Rejected });
                let number = core.agent_number(agent);
                self.step(core, now, StepKind::Declined, &format!("{number} hung-up"));
                self.waits_again(core, now);
            }
            Phase::Talking(talk) if talk.leg == leg => {
                self.step(core, now, StepKind::HungUp, self.peer_word(&talk.with));
                self.talk_over(core, now, &talk);
            }
            Phase::Referring { talk, dial } if talk.leg == leg => {
                // He referred and left: the caller rings on, nobody is told how it ended.
                self.referrer_left(core, now, &talk, dial);
            }
            other => self.put_back(other),
        }
    }

    const fn peer_word(&self, with: &With) -> &'static str {
        match with {
            With::Served { .. } | With::Agent(_) => "agent",
            With::Outside => "called",
        }
    }

    /// The other party hung up: the caller is led on by the flow, or it was his own call and is over.
    fn talk_over(&mut self, core: &mut Core, now: Instant, talk: &Talk) {
        self.let_talk_go(core, now, talk);
        core.command(self.caller, media::Command::Stop { leg: self.caller });
        if self.flow.is_some() {
            self.enter(core, now, Phase::Guided);
            self.tell_flow(core, now, Input::AgentHungUp);
        } else {
            let word = self.peer_word(&talk.with);
            self.finish(core, now, StepKind::Ended, word, &Farewell::Normal);
        }
    }

    /// A leg other than the caller's was lost: not its owner's will. A served caller gets his place back.
    pub(crate) fn peer_lost(&mut self, core: &mut Core, now: Instant, leg: LegKey, why: &str) {
        match self.take_phase() {
            Phase::Joining { wait, agent, leg: joining } if joining == leg => {
                core.part(now, leg, &Farewell::Normal);
                self.enter(core, now, Phase::Waiting(wait));
                core.acd(acd::Input::Declined { call: self.key, agent, why: acd::Decline::Unreachable });
                self.step(core, now, StepKind::Declined, why);
                self.waits_again(core, now);
            }
            Phase::Talking(talk) if talk.leg == leg => self.talk_lost(core, now, *talk, why),
            Phase::Referring { talk, dial } if talk.leg == leg => self.referrer_left(core, now, &talk, dial),
            other => self.put_back(other),
        }
    }

    fn talk_lost(&mut self, core: &mut Core, now: Instant, talk: Talk, why: &str) {
        core.count("peers_lost", "");
        self.step(core, now, StepKind::Ended, &format!("{} {why}", self.peer_word(&talk.with)));
        match talk.with.clone() {
            With::Served { wait, .. } => {
                self.let_talk_go(core, now, &talk);
                let mut wait = *wait;
                wait.caller.since = Some(wait.since);
                self.take_place(core, now, wait);
                self.waits_again(core, now);
            }
            With::Agent(_) | With::Outside => self.talk_over(core, now, &talk),
        }
    }

    /// No RTP from this leg for too long.
    pub(crate) fn silent(&mut self, core: &mut Core, now: Instant, leg: LegKey) {
        core.count("timeouts", "rtp");
        if leg == self.caller {
            return self.finish(core, now, StepKind::Ended, "no-rtp", &Farewell::Normal);
        }
        self.peer_lost(core, now, leg, "no-rtp");
    }
}

const fn fault_word(fault: Fault) -> &'static str {
    match fault {
        Fault::Malformed(_) => "malformed",
        Fault::Incompatible(_) => "incompatible",
        Fault::NoMedia => "no-media",
    }
}
