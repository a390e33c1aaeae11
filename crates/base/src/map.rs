//! Hash tables keyed by a secret seed: a peer who chooses the keys cannot choose the collisions,
//! and two runs with the same seed behave alike.

#![expect(clippy::disallowed_types, reason = "the one place that gives the standard tables their seed")]

use core::hash::{BuildHasher, Hasher};
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_changes_the_hash() {
        assert_ne!(Seed([1, 2]).hash_one("call-id"), Seed([1, 3]).hash_one("call-id"));
        assert_eq!(Seed([1, 2]).hash_one("call-id"), Seed([1, 2]).hash_one("call-id"));
    }
}
