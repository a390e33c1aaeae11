//! A table of timers: at most one deadline per timer name.

use core::hash::Hash;
use std::collections::BTreeSet;

use crate::{Instant, PartedMap, Seed};

/// Deadlines by name. `K` names a timer (an RFC's letter with its transaction, or what it ends).
/// Setting and cancelling cost O(log n); the earliest deadline is at hand.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    by_deadline: BTreeSet<(Instant, K)>,
    by_name: PartedMap<K, Instant>,
}

impl<K: Copy + Ord + Hash> Timers<K> {
    /// An empty table.
    pub fn new(seed: Seed) -> Self {
        Timers { by_deadline: BTreeSet::new(), by_name: PartedMap::new(seed) }
    }

    /// Sets timer `name` to `at`, replacing its earlier deadline.
    pub fn set(&mut self, name: K, at: Instant) {
        if let Some(old) = self.by_name.insert(name, at) {
            self.by_deadline.remove(&(old, name));
        }
        self.by_deadline.insert((at, name));
    }

    /// Stops timer `name`; nothing happens if it is not set.
    pub fn cancel(&mut self, name: K) {
        if let Some(old) = self.by_name.remove(&name) {
            self.by_deadline.remove(&(old, name));
        }
    }

    /// The deadline of `name`, if it is set.
    pub fn get(&self, name: K) -> Option<Instant> {
        self.by_name.get(&name).copied()
    }

    /// The earliest deadline and its name.
    pub fn next(&self) -> Option<(Instant, K)> {
        self.by_deadline.first().copied()
    }

    /// Takes one timer whose deadline is at or before `now`, earliest first.
    pub fn pop_expired(&mut self, now: Instant) -> Option<(Instant, K)> {
        let &(at, name) = self.by_deadline.first()?;
        if at > now {
            return None;
        }
        self.by_deadline.remove(&(at, name));
        self.by_name.remove(&name);
        Some((at, name))
    }

    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_one_deadline_per_name() {
        let mut timers = Timers::new(Seed::default());
        timers.set('B', Instant::from_secs(32));
        timers.set('A', Instant::from_millis(500));
        timers.set('A', Instant::from_secs(1));
        timers.cancel('Z');
        assert_eq!(timers.len(), 2);
        assert_eq!(timers.next(), Some((Instant::from_secs(1), 'A')));
        assert_eq!(timers.pop_expired(Instant::from_millis(999)), None);
        assert_eq!(timers.pop_expired(Instant::from_secs(40)), Some((Instant::from_secs(1), 'A')));
        assert_eq!(timers.pop_expired(Instant::from_secs(40)), Some((Instant::from_secs(32), 'B')));
        assert!(timers.is_empty());
    }
}
