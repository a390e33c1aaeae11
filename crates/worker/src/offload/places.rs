//! Places for bridges in the program's maps: one thread's own.

use std::collections::VecDeque;
use std::time::Duration;

use base::Instant;

/// So long a place is left alone after its flows were withdrawn. The program, in the middle of a packet on another
/// processor, may still read them; that takes it a microsecond, or some milliseconds if the processor is a virtual one
/// that is made to wait, and our `now` is as old as a thread's round. Meanwhile the place says what it said, so that
/// nobody's voice goes to another's listener.
pub(super) const REST: Duration = Duration::from_secs(1);

/// Places that nobody uses: for a flow each, and for its way back the odd one after it.
#[derive(Debug)]
pub(super) struct Places {
    /// With the instant from which they may be used. The longest free goes first.
    free: VecDeque<(Instant, u32)>,
}

/// Places for a thread that may carry `bridges` bridges: so many that others can rest meanwhile. Where more end and
/// begin than that while all are taken, the new ones are refused, and come again.
pub(super) const fn needed(bridges: u32) -> u32 {
    bridges.saturating_add(bridges / 8).saturating_add(16)
}

impl Places {
    /// For `bridges` bridges, beginning with place `first`, which is even.
    pub(super) fn new(first: u32, bridges: u32) -> Places {
        let free = (0..bridges).map(|bridge| (Instant::ZERO, first.saturating_add(bridge.saturating_mul(2))));
        Places { free: free.collect() }
    }

    /// A place that nobody can still be reading.
    pub(super) fn take(&mut self, now: Instant) -> Option<u32> {
        self.free.pop_front_if(|(from, _)| *from <= now).map(|(_, place)| place)
    }

    /// Gives a place back whose flows have been withdrawn.
    pub(super) fn give_back(&mut self, now: Instant, place: u32) {
        self.free.push_back((now + REST, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_rests_before_it_is_used_again() {
        let mut places = Places::new(2, 2);
        let at = Instant::from_millis;
        assert_eq!((places.take(at(0)), places.take(at(0)), places.take(at(0))), (Some(2), Some(4), None));
        places.give_back(at(10), 4);
        places.give_back(at(20), 2);
        assert_eq!(places.take(at(1009)), None);
        assert_eq!(places.take(at(1010)), Some(4), "the one that was freed first");
        assert_eq!(places.take(at(1019)), None);
        assert_eq!(places.take(at(1020)), Some(2));
    }
}
