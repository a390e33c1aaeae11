//! The table of media ports: which worker owns which pair, which are free, which rest.

use core::ops::RangeInclusive;
use std::collections::{BTreeSet, VecDeque};

use base::{Duration, Instant};

/// An RTP port (even) with the RTCP port above it, on one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The worker whose sockets it is.
    pub worker: usize,
    /// The even port.
    pub rtp: u16,
}

#[derive(Clone, Debug, Default)]
struct Share {
    /// Longest free first: a port is used again as late as possible.
    free: VecDeque<u16>,
    resting: VecDeque<(Instant, u16)>,
    used: BTreeSet<u16>,
    /// The worker does not keep up.
    late: bool,
}

/// The part of a worker's pairs that no caller from outside is given: were they all taken by callers who wait, no
/// agent could be rung and nobody would ever be served. Each talk that ends gives two pairs back, so an eighth is enough to
/// go on with, and costs a full switch an eighth of its callers.
const KEPT_FOR_RINGING: usize = 8;

impl Share {
    fn wake(&mut self, now: Instant) {
        while let Some((_, rtp)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.free.push_back(rtp);
        }
    }

    fn total(&self) -> usize {
        self.used.len() + self.free.len() + self.resting.len()
    }
}

/// Port pairs, shared out among the workers.
#[derive(Clone, Debug)]
pub struct PortTable {
    shares: Vec<Share>,
    quarantine: Duration,
}

impl PortTable {
    /// The pairs that fit into `range`, dealt out to `workers` workers in turn.
    pub fn new(range: RangeInclusive<u16>, workers: usize, quarantine: Duration) -> Self {
        let mut shares = vec![Share::default(); workers.max(1)];
        let first = u32::from(*range.start()).next_multiple_of(2);
        let pairs = (first..u32::from(*range.end())).step_by(2).filter_map(|port| u16::try_from(port).ok());
        let count = shares.len();
        for (index, rtp) in pairs.enumerate() {
            if let Some(share) = shares.get_mut(index % count) {
                share.free.push_back(rtp);
            }
        }
        PortTable { shares, quarantine }
    }

    /// The worker with the fewest ports in use among those that keep up: where a new call goes.
    pub fn quietest(&self) -> usize {
        let by_use = self.shares.iter().enumerate().min_by_key(|(_, share)| (share.late, share.used.len()));
        by_use.map_or(0, |(worker, _)| worker)
    }

    /// A worker does not keep up, or does again.
    pub fn set_late(&mut self, worker: usize, late: bool) {
        if let Some(share) = self.shares.get_mut(worker) {
            share.late = late;
        }
    }

    /// Whether no worker keeps up: a new call would make those that talk worse.
    pub fn all_late(&self) -> bool {
        self.shares.iter().all(|share| share.late)
    }

    /// Whether `worker` has a pair for one more caller from outside, besides those kept for the agents who are to be
    /// rung.
    pub fn has_room(&mut self, now: Instant, worker: usize) -> bool {
        self.shares.get_mut(worker).is_some_and(|share| {
            share.wake(now);
            share.free.len() > share.total().div_ceil(KEPT_FOR_RINGING)
        })
    }

    /// A free pair of `worker`; `None` if all are in use or rest.
    pub fn take(&mut self, now: Instant, worker: usize) -> Option<Port> {
        let share = self.shares.get_mut(worker)?;
        share.wake(now);
        let rtp = share.free.pop_front()?;
        share.used.insert(rtp);
        Some(Port { worker, rtp })
    }

    /// Gives a pair back; it rests before it is used again.
    pub fn give_back(&mut self, now: Instant, port: Port) {
        let Some(share) = self.shares.get_mut(port.worker) else { return };
        if share.used.remove(&port.rtp) {
            share.resting.push_back((now + self.quarantine, port.rtp));
        }
    }

    /// Pairs in use.
    pub fn used(&self) -> usize {
        self.shares.iter().map(|share| share.used.len()).sum()
    }

    /// Pairs in all.
    pub fn total(&self) -> usize {
        self.shares.iter().map(Share::total).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_shared_out() {
        let mut table = PortTable::new(10_001..=10_009, 2, Duration::from_secs(5));
        assert_eq!(table.total(), 4, "10002, 10004, 10006 and 10008, each with the port above it");
        let port = table.take(Instant::ZERO, 0).unwrap();
        assert_eq!(port, Port { worker: 0, rtp: 10_002 });
        assert_eq!(table.quietest(), 1);
    }

    #[test]
    fn a_worker_that_does_not_keep_up_gets_no_new_call() {
        let mut table = PortTable::new(10_000..=10_019, 2, Duration::from_secs(5));
        table.take(Instant::ZERO, 1).unwrap();
        table.set_late(0, true);
        assert_eq!((table.quietest(), table.all_late()), (1, false));
        table.set_late(1, true);
        assert!(table.all_late());
        table.set_late(0, false);
        assert_eq!((table.quietest(), table.all_late()), (0, false));
    }

    #[test]
    fn the_last_pairs_are_kept_for_ringing() {
        let mut table = PortTable::new(10_000..=10_019, 1, Duration::from_secs(5));
        let mut callers = 0;
        while table.has_room(Instant::ZERO, 0) {
            table.take(Instant::ZERO, 0).unwrap();
            callers += 1;
        }
        assert_eq!(callers, 8, "of ten pairs two are kept: an eighth, rounded up");
        assert!(table.take(Instant::ZERO, 0).is_some() && table.take(Instant::ZERO, 0).is_some());
        assert_eq!(table.take(Instant::ZERO, 0), None);
        assert!(!table.has_room(Instant::ZERO, 1), "no such worker");
    }

    #[test]
    fn a_port_rests_before_it_is_used_again() {
        let mut table = PortTable::new(10_000..=10_001, 1, Duration::from_secs(5));
        let port = table.take(Instant::ZERO, 0).unwrap();
        assert_eq!(table.take(Instant::ZERO, 0), None);
        table.give_back(Instant::ZERO, port);
        table.give_back(Instant::ZERO, port);
        assert_eq!(table.take(Instant::from_millis(4_999), 0), None);
        assert_eq!(table.take(Instant::from_secs(5), 0), Some(port));
        assert_eq!((table.used(), table.total()), (1, 1));
    }
}
