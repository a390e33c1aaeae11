//! The engine in a small simulated call centre, held against Erlang A and the published tables of DEBT-3.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use acd::{Caller, Config, Contract, Engine, Input, Output, PolicyKind};
use base::{AgentKey, CallKey, Duration, Instant, QueueKey, Rng, Seed, TierKey};
use common::house;

const HANDLE_S: f64 = 180.0;
const PATIENCE_S: f64 = 120.0;
/// Shares of the four tiers.
const MIX: [f64; 4] = [0.05, 0.15, 0.30, 0.50];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    GivesUp(u64),
    TalkEnds(u64, u32),
}

struct Centre {
    engine: Engine,
    rng: Rng,
    events: BinaryHeap<Reverse<(Instant, Event)>>,
    arrivals_per_s: f64,
    arrived: u64,
}

impl Centre {
    fn new(config: Config, agents: u32, rho: f64, seed: u64) -> Centre {
        let mut engine = Engine::new(config, Seed([seed, 1]));
        for agent in (1..=agents).map(AgentKey) {
            engine.handle(Instant::ZERO, Input::Reachable { agent, reachable: true });
            engine.handle(Instant::ZERO, Input::Ready { agent });
        }
        let arrivals_per_s = rho * f64::from(agents) / HANDLE_S;
        let mut events = BinaryHeap::new();
        events.push(Reverse((Instant::ZERO, Event::Arrival)));
        Centre { engine, rng: Rng::new(Seed([seed, 2])), events, arrivals_per_s, arrived: 0 }
    }

    fn exponential(&mut self, mean_s: f64) -> Duration {
        Duration::from_secs_f64(-mean_s * (1.0 - self.rng.unit()).ln())
    }

    /// Runs until so many more calls have come.
    fn run(&mut self, calls: u64) {
        let until = self.arrived + calls;
        while self.arrived < until {
            let Some(Reverse((now, event))) = self.events.pop() else { break };
            while self.engine.poll_timeout().is_some_and(|(at, _)| at <= now) {
                let at = self.engine.poll_timeout().map_or(now, |(at, _)| at);
                self.engine.handle_timeout(at);
                self.connect(at);
            }
            match event {
                Event::Arrival => {
                    self.arrived += 1;
                    self.arrive(now, self.arrived);
                }
                Event::GivesUp(call) => self.engine.handle(now, Input::Abandon { call: CallKey(call) }),
                Event::TalkEnds(call, agent) => {
                    self.engine.handle(now, Input::Ended { call: CallKey(call), agent: AgentKey(agent) });
                }
            }
            self.connect(now);
        }
    }

    fn arrive(&mut self, now: Instant, call: u64) {
        let gap = self.exponential(1.0 / self.arrivals_per_s);
        self.events.push(Reverse((now + gap, Event::Arrival)));
        let mut draw = self.rng.unit();
        let tier = MIX.iter().position(|share| {
            draw -= share;
            draw < 0.0
        });
        let patience = self.exponential(PATIENCE_S);
        self.events.push(Reverse((now + patience, Event::GivesUp(call))));
        let caller = Caller::new(TierKey(tier.unwrap_or(3) as u8), QueueKey(0));
        self.engine.handle(now, Input::Offer { call: CallKey(call), caller });
    }

    /// Every agent answers at once.
    fn connect(&mut self, now: Instant) {
        while let Some(output) = self.engine.poll_output() {
            if let Output::Present { call, agent, .. } = output {
                self.engine.handle(now, Input::Answered { call, agent });
                let talk = self.exponential(HANDLE_S);
                self.events.push(Reverse((now + talk, Event::TalkEnds(call.0, agent.0))));
            }
        }
    }

    /// Answered per offered, per tier and in all.
    fn answer_rates(&self) -> ([f64; 4], f64) {
        let counts: Vec<_> =
            (0..4).map(|tier| self.engine.tier_stats(TierKey(tier)).unwrap().counts).collect();
        let rate = |at: usize| counts[at].answer_rate().unwrap();
        let (answered, offered) =
            counts.iter().fold((0, 0), |(a, o), counts| (a + counts.answered, o + counts.offered));
        ([rate(0), rate(1), rate(2), rate(3)], answered as f64 / offered as f64)
    }
}

fn rates(policy: PolicyKind, tiers: Vec<Contract>, agents: u32, rho: f64, calls: u64) -> ([f64; 4], f64) {
    let config = Config { policy, tiers, ..house(agents) };
    let mut centre = Centre::new(config, agents, rho, 11);
    centre.run(calls);
    centre.engine.check_invariants().unwrap();
    centre.answer_rates()
}

fn near(found: f64, wanted: f64, points: f64) {
    assert!(
        (found - wanted).abs() * 100.0 <= points,
        "{:.2} % instead of {:.2} %",
        found * 100.0,
        wanted * 100.0
    );
}

/// Answer rate of M/M/N+M.
fn erlang_a(agents: u32, rho: f64) -> f64 {
    let (mu, theta) = (1.0 / HANDLE_S, 1.0 / PATIENCE_S);
    let lambda = rho * f64::from(agents) * mu;
    let (mut p, mut sum, mut queue, mut n) = (1.0, 1.0, 0.0, 0.0);
    while n < 5_000.0 {
        n += 1.0;
        let ahead: f64 = n - f64::from(agents);
        p *= lambda / (mu * n.min(f64::from(agents)) + theta * ahead.max(0.0));
        sum += p;
        queue += p * ahead.max(0.0);
    }
    1.0 - theta * (queue / sum) / lambda
}

#[test]
fn the_oracle_itself_reproduces_the_table() {
    near(erlang_a(50, 1.2), 0.82469, 0.001);
    near(erlang_a(10, 1.0), 0.86254, 0.001);
}

#[test]
fn total_answer_rate_is_erlang_a_whatever_the_policy() {
    let idling = [PolicyKind::Reserve];
    for &policy in PolicyKind::ALL.iter().filter(|policy| !idling.contains(policy)) {
        for rho in [0.95, 1.2] {
            let (_, all) = rates(policy, Contract::hotline(), 50, rho, 120_000);
            near(all, erlang_a(50, rho), 0.9);
        }
    }
}

#[test]
fn fcfs_treats_all_tiers_alike() {
    let (tiers, all) = rates(PolicyKind::Fcfs, Contract::hotline(), 50, 1.2, 120_000);
    tiers.into_iter().for_each(|tier| near(tier, all, 1.6));
}

#[test]
fn strict_priority_gives_the_published_rates() {
    let (tiers, _) = rates(PolicyKind::Strict, Contract::hotline(), 50, 1.2, 200_000);
    for (found, wanted) in tiers.into_iter().zip([0.973, 0.966, 0.934, 0.701]) {
        near(found, wanted, 1.0);
    }
}

/// DEBT-3 as in its table: rows of load 1.2 and 2.0, with the reserve of 4 and 2 agents.
#[test]
fn debt3_gives_the_published_rates_and_keeps_the_floor() {
    let mut tiers = Contract::hotline();
    (tiers[0].reserve_max, tiers[1].reserve_max) = (4.0, 2.0);
    for (rho, wanted) in [(1.2, [0.974, 0.955, 0.908, 0.719]), (2.0, [0.977, 0.914, 0.672, 0.217])] {
        let (found, _) = rates(PolicyKind::Debt3, tiers.clone(), 50, rho, 800_000);
        for (found, wanted) in found.into_iter().zip(wanted) {
            near(found, wanted, 1.0);
        }
    }
}

/// Nothing promised, no patience of its own, no reserve: DEBT-3 is strict priority, call for call.
#[test]
fn debt3_without_promises_is_strict_priority() {
    let bare = Contract { reserve_max: 0.0, ..Contract::new(0.0, 0.0, Duration::ZERO) };
    let one = rates(PolicyKind::Debt3, vec![bare; 4], 20, 1.3, 20_000);
    let two = rates(PolicyKind::Strict, vec![bare; 4], 20, 1.3, 20_000);
    assert_eq!(one, two);
}

/// What is announced, against what then happens: neither a fairy tale nor an insult.
#[test]
fn the_expected_wait_is_about_right() {
    let config = Config { policy: PolicyKind::Strict, ..house(20) };
    let mut centre = Centre::new(config, 20, 1.2, 5);
    centre.run(5_000);
    let mut told = BTreeMap::new();
    let mut errors: Vec<f64> = Vec::new();
    for call in 1_000_000..1_000_400u64 {
        let now = centre.events.peek().map_or(Instant::ZERO, |Reverse((at, _))| *at);
        let caller = Caller::new(TierKey(2), QueueKey(0));
        centre.engine.handle(now, Input::Offer { call: CallKey(call), caller });
        centre.connect(now);
        told.insert(call, (now, centre.engine.expected_wait(now, CallKey(call)).unwrap_or_default()));
        centre.run(20);
        for view in centre.engine.decisions().filter(|decision| decision.call == Some(CallKey(call))) {
            let (since, wait) = told[&call];
            errors.push(wait.as_secs_f64() - view.at.since(since).as_secs_f64());
        }
    }
    let count = errors.len() as f64;
    let bias_s = errors.iter().sum::<f64>() / count;
    let mean_error_s = errors.iter().map(|error| error.abs()).sum::<f64>() / count;
    assert!(
        count > 200.0 && bias_s.abs() < 10.0 && mean_error_s < 15.0,
        "{count} calls: {bias_s} ± {mean_error_s}"
    );
}
