//! What is wrong with a configuration.

use std::collections::BTreeSet;

use base::{AgentKey, QueueKey, SkillKey};

use super::{Config, OverflowTarget, RELAX_MAX, Relax};

/// A mistake in a [`Config`], for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A tier's floor is above its target, or a rate is not within 0-1 (index of the tier).
    Rates(usize),
    /// A number of a tier's contract is negative or not a number (index of the tier).
    Terms(usize),
    /// A queue overflows or borrows to itself or to a queue that is not there.
    Target(QueueKey, QueueKey),
    /// More than [`RELAX_MAX`] relaxation steps.
    Relaxations(QueueKey, usize),
    /// More agents than `limits.agents_max`.
    Agents(usize),
    /// More queues than `limits.queues_max`.
    Queues(usize),
}

/// Most tiers.
pub const TIERS_MAX: usize = 64;

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
        for (index, tier) in self.tiers.iter().enumerate() {
            let rate = |x: f64| (0.0..=1.0).contains(&x);
            if !rate(tier.target) || !rate(tier.floor) || tier.floor > tier.target {
                found.push(ConfigError::Rates(index));
            }
            let terms = [tier.value, tier.reserve_max, tier.debt_max, tier.credit_max];
            if terms.iter().any(|x| !x.is_finite() || *x < 0.0) {
                found.push(ConfigError::Terms(index));
            }
        }
        self.check_queues(&mut found);
        self.check_agents(&mut found);
        found
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
            for target in overflows.chain(borrows) {
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
        }
    }
}
