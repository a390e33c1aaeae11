//! One packet through the relay, one 20 ms of prompts for a thousand legs, one recorded packet.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that goes wrong must stop")]

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{Instant, LegKey, Seed};
use benches::{CpuTime, config};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::rtp::{self, Header};
use media::sdp::{Direction, Negotiated};
use media::srtp::{MasterKey, OVERHEAD_MAX, Receiver, SUITES, Sender};
use media::{Channel, Codec, Command, Prompt, Relay, RelayConfig, Sink, Slot};

/// Counts; the sockets' cost is measured elsewhere.
#[derive(Default)]
struct Wire(u64);

impl Sink for Wire {
    fn send(&mut self, _: Slot, _: Channel, to: SocketAddr, header: &[u8], payload: &[u8]) {
        black_box((to, header, payload));
        self.0 += 1;
    }
}

fn phone(leg: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, (leg % 250) as u8], 4_000 + leg as u16))
}

fn leg(relay: &mut Relay, now: Instant, leg: u64, codec: Codec) {
    let (key, at) = (LegKey(leg), phone(leg));
    let local = IpAddr::from([192, 0, 2, 254]);
    relay.handle(now, Command::AddLeg { leg: key, port: 30_000, local });
    let payload_type = codec.info().payload_type;
    let negotiated = Negotiated {
        remote: at,
        remote_rtcp: SocketAddr::new(at.ip(), at.port() + 1),
        codec,
        payload_type,
        accepted: vec![(payload_type, codec)],
        dtmf_payload_type: Some(101),
        dtmf_payload_type_in: Some(101),
        dtmf_clock_hz: 8_000,
        parameters: Default::default(),
        ptime_ms: 20,
        direction: Direction::SendRecv,
        rtcp_mux: false,
    };
    let timeout = Some(Duration::from_secs(10));
    relay.handle(now, Command::SetRemote { leg: key, negotiated, learn_from: vec![at.ip()], timeout });
}

/// The peer of leg 1 speaks, packet after packet.
struct Speaker {
    now: Instant,
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
}

impl Speaker {
    fn speak(&mut self, relay: &mut Relay, slot: Slot, wire: &mut Wire) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        self.now += Duration::from_millis(20);
        let Speaker { sequence, timestamp, payload_type, .. } = *self;
        let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 7 };
        let mut packet = [0x55; 172];
        packet[..12].copy_from_slice(&rtp::write(&header));
        relay.receive(self.now, slot, Channel::Rtp, phone(1), black_box(&mut packet), wire);
    }
}

fn bench_packet(criterion: &mut Criterion<CpuTime>, name: &str, listener: Codec, record: bool) {
    let now = Instant::from_secs(1);
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    leg(&mut relay, now, 1, Codec::Pcma);
    leg(&mut relay, now, 2, listener);
    if !record {
        relay.handle(now, Command::Bridge { a: LegKey(1), b: LegKey(2) });
    }
    let slot = relay.slot(LegKey(1)).unwrap();
    let mut wire = Wire::default();
    let mut speaker = Speaker { now, sequence: 0, timestamp: 0, payload_type: 8 };
    criterion.bench_function(name, |b| {
        b.iter(|| {
            // A recording lasts 5,000 packets; then another begins.
            if record && speaker.sequence.is_multiple_of(5_000) {
                while relay.poll_output().is_some() {}
                let length_max = Duration::from_secs(100);
                relay.handle(speaker.now, Command::Record { leg: LegKey(1), token: 1, length_max });
            }
            speaker.speak(&mut relay, slot, &mut wire);
        });
    });
    let counters = relay.counters();
    assert!(record || wire.0 > 1_000, "packets went through");
    assert_eq!((counters.strangers, counters.malformed, counters.stale), (0, 0, 0));
}

fn packets(criterion: &mut Criterion<CpuTime>) {
    bench_packet(criterion, "media/relay_one_packet", Codec::Pcma, false);
    bench_packet(criterion, "media/relay_one_packet_a_to_mu_law", Codec::Pcmu, false);
    bench_packet(criterion, "media/record_one_packet", Codec::Pcma, true);
}

fn prompts(criterion: &mut Criterion<CpuTime>) {
    const LEGS: u64 = 1_000;
    let mut now = Instant::from_secs(1);
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    let music = Arc::new(Prompt::from_samples_8k(&vec![1_000; 80_000]));
    for n in 1..=LEGS {
        leg(&mut relay, now, n, Codec::Pcma);
        relay.handle(now, Command::Music { leg: LegKey(n), music: Arc::clone(&music) });
    }
    let mut wire = Wire::default();
    let mut group = criterion.benchmark_group("media");
    group.throughput(Throughput::Elements(LEGS));
    group.bench_function("prompt_tick_of_1000_legs", |b| {
        b.iter(|| {
            let end = now + Duration::from_millis(20);
            while let Some((at, _)) = relay.poll_timeout().filter(|(at, _)| *at <= end) {
                relay.handle_timeout(at, &mut wire);
            }
            now = end;
        });
    });
    group.finish();
    assert!(wire.0 > 10 * LEGS, "everybody heard music");
}

/// One packet of 20 ms protected and opened again, in place.
fn srtp(criterion: &mut Criterion<CpuTime>) {
    for (suite, name, salt) in SUITES {
        let key: Vec<u8> = (0..16 + salt as u8).collect();
        let master = MasterKey::new(suite, &key).unwrap();
        let (mut sender, mut receiver) = (Sender::new(&master), Receiver::new(&master));
        let mut sequence = 0u16;
        let mut packet = [0x55; 172 + OVERHEAD_MAX];
        criterion.bench_function(&format!("media/srtp_protect_and_open/{name}"), |b| {
            b.iter(|| {
                sequence = sequence.wrapping_add(1);
                let header = Header { marker: false, payload_type: 8, sequence, timestamp: 0, ssrc: 7 };
                packet[..12].copy_from_slice(&rtp::write(&header));
                let length = sender.protect(black_box(&mut packet), 172).unwrap();
                receiver.open(black_box(&mut packet[..length])).unwrap()
            });
        });
    }
}

criterion_group! { name = benches; config = config(); targets = packets, prompts, srtp }
criterion_main!(benches);
