//! A hundred thousand random events, sane and mad, audited after each; and the same run twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use acd::{
    AgentChoice, AgentState, Caller, Class, Config, Decline, Deflection, Engine, IndexWeights, Input, Ladder,
    Output, Overflow, OverflowTarget, PolicyKind, Promise, Relax, Relaxation, Requirement,
};
use base::{
    AgentKey, CallKey, CallbackKey, CustomerKey, Duration, Instant, QueueKey, Rng, Seed, SkillKey, TierKey,
};
use common::{agent, house, s};

const AGENTS: u64 = 24;

/// Three queues, three skills, wrap-up, overflow, relaxation; managers; every policy's reserve in play.
fn busy_house(policy: PolicyKind, rng: &mut Rng) -> Config {
    let mut config = house(0);
    config.policy = policy;
    for key in 1..=AGENTS {
        let queues: Vec<u16> = (0..3).filter(|_| rng.below(3) > 0).collect();
        let mut skills: Vec<(u16, u8)> = (0..3).map(|skill| (skill, rng.below(20) as u8)).collect();
        skills.retain(|(_, level)| (1..=10).contains(level));
        config.agents.push(agent(key as u32, &queues, &skills));
    }
    for tier in &mut config.tiers[..2] {
        tier.reserve_max = 2.5;
    }
    config.queues[0].wrap_up = s(5);
    config.queues[0].relax = vec![
        Relaxation { after: s(5), change: Relax::LowerLevels(3) },
        Relaxation { after: s(10), change: Relax::Borrow(QueueKey(2)) },
        Relaxation { after: s(20), change: Relax::DropSkills },
    ];
    config.queues[0].overflow = Overflow {
        time: Some((s(60), OverflowTarget::Queue(QueueKey(1)))),
        length: Some((20, OverflowTarget::Flow("full".into()))),
        no_agents: Some((s(10), OverflowTarget::Queue(QueueKey(1)))),
    };
    config.queues[1].overflow.time = Some((s(90), OverflowTarget::Queue(QueueKey(0))));
    config.queues[2].overflow.time = Some((s(50), OverflowTarget::Hangup));
    config.senior_head_start = s(3);
    config.agent_choice = AgentChoice::ALL[rng.below(AgentChoice::ALL.len() as u64) as usize];
    config.ring_together = 3;
    (config.occupancy_window, config.occupancy_max) = (s(120), Some(0.95));
    config.ladder = (rng.below(3) > 0).then(|| Ladder { cap: 3, dwell: s(5), ..Ladder::default() });
    config.queues[1].reinforce = vec![QueueKey(0)];
    config.callbacks.retry = s(20);
    config.callbacks.dial_max = s(15);
    config.audit = Some(s(60));
    config.index = (0..4)
        .map(|tier| IndexWeights {
            tier: TierKey(tier),
            group: 0,
            wait: 1.0,
            idle: 0.5,
            constant: f64::from(tier) * -3.0,
        })
        .collect();
    config.limits.signatures_max = 40;
    config
}

/// What a driver knows: who is rung, who talks. It holds the engine to one call per agent and one agent per call.
#[derive(Default)]
struct Driver {
    waiting: BTreeSet<u64>,
    rung: BTreeMap<u64, u64>,
    talking: BTreeMap<u64, u64>,
    dialling: BTreeSet<u64>,
    promises: u64,
    trace: u64,
    presented: u64,
    dialled: u64,
}

impl Driver {
    fn hear(&mut self, engine: &mut Engine) {
        while let Some(output) = engine.poll_output() {
            for byte in format!("{output:?}").bytes() {
                self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            match output {
                Output::Present { call, agent, .. } => {
                    let agent = u64::from(agent.0);
                    assert!(self.waiting.contains(&call.0), "{call} was not waiting");
                    let others = self.rung.values().filter(|rung| **rung == call.0).count();
                    let together = engine.config().agent_choice == AgentChoice::RingAll;
                    assert!(others == 0 || (together && others < 3), "{call} has two agents");
                    assert!(!self.talking.contains_key(&agent), "{agent} is talking");
                    assert_eq!(self.rung.insert(agent, call.0), None, "{agent} has two calls");
                    self.presented += 1;
                }
                Output::Withdraw { call, agent, .. }
                    if self.rung.get(&u64::from(agent.0)) == Some(&call.0) =>
                {
                    self.rung.remove(&u64::from(agent.0));
                }
                Output::Overflow { to: OverflowTarget::Queue(_), .. } => {}
                Output::Overflow { call, .. } => assert!(self.waiting.remove(&call.0) || call.0 == 0),
                Output::DialBack { callback, .. } => {
                    assert!(self.dialling.insert(callback.0));
                    self.dialled += 1;
                    let free = engine.agents().filter(|view| view.state == AgentState::Ready).count();
                    // What was said in one breath with others may be overtaken; never by more than all agents.
                    assert!(
                        self.dialling.len() <= free.max(AGENTS as usize / 2),
                        "{} dialled",
                        self.dialling.len()
                    );
                }
                Output::StopDial { callback } => {
                    self.dialling.remove(&callback.0);
                }
                _ => {}
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of event")]
    fn input(&mut self, rng: &mut Rng, next_call: &mut u64, now: Instant, calm: bool) -> Input {
        let agent = AgentKey(rng.below(AGENTS + 1) as u32 + 1);
        let pick = |set: &BTreeMap<u64, u64>, rng: &mut Rng| {
            set.iter().nth(rng.below(set.len() as u64) as usize).map(|(&agent, &call)| (agent as u32, call))
        };
        let waiting = self.waiting.iter().nth(rng.below(self.waiting.len() as u64) as usize).copied();
        let stray = CallKey(rng.below(*next_call + 3));
        let dialled = self.dialling.iter().next().copied().map(CallbackKey);
        match rng.below(110) {
            // In calm hours callers leave and agents come: there is time for callbacks.
            0..25 if calm => match waiting {
                Some(call) => {
                    self.waiting.remove(&call);
                    Input::Abandon { call: CallKey(call) }
                }
                None => Input::Ready { agent },
            },
            0..25 => {
                *next_call += 1;
                self.waiting.insert(*next_call);
                Input::Offer { call: CallKey(*next_call), caller: caller(rng, now) }
            }
            25..40 => match pick(&self.rung, rng) {
                Some((agent, call)) => {
                    // Whoever is rung, too, is withdrawn.
                    self.rung.remove(&u64::from(agent));
                    self.waiting.remove(&call);
                    self.talking.insert(u64::from(agent), call);
                    Input::Answered { call: CallKey(call), agent: AgentKey(agent) }
                }
                None => Input::Answered { call: stray, agent: AgentKey(99) },
            },
            40..55 => match pick(&self.talking, rng) {
                Some((agent, call)) => {
                    self.talking.remove(&u64::from(agent));
                    Input::Ended { call: CallKey(call), agent: AgentKey(agent) }
                }
                None => Input::Ended { call: CallKey(u64::MAX), agent },
            },
            55..60 => match pick(&self.rung, rng) {
                Some((agent, call)) => {
                    self.rung.remove(&u64::from(agent));
                    let why = [
                        Decline::NoAnswer,
                        Decline::Busy,
                        Decline::Rejected,
                        Decline::Unreachable,
                        Decline::Shortage,
                    ];
                    Input::Declined {
                        call: CallKey(call),
                        agent: AgentKey(agent),
                        why: why[rng.below(5) as usize],
                    }
                }
                None => Input::Declined { call: stray, agent: AgentKey(99), why: Decline::Busy },
            },
            60..63 => match pick(&self.rung, rng) {
                Some((agent, call)) => Input::PickedUp { call: CallKey(call), agent: AgentKey(agent) },
                None => Input::EndWrapUp { agent },
            },
            63..70 => match waiting {
                Some(call) => {
                    self.waiting.remove(&call);
                    let call = CallKey(call);
                    if rng.below(4) == 0 {
                        Input::Deflect { call, how: Deflection::Callback }
                    } else {
                        Input::Abandon { call }
                    }
                }
                None => Input::Abandon { call: CallKey(u64::MAX) },
            },
            70..73 => Input::Promote {
                call: CallKey(waiting.unwrap_or(u64::MAX)),
                tier: TierKey(rng.below(6) as u8),
                class: Class::Normal,
            },
            73..83 => Input::Ready { agent },
            83..86 => Input::NotReady { agent, reason: rng.below(10) as u8 },
            86..88 => Input::Logout { agent },
            88..89 => Input::Login { agent },
            89..95 => Input::Reachable { agent, reachable: rng.below(5) > 0 },
            100..103 => {
                self.promises += 1;
                let who = CustomerKey(rng.below(40));
                let (tier, queue) = (TierKey(rng.below(4) as u8), QueueKey(rng.below(3) as u16));
                let mut promise =
                    Promise::new(who, tier, queue, Instant::from_nanos(rng.below(now.as_nanos() + 2)));
                promise.not_before = (rng.below(3) == 0).then(|| now + Duration::from_secs(rng.below(30)));
                Input::Promise { callback: CallbackKey(self.promises), promise: Box::new(promise) }
            }
            103..106 => match dialled {
                Some(callback) => {
                    self.dialling.remove(&callback.0);
                    *next_call += 1;
                    self.waiting.insert(*next_call);
                    Input::DialAnswered { callback, call: CallKey(*next_call) }
                }
                None => Input::DialAnswered { callback: CallbackKey(u64::MAX), call: CallKey(0) },
            },
            106..108 => match dialled {
                Some(callback) => {
                    self.dialling.remove(&callback.0);
                    Input::DialFailed { callback }
                }
                None => Input::CancelCallback { callback: CallbackKey(rng.below(self.promises + 1)) },
            },
            108..110 => Input::AskWait { call: CallKey(waiting.unwrap_or(0)) },
            95..98 => Input::Engaged { agent, engaged: rng.below(3) == 0 },
            _ => Input::EndWrapUp { agent },
        }
    }
}

fn caller(rng: &mut Rng, now: Instant) -> Caller {
    let agent = |rng: &mut Rng| (rng.below(8) == 0).then(|| AgentKey(rng.below(AGENTS + 2) as u32 + 1));
    let mut caller = Caller::new(TierKey(rng.below(4) as u8), QueueKey(rng.below(3) as u16));
    if rng.below(3) == 0 {
        caller.skills = Requirement::skill(SkillKey(rng.below(3) as u16), rng.below(8) as u8 + 1);
    }
    if rng.below(4) == 0 {
        let other = Requirement::skill(SkillKey(rng.below(3) as u16), 1);
        caller.skills = caller.skills.or(&other).unwrap();
    }
    caller.class = [Class::Normal, Class::Normal, Class::Complaint, Class::Emergency][rng.below(4) as usize];
    caller.senior = rng.below(5) == 0;
    caller.managers = [agent(rng), agent(rng)];
    caller.last_agent = agent(rng);
    caller.customer = (rng.below(10) == 0).then(|| CustomerKey(rng.below(40)));
    caller.since = (rng.below(10) == 0).then(|| Instant::from_nanos(rng.below(now.as_nanos() + 2)));
    caller
}

/// What was put in, and when; `None`: time passed.
type Journal = Vec<(Instant, Option<Input>)>;

fn run(policy: PolicyKind, seed: u64, events: u32) -> (u64, u64, Journal) {
    let mut rng = Rng::new(Seed([seed, 7]));
    let mut engine = Engine::new(busy_house(policy, &mut rng), Seed([seed, 8]));
    let (mut driver, mut now, mut next_call) = (Driver::default(), Instant::ZERO, 0);
    let mut journal = Journal::new();
    for event in 0..events {
        let until = now + Duration::from_millis(rng.below(2_000));
        while let Some((at, _)) = engine.poll_timeout().filter(|(at, _)| *at <= until) {
            now = at.max(now);
            journal.push((now, None));
            engine.handle_timeout(now);
            driver.hear(&mut engine);
            engine
                .check_invariants()
                .unwrap_or_else(|bad| panic!("event {event}, deadline at {at}: {bad:?}"));
        }
        now = until;
        let input = if event % 5_000 == 4_999 {
            Input::Configure(Box::new(busy_house(policy, &mut rng)))
        } else {
            driver.input(&mut rng, &mut next_call, now, event / 400 % 2 == 1)
        };
        let shown = format!("{input:?}");
        journal.push((now, Some(input.clone())));
        engine.handle(now, input);
        driver.hear(&mut engine);
        engine.check_invariants().unwrap_or_else(|bad| panic!("event {event}, {shown}: {bad:?}"));
    }
    assert_eq!(engine.counters().violations, 0);
    assert!(driver.dialled > 10, "{policy:?}: only {} dialled", driver.dialled);
    drain(&mut engine, &mut driver, now);
    (driver.trace, driver.presented, journal)
}

/// After the mad time everything comes to rest: callers leave, talks end, and nobody is left in a state.
fn drain(engine: &mut Engine, driver: &mut Driver, mut now: Instant) {
    engine.handle(now, Input::Truth(Box::default()));
    driver.hear(engine);
    assert_eq!(engine.waiting(), 0);
    for callback in engine.callbacks().map(|view| view.callback).collect::<Vec<_>>() {
        engine.handle(now, Input::CancelCallback { callback });
    }
    let mut deadlines = 0;
    while let Some((at, _)) = engine.poll_timeout() {
        deadlines += 1;
        assert!(deadlines < 10_000, "it never comes to rest");
        now = at;
        engine.handle_timeout(now);
        driver.hear(engine);
        engine.check_invariants().unwrap();
    }
    for view in engine.agents() {
        let word = common::state_word(view.state);
        assert!(!["reserved", "talking", "wrap-up", "engaged", "rests"].contains(&word.as_str()), "{view:?}");
    }
}

#[test]
fn invariants_hold_after_each_of_a_hundred_thousand_events() {
    for (seed, &policy) in PolicyKind::ALL.iter().enumerate() {
        let (_, presented, _) = run(policy, seed as u64, 15_000);
        assert!(presented > 1_000, "{policy:?}: only {presented} presentations");
    }
}

#[test]
fn same_seed_and_inputs_same_outputs() {
    let trace = |seed| run(PolicyKind::Debt3, seed, 5_000).0;
    assert_eq!(trace(42), trace(42));
    assert_ne!(trace(42), trace(43));
}

/// The journal of inputs is the state: read again, it gives the same log of decisions, byte for byte.
#[test]
fn the_same_journal_gives_the_identical_decision_log() {
    for &policy in PolicyKind::ALL {
        let (_, _, journal) = run(policy, 77, 4_000);
        let (one, two) = (replay(policy, &journal), replay(policy, &journal));
        assert!(one.len() > 500, "{policy:?}: {}", one.len());
        assert!(one == two, "{policy:?}: the logs differ");
        // And it depends on the journal: without its first callers it is another.
        let mut left_out = 0;
        let mut shorter = journal.clone();
        shorter.retain(|(_, input)| {
            left_out += u32::from(matches!(input, Some(Input::Offer { .. })));
            left_out > 20 || !matches!(input, Some(Input::Offer { .. }))
        });
        assert!(replay(policy, &shorter) != one, "{policy:?}");
    }
}

/// The log of decisions of a new engine that reads the journal.
fn replay(policy: PolicyKind, journal: &Journal) -> Vec<String> {
    let mut rng = Rng::new(Seed([77, 7]));
    let mut engine = Engine::new(busy_house(policy, &mut rng), Seed([77, 8]));
    let mut log = Vec::new();
    for (now, input) in journal {
        match input {
            Some(input) => engine.handle(*now, input.clone()),
            None => engine.handle_timeout(*now),
        }
        while let Some(output) = engine.poll_output() {
            if let Output::Decided(decision) = output {
                log.push(format!("{decision:?}"));
            }
        }
    }
    log
}
