//! Voice that is decoded: a bridge between Opus and G.711 beside libopus alone, mixes, and the filter between
//! 8 and 16 kHz.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, reason = "a bench that goes wrong must stop")]

use std::hint::black_box;
use std::time::Duration;

use base::{Instant, LegKey, MixKey, Seed};
use benches::{CpuTime, config};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::codec::pcma;
use media::dsp::resample::{Doubler, Halver};
use media::relay::Audience;
use media::rtp::{self, Header};
use media::{Channel, Codec, Command, Relay, RelayConfig, Slot};
use opus::{Application, Bandwidth, Bitrate, Channels, Signal};
use scenes::media::{Wire, phone};

/// Frames of speech that are said again and again: four seconds.
const FRAMES: usize = 200;

/// Something like speech: vowels of a gliding pitch, hisses, and pauses between them.
fn speech(rate_hz: u32) -> Vec<i16> {
    let (mut noise, mut turn) = (1u32, 0f64);
    let count = FRAMES * rate_hz as usize / 50;
    let mut out = Vec::with_capacity(count);
    for n in 0..count {
        let second = n as f64 / f64::from(rate_hz);
        let syllable = (second * 4.0).fract();
        turn += (110.0 + 40.0 * (second * 1.7).sin()) / f64::from(rate_hz);
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = f64::from(noise >> 16) / 32_768.0 - 1.0;
        let harmonic = |k: f64| (core::f64::consts::TAU * turn * k).sin() / (1.0 + (k - 5.0).abs());
        let vowel: f64 = (1..20).map(|k| harmonic(f64::from(k))).sum();
        let loud = (core::f64::consts::PI * syllable / 0.7).sin().max(0.0);
        let voice = if syllable < 0.55 { vowel } else { hiss * 0.4 };
        out.push((voice * loud * 5_000.0 + hiss * 20.0) as i16);
    }
    out
}

/// libopus as the switch sets it.
fn encoder(rate_hz: u32) -> opus::Encoder {
    let mut encoder = opus::Encoder::new(rate_hz, Channels::Mono, Application::Voip).unwrap();
    let (bits, bandwidth) = match rate_hz {
        8_000 => (14_000, Bandwidth::Narrowband),
        _ => (24_000, Bandwidth::Wideband),
    };
    encoder.set_signal(Signal::Voice).unwrap();
    encoder.set_max_bandwidth(bandwidth).unwrap();
    encoder.set_bitrate(Bitrate::Bits(bits)).unwrap();
    encoder.set_complexity(5).unwrap();
    encoder
}

/// What a telephone sends that was told to send wideband.
fn opus_packets() -> Vec<Vec<u8>> {
    let mut encoder = encoder(16_000);
    speech(16_000).chunks(320).map(|frame| encoder.encode_vec(frame, 400).unwrap()).collect()
}

fn g711_packets() -> Vec<Vec<u8>> {
    let code = |frame: &[i16]| frame.iter().map(|&sample| pcma::encode(sample)).collect();
    speech(8_000).chunks(160).map(code).collect()
}

/// A leg and the phone that speaks on it.
struct Speaker {
    leg: u64,
    slot: Slot,
    codec: Codec,
    packets: Vec<Vec<u8>>,
    said: usize,
}

impl Speaker {
    fn new(relay: &mut Relay, now: Instant, leg: u64, codec: Codec, packets: Vec<Vec<u8>>) -> Self {
        scenes::media::leg(relay, now, leg, codec);
        Speaker { leg, slot: relay.slot(LegKey(leg)).unwrap(), codec, packets, said: 0 }
    }

    fn speak(&mut self, relay: &mut Relay, now: Instant, wire: &mut Wire) {
        let payload = &self.packets[self.said % self.packets.len()];
        let header = Header {
            marker: false,
            payload_type: self.codec.info().payload_type,
            sequence: self.said as u16,
            timestamp: (self.said as u32).wrapping_mul(self.codec.frame_units()),
            ssrc: 7,
        };
        self.said += 1;
        let mut packet = [0; 512];
        packet[..12].copy_from_slice(&rtp::write(&header));
        packet[12..12 + payload.len()].copy_from_slice(payload);
        let packet = black_box(&mut packet[..12 + payload.len()]);
        relay.receive(now, self.slot, Channel::Rtp, phone(self.leg), packet, wire);
    }
}

/// 20 ms of all of them.
fn frame(relay: &mut Relay, now: &mut Instant, speakers: &mut [Speaker], wire: &mut Wire) {
    for speaker in speakers {
        speaker.speak(relay, *now, wire);
    }
    let end = *now + Duration::from_millis(20);
    while let Some((at, _)) = relay.poll_timeout().filter(|(at, _)| *at <= end) {
        relay.handle_timeout(at, wire);
    }
    *now = end;
}

/// One bridge between Opus and G.711, both ways, for 20 ms; and what libopus costs of it.
fn transcoding(criterion: &mut Criterion<CpuTime>) {
    let (coded, plain) = (opus_packets(), speech(8_000));
    let (mut decoder, mut encoder) = (opus::Decoder::new(8_000, Channels::Mono).unwrap(), encoder(8_000));
    let mut frames = coded.iter().zip(plain.chunks_exact(160)).cycle();
    criterion.bench_function("voice/libopus_alone_decodes_and_encodes", |b| {
        b.iter(|| {
            let (coded, plain) = frames.next().unwrap();
            let mut samples = [0; 160];
            let mut out = [0; 400];
            let made = decoder.decode(black_box(coded), &mut samples, false).unwrap();
            black_box((made, encoder.encode(black_box(plain), &mut out).unwrap(), samples, out));
        });
    });
    let mut now = Instant::from_secs(1);
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    let mut speakers = [
        Speaker::new(&mut relay, now, 1, Codec::Opus, opus_packets()),
        Speaker::new(&mut relay, now, 2, Codec::Pcma, g711_packets()),
    ];
    relay.handle(now, Command::Bridge { a: LegKey(1), b: LegKey(2) });
    let mut wire = Wire::default();
    criterion.bench_function("voice/bridge_opus_g711_both_ways", |b| {
        b.iter(|| frame(&mut relay, &mut now, &mut speakers, &mut wire));
    });
    assert!(wire.0 > speakers[0].said as u64 * 2 - 20, "both heard each frame");
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    let mut g722 = media::codec::g722::Encoder::default();
    let wide = speech(16_000);
    let mut code = |frame: &[i16]| frame.chunks(2).map(|pair| g722.encode([pair[0], pair[1]])).collect();
    let packets = wide.chunks(320).map(&mut code).collect();
    let mut speakers = [
        Speaker::new(&mut relay, now, 1, Codec::G722, packets),
        Speaker::new(&mut relay, now, 2, Codec::Pcma, g711_packets()),
    ];
    relay.handle(now, Command::Bridge { a: LegKey(1), b: LegKey(2) });
    criterion.bench_function("voice/bridge_g722_g711_both_ways", |b| {
        b.iter(|| frame(&mut relay, &mut now, &mut speakers, &mut wire));
    });
}

/// Twenty mixes of three G.711 legs, all of whom talk, for 20 ms.
fn mixing(criterion: &mut Criterion<CpuTime>) {
    const MIXES: u64 = 20;
    let mut now = Instant::from_secs(1);
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    let mut speakers = Vec::new();
    for n in 0..MIXES * 3 {
        speakers.push(Speaker::new(&mut relay, now, n + 1, Codec::Pcma, g711_packets()));
        let (leg, mix) = (LegKey(n + 1), MixKey(n / 3));
        relay.handle(now, Command::Join { leg, mix, heard_by: Audience::Everybody });
    }
    let mut wire = Wire::default();
    let mut group = criterion.benchmark_group("voice");
    group.throughput(Throughput::Elements(MIXES));
    group.bench_function("three_party_g711_mixes", |b| {
        b.iter(|| frame(&mut relay, &mut now, &mut speakers, &mut wire));
    });
    group.finish();
    assert!(wire.0 as usize > speakers[0].said * 3 * MIXES as usize - 1_000, "everybody heard each frame");
}

/// 20 ms through the filter.
fn resampling(criterion: &mut Criterion<CpuTime>) {
    let (wide, narrow) = (speech(16_000), speech(8_000));
    let mut out = [0; 320];
    let (mut halver, mut doubler) = (Halver::default(), Doubler::default());
    criterion.bench_function("voice/halve_20_ms", |b| {
        b.iter(|| halver.halve(black_box(&wide[..320]), black_box(&mut out)));
    });
    criterion.bench_function("voice/double_20_ms", |b| {
        b.iter(|| doubler.double(black_box(&narrow[..160]), black_box(&mut out)));
    });
}

criterion_group! { name = benches; config = config(); targets = transcoding, mixing, resampling }
criterion_main!(benches);
