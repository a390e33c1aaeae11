//! What became of the callers.

use std::sync::Arc;

use acd::PolicyKind;

use super::scenario::{Load, Scenario};

/// What became of the callers of a run, counted after the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The scenario's seed.
    pub seed: u64,
    /// The scenario's policy.
    pub policy: PolicyKind,
    /// Per tier, in value order.
    pub tiers: Vec<TierOutcome>,
    /// All tiers together.
    pub total: TierOutcome,
    /// Share of the agents' time spent with calls.
    pub occupancy: f64,
    /// The tiers by what their callers called for: by reason, then tier; empty where there are no reasons.
    pub reasons: Vec<Vec<Bin>>,
    /// The tiers over time.
    pub series: Series,
    /// Callers met, those of the warm-up and after the end included.
    pub callers: u64,
}

/// What became of a tier's callers: each is in exactly one of `answered`, `abandoned`, `deflected` and `overflowed`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TierOutcome {
    /// The tier's name.
    pub name: Arc<str>,
    /// Wanted a person.
    pub offered: u64,
    /// Got one, on the line or by a callback.
    pub answered: u64,
    /// Of these, by a callback.
    pub called_back: u64,
    /// Of the answered, on the line and within the tier's service-level time.
    pub in_time: u64,
    /// Gave up.
    pub abandoned: u64,
    /// Left for a callback that has not reached them yet.
    pub deflected: u64,
    /// Left by overflow: a full queue.
    pub overflowed: u64,
    /// Waits of those who were answered on the line.
    pub waits: Waits,
    /// Sum of the times from the call to the callback, s.
    pub callback_delays_s: f64,
}

impl TierOutcome {
    /// Nobody yet.
    pub fn new(name: impl Into<Arc<str>>) -> TierOutcome {
        TierOutcome { name: name.into(), ..TierOutcome::default() }
    }

    /// Answered per offered; `None` if nobody called.
    pub fn answer_rate(&self) -> Option<f64> {
        ratio(self.answered, self.offered)
    }

    /// Answered in time per *offered*, the way a regulator counts.
    pub fn service_level(&self) -> Option<f64> {
        ratio(self.in_time, self.offered)
    }

    /// Mean wait of those answered on the line, s.
    pub fn asa_s(&self) -> Option<f64> {
        (self.waits.count > 0).then(|| self.waits.sum_s / self.waits.count as f64)
    }

    /// Mean time from a call to its callback, s.
    pub fn callback_delay_s(&self) -> Option<f64> {
        (self.called_back > 0).then(|| self.callback_delays_s / self.called_back as f64)
    }

    /// The 95 % confidence interval of the answer rate (E. B. Wilson, JASA 22, 1927). Calls of one run are not
    /// independent, so this is the least that it varies.
    pub fn answer_rate_range(&self) -> Option<(f64, f64)> {
        let (n, rate) = (self.offered as f64, self.answer_rate()?);
        const Z: f64 = 1.96;
        let middle = (rate + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
        Some((middle - half, middle + half))
    }

    /// Adds another's callers.
    pub fn add(&mut self, other: &TierOutcome) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.called_back += other.called_back;
        self.in_time += other.in_time;
        self.abandoned += other.abandoned;
        self.deflected += other.deflected;
        self.overflowed += other.overflowed;
        self.waits.add(&other.waits);
        self.callback_delays_s += other.callback_delays_s;
    }

    /// Whether every caller had one end.
    pub fn conserved(&self) -> bool {
        self.offered == self.answered + self.abandoned + self.deflected + self.overflowed
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Waits, in cells of a tenth of a second to ten minutes and of a second beyond, up to four hours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waits {
    /// How many.
    pub count: u64,
    /// Their sum, s.
    pub sum_s: f64,
    /// The longest, s.
    pub max_s: f64,
    cells: Vec<u64>,
}

const FINE: f64 = 10.0;
const FINE_S: f64 = 600.0;
const LAST_S: f64 = 4.0 * 3600.0;

impl Waits {
    pub(super) fn count(&mut self, wait_s: f64) {
        self.count += 1;
        self.sum_s += wait_s;
        self.max_s = self.max_s.max(wait_s);
        let cell = if wait_s < FINE_S { wait_s * FINE } else { FINE_S * FINE + wait_s.min(LAST_S) - FINE_S }
            as usize;
        if self.cells.len() <= cell {
            self.cells.resize(cell + 1, 0);
        }
        if let Some(cell) = self.cells.get_mut(cell) {
            *cell += 1;
        }
    }

    fn add(&mut self, other: &Waits) {
        self.count += other.count;
        self.sum_s += other.sum_s;
        self.max_s = self.max_s.max(other.max_s);
        if self.cells.len() < other.cells.len() {
            self.cells.resize(other.cells.len(), 0);
        }
        self.cells.iter_mut().zip(&other.cells).for_each(|(cell, other)| *cell += other);
    }

    /// The wait that this share of them did not exceed, to a tenth of a second; `None` if there is none.
    pub fn quantile_s(&self, share: f64) -> Option<f64> {
        let rank = (self.count as f64 * share).ceil().max(1.0);
        let mut seen = 0.0;
        let cell = self.cells.iter().position(|cell| {
            seen += *cell as f64;
            seen >= rank
        })?;
        let (cell, fine) = (cell as f64, FINE_S * FINE);
        let upper_s = if cell < fine { (cell + 1.0) / FINE } else { FINE_S + cell + 1.0 - fine };
        Some(if cell == 0.0 { 0.0 } else { upper_s.min(self.max_s) })
    }
}

/// The tiers over time: by when they called.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Width of a bin, s.
    pub bin_s: f64,
    /// The bins of each tier.
    pub tiers: Vec<Vec<Bin>>,
    /// How long each bin was lived, s: a repeating day is laid over itself.
    pub lived_s: Vec<f64>,
    /// Mean handle time, s, and agents: what makes a load of the calls.
    pub handle_s: f64,
    /// See `handle_s`.
    pub agents: u32,
}

/// A part of a tier's callers: who called within a bin's time, or for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// How many.
    pub offered: u64,
    /// How many were answered.
    pub answered: u64,
    /// How many in time.
    pub in_time: u64,
}

/// A quarter of an hour, as the reports of call centres are cut.
const BIN_S: f64 = 900.0;
/// Most bins; a longer time has wider ones.
const BINS_MAX: f64 = 2_000.0;

impl Series {
    pub(super) fn new(scenario: &Scenario) -> Series {
        let run_s = scenario.hours * 3600.0;
        let period_s = match &scenario.load {
            Load::CallsPerHour(hours) => (hours.len() as f64 * 3600.0).min(run_s),
            Load::Rho(_) | Load::Recorded(_) => run_s,
        };
        let bin_s = BIN_S * (period_s / BIN_S / BINS_MAX).ceil().max(1.0);
        let bins = (period_s / bin_s).ceil().max(1.0) as usize;
        let passes = (run_s / period_s).floor();
        let rest_s = run_s - passes * period_s;
        let lived_s = |bin: usize| {
            let (from_s, to_s) = (bin as f64 * bin_s, ((bin + 1) as f64 * bin_s).min(period_s));
            passes * (to_s - from_s) + (rest_s.min(to_s) - from_s).max(0.0)
        };
        Series {
            bin_s,
            tiers: vec![vec![Bin::default(); bins]; scenario.tiers.len()],
            lived_s: (0..bins).map(lived_s).collect(),
            handle_s: scenario.mean_handle_s(),
            agents: scenario.agents(),
        }
    }

    /// The bin of a caller who came `at_s` after the warm-up.
    pub(super) fn bin(&self, at_s: f64) -> usize {
        ((at_s / self.bin_s) as usize) % self.lived_s.len().max(1)
    }

    pub(super) fn at(&mut self, tier: usize, bin: usize) -> Option<&mut Bin> {
        self.tiers.get_mut(tier)?.get_mut(bin)
    }

    /// Work offered per agent in each bin.
    pub fn loads(&self) -> Vec<f64> {
        let calls = |bin: usize| -> u64 {
            self.tiers.iter().filter_map(|tier| tier.get(bin)).map(|bin| bin.offered).sum()
        };
        let load = |(bin, lived_s): (usize, &f64)| {
            calls(bin) as f64 * self.handle_s / (lived_s.max(1.0) * f64::from(self.agents.max(1)))
        };
        self.lived_s.iter().enumerate().map(load).collect()
    }
}

impl Bin {
    /// Answered per offered, if anybody called.
    pub fn answer_rate(&self) -> Option<f64> {
        ratio(self.answered, self.offered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_come_from_cells() {
        let mut waits = Waits::default();
        assert_eq!(waits.quantile_s(0.95), None);
        (0..1000).for_each(|n| waits.count(f64::from(n)));
        assert_eq!((waits.count, waits.max_s), (1000, 999.0));
        assert!((waits.quantile_s(0.5).unwrap() - 499.1).abs() < 0.01);
        assert!((waits.quantile_s(0.95).unwrap() - 950.0).abs() < 0.01);
        waits.count(1e9);
        assert!(waits.quantile_s(1.0).unwrap() <= LAST_S + 1.0, "cells have an end");
        let mut none = Waits::default();
        (0..100).for_each(|_| none.count(0.0));
        assert_eq!(none.quantile_s(0.95), Some(0.0));
    }

    #[test]
    fn a_repeating_day_is_laid_over_itself() {
        let scenario =
            Scenario { hours: 60.0, ..Scenario::hotline(50, Load::CallsPerHour(vec![1000.0; 24])) };
        let series = Series::new(&scenario);
        assert_eq!((series.lived_s.len(), series.bin(25.0 * 3600.0)), (96, 4));
        assert!((series.lived_s[0] - 2700.0).abs() < 1e-6 && (series.lived_s[95] - 1800.0).abs() < 1e-6);
    }

    #[test]
    fn an_interval_holds_its_rate() {
        let tier = TierOutcome { offered: 100, answered: 98, ..TierOutcome::default() };
        let (low, high) = tier.answer_rate_range().unwrap();
        assert!((low - 0.930).abs() < 0.001 && (high - 0.9945).abs() < 0.001, "{low} {high}");
        assert_eq!(TierOutcome::default().answer_rate_range(), None);
    }
}
