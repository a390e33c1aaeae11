//! First come, first served, across all tiers (classes first: an emergency stays one).

use super::{Head, Key, Policy, Seat, Verdict};
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct Fcfs;

impl Policy for Fcfs {
    fn rank(&self, _: &Head, _: &Seat) -> (Verdict, Rank) {
        // All alike: the order in line decides.
        (Verdict::Go(Key::of(0.0)), Rank::Plain)
    }
}
