//! Overload, as scripts: low tiers are shed first, to a promise and never to a dead end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{Config, Input, Ladder, Outcome, OverflowTarget, PolicyKind};
use base::{AgentKey, CallKey, Instant, QueueKey, TierKey};
use common::{World, agent, house, play, s};

fn laddered(agents: u32) -> Config {
    let mut config = house(agents);
    config.policy = PolicyKind::Debt3;
    config.ladder = Some(Ladder::default());
    // Waits are then what callers have waited, and not what is foretold: one agent of ten thousand.
    config.queues[0].handle_time = s(1);
    config
}

#[test]
fn the_ordinary_are_offered_a_callback_when_their_wait_is_long_and_only_once() {
    let mut world = play(
        laddered(1),
        "0 ready 1
         0 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         10 call 2 ordinary
         11 call 3 gold
         12 call 4 ordinary senior
         13 call 5 ordinary emergency
         30.001 -> overload 0 level 1
         30.001 -> way-out 2 callback
         31 call 6 ordinary
         -> way-out 6 callback
         32 call 7 ordinary emergency
         33 call 8 ordinary senior
         34 call 9 silver
         # He chooses; the others stay.
         40 deflect 6
         level 0 1",
    );
    assert_eq!(world.engine.counters().ways_out, 2);
    // It is calm again, but the rung is held for a minute.
    world.script(
        "45 abandon 2\n45 abandon 3\n45 abandon 4\n45 abandon 5\n45 abandon 7\n45 abandon 8\n45 abandon 9",
    );
    world.script("60 level 0 1\n90.001 -> overload 0 level 0\n91 call 10 ordinary");
    let level =
        world.engine.decisions().find(|decision| matches!(decision.outcome, Outcome::Level { .. })).unwrap();
    let told = level.outcome.told(|_| String::new());
    assert!(
        level.tier == Some(TierKey(3))
            && told.starts_with("overload of the queue climbs from level 0 to 1, about to wait"),
        "{told}"
    );
}

#[test]
fn at_the_second_level_silver_too_and_the_ordinary_also_self_service() {
    play(
        laddered(1),
        "0 ready 1
         0 call 1 diamond
         -> present 1 to 1
         answers 1 1
         10 call 2 silver
         11 call 3 ordinary
         31.001 -> overload 0 level 1
         31.001 -> way-out 3 callback
         50.001 -> overload 0 level 2
         50.001 -> way-out 3 callback self-service
         50.001 -> way-out 2 callback
         60 call 4 gold
         60 call 5 diamond",
    );
}

/// The floor of gold is owed: the line of the ordinary is capped, others help, the truth is told.
fn pressed(agents: u32, ladder: Ladder) -> World {
    let mut config = laddered(agents);
    config.ladder = Some(ladder);
    config.tiers[3].callback_above = Some(s(1_000));
    config.tiers[2].callback_above = None;
    config.agents.push(agent(9, &[2], &[]));
    config.queues[0].reinforce = vec![QueueKey(2)];
    let mut world = World::new(config);
    world.script("0 ready 1\n0 call 1 diamond\n-> present 1 to 1\nanswers 1 1");
    // Eight golds came and went, and one waits: 9 x 0.75 owed of the floor, above half of the cap of 10.
    for call in 100..108u64 {
        world.input(Input::Offer { call: CallKey(call), caller: acd::Caller::new(TierKey(1), QueueKey(0)) });
        world.input(Input::Abandon { call: CallKey(call) });
    }
    world.script("0 call 50 ordinary\n0 call 2 gold");
    world
}

#[test]
fn a_floor_in_danger_caps_the_lowest_and_calls_the_reinforcement() {
    let mut world = pressed(1, Ladder { cap: 2, ..Ladder::default() });
    world.script(
        "1 -> overload 0 level 3
         1 -> way-out 50 callback self-service
         1 level 0 3
         2 call 51 ordinary
         -> way-out 51 callback self-service
         # Two ordinary callers wait: the third is pressed to choose, the golds and the diamonds are not.
         3 call 52 ordinary
         -> way-out 52 callback self-service pressing
         4 call 53 gold
         5 ready 9
         -> present 2 to 9",
    );
}

#[test]
fn a_full_line_may_lead_elsewhere() {
    let to = OverflowTarget::Flow("callback".into());
    let mut world = pressed(1, Ladder { cap: 1, cap_to: Some(to), ..Ladder::default() });
    world.script(
        "1 -> overload 0 level 3
         1 -> way-out 50 callback self-service
         3 call 52 ordinary
         -> overflow 52 to flow callback overload
         3 call 53 ordinary senior
         3 call 54 ordinary emergency
         3 call 55 silver",
    );
    let ordinary = world.engine.tier_stats(TierKey(3)).unwrap().counts;
    assert_eq!(ordinary.overflowed, 1);
}

#[test]
fn when_the_floors_cannot_be_kept_the_truth_is_told_and_the_lowest_go_outside() {
    let outside = OverflowTarget::Flow("outsource".into());
    let mut config = laddered(1);
    config.ladder = Some(Ladder { outsource: Some(outside), ..Ladder::default() });
    config.queues[0].handle_time = s(600);
    config.tiers[3].callback_above = Some(s(3_000));
    config.tiers[2].callback_above = None;
    let mut world = World::new(config);
    world.script("0 ready 1\n0 call 1 diamond\n-> present 1 to 1\nanswers 1 1\n0 call 50 ordinary");
    // Sixty golds in a minute for one agent who takes ten minutes for each.
    for call in 100..160u64 {
        world.run_until(Instant::from_secs(call - 99));
        world.input(Input::Offer { call: CallKey(call), caller: acd::Caller::new(TierKey(1), QueueKey(0)) });
    }
    assert_eq!(world.engine.overload(QueueKey(0)), Some(4));
    let view = world.engine.feasibility(world.now, None).unwrap();
    assert!(!view.keeps_floors() && view.on_duty == 1 && view.for_floors > Some(5), "{view:?}");
    let heard = world.take_heard();
    assert!(heard.contains(&"overload 0 level 4".to_owned()), "{heard:?}");
    assert!(heard.contains(&"way-out 50 callback self-service plainly".to_owned()), "{heard:?}");
    assert!(!heard.iter().any(|words| words.starts_with("way-out 1")), "only the ordinary: {heard:?}");
    world.script(
        "61 call 200 ordinary\n-> overflow 200 to flow outsource overload\n61 call 201 ordinary senior",
    );
}

#[test]
fn one_queues_overload_is_not_anothers() {
    let mut config = laddered(0);
    config.agents = vec![agent(1, &[0], &[]), agent(2, &[1], &[])];
    config.queues[1].handle_time = s(1);
    play(
        config,
        "0 ready 1
         0 ready 2
         0 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         0 call 2 ordinary queue=1
         -> present 2 to 2
         answers 2 2
         1 call 3 ordinary
         21.001 -> overload 0 level 1
         21.001 -> way-out 3 callback
         22 call 4 ordinary queue=1
         level 1 0",
    );
}

#[test]
fn a_reload_without_a_ladder_ends_it() {
    let mut world = play(
        laddered(1),
        "0 ready 1
         0 call 1 ordinary
         -> present 1 to 1
         answers 1 1
         1 call 3 ordinary
         21.001 -> overload 0 level 1
         21.001 -> way-out 3 callback",
    );
    world.input(Input::Configure(Box::new(house(1))));
    world.script("-> overload 0 level 0\n22 call 4 ordinary");
    assert_eq!(world.engine.agent(AgentKey(1)).unwrap().answered, 1);
}
