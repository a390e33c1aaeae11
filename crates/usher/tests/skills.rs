//! Agents who are not alike: the N design and four languages. No table of these is published; what is proved is that
//! contracts hold by tier *and* by what the callers want, and that what this costs is bounded, by the very same callers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it found"
)]

use std::path::Path;

use acd::PolicyKind;
use sim::centre::{Bin, Outcome, Run, Scenario};
use usher::simulate::scenario;

fn live(name: &str, policy: PolicyKind) -> (Scenario, Outcome) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../config/scenarios/{name}.toml"));
    let scenario = Scenario { policy, hours: 200.0, ..scenario::load(&path).unwrap() };
    let outcome = Run::whole(&scenario).unwrap();
    (scenario, outcome)
}

fn percent(part: &Bin) -> f64 {
    part.answer_rate().unwrap() * 100.0
}

/// Floors by tier and reason; the answer rate in all beside what strict priority and first come first served reach; the
/// top two tiers beside their targets.
fn holds(name: &str, cost_points: f64, short_points: [f64; 2]) {
    let (scenario, debt3) = live(name, PolicyKind::Debt3);
    let all = |outcome: &Outcome| outcome.total.answer_rate().unwrap() * 100.0;
    let others = [PolicyKind::Strict, PolicyKind::Fcfs].map(|policy| all(&live(name, policy).1));
    println!("{name}: {:.2} % in all; strict and fcfs {others:.2?}", all(&debt3));
    for (reason, tiers) in scenario.reasons.iter().zip(&debt3.reasons) {
        for (tier, part) in scenario.tiers.iter().zip(tiers) {
            println!("  {:10} {:10} {:.1} %", reason.name, tier.name, percent(part));
            assert!(
                percent(part) >= tier.contract.floor * 100.0,
                "{name}: {} calls of {} are answered to {:.1} %, below the floor",
                reason.name,
                tier.name,
                percent(part)
            );
        }
    }
    for (tier, short) in debt3.tiers.iter().zip(&scenario.tiers).zip(short_points) {
        let (found, promised) = (tier.0.answer_rate().unwrap() * 100.0, tier.1.contract.target * 100.0);
        assert!(found >= promised - short, "{name}: {} {found:.1} % of {promised}", tier.0.name);
    }
    let cost = others.into_iter().fold(0.0, f64::max) - all(&debt3);
    assert!(cost <= cost_points, "{name}: {cost:.2} points of all calls");
}

#[test]
fn the_n_design() {
    holds("n-design", 0.7, [0.3, 0.3]);
}

#[test]
fn four_languages() {
    holds("four-languages", 1.8, [0.3, 0.3]);
}
