//! Hash tables keyed by a secret seed: a peer who chooses the keys cannot choose the collisions,
//! and two runs with the same seed behave alike.

#![expect(clippy::disallowed_types, reason = "the one place that gives the standard tables their seed")]

use core::hash::{BuildHasher, Hash, Hasher};
use std::collections::{HashMap, HashSet};
use std::hash::DefaultHasher;

/// A 128-bit secret that starts every hash of a table.
#[derive(Clone, Copy, Default)]
pub struct Seed(pub [u64; 2]);

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// SipHash-1-3 that has absorbed the secret seed before the key: without the seed its state, and so
/// its collisions, are unknown to whoever chooses the keys.
impl BuildHasher for Seed {
    type Hasher = DefaultHasher;
    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0[0]);
        hasher.write_u64(self.0[1]);
        hasher
    }
}

/// A map whose hash is seeded. Its iteration order carries no meaning: sort before it matters.
pub type SeededMap<K, V> = HashMap<K, V, Seed>;

/// A set whose hash is seeded.
pub type SeededSet<K> = HashSet<K, Seed>;

/// Entries that a table may have room for, however few it holds.
const ROOM: usize = 8192;

/// Gives memory back if the table has room for sixteen times what it holds: a rush is over. For where entries are
/// removed. What is moved is a sixteenth of what was moved when the table grew.
#[inline]
pub fn thin_out<K: Eq + Hash, V>(map: &mut SeededMap<K, V>) {
    let room = map.capacity();
    if room > ROOM && map.len() < room / 16 {
        shrink(map);
    }
}

#[cold]
fn shrink<K: Eq + Hash, V>(map: &mut SeededMap<K, V>) {
    map.shrink_to(map.len().saturating_mul(4).max(ROOM / 2));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_changes_the_hash() {
        assert_ne!(Seed([1, 2]).hash_one("call-id"), Seed([1, 3]).hash_one("call-id"));
        assert_eq!(Seed([1, 2]).hash_one("call-id"), Seed([1, 2]).hash_one("call-id"));
    }

    #[test]
    fn a_table_gives_back_what_a_rush_took() {
        let mut map = SeededMap::with_hasher(Seed([1, 2]));
        let mut shrunk = 0;
        map.extend((0..100_000_u32).map(|n| (n, n)));
        for n in 0..100_000 {
            map.remove(&n);
            let before = map.capacity();
            thin_out(&mut map);
            shrunk += usize::from(map.capacity() < before);
            assert_eq!(map.get(&99_999).copied(), (n < 99_999).then_some(99_999));
        }
        assert!(map.capacity() <= ROOM && (1..4).contains(&shrunk), "{} {shrunk}", map.capacity());
    }
}
