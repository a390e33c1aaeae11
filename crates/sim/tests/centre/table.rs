//! The published benchmark of the policies: 50 agents, exponential handle time 180 s and patience 120 s, tiers
//! diamond, gold, silver, ordinary of 5, 15, 30 and 50 %. Percent answered; its own standard error is up to 0.13.

use acd::PolicyKind;
use sim::centre::{Load, Scenario, Shape, Spread};

use super::statistics::{Batches, FULL, Luck, SMALL, Size, Verdicts};

const NAMES: [&str; 5] = ["diamond", "gold", "silver", "ordinary", "all"];

/// A policy's row: its name here, and percent answered per tier and in all.
type Row = (&'static str, [f64; 5]);

const FCFS: &str = "fcfs";
const STRICT: &str = "strict";
const OFFSET: &str = "age-offset";
const RATIO: &str = "delay-ratio";
const RESERVE: &str = "reserve";
const RESERVE_MORE: &str = "reserve 0,1,2,3";
const DEBT3: &str = "debt3";

const LOAD_085: [Row; 7] = [
    (FCFS, [98.7, 98.7, 98.7, 98.7, 98.72]),
    (STRICT, [99.6, 99.5, 99.3, 98.1, 98.73]),
    (OFFSET, [99.6, 99.4, 99.0, 98.3, 98.73]),
    (RATIO, [99.3, 99.2, 98.9, 98.4, 98.72]),
    (RESERVE, [100.0, 99.4, 99.1, 97.5, 98.35]),
    (RESERVE_MORE, [100.0, 99.9, 99.4, 95.6, 97.62]),
    (DEBT3, [99.6, 99.3, 98.9, 98.4, 98.73]),
];
const LOAD_095: [Row; 7] = [
    (FCFS, [96.0, 95.9, 95.9, 95.9, 95.90]),
    (STRICT, [98.9, 98.7, 97.9, 93.5, 95.90]),
    (OFFSET, [98.9, 98.1, 96.6, 94.5, 95.90]),
    (RATIO, [98.1, 97.7, 96.5, 94.8, 95.90]),
    (RESERVE, [99.9, 98.5, 97.6, 92.2, 95.12]),
    (RESERVE_MORE, [100.0, 99.8, 98.4, 88.5, 93.76]),
    (DEBT3, [98.9, 98.0, 96.8, 94.4, 95.90]),
];
const LOAD_105: [Row; 7] = [
    (FCFS, [91.2, 91.2, 91.3, 91.2, 91.22]),
    (STRICT, [98.2, 97.7, 96.1, 85.6, 91.20]),
    (OFFSET, [98.0, 95.8, 92.6, 88.3, 91.21]),
    (RATIO, [96.2, 95.2, 92.6, 88.6, 91.21]),
    (RESERVE, [99.9, 97.5, 95.6, 83.5, 90.04]),
    (RESERVE_MORE, [100.0, 99.7, 97.2, 78.3, 88.23]),
    (DEBT3, [98.2, 96.7, 93.9, 87.3, 91.21]),
];
const LOAD_12: [Row; 7] = [
    (FCFS, [82.3, 82.4, 82.5, 82.4, 82.42]),
    (STRICT, [97.3, 96.6, 93.4, 70.1, 82.42]),
    (OFFSET, [96.6, 90.6, 84.3, 77.4, 82.43]),
    (RATIO, [93.0, 91.0, 85.5, 77.0, 82.43]),
    (RESERVE, [99.8, 96.4, 92.9, 67.4, 81.04]),
    (RESERVE_MORE, [100.0, 99.4, 95.3, 61.1, 79.08]),
    (DEBT3, [97.4, 95.5, 90.8, 71.9, 82.39]),
];
const LOAD_15: [Row; 7] = [
    (FCFS, [66.6, 66.7, 66.6, 66.6, 66.62]),
    (STRICT, [96.9, 95.7, 89.6, 41.1, 66.62]),
    (OFFSET, [91.0, 76.6, 68.0, 60.3, 66.62]),
    (RATIO, [87.6, 83.5, 72.4, 56.0, 66.62]),
    (RESERVE, [99.8, 95.6, 89.0, 38.7, 65.39]),
    (RESERVE_MORE, [100.0, 99.0, 91.4, 33.3, 63.93]),
    (DEBT3, [97.1, 94.7, 87.5, 42.4, 66.52]),
];
const LOAD_20: [Row; 7] = [
    (FCFS, [50.0, 50.0, 50.0, 50.0, 49.99]),
    (STRICT, [96.8, 95.0, 81.0, 13.1, 49.99]),
    (OFFSET, [73.7, 57.5, 50.8, 44.9, 49.99]),
    (RATIO, [81.0, 74.1, 57.2, 35.3, 49.99]),
    (RESERVE, [99.7, 94.9, 79.8, 11.9, 49.09]),
    (RESERVE_MORE, [99.9, 98.1, 80.4, 8.9, 48.30]),
    (DEBT3, [97.7, 91.4, 67.2, 21.7, 49.63]),
];
/// Only DEBT-3 was published at this load.
const LOAD_24: [Row; 1] = [(DEBT3, [97.0, 79.3, 52.1, 18.4, 41.67])];

fn with(row: &str, scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    let word = row.split(' ').next().unwrap();
    scenario.policy = PolicyKind::from_word(word).unwrap();
    if row == RESERVE_MORE {
        for (tier, threshold) in scenario.tiers.iter_mut().zip([0, 1, 2, 3]) {
            tier.contract.idle_threshold = threshold;
        }
    }
    scenario
}

fn holds(rho: f64, rows: &[Row], size: Size) {
    let scenario = Scenario::hotline(50, Load::Rho(rho));
    let luck = Luck::of(&scenario, size);
    let mut verdicts = Verdicts::default();
    for (name, wanted) in rows {
        let batches = Batches::live(&with(name, &scenario), size);
        // DEBT-3 to a point, the others to half of one, as its authors ask.
        let points = if *name == DEBT3 { 1.0 } else { 0.5 };
        for (tier, wanted) in wanted.iter().enumerate() {
            let what = format!("load {rho}, {name}, {}", NAMES[tier]);
            verdicts.near(&what, batches.controlled(tier, &luck), *wanted, points);
        }
    }
    verdicts.end();
}

#[test]
fn published_rates_at_load_085() {
    holds(0.85, &LOAD_085, SMALL);
}

#[test]
fn published_rates_at_load_095() {
    holds(0.95, &LOAD_095, SMALL);
}

#[test]
fn published_rates_at_load_105() {
    holds(1.05, &LOAD_105, SMALL);
}

#[test]
fn published_rates_at_load_12() {
    holds(1.2, &LOAD_12, SMALL);
}

#[test]
fn published_rates_at_load_15() {
    holds(1.5, &LOAD_15, SMALL);
}

#[test]
fn published_rates_at_load_20() {
    holds(2.0, &LOAD_20, SMALL);
}

#[test]
fn published_rates_at_load_24() {
    holds(2.4, &LOAD_24, SMALL);
}

#[test]
#[ignore = "minutes: `make acd-proof`"]
fn published_rates_at_full_size() {
    for (rho, rows) in
        [(0.85, LOAD_085), (0.95, LOAD_095), (1.05, LOAD_105), (1.2, LOAD_12), (1.5, LOAD_15), (2.0, LOAD_20)]
    {
        holds(rho, &rows, FULL);
    }
    holds(2.4, &LOAD_24, FULL);
}

/// Ten agents: no order of service gives the first tier 98 %.
#[test]
fn published_rates_of_a_small_team() {
    holds_for_ten(&[
        (0.8, FCFS, [93.8, 93.8, 93.7, 93.7, 93.73]),
        (0.8, STRICT, [96.4, 96.0, 95.0, 92.0, 93.73]),
        (0.8, RESERVE, [99.8, 93.7, 91.9, 87.0, 90.13]),
        (0.8, DEBT3, [96.9, 95.7, 93.8, 91.8, 93.24]),
        (1.2, STRICT, [90.5, 88.8, 83.5, 69.1, 77.47]),
        (1.2, RATIO, [86.3, 84.2, 79.4, 73.4, 77.46]),
        (1.2, RESERVE, [99.4, 85.8, 78.9, 60.4, 71.71]),
    ]);
}

/// The elastic reserve of a small team in overload: a diamond call comes every five minutes, and an agent is kept free
/// for it all the while.
#[test]
fn published_rates_of_a_small_team_with_a_reserve_in_overload() {
    holds_for_ten(&[
        (1.2, DEBT3, [96.5, 89.4, 80.5, 62.1, 73.45]),
        (1.5, DEBT3, [95.9, 86.4, 72.2, 43.5, 61.14]),
    ]);
}

fn holds_for_ten(rows: &[(f64, &str, [f64; 5])]) {
    // As long as the published runs: a diamond comes every five minutes, and what she is owed takes days to build up.
    let size = Size { batches: 8, hours: 555.0 };
    let mut verdicts = Verdicts::default();
    let mut luck: Option<(f64, Luck)> = None;
    for &(rho, name, wanted) in rows {
        let mut scenario = Scenario::hotline(10, Load::Rho(rho));
        for (tier, most) in scenario.tiers.iter_mut().zip([1.0, 0.5, 0.0, 0.0]) {
            tier.contract.reserve_max = most;
        }
        if luck.as_ref().is_none_or(|(of, _)| *of != rho) {
            luck = Some((rho, Luck::of(&scenario, size)));
        }
        let batches = Batches::live(&with(name, &scenario), size);
        let points = if name == DEBT3 { 1.0 } else { 0.5 };
        for (tier, wanted) in wanted.iter().enumerate() {
            let what = format!("10 agents, load {rho}, {name}, {}", NAMES[tier]);
            verdicts.near(&what, batches.controlled(tier, &luck.as_ref().unwrap().1), *wanted, points);
        }
    }
    verdicts.end();
}

/// Times that are not exponential, and tiers of unequal patience. Erlang A says nothing here, so nothing is known of
/// the callers' luck, and the tolerance is wider by what it is worth: 0.3 points.
#[test]
fn published_rates_of_other_times() {
    let mut lognormal = Scenario::hotline(50, Load::Rho(1.2));
    lognormal.handle_time = Spread { shape: Shape::Lognormal { cv: 1.3 }, mean_s: 180.0 };
    for tier in &mut lognormal.tiers {
        tier.patience = Spread { shape: Shape::Lognormal { cv: 1.0 }, mean_s: 120.0 };
    }
    let mut unequal = Scenario::hotline(50, Load::Rho(1.2));
    for (tier, patience_s) in unequal.tiers.iter_mut().zip([60.0, 90.0, 120.0, 180.0]) {
        tier.patience = Spread::exponential(patience_s);
    }
    let mut verdicts = Verdicts::default();
    let rows: [(&str, &Scenario, &str, [f64; 5]); 6] = [
        ("lognormal", &lognormal, FCFS, [82.9, 82.9, 82.9, 82.9, 82.91]),
        ("lognormal", &lognormal, STRICT, [99.9, 99.7, 97.9, 67.0, 82.78]),
        ("lognormal", &lognormal, DEBT3, [99.9, 97.9, 91.7, 71.2, 82.82]),
        ("unequal patience", &unequal, FCFS, [67.6, 76.1, 81.2, 86.8, 82.53]),
        ("unequal patience", &unequal, STRICT, [94.6, 95.4, 93.2, 71.5, 82.73]),
        ("unequal patience", &unequal, DEBT3, [96.1, 95.0, 90.5, 72.2, 82.31]),
    ];
    for (times, scenario, name, wanted) in rows {
        let batches = Batches::live(&with(name, scenario), Size { batches: 16, hours: 40.0 });
        let points = if name == DEBT3 { 1.3 } else { 0.8 };
        for (tier, wanted) in wanted.iter().enumerate() {
            let what = format!("{times}, {name}, {}", NAMES[tier]);
            verdicts.near(&what, batches.plain(tier), *wanted, points);
        }
    }
    verdicts.end();
}
