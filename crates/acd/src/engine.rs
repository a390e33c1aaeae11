//! The engine.

use std::collections::{BTreeSet, VecDeque};

use base::{AgentKey, CallKey, Duration, Instant, QueueKey, Seed, TierKey};

use crate::{AgentState, Config, Counters, Input, Output, QueueStats, TierStats, Timer, Violation};

/// The call distributor of one routing domain.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    outputs: VecDeque<Output>,
    counters: Counters,
}

/// An agent as shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// Who.
    pub agent: AgentKey,
    /// State.
    pub state: AgentState,
    /// Since when.
    pub since: Instant,
    /// Calls answered since start.
    pub answered: u64,
}

impl Engine {
    /// A new engine; everybody is logged out. Any config runs; show [`Config::check`] to its author first.
    pub fn new(config: Config, seed: Seed) -> Self {
        let _ = seed;
        Engine { config, outputs: VecDeque::new(), counters: Counters::default() }
    }

    /// What happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let _ = (now, input);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// What the driver must do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }

    /// Sets right whatever speaks of calls that are not `live` any more: their talks end, their places are given up.
    pub fn reconcile(&mut self, now: Instant, live: &BTreeSet<CallKey>) {
        let _ = (now, live);
    }

    /// How long a waiting call will probably wait from now on. `None`: unknown, or nobody is on duty.
    pub fn expected_wait(&self, now: Instant, call: CallKey) -> Option<Duration> {
        let _ = (now, call);
        None
    }

    /// How long a call of this tier and queue would probably wait if it came now.
    pub fn expected_wait_new(&self, now: Instant, queue: QueueKey, tier: TierKey) -> Option<Duration> {
        let _ = (now, queue, tier);
        None
    }

    /// Place in line, 1 for the next, among the calls of its tier and queue.
    pub fn position(&self, call: CallKey) -> Option<usize> {
        let _ = call;
        None
    }

    /// A queue now.
    pub fn queue_stats(&self, now: Instant, queue: QueueKey) -> Option<QueueStats> {
        let _ = (now, queue);
        None
    }

    /// A tier now.
    pub fn tier_stats(&self, tier: TierKey) -> Option<TierStats> {
        let _ = tier;
        None
    }

    /// The agents in the order of their keys.
    pub fn agents(&self) -> impl Iterator<Item = AgentView> + '_ {
        self.config.agents.iter().map(|agent| AgentView {
            agent: agent.key,
            state: AgentState::LoggedOut,
            since: Instant::ZERO,
            answered: 0,
        })
    }

    /// What the engine counted about itself.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether every table agrees with every other.
    ///
    /// # Errors
    /// The first disagreement.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        Ok(())
    }
}
