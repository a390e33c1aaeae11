//! The main job, step by step, in a simulated world: a carrier's call is greeted by value, queued,
//! answered by the right agent, talked, surveyed and accounted for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base::Duration;
use call::record::{CallRecord, Outcome};
use sim::house::phone_address;
use sim::{LineState, Manner, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A world with one gold customer and these ready agents.
fn hotline(agents: usize) -> World {
    let mut world = World::new(7, agents);
    world.know("13800138000", "gold", "en", false);
    world.agents_ready(agents);
    world
}

fn has(record: &CallRecord, word: &str) -> bool {
    World::story(record).iter().any(|step| step.starts_with(word))
}

/// Calls 10000 and presses 0 for a person.
fn wants_a_person(world: &mut World) -> sim::world::Handle {
    let caller = world.call("013800138000", "10000");
    assert!(world.run_until(s(5), |w| w.line(caller) == Some(LineState::Up)), "the switch answers");
    world.run(s(3));
    world.press('0');
    caller
}

fn is_talking(world: &World) -> bool {
    world.local.snapshot(world.now).calls.iter().any(|call| call.phase == "talking")
}

#[test]
fn the_story_runs_from_greeting_to_survey() {
    let mut world = hotline(2);
    let caller = wants_a_person(&mut world);
    assert!(world.run_until(s(30), is_talking), "an agent and the caller are joined");
    let legs: Vec<_> = world.voices.legs.keys().copied().collect();
    assert_eq!(legs.len(), 2);
    assert!(world.voices.joined(legs[0], legs[1]));
    world.run(s(20));
    let agent = (0..2).filter_map(|agent| world.agent_line(agent)).next().expect("an agent's line");
    world.hang_up(agent);
    world.run(s(2));
    assert_eq!(world.line(caller), Some(LineState::Up), "the caller is led to the survey");
    world.press('5');
    assert!(world.run_until(s(20), |w| w.line(caller) == Some(LineState::Over(0))), "goodbye");
    world.rest();
    let [record] = &world.records[..] else { panic!("one record: {:?}", world.records) };
    println!("{:#?}", World::story(record));
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(
        (record.tier_name.as_str(), record.survey, record.source.as_str()),
        ("gold", Some(5), "carrier")
    );
    assert!((20_000..21_000).contains(&record.talk_ms), "{}", record.talk_ms);
    assert!(record.agent.is_some() && record.queue.as_deref() == Some("vip"));
    for word in [
        "offered",
        "identified gold",
        "answered",
        "flow",
        "key",
        "queued vip",
        "presented",
        "agent-answered",
        "bridged",
        "hung-up agent",
        "surveyed",
        "ended done",
    ] {
        assert!(has(record, word), "{word} in {:#?}", World::story(record));
    }
}

#[test]
fn a_caller_may_hang_up_at_any_moment_and_nothing_is_left() {
    for tenths in (0..400).step_by(7) {
        let mut world = hotline(1);
        let caller = world.call("013800138000", "10000");
        world.run(Duration::from_millis(200 * tenths.min(15)));
        if tenths > 15 {
            world.press('0');
            world.run(Duration::from_millis(100 * (tenths - 15)));
        }
        world.hang_up(caller);
        world.rest();
        assert_eq!(world.records.len(), 1, "one record at {tenths}");
    }
}

#[test]
fn an_agent_who_lets_it_ring_is_withdrawn_and_the_place_is_kept() {
    let mut world = hotline(3);
    for agent in 0..3 {
        world.with_phone(phone_address(agent), |phone, _| phone.manner = Manner::Ring);
    }
    let caller = wants_a_person(&mut world);
    let rang = |world: &World| (0..3).filter(|agent| world.agent_line(*agent).is_some()).count();
    world.run(s(10));
    assert_eq!(rang(&world), 1);
    world.run(s(15));
    assert_eq!(rang(&world), 2, "after three rings another one");
    world.run(s(15));
    assert_eq!(rang(&world), 3);
    for agent in 0..3 {
        world.with_phone(phone_address(agent), |phone, _| phone.manner = Manner::Answer(s(1)));
        world.agent_ready(agent);
    }
    assert!(world.run_until(s(60), is_talking), "at last");
    world.hang_up(caller);
    world.rest();
    let record = &world.records[0];
    assert_eq!(record.outcome, Outcome::Answered);
    assert!(record.wait_ms > 44_000, "{}", record.wait_ms);
    assert_eq!(World::story(record).iter().filter(|step| step.starts_with("withdrawn")).count(), 3);
}

#[test]
fn every_phone_of_an_agent_rings_and_the_first_wins() {
    let mut world = hotline(1);
    let second = "10.1.9.9:5070".parse().unwrap();
    let rng = base::Rng::new(base::Seed([3, 3]));
    let mut phone = sim::Phone::new("1001", second, sim::house::SWITCH, Some("secret-1001"), rng);
    phone.manner = Manner::Ring;
    world.phones.insert(second, phone);
    world.with_phone(second, |phone, now| phone.register(now, 600));
    let caller = wants_a_person(&mut world);
    assert!(world.run_until(s(30), is_talking));
    world.run(s(1));
    let line = &world.phones[&second].lines[0];
    assert_eq!(line.state, LineState::Over(487));
    assert!(line.reason.as_deref().unwrap_or_default().contains("elsewhere"), "{:?}", line.reason);
    world.hang_up(caller);
    world.rest();
}

#[test]
fn hold_gives_music_to_the_held_party_and_resume_joins_again() {
    let mut world = hotline(1);
    let caller = wants_a_person(&mut world);
    assert!(world.run_until(s(30), is_talking));
    let legs: Vec<_> = world.voices.legs.keys().copied().collect();
    let (a, b) = (legs[0], legs[1]);
    for (who, held) in [(world.agent_line(0).unwrap(), a), (caller, b)] {
        world.with_phone(who.0, |phone, now| phone.reoffer(now, who.1, "sendonly"));
        world.run(s(1));
        assert_eq!(world.voices.legs[&held].hears, sim::voices::Hears::Music, "{held} is held");
        assert!(!world.voices.joined(a, b));
        world.with_phone(who.0, |phone, now| phone.reoffer(now, who.1, "sendrecv"));
        world.run(s(1));
        assert!(world.voices.joined(a, b));
    }
    world.hang_up(caller);
    world.rest();
    assert_eq!(World::story(&world.records[0]).iter().filter(|step| step.starts_with("held")).count(), 2);
}

#[test]
fn a_lost_agent_gives_the_caller_his_place_back() {
    let mut world = hotline(2);
    let caller = wants_a_person(&mut world);
    assert!(world.run_until(s(30), is_talking));
    world.run(s(5));
    let second_leg = world.voices.legs.keys().next_back().copied().unwrap();
    let first = world.local.snapshot(world.now).calls[0].agent.clone();
    world.tell(call::Input::Media(media::Event::Silent { leg: second_leg }));
    world.run(s(1));
    assert!(world.run_until(s(30), is_talking), "another agent");
    assert_ne!(world.local.snapshot(world.now).calls[0].agent, first);
    world.hang_up(caller);
    world.rest();
    let record = &world.records[0];
    assert_eq!(record.outcome, Outcome::Answered);
    assert!(has(record, "ended agent no-rtp"), "{:#?}", World::story(record));
}

#[test]
fn who_lost_his_agent_goes_before_those_who_came_after_him() {
    let mut world = hotline(1);
    let first = wants_a_person(&mut world);
    assert!(world.run_until(s(30), is_talking));
    world.run(s(2));
    let second = wants_a_person(&mut world);
    world.run(s(5));
    let agents_leg = world.voices.legs.keys().nth(1).copied().unwrap();
    world.tell(call::Input::Media(media::Event::Silent { leg: agents_leg }));
    assert!(!is_talking(&world));
    assert!(world.run_until(s(60), is_talking));
    let calls = world.local.snapshot(world.now).calls;
    assert_eq!(
        (calls[0].phase, calls[1].phase),
        ("talking", "queued"),
        "the first caller is served first again"
    );
    world.hang_up(first);
    world.hang_up(second);
    world.rest();
}
