//! Token buckets per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Addresses remembered at once. Beyond, those that are idle are forgotten; if none is, newcomers share
/// one bucket.
const ADDRESSES_MAX: usize = 10_000;

pub(crate) struct Limiter {
    per_s: f64,
    burst: f64,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    of: HashMap<IpAddr, Bucket>,
    swept: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limiter {
    pub(crate) fn new(per_s: f64, burst: f64) -> Self {
        Limiter { per_s, burst, buckets: Mutex::default() }
    }

    /// Takes one from the address's bucket; if it is empty, in how many seconds it will not be.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), u64> {
        self.with(address, now, |bucket, per_s| {
            if bucket.tokens >= 1.0 {
                bucket.tokens -= 1.0;
                return Ok(());
            }
            Err(seconds((1.0 - bucket.tokens) / per_s))
        })
    }

    /// Whether [`Limiter::take`] would succeed; takes nothing.
    pub(crate) fn check(&self, address: IpAddr, now: Instant) -> Result<(), u64> {
        self.with(address, now, |bucket, per_s| {
            if bucket.tokens >= 1.0 { Ok(()) } else { Err(seconds((1.0 - bucket.tokens) / per_s)) }
        })
    }

    fn with<T>(&self, address: IpAddr, now: Instant, work: impl FnOnce(&mut Bucket, f64) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = buckets.place(network(address), now, self.burst / self.per_s);
        let bucket = buckets.of.entry(key).or_insert(Bucket { tokens: self.burst, at: now });
        let passed_s = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed_s * self.per_s).min(self.burst);
        bucket.at = now;
        work(bucket, self.per_s)
    }
}

impl Buckets {
    /// The key of the bucket for `address`; makes room first if there is none.
    fn place(&mut self, address: IpAddr, now: Instant, full_after_s: f64) -> IpAddr {
        if self.of.len() < ADDRESSES_MAX || self.of.contains_key(&address) {
            return address;
        }
        let due = self.swept.is_none_or(|swept| now.saturating_duration_since(swept).as_secs() >= 1);
        if due {
            self.swept = Some(now);
            self.of.retain(|_, bucket| now.saturating_duration_since(bucket.at).as_secs_f64() < full_after_s);
        }
        if self.of.len() < ADDRESSES_MAX { address } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) }
    }
}

/// A host owns its whole /64: one bucket for it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds, never negative")]
fn seconds(seconds: f64) -> u64 {
    seconds.ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let limiter = Limiter::new(2.0, 3.0);
        let (now, address) = (Instant::now(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        for _ in 0..3 {
            assert_eq!(limiter.take(address, now), Ok(()));
        }
        assert_eq!(limiter.take(address, now), Err(1));
        assert_eq!(limiter.take(IpAddr::V4(Ipv4Addr::BROADCAST), now), Ok(()));
        assert_eq!(limiter.take(address, now + Duration::from_millis(500)), Ok(()));
        assert_eq!(limiter.check(address, now + Duration::from_millis(500)), Err(1));
    }

    #[test]
    fn many_addresses_use_bounded_memory() {
        let limiter = Limiter::new(1.0, 2.0);
        let now = Instant::now();
        for bits in 0..30_000 {
            let _ = limiter.take(IpAddr::V4(Ipv4Addr::from_bits(bits)), now);
        }
        assert!(limiter.buckets.lock().unwrap().of.len() <= ADDRESSES_MAX + 1);
        let later = now + Duration::from_secs(10);
        assert_eq!(limiter.take(IpAddr::V4(Ipv4Addr::BROADCAST), later), Ok(()));
        assert!(limiter.buckets.lock().unwrap().of.len() < 10);
    }

    #[test]
    fn neighbours_of_one_v6_network_share() {
        let limiter = Limiter::new(1.0, 1.0);
        let now = Instant::now();
        assert_eq!(limiter.take("2001:db8::1".parse().unwrap(), now), Ok(()));
        assert_eq!(limiter.take("2001:db8::2".parse().unwrap(), now), Err(1));
        assert_eq!(limiter.take("2001:db8:0:1::2".parse().unwrap(), now), Ok(()));
    }
}
