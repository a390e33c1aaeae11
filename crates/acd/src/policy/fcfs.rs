//! First come, first served, across all tiers (classes first: an emergency stays one).

use super::{Head, Policy};
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct Fcfs;

impl Policy for Fcfs {
    fn choose(&mut self, heads: &[Head], ranks: &mut Vec<Rank>) -> Option<usize> {
        ranks.resize(heads.len(), Rank::Plain);
        (0..heads.len()).min_by_key(|&at| heads.get(at).map(|head| head.order))
    }
}
