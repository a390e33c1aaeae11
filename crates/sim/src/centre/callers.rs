//! The callers, one after another.

use std::sync::Arc;

use base::{Rng, Seed};

use super::scenario::{Load, Scenario};
use super::spread::{Spread, exponential};

/// A caller, whatever will become of him.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visitor {
    /// When he calls, seconds from the start.
    pub at_s: f64,
    /// Index of his tier.
    pub tier: usize,
    /// Index of his reason, 0 where there are none.
    pub reason: usize,
    /// How long an agent is busy with him, s.
    pub handle_s: f64,
    /// How long he waits, s.
    pub patience_s: f64,
    /// In `[0, 1)`: he takes an offered callback if this is below the share that does.
    pub mood: f64,
}

/// The stream of callers of a scenario, without end unless it was recorded. Each attribute has a stream of
/// randomness of its own: the n-th caller is the same whatever becomes of the others.
#[derive(Debug)]
pub struct Callers {
    source: Source,
    tiers: Vec<f64>,
    reasons: Vec<f64>,
    /// Handle time by tier and reason.
    handle: Vec<Vec<Spread>>,
    patience: Vec<Spread>,
    rngs: Rngs,
}

#[derive(Debug)]
enum Source {
    /// Time in the repeating day, where in it the run starts, and calls per second in each of its hours.
    Poisson {
        day_s: f64,
        start_s: f64,
        per_s: Vec<f64>,
    },
    Recorded {
        visitors: Arc<[Visitor]>,
        next: usize,
    },
}

#[derive(Debug)]
struct Rngs {
    arrival: Rng,
    tier: Rng,
    reason: Rng,
    handle: Rng,
    patience: Rng,
    mood: Rng,
}

const HOUR_S: f64 = 3600.0;

impl Callers {
    /// The callers of a scenario.
    pub fn new(scenario: &Scenario) -> Callers {
        let source = match &scenario.load {
            Load::Recorded(visitors) => Source::Recorded { visitors: Arc::clone(visitors), next: 0 },
            Load::Rho(_) | Load::CallsPerHour(_) => {
                let per_s: Vec<f64> =
                    scenario.calls_per_hour().into_iter().map(|calls| calls / HOUR_S).collect();
                // The day begins when the counting does: the warm-up is the end of the day before.
                let start_s = (-scenario.warmup_hours).rem_euclid(per_s.len() as f64) * HOUR_S;
                Source::Poisson { day_s: start_s, start_s, per_s }
            }
        };
        let of_tier = |tier| -> Vec<Spread> {
            let own = scenario.reasons.iter().map(|reason| scenario.handle_of(tier, Some(reason)));
            if scenario.reasons.is_empty() { vec![scenario.handle_of(tier, None)] } else { own.collect() }
        };
        let stream = |purpose| Rng::new(Seed([scenario.seed, purpose]));
        Callers {
            source,
            tiers: scenario.tiers.iter().map(|tier| tier.share).collect(),
            reasons: scenario.reasons.iter().map(|reason| reason.share).collect(),
            handle: scenario.tiers.iter().map(of_tier).collect(),
            patience: scenario.tiers.iter().map(|tier| tier.patience).collect(),
            rngs: Rngs {
                arrival: stream(1),
                tier: stream(2),
                reason: stream(3),
                handle: stream(4),
                patience: stream(5),
                mood: stream(6),
            },
        }
    }
}

impl Iterator for Callers {
    type Item = Visitor;

    fn next(&mut self) -> Option<Visitor> {
        match &mut self.source {
            Source::Recorded { visitors, next } => {
                let visitor = visitors.get(*next).copied();
                *next += 1;
                visitor
            }
            Source::Poisson { day_s, start_s, per_s } => {
                *day_s = arrival(*day_s, per_s, exponential(&mut self.rngs.arrival))?;
                let at_s = *day_s - *start_s;
                let tier = pick(&self.tiers, self.rngs.tier.unit());
                let reason = pick(&self.reasons, self.rngs.reason.unit());
                let handle = self.handle.get(tier).and_then(|tier| tier.get(reason))?;
                Some(Visitor {
                    at_s,
                    tier,
                    reason,
                    handle_s: handle.draw(&mut self.rngs.handle),
                    patience_s: self.patience.get(tier)?.draw(&mut self.rngs.patience),
                    mood: self.rngs.mood.unit(),
                })
            }
        }
    }
}

/// The next arrival of a Poisson stream whose rate is a repeating day: when the expected number of arrivals has
/// grown by `calls`. `None`: nobody ever calls.
fn arrival(from_s: f64, per_s: &[f64], calls: f64) -> Option<f64> {
    if !per_s.iter().any(|rate| *rate > 0.0) {
        return None;
    }
    let (mut at_s, mut left) = (from_s, calls);
    for rate in per_s.iter().cycle().skip((from_s / HOUR_S) as usize % per_s.len()) {
        let hour_ends_s = ((at_s / HOUR_S).floor() + 1.0) * HOUR_S;
        let in_hour = (hour_ends_s - at_s) * rate;
        if left < in_hour {
            return Some(at_s + left / rate);
        }
        left -= in_hour;
        at_s = hour_ends_s;
    }
    None
}

/// The index whose share `draw`, from `[0, 1)`, falls into; the last if the shares add up to less.
fn pick(shares: &[f64], mut draw: f64) -> usize {
    let found = shares.iter().position(|share| {
        draw -= share;
        draw < 0.0
    });
    found.unwrap_or(shares.len().max(1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_repeats_hour_by_hour() {
        let mut scenario = Scenario::hotline(50, Load::CallsPerHour(vec![1000.0, 0.0, 3000.0]));
        scenario.tiers.iter_mut().for_each(|tier| tier.patience = Spread::NEVER);
        scenario.warmup_hours = 0.0;
        let mut hours = [0.0f64; 3];
        for visitor in Callers::new(&scenario).take_while(|visitor| visitor.at_s < 300.0 * HOUR_S) {
            hours[(visitor.at_s / HOUR_S) as usize % 3] += 0.01;
        }
        assert!((hours[0] - 1000.0).abs() < 10.0 && (hours[2] - 3000.0).abs() < 17.0, "{hours:?}");
        assert_eq!(hours[1], 0.0, "nobody calls in the second hour");
    }

    #[test]
    fn tiers_come_by_their_shares() {
        let scenario = Scenario::hotline(50, Load::Rho(1.0));
        let mut tiers = [0.0; 4];
        Callers::new(&scenario).take(100_000).for_each(|visitor| tiers[visitor.tier] += 1e-5);
        for (found, tier) in tiers.iter().zip(&scenario.tiers) {
            assert!((found - tier.share).abs() < 0.005, "{tiers:?}");
        }
    }

    /// Common random numbers: what one caller's patience is does not depend on anything else.
    #[test]
    fn the_same_callers_come_under_every_policy() {
        let one = Scenario::hotline(50, Load::Rho(1.2));
        let mut two = Scenario { policy: acd::PolicyKind::Fcfs, ..one.clone() };
        two.tiers[0].contract.target = 0.5;
        assert!(Callers::new(&one).take(1000).eq(Callers::new(&two).take(1000)));
        let other = Scenario { seed: 2, ..one.clone() };
        assert!(Callers::new(&one).take(10).ne(Callers::new(&other).take(10)));
    }

    #[test]
    fn a_centre_that_nobody_calls_is_quiet() {
        let scenario = Scenario::hotline(50, Load::CallsPerHour(vec![0.0; 24]));
        assert_eq!(Callers::new(&scenario).next(), None);
    }
}
