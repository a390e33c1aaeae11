//! How much each address may ask: a token bucket per source, before any state is made for it.

use core::net::IpAddr;

use base::{Instant, Seed, SeededMap};

use super::EndpointLimits;

/// What a request of a source gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Welcome,
    /// Above its rate: 503.
    Busy,
    /// Above twice its rate: silence.
    Flooded,
}

/// Tokens are counted in thousandths. Below zero (down to one second's worth) the source is refused
/// with an answer; at the bottom it hears nothing.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    milli_tokens: i64,
    at: Instant,
}

/// Buckets by address.
#[derive(Debug)]
pub(crate) struct Gate {
    buckets: SeededMap<IpAddr, Bucket>,
    /// Shared by all addresses that find no room.
    overflow: Bucket,
}

impl Gate {
    pub(crate) fn new(seed: Seed) -> Self {
        Gate {
            buckets: SeededMap::with_hasher(seed),
            overflow: Bucket { milli_tokens: 0, at: Instant::ZERO },
        }
    }

    /// One new request outside of any dialog.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        source: IpAddr,
        trunk: bool,
        limits: &EndpointLimits,
    ) -> Admission {
        let per_s =
            if trunk { limits.requests_per_trunk_source_per_s } else { limits.requests_per_source_per_s };
        let burst = i64::from(per_s).saturating_mul(1000);
        let full = self.buckets.len() >= limits.sources_max && !self.buckets.contains_key(&source);
        let bucket = if full && !trunk {
            &mut self.overflow
        } else {
            self.buckets.entry(source).or_insert(Bucket { milli_tokens: burst, at: now })
        };
        bucket.take(now, per_s, burst)
    }

    /// Forgets sources whose bucket has long been full.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.buckets.retain(|_, bucket| now.since(bucket.at).as_secs() < 10);
    }
}

impl Bucket {
    fn take(&mut self, now: Instant, per_s: u32, burst: i64) -> Admission {
        let elapsed_us = i64::try_from(now.since(self.at).as_micros()).unwrap_or(i64::MAX);
        let earned = elapsed_us.saturating_mul(i64::from(per_s)) / 1000;
        // What is too little to count is kept by leaving the time as it was.
        if earned > 0 {
            self.milli_tokens = self.milli_tokens.saturating_add(earned).min(burst);
            self.at = now;
        }
        if self.milli_tokens >= 1000 {
            self.milli_tokens -= 1000;
            Admission::Welcome
        } else if self.milli_tokens > -burst {
            self.milli_tokens -= 1000;
            Admission::Busy
        } else {
            Admission::Flooded
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_served_then_refused_then_ignored_then_forgiven() {
        let mut gate = Gate::new(Seed::default());
        let limits = EndpointLimits { requests_per_source_per_s: 10, ..EndpointLimits::default() };
        let source = IpAddr::from([192, 0, 2, 1]);
        let mut at = |now| gate.admit(now, source, false, &limits);
        let now = Instant::from_secs(1);
        let seen: Vec<_> = (0..30).map(|_| at(now)).collect();
        assert_eq!(seen.iter().filter(|a| **a == Admission::Welcome).count(), 10);
        assert_eq!(seen.iter().filter(|a| **a == Admission::Busy).count(), 10);
        assert_eq!(seen.last(), Some(&Admission::Flooded));
        assert_eq!(at(Instant::from_secs(4)), Admission::Welcome);
    }

    #[test]
    fn more_sources_than_room_share_one_bucket() {
        let mut gate = Gate::new(Seed::default());
        let limits =
            EndpointLimits { requests_per_source_per_s: 1, sources_max: 2, ..EndpointLimits::default() };
        let welcome = (0..200u8)
            .filter(|n| {
                gate.admit(Instant::from_secs(1), IpAddr::from([10, 0, 0, *n]), false, &limits)
                    == Admission::Welcome
            })
            .count();
        assert_eq!(welcome, 3);
        gate.sweep(Instant::from_secs(60));
        assert!(gate.buckets.is_empty());
    }
}
