//! The engine's own audit: whether every table agrees with every other.

use std::collections::BTreeSet;

use base::{AgentKey, CallKey, CallbackKey, QueueKey, TierKey};

use super::Engine;
use super::callbacks::Stage;
use crate::index::Profile;
use crate::tables::{Agent, AgentIx, Call, CallIx, CallState, LineIx, Place, State, Turn};

/// Two tables that disagree: a bug of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Counts of a queue do not add up.
    QueueCounts(QueueKey),
    /// Counts of a tier do not add up.
    TierCounts(TierKey),
    /// The tables hold another number of calls than the counts say.
    Waiting,
    /// A call is not in line where it should be, or is in line where it should not.
    Index(CallKey),
    /// A call and an agent do not agree about each other.
    Pairing(CallKey, AgentKey),
    /// A free agent is not among the free, or a busy one is.
    Idle(AgentKey),
    /// A state that must end has no deadline, or another one than the timer's.
    Deadline(AgentKey),
    /// The number of agents on duty or logged in is wrong, or a queue's clock.
    Duty,
    /// A promise is not where it should be, or has no deadline.
    Promise(CallbackKey),
    /// The tables hold another number of promises than the counts say.
    Promises,
    /// A call waits although a free agent could take it and no reserve forbids it.
    Unserved(CallKey),
}

impl Engine {
    /// Whether every table agrees with every other. O(calls + agents): for tests, simulation and a rare audit.
    ///
    /// # Errors
    /// The first disagreement.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        self.check_counts()?;
        self.check_calls()?;
        self.check_agents()?;
        self.check_duty()?;
        self.check_promises()?;
        self.check_served()
    }

    /// Whether offered = answered + abandoned + deflected + overflowed + waiting, per queue and tier. O(queues).
    ///
    /// # Errors
    /// The first that does not add up.
    pub fn check_counts(&self) -> Result<(), Violation> {
        for queue in &self.queues {
            if !queue.counts.conserved() {
                return Err(Violation::QueueCounts(queue.key()));
            }
        }
        for (at, tier) in self.tiers.iter().enumerate() {
            if !tier.counts.conserved() {
                return Err(Violation::TierCounts(TierKey(u8::try_from(at).unwrap_or(u8::MAX))));
            }
        }
        let held = u64::try_from(self.call_of.len()).unwrap_or(u64::MAX);
        let by_queue: u64 = self.queues.iter().map(|queue| queue.counts.waiting).sum();
        let by_tier: u64 = self.tiers.iter().map(|tier| tier.counts.waiting).sum();
        if held == by_queue && held == by_tier { Ok(()) } else { Err(Violation::Waiting) }
    }

    /// After every event: the counts that it changed add up. Cheap enough to be always on.
    pub(super) fn check_touched(&mut self) {
        for (queue, tier) in self.touched.drain(..) {
            let queue = queue.and_then(|ix| self.queues.get(ix.at()));
            let tier = tier.and_then(|tier| self.tiers.get(tier));
            let wrong = queue.is_some_and(|row| !row.counts.conserved())
                || tier.is_some_and(|row| !row.counts.conserved());
            self.counters.violations += u64::from(wrong);
        }
        self.counters.violations += u64::from(!self.callback_counts.conserved());
    }

    fn check_calls(&self) -> Result<(), Violation> {
        let (mut in_line, mut deadlines) = (0, 0);
        for (at, call) in self.calls.iter() {
            let ix = CallIx::new(at);
            let wrong = Err(Violation::Index(call.key));
            if self.call_of.get(&call.key) != Some(&ix) || call.place.call() != ix {
                return wrong;
            }
            if let Some(at) = call.deadline {
                deadlines += 1;
                if !self.call_deadlines.contains(at, ix) {
                    return wrong;
                }
            }
            match call.state {
                CallState::Presented { .. } => self.check_presented(ix, call)?,
                CallState::Waiting { line } => {
                    self.check_waiting(call, line)?;
                    in_line += usize::from(line.is_some());
                }
            }
        }
        let lines = || self.index.lines.iter().flatten();
        let listed: usize = lines().map(|line| line.waiting).sum();
        let heads = lines().all(|line| {
            let first = |calls: &BTreeSet<Place>| calls.first().copied().unwrap_or(Place::NONE);
            line.tiers.iter().map(first).eq(line.heads.iter().copied())
        });
        let members: usize = self.accounts.iter().map(|account| account.members).sum();
        let all = listed == in_line
            && deadlines == self.call_deadlines.len()
            && heads
            && members == self.call_of.len() + self.callback_of.len();
        if all { Ok(()) } else { Err(Violation::Waiting) }
    }

    fn check_presented(&self, ix: CallIx, call: &Call) -> Result<(), Violation> {
        for agent in self.rung_for(ix) {
            match self.agents.get(agent.at()) {
                Some(agent) if matches!(agent.state, State::Reserved { call: other, .. } if other == ix) => {}
                Some(agent) => return Err(Violation::Pairing(call.key, agent.key)),
                None => return Err(Violation::Index(call.key)),
            }
        }
        if call.deadline.is_some() { Err(Violation::Index(call.key)) } else { Ok(()) }
    }

    fn check_waiting(&self, call: &Call, line: Option<LineIx>) -> Result<(), Violation> {
        let wrong = Err(Violation::Index(call.key));
        let [a, b] = call.preferred().map(|agent| {
            agent
                .and_then(|agent| self.agents.get(agent.at()))
                .is_some_and(|agent| agent.dedicated.contains(&(call.tier, call.place)))
        });
        let preferred = call.preferred();
        let [has_a, has_b] = preferred.map(|agent| agent.is_some());
        let expected_b = has_b && (call.turn() != Turn::First || preferred[0] == preferred[1]);
        if a != has_a || b != expected_b || line.is_some() != (call.turn() == Turn::Pool) {
            return wrong;
        }
        if !call.rung_too().is_empty() {
            return wrong;
        }
        let Some(line) = line else { return Ok(()) };
        let row = self.index.line_at(line);
        let listed = row.and_then(|row| row.tiers.get(call.tier())).is_some_and(|c| c.contains(&call.place));
        if listed && row.is_some_and(|row| row.account == call.account) { Ok(()) } else { wrong }
    }

    fn check_agents(&self) -> Result<(), Violation> {
        for (at, agent) in self.agents.iter().enumerate() {
            let ix = AgentIx::new(at);
            let profile = self.index.profile_at(agent.profile);
            let listed = agent
                .idle_key
                .is_some_and(|key| profile.is_some_and(|profile| profile.idle.contains(&(key, ix))));
            if agent.is_free() != listed || agent.is_free() != agent.idle_key.is_some() {
                return Err(Violation::Idle(agent.key));
            }
            if let State::Reserved { call, key, .. } = agent.state {
                let mutual = self.calls.get(call.at()).is_some_and(|row| row.key == key)
                    && self.rung_for(call).contains(&ix);
                if !mutual {
                    return Err(Violation::Pairing(key, agent.key));
                }
            }
            let ends =
                matches!(agent.state, State::Reserved { .. } | State::Talking { .. } | State::WrapUp { .. });
            let listed = agent.deadline.is_none_or(|at| self.agent_deadlines.contains(at, ix));
            if agent.deadline != agent.ends() || !listed || (ends && agent.deadline.is_none()) {
                return Err(Violation::Deadline(agent.key));
            }
        }
        let listed: usize = self.index.profiles.iter().map(|profile| profile.idle.len()).sum();
        let free = self.agents.iter().filter(|agent| agent.is_free()).count();
        if listed == free { Ok(()) } else { Err(Violation::Duty) }
    }

    fn check_promises(&self) -> Result<(), Violation> {
        let mut listed = 0;
        for (&key, &ix) in &self.callback_of {
            let wrong = Err(Violation::Promise(key));
            let Some(entry) = self.callbacks.get(ix.at()).filter(|entry| entry.key == key) else {
                return wrong;
            };
            let timer = self.timers.get(crate::Timer::Callback(key)).is_some();
            let right = match entry.stage {
                Stage::Scheduled { .. } => timer,
                Stage::Waiting { line } => {
                    listed += 1;
                    self.index.line_at(line).is_some_and(|line| line.promised.contains(&(entry.due, ix)))
                }
                Stage::Dialling { .. } => timer && self.dialling.contains_key(&ix),
                Stage::Reached { call } => self.call_of.contains_key(&call),
            };
            if !right || self.promised_to.get(&(entry.promise.customer, entry.promise.kind)) != Some(&ix) {
                return wrong;
            }
        }
        let lines: usize = self.index.lines.iter().flatten().map(|line| line.promised.len()).sum();
        let counts = &self.callback_counts;
        let open = u64::try_from(self.callback_of.len()).unwrap_or(u64::MAX);
        let dialling = u64::try_from(self.dialling.len()).unwrap_or(u64::MAX);
        let all = self.overdue_agrees()
            && lines == listed
            && counts.conserved()
            && counts.open == open
            && counts.dialling == dialling;
        if all { Ok(()) } else { Err(Violation::Promises) }
    }

    fn check_duty(&self) -> Result<(), Violation> {
        let count = |f: fn(&Agent) -> bool| self.agents.iter().filter(|agent| f(agent)).count();
        let on_duty: usize = self.index.profiles.iter().map(|profile| profile.on_duty).sum();
        let logged_in: usize = self.index.profiles.iter().map(|profile| profile.logged_in).sum();
        if on_duty != count(Agent::is_on_duty) || logged_in != count(Agent::is_logged_in) {
            return Err(Violation::Duty);
        }
        let right = |profile: &Profile| (profile.on_duty == 0) == profile.unmanned_since.is_some();
        if self.index.profiles.iter().all(right) { Ok(()) } else { Err(Violation::Duty) }
    }

    fn check_served(&self) -> Result<(), Violation> {
        for (_, call) in self.calls.iter() {
            let CallState::Waiting { line } = call.state else { continue };
            // Whom a call avoids changes with the clock alone; that has a deadline of its own.
            if !call.avoid().is_empty() || self.held_back {
                continue;
            }
            let pool = line.is_some_and(|line| self.index.idle_count(line, 1) > 0);
            let [a, b] = call.preferred();
            let own = [a, b.filter(|_| call.turn() != Turn::First)];
            let own =
                own.into_iter().flatten().any(|ix| self.agents.get(ix.at()).is_some_and(Agent::is_free));
            if pool || own {
                return Err(Violation::Unserved(call.key));
            }
        }
        Ok(())
    }
}
