//! One packet through the relay, one 20 ms of prompts for a thousand legs, one recorded packet, one protected packet.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, reason = "a bench that goes wrong must stop")]

use std::hint::black_box;

use benches::{CpuTime, config};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::Codec;
use media::rtp::{self, Header};
use media::srtp::{MasterKey, OVERHEAD_MAX, Receiver, SUITES, Sender};
use scenes::media::{Listeners, Talk};

fn bench_packet(criterion: &mut Criterion<CpuTime>, name: &str, listener: Codec, records: bool) {
    let mut talk = Talk::new(listener, records);
    criterion.bench_function(name, |b| b.iter(|| talk.packet()));
    talk.check();
}

fn packets(criterion: &mut Criterion<CpuTime>) {
    bench_packet(criterion, "media/relay_one_packet", Codec::Pcma, false);
    bench_packet(criterion, "media/relay_one_packet_a_to_mu_law", Codec::Pcmu, false);
    bench_packet(criterion, "media/record_one_packet", Codec::Pcma, true);
}

fn prompts(criterion: &mut Criterion<CpuTime>) {
    const LEGS: u64 = 1_000;
    let mut listeners = Listeners::new(LEGS);
    let mut group = criterion.benchmark_group("media");
    group.throughput(Throughput::Elements(LEGS));
    group.bench_function("prompt_tick_of_1000_legs", |b| b.iter(|| listeners.tick()));
    group.finish();
    assert!(listeners.heard() > 10 * LEGS, "everybody heard music");
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
