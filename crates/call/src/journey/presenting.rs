//! The distributor has chosen an agent: his phones ring, he picks up, his number is spoken to the
//! caller, the voices are joined. Until then the caller hears what the queue plays to him.

use base::{AgentKey, Duration, Instant, LegKey};
use ivr::Input;

use super::{Journey, Lead, Phase, Reached, Rung, Talk, With};
use crate::core::Core;
use crate::dial::{Dial, NobodyThere};
use crate::leg::Farewell;
use crate::record::StepKind;

impl Journey {
    /// Rings an agent for the caller; others may be rung for him already.
    pub(crate) fn present(&mut self, core: &mut Core, now: Instant, agent: AgentKey, _ring: Duration) {
        // In any other state the call has left the queue: the distributor hears that in the message
        // that crosses this one.
        if !matches!(self.phase, Phase::Waiting(_) | Phase::Presenting { .. }) {
            return;
        }
        let number = core.agent_number(agent);
        self.step(core, now, StepKind::Presented, &number);
        let terms = self.terms(core);
        match Dial::agent(core, now, agent, terms) {
            Ok(dial) => {
                let next = match self.take_phase() {
                    Phase::Waiting(wait) => Phase::Presenting { wait, rung: vec![Rung { agent, dial }] },
                    Phase::Presenting { wait, mut rung } => {
                        rung.push(Rung { agent, dial });
                        Phase::Presenting { wait, rung }
                    }
                    other => other,
                };
                self.put_back(next);
            }
            Err(nobody) => self.declined(core, now, agent, nobody),
        }
    }

    /// An agent's phones ring no more; who is left of those rung together rings on.
    fn unring(&mut self, agent: AgentKey) -> Option<Dial> {
        let Phase::Presenting { rung, .. } = &mut self.phase else { return None };
        let at = rung.iter().position(|rung| rung.agent == agent)?;
        let Rung { dial, .. } = rung.swap_remove(at);
        if rung.is_empty()
            && let Phase::Presenting { wait, .. } = self.take_phase()
        {
            self.put_back(Phase::Waiting(wait));
        }
        Some(dial)
    }

    /// The presentation failed; the place is kept.
    fn declined(&mut self, core: &mut Core, now: Instant, agent: AgentKey, nobody: NobodyThere) {
        let (why, word) = match nobody {
            NobodyThere::Short => (acd::Decline::Shortage, "shortage"),
            NobodyThere::Refused(486 | 600) => (acd::Decline::Busy, "busy"),
            NobodyThere::Refused(480 | 408 | 487) => (acd::Decline::NoAnswer, "no-answer"),
            NobodyThere::Refused(603 | 607 | 488 | 606 | 403) => (acd::Decline::Rejected, "rejected"),
            NobodyThere::Refused(_) => (acd::Decline::Unreachable, "unreachable"),
        };
        let number = core.agent_number(agent);
        self.step(core, now, StepKind::Declined, &format!("{number} {word} {}", nobody.code()));
        core.acd(acd::Input::Declined { call: self.key, agent, why });
    }

    /// The distributor takes the presentation back.
    pub(crate) fn withdraw(&mut self, core: &mut Core, now: Instant, agent: AgentKey, why: acd::Withdrawal) {
        let word = match why {
            acd::Withdrawal::NoAnswer => "no-answer",
            acd::Withdrawal::CallerGone => "caller-gone",
            acd::Withdrawal::AnsweredElsewhere => "answered-elsewhere",
            acd::Withdrawal::AgentLeft => "agent-left",
            acd::Withdrawal::TooLate => "too-late",
        };
        if let Some(mut dial) = self.unring(agent) {
            let farewell = match why {
                acd::Withdrawal::AnsweredElsewhere => Farewell::Elsewhere,
                _ => Farewell::Normal,
            };
            dial.cancel(core, now, &farewell);
            let number = core.agent_number(agent);
            return self.step(core, now, StepKind::Withdrawn, &format!("{number} {word}"));
        }
        match self.take_phase() {
            Phase::Joining { wait, agent: rung, leg } if rung == agent => {
                core.part(now, leg, &Farewell::Normal);
                self.enter(core, now, Phase::Waiting(wait));
                let number = core.agent_number(agent);
                self.step(core, now, StepKind::Withdrawn, &format!("{number} {word}"));
                self.waits_again(core, now);
            }
            Phase::Talking(talk) => match talk.with {
                // He came too late, and the distributor has kept the caller's place: the talk that just
                // began ends, the caller waits on.
                With::Served { agent: rung, wait } if rung == agent && why == acd::Withdrawal::TooLate => {
                    self.ledger.talk_ends(now);
                    core.part(now, talk.leg, &Farewell::Normal);
                    self.ledger.wait_begins(now);
                    self.enter(core, now, Phase::Waiting(wait));
                    self.waits_again(core, now);
                }
                _ => self.put_back(Phase::Talking(talk)),
            },
            other => self.put_back(other),
        }
    }

    /// One of the agent's phones failed.
    pub(super) fn presentation_failed(&mut self, core: &mut Core, now: Instant, leg: LegKey, code: u16) {
        let Phase::Presenting { rung, .. } = &mut self.phase else { return };
        let Some(rung) = rung.iter_mut().find(|rung| rung.dial.legs.contains(&leg)) else { return };
        let agent = rung.agent;
        if let Err(nobody) = rung.dial.failed(core, now, leg, code) {
            self.unring(agent);
            self.declined(core, now, agent, nobody);
        }
    }

    /// One of the agent's phones answered.
    pub(super) fn picked_up(&mut self, core: &mut Core, now: Instant, leg: LegKey, body: Option<&[u8]>) {
        let usable = body.is_some_and(|body| core.accept_answer(leg, body).is_ok());
        if !usable {
            // An answer without a description, or one that has nothing in common with our offer.
            core.count("answers_unusable", "");
            core.part(now, leg, &Farewell::Status(488));
            return self.presentation_failed(core, now, leg, 488);
        }
        let Phase::Presenting { wait, rung } = self.take_phase() else { return };
        let mut winner = None;
        for Rung { agent, mut dial } in rung {
            if dial.legs.contains(&leg) {
                dial.won(core, now, leg);
                winner = Some(agent);
            } else {
                // Who was rung together with him hears at once that he was quicker (RFC 3326).
                dial.cancel(core, now, &Farewell::Elsewhere);
                let number = core.agent_number(agent);
                self.step(core, now, StepKind::Withdrawn, &format!("{number} answered-elsewhere"));
            }
        }
        let Some(agent) = winner else {
            core.count("broken", "answered_unrung");
            core.part(now, leg, &Farewell::Normal);
            self.enter(core, now, Phase::Waiting(wait));
            return;
        };
        let number = core.agent_number(agent);
        core.acd(acd::Input::PickedUp { call: self.key, agent });
        self.enter(core, now, Phase::Joining { wait, agent, leg });
        self.step(core, now, StepKind::AgentAnswered, &number);
        self.ledger.record.agent = Some(number.clone());
        match self.lead() {
            // The flow speaks the number, or asks to join at once.
            Lead::Flow if self.flow.is_some() => self.tell_flow(core, now, Input::AgentAnswered { number }),
            Lead::Transfer => {
                self.join(core, now);
                self.tell_flow(core, now, Input::TransferJoined);
            }
            Lead::Flow | Lead::Referral | Lead::Callback => self.join(core, now),
        }
    }

    /// Joins the voices.
    pub(super) fn join(&mut self, core: &mut Core, now: Instant) {
        if !matches!(self.phase, Phase::Joining { .. }) {
            return;
        }
        let Phase::Joining { wait, agent, leg } = self.take_phase() else { return };
        core.bridge(self.caller, leg);
        core.acd(acd::Input::Answered { call: self.key, agent });
        self.reached = Reached::Agent;
        if let Some(customer) = self.customer(core) {
            core.served.note(now, customer, agent);
        }
        self.ledger.wait_ends(now);
        self.ledger.talk_begins(now);
        let number = core.agent_number(agent);
        self.step(core, now, StepKind::Bridged, &number);
        let talk = Talk::new(leg, With::Served { agent, wait });
        self.enter(core, now, Phase::Talking(Box::new(talk)));
        self.settle_hold(core, now, leg);
    }
}
