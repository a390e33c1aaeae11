//! Prompts, music and silence: every byte, every 20 ms.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

mod common;

use base::{Duration, Instant};
use common::{Phone, Sent, World, assert_no_jump, counting};
use media::{Channel, Codec, Command, Event, Prompt};

fn done(world: &mut World) -> Vec<u64> {
    let token = |event: Event| if let Event::PlayDone { token, .. } = event { Some(token) } else { None };
    world.take_events().into_iter().filter_map(token).collect()
}

fn audio(heard: &[Sent]) -> Vec<u8> {
    heard.iter().flat_map(|sent| sent.payload().to_vec()).collect()
}

/// The packets from the first prompt on: silence before it is another source.
fn after_marker(heard: &[Sent], nth: usize) -> Vec<Sent> {
    let start = heard.iter().enumerate().filter(|(_, sent)| sent.header().marker).nth(nth).unwrap().0;
    heard[start..].to_vec()
}

#[test]
fn a_greeting_is_heard_sample_for_sample_at_exact_times() {
    for (payload_type, codec) in [(8, Codec::Pcma), (0, Codec::Pcmu), (9, Codec::G722)] {
        let a = Phone { payload_type, ..Phone::new(10) };
        let mut world = World::with(core::slice::from_ref(&a));
        // 1,233 ms: the last frame is not full.
        let greeting = counting(1_233, 7);
        world.play(&a, 42, &[&greeting]);
        world.run(1_260);
        assert_eq!(done(&mut world), [42]);
        let heard = world.heard(&a);
        let mut expected = greeting.audio(codec).to_vec();
        expected.extend_from_slice(&codec.info().silence[..160 - expected.len() % 160]);
        assert_eq!(audio(&heard)[..expected.len()], expected);
        assert_no_jump(&heard);
        let (start, first) = (heard[0].at, heard[0].header());
        for (n, sent) in heard.iter().enumerate() {
            assert_eq!(sent.at, start + Duration::from_millis(20 * n as u64), "packet {n}");
            assert_eq!(sent.header().timestamp.wrapping_sub(first.timestamp), 160 * n as u32);
            assert_eq!(sent.header().payload_type, payload_type);
        }
        assert!(heard[0].header().marker);
    }
}

#[test]
fn prompts_follow_each_other_without_a_gap() {
    let a = Phone::new(10);
    let mut world = World::with(core::slice::from_ref(&a));
    let parts = [counting(333, 1), counting(5, 2), counting(3, 3), counting(160, 4), counting(217, 5)];
    let pause = Prompt::silence(50).into();
    world.play(&a, 1, &[&parts[0], &parts[1], &pause, &parts[2], &parts[3], &parts[4]]);
    world.run(800);
    let mut expected: Vec<u8> = Vec::new();
    for prompt in [&parts[0], &parts[1], &pause, &parts[2], &parts[3], &parts[4]] {
        expected.extend_from_slice(prompt.audio(Codec::Pcma));
    }
    assert_eq!(audio(&world.heard(&a))[..expected.len()], expected);
    assert_eq!(done(&mut world), [1]);
    // A prompt that is told to play when the last one is done starts with the next packet.
    world.play(&a, 2, &[&parts[3]]);
    world.run(160);
    assert_eq!(done(&mut world), [2]);
    world.play(&a, 3, &[&parts[4]]);
    world.run(220);
    assert_eq!(done(&mut world), [3]);
    let heard = world.heard(&a);
    let both = [parts[3].audio(Codec::Pcma), parts[4].audio(Codec::Pcma)].concat();
    assert_eq!(audio(&heard)[..both.len()], both);
    assert_no_jump(&heard);
}

#[test]
fn nothing_to_play_is_done_at_once() {
    let a = Phone::new(10);
    let mut world = World::with(core::slice::from_ref(&a));
    world.play(&a, 1, &[]);
    world.play(&a, 2, &[&Prompt::silence(0).into()]);
    assert_eq!(done(&mut world), [1, 2]);
}

#[test]
fn stopping_and_bridging_end_a_prompt_within_one_packet() {
    let (a, mut b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    let prompt = counting(5_000, 1);
    world.play(&a, 1, &[&prompt]);
    world.run(200);
    world.take_sent();
    world.command(Command::Stop { leg: a.leg });
    world.run(20);
    assert_eq!(audio(&world.heard(&a)), [0xD5; 160]);
    world.play(&a, 2, &[&prompt]);
    world.run(200);
    world.take_sent();
    world.bridge(&a, &b);
    world.speaks(&mut b, 9);
    world.run(20);
    world.speaks(&mut b, 10);
    let heard = world.heard(&a);
    assert_eq!(audio(&heard), [[9; 160], [10; 160]].concat());
    assert!(heard[0].header().marker);
    assert_eq!(done(&mut world), [], "neither was heard to its end");
}

#[test]
fn a_bridged_leg_hears_a_prompt_instead_of_the_voice_and_then_the_voice_again() {
    let (a, mut b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    let prompt = counting(100, 1);
    for n in 0..20 {
        if n == 5 {
            world.play(&a, 1, &[&prompt]);
        }
        world.speaks(&mut b, 1);
        world.run(20);
    }
    let heard = world.heard(&a);
    assert_no_jump(&heard);
    let prompts = heard.iter().filter(|sent| sent.payload() != [1; 160]).count();
    assert_eq!((prompts, heard.len()), (5, 20));
    assert_eq!(done(&mut world), [1]);
}

#[test]
fn music_goes_round_and_goes_on_where_it_was() {
    let a = Phone::new(10);
    let mut world = World::with(core::slice::from_ref(&a));
    let music = counting(130, 3);
    world.command(Command::Music { leg: a.leg, music: music.clone() });
    world.run(400);
    world.command(Command::Music { leg: a.leg, music: music.clone() });
    world.run(100);
    let first = audio(&world.heard(&a));
    world.play(&a, 1, &[&counting(60, 4)]);
    world.run(60);
    world.take_sent();
    world.command(Command::Music { leg: a.leg, music: music.clone() });
    world.run(500);
    let all = [first, audio(&world.heard(&a))].concat();
    let expected: Vec<u8> = music.audio(Codec::Pcma).iter().copied().cycle().take(all.len()).collect();
    assert_eq!(all.len(), 50 * 160);
    assert_eq!(all, expected, "not a byte missing over the interruption");
    let other = counting(40, 9);
    world.command(Command::Music { leg: a.leg, music: other.clone() });
    world.run(20);
    assert_eq!(audio(&world.heard(&a)), other.audio(Codec::Pcma)[..160]);
}

#[test]
fn a_leg_alone_sends_silence_and_a_bridged_one_does_not() {
    for (payload_type, silence) in [(8, 0xD5), (0, 0xFF), (9, 0xFD)] {
        let a = Phone { payload_type, ..Phone::new(10) };
        let b = Phone::new(11);
        let mut world = World::with(&[a.clone(), b.clone()]);
        world.run(1_000);
        assert_eq!(audio(&world.heard(&a)), vec![silence; 8_000]);
        world.bridge(&a, &b);
        world.run(1_000);
        let voice = world.take_sent().into_iter().filter(|sent| sent.channel == Channel::Rtp);
        assert_eq!(voice.count(), 0);
        world.command(Command::Unbridge { leg: b.leg });
        world.run(1_000);
        assert_eq!(world.heard(&a).len(), 50);
    }
}

#[test]
fn two_thousand_legs_are_spread_over_the_frame() {
    let phones: Vec<Phone> = (0..2_000u64)
        .map(|n| Phone {
            leg: base::LegKey(n),
            at: ([10, 0, (n / 250) as u8, n as u8], 4_000).into(),
            ..Phone::new(1)
        })
        .collect();
    let mut world = World::with(&phones);
    world.run(20);
    world.take_sent();
    world.run(20);
    let sent = world.take_sent();
    assert_eq!(sent.len(), 2_000);
    let mut per_ms = std::collections::BTreeMap::<Instant, usize>::new();
    for packet in &sent {
        *per_ms.entry(packet.at).or_default() += 1;
    }
    assert!(per_ms.len() == 20 && per_ms.values().all(|&count| count == 100), "{per_ms:?}");
}

#[test]
fn a_stall_is_caught_up_a_little_and_the_rest_skipped() {
    let a = Phone::new(10);
    let mut world = World::with(core::slice::from_ref(&a));
    let prompt = counting(60_000, 1);
    world.play(&a, 1, &[&prompt]);
    world.run(1_000);
    let before = world.heard(&a);
    world.stall(60);
    assert_eq!(world.heard(&a).len(), 3, "all of a short one");
    world.stall(10_000);
    let caught_up = world.heard(&a);
    assert_eq!(caught_up.len(), 5, "a burst of 100 ms of a long one");
    world.run(1_000);
    let after = world.heard(&a);
    assert_eq!(after.len(), 50);
    let all = [&before[..], &caught_up, &after].concat();
    let timestamps: Vec<u32> = all.iter().map(|sent| sent.header().timestamp).collect();
    let elapsed = timestamps[timestamps.len() - 1].wrapping_sub(timestamps[0]);
    // The stream's time is the clock's, to the sample, over the stall.
    assert_eq!(elapsed, ((after[49].at - before[0].at).as_millis() * 8) as u32);
    assert_eq!(all[0].header().sequence.wrapping_add(104 + 3), after[49].header().sequence);
    assert_eq!(world.counters().skipped_ticks, (10_000 - 100) / 20);
    // Nothing of the prompt was skipped.
    let heard = audio(&[&caught_up[..], &after].concat());
    assert_eq!(heard, prompt.audio(Codec::Pcma)[53 * 160..][..heard.len()]);
    assert!(!after_marker(&before, 0).is_empty());
}

#[test]
fn time_stands_still_before_the_peer_is_known() {
    let a = Phone::new(10);
    let mut world = World::new(3);
    world.command(Command::AddLeg { leg: a.leg, port: 30_000, local: a.at.ip() });
    let prompt = counting(100, 1);
    world.play(&a, 1, &[&prompt]);
    world.run(5_000);
    assert_eq!(done(&mut world), []);
    world.agree(&a, media::sdp::Negotiated::plain(a.at, Codec::Pcma));
    world.run(120);
    assert_eq!(audio(&world.heard(&a))[..800], prompt.audio(Codec::Pcma)[..]);
    assert_eq!(done(&mut world), [1]);
}
