//! The oldest call, where each tier's calls count as if they had waited a fixed time more: `max (w + b_k)`. The same
//! as the earliest due date. Protects a difference of waits; at overload answer rates fall together all the same.

use super::{Head, Key, Policy, Seat, Verdict};
use crate::config::Contract;
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct AgeOffset {
    offsets_s: Vec<f64>,
}

impl AgeOffset {
    pub(super) fn new(tiers: &[Contract]) -> Self {
        AgeOffset { offsets_s: tiers.iter().map(|tier| tier.age_offset.as_secs_f64()).collect() }
    }
}

impl Policy for AgeOffset {
    fn rank(&self, head: &Head, _: &Seat) -> (Verdict, Rank) {
        let score = head.waited_s + self.offsets_s.get(head.tier).copied().unwrap_or(0.0);
        (Verdict::Go(Key::of(score)), Rank::Score { score })
    }
}
