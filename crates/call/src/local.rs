//! The switch and its call distributor in one process, one loop: each one's outputs are the other's
//! inputs, and the driver sees neither.

use std::collections::{BTreeMap, VecDeque};

use acd::Engine;
use base::{CallKey, Instant, Seed, WallClock};

use crate::admin::{Admin, AdminError, AgentChange};
use crate::message::{Input, Output};
use crate::settings::Settings;
use crate::switch::{Switch, Timer};
use crate::view::{QueueView, Snapshot, TierView};

/// A deadline of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalTimer {
    /// The switch's.
    Switch(Timer),
    /// The distributor's.
    Acd(acd::Timer),
}

/// A switch with its distributor. The same four methods; [`Output::Acd`] and [`Output::AskWait`] never
/// come out.
#[derive(Debug)]
pub struct Local {
    switch: Switch,
    engine: Engine,
    outputs: VecDeque<Output>,
}

impl Local {
    /// Both, for `settings`.
    pub fn new(settings: Settings, seed: Seed, first: CallKey, wall: WallClock) -> Self {
        let mut rng = base::Rng::new(seed);
        let engine = Engine::new(settings.acd.clone(), rng.next_seed());
        let switch = Switch::new(settings, rng.next_seed(), first, wall);
        Local { switch, engine, outputs: VecDeque::new() }
    }

    /// What happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.switch.handle(now, input);
        self.pump(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.engine.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.engine.handle_timeout(now);
            self.pump(now);
        }
        self.switch.handle_timeout(now);
        self.pump(now);
    }

    /// What to do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<(Instant, LocalTimer)> {
        let switch = self.switch.poll_timeout().map(|(at, timer)| (at, LocalTimer::Switch(timer)));
        let engine = self.engine.poll_timeout().map(|(at, timer)| (at, LocalTimer::Acd(timer)));
        switch.into_iter().chain(engine).min_by_key(|(at, _)| *at)
    }

    /// An operator's request.
    ///
    /// # Errors
    /// See [`Switch::admin`].
    pub fn admin(&mut self, now: Instant, request: Admin) -> Result<(), AdminError> {
        let done = self.switch.admin(now, request);
        self.pump(now);
        done
    }

    /// What an earlier process knew of an agent, see [`Switch::restore`].
    pub fn restore(
        &mut self,
        now: Instant,
        number: &str,
        contacts: Vec<sip::Binding>,
        duty: Option<AgentChange>,
    ) {
        self.switch.restore(now, number, contacts, duty);
        self.pump(now);
    }

    /// The switch.
    pub const fn switch(&self) -> &Switch {
        &self.switch
    }

    /// The distributor.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Hands outputs to and fro until both are quiet.
    fn pump(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.engine.poll_output() {
                self.switch.handle(now, Input::Acd(output));
            } else if let Some(output) = self.switch.poll_output() {
                match output {
                    Output::Acd(input) => self.engine.handle(now, input),
                    Output::AskWait(call) => {
                        let wait = self.engine.expected_wait(now, call);
                        let ahead = self.engine.position(call).map(|position| position.saturating_sub(1));
                        self.switch.handle(now, Input::Wait { call, wait, ahead });
                    }
                    other => self.outputs.push_back(other),
                }
            } else {
                break;
            }
        }
    }

    /// Calls, agents, queues, tiers, trunks, counters as they are now.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let mut snapshot = self.switch.snapshot(now);
        let settings = &self.switch.core.settings;
        let answered: BTreeMap<_, _> = self.engine.agents().map(|seen| (seen.agent, seen.answered)).collect();
        for (agent, view) in settings.agents.iter().zip(&mut snapshot.agents) {
            view.answered = answered.get(&agent.key).copied().unwrap_or(0);
        }
        snapshot.queues = settings.queues.iter().map(|queue| self.queue_view(now, queue)).collect();
        let tiers = (0u8..).map(base::TierKey).zip(&settings.tiers);
        snapshot.tiers = tiers.map(|(key, tier)| self.tier_view(now, key, tier)).collect();
        snapshot
    }

    fn queue_view(&self, now: Instant, queue: &crate::settings::Queue) -> QueueView {
        let stats = self.engine.queue_stats(now, queue.key).unwrap_or_default();
        QueueView {
            name: queue.name.clone(),
            waiting: usize::try_from(stats.counts.waiting).unwrap_or(usize::MAX),
            longest_wait_ms: u64::try_from(stats.longest_wait.as_millis()).unwrap_or(u64::MAX),
            agents_ready: stats.agents_ready,
            agents_logged_in: stats.agents_logged_in,
        }
    }

    fn tier_view(&self, now: Instant, key: base::TierKey, tier: &crate::settings::Tier) -> TierView {
        let stats = self.engine.tier_stats(key).unwrap_or_default();
        let settings = &self.switch.core.settings;
        let queue = settings.queues.first();
        let expected = queue.and_then(|queue| self.engine.expected_wait_new(now, queue.key, key));
        TierView {
            name: tier.name.clone(),
            target: tier.target,
            offered: stats.counts.offered,
            answered: stats.counts.answered,
            abandoned: stats.counts.abandoned,
            deflected: stats.counts.deflected,
            overflowed: stats.counts.overflowed,
            waiting: stats.counts.waiting,
            waits_ms: stats.waits.pairs().collect(),
            wait_ms_sum: stats.waits.sum_ms,
            expected_wait_ms: expected.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
