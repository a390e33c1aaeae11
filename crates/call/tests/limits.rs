//! What happens at the limits, with bad input, with parts that do not answer, and when the switch is
//! told to stop or to read its settings anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base::Duration;
use call::record::Outcome;
use call::{Input, Settings};
use sim::house::{CARRIER, phone_address};
use sim::{BackEnd, Directory, LineState, Manner, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[expect(clippy::unwrap_used, reason = "without a house there is no test")]
fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = sim::house::settings(2).unwrap();
    change(&mut settings);
    settings
}

fn counter(world: &World, name: &str, label: &str) -> u64 {
    let snapshot = world.local.snapshot(world.now);
    snapshot.counters.iter().find(|c| c.name == name && c.label == label).map_or(0, |c| c.value)
}

fn talking(world: &World) -> usize {
    world.local.snapshot(world.now).calls.iter().filter(|call| call.phase == "talking").count()
}

fn talk(world: &mut World) -> sim::world::Handle {
    let caller = world.call("13800138000", "10000");
    world.run(s(5));
    world.press('0');
    assert!(world.run_until(s(60), |w| talking(w) >= 1));
    caller
}

#[test]
fn who_talks_comes_before_new_calls_when_the_media_threads_fall_behind() {
    let mut world = World::with(1, settings(|_| ()), 2);
    world.agents_ready(1);
    let first = talk(&mut world);
    let late = |world: &mut World, late| {
        let now = world.now;
        for worker in 0..2 {
            world.local.handle(now, Input::MediaLate { worker, late });
        }
    };
    late(&mut world, true);
    let second = world.call("13800000002", "10000");
    world.run(s(1));
    assert_eq!(world.line(second), Some(LineState::Over(503)));
    assert_eq!(counter(&world, "limited", "media"), 1);
    assert_eq!((world.line(first), talking(&world)), (Some(LineState::Up), 1));
    let emergency = world.agent_calls(1, "110");
    assert!(world.run_until(s(10), |w| w.line(emergency) == Some(LineState::Up)), "passes every limit");
    late(&mut world, false);
    let third = world.call("13800000003", "10000");
    world.run(s(1));
    assert_eq!(world.line(third), Some(LineState::Up));
    for call in [first, emergency, third] {
        world.hang_up(call);
    }
    world.rest();
}

#[test]
fn above_a_limit_is_503_with_retry_after_and_a_counter() {
    type Change = fn(&mut Settings);
    let cases: [(&str, Change); 4] = [
        ("calls", |s| s.limits.calls_max = 2),
        ("trunk_calls", |s| s.trunks[0].calls_max = 2),
        ("trunk_rate", |s| s.trunks[0].calls_per_s_max = 2),
        ("ports", |s| s.media.ports = 30_000..=30_007),
    ];
    for (what, change) in cases {
        let mut world = World::with(1, settings(change), 2);
        let calls: Vec<_> = (0..4).map(|n| world.call(&format!("1380000000{n}"), "10000")).collect();
        world.run(s(1));
        let states: Vec<_> = calls.iter().map(|call| world.line(*call).unwrap()).collect();
        assert_eq!(states.iter().filter(|state| **state == LineState::Up).count(), 2, "{what}");
        assert_eq!(states.iter().filter(|state| **state == LineState::Over(503)).count(), 2, "{what}");
        assert!(counter(&world, "limited", what) >= 2, "{what}");
        for call in calls {
            world.hang_up(call);
        }
        world.rest();
        let refused: Vec<_> = world.records.iter().filter(|r| r.outcome == Outcome::Refused).collect();
        assert_eq!((refused.len(), world.records.len()), (2, 4), "{what}: refused calls have records too");
        assert!(refused.iter().all(|r| r.source == "carrier" && r.dialled == "10000"), "{refused:?}");
        assert_eq!(World::story(refused[0]).last(), Some(&format!("ended {what}")));
    }
}

#[test]
fn callers_who_wait_never_take_the_ports_that_agents_are_rung_from() {
    let sixteen_pairs = settings(|s| {
        s.media.ports = 30_000..=30_031;
        for queue in &mut s.acd.queues {
            queue.overflow.no_agents = None;
        }
    });
    let mut world = World::with(3, sixteen_pairs, 2);
    let mut callers = Vec::new();
    for n in 0..20 {
        callers.push(world.call(&format!("138000000{n:02}"), "10000"));
        world.run(s(5));
        world.press('0');
    }
    let waiting = callers.iter().filter(|call| world.line(**call) == Some(LineState::Up)).count();
    assert_eq!(waiting, 14, "two workers of eight pairs keep one each");
    world.agents_ready(2);
    assert!(
        world.run_until(s(60), |w| talking(w) == 2),
        "the house is full of callers, and both agents talk"
    );
    for call in callers {
        world.hang_up(call);
    }
    world.rest();
}

#[test]
fn an_agent_who_could_not_be_rung_for_want_of_a_port_is_rung_a_second_later() {
    let three_pairs = settings(|s| {
        s.media.workers = 1;
        s.media.ports = 30_000..=30_005;
        s.media.port_quarantine = Duration::from_millis(10);
    });
    let mut world = World::with(4, three_pairs, 2);
    world.agents_ready(2);
    let caller = world.call("13800138000", "10000");
    world.run(s(5));
    let leg = *world.voices.legs.keys().next_back().unwrap();
    let emergency = world.agent_calls(0, "110");
    assert!(world.run_until(s(10), |w| w.line(emergency) == Some(LineState::Up)));
    world.press_on(leg, '0');
    world.run(s(10));
    let tried = counter(&world, "limited", "ports");
    assert!((4..=11).contains(&tried), "the other agent is tried every second: {tried}");
    world.hang_up(emergency);
    assert!(world.run_until(s(3), |w| talking(w) == 1), "not after half a minute");
    world.hang_up(caller);
    world.rest();
    let declined = world.records.iter().flat_map(World::story).find(|step| step.starts_with("declined"));
    assert!(declined.is_some_and(|step| step.ends_with("shortage 503")));
}

#[test]
fn a_flood_of_refused_calls_does_not_fill_the_store() {
    let mut world = World::with(1, settings(|s| s.trunks[0].calls_max = 0), 1);
    for n in 0..40 {
        world.call(&format!("138000000{n:02}"), "10000");
    }
    world.rest();
    assert_eq!(world.records.len(), 10);
    assert_eq!(counter(&world, "refused_unrecorded", "trunk_calls"), 30);
}

#[test]
fn unknown_numbers_and_unusable_codecs_are_refused() {
    let mut world = World::new(2, 1);
    let unknown = world.call("13800138000", "12345");
    world.with_phone(CARRIER, |phone, _| phone.codecs = vec![18]);
    let deaf = world.call("13800138000", "10000");
    world.run(s(2));
    assert_eq!(world.line(unknown), Some(LineState::Over(404)));
    assert_eq!(world.line(deaf), Some(LineState::Over(488)));
    world.rest();
    assert!(world.records.iter().all(|record| record.outcome == Outcome::Refused));
    assert_eq!(world.records.len(), 2);
}

#[test]
fn a_late_offer_is_answered_with_ours() {
    let mut world = World::new(2, 2);
    world.agents_ready(2);
    world.with_phone(CARRIER, |phone, _| phone.late_offer = true);
    let caller = talk(&mut world);
    assert!(world.voices.legs.values().all(|voice| voice.remote.is_some()), "both know their peers");
    world.hang_up(caller);
    world.rest();
    assert_eq!(world.records[0].outcome, Outcome::Answered);
}

#[test]
fn both_laws_of_g711_meet() {
    let mut world = World::new(2, 1);
    world.agents_ready(1);
    world.with_phone(CARRIER, |phone, _| phone.codecs = vec![0]);
    world.with_phone(phone_address(0), |phone, _| phone.codecs = vec![8]);
    let caller = talk(&mut world);
    let codecs: Vec<_> =
        world.voices.legs.values().filter_map(|v| v.remote.as_ref().map(|r| r.codec)).collect();
    assert_eq!(codecs, [media::Codec::Pcmu, media::Codec::Pcma]);
    world.hang_up(caller);
    world.rest();
}

#[test]
fn a_silent_directory_makes_an_ordinary_caller_after_200_ms() {
    let mut world = World::new(3, 1);
    world.know("13800138000", "diamond", "en", false);
    world.directory = Directory::Silent;
    let caller = world.call("13800138000", "10000");
    world.run(Duration::from_millis(190));
    assert_eq!(world.line(caller), Some(LineState::Calling));
    world.run(Duration::from_millis(30));
    assert_eq!(world.line(caller), Some(LineState::Up));
    world.hang_up(caller);
    world.rest();
    assert_eq!(world.records[0].tier_name, "ordinary");
    assert_eq!(counter(&world, "lookups_late", ""), 1);
}

#[test]
fn a_back_end_that_fails_does_not_end_the_call() {
    let mut world = World::new(3, 1);
    world.know("13800138000", "gold", "en", false);
    world.back_end = BackEnd::Fails;
    let caller = world.call("13800138000", "10000");
    world.run(s(3));
    world.press('1');
    world.run(s(3));
    world.press('1');
    world.run(s(3));
    assert_eq!(world.line(caller), Some(LineState::Up));
    assert_eq!(counter(&world, "hooks", "failed"), 1);
    world.hang_up(caller);
    world.rest();
}

#[test]
fn draining_refuses_new_calls_and_ends_the_rest_at_the_deadline() {
    let mut world = World::new(4, 1);
    world.agents_ready(1);
    let caller = talk(&mut world);
    let deadline = world.now + s(60);
    world.tell(Input::Drain { deadline });
    let refused = world.call("13800000009", "10000");
    world.run(s(2));
    assert_eq!(world.line(refused), Some(LineState::Over(503)));
    assert_eq!((world.line(caller), world.drained), (Some(LineState::Up), false));
    world.run(s(60));
    assert_eq!((world.line(caller), world.drained), (Some(LineState::Over(0)), true));
    world.rest();
}

#[test]
fn an_emergency_call_goes_out_while_draining() {
    let mut world = World::new(4, 2);
    world.agents_ready(2);
    let caller = talk(&mut world);
    let deadline = world.now + s(60);
    world.tell(Input::Drain { deadline });
    let refused = world.agent_calls(1, "013900000000");
    let urgent = world.agent_calls(1, "110");
    assert!(world.run_until(s(20), |w| w.line(urgent) == Some(LineState::Up)), "{:?}", world.line(urgent));
    assert_eq!(world.line(refused), Some(LineState::Over(503)));
    world.hang_up(urgent);
    world.hang_up(caller);
    world.run(s(2));
    assert!(world.drained);
    world.rest();
}

#[test]
fn draining_is_done_when_the_last_caller_has_gone() {
    let mut world = World::new(4, 2);
    world.agents_ready(2);
    let caller = world.call("13800138000", "10000");
    world.run(s(5));
    let deadline = world.now + s(600);
    world.tell(Input::Drain { deadline });
    world.press('0');
    assert!(world.run_until(s(60), |w| talking(w) == 1), "who is in goes on to an agent");
    assert!(!world.drained);
    world.hang_up(caller);
    world.run(s(1));
    assert!(world.drained);
    world.rest();
}

#[test]
fn a_reload_does_not_touch_a_live_call() {
    let mut world = World::new(4, 2);
    world.agents_ready(2);
    let caller = talk(&mut world);
    let changed = settings(|s| {
        s.tiers[3].name = "everybody".to_owned();
        s.limits.calls_max = 1;
    });
    world.tell(Input::Reload(Box::new(changed)));
    world.run(s(10));
    assert_eq!(talking(&world), 1);
    let refused = world.call("13800000009", "10000");
    world.run(s(1));
    assert_eq!(world.line(refused), Some(LineState::Over(503)));
    world.hang_up(caller);
    world.run(s(3));
    let next = world.call("13800000009", "10000");
    world.run(s(1));
    world.hang_up(next);
    world.rest();
    let taken: Vec<_> = world.records.iter().filter(|record| record.outcome != Outcome::Refused).collect();
    assert_eq!((taken[0].tier_name.as_str(), taken[1].tier_name.as_str()), ("ordinary", "everybody"));
}

#[test]
fn a_port_that_cannot_be_bound_is_replaced_once() {
    let mut world = World::new(4, 1);
    world.directory = Directory::Silent;
    world.voices.broken_ports = vec![30_000, 30_002];
    let caller = world.call("13800138000", "10000");
    world.run(s(1));
    let voice = world.voices.legs.values().next().unwrap();
    let told = format!("m=audio {} ", voice.port);
    assert!(
        world.phones[&caller.0].lines[caller.1].sdp.contains(&told),
        "the caller was told the second port"
    );
    assert!(voice.remote.is_some() && !world.voices.broken_ports.contains(&voice.port));
    world.voices.broken_ports = (30_000..35_000).collect();
    let refused = world.call("13800138001", "10000");
    world.run(s(1));
    assert_eq!(world.line(refused), Some(LineState::Over(503)));
    world.hang_up(caller);
    world.rest();
}

#[test]
fn a_caller_without_rtp_is_ended_with_a_reason() {
    let mut world = World::new(4, 1);
    let caller = world.call("13800138000", "10000");
    world.run(s(2));
    let leg = *world.voices.legs.keys().next().unwrap();
    world.tell(Input::Media(media::Event::Silent { leg }));
    world.run(s(1));
    assert_eq!(world.line(caller), Some(LineState::Over(0)));
    world.rest();
    assert!(World::story(&world.records[0]).iter().any(|step| step == "ended no-rtp"));
}

#[test]
fn nobody_waits_for_ever() {
    let mut world = World::with(4, settings(|s| s.limits.call_max = s.limits.wait_max), 1);
    world.agents_ready(1);
    world.with_phone(phone_address(0), |phone, _| phone.manner = Manner::Dead);
    let caller = world.call("13800138000", "10000");
    world.run(s(5));
    world.press('0');
    assert!(
        world.run_until(s(2 * 3_600), |w| w.line(caller) == Some(LineState::Over(0))),
        "the longest call ends"
    );
    world.rest();
}

#[test]
fn an_operator_ends_a_call_and_changes_an_agent() {
    use call::admin::{Admin, AdminError, AgentChange};
    let mut world = World::new(4, 1);
    world.agents_ready(1);
    let caller = talk(&mut world);
    let key = world.local.snapshot(world.now).calls[0].key;
    let now = world.now;
    let agent = |number: &str, change| Admin::Agent { number: number.to_owned(), change };
    assert_eq!(world.local.admin(now, agent("77", AgentChange::Ready)), Err(AdminError::NoSuchAgent));
    assert_eq!(world.local.admin(now, agent("1001", AgentChange::EndWrapUp)), Err(AdminError::WrongState));
    assert_eq!(world.local.admin(now, Admin::Hangup(base::CallKey(1))), Err(AdminError::NoSuchCall));
    assert_eq!(world.local.admin(now, Admin::Hangup(key)), Ok(()));
    world.run(s(1));
    assert_eq!(world.line(caller), Some(LineState::Over(0)));
    world.rest();
    assert!(World::story(&world.records[0]).iter().any(|step| step == "ended operator"));
}
