//! The call that has waited longest in proportion to what its tier may wait: `max (w / tau_k)`, the head-of-line
//! delay-ratio rule of Sun & Whitt (Stochastic Systems 2018). Keeps ratios of waits whatever the load.

use super::{Head, Key, Policy, Seat, Verdict};
use crate::config::Contract;
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct DelayRatio {
    ratios_s: Vec<f64>,
}

impl DelayRatio {
    pub(super) fn new(tiers: &[Contract]) -> Self {
        DelayRatio { ratios_s: tiers.iter().map(super::delay_ratio_s).collect() }
    }
}

impl Policy for DelayRatio {
    fn rank(&self, head: &Head, _: &Seat) -> (Verdict, Rank) {
        let score = head.waited_s / self.ratios_s.get(head.tier).copied().unwrap_or(1.0);
        (Verdict::Go(Key::of(score)), Rank::Score { score })
    }
}
