//! Says when the kernel has no room for more calls.

use base::{Duration, Instant};
use worker::CounterValues;

/// A line at most so often.
const EVERY: Duration = Duration::from_secs(1);

/// What was said so far.
#[derive(Debug, Default)]
pub struct OffloadWatch {
    refused: u64,
    not_before: Instant,
}

impl OffloadWatch {
    /// Looks at the counters; says how many bridges stayed in user space since the last time, if any.
    pub fn look(&mut self, now: Instant, totals: &CounterValues) {
        if let Some((more, carried)) = self.news(now, totals) {
            tracing::warn!(more, carried, "the kernel has no room for more calls: they stay in user space");
        }
    }

    /// Bridges refused since the last line, and those carried now, if a line is due.
    fn news(&mut self, now: Instant, totals: &CounterValues) -> Option<(u64, u64)> {
        let more = totals.offloads_refused.saturating_sub(self.refused);
        if more == 0 || now < self.not_before {
            return None;
        }
        self.refused = totals.offloads_refused;
        self.not_before = now + EVERY;
        Some((more, totals.offloaded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_second_says_all_that_was_refused() {
        let mut watch = OffloadWatch::default();
        let mut at = |ms: u64, refused: u64| {
            let totals =
                CounterValues { offloads_refused: refused, offloaded: 7, ..CounterValues::default() };
            watch.news(Instant::from_millis(ms), &totals)
        };
        assert_eq!(at(100, 0), None);
        assert_eq!(at(600, 2), Some((2, 7)));
        assert_eq!(at(1_100, 5), None);
        assert_eq!(at(1_600, 6), Some((4, 7)));
        assert_eq!(at(9_000, 6), None);
    }
}
