//! What agents do by themselves: codes, calls to colleagues and outside, emergency calls, referring.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base::Duration;
use call::record::{CallRecord, Outcome};
use sim::house::{CARRIER, CARRIER_B, phone_address};
use sim::world::Handle;
use sim::{LineState, Manner, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hotline(agents: usize) -> World {
    let mut world = World::new(11, agents);
    world.know("13800138000", "gold", "en", false);
    world.agents_ready(agents);
    world
}

fn has(record: &CallRecord, word: &str) -> bool {
    World::story(record).iter().any(|step| step.starts_with(word))
}

fn state(world: &World, agent: usize) -> &'static str {
    world.local.snapshot(world.now).agents[agent].state
}

fn talking(world: &World) -> usize {
    world.local.snapshot(world.now).calls.iter().filter(|call| call.phase == "talking").count()
}

/// A gold caller who talks to agent 0.
fn talk(world: &mut World) -> Handle {
    let caller = world.call("13800138000", "10000");
    world.run(s(3));
    world.press('0');
    assert!(world.run_until(s(40), |w| talking(w) == 1));
    world.run(s(1));
    caller
}

#[test]
fn codes_change_the_agents_state_and_are_confirmed_by_voice() {
    let mut world = hotline(1);
    for (code, then) in [("*113", "not-ready"), ("*10", "ready")] {
        let line = world.agent_calls(0, code);
        assert!(world.run_until(s(5), |w| w.line(line) == Some(LineState::Up)), "{code} is answered");
        assert_eq!(world.voices.legs.len(), 1);
        assert!(
            world.run_until(s(10), |w| w.line(line) == Some(LineState::Over(0))),
            "{code} ends by itself"
        );
        world.run(s(1));
        assert_eq!(state(&world, 0), then);
    }
    assert_eq!(world.local.snapshot(world.now).agents[0].reason, None);
    let unknown = world.agent_calls(0, "*99");
    world.run(s(2));
    assert_eq!(world.line(unknown), Some(LineState::Over(404)));
    world.rest();
    assert_eq!(world.records.len(), 3);
}

#[test]
fn wrap_up_ends_by_code() {
    let mut world = hotline(1);
    let caller = talk(&mut world);
    world.hang_up(caller);
    world.run(Duration::from_millis(500));
    assert_eq!(state(&world, 0), "wrap-up");
    let line = world.agent_calls(0, "*12");
    assert!(world.run_until(s(10), |w| matches!(w.line(line), Some(LineState::Over(_)))));
    world.run(Duration::from_millis(100));
    assert_eq!(state(&world, 0), "ready");
    world.rest();
}

#[test]
fn an_agent_calls_a_colleague_and_is_engaged_meanwhile() {
    let mut world = hotline(2);
    let line = world.agent_calls(0, "1002");
    world.run(s(1));
    assert_eq!(world.phones[&line.0].lines[line.1].provisional, 180);
    assert!(world.run_until(s(10), |w| talking(w) == 1));
    world.run(s(1));
    assert_eq!((state(&world, 0), state(&world, 1)), ("engaged", "engaged"));
    let legs: Vec<_> = world.voices.legs.keys().copied().collect();
    assert!(world.voices.joined(legs[0], legs[1]));
    world.hang_up(world.agent_line(1).unwrap());
    world.run(s(1));
    assert_eq!((state(&world, 0), state(&world, 1)), ("ready", "ready"));
    world.rest();
    assert_eq!(world.records[0].outcome, Outcome::Outbound);
}

#[test]
fn an_outside_call_tries_the_next_trunk_and_early_media_comes_through() {
    let mut world = hotline(1);
    world.with_phone(CARRIER, |phone, _| phone.manner = Manner::Refuse(503));
    world.with_phone(CARRIER_B, |phone, _| phone.early_media = true);
    let line = world.agent_calls(0, "013900000000");
    world.run(s(1));
    assert_eq!(world.phones[&line.0].lines[line.1].provisional, 183, "the second trunk's early voice");
    assert_eq!(world.voices.legs.values().filter(|voice| voice.bridge.is_some()).count(), 2);
    assert!(world.run_until(s(10), |w| w.line(line) == Some(LineState::Up)));
    let invite = &world.phones[&CARRIER_B].lines[0].invite;
    assert_eq!(invite.get("Max-Forwards"), Some("69"), "one less than the agent's");
    assert!(invite.get("P-Asserted-Identity").unwrap_or_default().contains("10000"), "{invite:?}");
    assert_ne!(invite.get("Call-ID"), world.phones[&line.0].lines[line.1].invite.get("Call-ID"));
    world.hang_up(line);
    world.rest();
    assert_eq!(world.records[0].outcome, Outcome::Outbound);
    assert_eq!(world.phones[&CARRIER_B].lines[0].state, LineState::Over(0));
}

#[test]
fn a_busy_number_is_told_as_busy_and_not_tried_on_the_next_trunk() {
    let mut world = hotline(1);
    world.with_phone(CARRIER, |phone, _| phone.manner = Manner::Refuse(486));
    let line = world.agent_calls(0, "013900000000");
    world.run(s(2));
    assert_eq!(world.line(line), Some(LineState::Over(486)));
    assert!(world.phones[&CARRIER_B].lines.is_empty());
    world.rest();
    assert_eq!(world.records[0].outcome, Outcome::Refused);
}

#[test]
fn the_caller_of_an_outside_call_gives_up_while_it_rings() {
    let mut world = hotline(1);
    world.with_phone(CARRIER, |phone, _| phone.manner = Manner::Ring);
    let line = world.agent_calls(0, "013900000000");
    world.run(s(5));
    world.hang_up(line);
    world.rest();
    assert_eq!(world.phones[&CARRIER].lines[0].state, LineState::Over(487));
    assert_eq!(world.line(line), Some(LineState::Over(487)));
}

#[test]
fn an_emergency_call_passes_every_limit() {
    let mut settings = sim::house::settings(2).unwrap();
    settings.limits.calls_max = 1;
    for trunk in &mut settings.trunks {
        trunk.calls_max = 0;
    }
    for agent in &mut settings.agents {
        agent.may_dial_out = false;
    }
    let mut world = World::with(5, settings, 2);
    world.agents_ready(2);
    let colleague = world.agent_calls(0, "1002");
    world.run(s(5));
    assert_eq!(world.line(colleague), Some(LineState::Up));
    let refused = world.agent_calls(0, "013900000000");
    world.run(s(2));
    assert_eq!(world.line(refused), Some(LineState::Over(503)), "the switch is full");
    let emergency = world.agent_calls(1, "110");
    assert!(world.run_until(s(10), |w| w.line(emergency) == Some(LineState::Up)));
    assert!(world.phones[&CARRIER].lines[0].invite.start.starts_with("INVITE sip:110@"));
    world.hang_up(emergency);
    world.run(s(1));
    world.hang_up(colleague);
    world.rest();
}

#[test]
fn an_agent_without_the_right_may_not_dial_out() {
    let mut settings = sim::house::settings(1).unwrap();
    settings.agents[0].may_dial_out = false;
    let mut world = World::with(5, settings, 1);
    world.agents_ready(1);
    let line = world.agent_calls(0, "013900000000");
    world.run(s(2));
    assert_eq!(world.line(line), Some(LineState::Over(403)));
    world.rest();
}

#[test]
fn a_referral_to_a_queue_gives_a_new_place() {
    let mut world = hotline(2);
    let caller = talk(&mut world);
    let (address, line) = world.agent_line(0).unwrap();
    world.with_phone(address, |phone, now| phone.refer(now, line, "801"));
    assert!(
        world.run_until(s(5), |w| w.line((address, line)) == Some(LineState::Over(0))),
        "the referrer is let go"
    );
    world.run(s(1));
    let told = &world.phones[&address].lines[line].notified;
    assert!(told.last().is_some_and(|frag| frag.starts_with("SIP/2.0 200")), "{told:?}");
    assert!(world.run_until(s(40), |w| talking(w) == 1), "the other agent");
    assert_eq!(world.local.snapshot(world.now).calls[0].agent.as_deref(), Some("1002"));
    world.hang_up(caller);
    world.rest();
    let record = &world.records[0];
    assert!(
        has(record, "referred queue general") && has(record, "queued general"),
        "{:#?}",
        World::story(record)
    );
}

#[test]
fn a_referral_to_a_colleague_or_outside_ends_the_referrers_leg_when_it_succeeded() {
    for (number, with) in [("1002", "bridged 1002"), ("013900000000", "bridged outside")] {
        let mut world = hotline(2);
        let caller = talk(&mut world);
        let referrer = world.agent_line(0).unwrap();
        world.with_phone(referrer.0, |phone, now| phone.refer(now, referrer.1, number));
        world.run(s(1));
        assert_eq!(world.line(referrer), Some(LineState::Up), "he waits for the outcome");
        assert!(world.run_until(s(10), |w| w.line(referrer) == Some(LineState::Over(0))), "{number}");
        world.run(s(1));
        assert_eq!(talking(&world), 1);
        let frags = &world.phones[&referrer.0].lines[referrer.1].notified;
        assert!(frags.last().is_some_and(|frag| frag.starts_with("SIP/2.0 200")), "{frags:?}");
        world.hang_up(caller);
        world.rest();
        assert!(has(&world.records[0], with), "{:#?}", World::story(&world.records[0]));
        assert_eq!(world.records[0].outcome, Outcome::Answered);
    }
}

#[test]
fn a_referral_that_fails_leaves_the_talk_as_it_was() {
    let mut world = hotline(2);
    world.with_phone(phone_address(1), |phone, _| phone.manner = Manner::Refuse(486));
    let caller = world.call("13800138000", "10000");
    world.run(s(3));
    world.press('0');
    assert!(world.run_until(s(60), |w| talking(w) == 1));
    let (legs, referrer) =
        (world.voices.legs.keys().copied().collect::<Vec<_>>(), world.agent_line(0).unwrap());
    for (number, code) in [("1002", "486"), ("nobody", "")] {
        world.with_phone(referrer.0, |phone, now| phone.refer(now, referrer.1, number));
        world.run(s(3));
        assert_eq!(talking(&world), 1);
        assert!(world.voices.joined(legs[0], legs[1]), "joined again after {number} {code}");
    }
    world.hang_up(caller);
    world.rest();
}

#[test]
fn an_agent_refers_whom_he_called_himself() {
    let mut world = hotline(2);
    let line = world.agent_calls(0, "013900000000");
    assert!(world.run_until(s(10), |w| talking(w) == 1));
    world.run(s(1));
    world.with_phone(line.0, |phone, now| phone.refer(now, line.1, "1002"));
    assert!(world.run_until(s(10), |w| w.line(line) == Some(LineState::Over(0))));
    world.run(s(1));
    assert_eq!(talking(&world), 1);
    assert_eq!((state(&world, 0), state(&world, 1)), ("ready", "engaged"));
    world.hang_up((CARRIER, 0));
    world.rest();
}

#[test]
fn a_carrier_may_not_refer() {
    let mut world = hotline(1);
    let caller = talk(&mut world);
    world.with_phone(caller.0, |phone, now| phone.refer(now, caller.1, "013900000000"));
    world.run(s(2));
    assert_eq!(talking(&world), 1);
    assert_eq!(world.phones[&CARRIER].lines.len(), 1, "no call went out");
    world.hang_up(caller);
    world.rest();
}

#[test]
fn keys_as_info_reach_the_flow_and_the_other_side() {
    let mut world = hotline(1);
    let caller = world.call("13800138000", "10000");
    world.run(s(3));
    world.with_phone(caller.0, |phone, now| phone.info(now, caller.1, '0'));
    assert!(world.run_until(s(40), |w| talking(w) == 1), "INFO chose a person");
    world.with_phone(caller.0, |phone, now| phone.info(now, caller.1, '7'));
    world.run(s(1));
    let agent = world.voices.legs.values().next_back().unwrap();
    assert_eq!(agent.digits, b"7");
    world.hang_up(caller);
    world.rest();
    assert!(!format!("{:?} {:?}", world.records[0], world.notices).contains("13800138000"), "private");
}
