//! The one reader of the operating system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use base::{Duration, Instant, UnixMillis, WallClock};

/// Turns the monotonic clock into [`base::Instant`] and tells the wall time of its zero.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
    wall: WallClock,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX));
        Clock { start: std::time::Instant::now(), wall: WallClock { epoch } }
    }

    /// Now.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// The wall time of [`Instant::ZERO`].
    pub fn wall(&self) -> WallClock {
        self.wall
    }

    /// The operating system's instant that is [`Instant::ZERO`].
    pub fn epoch(&self) -> std::time::Instant {
        self.start
    }

    /// The runtime's instant for `at`, for sleeping until it.
    pub fn tokio(&self, at: Instant) -> tokio::time::Instant {
        // A timer beyond 30 years is none; the runtime would panic on overflow.
        let wait = at.since(Instant::ZERO).min(Duration::from_secs(30 * 365 * 86_400));
        tokio::time::Instant::from_std(self.start + wait)
    }
}
