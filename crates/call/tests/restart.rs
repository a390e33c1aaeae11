//! The switch is gone and comes back: what it takes up, and what it does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base::{AgentKey, CallKey, Duration, Seed, UnixMillis, WallClock};
use call::Local;
use call::admin::AgentChange;
use sim::World;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A new process in the place of the old one.
fn restart(world: &mut World, agents: usize) {
    let settings = sim::house::settings(agents).expect("the hotline's flows are good");
    let first = CallKey::first(1_795_300_900_000);
    world.local =
        Local::new(settings, Seed([7, 7]), first, WallClock { epoch: UnixMillis(1_795_300_000_000) });
}

#[test]
fn a_registered_agent_on_duty_is_rung_without_registering_again() {
    let mut world = World::new(5, 2);
    world.agents_ready(2);
    let known: Vec<_> = (0..2)
        .map(|agent| {
            let (number, contacts) = world.local.switch().contacts_of(AgentKey(agent));
            (number.to_owned(), contacts.to_vec())
        })
        .collect();
    assert!(known.iter().all(|(_, contacts)| contacts.len() == 1));
    restart(&mut world, 2);
    let now = world.now;
    // The second agent was not ready; the first one's phone is rung.
    world.local.restore(now, &known[0].0, known[0].1.clone(), Some(AgentChange::Ready));
    world.local.restore(now, &known[1].0, known[1].1.clone(), Some(AgentChange::NotReady { reason: 3 }));
    world.local.restore(now, "7777", known[0].1.clone(), None);
    let states: Vec<_> =
        world.local.snapshot(now).agents.iter().map(|agent| (agent.state, agent.contacts)).collect();
    assert_eq!(states, [("ready", 1), ("not-ready", 1)]);
    let caller = world.call("13800138000", "10000");
    world.run(s(5));
    world.press('0');
    let talks = |w: &World| w.local.snapshot(w.now).calls.iter().any(|call| call.phase == "talking");
    assert!(world.run_until(s(60), talks), "the caller reaches the agent");
    world.hang_up(caller);
    world.rest();
}

#[test]
fn what_has_expired_meanwhile_is_not_taken_up() {
    let mut world = World::new(5, 1);
    world.agents_ready(1);
    let contacts = world.local.switch().contacts_of(AgentKey(0)).1.to_vec();
    restart(&mut world, 1);
    let late = contacts[0].expires_at;
    world.local.restore(late, "1001", contacts, Some(AgentChange::Ready));
    let agent = &world.local.snapshot(late).agents[0];
    assert_eq!((agent.state, agent.contacts), ("unreachable", 0));
}
