//! The linear index of Chan, Koole & L'Ecuyer (Manufacturing & Service Operations Management 2014): a call of tier k
//! and an agent of group g have the index `a_kg * longest wait + b_kg * longest idle + c_kg`; the pair with the
//! greatest index goes together if that is at least zero, otherwise the agent stays free. Priorities, offsets, ratios
//! and thresholds are special cases, deliberate waiting for the right agent is another.

use std::collections::BTreeMap;

use super::{Head, Key, Policy, Seat, Verdict};
use crate::config::IndexWeights;
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct Index {
    weights: BTreeMap<(usize, u16), IndexWeights>,
}

impl Index {
    pub(super) fn new(rows: &[IndexWeights]) -> Self {
        Index { weights: rows.iter().map(|row| ((row.tier.index(), row.group), *row)).collect() }
    }

    fn index(&self, tier: usize, waited_s: f64, seat: &Seat) -> (f64, f64) {
        let Some(row) = self.weights.get(&(tier, seat.group)) else { return (0.0, 0.0) };
        (row.wait * waited_s + row.idle * seat.idle_s + row.constant, row.wait + row.idle)
    }
}

impl Policy for Index {
    fn rank(&self, head: &Head, seat: &Seat) -> (Verdict, Rank) {
        let (score, slope) = self.index(head.tier, head.waited_s, seat);
        if score < 0.0 && !head.dedicated {
            // Both wait and idle time grow by a second a second.
            let until_s = (slope > 0.0).then(|| -score / slope);
            return (Verdict::Wait { until_s }, Rank::NotYet { score });
        }
        (Verdict::Go(Key::of(score)), Rank::Score { score })
    }

    fn prefers(&self, tier: usize, waited_s: f64, seat: &Seat) -> Option<f64> {
        Some(self.index(tier, waited_s, seat).0)
    }
}
