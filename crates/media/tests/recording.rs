//! A caller leaves a message: what was said is kept, at its place in time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

mod common;

use base::{Duration, Instant, LegKey, Seed};
use common::{Phone, World};
use media::codec::opus::Parameters;
use media::codec::pcma;
use media::dsp::Rate;
use media::sdp::{Direction, Negotiated};
use media::{Codec, Command, Event, Relay, RelayConfig};

const SILENCE: u8 = 0xD5;

fn record(world: &mut World, phone: &Phone, token: u64, seconds: u64) {
    let length_max = Duration::from_secs(seconds);
    world.command(Command::Record { leg: phone.leg, token, length_max });
}

fn stop(world: &mut World, phone: &Phone) {
    world.command(Command::StopRecord { leg: phone.leg });
}

/// The only recording that ended: token, codec, audio.
fn recorded(world: &mut World) -> (u64, Codec, Vec<u8>) {
    let found = |event: Event| match event {
        Event::Recorded { token, codec, audio, length_ms, .. } => {
            assert_eq!(u64::from(length_ms), audio.reveal().len() as u64 / 8);
            Some((token, codec, audio.reveal().to_vec()))
        }
        _ => None,
    };
    let all: Vec<_> = world.take_events().into_iter().filter_map(found).collect();
    let [one] = &all[..] else { panic!("{} recordings", all.len()) };
    one.clone()
}

fn is_recording(world: &World) -> bool {
    !world.events.iter().any(|event| matches!(event, Event::Recorded { .. }))
}

/// `audio` as (byte, how many) runs.
fn runs(audio: &[u8]) -> Vec<(u8, usize)> {
    audio.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect()
}

fn talks(world: &mut World, phone: &mut Phone, fills: &[u8]) {
    for &fill in fills {
        world.speaks(phone, fill);
        world.run(20);
    }
}

#[test]
fn what_is_said_is_kept_and_what_did_not_come_is_silence() {
    let mut a = Phone::new(1);
    let mut world = World::with(&[a.clone()]);
    talks(&mut world, &mut a, &[9, 9]);
    record(&mut world, &a, 7, 60);
    talks(&mut world, &mut a, &[1, 2]);
    // One packet is lost, one comes after its successor, a key is pressed.
    a.voice(3);
    world.run(20);
    let late = a.voice(4);
    world.run(20);
    world.speaks(&mut a, 5);
    world.arrives(&a.clone(), a.at, &late);
    world.run(20);
    let key = a.packet(101, true, &[5, 0x80, 1, 64]);
    (a.sequence, a.timestamp) = (a.sequence.wrapping_add(1), a.timestamp.wrapping_add(160));
    world.arrives(&a.clone(), a.at, &key);
    world.run(20);
    talks(&mut world, &mut a, &[6]);
    stop(&mut world, &a);
    let (token, codec, audio) = recorded(&mut world);
    assert_eq!((token, codec), (7, Codec::Pcma));
    let expected = [(1, 160), (2, 160), (SILENCE, 160), (4, 160), (5, 160), (SILENCE, 160), (6, 160)];
    assert_eq!(runs(&audio), expected);
    talks(&mut world, &mut a, &[8]);
    stop(&mut world, &a);
    assert!(is_recording(&world), "a recording ends once");
}

#[test]
fn a_pause_is_as_long_as_it_was() {
    let mut a = Phone::new(1);
    let mut world = World::with(&[a.clone()]);
    record(&mut world, &a, 1, 60);
    world.run(500);
    talks(&mut world, &mut a, &[1]);
    // He is mute for two seconds and his timestamps do not count them.
    world.run(1_980);
    talks(&mut world, &mut a, &[2]);
    // His gateway begins another stream, with numbers of its own.
    (a.ssrc, a.sequence, a.timestamp) = (77, 100, 5);
    world.run(480);
    talks(&mut world, &mut a, &[3, 4]);
    stop(&mut world, &a);
    let (_, _, audio) = recorded(&mut world);
    let runs = runs(&audio);
    assert_eq!(runs.iter().map(|run| run.0).collect::<Vec<_>>(), [SILENCE, 1, SILENCE, 2, SILENCE, 3, 4]);
    assert_eq!([runs[0].1, runs[2].1, runs[4].1], [4_000, 15_840, 3_840]);
}

#[test]
fn it_ends_at_its_longest_with_voice_and_without() {
    let mut a = Phone::new(1);
    let mut world = World::with(&[a.clone()]);
    record(&mut world, &a, 1, 1);
    for n in 0..49 {
        talks(&mut world, &mut a, &[n]);
        assert!(is_recording(&world), "at {n}");
    }
    talks(&mut world, &mut a, &[49]);
    let (_, _, audio) = recorded(&mut world);
    assert_eq!(audio.len(), 8_000);
    record(&mut world, &a, 2, 1);
    talks(&mut world, &mut a, &[7]);
    world.run(960);
    assert!(is_recording(&world));
    world.run(60);
    assert_eq!(recorded(&mut world).2, [7; 160]);
    record(&mut world, &a, 3, 1);
    world.run(1_100);
    assert!(recorded(&mut world).2.is_empty(), "who says nothing leaves nothing");
}

#[test]
fn hanging_up_keeps_the_message_and_a_conversation_is_none() {
    let (mut a, mut b) = (Phone::new(1), Phone::new(2));
    let mut world = World::with(&[a.clone(), b.clone()]);
    record(&mut world, &a, 1, 60);
    talks(&mut world, &mut a, &[1]);
    world.bridge(&b, &a);
    for fill in 2..9 {
        world.speaks(&mut b, fill);
        talks(&mut world, &mut a, &[fill]);
    }
    assert_eq!(recorded(&mut world).2, [1; 160]);
    world.command(Command::Unbridge { leg: a.leg });
    record(&mut world, &a, 2, 60);
    talks(&mut world, &mut a, &[1, 1]);
    world.command(Command::RemoveLeg { leg: a.leg });
    let events = world.take_events();
    let [.., Event::Recorded { token: 2, audio, .. }, Event::Removed { .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(audio.reveal()[..], [1; 320]);
    assert!(!format!("{:?}", events).contains("1, 1"), "private");
}

#[test]
fn another_codec_is_converted_and_a_held_call_is_not_heard() {
    let mut a = Phone::new(1);
    let mut world = World::with(&[a.clone()]);
    record(&mut world, &a, 1, 60);
    talks(&mut world, &mut a, &[0xD5]);
    a.payload_type = 0;
    world.agree(&a.clone(), Negotiated::plain(a.at, Codec::Pcmu));
    talks(&mut world, &mut a, &[0xFF]);
    a.payload_type = 9;
    world.agree(&a.clone(), Negotiated::plain(a.at, Codec::G722));
    talks(&mut world, &mut a, &[0xFD]);
    let on_hold = Negotiated { direction: Direction::SendOnly, ..Negotiated::plain(a.at, Codec::G722) };
    world.agree(&a.clone(), on_hold);
    talks(&mut world, &mut a, &[2]);
    stop(&mut world, &a);
    let (_, codec, audio) = recorded(&mut world);
    assert_eq!((codec, audio.len()), (Codec::Pcma, 480));
    // Silence of either sign, whatever codec it came in.
    assert!(audio.iter().all(|byte| matches!(byte, 0xD5 | 0x55)), "{:?}", runs(&audio));
    assert_eq!(world.counters().untranslatable, 0);
}

#[test]
fn opus_is_recorded_as_a_law_at_its_place_in_time() {
    let phone = Phone { payload_type: 111, ..Phone::new(1) };
    let mut world = World::new(3);
    world.command(Command::AddLeg { leg: phone.leg, port: 30_000, local: [192, 0, 2, 1].into() });
    world.agree(&phone, Negotiated::plain(phone.at, Codec::Opus));
    record(&mut world, &phone, 1, 60);
    let mut encoder = (Codec::Opus.info().encoder)(Rate::Narrow, &Parameters::default()).unwrap();
    let mut speaker = phone.clone();
    for n in 0..100 {
        let sample = |k: i32| (8_000.0 * (f64::from(n * 160 + k) * 0.5).sin()) as i16;
        let samples: Vec<i16> = (0..160).map(sample).collect();
        let mut payload = [0; 320];
        let length = encoder.encode(&samples, &mut payload);
        // Every tenth is lost.
        if n % 10 != 9 {
            let packet = speaker.packet(111, false, &payload[..length]);
            world.arrives(&phone, phone.at, &packet);
        }
        speaker.sequence = speaker.sequence.wrapping_add(1);
        speaker.timestamp = speaker.timestamp.wrapping_add(960);
        world.run(20);
    }
    stop(&mut world, &phone);
    let (_, codec, audio) = recorded(&mut world);
    assert_eq!((codec, audio.len()), (Codec::Pcma, 99 * 160));
    for (n, frame) in audio.chunks(160).enumerate() {
        let loudest = frame.iter().map(|&byte| pcma::decode(byte).unsigned_abs()).max().unwrap();
        assert_eq!(loudest > 4_000, n % 10 != 9, "{n}: {loudest}");
    }
}

#[test]
fn memory_is_bounded_and_given_back() {
    let mut relay =
        Relay::new(RelayConfig { recording_bytes_max: 16_000, ..RelayConfig::default() }, Seed([1, 2]));
    for leg in [1, 2, 3] {
        let leg = LegKey(leg);
        relay.handle(Instant::ZERO, Command::AddLeg { leg, port: 4_000, local: [127, 0, 0, 1].into() });
    }
    let record = |leg| Command::Record { leg: LegKey(leg), token: leg, length_max: Duration::from_secs(1) };
    for leg in [1, 2, 3] {
        relay.handle(Instant::ZERO, record(leg));
    }
    assert!(matches!(relay.poll_output(), Some(Event::Recorded { token: 3, length_ms: 0, .. })));
    assert_eq!((relay.counters().recordings, relay.counters().recordings_refused), (2, 1));
    relay.handle(Instant::ZERO, Command::RemoveLeg { leg: LegKey(1) });
    relay.handle(
        Instant::ZERO,
        Command::Record { leg: LegKey(2), token: 9, length_max: Duration::from_secs(1) },
    );
    relay.handle(Instant::ZERO, record(3));
    assert_eq!((relay.counters().recordings, relay.counters().recordings_refused), (4, 1));
}
