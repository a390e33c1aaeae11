//! The switch and its call distributor in one process, one loop: each one's outputs are the other's
//! inputs, and the driver sees neither.

use core::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use acd::Engine;
use base::{CallKey, Duration, Instant, Seed, WallClock};

use crate::admin::{Admin, AdminError, AgentChange};
use crate::message::{Input, Output};
use crate::settings::Settings;
use crate::switch::{Switch, Timer};
use crate::view::{Control, Counter, FeasibilityView, QueueView, Snapshot, TierView, WaitErrorView};

/// A deadline of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalTimer {
    /// The switch's.
    Switch(Timer),
    /// The distributor's.
    Acd(acd::Timer),
}

/// A switch with its distributor. The same four methods; [`Output::Acd`] never comes out.
#[derive(Debug)]
pub struct Local {
    switch: Switch,
    engine: Engine,
    outputs: VecDeque<Output>,
    /// What the contracts need, and when that was worked out: Erlang's sums are not for every look.
    feasibility: Cell<Option<(Instant, Option<FeasibilityView>)>>,
}

/// How long a worked-out feasibility is shown.
const FEASIBLE_FOR: Duration = Duration::from_secs(5);

impl Local {
    /// Both, for `settings`.
    pub fn new(settings: Settings, seed: Seed, first: CallKey, wall: WallClock) -> Self {
        let mut rng = base::Rng::new(seed);
        let engine = Engine::new(settings.acd.clone(), rng.next_seed());
        let switch = Switch::new(settings, rng.next_seed(), first, wall);
        Local { switch, engine, outputs: VecDeque::new(), feasibility: Cell::new(None) }
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

    /// See [`Switch::sabotage`].
    #[cfg(debug_assertions)]
    pub fn sabotage(&mut self, call: CallKey, after: bool) -> bool {
        self.switch.sabotage(call, after)
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
        let mut truth_asked = false;
        loop {
            if let Some(output) = self.engine.poll_output() {
                truth_asked |= output == acd::Output::AskTruth;
                self.switch.handle(now, Input::Acd(output));
            } else if let Some(output) = self.switch.poll_output() {
                match output {
                    Output::Acd(input) => self.engine.handle(now, input),
                    other => self.outputs.push_back(other),
                }
            } else if core::mem::take(&mut truth_asked) {
                // Only now: nothing is on its way between the two, so what differs is wrong.
                self.engine.handle(now, acd::Input::Truth(Box::new(self.switch.truth())));
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
        snapshot.feasibility = self.feasibility(now);
        let promises = self.engine.callback_counts();
        for (label, value) in [
            ("promised", promises.promised),
            ("refused", promises.refused),
            ("dialled", promises.dialled),
            ("reached", promises.reached),
            ("kept", promises.kept),
            ("called-again", promises.called_again),
            ("not-reached", promises.not_reached),
            ("cancelled", promises.cancelled),
            ("overdue", promises.overdue),
        ] {
            snapshot.counters.push(Counter { name: "callbacks", label: label.to_owned(), value });
        }
        let counters = self.engine.counters();
        for (name, value) in [
            ("stuck", counters.stuck),
            ("ledger_violations", counters.violations),
            ("presented", counters.presented),
            ("presentations_unanswered", counters.no_answer),
            ("presentations_declined", counters.declined),
            ("ways_out_offered", counters.ways_out),
            ("held_back", counters.held_back),
            ("occupancy_rests", counters.rests),
            ("distributor_limited", counters.limited),
            ("distributor_ignored", counters.ignored),
        ] {
            snapshot.counters.push(Counter { name, label: String::new(), value });
        }
        let tiers = (0u8..).map(base::TierKey).zip(&settings.tiers);
        snapshot.tiers = tiers.map(|(key, tier)| self.tier_view(now, key, tier)).collect();
        snapshot
    }

    fn feasibility(&self, now: Instant) -> Option<FeasibilityView> {
        if let Some((at, view)) = self.feasibility.get()
            && now.since(at) < FEASIBLE_FOR
        {
            return view;
        }
        let view = self.engine.feasibility(now, None).map(|found| FeasibilityView {
            on_duty: found.on_duty,
            for_targets: found.for_targets,
            for_floors: found.for_floors,
            calls_per_hour: found.calls_per_s * 3_600.0,
            reachable: found.answer_rate,
        });
        self.feasibility.set(Some((now, view)));
        view
    }

    fn queue_view(&self, now: Instant, queue: &crate::settings::Queue) -> QueueView {
        let stats = self.engine.queue_stats(now, queue.key).unwrap_or_default();
        QueueView {
            name: queue.name.clone(),
            waiting: usize::try_from(stats.counts.waiting).unwrap_or(usize::MAX),
            longest_wait_ms: u64::try_from(stats.longest_wait.as_millis()).unwrap_or(u64::MAX),
            agents_ready: stats.agents_ready,
            agents_logged_in: stats.agents_logged_in,
            agents_on_duty: stats.agents_on_duty,
            overload: self.engine.overload(queue.key).unwrap_or(0),
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
            floor: settings.acd.tiers.get(key.index()).map_or(0.0, |contract| contract.floor),
            offered: stats.counts.offered,
            answered: stats.counts.answered,
            abandoned: stats.counts.abandoned,
            deflected: stats.counts.deflected,
            overflowed: stats.counts.overflowed,
            waiting: stats.counts.waiting,
            called_back: stats.counts.called_back,
            moved: stats.counts.moved_in.cast_signed().saturating_sub(stats.counts.moved_out.cast_signed()),
            control: stats.debts.map(|debts| control(&debts, stats.band)),
            wait_error: wait_error(&stats.wait_error),
            waits_ms: stats.waits.pairs().collect(),
            wait_ms_sum: stats.waits.sum_ms,
            expected_wait_ms: expected.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

fn control(debts: &acd::Debts, band: Option<acd::Band>) -> Control {
    Control {
        floor_debt: debts.floor,
        target_debt: debts.target,
        in_time_debt: debts.in_time,
        reserve: debts.reserve,
        band: match band {
            None | Some(acd::Band::Calm) => 0,
            Some(acd::Band::InTime) => 1,
            Some(acd::Band::Target) => 2,
            Some(acd::Band::Floor) => 3,
        },
    }
}

const fn wait_error(error: &acd::WaitError) -> WaitErrorView {
    let acd::WaitError { calls, mean_abs_s, bias_s, told, told_right } = *error;
    WaitErrorView { calls, mean_abs_s, bias_s, told, told_right }
}
