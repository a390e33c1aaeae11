//! What queueing theory says a group of agents can do: closed forms that the engine's feasibility, `usher staff`
//! and the simulator's proofs are held against. Pure functions; loads in erlangs (mean calls in talk if everybody
//! were answered at once), times in seconds, rates per second, shares as fractions of the calls offered.
//!
//! Sources: A. K. Erlang 1917 (B and C); C. Palm 1957 and Garnett, Mandelbaum & Reiman, M&SOM 4(3) 2002 (A);
//! A. Cobham, Operations Research 2(1) 1954 (priorities); Halfin & Whitt, Operations Research 29(3) 1981.

use crate::expected::drain_s;

/// Erlang B: the share of calls lost when `agents` serve `erlangs` and nobody can wait.
/// `B_0 = 1, B_n = A B_{n-1} / (n + A B_{n-1})`.
pub fn erlang_b(agents: u32, erlangs: f64) -> f64 {
    (1..=agents).fold(1.0, |b, n| erlangs * b / (f64::from(n) + erlangs * b))
}

/// Erlang C: the share of calls that wait when nobody gives up, `B / (1 - A/N (1 - B))`; 1 when the load is
/// not below the agents.
pub fn erlang_c(agents: u32, erlangs: f64) -> f64 {
    let n = f64::from(agents);
    if erlangs >= n {
        return 1.0;
    }
    let b = erlang_b(agents, erlangs);
    b / (1.0 - erlangs / n * (1.0 - b))
}

/// Calls that come to one line before a group of equal agents: a Poisson stream, exponential handle times and
/// patience, first come first served (M/M/N/N+L+M). By the invariance law the total answer rate is that of every
/// rule that keeps no agent idle while a call waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Calls offered per second.
    pub calls_per_s: f64,
    /// Mean time an agent is busy with a call.
    pub handle_s: f64,
    /// Mean time until a waiting caller gives up; infinite: never (Erlang C).
    pub patience_s: f64,
    /// Places to wait; `None`: without limit. A call that finds them taken is blocked.
    pub waiting_max: Option<u32>,
}

/// A [`Line`] in the long run. Shares are of the calls offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// Found no free agent (blocked ones included).
    pub delayed: f64,
    /// Answered: the answer rate.
    pub answered: f64,
    /// Gave up waiting.
    pub abandoned: f64,
    /// Found every place to wait taken.
    pub blocked: f64,
    /// Answered within the service-level time.
    pub in_time: f64,
    /// Mean number of waiting calls.
    pub waiting: f64,
    /// Mean wait of all calls, answered or not.
    pub wait_s: f64,
    /// Mean wait of the answered ones (average speed of answer).
    pub asa_s: f64,
    /// Share of the agents' time spent with calls.
    pub occupancy: f64,
}

/// States whose probability is this many powers of e below the greatest are left out: 1e-26.
const NEGLIGIBLE: f64 = 60.0;
/// Most waiting calls looked at.
const PLACES_MAX: usize = 2_000_000;

impl Line {
    /// The load offered, in erlangs.
    pub fn erlangs(&self) -> f64 {
        self.calls_per_s * self.handle_s
    }

    /// Calls per second at `rho` times what `agents` can do.
    pub fn at_rho(agents: u32, rho: f64, handle_s: f64, patience_s: f64) -> Line {
        let calls_per_s = rho * f64::from(agents) / handle_s;
        Line { calls_per_s, handle_s, patience_s, waiting_max: None }
    }

    /// The long run with so many agents; `in_time` counts calls answered within `within_s`.
    /// `None`: the queue grows without end (nobody gives up and the load is not below the agents), or the
    /// numbers are not a line (negative, not finite).
    ///
    /// With `m = N/handle`, `t = 1/patience`, and `k` calls ahead, the caller is served with probability
    /// `m / (m + (k+1) t)`; then his wait has mean `sum_{i=1..k+1} 1/(m + i t)`, and exceeds `T` with the
    /// regularised incomplete beta `I_x(m/t + 1, k + 1)`, `x = e^{-tT}`. Its second parameter is whole, so it is the
    /// finite sum `x^{m/t+1} sum_{i=0..k} prod_{j=1..i} (m/t + j)(1-x)/j`, which for `t -> 0` becomes Erlang's.
    pub fn steady(&self, agents: u32, within_s: f64) -> Option<Steady> {
        let p = self.states(agents)?;
        let n = usize::try_from(agents).ok()?;
        let (served_per_s, gives_up_per_s) = (f64::from(agents) / self.handle_s, 1.0 / self.patience_s);
        let at_once: f64 = p.iter().take(n).sum();
        let limit = self.waiting_max.map_or(usize::MAX, |places| places as usize);
        let mut tail = Tail::new(served_per_s, gives_up_per_s, within_s);
        let (mut answered, mut in_time, mut waits_s, mut waiting, mut blocked) =
            (at_once, at_once, 0.0, 0.0, 0.0);
        let mut ahead = 0.0;
        for (k, &p) in p.iter().skip(n).enumerate() {
            waiting += ahead * p;
            if k >= limit {
                blocked += p;
            } else {
                let (mean_s, late) = tail.next();
                let share = served_per_s / (served_per_s + (ahead + 1.0) * gives_up_per_s);
                let served = if share.is_nan() { 0.0 } else { p * share };
                answered += served;
                in_time += served * (1.0 - late);
                waits_s += served * mean_s;
            }
            ahead += 1.0;
        }
        let per_call = |x: f64| if self.calls_per_s > 0.0 { x / self.calls_per_s } else { 0.0 };
        Some(Steady {
            delayed: (1.0 - at_once).max(0.0),
            answered,
            abandoned: (1.0 - answered - blocked).max(0.0),
            blocked,
            in_time,
            waiting,
            wait_s: per_call(waiting),
            asa_s: if answered > 0.0 { waits_s / answered } else { 0.0 },
            occupancy: if agents > 0 { self.erlangs() * answered / f64::from(agents) } else { 0.0 },
        })
    }

    /// Probabilities of 0, 1, 2, … calls in talk or waiting. The birth-death chain in logarithms: no load and no
    /// number of agents under- or overflows.
    fn states(&self, agents: u32) -> Option<Vec<f64>> {
        let rates = [self.calls_per_s, self.handle_s, self.patience_s];
        if rates.iter().any(|x| x.is_nan() || *x < 0.0) || self.handle_s <= 0.0 || self.patience_s <= 0.0 {
            return None;
        }
        let (leave_per_s, gives_up_per_s) = (1.0 / self.handle_s, 1.0 / self.patience_s);
        let all_busy = f64::from(agents) * leave_per_s;
        if self.waiting_max.is_none() && gives_up_per_s <= 0.0 && self.calls_per_s >= all_busy {
            return None;
        }
        let mut logs = vec![0.0f64];
        let (mut log, mut most) = (0.0f64, 0.0f64);
        for n in 1..=agents {
            log += (self.calls_per_s / (f64::from(n) * leave_per_s)).ln();
            most = most.max(log);
            logs.push(log);
        }
        let places = self.waiting_max.map_or(PLACES_MAX, |most| most as usize);
        let mut ahead = 0.0;
        for place in 1..=places {
            ahead += 1.0;
            let out_per_s = all_busy + ahead * gives_up_per_s;
            log += (self.calls_per_s / out_per_s).ln();
            most = most.max(log);
            logs.push(log);
            if self.calls_per_s <= out_per_s && (log < most - NEGLIGIBLE || log.is_nan()) {
                break;
            }
            if place == PLACES_MAX {
                return None;
            }
        }
        let mut p: Vec<f64> = logs.into_iter().map(|log| (log - most).exp()).collect();
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|p| *p /= sum);
        Some(p)
    }

    /// The fewest agents that reach the goal; `None` if even a million do not.
    pub fn agents_for(&self, goal: Goal) -> Option<u32> {
        let reaches = |agents: u32| {
            let within_s = if let Goal::InTime { within_s, .. } = goal { within_s } else { 0.0 };
            self.steady(agents, within_s).is_some_and(|steady| match goal {
                Goal::Answered(share) => steady.answered >= share,
                Goal::InTime { share, .. } => steady.in_time >= share,
            })
        };
        if reaches(0) {
            return Some(0);
        }
        let mut enough = 1;
        while !reaches(enough) {
            enough *= 2;
            if enough > AGENTS_MAX {
                return None;
            }
        }
        let mut too_few = enough / 2;
        while enough - too_few > 1 {
            let middle = too_few.midpoint(enough);
            if reaches(middle) {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        Some(enough)
    }
}

/// Most agents that [`Line::agents_for`] tries.
const AGENTS_MAX: u32 = 1 << 20;

/// What [`Line::agents_for`] is to reach, as shares of the calls offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Answered at all.
    Answered(f64),
    /// Answered within a time.
    InTime {
        /// How many.
        share: f64,
        /// The time.
        within_s: f64,
    },
}

/// Mean wait, and chance to wait longer than the service-level time, of a caller who is served, for 0, 1, 2, …
/// callers ahead.
struct Tail {
    served_per_s: f64,
    gives_up_per_s: f64,
    /// `(1 - x) / t`.
    reach_s: f64,
    i: f64,
    mean_s: f64,
    log_term: f64,
    late: f64,
}

impl Tail {
    fn new(served_per_s: f64, gives_up_per_s: f64, within_s: f64) -> Tail {
        let reach_s = if gives_up_per_s > 0.0 {
            -(-gives_up_per_s * within_s).exp_m1() / gives_up_per_s
        } else {
            within_s
        };
        let log_term = -(served_per_s + gives_up_per_s) * within_s;
        Tail { served_per_s, gives_up_per_s, reach_s, i: 0.0, mean_s: 0.0, log_term, late: 0.0 }
    }

    fn next(&mut self) -> (f64, f64) {
        if self.i > 0.0 {
            let ways = (self.served_per_s + self.i * self.gives_up_per_s) * self.reach_s / self.i;
            self.log_term += ways.ln();
        }
        self.late += self.log_term.exp();
        self.i += 1.0;
        self.mean_s += 1.0 / (self.served_per_s + self.i * self.gives_up_per_s);
        (self.mean_s, self.late.min(1.0))
    }
}

/// Mean wait of a patient caller with `ahead` calls before him who may give up: `sum_{j=0..ahead} 1/(N/handle +
/// j/patience)`.
pub fn expected_wait_s(agents: u32, handle_s: f64, patience_s: f64, ahead: u32) -> f64 {
    drain_s(f64::from(agents) / handle_s, 1.0 / patience_s, f64::from(ahead))
}

/// Mean waits under non-preemptive priority when nobody gives up, for classes of these loads in erlangs, first
/// class first: `W_k = C / (N/handle (1 - s_{k-1})(1 - s_k))` with `s_k` the load of classes up to `k` per agent.
/// Infinite from the class on that fills the agents.
pub fn cobham(agents: u32, handle_s: f64, loads: &[f64]) -> Vec<f64> {
    let n = f64::from(agents);
    let rest_s = erlang_c(agents, loads.iter().sum()) * handle_s / n;
    let mut before = 0.0;
    let wait = |load: &f64| {
        let with = before + load / n;
        let wait_s = if with < 1.0 { rest_s / ((1.0 - before) * (1.0 - with)) } else { f64::INFINITY };
        before = with;
        wait_s
    };
    loads.iter().map(wait).collect()
}

/// Shares of calls lost when nobody can wait and the last `kept` free agents are for the first class only
/// (guard channel): birth-death with both streams while more than `kept` are free, then the first alone.
pub fn guard_channel(agents: u32, first: f64, second: f64, kept: u32) -> (f64, f64) {
    let mut p = vec![1.0];
    let (mut last, mut sum) = (1.0f64, 1.0f64);
    for n in 1..=agents {
        let free_before = agents - (n - 1);
        let load = if free_before > kept { first + second } else { first };
        last *= load / f64::from(n);
        sum += last;
        p.push(last);
    }
    let refused: f64 = p.iter().rev().take(kept as usize + 1).sum();
    (last / sum, refused / sum)
}

/// A tier in the [`fluid`] benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Its part of the work offered, in the unit of the capacity.
    pub work: f64,
    /// Answer rate kept first.
    pub floor: f64,
    /// Answer rate wanted.
    pub target: f64,
}

/// The best that any rule could do if calls were a fluid: answer rates per tier, in value order, when `capacity`
/// of the work can be done. Floors are filled in value order, then targets in value order; a surplus closes the
/// same fraction of every tier's gap to 1.
pub fn fluid(capacity: f64, tiers: &[Share]) -> Vec<f64> {
    let mut left = capacity.max(0.0);
    let mut rates = vec![0.0f64; tiers.len()];
    for goal in [|tier: &Share| tier.floor, |tier: &Share| tier.target.max(tier.floor)] {
        for (rate, tier) in rates.iter_mut().zip(tiers).filter(|(_, tier)| tier.work > 0.0) {
            let step = (goal(tier).min(1.0) - *rate).max(0.0).min(left / tier.work);
            *rate += step;
            left = (left - step * tier.work).max(0.0);
        }
    }
    let gap: f64 = rates.iter().zip(tiers).map(|(rate, tier)| (1.0 - rate) * tier.work).sum();
    let part = if gap > 0.0 { (left / gap).min(1.0) } else { 0.0 };
    rates.into_iter().map(|rate| rate + part * (1.0 - rate)).collect()
}

/// Halfin & Whitt: share of calls that wait with `A + beta sqrt(A)` agents when nobody gives up,
/// `[1 + beta Phi(beta)/phi(beta)]^-1`.
pub fn halfin_whitt(beta: f64) -> f64 {
    1.0 / (1.0 + beta / hazard(-beta))
}

/// Garnett, Mandelbaum & Reiman, with impatient callers: shares of calls that wait and that give up, to the first
/// order in `1/sqrt(N)`.
pub fn garnett(agents: u32, line: &Line) -> (f64, f64) {
    let n = f64::from(agents);
    let beta = (n - line.erlangs()) / line.erlangs().sqrt();
    let ratio = (line.handle_s / line.patience_s).sqrt();
    let delta = beta / ratio;
    let delayed = 1.0 / (1.0 + ratio * hazard(delta) / hazard(-beta));
    let abandoned = delayed * ratio * (hazard(delta) - delta) / n.sqrt();
    (delayed, abandoned)
}

/// The hazard rate of the standard normal, `phi(x) / (1 - Phi(x))`.
fn hazard(x: f64) -> f64 {
    const SERIES_UP_TO: f64 = 3.0;
    const NOTHING_BELOW: f64 = -37.0;
    if x < NOTHING_BELOW {
        return 0.0;
    }
    if x > SERIES_UP_TO {
        // Laplace's continued fraction: phi/(1-Phi) = x + 1/(x + 2/(x + 3/(x + …))).
        return (1..=60).rev().fold(x, |tail, k| x + f64::from(k) / tail);
    }
    // Phi(x) = 1/2 + phi(x) (x + x^3/3 + x^5/(3·5) + …); its terms shrink as soon as the divisor exceeds x².
    let density = (-0.5 * x * x).exp() / core::f64::consts::TAU.sqrt();
    let (mut term, mut sum, mut divisor) = (x, 0.0f64, 1.0);
    while term.abs() > 1e-18 * sum.abs() && divisor < 400.0 {
        sum += term;
        divisor += 2.0;
        term *= x * x / divisor;
    }
    density / (0.5 - density * sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_hazard_is_exact() {
        // To 50 digits by another program, rounded.
        for (x, wanted) in [
            (-8.0, 5.052_271_083_536_896e-15),
            (-1.0, 0.287_599_970_939_178_4),
            (0.0, 0.797_884_560_802_865_4),
            (2.5, 2.822_744_797_663_907),
            (3.0, 3.283_098_654_930_436_5),
            (3.5, 3.751_391_264_857_699_7),
            (12.0, 12.082_214_175_254_284),
        ] {
            let found = hazard(x);
            assert!((found - wanted).abs() < 1e-12 * wanted.max(1.0), "{x}: {found}");
        }
    }

    /// `late` is the regularised incomplete beta `I_x(a + 1, k + 1)`.
    #[test]
    fn the_tail_of_the_wait_is_the_incomplete_beta() {
        let beta = |served_per_s: f64, patience_s: f64, within_s: f64, k: usize| {
            let mut tail = Tail::new(served_per_s, 1.0 / patience_s, within_s);
            (0..=k).map(|_| tail.next().1).last().unwrap()
        };
        // a = N patience/handle: 50 agents, 180 s, 120 s give a = 33.33; x = e^{-20/120}.
        for (agents, within_s, k, wanted) in BETAS {
            let found = beta(agents / 180.0, 120.0, within_s, k);
            assert!((found - wanted).abs() < 1e-12, "{agents} {within_s} {k}: {found} {wanted}");
        }
        // A big group: no term may vanish before it is multiplied.
        let found = beta(20_000.0 / 180.0, 120.0, 15.0, 1_800);
        assert!((found - BIG).abs() < 1e-9, "{found}");
    }

    /// Agents, service-level time, calls ahead, beta to 50 digits by another program, rounded.
    const BETAS: [(f64, f64, usize, f64); 4] = [
        (50.0, 20.0, 0, 0.003_272_430_747_950_305),
        (50.0, 20.0, 5, 0.425_581_442_722_615_1),
        (10.0, 15.0, 3, 0.971_573_107_445_804_5),
        (200.0, 60.0, 120, 0.995_349_643_174_805_8),
    ];
    const BIG: f64 = 0.712_878_415_519_202_1;
}
