//! Randomness from a seed: same seed, same run. Unpredictable to whoever sees its outputs, so it may
//! make tags, branches, SSRCs and nonces.

use core::hash::{BuildHasher, Hasher};

use crate::Seed;

/// A counter under a keyed SipHash (a pseudo-random function).
#[derive(Clone, Debug)]
pub struct Rng {
    seed: Seed,
    counter: u64,
}

impl Rng {
    /// A generator whose outputs depend only on `seed`.
    pub const fn new(seed: Seed) -> Self {
        Rng { seed, counter: 0 }
    }

    /// A generator of its own, for a part that must not disturb this one's sequence.
    #[must_use]
    pub fn fork(&mut self) -> Rng {
        Rng::new(self.next_seed())
    }

    /// 128 fresh bits as a hash seed.
    pub fn next_seed(&mut self) -> Seed {
        Seed([self.next_u64(), self.next_u64()])
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u64(self.counter);
        self.counter = self.counter.wrapping_add(1);
        hasher.finish()
    }

    /// 32 random bits.
    #[allow(clippy::cast_possible_truncation)]
    pub fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    /// A number in `0..bound`, 0 if `bound` is 0. (Lemire's multiply-shift; the bias is below 2^-32.)
    #[allow(clippy::cast_possible_truncation)]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// 64 random bits as 16 hexadecimal digits: a tag (RFC 3261 §19.3 asks for at least 32 bits).
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_sequence() {
        let (mut a, mut b) = (Rng::new(Seed([7, 9])), Rng::new(Seed([7, 9])));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Rng::new(Seed([7, 9])).next_u64(), Rng::new(Seed([8, 9])).next_u64());
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(Seed([1, 1]));
        for _ in 0..10_000 {
            assert!(rng.below(7) < 7);
            assert!((0.0..1.0).contains(&rng.unit()));
        }
        assert_eq!(rng.below(0), 0);
    }
}
