//! What nobody has answered is sent again: a machine that stood still may have dropped a datagram, and a call for which
//! nobody asks again would be stuck. RFC 3261 §17.1.1.2 (timer A), §17.1.2.2 (timer E) and §13.3.1.4.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Between the first sending and the second; then each time twice as long.
const T1: Duration = Duration::from_millis(500);
/// Sendings after the first, at 0.5, 1.5, 3.5, 7.5 and 15.5 s.
const REPEATS: usize = 5;

/// Messages by when they are sent again, one queue for each time that they were: all in one queue wait for as long, so
/// that the first is always due first.
#[derive(Debug)]
pub(super) struct Repeats<T> {
    queues: [VecDeque<(Instant, T)>; REPEATS],
}

impl<T: Copy> Repeats<T> {
    pub(super) fn new() -> Self {
        Repeats { queues: [const { VecDeque::new() }; REPEATS] }
    }

    /// Something was sent for the first time.
    pub(super) fn sent(&mut self, now: Instant, what: T) {
        self.queues[0].push_back((now + T1, what));
    }

    /// What to send again now. Those that were answered meanwhile are forgotten.
    pub(super) fn due(&mut self, now: Instant, is_unanswered: impl Fn(T) -> bool) -> Option<T> {
        for times in 0..REPEATS {
            while let Some(&(at, what)) = self.queues[times].front()
                && at <= now
            {
                self.queues[times].pop_front();
                if !is_unanswered(what) {
                    continue;
                }
                if let Some(next) = self.queues.get_mut(times + 1) {
                    next.push_back((now + T1 * (2 << times), what));
                }
                return Some(what);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_answers_is_sent_again_after_twice_as_long_each_time() {
        let start = Instant::now();
        let mut repeats = Repeats::new();
        repeats.sent(start, 'a');
        repeats.sent(start, 'b');
        let mut sent = Vec::new();
        for ms in 0..60_000 {
            // "b" is answered after two seconds.
            let is_unanswered = |what| what == 'a' || ms < 2_000;
            while let Some(what) = repeats.due(start + Duration::from_millis(ms), is_unanswered) {
                sent.push((ms, what));
            }
        }
        let of = |what| sent.iter().filter(|(_, one)| *one == what).map(|(ms, _)| *ms).collect::<Vec<_>>();
        assert_eq!(of('a'), [500, 1_500, 3_500, 7_500, 15_500]);
        assert_eq!(of('b'), [500, 1_500]);
        assert!(repeats.queues.iter().all(VecDeque::is_empty));
    }
}
