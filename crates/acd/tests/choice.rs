//! Which agent: ringing several, the least occupied, fair work, rest for who has worked too much.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{AgentChoice, AgentState, Config, Input, Outcome, WhyNot};
use base::{AgentKey, CallKey, Duration, Instant, QueueKey, Rng, Seed, TierKey};
use common::{World, agent, house, play, s};

fn choosing(agents: u32, choice: AgentChoice) -> Config {
    Config { agent_choice: choice, ..house(agents) }
}

#[test]
fn ring_all_the_first_to_pick_up_wins_and_the_others_stop() {
    let mut config = choosing(4, AgentChoice::RingAll);
    config.ring_together = 3;
    let world = play(
        config,
        "0 ready 1
         1 ready 2
         2 ready 3
         3 ready 4
         4 call 7 gold
         -> present 7 to 1
         -> present 7 to 2
         -> present 7 to 3
         5 picks-up 2 7
         -> withdraw 7 from 1 answered-elsewhere
         -> withdraw 7 from 3 answered-elsewhere
         state 1 ready
         state 3 ready
         # His answer crossed the withdrawal.
         5 picks-up 3 7
         -> withdraw 7 from 3 too-late
         6 answers 2 7
         state 2 talking
         # Who was only rung keeps his turn.
         7 call 8 gold
         -> present 8 to 1
         -> present 8 to 3
         -> present 8 to 4
         8 answers 4 8
         -> withdraw 8 from 1 answered-elsewhere
         -> withdraw 8 from 3 answered-elsewhere",
    );
    let seen = world.engine.explain(CallKey(7)).last().unwrap();
    assert_eq!(seen.outcome, Outcome::Presented { agent: AgentKey(3) });
    assert!(seen.others.iter().all(|other| other.why == WhyNot::RungToo) && seen.others.len() == 2);
}

#[test]
fn ring_all_goes_on_while_somebody_is_rung_and_nobody_suffers_for_letting_it_ring() {
    play(
        choosing(2, AgentChoice::RingAll),
        "0 ready 1
         1 ready 2
         2 call 7 gold
         -> present 7 to 1
         -> present 7 to 2
         3 declines 1 7 rejected
         state 1 rests
         4 abandon 7
         -> withdraw 7 from 2 caller-gone
         20 call 8 gold
         -> present 8 to 2
         -> present 8 to 1
         35 -> withdraw 8 from 1 no-answer
         35 -> withdraw 8 from 2 no-answer
         35 -> present 8 to 2
         35 -> present 8 to 1
         36 logout 1
         -> withdraw 8 from 1 agent-left
         37 vanishes 2
         -> withdraw 8 from 2 agent-left
         38 registers 2
         -> present 8 to 2",
    );
}

#[test]
fn ring_all_who_becomes_free_joins_in_until_somebody_picks_up() {
    let mut config = choosing(5, AgentChoice::RingAll);
    config.ring_together = 3;
    play(
        config,
        "0 ready 1
         1 call 7 gold
         -> present 7 to 1
         2 ready 2
         -> present 7 to 2
         3 promote 7 silver
         # Who let it ring does not join in again.
         4 declines 2 7 no-answer
         5 ready 3
         -> present 7 to 3
         6 ready 4
         -> present 7 to 4
         # Three ring: enough.
         7 ready 5
         state 5 ready
         8 not-ready 5 1
         9 picks-up 4 7
         -> withdraw 7 from 1 answered-elsewhere
         -> withdraw 7 from 3 answered-elsewhere
         10 ready 5
         state 5 ready
         11 answers 4 7
         12 call 8 gold
         -> present 8 to 1
         -> present 8 to 2
         -> present 8 to 3",
    );
}

#[test]
fn the_least_occupied_is_chosen_and_not_the_longest_idle() {
    play(
        choosing(2, AgentChoice::LeastOccupied),
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         # An hour's talk; then the other talks for a minute, and is free for a shorter time.
         3600 ends 1 1
         3600 not-ready 1 1
         3600 ready 2
         3600 call 2 gold
         -> present 2 to 2
         answers 2 2
         3660 ends 2 2
         3661 ready 1
         3700 call 3 gold
         -> present 3 to 2",
    );
}

#[test]
fn who_has_worked_too_much_of_his_time_rests() {
    let mut config = choosing(2, AgentChoice::LongestIdle);
    config.occupancy_window = s(600);
    config.occupancy_max = Some(0.8);
    let mut world = play(
        config,
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1800 ends 1 1
         state 1 rests
         1801 call 2 gold",
    );
    // 1 - e^-3 = 0.95 of his time; below 0.8 after 600 ln(0.95/0.8) s.
    let rest_s = 600.0 * ((1.0 - (-3.0f64).exp()) / 0.8).ln();
    let AgentState::NotReady { until: Some(until), .. } = world.engine.agent(AgentKey(1)).unwrap().state
    else {
        panic!("he does not rest")
    };
    assert!((until.since(Instant::from_secs(1800)).as_secs_f64() - rest_s).abs() < 1e-6);
    assert_eq!(world.engine.counters().rests, 1);
    world.run_until(until);
    assert!(matches!(world.engine.agent(AgentKey(1)).unwrap().state, AgentState::Reserved { .. }));
}

#[test]
fn an_agents_own_cap_goes_before_the_houses() {
    let mut config = choosing(1, AgentChoice::LongestIdle);
    config.occupancy_window = s(600);
    config.occupancy_max = Some(0.5);
    config.agents[0].occupancy_max = Some(1.0);
    play(
        config,
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1800 ends 1 1
         state 1 ready",
    );
}

/// Fair work: in a group of equals everybody works the same share of his time, within a few points.
#[test]
fn equals_work_alike() {
    for choice in [AgentChoice::LongestIdle, AgentChoice::FewestOtherSkills, AgentChoice::LeastOccupied] {
        let mut world = World::new(choosing(8, choice));
        (1..=8).for_each(|n| world.input(Input::Ready { agent: AgentKey(n) }));
        let (mut rng, mut talks) = (Rng::new(Seed([3, 4])), Rng::new(Seed([5, 6])));
        let mut work = [Duration::ZERO; 9];
        let mut ends: Vec<(Instant, CallKey, AgentKey)> = Vec::new();
        let mut answer = |world: &mut World, ends: &mut Vec<(Instant, CallKey, AgentKey)>| {
            for words in world.take_heard() {
                let mut words = words.split(' ');
                if let (Some("present"), Some(call), Some(agent)) = (words.next(), words.next(), words.nth(1))
                {
                    let (call, agent) = (CallKey(call.parse().unwrap()), AgentKey(agent.parse().unwrap()));
                    world.input(Input::Answered { call, agent });
                    let talk = Duration::from_secs_f64(180.0 * (0.2 + 1.6 * talks.unit()));
                    work[agent.0 as usize] += talk;
                    ends.push((world.now + talk, call, agent));
                }
            }
        };
        for call in 1..4_000u64 {
            let now = world.now + Duration::from_secs_f64(-40.0 * (1.0 - rng.unit()).ln());
            ends.sort_unstable();
            while ends.first().is_some_and(|&(at, ..)| at <= now) {
                let (at, call, agent) = ends.remove(0);
                world.run_until(at);
                world.input(Input::Ended { call, agent });
                answer(&mut world, &mut ends);
                ends.sort_unstable();
            }
            world.run_until(now);
            world.input(Input::Offer {
                call: CallKey(call),
                caller: acd::Caller::new(TierKey(1), QueueKey(0)),
            });
            answer(&mut world, &mut ends);
        }
        let (least, most) = (work[1..].iter().min().unwrap(), work[1..].iter().max().unwrap());
        assert!(most.as_secs_f64() < 1.12 * least.as_secs_f64(), "{choice:?}: {work:?}");
    }
}

#[test]
fn the_best_of_many_kinds_is_found_when_hundreds_are_free() {
    // Two hundred kinds of agents, each with a skill of its own besides the one asked for.
    let mut config = choosing(0, AgentChoice::FewestOtherSkills);
    config.agents = (1..=200).map(|n| agent(n, &[0], &[(0, 5), (n as u16, 5)])).collect();
    config.agents[149].skills.truncate(1);
    let mut world = World::new(config.clone());
    (1..=200).for_each(|n| world.input(Input::Ready { agent: AgentKey(n) }));
    world.script("1 call 1 gold skill=0:5\n-> present 1 to 150\n1 call 2 gold skill=0:5\n-> present 2 to 1");
    config.agent_choice = AgentChoice::SkillLevel;
    config.agents[99].skills[0].1 = 9;
    let mut world = World::new(config.clone());
    (1..=200).for_each(|n| world.input(Input::Ready { agent: AgentKey(n) }));
    world.script("1 call 1 gold skill=0:5\n-> present 1 to 100");
    // Who has been free longest, of all kinds.
    config.agent_choice = AgentChoice::LongestIdle;
    let mut world = World::new(config);
    for n in (1..=200u32).rev() {
        world.run_until(Instant::from_secs(u64::from(300 - n)));
        world.input(Input::Ready { agent: AgentKey(n) });
    }
    world.script(
        "400 call 1 gold skill=0:5\n-> present 1 to 200\n400 call 2 gold skill=7:5\n-> present 2 to 7",
    );
}
