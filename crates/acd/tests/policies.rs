//! Each policy is exactly its rule, with many skills and queues, too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{Band, Config, Contract, IndexWeights, Input, Outcome, PolicyKind, Rank};
use base::{AgentKey, CallKey, Duration, Instant, QueueKey, Rng, Seed, SkillKey, TierKey};
use common::{World, agent, house, play, s};

fn by(policy: PolicyKind, agents: u32) -> Config {
    Config { policy, ..house(agents) }
}

#[test]
fn age_offset_is_the_earliest_due_date() {
    // 60, 30, 15 and 0 seconds are added to what diamond, gold, silver and ordinary callers have waited.
    play(
        by(PolicyKind::AgeOffset, 1),
        "0 call 1 ordinary
         14 call 2 silver
         31 call 3 gold
         58 call 4 diamond
         70 ready 1
         -> present 4 to 1
         answers 1 4
         71 ends 1 4
         -> present 2 to 1
         answers 1 2
         72 ends 1 2
         -> present 1 to 1
         answers 1 1
         73 ends 1 1
         -> present 3 to 1",
    );
}

#[test]
fn delay_ratio_is_the_wait_per_allowed_wait() {
    // 10, 15, 30 and 60 seconds.
    play(
        by(PolicyKind::DelayRatio, 1),
        "0 call 1 ordinary
         35 call 2 silver
         47 call 3 gold
         51 call 4 diamond
         60 ready 1
         -> present 1 to 1
         answers 1 1
         60 ends 1 1
         -> present 4 to 1
         answers 1 4
         60 ends 1 4
         -> present 3 to 1
         answers 1 3
         60 ends 1 3
         -> present 2 to 1",
    );
}

#[test]
fn reserve_serves_lower_tiers_only_while_enough_are_free() {
    let mut config = by(PolicyKind::Reserve, 3);
    for (tier, threshold) in config.tiers.iter_mut().zip([0, 1, 1, 2]) {
        tier.idle_threshold = threshold;
    }
    play(
        config,
        "0 ready 1
         1 ready 2
         2 call 1 ordinary
         3 call 2 silver
         # Nobody is served past a higher tier that waits: silver goes first, though ordinary came first.
         -> present 2 to 1
         answers 1 2
         4 call 3 gold
         5 call 4 diamond
         -> present 4 to 2
         answers 2 4
         6 ends 1 2
         7 ready 3
         -> present 3 to 3",
    );
}

fn weights(rows: &[(u8, u16, f64, f64, f64)]) -> Vec<IndexWeights> {
    let row = |&(tier, group, wait, idle, constant)| IndexWeights {
        tier: TierKey(tier),
        group,
        wait,
        idle,
        constant,
    };
    rows.iter().map(row).collect()
}

/// A call waits deliberately for its own group, and goes to the other when its index with them is zero.
#[test]
fn index_keeps_an_agent_idle_until_the_index_is_zero() {
    let mut config = by(PolicyKind::Index, 2);
    config.agents[1].group = 1;
    // Gold: at once with group 0, with group 1 after 20 s of wait and idle time together.
    config.index = weights(&[(1, 0, 1.0, 0.0, 0.0), (1, 1, 1.0, 1.0, -20.0), (3, 1, 0.0, 0.0, 1.0)]);
    let world = play(
        config.clone(),
        "0 ready 2
         5 call 1 gold
         # Waited w and idle 5 + w: 20 seconds at w = 7.5.
         12.500001 -> present 1 to 2
         13 answers 2 1
         14 ready 1
         15 call 2 gold
         -> present 2 to 1
         answers 1 2
         16 ends 2 1
         17 call 3 gold
         # An ordinary call has index 1 with the same agent.
         18 call 4 ordinary
         -> present 4 to 2",
    );
    let kept = world
        .engine
        .decisions()
        .find(|decision| matches!(decision.outcome, Outcome::KeptFree { .. }))
        .unwrap();
    assert_eq!(kept.heads[0].rank, Rank::NotYet { score: -15.0 });
    // The greatest index of all pairs decides: the call goes to the group with which it has the greater.
    config.index = weights(&[(1, 0, 1.0, 0.0, 0.0), (1, 1, 1.0, 0.0, 3.0)]);
    play(config, "0 ready 1\n1 ready 2\n2 call 1 gold\n-> present 1 to 2");
}

/// Who rings for whom, and when, in a house of two queues, three skills and four tiers under a random load.
fn presentations(config: &Config, seed: u64) -> Vec<String> {
    let mut world = World::new(config.clone());
    let mut rng = Rng::new(Seed([seed, 9]));
    let mut all = Vec::new();
    let mut talks: Vec<(Instant, CallKey, AgentKey)> = Vec::new();
    (1..=12).for_each(|n| world.input(Input::Ready { agent: AgentKey(n) }));
    for call in 1..3_000u64 {
        let now = world.now + Duration::from_secs_f64(-10.0 * (1.0 - rng.unit()).ln());
        talks.sort_unstable();
        while talks.first().is_some_and(|&(at, ..)| at <= now) {
            let (at, call, agent) = talks.remove(0);
            world.run_until(at);
            world.input(Input::Ended { call, agent });
            connect(&mut world, &mut talks, &mut all);
            talks.sort_unstable();
        }
        world.run_until(now);
        connect(&mut world, &mut talks, &mut all);
        let mut caller = acd::Caller::new(TierKey(rng.below(4) as u8), QueueKey(rng.below(2) as u16));
        if rng.below(2) == 0 {
            caller.skills = acd::Requirement::skill(SkillKey(rng.below(3) as u16), 1 + rng.below(5) as u8);
        }
        world.input(Input::Offer { call: CallKey(call), caller });
        connect(&mut world, &mut talks, &mut all);
        if rng.below(5) == 0 {
            world.input(Input::Abandon { call: CallKey(1 + rng.below(call)) });
            connect(&mut world, &mut talks, &mut all);
        }
    }
    assert!(all.len() > 1_500, "{}", all.len());
    all
}

fn connect(world: &mut World, talks: &mut Vec<(Instant, CallKey, AgentKey)>, all: &mut Vec<String>) {
    for words in world.take_heard() {
        let parts: Vec<&str> = words.split(' ').collect();
        if let ["present", call, "to", agent] = parts.as_slice() {
            let (call, agent) = (CallKey(call.parse().unwrap()), AgentKey(agent.parse().unwrap()));
            world.input(Input::Answered { call, agent });
            // As long as the call's number says, so that every policy finds the same callers.
            talks.push((world.now + Duration::from_millis(60_000 + call.0 * 7_919 % 120_000), call, agent));
            all.push(format!("{} {words}", world.now));
        }
    }
}

fn skilled(policy: PolicyKind, tiers: Vec<Contract>) -> Config {
    let mut config = Config { policy, tiers, ..house(0) };
    for n in 1..=12u32 {
        let skills: Vec<(u16, u8)> =
            (0..3).filter(|skill| (n >> skill) & 1 == 1).map(|skill| (skill, 5)).collect();
        let queues: &[u16] = match n % 3 {
            0 => &[0],
            1 => &[0, 1],
            _ => &[1],
        };
        config.agents.push(agent(n, queues, &skills));
    }
    config
}

/// Nothing promised, no patience of its own, no reserve: DEBT-3 is strict priority, presentation for presentation.
#[test]
fn debt3_without_promises_is_strict_priority_bit_for_bit() {
    let bare = Contract { reserve_max: 0.0, ..Contract::new(0.0, 0.0, Duration::ZERO) };
    let strict = presentations(&skilled(PolicyKind::Strict, vec![bare; 4]), 1);
    assert!(presentations(&skilled(PolicyKind::Debt3, vec![bare; 4]), 1) == strict);
    let other = presentations(&skilled(PolicyKind::Fcfs, vec![bare; 4]), 1);
    assert!(other != strict, "the load tells policies apart");
}

/// One tier: every policy that keeps nobody idle is first come, first served.
#[test]
fn with_one_tier_all_are_first_come_first_served() {
    let one = vec![Contract::hotline()[1]];
    let first = presentations(&skilled(PolicyKind::Fcfs, one.clone()), 2);
    for policy in [PolicyKind::Strict, PolicyKind::AgeOffset, PolicyKind::DelayRatio] {
        assert!(presentations(&skilled(policy, one.clone()), 2) == first, "{policy:?}");
    }
}

/// The index with the right weights is the age offset, and is the delay ratio.
#[test]
fn index_generalises_the_others() {
    let tiers = Contract::hotline();
    let offsets: Vec<_> = (0..4u8).zip([60.0, 30.0, 15.0, 0.0]).map(|(k, b)| (k, 0, 1.0, 0.0, b)).collect();
    let mut config = skilled(PolicyKind::Index, tiers.clone());
    config.index = weights(&offsets);
    assert!(presentations(&config, 3) == presentations(&skilled(PolicyKind::AgeOffset, tiers.clone()), 3));
    // Powers of two divide without rounding.
    let mut tiers = tiers;
    let ratios = [8u64, 16, 32, 64];
    tiers.iter_mut().zip(ratios).for_each(|(tier, ratio)| tier.delay_ratio = s(ratio));
    let slopes: Vec<_> = (0..4u8).zip(ratios).map(|(k, tau)| (k, 0, 1.0 / tau as f64, 0.0, 0.0)).collect();
    let mut config = skilled(PolicyKind::Index, tiers.clone());
    config.index = weights(&slopes);
    assert!(presentations(&config, 3) == presentations(&skilled(PolicyKind::DelayRatio, tiers), 3));
}

/// What cannot be served by anybody must not stand before others: debts are of a kind of call, not of a tier.
#[test]
fn debt3_a_kind_of_call_that_nobody_can_take_is_in_nobodys_way() {
    let mut world = play(
        by(PolicyKind::Debt3, 1),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1 ends 1 1
         1 call 2 gold
         -> present 2 to 1
         answers 1 2
         2 ends 1 2
         2 call 3 gold
         -> present 3 to 1
         answers 1 3
         3 ends 1 3
         3 call 4 gold
         -> present 4 to 1
         answers 1 4",
    );
    for call in 100..130u64 {
        let skills = acd::Requirement::skill(SkillKey(9), 1);
        let caller = acd::Caller { skills, ..acd::Caller::new(TierKey(1), QueueKey(0)) };
        world.input(Input::Offer { call: CallKey(call), caller });
    }
    // Two silvers came and went: floor owed to silver. The golds who can be served were served: none is owed to them.
    world.script(
        "4 call 5 silver
         4 call 6 silver
         5 abandon 5
         5 abandon 6
         6 call 7 silver
         6 call 8 gold
         7 ends 1 4
         -> present 7 to 1
         answers 1 7
         8 ends 1 7
         -> present 8 to 1",
    );
    let owed: Vec<_> = world.engine.debts().filter(|view| view.tier == TierKey(1)).collect();
    assert_eq!(owed.len(), 2);
    assert!(owed.iter().any(|view| view.debts.floor == 10.0 && view.band == Band::Floor));
    assert_eq!(world.engine.tier_stats(TierKey(1)).unwrap().debts.unwrap().floor, 10.0, "the worst is shown");
}

/// The free agents are kept only for calls that they could take: "idle" counts agents able to serve them.
#[test]
fn debt3_keeps_free_only_who_could_serve_the_higher_tier() {
    let mut config = by(PolicyKind::Debt3, 0);
    config.agents = vec![agent(1, &[0], &[]), agent(2, &[0], &[(9, 5)]), agent(3, &[0], &[(9, 5)])];
    config.tiers[0].reserve_max = 1.0;
    config.tiers[3].floor = 0.0;
    let mut world = World::new(config);
    for call in 100..150u64 {
        let skills = acd::Requirement::skill(SkillKey(9), 1);
        let caller = acd::Caller { skills, ..acd::Caller::new(TierKey(0), QueueKey(0)) };
        world.input(Input::Offer { call: CallKey(call), caller });
        world.input(Input::Abandon { call: CallKey(call) });
    }
    world.script(
        "1 ready 1
         1 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         # The only free agent with the skill is the reserve.
         2 ready 2
         3 call 2 ordinary
         # Two of them: one may help.
         4 ready 3
         -> present 2 to 3
         answers 3 2
         5 call 3 ordinary
         6 call 4 diamond skill=9:1
         -> present 4 to 2",
    );
    let kept = world.engine.explain(CallKey(2)).next().unwrap();
    assert_eq!(kept.outcome, Outcome::KeptFree { agent: AgentKey(2) });
    assert_eq!(kept.heads[0].rank, Rank::Reserve { need: 1, idle: 1 });
}

/// The third debt: who would still be answered in time goes before who would not, below floors and targets.
#[test]
fn debt3_with_a_service_level_prefers_who_can_still_be_in_time() {
    let mut config = by(PolicyKind::Debt3, 1);
    for tier in &mut config.tiers {
        (tier.floor, tier.target, tier.promise) = (0.0, 0.0, s(1_000));
        tier.delay_ratio = s(10);
    }
    config.tiers[2].service_level_target = Some(0.85);
    play(
        config,
        "0 ready 1
         0 call 1 silver
         -> present 1 to 1
         0 call 2 gold
         10 answers 1 1
         20 call 3 silver
         # Silver is owed answers in time: the younger silver goes before the older gold.
         21 ends 1 1
         -> present 3 to 1
         answers 1 3
         22 ends 1 3
         -> present 2 to 1",
    );
}
