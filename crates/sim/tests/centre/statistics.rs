//! What a simulated rate is worth.
//!
//! A day at the edge of its capacity is long in memory: at load 1.2 even 360,000 calls give the last tier's answer
//! rate to no better than 0.3 points. Most of that is luck of the stream of callers, which all policies share. So each
//! batch of callers is also lived first come first served, whose answer rate Erlang A gives exactly; how much luckier
//! or unluckier than Erlang A the batch was, times how much the rate in question follows it (regression over the
//! batches), is taken off: a control variate. What remains is about 0.1 points.

use acd::PolicyKind;
use acd::erlang::Line;
use sim::centre::{Load, Outcome, Run, Scenario};

/// So many batches of so many hours.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) batches: u64,
    pub(crate) hours: f64,
}

/// For `make test`.
pub(crate) const SMALL: Size = Size { batches: 16, hours: 20.0 };
/// For figures to be quoted.
pub(crate) const FULL: Size = Size { batches: 32, hours: 100.0 };

/// Answer rates of the tiers and of all calls, each batch for itself.
pub(crate) struct Batches {
    /// By batch, then tier; the last is all calls.
    pub(crate) rates: Vec<Vec<f64>>,
    pub(crate) outcomes: Vec<Outcome>,
}

/// A mean and its standard error, in points of a hundred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Points {
    pub(crate) mean: f64,
    pub(crate) error: f64,
}

impl Batches {
    pub(crate) fn live(scenario: &Scenario, size: Size) -> Batches {
        let outcome = |seed| {
            let batch = Scenario { seed, hours: size.hours, warmup_hours: 2.0, ..scenario.clone() };
            let outcome = Run::whole(&batch).unwrap();
            assert!(outcome.tiers.iter().all(|tier| tier.conserved()), "{outcome:?}");
            outcome
        };
        let outcomes: Vec<Outcome> = (1..=size.batches).map(outcome).collect();
        let rates = |outcome: &Outcome| {
            outcome.tiers.iter().chain([&outcome.total]).map(|tier| tier.answer_rate().unwrap()).collect()
        };
        Batches { rates: outcomes.iter().map(rates).collect(), outcomes }
    }

    fn column(&self, tier: usize) -> Vec<f64> {
        self.rates.iter().map(|batch| batch[tier]).collect()
    }

    /// Answer rate of a tier; `tiers()` stands for all calls.
    pub(crate) fn plain(&self, tier: usize) -> Points {
        points(&self.column(tier))
    }

    pub(crate) fn tiers(&self) -> usize {
        self.rates[0].len() - 1
    }

    /// The same with the luck of the callers taken off.
    pub(crate) fn controlled(&self, tier: usize, luck: &Luck) -> Points {
        let rates = self.column(tier);
        let (x, y) = (mean(&luck.0), mean(&rates));
        let pairs = luck.0.iter().zip(&rates);
        let covariance: f64 = pairs.map(|(luck, rate)| (luck - x) * (rate - y)).sum();
        let variance: f64 = luck.0.iter().map(|luck| (luck - x).powi(2)).sum();
        let follows = if variance > 0.0 { covariance / variance } else { 0.0 };
        let rid: Vec<f64> = luck.0.iter().zip(&rates).map(|(luck, rate)| rate - follows * luck).collect();
        points(&rid)
    }
}

/// How much more of each batch's callers were answered first come first served than Erlang A says.
pub(crate) struct Luck(Vec<f64>);

impl Luck {
    pub(crate) fn of(scenario: &Scenario, size: Size) -> Luck {
        let fcfs = Batches::live(&Scenario { policy: PolicyKind::Fcfs, ..scenario.clone() }, size);
        let exact = erlang_a(scenario);
        Luck(fcfs.column(fcfs.tiers()).into_iter().map(|rate| rate - exact).collect())
    }
}

/// The answer rate of every policy that keeps nobody idle, where callers are alike.
pub(crate) fn erlang_a(scenario: &Scenario) -> f64 {
    let Load::Rho(rho) = scenario.load else { panic!("a load that stays") };
    Line::at_rho(scenario.agents(), rho, scenario.mean_handle_s(), scenario.mean_patience_s())
        .steady(scenario.agents(), 15.0)
        .unwrap()
        .answered
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn points(values: &[f64]) -> Points {
    let (mean, n) = (mean(values), values.len() as f64);
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Points { mean: mean * 100.0, error: (variance / n).sqrt() * 100.0 }
}

/// Compares, and remembers all that is off.
#[derive(Default)]
pub(crate) struct Verdicts(Vec<String>);

impl Verdicts {
    pub(crate) fn near(&mut self, what: &str, found: Points, wanted: f64, points: f64) {
        let off = found.mean - wanted;
        println!("{what:<44} {:6.2} ±{:.2}  wanted {wanted:6.2}  off {off:+.2}", found.mean, found.error);
        if off.abs() > points {
            self.0.push(format!("{what}: {:.2} ±{:.2} is {off:+.2} off {wanted}", found.mean, found.error));
        }
    }

    pub(crate) fn end(self) {
        assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
    }
}
