//! Whether a media thread keeps up. New calls are refused while it does not: those that talk come first.
//!
//! Time is cut into windows of 100 ms. A window is bad if its rounds began over 2 ms late on average, or if
//! packets had to be dropped or left waiting for want of room. Three bad windows in a row say that the
//! thread is late; twenty good ones that it is not any more, so one stumble of the machine refuses nobody,
//! and the answer does not flap.

use std::time::Duration;

use base::Instant;

const WINDOW: Duration = Duration::from_millis(100);
/// A window whose rounds are later than this on average is bad.
const LATE: Duration = Duration::from_millis(2);
/// Bad windows in a row until the thread is late.
const BAD_WINDOWS: u32 = 3;
/// Good windows in a row until it is not any more.
const GOOD_WINDOWS: u32 = 20;

/// One thread's windows.
#[derive(Debug, Default)]
pub(crate) struct Strain {
    window_ends: Instant,
    rounds: u32,
    lag: Duration,
    /// What was dropped, and what of it was known when the window began.
    dropped: u64,
    dropped_before: u64,
    /// Windows in a row that speak against the present state.
    against: u32,
    late: bool,
}

impl Strain {
    /// A round began `lag` after it was due. `dropped` counts packets dropped or left waiting since the
    /// thread's start.
    pub(crate) fn round(&mut self, now: Instant, lag: Duration, dropped: u64) {
        if now >= self.window_ends {
            self.end_window(now);
        }
        self.rounds = self.rounds.saturating_add(1);
        self.lag = self.lag.saturating_add(lag);
        self.dropped = dropped;
    }

    /// Whether the thread does not keep up.
    pub(crate) const fn is_late(&self) -> bool {
        self.late
    }

    /// When to look again though nothing is to be done: a thread without legs has no rounds of its own, and while it
    /// counts as late nobody gives it any.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.late.then_some(self.window_ends)
    }

    fn end_window(&mut self, now: Instant) {
        let mean = self.lag.checked_div(self.rounds).unwrap_or_default();
        let bad = mean > LATE || self.dropped > self.dropped_before;
        // Windows without a round: the thread slept, or a single round took so long, which its lag says.
        self.against = if bad == self.late { 0 } else { self.against.saturating_add(1) };
        let enough = if self.late { GOOD_WINDOWS } else { BAD_WINDOWS };
        if self.against >= enough {
            (self.late, self.against) = (bad, 0);
        }
        (self.rounds, self.lag) = (0, Duration::ZERO);
        self.dropped_before = self.dropped;
        self.window_ends = now + WINDOW;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds each millisecond for `ms` from `from_ms` on; whether the thread is late after each.
    fn run(strain: &mut Strain, from_ms: u64, ms: u64, lag_us: u64, dropped: u64) -> Vec<bool> {
        let round = |at| {
            strain.round(Instant::from_millis(at), Duration::from_micros(lag_us), dropped);
            strain.is_late()
        };
        (from_ms..from_ms + ms).map(round).collect()
    }

    #[test]
    fn a_thread_that_falls_behind_is_late_after_300_ms_and_recovers_after_two_seconds() {
        let mut strain = Strain::default();
        assert!(!run(&mut strain, 0, 1_000, 300, 0).contains(&true));
        let late = run(&mut strain, 1_000, 1_000, 2_500, 0);
        let first = late.iter().position(|late| *late).unwrap();
        assert!((300..=401).contains(&first), "{first}");
        assert!(late[first..].iter().all(|late| *late));
        let late = run(&mut strain, 2_000, 3_000, 300, 0);
        let first = late.iter().position(|late| !late).unwrap();
        assert!((2_000..=2_201).contains(&first), "{first}");
        assert!(!late[first..].contains(&true));
    }

    #[test]
    fn a_late_thread_that_nobody_uses_recovers_by_looking_again() {
        let mut strain = Strain::default();
        assert_eq!(strain.next_look(), None);
        run(&mut strain, 0, 1_000, 2_500, 0);
        let mut looks = 0;
        while let Some(at) = strain.next_look() {
            strain.round(at, Duration::ZERO, 0);
            looks += 1;
            assert!(looks < 30);
        }
        assert!(looks >= 20 && !strain.is_late(), "{looks}");
    }

    #[test]
    fn one_stumble_refuses_nobody() {
        let mut strain = Strain::default();
        run(&mut strain, 0, 1_000, 300, 0);
        // The machine stood still for 250 ms.
        strain.round(Instant::from_millis(1_250), Duration::from_millis(250), 40);
        assert!(!run(&mut strain, 1_251, 2_000, 300, 40).contains(&true));
    }

    #[test]
    fn drops_are_bad_and_a_good_window_in_between_begins_anew() {
        let mut strain = Strain::default();
        for window in 0..5u64 {
            // Two bad windows, one good.
            let dropped = window * 2;
            assert!(!run(&mut strain, window * 300, 100, 0, dropped + 1).contains(&true));
            assert!(!run(&mut strain, window * 300 + 100, 100, 0, dropped + 2).contains(&true));
            assert!(!run(&mut strain, window * 300 + 200, 100, 0, dropped + 2).contains(&true));
        }
        for window in 15..20u64 {
            run(&mut strain, window * 100, 100, 0, window * 10);
        }
        assert!(strain.is_late());
    }
}
