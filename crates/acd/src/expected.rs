//! How long a wait will probably be.

use base::{Duration, Instant};

/// A running average that forgets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Average {
    value_s: f64,
    weight: f64,
}

/// A first guess counts as much as this many measurements.
const GUESS_WEIGHT: f64 = 5.0;
/// No more than this many measurements are remembered.
const WEIGHT_MAX: f64 = 200.0;

impl Average {
    pub(crate) fn guess(value: Duration) -> Self {
        Average { value_s: value.as_secs_f64(), weight: GUESS_WEIGHT }
    }

    pub(crate) fn add(&mut self, value: Duration) {
        self.weight = (self.weight + 1.0).min(WEIGHT_MAX);
        self.value_s += (value.as_secs_f64() - self.value_s) / self.weight;
    }

    pub(crate) const fn seconds(&self) -> f64 {
        self.value_s
    }
}

/// How soon callers give up: abandons per second waited, of late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    abandons: f64,
    waited_s: f64,
}

impl Default for Patience {
    /// One abandon in 120 s waited, the textbook's caller.
    fn default() -> Self {
        Patience { abandons: 5.0, waited_s: 600.0 }
    }
}

impl Patience {
    pub(crate) fn waited(&mut self, wait: Duration, abandoned: bool) {
        const KEEP: f64 = 1.0 - 1.0 / 500.0;
        self.abandons = self.abandons * KEEP + f64::from(u8::from(abandoned));
        self.waited_s = self.waited_s * KEEP + wait.as_secs_f64();
    }

    pub(crate) fn rate_per_s(&self) -> f64 {
        // Never quite zero, lest a calm morning promise that nobody ever gives up.
        (self.abandons / self.waited_s.max(1.0)).clamp(1.0 / 3600.0, 1.0)
    }
}

/// How fast calls of a tier are answered: an exponential rate per second over some ten minutes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    rate_per_s: f64,
    at: Instant,
}

const FLOW_MEMORY_S: f64 = 600.0;

impl Flow {
    pub(crate) fn count(&mut self, now: Instant) {
        self.rate_per_s = self.rate_per_s(now) + 1.0 / FLOW_MEMORY_S;
        self.at = now;
    }

    pub(crate) fn rate_per_s(&self, now: Instant) -> f64 {
        self.rate_per_s * (-now.since(self.at).as_secs_f64() / FLOW_MEMORY_S).exp()
    }
}

/// What the estimate is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    /// Agents on duty who may take the call.
    pub(crate) agents: usize,
    /// Mean time that an agent is busy with a call.
    pub(crate) handle_s: f64,
    /// Rate at which each waiting caller gives up.
    pub(crate) abandon_per_s: f64,
    /// Calls that go first now.
    pub(crate) ahead: usize,
    /// Calls of higher tiers that are yet to come and will be answered, per second.
    pub(crate) overtaking_per_s: f64,
    /// The wait that calls of its kind have now: of the first in line, or of the last answered.
    pub(crate) observed_s: Option<f64>,
    /// What the call has waited already.
    pub(crate) waited_s: f64,
}

/// Longest wait ever announced.
const LONGEST_S: f64 = 3600.0;

impl Estimate {
    /// Erlang A with `n` ahead, the overtakers found by iteration; then the mean with what is observed, which
    /// needs no model and follows a changing load.
    #[expect(clippy::cast_precision_loss, reason = "agents and calls stay far below 2^53")]
    pub(crate) fn wait(&self) -> Option<Duration> {
        if self.agents == 0 || self.handle_s <= 0.0 {
            return None;
        }
        let service_per_s = self.agents as f64 / self.handle_s;
        let mut wait_s = 0.0;
        for _ in 0..4 {
            let ahead = self.ahead as f64 + wait_s * self.overtaking_per_s;
            wait_s = drain_s(service_per_s, self.abandon_per_s, ahead).min(LONGEST_S);
        }
        let remaining_s = match self.observed_s {
            Some(observed_s) => f64::midpoint(wait_s, (observed_s - self.waited_s).max(0.0)),
            None => wait_s,
        };
        Some(Duration::from_secs_f64(remaining_s.clamp(0.0, LONGEST_S)))
    }
}

/// So many terms are added one by one; the rest is an integral, exact to better than a thousandth.
const TERMS_MAX: f64 = 256.0;

/// Mean time until a call with `ahead` before it is served: the sum over `j = 0..=ahead` of
/// `1 / (service + j abandon)`, where callers ahead give up, too.
pub(crate) fn drain_s(service_per_s: f64, abandon_per_s: f64, ahead: f64) -> f64 {
    let whole = ahead.floor().min(TERMS_MAX);
    let mut sum = 0.0;
    let mut j = 0.0;
    while j <= whole {
        sum += 1.0 / (service_per_s + j * abandon_per_s);
        j += 1.0;
    }
    if ahead <= TERMS_MAX {
        return sum + (ahead - whole) / (service_per_s + j * abandon_per_s);
    }
    let rate = |x: f64| service_per_s + x * abandon_per_s;
    sum + (rate(ahead + 0.5) / rate(TERMS_MAX + 0.5)).ln() / abandon_per_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_textbook_table_of_waits_with_n_ahead() {
        // Handle time 180 s, patience 120 s.
        let cases = [
            (50.0, 0.0, 3.60),
            (50.0, 1.0, 7.10),
            (50.0, 5.0, 20.14),
            (50.0, 10.0, 34.67),
            (50.0, 20.0, 59.33),
            (50.0, 50.0, 112.48),
            (10.0, 0.0, 18.00),
            (10.0, 1.0, 33.65),
            (10.0, 5.0, 81.45),
            (10.0, 50.0, 267.09),
        ];
        for (agents, ahead, wait_s) in cases {
            let found = drain_s(agents / 180.0, 1.0 / 120.0, ahead);
            assert!((found - wait_s).abs() < 0.006, "{agents} agents, {ahead} ahead: {found}");
        }
    }

    #[test]
    fn overtakers_lengthen_and_nobody_on_duty_is_unknown() {
        let calm = Estimate {
            agents: 10,
            handle_s: 180.0,
            abandon_per_s: 1.0 / 120.0,
            ahead: 5,
            overtaking_per_s: 0.0,
            observed_s: None,
            waited_s: 0.0,
        };
        let crowded = Estimate { overtaking_per_s: 0.02, ..calm };
        assert!(crowded.wait() > calm.wait());
        assert_eq!(Estimate { agents: 0, ..calm }.wait(), None);
        let swamped = Estimate { ahead: 1_000_000, agents: 1, abandon_per_s: 1.0 / 3600.0, ..calm };
        assert!(swamped.wait() <= Some(Duration::from_secs(3600)));
    }

    #[test]
    fn flows_fade() {
        let mut flow = Flow::default();
        for second in 0..6_000 {
            flow.count(Instant::from_secs(second));
        }
        let now = Instant::from_secs(6_000);
        assert!((flow.rate_per_s(now) - 1.0).abs() < 0.01);
        assert!(flow.rate_per_s(now + Duration::from_secs(6_000)) < 0.001);
    }
}
