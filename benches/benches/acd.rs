//! One call finds its agent while a thousand agents work and a thousand callers wait.
#![allow(missing_docs, reason = "criterion's macros")]

use acd::PolicyKind;
use benches::{CpuTime, config};
use criterion::{Criterion, criterion_group, criterion_main};
use scenes::acd::House;

fn engines(criterion: &mut Criterion<CpuTime>) {
    for (name, policy) in [("strict", PolicyKind::Strict), ("debt3", PolicyKind::Debt3)] {
        let mut house = House::new(policy).full();
        let name = format!("acd/assign_1000_agents_1000_waiting_{name}");
        criterion.bench_function(&name, |b| b.iter(|| house.assign()));
    }
    let mut house = House::new(PolicyKind::Strict);
    criterion.bench_function("acd/choose_among_1000_free_agents", |b| b.iter(|| house.choose()));
}

criterion_group! { name = benches; config = config(); targets = engines }
criterion_main!(benches);
