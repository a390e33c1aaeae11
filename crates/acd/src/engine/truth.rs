//! The driver's knowledge against the engine's: whoever is stuck is set free.

use base::{AgentKey, CallKey, Instant};

use super::Engine;
use crate::io::{Decline, Output, Repair, Timer, Truth, Withdrawal};
use crate::tables::{Agent, AgentIx, State};

impl Engine {
    /// Sets right whatever disagrees with the driver.
    pub(super) fn learn(&mut self, now: Instant, truth: &Truth) {
        let mut gone: Vec<CallKey> =
            self.calls.iter().map(|(_, call)| call.key).filter(|key| !truth.waiting.contains(key)).collect();
        gone.sort_unstable();
        for call in gone {
            self.repaired(Repair::CallGone(call));
            self.abandon(now, call);
        }
        let agents: Vec<(AgentKey, AgentIx)> = self.agent_of.iter().map(|(&key, &ix)| (key, ix)).collect();
        for (key, ix) in agents {
            self.learn_about(now, key, ix, truth);
        }
        for ix in self.dialling.keys().copied().collect::<Vec<_>>() {
            let key = self.callbacks.get(ix.at()).map(|entry| entry.key);
            if let Some(key) = key.filter(|key| !truth.dialling.contains(key)) {
                self.repaired(Repair::NotDialling(key));
                self.attempt_failed(now, ix);
            }
        }
        self.set_audit(now);
    }

    fn learn_about(&mut self, now: Instant, key: AgentKey, ix: AgentIx, truth: &Truth) {
        let Some(state) = self.agents.get(ix.at()).map(|agent| agent.state) else { return };
        match state {
            State::Reserved { call, key: call_key, .. } if !truth.busy.contains(&(key, call_key)) => {
                self.repaired(Repair::NotRung(key, call_key));
                self.withdraw(call, ix, Withdrawal::AgentLeft);
                self.presentation_failed(now, ix, call, Decline::Unreachable);
            }
            State::Talking { call, queue, since, .. } if truth.talking.get(&key) != Some(&call) => {
                self.repaired(Repair::TalkOver(key, call));
                self.talk_ended(now, ix, queue, since);
            }
            State::LoggedOut | State::NotReady { .. } | State::Ready | State::WrapUp { .. } => {
                if let Some(&call) = truth.talking.get(&key) {
                    self.repaired(Repair::Talks(key, call));
                    self.adopt_talk(now, ix, call);
                }
            }
            State::Reserved { .. } | State::Talking { .. } => {}
        }
    }

    /// A talk that this engine did not arrange: a follower that took over learns it so.
    fn adopt_talk(&mut self, now: Instant, ix: AgentIx, call: CallKey) {
        let until = now + self.config.talk_max;
        let queue = self.agents.get(ix.at()).and_then(|agent| self.index.profile_at(agent.profile));
        let queue = queue.and_then(|profile| profile.queues.first().copied());
        self.change(now, ix, |agent| {
            agent.wish = agent.wish_by_state();
            let queue = queue.unwrap_or(crate::tables::QueueIx::FIRST);
            agent.state = State::Talking { call, queue, since: now, until };
        });
    }

    fn repaired(&mut self, repair: Repair) {
        self.counters.stuck += 1;
        self.outputs.push_back(Output::Repaired(repair));
    }

    /// There is something that could be stuck.
    pub(super) fn begin_audit(&mut self, now: Instant) {
        if self.config.audit.is_some() && self.timers.get(Timer::Audit).is_none() {
            self.set_audit(now);
        }
    }

    /// Asks, and again after the usual time, as long as there is anything that could be stuck.
    pub(super) fn ask_truth(&mut self, now: Instant) {
        if self.may_be_stuck() {
            self.outputs.push_back(Output::AskTruth);
            self.set_audit(now);
        }
    }

    pub(super) fn set_audit(&mut self, now: Instant) {
        if let Some(every) = self.config.audit.filter(|every| !every.is_zero()) {
            self.timers.set(Timer::Audit, now + every);
        }
    }

    fn may_be_stuck(&self) -> bool {
        let held = |agent: &Agent| matches!(agent.state, State::Reserved { .. } | State::Talking { .. });
        !self.call_of.is_empty() || !self.dialling.is_empty() || self.agents.iter().any(held)
    }
}
