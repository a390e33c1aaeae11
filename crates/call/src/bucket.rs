//! A token bucket: so many per second, a burst of one second's worth.

use base::Instant;

/// Allows `per_s` events per second and as many at once.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    per_s: u32,
    /// Level in billionths of a token, as of `at`.
    level: u64,
    at: Instant,
}

const TOKEN: u64 = 1_000_000_000;

impl Bucket {
    /// A full bucket.
    pub fn new(per_s: u32, now: Instant) -> Self {
        Bucket { per_s, level: u64::from(per_s) * TOKEN, at: now }
    }

    /// Takes one token; `false` if there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        let passed = now.as_nanos().saturating_sub(self.at.as_nanos());
        let full = u64::from(self.per_s) * TOKEN;
        self.level = self.level.saturating_add(passed.saturating_mul(u64::from(self.per_s))).min(full);
        self.at = now;
        let taken = self.level.checked_sub(TOKEN);
        self.level = taken.unwrap_or(self.level);
        taken.is_some()
    }

    /// Changes the rate; what is in the bucket stays, as far as it fits.
    pub fn set_rate(&mut self, per_s: u32) {
        self.per_s = per_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_its_rate_and_no_more() {
        let mut bucket = Bucket::new(10, Instant::ZERO);
        let taken = |bucket: &mut Bucket, at| (0..50).filter(|_| bucket.take(at)).count();
        assert_eq!(taken(&mut bucket, Instant::ZERO), 10);
        assert_eq!(taken(&mut bucket, Instant::from_millis(500)), 5);
        assert_eq!(taken(&mut bucket, Instant::from_secs(3_600)), 10);
        assert_eq!(taken(&mut Bucket::new(0, Instant::ZERO), Instant::from_secs(9)), 0);
    }
}
