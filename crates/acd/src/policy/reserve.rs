//! Idle-server threshold priority (Gurvich, Armony & Mandelbaum, Management Science 2008): a tier is served only if
//! no higher tier waits and more agents are free than its threshold, which does not depend on the state. Near-zero
//! waits for the top, paid by agents who sit idle.

use super::{Head, Key, Policy, Seat, Verdict, value};
use crate::config::Contract;
use crate::decision::Rank;

#[derive(Debug)]
pub(super) struct Reserve {
    thresholds: Vec<u32>,
}

impl Reserve {
    /// A tier's threshold counts for those below, too: nobody is served past a higher tier that waits.
    pub(super) fn new(tiers: &[Contract]) -> Self {
        let mut most = 0;
        let rising = |tier: &Contract| {
            most = tier.idle_threshold.max(most);
            most
        };
        Reserve { thresholds: tiers.iter().map(rising).collect() }
    }
}

impl Policy for Reserve {
    fn counts_idle(&self) -> bool {
        true
    }

    fn changes_its_mind(&self) -> bool {
        true
    }

    fn rank(&self, head: &Head, _: &Seat) -> (Verdict, Rank) {
        let need = self.thresholds.get(head.tier).copied().unwrap_or(0);
        if head.idle <= need && need > 0 && !head.dedicated {
            return (Verdict::Wait { until_s: None }, Rank::Reserve { need, idle: head.idle });
        }
        (Verdict::Go(Key::of(value(head.tier))), Rank::Plain)
    }
}
