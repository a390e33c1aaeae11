//! Bad days: phones, networks, services and the process itself fail in every way that is drawn, and
//! the oracles hold. `make soak` lives as many as one likes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use sim::Coverage;
use sim::story::{self, Day};

/// Days of one run of the tests.
const DAYS: u64 = 300;
/// Every class of faults happens on at least so many days of a hundred.
const PERCENT_MIN: u32 = 10;

#[test]
fn hundreds_of_bad_days() {
    let mut coverage = Coverage::default();
    for seed in 0..DAYS {
        let summary = story::live(Day::bad(seed)).unwrap_or_else(|failure| panic!("{failure}"));
        coverage.add(&summary.faults);
    }
    println!("{coverage}");
    assert_eq!(coverage.rarer_than(PERCENT_MIN), [], "{coverage}");
}

#[test]
fn the_same_seed_lives_the_same_day() {
    for seed in [3, 42] {
        assert_eq!(story::live(Day::bad(seed)), story::live(Day::bad(seed)));
    }
}
