//! Tiers in value order, first come first served within. Starves the last tier under overload.

use super::{Head, Policy};
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct Strict;

impl Policy for Strict {
    fn choose(&mut self, heads: &[Head], ranks: &mut Vec<Rank>) -> Option<usize> {
        ranks.resize(heads.len(), Rank::Plain);
        (0..heads.len()).min_by_key(|&at| heads.get(at).map(|head| head.tier))
    }
}
