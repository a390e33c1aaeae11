//! The queues' ledger, kept from the event stream alone: every caller who was offered is answered,
//! abandoned, deflected, overflowed or waiting, and the engine counts the same.

use std::collections::BTreeMap;

use acd::Counts;
use base::CallKey;
use call::record::StepKind;
use call::view::Notice;

use super::Finding;

/// What the event stream says of the queues.
#[derive(Debug, Default)]
pub struct QueueOracle {
    waiting: BTreeMap<CallKey, ()>,
    offered: u64,
    answered: u64,
    abandoned: u64,
    deflected: u64,
    overflowed: u64,
    /// A call died over the engine's word of why it left: only that it left is certain then.
    panicked: bool,
}

impl QueueOracle {
    /// Something happened.
    pub fn hear(&mut self, notice: &Notice) {
        let Notice::Call { call, what, detail, .. } = notice else { return };
        self.panicked |= *what == StepKind::Ended && detail == "panic";
        match what {
            StepKind::Queued => {
                self.offered += 1;
                self.waiting.insert(*call, ());
            }
            StepKind::Bridged => self.answered += self.leave(*call),
            StepKind::Abandoned => self.abandoned += self.leave(*call),
            StepKind::Deflected => self.deflected += self.leave(*call),
            StepKind::Overflowed => self.overflowed += self.leave(*call),
            _ => {}
        }
    }

    fn leave(&mut self, call: CallKey) -> u64 {
        u64::from(self.waiting.remove(&call).is_some())
    }

    /// Compares with what the engine says of all tiers together.
    pub fn compare(&self, engine: &[Counts]) -> Option<Finding> {
        let sum = |of: fn(&Counts) -> u64| engine.iter().map(of).sum::<u64>();
        let waiting = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        let ours = [self.offered, self.answered, self.abandoned, self.deflected, self.overflowed, waiting];
        let theirs = [
            sum(|c| c.offered),
            sum(|c| c.answered),
            sum(|c| c.abandoned),
            sum(|c| c.deflected),
            sum(|c| c.overflowed),
            sum(|c| c.waiting),
        ];
        let left = |counts: &[u64; 6]| (counts[0], counts[1..5].iter().sum::<u64>(), counts[5]);
        let same = if self.panicked { left(&ours) == left(&theirs) } else { ours == theirs };
        (!same).then(|| {
            format!(
                "offered, answered, abandoned, deflected, overflowed, waiting: {ours:?} by the event stream, \
                 {theirs:?} by the engine"
            )
        })
    }
}
