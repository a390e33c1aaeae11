//! Networks of all kinds before an ear.

use base::{Rng, Seed};

use super::*;
use crate::codec::pcma;

const FRAME_US: u64 = 20_000;

/// A tone of 500 Hz in A-law, the `n`th 20 ms.
fn tone(n: u32) -> Vec<u8> {
    let at = |k: u32| f64::from(n * 160 + k) * 500.0 / 8_000.0 * core::f64::consts::TAU;
    (0..160).map(|k| pcma::encode((8_000.0 * at(k).sin()) as i16)).collect()
}

fn packet(n: u32) -> Packet {
    Packet {
        sequence: (65_500 + n) as u16,
        timestamp: (u32::MAX - 500).wrapping_add(n * 160),
        codec: Codec::Pcma,
    }
}

/// What came out of an ear, frame by frame.
struct Run {
    heard: Vec<Heard>,
    samples: Vec<i16>,
    /// Milliseconds that waited after each frame.
    waiting: Vec<u32>,
    counted: Counted,
}

/// `count` packets, each after `delay_us` (`None`: lost), heard frame by frame with a beat of its own.
fn run(count: u32, delay_us: impl Fn(u32) -> Option<u64>) -> Run {
    let mut arrivals: Vec<(u64, u32)> =
        (0..count).filter_map(|n| Some((u64::from(n) * FRAME_US + delay_us(n)?, n))).collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut ear = Ear::new(Rate::Narrow, 160);
    let mut out = Run { heard: vec![], samples: vec![], waiting: vec![], counted: Counted::default() };
    for frame in 0..u64::from(count) + 20 {
        let now = frame * FRAME_US + 7_000;
        while let Some((_, n)) = arrivals.next_if(|(at, _)| *at <= now) {
            ear.packet(packet(n), &tone(n));
        }
        let mut samples = [0; FRAME_SAMPLES_MAX];
        out.heard.push(ear.frame(&mut samples));
        out.samples.extend_from_slice(&samples[..160]);
        out.waiting.push(ear.waiting_ms());
    }
    out.counted = ear.counted;
    out
}

impl Run {
    fn count(&self, heard: Heard) -> usize {
        self.heard.iter().filter(|&&other| other == heard).count()
    }

    /// Steps between neighbours, the largest: a click if it is more than a tone has.
    fn step_max(&self) -> i32 {
        self.samples.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max().unwrap()
    }
}

#[test]
fn a_calm_network_is_heard_whole_and_soon() {
    let run = run(1_000, |_| Some(1_000));
    // One packet is waited for, and 200 ms go by at the end.
    assert!(run.count(Heard::Voice) >= 998, "{}", run.count(Heard::Voice));
    assert!(run.waiting[300..900].iter().all(|&ms| ms <= 20), "{:?}", run.waiting.iter().max());
    assert!(run.step_max() < 4_500, "{}", run.step_max());
}

#[test]
fn lost_packets_are_made_up_for_one_by_one() {
    let run = run(1_000, |n| (n % 20 != 7).then_some(1_000));
    assert!((48..=62).contains(&run.counted.concealed), "{:?}", run.counted);
    assert_eq!(run.counted.late, 0);
    assert!(run.step_max() < 5_000, "{}", run.step_max());
    let end = run.waiting[900];
    assert!(end <= 40, "losses do not add up to delay: {end}");
}

#[test]
fn the_delay_grows_to_the_jitter_and_shrinks_again() {
    let mut rng = Rng::new(Seed([1, 2]));
    let jitter: Vec<u64> = (0..4_000).map(|_| rng.below(60_000)).collect();
    // A minute of calm, then 20 s of 60 ms of jitter in any order, then calm again.
    let delay = |n: u32| match n {
        1_000..2_000 => jitter[n as usize],
        _ => 1_000,
    };
    let run = run(4_000, |n| Some(delay(n)));
    let late_in_jitter = run.heard[1_200..2_000].iter().filter(|&&heard| heard == Heard::Concealed).count();
    assert!(late_in_jitter < 16, "after a while 60 ms are expected: {late_in_jitter}");
    let most = run.waiting[1_200..2_000].iter().max().unwrap();
    assert!((20..=120).contains(most), "{most}");
    let end = run.waiting[3_900];
    assert!(end <= 20, "and in the end nothing waits in vain: {end}");
    assert!(run.step_max() < 9_000, "{}", run.step_max());
}

#[test]
fn bursts_and_stalls_stay_within_the_limit() {
    // Every two seconds nothing for 500 ms, then all of it at once.
    let delay = |n: u32| if n % 100 < 25 { u64::from(25 - n % 100) * FRAME_US } else { 0 };
    let run = run(2_000, |n| Some(delay(n)));
    assert!(run.waiting.iter().all(|&ms| ms <= DELAY_MS_MAX), "{:?}", run.waiting.iter().max());
    assert!(run.count(Heard::Voice) > 1_000, "{}", run.count(Heard::Voice));
}

#[test]
fn silence_suppression_is_a_pause_and_no_delay() {
    // One second of speech, one of nothing whose packets were never made.
    let delay = |n: u32| (n % 100 < 50).then_some(1_000);
    let count = 1_000;
    let mut ear = Ear::new(Rate::Narrow, 160);
    let (mut sequence, mut voice, mut nothing) = (0u16, 0, 0);
    for n in 0..count {
        if delay(n).is_some() {
            let Packet { timestamp, codec, .. } = packet(n);
            ear.packet(Packet { sequence, timestamp, codec }, &tone(n));
            sequence = sequence.wrapping_add(1);
        }
        match ear.frame(&mut [0; FRAME_SAMPLES_MAX]) {
            Heard::Voice => voice += 1,
            Heard::Nothing => nothing += 1,
            Heard::Concealed => {}
        }
        assert!(ear.waiting_ms() <= 40, "{n}: {}", ear.waiting_ms());
    }
    assert!(voice >= 480 && nothing > 300, "{voice} {nothing}");
}

#[test]
fn packets_of_other_lengths_and_restarts_are_heard() {
    for ms in [10, 30, 60] {
        let mut ear = Ear::new(Rate::Narrow, 160);
        let mut voice = 0;
        let (mut at, mut n) = (0u32, 0u16);
        for frame in 0..500u32 {
            while at <= frame * 20 {
                // Half way it begins to count elsewhere.
                let restart = if at >= 5_000 { 0x5555_5555 } else { 0 };
                if at == 5_040 {
                    ear.clear();
                }
                let timestamp = restart + at * 8;
                let sequence = n.wrapping_add(restart as u16);
                ear.packet(Packet { sequence, timestamp, codec: Codec::Pcma }, &vec![0xD5; ms as usize * 8]);
                at += ms;
                n += 1;
            }
            voice += u32::from(ear.frame(&mut [0; FRAME_SAMPLES_MAX]) == Heard::Voice);
        }
        assert!(voice > 470, "{ms} ms: {voice}");
    }
}

#[test]
fn wideband_is_heard_at_either_rate_and_rubbish_is_nothing() {
    let mut encoder = crate::codec::g722::Encoder::default();
    for rate in [Rate::Narrow, Rate::Wide] {
        let mut ear = Ear::new(rate, 160);
        let mut energy = 0f64;
        for n in 0..50u32 {
            let sample = |k: u32| {
                let turn = f64::from(n * 320 + k) * 700.0 / 16_000.0 * core::f64::consts::TAU;
                (6_000.0 * turn.sin()) as i16
            };
            let payload: Vec<u8> =
                (0..160).map(|k| encoder.encode([sample(2 * k), sample(2 * k + 1)])).collect();
            ear.packet(Packet { codec: Codec::G722, ..packet(n) }, &payload);
            let mut out = [0; FRAME_SAMPLES_MAX];
            ear.frame(&mut out);
            energy = out[..rate.frame()].iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
            energy /= rate.frame() as f64;
        }
        assert!((energy.sqrt() - 6_000.0 / 2f64.sqrt()).abs() < 400.0, "{rate:?} {}", energy.sqrt());
    }
    let mut rng = Rng::new(Seed([5, 5]));
    let mut ear = Ear::new(Rate::Wide, 80);
    for n in 0..2_000u32 {
        let length = rng.below(1_400) as usize;
        let rubbish: Vec<u8> = (0..length).map(|_| rng.next_u32() as u8).collect();
        let codec = [Codec::Opus, Codec::Opus, Codec::G722, Codec::Pcmu][rng.below(4) as usize];
        let timestamp = if rng.below(5) == 0 { rng.next_u32() } else { n * 960 };
        let sequence = if rng.below(9) == 0 { rng.next_u32() as u16 } else { n as u16 };
        ear.packet(Packet { sequence, timestamp, codec }, &rubbish);
        ear.frame(&mut [0; FRAME_SAMPLES_MAX]);
        assert!(ear.waiting_ms() < 10_000);
    }
}
