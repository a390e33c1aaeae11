//! What is wrong with a configuration.

use core::fmt;
use std::collections::BTreeSet;

use base::{AgentKey, Duration, QueueKey, SkillKey};

use super::{Config, Contract, OverflowTarget, RELAX_MAX, RING_TOGETHER_MAX, Relax};
use crate::feasibility::{Demand, Feasibility};

/// A mistake in a [`Config`], for the person who wrote it. Tiers are named by their index.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigError {
    /// No tier, or more than 64.
    Tiers(usize),
    /// Two queues with one key.
    DuplicateQueue(QueueKey),
    /// Two agents with one key.
    DuplicateAgent(AgentKey),
    /// An agent serves a queue that is not there.
    UnknownQueue(AgentKey, QueueKey),
    /// A skill level outside 1-10.
    Level(AgentKey, SkillKey, u8),
    /// A tier's floor is above its target, or a rate is not within 0-1.
    Rates(usize),
    /// A number of a tier's contract is negative or not a number.
    Terms(usize),
    /// A tier is worth more than the one above it.
    Value(usize),
    /// A reserve that would keep every agent idle: the tier would never be served.
    Reserve {
        /// Tier.
        tier: usize,
        /// Agents kept free from it.
        kept: u32,
        /// Agents there are.
        agents: usize,
    },
    /// A queue overflows, borrows or is reinforced from itself or from a queue that is not there.
    Target(QueueKey, QueueKey),
    /// More than [`RELAX_MAX`] relaxation steps.
    Relaxations(QueueKey, usize),
    /// More agents than `limits.agents_max`.
    Agents(usize),
    /// More queues than `limits.queues_max`.
    Queues(usize),
    /// No agent, or more than [`RING_TOGETHER_MAX`], to be rung at once.
    RingTogether(usize),
    /// A cap of occupancy that is not above 0 and at most 1; of an agent or of all.
    Occupancy(Option<AgentKey>),
    /// A weight of policy `index` is not a number, or its tier is not there (row).
    Index(usize),
    /// A share, a time or a count of the ladder of overload that cannot be: named.
    Ladder(&'static str),
    /// A rule of callbacks that cannot be: named.
    Callbacks(&'static str),
    /// Shares of the tiers that do not add up to 1.
    Shares(f64),
    /// The floors cannot all be kept.
    FloorsInfeasible(Shortage),
    /// The targets cannot all be kept.
    TargetsInfeasible(Shortage),
}

/// Not enough agents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortage {
    /// Agents there are.
    pub agents: usize,
    /// Agents needed. `None`: a million do not suffice.
    pub needed: Option<u32>,
    /// Answer rate that the contracts add up to.
    pub promised: f64,
    /// Answer rate of all calls with the agents there are.
    pub reached: f64,
}

/// Most tiers.
pub const TIERS_MAX: usize = 64;

/// The load that a configuration is to be checked against.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Calls per second in all.
    pub calls_per_s: f64,
    /// Share of each tier.
    pub shares: Vec<f64>,
    /// Mean talk and after-call work.
    pub handle_s: f64,
    /// Mean patience of a waiting caller.
    pub patience_s: f64,
}

impl Config {
    /// All mistakes, in order. The engine runs with any config; what is wrong is left out.
    pub fn check(&self) -> Vec<ConfigError> {
        let mut found = Vec::new();
        if self.tiers.is_empty() || self.tiers.len() > TIERS_MAX {
            found.push(ConfigError::Tiers(self.tiers.len()));
        }
        if self.agents.len() > self.limits.agents_max {
            found.push(ConfigError::Agents(self.agents.len()));
        }
        if self.queues.len() > self.limits.queues_max {
            found.push(ConfigError::Queues(self.queues.len()));
        }
        self.check_tiers(&mut found);
        self.check_queues(&mut found);
        self.check_agents(&mut found);
        self.check_rules(&mut found);
        found
    }

    /// Whether the contracts can be kept by these agents under this load; by Erlang A, as if every agent could take
    /// every call.
    pub fn check_forecast(&self, forecast: &Forecast) -> Vec<ConfigError> {
        let mut found = Vec::new();
        let sum: f64 = forecast.shares.iter().sum();
        let of_all =
            forecast.shares.len() == self.tiers.len() && forecast.shares.iter().all(|&share| share >= 0.0);
        if !of_all || (sum - 1.0).abs() > 1e-6 {
            found.push(ConfigError::Shares(sum));
            return found;
        }
        let agents = self.agents.len();
        let demand = Demand {
            calls_per_s: forecast.shares.iter().map(|share| share * forecast.calls_per_s).collect(),
            handle_s: forecast.handle_s,
            patience_s: forecast.patience_s,
        };
        let on_duty = u32::try_from(agents).unwrap_or(u32::MAX);
        let Some(view) = Feasibility::of(&self.tiers, &demand, on_duty) else { return found };
        let shortage = |needed, promised| Shortage { agents, needed, promised, reached: view.answer_rate };
        if !view.keeps_floors() {
            found.push(ConfigError::FloorsInfeasible(shortage(view.for_floors, view.floors)));
        } else if !view.keeps_targets() {
            found.push(ConfigError::TargetsInfeasible(shortage(view.for_targets, view.targets)));
        }
        found
    }

    fn check_tiers(&self, found: &mut Vec<ConfigError>) {
        for (index, tier) in self.tiers.iter().enumerate() {
            let rate = |x: f64| (0.0..=1.0).contains(&x);
            let in_time = tier.service_level_target.is_none_or(rate);
            if !rate(tier.target) || !rate(tier.floor) || tier.floor > tier.target || !in_time {
                found.push(ConfigError::Rates(index));
            }
            let terms = [tier.value, tier.reserve_max, tier.debt_max, tier.credit_max];
            if terms.iter().any(|x| !x.is_finite() || *x < 0.0) {
                found.push(ConfigError::Terms(index));
            }
        }
        let values = self.tiers.iter().zip(self.tiers.iter().skip(1)).enumerate();
        found.extend(
            values
                .filter(|(_, (above, tier))| tier.value > above.value)
                .map(|(at, _)| ConfigError::Value(at + 1)),
        );
        self.check_reserves(found);
    }

    /// Who is kept for others must not be everybody.
    fn check_reserves(&self, found: &mut Vec<ConfigError>) {
        let agents = self.agents.len();
        if agents == 0 {
            return;
        }
        let too_many = |kept: u32| usize::try_from(kept).is_ok_and(|kept| kept >= agents);
        let kept_by = |tier: &Contract| match self.policy {
            crate::PolicyKind::Reserve => tier.idle_threshold,
            _ => 0,
        };
        for (tier, kept) in self.tiers.iter().map(kept_by).enumerate().filter(|&(_, kept)| too_many(kept)) {
            found.push(ConfigError::Reserve { tier, kept, agents });
        }
    }

    fn check_queues(&self, found: &mut Vec<ConfigError>) {
        let mut seen = BTreeSet::new();
        let all: BTreeSet<_> = self.queues.iter().map(|queue| queue.key).collect();
        for queue in &self.queues {
            if !seen.insert(queue.key) {
                found.push(ConfigError::DuplicateQueue(queue.key));
            }
            if queue.relax.len() > RELAX_MAX {
                found.push(ConfigError::Relaxations(queue.key, queue.relax.len()));
            }
            let overflow = &queue.overflow;
            let targets = [
                overflow.time.as_ref().map(|(_, to)| to),
                overflow.length.as_ref().map(|(_, to)| to),
                overflow.no_agents.as_ref().map(|(_, to)| to),
            ];
            let overflows = targets.into_iter().flatten().filter_map(|to| match to {
                OverflowTarget::Queue(key) => Some(*key),
                OverflowTarget::Flow(_) | OverflowTarget::Hangup => None,
            });
            let borrows = queue.relax.iter().filter_map(|step| match step.change {
                Relax::Borrow(key) => Some(key),
                Relax::LowerLevels(_) | Relax::DropSkill(_) | Relax::DropSkills => None,
            });
            for target in overflows.chain(borrows).chain(queue.reinforce.iter().copied()) {
                if target == queue.key || !all.contains(&target) {
                    found.push(ConfigError::Target(queue.key, target));
                }
            }
        }
    }

    fn check_agents(&self, found: &mut Vec<ConfigError>) {
        let mut seen = BTreeSet::new();
        let queues: BTreeSet<_> = self.queues.iter().map(|queue| queue.key).collect();
        for agent in &self.agents {
            if !seen.insert(agent.key) {
                found.push(ConfigError::DuplicateAgent(agent.key));
            }
            for queue in agent.queues.iter().filter(|key| !queues.contains(key)) {
                found.push(ConfigError::UnknownQueue(agent.key, *queue));
            }
            for &(skill, level) in agent.skills.iter().filter(|(_, level)| !(1..=10).contains(level)) {
                found.push(ConfigError::Level(agent.key, skill, level));
            }
            if agent.occupancy_max.is_some_and(|most| !is_cap(most)) {
                found.push(ConfigError::Occupancy(Some(agent.key)));
            }
        }
    }

    fn check_rules(&self, found: &mut Vec<ConfigError>) {
        if !(1..=RING_TOGETHER_MAX).contains(&self.ring_together) {
            found.push(ConfigError::RingTogether(self.ring_together));
        }
        if self.occupancy_max.is_some_and(|most| !is_cap(most)) {
            found.push(ConfigError::Occupancy(None));
        }
        for (row, weights) in self.index.iter().enumerate() {
            let numbers = [weights.wait, weights.idle, weights.constant];
            if numbers.iter().any(|x| !x.is_finite()) || weights.tier.index() >= self.tiers.len() {
                found.push(ConfigError::Index(row));
            }
        }
        if let Some(ladder) = &self.ladder {
            let share = |x: f64| x > 0.0 && x <= 1.0;
            let wrong = [
                ("exit_share", !share(ladder.exit_share)),
                ("debt_share", !share(ladder.debt_share)),
                ("offers_per_s", ladder.offers_per_s == 0),
            ];
            found.extend(wrong.iter().filter(|(_, is)| *is).map(|&(name, _)| ConfigError::Ladder(name)));
        }
        let rules = &self.callbacks;
        let minutes = |min: u16| min >= 24 * 60;
        let wrong = [
            ("attempts_max", rules.attempts_max == 0),
            ("dial_max", rules.dial_max < Duration::from_secs(1)),
            ("quiet", rules.quiet.is_some_and(|quiet| minutes(quiet.from_min) || minutes(quiet.until_min))),
        ];
        found.extend(wrong.iter().filter(|(_, is)| *is).map(|&(name, _)| ConfigError::Callbacks(name)));
    }
}

fn is_cap(share: f64) -> bool {
    share > 0.0 && share <= 1.0
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |rate: f64| rate * 100.0;
        write!(f, "promise an answer rate of {:.1} % in all; ", percent(self.promised))?;
        write!(f, "{} agents reach {:.1} %, ", self.agents, percent(self.reached))?;
        match self.needed {
            Some(needed) => write!(f, "{needed} are needed"),
            None => f.write_str("no number of agents suffices"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Tiers(count) => write!(f, "{count} tiers; there must be 1 to {TIERS_MAX}"),
            ConfigError::DuplicateQueue(queue) => write!(f, "two queues have the key {queue}"),
            ConfigError::DuplicateAgent(agent) => write!(f, "two agents have the key {agent}"),
            ConfigError::UnknownQueue(agent, queue) => {
                write!(f, "agent {agent} serves {queue}, which is not there")
            }
            ConfigError::Level(agent, skill, level) => {
                write!(f, "agent {agent} has level {level} of {skill}; levels are 1 to 10")
            }
            ConfigError::Rates(tier) => {
                write!(f, "tier {tier}: rates are from 0 to 1, and the floor is not above the target")
            }
            ConfigError::Terms(tier) => write!(f, "tier {tier}: a number is negative or not a number"),
            ConfigError::Value(tier) => write!(f, "tier {tier} is worth more than the tier above it"),
            ConfigError::Reserve { tier, kept, agents } => {
                write!(
                    f,
                    "tier {tier} leaves {kept} agents free, and there are {agents}: it would never be served"
                )
            }
            ConfigError::Target(queue, target) => {
                write!(f, "{queue} leads to {target}, which is itself or not there")
            }
            ConfigError::Relaxations(queue, count) => {
                write!(f, "{queue} has {count} relaxation steps, more than {RELAX_MAX}")
            }
            ConfigError::Agents(count) => write!(f, "{count} agents, more than the limit"),
            ConfigError::Queues(count) => write!(f, "{count} queues, more than the limit"),
            ConfigError::RingTogether(count) => {
                write!(f, "{count} agents rung together; it must be 1 to {RING_TOGETHER_MAX}")
            }
            ConfigError::Occupancy(Some(agent)) => {
                write!(f, "agent {agent}: the cap of occupancy is not in 0 to 1")
            }
            ConfigError::Occupancy(None) => f.write_str("the cap of occupancy is not in 0 to 1"),
            ConfigError::Index(row) => {
                write!(f, "row {row} of the index weights: a tier or number that cannot be")
            }
            ConfigError::Ladder(name) => write!(f, "the ladder's {name} cannot be"),
            ConfigError::Callbacks(name) => write!(f, "the callbacks' {name} cannot be"),
            ConfigError::Shares(sum) => write!(f, "the shares of the tiers add up to {sum:.4}, not to 1"),
            ConfigError::FloorsInfeasible(shortage) => {
                write!(f, "the floors cannot all be kept: they {shortage}")
            }
            ConfigError::TargetsInfeasible(shortage) => {
                write!(f, "the targets cannot all be kept: they {shortage}")
            }
        }
    }
}
