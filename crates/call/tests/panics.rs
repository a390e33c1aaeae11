//! A panic over one call ends that call and nothing else. (Builds with debug assertions only: the
//! trigger does not exist in others.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(debug_assertions)]

use base::{CallKey, Duration};
use call::record::Outcome;
use sim::house::phone_address;
use sim::world::Handle;
use sim::{LineState, Manner, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn phases(world: &World) -> Vec<(CallKey, &'static str)> {
    world.local.snapshot(world.now).calls.iter().map(|call| (call.key, call.phase)).collect()
}

fn count(world: &World, name: &str) -> u64 {
    let counters = world.local.snapshot(world.now).counters;
    counters.iter().filter(|counter| counter.name == name).map(|counter| counter.value).sum()
}

/// A world in which callers are flowing, waiting, being presented and talking: in the order of arrival
/// the first talks, the second rings an agent, the third waits, the fourth listens to the menu.
fn busy() -> (World, Vec<Handle>) {
    let mut world = World::new(5, 2);
    world.agents_ready(2);
    world.with_phone(phone_address(0), |phone, _| phone.manner = Manner::Answer(s(1)));
    world.with_phone(phone_address(1), |phone, _| phone.manner = Manner::Ring);
    let mut callers = Vec::new();
    for number in 0..4 {
        callers.push(world.call("13800138000", "10000"));
        world.run(s(4));
        if number < 3 {
            world.press('0');
            world.run(s(4));
        }
    }
    (world, callers)
}

#[test]
fn whatever_it_is_doing_only_that_call_ends() {
    for after in [false, true] {
        for victim in 0..4 {
            let (mut world, callers) = busy();
            let before = phases(&world);
            assert_eq!(before.len(), 4, "{before:?}");
            let (key, phase) = before[victim];
            world.sabotage(key, after);
            world.hang_up(callers[victim]);
            world.run(s(1));
            let others: Vec<_> =
                before.iter().filter(|(call, _)| *call != key).map(|(call, _)| *call).collect();
            let left: Vec<_> = phases(&world).iter().map(|(call, _)| *call).collect();
            assert_eq!(left, others, "{phase}: the others go on");
            assert_eq!(world.records.len(), 1, "{phase}");
            if !after {
                assert_eq!(world.records[0].outcome, Outcome::Failed);
                assert_eq!(World::story(&world.records[0]).last().map(String::as_str), Some("ended panic"));
                assert_eq!(count(&world, "panics"), 1);
            }
            for caller in callers {
                world.hang_up(caller);
            }
            world.run(s(60));
            world.rest();
            assert!(!world.given_up);
        }
    }
}

#[test]
fn a_caller_whose_call_panics_hears_bye_and_his_agent_is_free_again() {
    let (mut world, callers) = busy();
    let (key, _) = phases(&world)[0];
    world.sabotage(key, false);
    let agent = world.agent_line(0).unwrap();
    // A hold, over which the switch stumbles.
    world.with_phone(phone_address(0), |phone, now| phone.reoffer(now, agent.1, "sendonly"));
    world.run(s(1));
    assert_eq!(world.line(callers[0]), Some(LineState::Over(0)), "BYE to the caller");
    assert_eq!(world.line(agent), Some(LineState::Over(0)), "BYE to the agent");
    assert_eq!(world.local.snapshot(world.now).agents[0].state, "wrap-up");
}

#[test]
fn too_many_in_a_row_and_the_switch_gives_up() {
    let mut world = World::new(6, 1);
    world.agents_ready(1);
    for number in 0..10 {
        assert!(!world.given_up, "after {number}");
        let caller = world.call("13800138000", "10000");
        world.run(s(2));
        world.sabotage(phases(&world)[0].0, false);
        world.hang_up(caller);
        world.run(s(1));
    }
    assert!(world.given_up);
    world.rest();
}
