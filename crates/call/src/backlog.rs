//! New calls that wait to be begun while the switch is busy with those it has, and who of them is let go when
//! there are more than it can begin in time.
//!
//! What tells overload is work, not a rate: the calls that wait times the time that each has lately taken,
//! everything else that had to be done meanwhile included. While that is less than [`Backlog::wait_max`] all
//! are taken in the order they came. Above it the least valuable one goes, the latest first; so whoever is
//! taken was begun within that time, and whoever goes hears it within that time.

use std::collections::BTreeMap;

use base::{Duration, Instant, TierKey};

/// How much it matters that a call begins, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worth {
    /// A call for help. Never let go.
    Emergency,
    /// Came while there was no need to ask for its worth.
    Early,
    /// What keeps agents at work: their registrations and calls.
    Agent,
    /// A customer of this tier; a lower number is a more valuable one.
    Customer(TierKey),
    /// Nobody known.
    Stranger,
}

/// Of how many waits the time of one call is remembered: 1/16 of it is the latest.
const MEMORY: u32 = 16;

/// What a call takes before any was measured.
const FIRST_GUESS: Duration = Duration::from_micros(300);

/// Calls that wait at most, whatever they take.
const WAITING_MAX: usize = 4096;

/// New calls by worth, then by arrival.
#[derive(Debug)]
pub struct Backlog<T> {
    waiting: BTreeMap<(Worth, u64), T>,
    wait_max: Duration,
    next: u64,
    /// What one call takes.
    pace: Duration,
    /// When the last one was taken, if others waited then.
    taken: Option<Instant>,
    crowded: bool,
}

impl<T> Backlog<T> {
    /// Nobody waits yet, and nobody shall wait for longer than `wait_max`.
    pub fn new(wait_max: Duration) -> Self {
        let waiting = BTreeMap::new();
        Backlog { waiting, wait_max, next: 0, pace: FIRST_GUESS, taken: None, crowded: false }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How long a call that comes now and is worth least would wait.
    pub fn wait(&self) -> Duration {
        self.pace.saturating_mul(u32::try_from(self.waiting.len()).unwrap_or(u32::MAX))
    }

    /// Whether the worth of a call that comes now matters: below a quarter of the limit it does not, and need
    /// not be found out ([`Worth::Early`]).
    pub fn worth_matters(&self) -> bool {
        self.wait() > self.wait_max / 4
    }

    /// Whether calls are being let go. It ends when what waits has shrunk to a quarter of the limit.
    pub const fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// A call came. Returns the one that is let go for it, perhaps itself.
    pub fn push(&mut self, worth: Worth, call: T) -> Option<T> {
        self.waiting.insert((worth, self.next), call);
        self.next = self.next.wrapping_add(1);
        self.crowded &= self.worth_matters();
        if self.wait() <= self.wait_max && self.waiting.len() <= WAITING_MAX {
            return None;
        }
        self.crowded = true;
        let (&(least, _), _) = self.waiting.last_key_value()?;
        let kept = least == Worth::Emergency && self.waiting.len() <= WAITING_MAX;
        if kept { None } else { self.waiting.pop_last().map(|(_, call)| call) }
    }

    /// The next call to begin.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let (_, call) = self.waiting.pop_first()?;
        if let Some(last) = self.taken {
            let took = (now - last).min(self.wait_max);
            self.pace = self.pace * (MEMORY - 1) / MEMORY + took / MEMORY;
        }
        self.taken = (!self.waiting.is_empty()).then_some(now);
        self.crowded &= self.worth_matters();
        Some(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn in_quiet_times_all_are_taken_in_order() {
        let mut backlog = Backlog::new(MS * 8);
        for round in 0..100 {
            assert!(!backlog.worth_matters());
            assert_eq!(backlog.push(Worth::Early, round), None);
            assert_eq!(backlog.pop(at(round)), Some(round));
        }
        assert!(backlog.is_empty() && !backlog.is_crowded());
    }

    #[test]
    fn the_least_valuable_goes_and_the_latest_of_them_first() {
        let mut backlog = Backlog::new(MS * 8);
        let mut gone = Vec::new();
        for n in 0..40 {
            let worth = match n {
                30 => Worth::Customer(TierKey(0)),
                31 => Worth::Emergency,
                n if n % 2 == 0 => Worth::Customer(TierKey(3)),
                _ => Worth::Stranger,
            };
            gone.extend(backlog.push(worth, n));
        }
        assert!(backlog.is_crowded());
        assert_eq!(backlog.len(), 26, "8 ms of 0.3 ms each");
        assert!(gone.iter().all(|n| n % 2 == 1 && *n != 31), "strangers only: {gone:?}");
        assert_eq!((backlog.pop(at(0)), backlog.pop(at(0))), (Some(31), Some(30)));
    }

    #[test]
    fn calls_that_take_longer_shorten_the_queue() {
        let mut backlog = Backlog::new(MS * 8);
        let mut now = 0;
        for n in 0..400 {
            let _ = backlog.push(Worth::Stranger, n);
            let _ = backlog.push(Worth::Stranger, n);
            assert!(backlog.pop(at(now)).is_some());
            now += 2;
        }
        assert!(backlog.len() <= 4, "2 ms each: {}", backlog.len());
        while backlog.pop(at(now)).is_some() {}
        assert!(!backlog.is_crowded());
    }

    #[test]
    fn emergencies_go_only_at_the_hard_limit() {
        let mut backlog = Backlog::new(MS);
        let gone = (0..WAITING_MAX + 2).filter(|n| backlog.push(Worth::Emergency, *n).is_some()).count();
        assert_eq!((gone, backlog.len()), (2, WAITING_MAX));
    }
}
