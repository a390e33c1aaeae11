//! One timer wheel for all legs of a relay: 20 lists, one per millisecond of the 20 ms frame. A leg
//! stays in its list, so its packets leave on an absolute grid that never drifts. While there are few legs they
//! share few lists, because the wake-up is what costs then; the more there are, the more evenly they are spread
//! over the frame.

use base::Instant;

use crate::codec::FRAME_MS;

/// Lists, and milliseconds per turn.
pub(super) const PHASES: usize = FRAME_MS as usize;
/// Few legs share every so-manieth list: their packets leave in four bursts a frame ...
const SHARED_EVERY: usize = 5;
/// ... of so many at most, a third of a millisecond of sending.
const BURST: usize = 80;
/// After a stall at most so much is caught up in one burst (5 packets a leg); the rest is skipped.
const CATCH_UP_MS: u64 = 100;

/// Who sends when.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    legs: Lists,
    mixes: Lists,
    /// The last millisecond that was done.
    done_ms: u64,
}

/// A member's place: its list in the low digit, to the base of [`PHASES`], and where it stands there.
pub(super) type Ticket = u32;

/// One list per millisecond of the frame.
#[derive(Clone, Debug)]
struct Lists([Vec<u32>; PHASES]);

impl Lists {
    fn new() -> Self {
        Lists(core::array::from_fn(|_| Vec::new()))
    }

    /// The shortest of the shared lists until they are full, then the shortest of all.
    fn phase(&self) -> usize {
        let shortest = |every: usize| {
            let lists = self.0.iter().map(Vec::len).enumerate().step_by(every);
            lists.min_by_key(|(_, length)| *length).unwrap_or_default()
        };
        match shortest(SHARED_EVERY) {
            (phase, length) if length < BURST => phase,
            _ => shortest(1).0,
        }
    }

    fn insert(&mut self, member: u32) -> Ticket {
        let phase = self.phase();
        let Some(list) = self.0.get_mut(phase) else { return 0 };
        let place = list.len();
        list.push(member);
        u32::try_from(place.saturating_mul(PHASES).saturating_add(phase)).unwrap_or(u32::MAX)
    }

    fn remove(&mut self, member: u32, ticket: Ticket) -> Option<u32> {
        let ticket = ticket as usize;
        let (place, list) = (ticket / PHASES, self.0.get_mut(ticket % PHASES)?);
        if list.get(place) != Some(&member) {
            return None;
        }
        list.swap_remove(place);
        list.get(place).copied()
    }

    fn at(&mut self, ms: u64) -> Option<&mut Vec<u32>> {
        self.0.get_mut((ms % PHASES as u64) as usize)
    }

    fn due(&self, ms: u64, place: usize) -> Option<u32> {
        self.0.get((ms % PHASES as u64) as usize)?.get(place).copied()
    }
}

/// How a turn of the wheel went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Turn {
    /// First millisecond to do.
    pub(super) first_ms: u64,
    /// Last one.
    pub(super) last_ms: u64,
    /// Milliseconds skipped before the first.
    pub(super) skipped_ms: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Wheel { legs: Lists::new(), mixes: Lists::new(), done_ms: 0 }
    }

    /// Nothing was due while there were no legs.
    pub(super) const fn start(&mut self, now: Instant) {
        self.done_ms = now.as_millis();
    }

    /// Adds a leg; its place.
    pub(super) fn insert(&mut self, leg: u32) -> Ticket {
        self.legs.insert(leg)
    }

    /// Takes the leg at `place` out; the leg that moved there, if one did.
    pub(super) fn remove(&mut self, leg: u32, place: Ticket) -> Option<u32> {
        self.legs.remove(leg, place)
    }

    /// The same for mixes.
    pub(super) fn insert_mix(&mut self, mix: u32) -> Ticket {
        self.mixes.insert(mix)
    }

    /// The same for mixes.
    pub(super) fn remove_mix(&mut self, mix: u32, place: Ticket) -> Option<u32> {
        self.mixes.remove(mix, place)
    }

    /// The mix at `place` of the list that is due at `ms`.
    pub(super) fn due_mix(&self, ms: u64, place: usize) -> Option<u32> {
        self.mixes.due(ms, place)
    }

    /// The legs that are due at `ms`. To be given back before any leg joins or leaves.
    pub(super) fn take(&mut self, ms: u64) -> Vec<u32> {
        self.legs.at(ms).map(core::mem::take).unwrap_or_default()
    }

    /// Puts them back.
    pub(super) fn give_back(&mut self, ms: u64, list: Vec<u32>) {
        if let Some(place) = self.legs.at(ms) {
            *place = list;
        }
    }

    /// The milliseconds to do by `now`; `None` if there are none.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Turn> {
        let now_ms = now.as_millis();
        let behind = now_ms.saturating_sub(self.done_ms);
        if behind == 0 {
            return None;
        }
        let skipped_ms = behind.saturating_sub(CATCH_UP_MS);
        let first_ms = self.done_ms.saturating_add(skipped_ms).saturating_add(1);
        self.done_ms = now_ms;
        Some(Turn { first_ms, last_ms: now_ms, skipped_ms })
    }

    /// The next millisecond at which a list is due, or the frame begins (for housekeeping).
    pub(super) fn next(&self) -> Instant {
        let phases = PHASES as u64;
        let due = |ahead: &u64| {
            let ms = self.done_ms.saturating_add(*ahead);
            ms.is_multiple_of(phases) || self.legs.due(ms, 0).is_some() || self.due_mix(ms, 0).is_some()
        };
        let ahead = (1..=phases).find(due).unwrap_or(phases);
        Instant::from_millis(self.done_ms.saturating_add(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(wheel: &Wheel) -> Vec<usize> {
        wheel.legs.0.iter().map(Vec::len).collect()
    }

    #[test]
    fn few_legs_share_four_wake_ups_and_many_are_spread() {
        let mut wheel = Wheel::new();
        let mut tickets = Vec::new();
        for legs in 1..=20_000 {
            tickets.push(wheel.insert(legs - 1));
            let lists = lengths(&wheel);
            let busy = lists.iter().filter(|length| **length > 0).count();
            assert_eq!(
                busy,
                (legs as usize).min(4).max((legs as usize).saturating_sub(316)).min(20),
                "{legs}"
            );
            let even = (legs as usize).div_ceil(PHASES);
            assert!(lists.iter().all(|length| *length <= even.max(BURST)), "{legs}: {lists:?}");
        }
        // Half of them go: whoever moved is found at his new place.
        for leg in (0..20_000).step_by(2) {
            if let Some(moved) = wheel.remove(leg, tickets[leg as usize]) {
                tickets[moved as usize] = tickets[leg as usize];
            }
        }
        assert_eq!(lengths(&wheel).iter().sum::<usize>(), 10_000);
        let stands = |leg: &u32| {
            let ticket = tickets[*leg as usize] as usize;
            wheel.legs.due((ticket % PHASES) as u64, ticket / PHASES) == Some(*leg)
        };
        let whole = (0..20_000).filter(stands);
        assert!(whole.eq((0..20_000).skip(1).step_by(2)));
    }
}
