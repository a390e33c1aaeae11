//! The engine: tables, inputs, deadlines. What happens to agents, calls and decisions is in a file each.

mod agents;
mod calls;
mod check;
mod configure;
mod decide;
mod views;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use base::{AgentKey, CallKey, Duration, Instant, QueueKey, Rng, Seed, SeededMap, Timers};

use crate::config::Config;
use crate::decision::{Decision, Rank, Trigger};
use crate::expected::{Flow, Patience};
use crate::index::Index;
use crate::io::{Input, Output, Timer};
use crate::policy::{Head, Policy};
use crate::stats::Counters;
use crate::tables::{Agent, AgentIx, Call, CallIx, Queue, QueueIx, Slab, Tier};

pub use check::Violation;
pub use views::AgentView;

/// When a reserve has held calls back for so long without a break, and no caller came for whom, it is given up:
/// nobody waits for ever for a caller who does not come.
const RESERVE_LOOK: Duration = Duration::from_secs(180);

/// The call distributor of one routing domain.
///
/// Outputs are queued: call [`Engine::poll_output`] until it is empty after every input. Same seed and same
/// inputs give the same outputs.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    rng: Rng,
    policy: Box<dyn Policy>,
    index: Index,
    queues: Vec<Queue>,
    queue_of: BTreeMap<QueueKey, QueueIx>,
    agents: Vec<Agent>,
    agent_of: BTreeMap<AgentKey, AgentIx>,
    calls: Slab<Call>,
    call_of: SeededMap<CallKey, CallIx>,
    tiers: Vec<Tier>,
    flows: Vec<Flow>,
    patience: Patience,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
    decisions: VecDeque<Arc<Decision>>,
    counters: Counters,
    /// Arrivals so far: makes orders unique.
    arrivals: u64,
    /// Presentations so far: the round of round robin.
    rings: u64,
    /// A reserve keeps somebody free while calls wait.
    held_back: bool,
    /// Calls that avoid somebody.
    avoiders: usize,
    /// Somebody went off duty: an avoided agent may now be the only one.
    duty_lost: bool,
    /// Agents gone off duty whose own callers must not wait for them.
    deserted: Vec<AgentIx>,
    /// Scratch of a decision: the heads and what the policy made of them.
    heads: Vec<Head>,
    ranks: Vec<Rank>,
}

impl Engine {
    /// A new engine; everybody is logged out. Any config runs; show [`Config::check`] to its author first.
    pub fn new(config: Config, seed: Seed) -> Self {
        let mut rng = Rng::new(seed);
        let policy = config.policy.build(&config.tiers, rng.fork());
        let mut engine = Engine {
            config: Config::default(),
            policy,
            index: Index::default(),
            queues: Vec::new(),
            queue_of: BTreeMap::new(),
            agents: Vec::new(),
            agent_of: BTreeMap::new(),
            calls: Slab::default(),
            call_of: SeededMap::with_hasher(rng.next_seed()),
            tiers: Vec::new(),
            flows: Vec::new(),
            patience: Patience::default(),
            timers: Timers::new(rng.next_seed()),
            outputs: VecDeque::new(),
            decisions: VecDeque::new(),
            counters: Counters::default(),
            arrivals: 0,
            rings: 0,
            held_back: false,
            avoiders: 0,
            duty_lost: false,
            deserted: Vec::new(),
            heads: Vec::new(),
            ranks: Vec::new(),
            rng,
        };
        engine.configure(Instant::ZERO, config);
        engine
    }

    /// What happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        // Lots are drawn when a caller comes or an agent may be free; drawn more often, a fractional reserve would
        // lose its agents to the first lucky draw.
        if !matches!(input, Input::PickedUp { .. } | Input::Answered { .. } | Input::Abandon { .. }) {
            self.policy.begin();
        }
        match input {
            Input::Login { agent } => self.login(now, agent),
            Input::Logout { agent } => self.logout(now, agent),
            Input::Ready { agent } => self.ready(now, agent),
            Input::NotReady { agent, reason } => self.not_ready(now, agent, reason),
            Input::EndWrapUp { agent } => self.end_wrap_up(now, agent),
            Input::Reachable { agent, reachable } => self.reachable(now, agent, reachable),
            Input::Engaged { agent, engaged } => self.engaged(now, agent, engaged),
            Input::Offer { call, caller } => self.offer(now, call, &caller),
            Input::Promote { call, tier, class } => self.promote(now, call, tier, class),
            Input::Abandon { call } => self.abandon(now, call),
            Input::Deflect { call, how: _ } => self.deflect(now, call),
            Input::PickedUp { call, agent } => self.picked_up(now, call, agent),
            Input::Answered { call, agent } => self.answered(now, call, agent),
            Input::Declined { call, agent, why } => self.declined(now, call, agent, why),
            Input::Ended { call, agent } => self.ended(now, call, agent),
            Input::Configure(config) => self.configure(now, *config),
        }
        self.finish(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, timer)) = self.timers.pop_expired(now) {
            self.policy.begin();
            match timer {
                Timer::Agent(agent) => self.agent_timeout(now, agent),
                Timer::Engaged(agent) => self.engaged_timeout(now, agent),
                Timer::Call(call) => self.call_timeout(now, call),
                Timer::Overflow(call) => self.overflow_timeout(now, call),
                Timer::NoAgents(queue) => self.no_agents_timeout(now, queue),
                Timer::Reserve => self.policy.held_in_vain(),
            }
            self.finish(now);
        }
    }

    /// What the driver must do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    /// Sets right whatever speaks of calls that are not `live` any more: their talks end, their places in
    /// line are given up. For a driver that has lost an event, or a follower that takes over.
    pub fn reconcile(&mut self, now: Instant, live: &BTreeSet<CallKey>) {
        let lost = |call: &&Call| !live.contains(&call.key);
        let mut lost: Vec<CallKey> =
            self.calls.iter().map(|(_, call)| call).filter(lost).map(|c| c.key).collect();
        lost.sort_unstable();
        for call in lost {
            self.counters.reconciled += 1;
            self.abandon(now, call);
        }
        for at in 0..self.agents.len() {
            self.reconcile_talk(now, AgentIx::new(at), live);
        }
        self.finish(now);
    }

    /// After every event: callers whose manager left, calls that a reserve or an avoided agent held back.
    fn finish(&mut self, now: Instant) {
        while let Some(agent) = self.deserted.pop() {
            let calls: Vec<CallIx> = match self.agents.get(agent.at()) {
                Some(agent) if !agent.is_on_duty() => {
                    agent.dedicated.iter().map(|&(_, _, call)| call).collect()
                }
                _ => continue,
            };
            for call in calls {
                self.advance(now, call);
                self.place(now, call, Trigger::CallWaits);
            }
        }
        let look = self.held_back || (self.duty_lost && self.avoiders > 0);
        self.duty_lost = false;
        if look {
            self.sweep(now);
            if self.held_back && self.timers.get(Timer::Reserve).is_some() {
                return;
            }
            if self.held_back {
                self.timers.set(Timer::Reserve, now + RESERVE_LOOK);
            } else {
                self.timers.cancel(Timer::Reserve);
            }
        }
    }

    fn agent_ix(&mut self, key: AgentKey) -> Option<AgentIx> {
        let found = self.agent_of.get(&key).copied();
        if found.is_none() {
            self.counters.ignored += 1;
        }
        found
    }

    fn call_ix(&mut self, key: CallKey) -> Option<CallIx> {
        let found = self.call_of.get(&key).copied();
        if found.is_none() {
            self.counters.ignored += 1;
        }
        found
    }

    /// An input that does not fit the state.
    fn ignore(&mut self) {
        self.counters.ignored += 1;
    }
}
