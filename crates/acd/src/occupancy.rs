//! How much of his time an agent works: the share of talk and after-call work in the time logged in, with an
//! exponential memory. The memory fades for all free agents alike, so that who was less occupied stays so while
//! both are free: their order needs no update as time goes by.

use base::{Duration, Instant};

/// One agent's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Occupancy {
    share: f64,
    at: Instant,
}

impl Occupancy {
    /// Time passed until `now`, at work, free, or (`None`) logged out: then nothing changes.
    pub(crate) fn pass(&mut self, now: Instant, at_work: Option<bool>, window: Duration) {
        if let Some(at_work) = at_work {
            self.share = self.after(now, at_work, window);
        }
        self.at = now;
    }

    fn after(&self, now: Instant, at_work: bool, window: Duration) -> f64 {
        let fade = (-now.since(self.at).as_secs_f64() / window.as_secs_f64().max(1.0)).exp();
        if at_work { 1.0 - (1.0 - self.share) * fade } else { self.share * fade }
    }

    pub(crate) fn share(&self, now: Instant, at_work: bool, window: Duration) -> f64 {
        self.after(now, at_work, window)
    }

    /// Order among free agents: the least occupied first, at any instant.
    pub(crate) fn key(&self, window: Duration) -> u64 {
        // ln(share) + at / window is constant while the share fades; below e^-40 everybody is rested.
        let faded =
            self.share.max(1e-17).ln() + self.at.as_nanos() as f64 / 1e9 / window.as_secs_f64().max(1.0);
        // Monotonic for all floats above -64: a fixed point of 2^-32.
        ((faded + 64.0).max(0.0) * 4_294_967_296.0) as u64
    }

    /// How long until the share of a free agent is below `most`; zero if it is.
    pub(crate) fn rest(&self, most: f64, window: Duration) -> Duration {
        if self.share <= most {
            return Duration::ZERO;
        }
        let windows = (self.share / most.max(0.01)).ln();
        Duration::from_secs_f64(windows * window.as_secs_f64().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1_800);

    #[test]
    fn a_share_of_his_time_and_how_long_to_rest() {
        let mut one = Occupancy::default();
        // Nine of ten minutes at work, all day.
        for minute in 1..=600u64 {
            one.pass(Instant::from_secs(minute * 60), Some(minute % 10 != 0), WINDOW);
        }
        assert!((one.share - 0.9).abs() < 0.05, "{}", one.share);
        let rest = one.rest(0.8, WINDOW);
        let then = Instant::from_secs(36_000) + rest;
        assert!((one.share(then, false, WINDOW) - 0.8).abs() < 1e-9);
        one.pass(Instant::from_secs(90_000), None, WINDOW);
        assert!((one.share - 0.9).abs() < 0.05, "logged out, nothing fades");
    }

    #[test]
    fn the_order_of_the_free_does_not_change() {
        let (mut one, mut two) = (Occupancy::default(), Occupancy::default());
        one.pass(Instant::from_secs(1_000), Some(true), WINDOW);
        two.pass(Instant::from_secs(2_000), Some(true), WINDOW);
        let now = Instant::from_secs(2_000);
        assert_eq!(
            one.key(WINDOW) < two.key(WINDOW),
            one.share(now, false, WINDOW) < two.share(now, false, WINDOW)
        );
        assert!(Occupancy::default().key(WINDOW) < one.key(WINDOW));
    }
}
