//! Legs that hear each other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

mod common;

use base::MixKey;
use common::World;
use common::talker::{Talker, world};
use media::relay::{Audience, MIX_LEGS_MAX, SPEAKERS_MAX};
use media::{Codec, Command};

const MIX: MixKey = MixKey(1);

fn join(world: &mut World, talker: &Talker, heard_by: Audience) {
    world.command(Command::Join { leg: talker.phone.leg, mix: MIX, heard_by });
}

/// Everybody talks for some frames; what each was sent.
fn talk(world: &mut World, talkers: &mut [Talker], frames: usize) -> Vec<Vec<common::Sent>> {
    world.take_sent();
    let mut heard = vec![Vec::new(); talkers.len()];
    for _ in 0..frames {
        for talker in talkers.iter_mut() {
            talker.says(world);
        }
        world.run(20);
        for sent in world.take_sent() {
            if let Some(n) = talkers.iter().position(|talker| talker.phone.at == sent.to) {
                heard[n].push(sent);
            }
        }
    }
    heard
}

/// Which tones each hears: at least half as loud as they were said.
fn heard_tones(talkers: &mut [Talker], sent: &[Vec<common::Sent>], hz: &[f64], level: f64) -> Vec<String> {
    talkers
        .iter_mut()
        .zip(sent)
        .map(|(talker, sent)| {
            let levels = talker.tones(&sent[sent.len() / 2..], hz);
            let mark = |&found: &f64| match found {
                found if found > level / 2.0 => '#',
                found if found < level / 12.0 => '.',
                _ => '?',
            };
            levels.iter().map(mark).collect()
        })
        .collect()
}

#[test]
fn each_hears_all_others_and_not_itself_in_any_codec() {
    for codecs in [[Codec::Pcma; 3], [Codec::Opus, Codec::G722, Codec::Pcmu], [Codec::Opus; 3]] {
        let hz = [400.0, 700.0, 1_100.0];
        let mut talkers: Vec<Talker> =
            (0..3).map(|n| Talker::new(n as u64 + 1, codecs[n], hz[n], 0.2)).collect();
        let mut world = world(&talkers.iter().collect::<Vec<_>>());
        for talker in &talkers {
            join(&mut world, talker, Audience::Everybody);
        }
        let sent = talk(&mut world, &mut talkers, 100);
        assert_eq!(heard_tones(&mut talkers, &sent, &hz, 0.2), [".##", "#.#", "##."], "{codecs:?}");
        for (sent, talker) in sent.iter().zip(&talkers) {
            assert!((99..=101).contains(&sent.len()), "one packet a frame: {}", sent.len());
            for pair in sent.windows(2) {
                let units = pair[1].header().timestamp.wrapping_sub(pair[0].header().timestamp);
                assert_eq!(units, talker.codec.frame_units());
            }
        }
        // The second goes; the others go on.
        world.command(Command::Leave { leg: talkers[1].phone.leg });
        let sent = talk(&mut world, &mut talkers, 100);
        assert_eq!(heard_tones(&mut talkers, &sent, &hz, 0.2), ["..#", "...", "#.."], "{codecs:?}");
    }
}

#[test]
fn a_supervisor_listens_whispers_and_barges_in() {
    let hz = [400.0, 700.0, 1_100.0];
    let mut talkers: Vec<Talker> =
        (0..3).map(|n| Talker::new(n as u64 + 1, Codec::Pcma, hz[n], 0.2)).collect();
    let mut world = world(&talkers.iter().collect::<Vec<_>>());
    let (agent, supervisor) = (talkers[1].phone.leg, talkers[2].phone.leg);
    // A call as it is: two legs bridged. The supervisor makes a mix of it.
    world.bridge(&talkers[0].phone, &talkers[1].phone);
    talk(&mut world, &mut talkers, 10);
    join(&mut world, &talkers[0], Audience::Everybody);
    join(&mut world, &talkers[1], Audience::Everybody);
    for (heard_by, expected) in [
        (Audience::Nobody, [".#.", "#..", "##."]),
        (Audience::Only(agent), [".#.", "#.#", "##."]),
        (Audience::Everybody, [".##", "#.#", "##."]),
        (Audience::Nobody, [".#.", "#..", "##."]),
    ] {
        world.command(Command::Join { leg: supervisor, mix: MIX, heard_by });
        let sent = talk(&mut world, &mut talkers, 60);
        assert_eq!(heard_tones(&mut talkers, &sent, &hz, 0.2), expected, "{heard_by:?}");
    }
    // He hangs up, and the two are bridged again.
    world.command(Command::RemoveLeg { leg: supervisor });
    world.bridge(&talkers[0].phone, &talkers[1].phone);
    talkers.pop();
    let sent = talk(&mut world, &mut talkers, 60);
    assert_eq!(heard_tones(&mut talkers, &sent, &hz[..2], 0.2), [".#", "#."]);
}

#[test]
fn loud_voices_add_up_to_full_scale_and_no_further() {
    let mut talkers: Vec<Talker> = (0..4).map(|n| Talker::new(n + 1, Codec::Pcmu, 500.0, 0.9)).collect();
    let mut world = world(&talkers.iter().collect::<Vec<_>>());
    for talker in &talkers {
        join(&mut world, talker, Audience::Everybody);
    }
    let sent = talk(&mut world, &mut talkers, 50);
    let heard = talkers[0].hears(&sent[0][10..]);
    assert!(heard.iter().any(|&sample| sample > 31_000));
    // A sum that wraps would cross from one end to the other in one step.
    let steps = heard.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
    assert!(steps.max().unwrap() < 60_000);
    assert!(talkers[0].tones(&sent[0][10..], &[500.0])[0] > 0.95);
}

#[test]
fn of_many_the_loudest_are_heard() {
    let hz: Vec<f64> = (0..10).map(|n| 350.0 + 200.0 * f64::from(n)).collect();
    // Four quiet ones first, then six loud ones.
    let level = |n: usize| if n < 4 { 0.01 } else { 0.1 };
    let mut talkers: Vec<Talker> =
        (0..10).map(|n| Talker::new(n as u64 + 1, Codec::Pcma, hz[n], level(n))).collect();
    let mut world = world(&talkers.iter().collect::<Vec<_>>());
    for talker in &talkers {
        join(&mut world, talker, Audience::Everybody);
    }
    let sent = talk(&mut world, &mut talkers, 60);
    let heard = heard_tones(&mut talkers, &sent, &hz, 0.1);
    assert_eq!(heard[0], "....######");
    assert_eq!(heard[9], "....#####.");
    assert_eq!(SPEAKERS_MAX, 6);
}

#[test]
fn a_prompt_is_for_one_and_the_limit_holds() {
    let hz = [400.0, 700.0, 1_500.0];
    let mut talkers: Vec<Talker> =
        (0..2).map(|n| Talker::new(n as u64 + 1, Codec::Pcma, hz[n], 0.2)).collect();
    let mut world = world(&talkers.iter().collect::<Vec<_>>());
    for talker in &talkers {
        join(&mut world, talker, Audience::Everybody);
    }
    let music = std::sync::Arc::new(media::Prompt::tone(&[1_500.0], 0.2, 1_000));
    world.command(Command::Music { leg: talkers[0].phone.leg, music });
    let sent = talk(&mut world, &mut talkers, 60);
    assert_eq!(heard_tones(&mut talkers, &sent, &hz, 0.2), ["..#", "#.."]);
    assert!(sent.iter().all(|sent| (59..=61).contains(&sent.len())));
    world.command(Command::Stop { leg: talkers[0].phone.leg });
    let sent = talk(&mut world, &mut talkers, 60);
    assert_eq!(heard_tones(&mut talkers, &sent, &hz, 0.2), [".#.", "#.."]);
    for n in 3..=MIX_LEGS_MAX as u64 + 1 {
        let late = Talker::new(n, Codec::Pcma, 440.0, 0.2);
        world.add(&late.phone);
        join(&mut world, &late, Audience::Nobody);
    }
    assert_eq!(world.counters().mixes_full, 1);
    world.run(100);
    for n in 1..=MIX_LEGS_MAX as u64 + 1 {
        world.command(Command::RemoveLeg { leg: common::Phone::new(n).leg });
    }
    assert_eq!(world.counters().legs, 0);
    // The mix is closed: its key opens another.
    let fresh = Talker::new(7, Codec::Pcma, 440.0, 0.2);
    world.add(&fresh.phone);
    join(&mut world, &fresh, Audience::Everybody);
    world.take_sent();
    world.run(100);
    assert_eq!(world.heard(&fresh.phone).len(), 5);
}
