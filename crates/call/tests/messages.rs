//! What callers leave behind instead of talking to somebody: spoken messages and wishes to be called back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base::Duration;
use call::record::Outcome;
use sim::{LineState, World};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A gold customer's complaint when nobody is there: led to the message's beep.
fn complains(seed: u64) -> (World, sim::world::Handle) {
    let mut world = World::new(seed, 0);
    world.know("13800138000", "gold", "en", false);
    let caller = world.call("013800138000", "10000");
    assert!(world.run_until(s(5), |w| w.line(caller) == Some(LineState::Up)), "the switch answers");
    world.run(s(3));
    world.press('3');
    assert!(world.run_until(s(60), is_recorded), "{:?}", world.notices);
    (world, caller)
}

fn is_recorded(world: &World) -> bool {
    world.voices.legs.values().any(|voice| voice.recording.is_some())
}

fn has(world: &World, word: &str) -> bool {
    World::story(&world.records[0]).iter().any(|step| step.starts_with(word))
}

#[test]
fn a_key_ends_the_message_and_the_caller_is_thanked() {
    let (mut world, caller) = complains(1);
    world.run(s(12));
    world.press('#');
    world.run(s(1));
    assert_eq!(world.line(caller), Some(LineState::Up), "he hears thanks");
    assert!(world.run_until(s(30), |w| w.line(caller) == Some(LineState::Over(0))), "goodbye");
    world.rest();
    let [message] = &world.recordings[..] else { panic!("{:?}", world.recordings) };
    let record = &world.records[0];
    assert_eq!((message.call, message.name.as_str()), (record.key, "complaint"));
    assert!((12_000..12_100).contains(&message.length_ms), "{}", message.length_ms);
    assert_eq!(message.audio.reveal().len() as u32, message.length_ms * 8);
    assert!(message.at > record.started && message.at < record.ended);
    assert_eq!(record.outcome, Outcome::SelfService);
    assert!(has(&world, "recording complaint") && has(&world, "flow complaint.recorded"));
}

#[test]
fn who_hangs_up_has_left_his_message_all_the_same() {
    let (mut world, caller) = complains(2);
    world.run(s(7));
    world.hang_up(caller);
    world.rest();
    let [message] = &world.recordings[..] else { panic!("{:?}", world.recordings) };
    assert_eq!((message.call, message.length_ms / 1_000), (world.records[0].key, 7));
}

#[test]
fn it_ends_at_its_longest() {
    let (mut world, caller) = complains(3);
    assert!(world.run_until(s(150), |w| !w.recordings.is_empty()));
    assert_eq!(world.recordings[0].length_ms, 120_000);
    assert!(world.run_until(s(30), |w| w.line(caller) == Some(LineState::Over(0))), "goodbye");
    world.rest();
    assert!(has(&world, "flow complaint.recorded"));
}

#[test]
fn a_worker_without_room_is_told_to_the_caller() {
    let (mut world, caller) = complains(4);
    let (&leg, voice) = world.voices.legs.iter_mut().next().unwrap();
    let (token, ..) = voice.recording.take().unwrap();
    let (codec, audio) = (media::Codec::Pcma, base::Pii::default());
    world.tell(call::Input::Media(media::Event::Recorded { leg, token, codec, audio, length_ms: 0 }));
    assert!(world.run_until(s(60), |w| w.line(caller) == Some(LineState::Over(0))), "goodbye");
    world.rest();
    assert!(world.recordings.is_empty());
    assert!(has(&world, "flow closed."), "{:#?}", World::story(&world.records[0]));
}

#[test]
fn a_callback_is_promised_with_its_tier() {
    let mut world = World::new(5, 1);
    world.know("13800138000", "gold", "en", false);
    world.know("13900139000", "gold", "en", false);
    world.agents_ready(1);
    // The only agent is busy with the first caller.
    for (number, key) in [("013800138000", '0'), ("013900139000", '0')] {
        let caller = world.call(number, "10000");
        assert!(world.run_until(s(5), |w| w.line(caller) == Some(LineState::Up)));
        world.run(s(3));
        world.press(key);
        world.run(s(30));
    }
    let caller = world.voices.legs.keys().next_back().copied().unwrap();
    for _ in 0..2 {
        world.press_on(caller, '1');
        world.run(s(15));
    }
    let [callback] = &world.callbacks[..] else { panic!("{:#?}", world.notices) };
    assert_eq!((callback.number.reveal().as_str(), callback.tier_name.as_str()), ("13900139000", "gold"));
    assert_eq!(callback.queue, "vip");
}
