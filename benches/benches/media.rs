//! One packet through the relay, one 20 ms of prompts for a thousand legs, one recorded packet.
#![allow(missing_docs, reason = "criterion's macros")]

use benches::{CpuTime, config};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::Codec;
use scenes::media::{Listeners, Talk};

fn packets(criterion: &mut Criterion<CpuTime>) {
    for (name, listener, records) in [
        ("media/relay_one_packet", Codec::Pcma, false),
        ("media/relay_one_packet_a_to_mu_law", Codec::Pcmu, false),
        ("media/record_one_packet", Codec::Pcma, true),
    ] {
        let mut talk = Talk::new(listener, records);
        criterion.bench_function(name, |b| b.iter(|| talk.packet()));
        talk.check();
    }
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

criterion_group! { name = benches; config = config(); targets = packets, prompts }
criterion_main!(benches);
