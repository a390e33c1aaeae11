//! What the distributor decides reaches the phones and the records: several agents rung at once, an agent asked for
//! again, the caller's language, the reasons kept with the call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use acd::AgentChoice;
use base::Duration;
use call::Settings;
use call::record::Outcome;
use sim::house::phone_address;
use sim::{LineState, Manner, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[expect(clippy::unwrap_used, reason = "without a house there is no test")]
fn settings(agents: usize, change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = sim::house::settings(agents).unwrap();
    change(&mut settings);
    settings
}

fn talking(world: &World) -> usize {
    world.local.snapshot(world.now).calls.iter().filter(|call| call.phase == "talking").count()
}

/// A caller who presses 0 and talks.
fn talk(world: &mut World, number: &str) -> sim::world::Handle {
    let caller = world.call(number, "10000");
    world.run(s(5));
    world.press('0');
    assert!(world.run_until(s(60), |w| talking(w) >= 1), "{:?}", world.line(caller));
    caller
}

#[test]
fn who_is_slower_of_those_rung_together_hears_that_the_call_was_completed_elsewhere() {
    let together = settings(3, |s| {
        s.acd.agent_choice = AgentChoice::RingAll;
        s.acd.ring_together = 3;
    });
    let mut world = World::with(21, together, 3);
    world.agents_ready(3);
    for (agent, after) in [(0, 8), (1, 3), (2, 8)] {
        world.with_phone(phone_address(agent), |phone, _| phone.manner = Manner::Answer(s(after)));
    }
    let caller = talk(&mut world, "13800138000");
    world.run(s(1));
    let line = |world: &World, agent| {
        let handle = world.agent_line(agent).unwrap();
        let line = &world.phones[&handle.0].lines[handle.1];
        (line.state, line.reason.clone().unwrap_or_default())
    };
    assert_eq!(line(&world, 1).0, LineState::Up, "the quickest has the caller");
    for loser in [0, 2] {
        let (state, reason) = line(&world, loser);
        assert!(matches!(state, LineState::Over(_)), "{state:?}");
        assert!(reason.contains("cause=200") && reason.contains("completed elsewhere"), "RFC 3326: {reason}");
    }
    let states: Vec<_> = world.local.snapshot(world.now).agents.iter().map(|agent| agent.state).collect();
    assert_eq!(states, ["ready", "talking", "ready"]);
    world.hang_up(caller);
    world.rest();
    let record = &world.records[0];
    assert_eq!((record.outcome, record.agent.as_deref()), (Outcome::Answered, Some("1002")));
    assert_eq!(World::story(record).iter().filter(|step| step.starts_with("presented")).count(), 3);
}

#[test]
fn all_who_are_rung_together_let_it_ring_and_the_place_is_kept() {
    let together = settings(2, |s| {
        s.acd.agent_choice = AgentChoice::RingAll;
        s.acd.declined.no_answer = acd::Consequence::Rest { reason: 0, time: Duration::from_secs(5) };
    });
    let mut world = World::with(22, together, 2);
    world.agents_ready(2);
    for agent in 0..2 {
        world.with_phone(phone_address(agent), |phone, _| phone.manner = Manner::Ring);
    }
    let caller = world.call("13800138000", "10000");
    world.run(s(5));
    world.press('0');
    world.run(s(30));
    world.with_phone(phone_address(0), |phone, _| phone.manner = Manner::Answer(s(1)));
    assert!(world.run_until(s(60), |w| talking(w) == 1), "he is rung for again");
    world.hang_up(caller);
    world.rest();
    let record = &world.records[0];
    assert_eq!(record.outcome, Outcome::Answered);
    assert!(record.wait_ms > 20_000, "one wait from the beginning: {}", record.wait_ms);
}

#[test]
fn who_calls_again_gets_the_agent_who_knows_his_case() {
    let mut world = World::with(23, settings(6, |s| s.acd.wait_last = Duration::from_secs(10)), 6);
    world.agents_ready(6);
    let first = talk(&mut world, "13800138000");
    let agent = world.local.snapshot(world.now).calls[0].agent.clone();
    world.hang_up(first);
    world.run(s(20));
    let again = talk(&mut world, "13800138000");
    world.hang_up(again);
    world.run(s(20));
    let other = talk(&mut world, "13900000000");
    world.hang_up(other);
    world.rest();
    let agents: Vec<_> = world.records.iter().map(|record| record.agent.clone()).collect();
    assert_eq!((&agents[0], &agents[1]), (&agent, &agent), "the same agent twice");
    assert_ne!(agents[2], agent, "another caller has another one, who has been free longer");
}

#[test]
fn a_record_says_why_the_call_went_to_whom_it_went() {
    let mut world = World::new(24, 2);
    world.know("13800138000", "gold", "en", false);
    world.agents_ready(2);
    let caller = talk(&mut world, "13800138000");
    let live = &world.local.snapshot(world.now).calls[0];
    assert!(!live.decisions.is_empty(), "a live call can be explained, too");
    world.hang_up(caller);
    world.rest();
    let record = &world.records[0];
    let decision = record.decisions.first().expect("one decision at least");
    let agent = record.agent.clone().unwrap_or_default();
    assert_eq!(
        (decision.outcome.as_str(), decision.queue.as_str()),
        (format!("presented to {agent}").as_str(), "vip")
    );
    assert_eq!((decision.policy.as_str(), decision.free), ("debt3", 2));
    let head = &decision.heads[0];
    assert!(head.chosen && head.tier == "gold" && head.call == record.key.to_string(), "{head:?}");
    assert_eq!(decision.others.len(), 1, "the other free agent, and why not he");
    let told = decision.tell(record.key);
    for words in ["presented to", "this call", "band", "free who could take it"] {
        assert!(told.contains(words), "{words} not in\n{told}");
    }
    assert!(!told.contains("13800138000"));
}

#[test]
fn a_call_that_the_distributor_holds_and_nobody_has_is_set_right_and_counted() {
    let mut world = World::with(25, settings(1, |s| s.acd.audit = Some(Duration::from_secs(20))), 1);
    world.agents_ready(1);
    let caller = talk(&mut world, "13800138000");
    world.run(s(60));
    let stuck = |world: &World| {
        let counters = world.local.snapshot(world.now).counters;
        counters.iter().find(|counter| counter.name == "stuck").map(|counter| counter.value)
    };
    assert_eq!((talking(&world), stuck(&world)), (1, Some(0)), "a truth that agrees changes nothing");
    world.hang_up(caller);
    world.rest();
    assert_eq!(stuck(&world), Some(0));
}
