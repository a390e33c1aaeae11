//! What has arrived and is not handled yet, and in which order it will be. The sockets are emptied into it at each turn of
//! the driver's loop, so that nothing waits where it cannot be seen: what belongs to calls that exist comes first, then new
//! calls by their worth, and those for whom it is too late hear so before anything else is done.

use std::collections::VecDeque;

use base::{Duration, Instant};

use crate::backlog::{Backlog, Worth};

/// Messages about what exists that wait at most. The rest waits in the sockets.
const EXISTING_MAX: usize = 4096;

/// After so many messages about what exists one new call has its turn: whoever sends rubbish in numbers does not keep
/// callers out.
const TURNS: u32 = 64;

/// What is to be handled next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<E, N> {
    /// It belongs to what exists.
    Existing(E),
    /// It is new.
    New(N),
}

/// Arrivals: `E` belong to what exists, `N` are new.
#[derive(Debug)]
pub struct Intake<E, N> {
    existing: VecDeque<E>,
    new: Backlog<N>,
    turns: u32,
}

impl<E, N> Intake<E, N> {
    /// Nothing has arrived yet. Nobody new but the most valuable shall wait for longer than `wait_max`.
    pub fn new(wait_max: Duration) -> Self {
        Intake { existing: VecDeque::new(), new: Backlog::new(wait_max), turns: 0 }
    }

    /// Whether all that arrived was handled.
    pub fn is_empty(&self) -> bool {
        self.existing.is_empty() && self.new.is_empty()
    }

    /// Whether the sockets must keep what they have.
    pub fn is_full(&self) -> bool {
        self.existing.len() >= EXISTING_MAX
    }

    /// New calls that wait.
    pub fn waiting(&self) -> usize {
        self.new.len()
    }

    /// Something arrived that belongs to what exists.
    pub fn existing(&mut self, arrival: E) {
        self.existing.push_back(arrival);
    }

    /// Something new was found, which may have come as early as `since`; `worth` is asked only if it matters. Returns what
    /// must be refused at once.
    pub fn arrived(
        &mut self,
        now: Instant,
        since: Instant,
        call: N,
        worth: impl FnOnce(&N) -> Worth,
    ) -> Option<N> {
        let worth = if self.new.worth_matters(now) { worth(&call) } else { Worth::Early };
        self.new.push(now, since, worth, call)
    }

    /// A call that may still wait here is taken back: that is handled once the call has been (RFC 3261 §9.2 knows only calls
    /// that have begun). Returns what must be refused at once.
    pub fn withdrawn(&mut self, now: Instant, cancel: N) -> Option<N> {
        self.new.push(now, now, Worth::Withdrawal, cancel)
    }

    /// Something new that has waited too long and must be refused now.
    pub fn too_late(&mut self, now: Instant, worth: impl Fn(&N) -> Worth) -> Option<N> {
        loop {
            let (known, call) = self.new.pop_late(now)?;
            // Who came before it mattered may be worth another wait.
            let known = if known == Worth::Early { worth(&call) } else { Worth::Stranger };
            if known == Worth::Stranger {
                return Some(call);
            }
            if let Some(gone) = self.new.push(now, now, known, call) {
                return Some(gone);
            }
        }
    }

    /// What to handle next.
    pub fn pop(&mut self) -> Option<Next<E, N>> {
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(TURNS)
            && let Some(call) = self.new.pop()
        {
            return Some(Next::New(call));
        }
        match self.existing.pop_front() {
            Some(arrival) => Some(Next::Existing(arrival)),
            None => self.new.pop().map(Next::New),
        }
    }
}

#[cfg(test)]
mod tests {
    use base::TierKey;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn worth(call: &u64) -> Worth {
        if call.is_multiple_of(10) { Worth::Customer(TierKey(0)) } else { Worth::Stranger }
    }

    #[test]
    fn what_exists_comes_first_then_the_valuable_then_who_came_first() {
        let mut intake = Intake::new(MS * 5);
        for call in 101..=120 {
            assert_eq!(intake.arrived(at(0), at(0), call, worth), None);
        }
        intake.existing("bye");
        intake.existing("ack");
        let order: Vec<_> = core::iter::from_fn(|| intake.pop()).collect();
        assert_eq!(order[..2], [Next::Existing("bye"), Next::Existing("ack")]);
        // The first sixteen came before worth mattered; 120 is a valuable one and passes 117 to 119.
        let calls: Vec<u64> = (101..=116).chain([120, 117, 118, 119]).collect();
        assert_eq!(order[2..], calls.into_iter().map(Next::New).collect::<Vec<_>>());
        assert!(intake.is_empty());
    }

    #[test]
    fn whoever_takes_his_call_back_is_heard_after_it_has_begun_or_been_refused() {
        let (call, cancel) = (100, 1100);
        // Whether it was waiting among few or among many, and whatever it was worth.
        for before in [0, 40] {
            let mut intake: Intake<(), u64> = Intake::new(MS * 5);
            for other in 201..201 + before {
                assert_eq!(intake.arrived(at(0), at(0), other, worth), None);
            }
            assert_eq!(
                (intake.arrived(at(1), at(1), call, worth), intake.withdrawn(at(1), cancel)),
                (None, None)
            );
            assert_eq!(intake.arrived(at(2), at(2), 301, worth), None);
            let order: Vec<_> = core::iter::from_fn(|| intake.pop()).collect();
            let place = |number| order.iter().position(|next| *next == Next::New(number)).unwrap();
            assert!(place(call) < place(cancel) && place(301) < place(cancel), "{order:?}");
        }
        // In overload a stranger and his cancel are let go in their order.
        let mut intake: Intake<(), u64> = Intake::new(MS * 5);
        assert_eq!(intake.arrived(at(0), at(0), 1, worth), None);
        assert_eq!(intake.arrived(at(200), at(200), 7, worth), None);
        assert_eq!(intake.withdrawn(at(200), 1007), None);
        let late: Vec<_> = core::iter::from_fn(|| intake.too_late(at(205), worth)).collect();
        assert_eq!(late, [7, 1007]);
    }

    #[test]
    fn rubbish_in_numbers_keeps_no_caller_out() {
        let mut intake = Intake::new(MS * 5);
        (0..EXISTING_MAX).for_each(|n| intake.existing(n));
        assert!(intake.is_full());
        assert_eq!(intake.arrived(at(0), at(0), 7, worth), None);
        let before = core::iter::from_fn(|| intake.pop()).take_while(|next| *next != Next::New(7));
        assert!(before.count() < TURNS as usize);
        assert!(!intake.is_full());
    }

    /// Each millisecond two calls come and five messages about what exists; one call can be begun, or ten messages be
    /// handled. So nothing new can be begun half of the time, and half of the calls must be refused.
    #[test]
    fn at_overload_refusals_come_in_time_and_no_turn_is_lost() {
        let mut intake = Intake::new(MS * 5);
        let (mut begun, mut refused) = (Vec::new(), Vec::new());
        for ms in 0..2_000 {
            for call in [ms * 2, ms * 2 + 1] {
                assert_eq!(intake.arrived(at(ms), at(ms), call, worth), None);
            }
            (0..5).for_each(|_| intake.existing(()));
            refused.extend(core::iter::from_fn(|| intake.too_late(at(ms), worth)).map(|call| (call, ms)));
            let mut room = 15;
            while room > 0 {
                match intake.pop() {
                    Some(Next::New(call)) => {
                        begun.push(call);
                        room -= 10;
                    }
                    Some(Next::Existing(())) => room -= 1,
                    None => break,
                }
            }
        }
        assert!(begun.len() >= 2_000, "{}", begun.len());
        assert!(refused.len() > 1_500, "{}", refused.len());
        assert!(refused.iter().all(|(call, ms)| ms - call / 2 <= 5 && worth(call) == Worth::Stranger));
        let valuable = begun.iter().filter(|call| worth(call) != Worth::Stranger).count();
        assert!(valuable >= 399, "{valuable} of 400");
    }
}
