//! Attended transfer: an agent asks somebody and joins him to the caller (RFC 5589 §7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base::Duration;
use call::record::{CallRecord, Outcome};
use sim::house::{CARRIER, phone_address};
use sim::world::Handle;
use sim::{LineState, Manner, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn state(world: &World, agent: usize) -> &'static str {
    world.local.snapshot(world.now).agents[agent].state
}

fn has(record: &CallRecord, word: &str) -> bool {
    World::story(record).iter().any(|step| step.starts_with(word))
}

/// A gold caller who talks to agent 0, who holds him.
fn held() -> (World, Handle, Handle) {
    let mut world = World::new(12, 2);
    world.know("13800138000", "gold", "en", false);
    world.agents_ready(1);
    world.with_phone(phone_address(1), |phone, now| phone.register(now, 3_600));
    let caller = world.call("13800138000", "10000");
    world.run(s(3));
    world.press('0');
    assert!(world.run_until(s(40), |w| w.local.snapshot(w.now).calls.iter().any(|c| c.phase == "talking")));
    world.run(s(1));
    let line = world.agent_line(0).unwrap();
    world.with_phone(line.0, |phone, now| phone.reoffer(now, line.1, "sendonly"));
    world.run(s(1));
    (world, caller, line)
}

/// Joins the caller and whoever agent 0 asked. `from`: the line whose dialog carries the REFER.
fn join(world: &mut World, from: Handle, to: Handle) {
    world.with_phone(from.0, |phone, now| phone.refer_replacing(now, from.1, to.1));
    world.run(s(1));
}

fn notified(world: &World, line: Handle) -> Vec<String> {
    world.phones[&line.0].lines[line.1].notified.clone()
}

fn joined_voices(world: &World) -> bool {
    let legs: Vec<_> = world.voices.legs.keys().copied().collect();
    matches!(legs[..], [a, b] if world.voices.joined(a, b))
}

#[test]
fn a_colleague_who_was_asked_takes_the_caller() {
    for by_asking_line in [false, true] {
        let (mut world, caller, talk) = held();
        let asking = world.agent_calls(0, "1002");
        world.run(s(4));
        assert_eq!(world.line(asking), Some(LineState::Up));
        let (from, to) = if by_asking_line { (asking, talk) } else { (talk, asking) };
        join(&mut world, from, to);
        assert_eq!(notified(&world, from), ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
        assert_eq!(world.line(talk), Some(LineState::Over(0)));
        assert_eq!(world.line(asking), Some(LineState::Over(0)));
        assert!(joined_voices(&world), "{:?}", world.voices.legs);
        assert_eq!(state(&world, 0), "wrap-up", "his talk with the caller is over");
        assert_eq!(world.records.len(), 1, "the asking is over");
        assert!(has(&world.records[0], "referred joined to"), "{:?}", World::story(&world.records[0]));
        world.run(s(10));
        world.hang_up(caller);
        world.run(s(1));
        let record = &world.records[1];
        assert_eq!((record.outcome, record.agent.as_deref()), (Outcome::Answered, Some("1002")));
        assert!(
            has(record, "bridged 1001") && has(record, "referred attended") && has(record, "bridged 1002")
        );
        assert!(
            (10_000..=20_000).contains(&record.talk_ms),
            "{} ms: both talks and no music",
            record.talk_ms
        );
        world.rest();
    }
}

#[test]
fn an_outside_party_who_was_asked_takes_the_caller_and_the_survey_follows_no_carrier() {
    let (mut world, caller, talk) = held();
    let asking = world.agent_calls(0, "13900000000");
    world.run(s(4));
    join(&mut world, talk, asking);
    assert!(joined_voices(&world), "{:?}", world.voices.legs);
    assert_eq!(world.line(caller), Some(LineState::Up));
    let asked = world.phones[&CARRIER].lines.iter().rposition(|line| line.state == LineState::Up).unwrap();
    world.hang_up((CARRIER, asked));
    world.run(s(60));
    world.hang_up(caller);
    world.rest();
    assert_eq!(world.records.len(), 2);
}

#[test]
fn who_was_asked_may_still_be_ringing() {
    let (mut world, _, talk) = held();
    world.with_phone(phone_address(1), |phone, _| phone.manner = Manner::Answer(s(6)));
    let asking = world.agent_calls(0, "1002");
    world.run(s(2));
    join(&mut world, talk, asking);
    assert!(matches!(world.line(asking), Some(LineState::Over(_))), "his own ringing is over");
    assert_eq!(notified(&world, talk), ["SIP/2.0 100 Trying"]);
    world.run(s(6));
    assert_eq!(notified(&world, talk), ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    assert!(joined_voices(&world), "{:?}", world.voices.legs);
    let line = world.agent_line(1).unwrap();
    world.hang_up(line);
    world.run(s(60));
    world.rest();
}

#[test]
fn who_was_asked_and_does_not_come_leaves_the_talk_as_it_was() {
    let (mut world, caller, talk) = held();
    world.with_phone(phone_address(1), |phone, _| phone.manner = Manner::Ring);
    let asking = world.agent_calls(0, "1002");
    world.run(s(2));
    join(&mut world, talk, asking);
    let rung = world.agent_line(1).unwrap();
    world.hang_up(rung);
    world.run(s(1));
    assert_eq!(notified(&world, talk).last().map(String::as_str), Some("SIP/2.0 486 Busy Here"));
    assert_eq!((world.line(talk), world.line(caller)), (Some(LineState::Up), Some(LineState::Up)));
    world.hang_up(caller);
    world.run(s(60));
    world.rest();
}

#[test]
fn nobody_joins_calls_that_are_not_his() {
    let (mut world, caller, talk) = held();
    // Another agent's phone talks to somebody outside; agent 0 names that call.
    let foreign = world.agent_calls(1, "13900000000");
    world.run(s(4));
    let line = world.phones[&foreign.0].lines[foreign.1].clone();
    world.with_phone(talk.0, |phone, _| phone.lines.push(line));
    let stolen = (talk.0, world.phones[&talk.0].lines.len() - 1);
    join(&mut world, talk, stolen);
    assert!(notified(&world, talk).is_empty(), "refused");
    let counters = world.local.snapshot(world.now).counters;
    assert!(
        counters.iter().any(|c| (c.name, &*c.label, c.value) == ("refused", "refer", 1)),
        "by us, knowingly"
    );
    assert_eq!((world.line(foreign), world.line(caller)), (Some(LineState::Up), Some(LineState::Up)));
    world.with_phone(talk.0, |phone, _| phone.lines.pop());
    world.hang_up(foreign);
    world.hang_up(caller);
    world.run(s(60));
    world.rest();
}
