//! Tiers in value order, first come first served within. Starves the last tier under overload.

use super::{Head, Key, Policy, Seat, Verdict, value};
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct Strict;

impl Policy for Strict {
    fn rank(&self, head: &Head, _: &Seat) -> (Verdict, Rank) {
        (Verdict::Go(Key::of(value(head.tier))), Rank::Plain)
    }
}
