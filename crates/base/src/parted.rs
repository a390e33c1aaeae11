//! A hash table that grows without holding anybody up.
//!
//! A table that is full doubles and moves all it holds at once: 100,000 transactions took twelve milliseconds of a
//! loop that owes each caller an answer in ten. This one is sixty-four tables, each of which moves its own share.

use core::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use crate::Seed;

/// Tables that a map consists of.
const PARTS: usize = 64;
/// Entries that a part may have room for, however few it holds.
const ROOM: usize = 128;

/// Values by key, the hash seeded. Nothing walks over it: its order would carry no meaning.
#[derive(Clone, Debug)]
pub struct PartedMap<K, V> {
    parts: [HashTable<(K, V)>; PARTS],
    seed: Seed,
    len: usize,
}

impl<K: Eq + Hash, V> PartedMap<K, V> {
    /// An empty table.
    pub fn new(seed: Seed) -> Self {
        PartedMap { parts: [const { HashTable::new() }; PARTS], seed, len: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let hash = self.seed.hash_one(key);
        self.parts[part(hash)].find(hash, |(known, _)| known == key).map(|(_, value)| value)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = self.seed.hash_one(key);
        self.parts[part(hash)].find_mut(hash, |(known, _)| known == key).map(|(_, value)| value)
    }

    /// Keeps `value` for `key` and returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = self.seed.hash_one(&key);
        let part = &mut self.parts[part(hash)];
        if let Some((_, known)) = part.find_mut(hash, |(known, _)| *known == key) {
            return Some(core::mem::replace(known, value));
        }
        let seed = self.seed;
        part.insert_unique(hash, (key, value), |(key, _)| seed.hash_one(key));
        self.len += 1;
        None
    }

    /// Takes the value of `key` away. When a rush is over, memory is given back: from a part with room for sixteen times
    /// what it holds.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let hash = self.seed.hash_one(key);
        let part = &mut self.parts[part(hash)];
        let entry = part.find_entry(hash, |(known, _)| known == key).ok()?;
        let ((_, value), _) = entry.remove();
        self.len -= 1;
        let room = part.capacity();
        if room > ROOM && part.len() < room / 16 {
            let seed = self.seed;
            part.shrink_to((part.len() * 4).max(ROOM / 2), |(key, _)| seed.hash_one(key));
        }
        Some(value)
    }

    #[cfg(test)]
    fn room(&self) -> usize {
        self.parts.iter().map(HashTable::capacity).sum()
    }
}

/// The part of a hash, by bits that the parts themselves do not look at: they take their places from the lowest and
/// compare the highest.
fn part(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(entries: u64) -> PartedMap<u64, u64> {
        let mut map = PartedMap::new(Seed([1, 2]));
        (0..entries).for_each(|n| assert_eq!(map.insert(n, n * 3), None));
        map
    }

    #[test]
    fn what_was_put_in_is_found_changed_and_taken_out() {
        let mut map = filled(10_000);
        assert_eq!((map.len(), map.get(&77), map.get(&10_000)), (10_000, Some(&231), None));
        assert_eq!((map.insert(77, 5), map.len()), (Some(231), 10_000));
        *map.get_mut(&77).unwrap() += 1;
        assert_eq!((map.remove(&77), map.remove(&77), map.get(&77), map.len()), (Some(6), None, None, 9_999));
        assert!(map.get_mut(&77).is_none());
        assert!((0..10_000).all(|n| map.remove(&n).is_some() != (n == 77)));
        assert!(map.is_empty());
    }

    #[test]
    fn no_entry_moves_more_than_a_small_part() {
        let mut map = filled(0);
        for n in 0..200_000 {
            let before: Vec<_> = map.parts.iter().map(HashTable::capacity).collect();
            map.insert(n, n);
            let moved = before.iter().zip(&map.parts).filter(|(room, part)| **room != part.capacity());
            let moved: usize = moved.map(|(_, part)| part.len()).sum();
            assert!(moved <= map.len() / 32 + 8, "{moved} of {}", map.len());
        }
    }

    #[test]
    fn memory_is_given_back_when_a_rush_is_over() {
        let mut map = filled(100_000);
        assert!(map.room() >= 100_000);
        for n in 0..100_000 {
            assert_eq!(map.remove(&n), Some(n * 3));
            assert_eq!(map.get(&99_999).is_some(), n < 99_999);
        }
        assert!(map.room() <= PARTS * ROOM, "{}", map.room());
    }
}
