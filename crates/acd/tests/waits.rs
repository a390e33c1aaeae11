//! What a waiting caller is told, and how right it was.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use acd::{Input, Output};
use base::{CallKey, Duration, QueueKey, TierKey};
use common::{World, house, play, s};

fn told(world: &mut World, call: u64) -> acd::Announcement {
    world.engine.handle(world.now, Input::AskWait { call: CallKey(call) });
    let mut told = None;
    while let Some(output) = world.engine.poll_output() {
        if let Output::Wait { announcement, .. } = output {
            told = Some(announcement);
        }
    }
    told.expect("an answer to every question")
}

#[test]
fn a_round_upper_wait_is_told_only_downward_and_not_too_often() {
    let mut config = house(4);
    config.queues[0].handle_time = s(120);
    let mut world = World::new(config);
    world.script("0 ready 1\n0 ready 2\n0 ready 3\n0 ready 4");
    for call in 1..=4u64 {
        world.input(Input::Offer { call: CallKey(call), caller: acd::Caller::new(TierKey(1), QueueKey(0)) });
    }
    world.take_heard();
    for (call, agent) in (1..=4u64).zip(1..=4u32) {
        world.input(Input::Answered { call: CallKey(call), agent: base::AgentKey(agent) });
    }
    for call in 10..16u64 {
        world.input(Input::Offer { call: CallKey(call), caller: acd::Caller::new(TierKey(1), QueueKey(0)) });
    }
    let first = told(&mut world, 15);
    let (within, mean) = (first.within.unwrap(), first.mean.unwrap());
    assert!(within > mean && within.as_secs().is_multiple_of(30), "{first:?}");
    assert_eq!((first.ahead, first.again), (5, s(30)));
    world.run_until(world.now + s(10));
    let soon = told(&mut world, 15);
    assert_eq!((soon.within, soon.again), (None, s(20)), "not yet again");
    // More come before him: the wait is longer now, and that is not told.
    for call in 20..40u64 {
        world.input(Input::Offer { call: CallKey(call), caller: acd::Caller::new(TierKey(0), QueueKey(0)) });
    }
    world.run_until(world.now + s(30));
    let longer = told(&mut world, 15);
    assert!(longer.mean.unwrap() > mean && longer.within.is_none(), "{longer:?}");
    // They leave, and four before him, too: that is told.
    (20..40u64).for_each(|call| world.input(Input::Abandon { call: CallKey(call) }));
    (10..14u64).for_each(|call| world.input(Input::Abandon { call: CallKey(call) }));
    let shorter = told(&mut world, 15);
    assert!(shorter.within.is_some_and(|now| now < within), "{shorter:?}");
}

#[test]
fn short_waits_ringing_and_nobody_on_duty_are_not_worth_a_word() {
    let mut config = house(1);
    config.queues[0].handle_time = s(5);
    let mut world = play(config, "0 call 1 gold");
    let nobody = told(&mut world, 1);
    assert_eq!((nobody.within, nobody.mean), (None, None));
    world.script("1 ready 1\n-> present 1 to 1\n1 call 2 gold");
    assert_eq!(told(&mut world, 1).mean, Some(Duration::ZERO));
    let short = told(&mut world, 2);
    assert!(short.within.is_none() && short.mean.unwrap() < s(20), "{short:?}");
    world.engine.handle(world.now, Input::AskWait { call: CallKey(99) });
    assert_eq!(world.engine.counters().ignored, 1);
}

#[test]
fn the_error_is_measured_and_the_outcome_of_what_was_told() {
    let mut config = house(1);
    config.queues[0].handle_time = s(60);
    let mut world = play(
        config,
        "0 ready 1
         0 call 1 gold
         -> present 1 to 1
         answers 1 1
         1 call 2 gold",
    );
    let mean = told(&mut world, 2).mean.unwrap();
    world.script("31 ends 1 1\n-> present 2 to 1\nanswers 1 2");
    let error = world.engine.tier_stats(TierKey(1)).unwrap().wait_error;
    assert_eq!((error.calls, error.told, error.told_right), (1, 1, 1));
    assert!((error.bias_s - (mean.as_secs_f64() - 30.0)).abs() < 1e-6, "{error:?} {mean:?}");
    assert!((error.mean_abs_s - error.bias_s.abs()).abs() < 1e-9);
}
