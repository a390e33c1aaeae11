//! New calls that wait to be begun while the switch is busy with those it has, and who of them is let go when
//! there are more than it can begin in time.
//!
//! What tells overload is waiting, not a rate, and waiting that lasts. Whoever comes while somebody has waited at every
//! moment for less than [`BURST`] belongs to a burst, which is better worked off than refused. Who comes later is let go
//! at the moment when he has waited for `wait_max` (the rule of CoDel, RFC 8289: a queue that empties is doing its work, one
//! that stands is not), so that a refusal is a quick one whatever the burst before it left. The most valuable are begun first,
//! hardly ever wait that long, and may wait longer; in quiet times nobody does, and nobody is asked for his worth.

use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant, TierKey};

/// How much it matters that a call begins, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worth {
    /// A call for help. Never let go for having waited.
    Emergency,
    /// Came while there was no need to ask for its worth.
    Early,
    /// What keeps agents at work: their registrations and calls.
    Agent,
    /// A customer of this tier; a lower number is a more valuable one.
    Customer(TierKey),
    /// Nobody known.
    Stranger,
    /// A call is taken back: never before it has begun or been let go.
    Withdrawal,
}

impl Worth {
    /// How often the limit a call of this worth may wait. The most valuable are begun first and need it only when
    /// the machine stood still.
    const fn patience(self) -> u32 {
        match self {
            Worth::Emergency => u32::MAX,
            Worth::Agent | Worth::Customer(TierKey(0)) => 16,
            Worth::Customer(TierKey(1)) => 4,
            Worth::Customer(TierKey(2)) => 2,
            Worth::Early | Worth::Customer(_) | Worth::Stranger | Worth::Withdrawal => 1,
        }
    }
}

/// So many may wait before their worth matters.
const EARLY_MAX: usize = 16;

/// A backlog that was empty this lately is a burst. Shorter than a caller hears.
const BURST: Duration = Duration::from_millis(100);

/// Nobody belongs to a burst who comes so soon after somebody was let go: a backlog that empties for a moment because it
/// refuses is still too much.
const SORE: Duration = Duration::from_secs(1);

/// So long waits at most who came with a burst: three quarters of a carrier's first retransmission (T1, 500 ms).
const BURST_WAIT_MAX: Duration = Duration::from_millis(375);

/// Calls that wait at most, whatever they take.
const WAITING_MAX: usize = 4096;

/// New calls by worth, then by arrival.
#[derive(Debug)]
pub struct Backlog<T> {
    waiting: BTreeMap<(Worth, u64), (Instant, T)>,
    /// When each of them has waited too long.
    deadlines: BTreeSet<(Instant, Worth, u64)>,
    /// Since when somebody waits at every moment.
    standing: Option<Instant>,
    /// When somebody was last let go.
    refused: Option<Instant>,
    wait_max: Duration,
    next: u64,
}

impl<T> Backlog<T> {
    /// Nobody waits yet, and nobody but the most valuable shall wait for longer than `wait_max`.
    pub fn new(wait_max: Duration) -> Self {
        let (waiting, deadlines) = (BTreeMap::new(), BTreeSet::new());
        Backlog { waiting, deadlines, standing: None, refused: None, wait_max, next: 0 }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the worth of a call that comes now matters. While few wait, and for less than a quarter of the
    /// limit, it does not, and need not be found out ([`Worth::Early`]).
    pub fn worth_matters(&self, now: Instant) -> bool {
        self.waiting.len() >= EARLY_MAX || self.stands_for(now) >= self.wait_max / 4
    }

    /// For how long somebody has waited at every moment.
    fn stands_for(&self, now: Instant) -> Duration {
        self.standing.map_or(Duration::ZERO, |since| now - since)
    }

    /// A call came, which has waited since `since`. Returns the least valuable one if more wait than may at all.
    pub fn push(&mut self, now: Instant, since: Instant, worth: Worth, call: T) -> Option<T> {
        let sore = self.refused.is_some_and(|at| now - at < SORE);
        let burst = if sore || self.stands_for(now) >= BURST { Duration::ZERO } else { BURST_WAIT_MAX };
        self.standing.get_or_insert(now);
        let until = since + self.wait_max.saturating_mul(worth.patience()).max(burst);
        self.waiting.insert((worth, self.next), (until, call));
        self.deadlines.insert((until, worth, self.next));
        self.next = self.next.wrapping_add(1);
        if self.waiting.len() <= WAITING_MAX {
            return None;
        }
        let ((worth, number), (until, call)) = self.waiting.pop_last()?;
        self.deadlines.remove(&(until, worth, number));
        Some(call)
    }

    /// A call that has waited for as long as it may, and what it was worth when it came. It is let go; one that
    /// came [`Worth::Early`] may be worth another wait.
    pub fn pop_late(&mut self, now: Instant) -> Option<(Worth, T)> {
        let &(_, worth, number) = self.deadlines.first().filter(|(until, ..)| *until <= now)?;
        self.deadlines.pop_first();
        if !matches!(worth, Worth::Early | Worth::Withdrawal) {
            self.refused = Some(now);
        }
        let gone = self.waiting.remove(&(worth, number)).map(|(_, call)| (worth, call));
        self.settle();
        gone
    }

    /// The next call to begin.
    pub fn pop(&mut self) -> Option<T> {
        let ((worth, number), (until, call)) = self.waiting.pop_first()?;
        self.deadlines.remove(&(until, worth, number));
        self.settle();
        Some(call)
    }

    /// Whoever comes to an empty backlog begins a new burst.
    fn settle(&mut self) {
        if self.waiting.is_empty() {
            self.standing = None;
        }
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
            assert!(!backlog.worth_matters(at(round)));
            assert_eq!(backlog.push(at(round), at(round), Worth::Early, round), None);
            assert_eq!((backlog.pop_late(at(round)), backlog.pop()), (None, Some(round)));
        }
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_burst_that_is_worked_off_in_time_costs_nobody_anything() {
        let mut backlog = Backlog::new(MS * 8);
        for n in 0..500 {
            assert_eq!(backlog.push(at(0), at(0), Worth::Stranger, n), None);
        }
        for n in 0..500 {
            assert_eq!((backlog.pop_late(at(n / 70)), backlog.pop()), (None, Some(n)));
        }
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_burst_of_many_times_the_limit_is_worked_off_and_nobody_refused() {
        let mut backlog = Backlog::new(MS * 5);
        for n in 0..500 {
            assert_eq!(backlog.push(at(0), at(0), Worth::Stranger, n), None);
        }
        for n in 0..500 {
            assert_eq!((backlog.pop_late(at(n / 6)), backlog.pop()), (None, Some(n)));
        }
        assert!(backlog.is_empty() && backlog.standing.is_none());
    }

    /// Two come each millisecond, one of ten valuable; one is begun.
    #[test]
    fn at_twice_what_can_be_begun_the_valuable_are_and_the_others_hear_in_time() {
        let mut backlog = Backlog::new(MS * 8);
        let (mut begun, mut gone) = (Vec::new(), Vec::new());
        for now in 0..1000u64 {
            for half in 0..2 {
                let number = now * 2 + half;
                let valuable = number.is_multiple_of(10);
                let known = if valuable { Worth::Customer(TierKey(0)) } else { Worth::Stranger };
                let worth = if backlog.worth_matters(at(now)) { known } else { Worth::Early };
                assert!(backlog.push(at(now), at(now), worth, (now, valuable)).is_none());
            }
            let late = core::iter::from_fn(|| backlog.pop_late(at(now)));
            gone.extend(late.map(|(_, (came, valuable))| (came, now - came, valuable)));
            begun.extend(backlog.pop().map(|(came, v)| (came, now - came, v)));
        }
        assert_eq!(begun.len(), 1000, "it is never idle");
        assert!(gone.len() > 850, "{}", gone.len());
        // Those of the first 100 ms were taken for a burst and are worked off; from then on it is told within 8 ms.
        assert!(gone.iter().all(|(came, waited, valuable)| *came >= 100 && *waited == 8 && !valuable));
        assert!(begun.iter().all(|(came, waited, _)| *waited <= if *came < 100 { 150 } else { 8 }));
        while backlog.pop().is_some() {}
        assert!(backlog.is_empty() && backlog.standing.is_none() && backlog.deadlines.is_empty());
    }

    #[test]
    fn who_came_with_a_burst_is_let_go_before_the_carrier_sends_again() {
        let mut backlog = Backlog::new(MS * 5);
        assert_eq!(backlog.push(at(0), at(0), Worth::Early, 1), None);
        assert_eq!(backlog.push(at(200), at(200), Worth::Stranger, 2), None);
        assert_eq!(
            (backlog.pop_late(at(204)), backlog.pop_late(at(205))),
            (None, Some((Worth::Stranger, 2)))
        );
        assert_eq!((backlog.pop_late(at(374)), backlog.pop_late(at(375))), (None, Some((Worth::Early, 1))));
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_backlog_that_empties_because_it_refuses_is_no_burst() {
        let mut backlog = Backlog::new(MS * 5);
        assert_eq!(backlog.push(at(0), at(0), Worth::Stranger, 1), None);
        assert_eq!(backlog.push(at(100), at(100), Worth::Stranger, 2), None);
        assert_eq!((backlog.pop(), backlog.pop_late(at(105))), (Some(1), Some((Worth::Stranger, 2))));
        for (came, late) in [(106, 111), (1_104, 1_109), (2_109, 2_484)] {
            assert_eq!(backlog.push(at(came), at(came), Worth::Stranger, 3), None);
            assert_eq!(backlog.pop_late(at(late - 1)), None);
            assert_eq!(backlog.pop_late(at(late)), Some((Worth::Stranger, 3)), "{came}");
        }
    }

    #[test]
    fn emergencies_go_only_at_the_hard_limit() {
        let mut backlog = Backlog::new(MS);
        let gone = (0..WAITING_MAX + 2)
            .filter(|n| backlog.push(at(0), at(0), Worth::Emergency, *n).is_some())
            .count();
        assert_eq!((gone, backlog.len()), (2, WAITING_MAX));
        assert_eq!(backlog.pop_late(at(60_000)), None);
        assert_eq!(backlog.pop(), Some(0));
    }
}
