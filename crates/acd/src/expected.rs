//! How long a wait will probably be.

use base::{Duration, Instant};

use crate::stats::WaitError;

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

/// The rest of a wait, by two ways and together, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Foretold {
    pub(crate) by_model_s: f64,
    pub(crate) by_history_s: f64,
    pub(crate) mean_s: f64,
    /// Four of five waits are shorter, if the model is right.
    pub(crate) upper_s: f64,
}

/// Longest wait ever announced.
const LONGEST_S: f64 = 3600.0;
/// The 80th percentile of the normal distribution.
const UPPER: f64 = 0.8416;

impl Estimate {
    /// By model: Erlang A with `n` ahead, the overtakers found by iteration. By history: what calls of its kind have
    /// waited, which needs no model and follows a changing load. Together: each by how right it has been of late.
    #[expect(clippy::cast_precision_loss, reason = "agents and calls stay far below 2^53")]
    pub(crate) fn foretell(&self, trust: &Trust) -> Option<Foretold> {
        if self.agents == 0 || self.handle_s <= 0.0 {
            return None;
        }
        let service_per_s = self.agents as f64 / self.handle_s;
        let (mut by_model_s, mut ahead) = (0.0, 0.0);
        for _ in 0..4 {
            ahead = self.ahead as f64 + by_model_s * self.overtaking_per_s;
            by_model_s = drain_s(service_per_s, self.abandon_per_s, ahead).min(LONGEST_S);
        }
        let history_s = self.observed_s.map(|observed_s| (observed_s - self.waited_s).max(0.0));
        let by_history_s = history_s.unwrap_or(by_model_s);
        let share = trust.in_history();
        let mean_s = (by_model_s * (1.0 - share) + by_history_s * share).clamp(0.0, LONGEST_S);
        let spread_s = spread_s(service_per_s, self.abandon_per_s, ahead);
        let upper_s = (mean_s + UPPER * spread_s).min(LONGEST_S);
        Some(Foretold { by_model_s, by_history_s, mean_s, upper_s })
    }
}

/// How right the estimates of a tier have been.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust {
    /// Mean absolute errors of late, seconds.
    model_s: f64,
    history_s: f64,
    /// By how much "four of five" must be stretched to be four of five.
    stretch: f64,
    error: WaitError,
}

impl Default for Trust {
    fn default() -> Self {
        Trust { model_s: 10.0, history_s: 10.0, stretch: 1.0, error: WaitError::default() }
    }
}

/// How fast trust changes: the memory is some 50 calls.
const LEARN: f64 = 0.02;

impl Trust {
    /// The weight of history beside the model.
    fn in_history(&self) -> f64 {
        let (model, history) = (self.model_s + 0.1, self.history_s + 0.1);
        model * model / (model * model + history * history)
    }

    /// A call was answered so long after something was foretold.
    #[expect(clippy::cast_precision_loss, reason = "calls stay far below 2^53")]
    pub(crate) fn answered(&mut self, foretold: &Foretold, after_s: f64) {
        self.model_s += LEARN * ((foretold.by_model_s - after_s).abs() - self.model_s);
        self.history_s += LEARN * ((foretold.by_history_s - after_s).abs() - self.history_s);
        self.stretched(foretold, after_s);
        let error = &mut self.error;
        error.calls += 1;
        let weight = 1.0 / error.calls as f64;
        let off_s = foretold.mean_s - after_s;
        error.mean_abs_s += weight * (off_s.abs() - error.mean_abs_s);
        error.bias_s += weight * (off_s - error.bias_s);
    }

    /// A caller gave up after so long: that says something only if he had been promised less.
    pub(crate) fn gave_up(&mut self, foretold: &Foretold, after_s: f64) {
        if after_s > foretold.upper_s * self.stretch {
            self.stretched(foretold, after_s);
        }
    }

    /// One step towards the stretch with which a fifth of the waits is longer (Robbins & Monro).
    fn stretched(&mut self, foretold: &Foretold, after_s: f64) {
        let longer = after_s > foretold.upper_s * self.stretch;
        let step = if longer { 0.8 } else { -0.2 };
        self.stretch = (self.stretch * (1.0 + LEARN * step)).clamp(0.5, 5.0);
    }

    pub(crate) fn told(&mut self, right: bool) {
        self.error.told += 1;
        self.error.told_right += u64::from(right);
    }

    /// "Within": four of five waits are shorter.
    pub(crate) fn within_s(&self, foretold: &Foretold) -> f64 {
        (foretold.upper_s * self.stretch).min(LONGEST_S)
    }

    pub(crate) const fn error(&self) -> WaitError {
        self.error
    }
}

/// Announced waits are whole half minutes up to five minutes, whole minutes beyond.
pub(crate) fn rounded_up(wait_s: f64) -> Duration {
    let step = if wait_s <= 300.0 { 30.0 } else { 60.0 };
    Duration::from_secs_f64((wait_s / step).ceil().max(1.0) * step)
}

/// Mean time until a call with `ahead` before it is served, where callers ahead give up, too: the sum over
/// `j = 0..=ahead` of `1 / (service + j abandon)`, in closed form for any real `ahead`:
/// `(digamma(service/abandon + ahead + 1) - digamma(service/abandon)) / abandon`.
pub(crate) fn drain_s(service_per_s: f64, abandon_per_s: f64, ahead: f64) -> f64 {
    if abandon_per_s <= service_per_s * 1e-7 {
        return (ahead + 1.0) / service_per_s;
    }
    let agents = service_per_s / abandon_per_s;
    (digamma(agents + ahead + 1.0) - digamma(agents)) / abandon_per_s
}

/// Standard deviation of that time: the sum of `1 / (service + j abandon)^2` is its variance, here as an integral
/// with half a term more at the near end.
fn spread_s(service_per_s: f64, abandon_per_s: f64, ahead: f64) -> f64 {
    let rate = |j: f64| service_per_s + j * abandon_per_s;
    if abandon_per_s <= 0.0 {
        return (ahead + 1.0).sqrt() / rate(0.0);
    }
    let integral = (1.0 / rate(0.0) - 1.0 / rate(ahead.max(0.0))) / abandon_per_s;
    (integral + 1.0 / (rate(0.0) * rate(0.0))).max(0.0).sqrt()
}

/// The logarithmic derivative of the gamma function for positive arguments: recurrence up to 6, then the
/// asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18); exact to 1e-10.
fn digamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x.max(1e-9), 0.0);
    while x < 6.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0)));
    sum + x.ln() - 0.5 / x - series
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
            (10.0, 10.0, 122.74),
            (10.0, 20.0, 177.82),
            (10.0, 50.0, 267.09),
        ];
        for (agents, ahead, wait_s) in cases {
            let found = drain_s(agents / 180.0, 1.0 / 120.0, ahead);
            assert!((found - wait_s).abs() < 0.006, "{agents} agents, {ahead} ahead: {found}");
        }
        let sum: f64 = (0..=10_000).map(|j| 1.0 / (0.05 + f64::from(j) / 120.0)).sum();
        assert!((drain_s(0.05, 1.0 / 120.0, 10_000.0) - sum).abs() < 1e-6);
    }

    const CALM: Estimate = Estimate {
        agents: 10,
        handle_s: 180.0,
        abandon_per_s: 1.0 / 120.0,
        ahead: 5,
        overtaking_per_s: 0.0,
        observed_s: None,
        waited_s: 0.0,
    };

    #[test]
    fn overtakers_lengthen_and_nobody_on_duty_is_unknown() {
        let trust = Trust::default();
        let mean_s = |estimate: Estimate| estimate.foretell(&trust).map(|told| told.mean_s);
        assert!(mean_s(Estimate { overtaking_per_s: 0.02, ..CALM }) > mean_s(CALM));
        assert_eq!(mean_s(Estimate { agents: 0, ..CALM }), None);
        let swamped = Estimate { ahead: 1_000_000, agents: 1, abandon_per_s: 1.0 / 3600.0, ..CALM };
        assert!(mean_s(swamped) <= Some(3600.0));
        let told = CALM.foretell(&trust).unwrap();
        assert!(told.upper_s > told.mean_s);
    }

    #[test]
    fn who_was_right_is_believed_and_four_of_five_becomes_true() {
        let mut trust = Trust::default();
        let estimate = Estimate { observed_s: Some(300.0), ..CALM };
        let before = estimate.foretell(&trust).unwrap();
        let mut longer = 0;
        for n in 0..5_000u32 {
            // Waits between 200 and 400 s, evenly: history has it, the model is far off.
            let actual_s = 200.0 + f64::from(n * 37 % 200);
            let told = estimate.foretell(&trust).unwrap();
            longer += u32::from(n >= 1_000 && actual_s > trust.within_s(&told));
            trust.answered(&told, actual_s);
        }
        let after = estimate.foretell(&trust).unwrap();
        assert!(after.mean_s > before.mean_s && after.mean_s > 270.0, "{before:?} {after:?}");
        let share = f64::from(longer) / 4_000.0;
        assert!((share - 0.2).abs() < 0.04, "{share}");
    }

    #[test]
    fn announced_waits_are_round() {
        let rounded = |wait_s: f64| rounded_up(wait_s).as_secs();
        assert_eq!([1.0, 30.0, 31.0, 300.0, 301.0].map(rounded), [30, 30, 60, 300, 360]);
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
