//! What the engine is told about the house: queues, agents, tiers and their contracts, limits.

use std::sync::Arc;

use base::{AgentKey, Duration, QueueKey, SkillKey};

use crate::{AgentChoice, PolicyKind};

/// The whole configuration. Given at construction and again at a reload
/// ([`Input::Configure`](crate::Input::Configure)); waiting calls, talks and agents' states survive a reload.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Queues. A second queue with the same key is ignored (see [`Config::check`]).
    pub queues: Vec<QueueConfig>,
    /// Agents. All start logged out.
    pub agents: Vec<AgentConfig>,
    /// One contract per tier, in value order: index 0 is [`TierKey(0)`](base::TierKey), the most valuable.
    pub tiers: Vec<Contract>,
    /// Which waiting call a free agent gets.
    pub policy: PolicyKind,
    /// Which free agent a call gets.
    pub agent_choice: AgentChoice,
    /// How long a phone rings before the call goes to another agent.
    pub ring: Duration,
    /// From the agent's "off hook" until the voices must be joined (his number is spoken meanwhile).
    pub join: Duration,
    /// What a failed presentation means for the agent.
    pub declined: Declined,
    /// How long a call avoids an agent at whom it failed, while there is anybody else.
    pub avoid: Duration,
    /// How long a call waits for account manager A alone.
    pub wait_a: Duration,
    /// How long it then waits for A or B.
    pub wait_b: Duration,
    /// How long a repeat call waits for its last agent.
    pub wait_last: Duration,
    /// A senior's call is ordered, within its tier, as if it had come this much earlier.
    /// Zero: seniors win ties only.
    pub senior_head_start: Duration,
    /// Callers who leave sooner than this are also counted apart as short abandons.
    pub short_abandon: Duration,
    /// Longest talk, and longest call of the agent's own, before the engine takes the agent back.
    pub talk_max: Duration,
    /// Limits of the tables.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            queues: Vec::new(),
            agents: Vec::new(),
            tiers: Vec::new(),
            policy: PolicyKind::default(),
            agent_choice: AgentChoice::default(),
            ring: Duration::from_secs(15),
            join: Duration::from_secs(30),
            declined: Declined::default(),
            avoid: Duration::from_secs(60),
            wait_a: Duration::from_secs(15),
            wait_b: Duration::from_secs(15),
            wait_last: Duration::from_secs(10),
            senior_head_start: Duration::ZERO,
            short_abandon: Duration::from_secs(5),
            talk_max: Duration::from_secs(4 * 3600),
            limits: Limits::default(),
        }
    }
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueConfig {
    /// Its key.
    pub key: QueueKey,
    /// Its name, for people.
    pub name: Arc<str>,
    /// After-call work of its calls; zero means none.
    pub wrap_up: Duration,
    /// How the requirement loosens while a call waits, earliest first, at most [`RELAX_MAX`] steps.
    pub relax: Vec<Relaxation>,
    /// When and where to calls leave it unanswered.
    pub overflow: Overflow,
    /// First guess of talk and wrap-up together, for the expected wait until there are measured ones.
    pub handle_time: Duration,
}

impl QueueConfig {
    /// A queue without wrap-up, relaxation or overflow.
    pub fn new(key: QueueKey, name: impl Into<Arc<str>>) -> Self {
        QueueConfig {
            key,
            name: name.into(),
            wrap_up: Duration::ZERO,
            relax: Vec::new(),
            overflow: Overflow::default(),
            handle_time: Duration::from_secs(180),
        }
    }
}

/// Most relaxation steps of a queue; further ones are not taken.
pub const RELAX_MAX: usize = 10;

/// One relaxation step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relaxation {
    /// When, counted from the caller's place in line.
    pub after: Duration,
    /// What changes.
    pub change: Relax,
}

/// What a relaxation step changes; steps add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relax {
    /// Every minimum level falls by this much, not below 1.
    LowerLevels(u8),
    /// This skill is no longer asked for.
    DropSkill(SkillKey),
    /// No skill is asked for.
    DropSkills,
    /// Agents of this queue may take the call, too (an overflow group).
    Borrow(QueueKey),
}

/// When calls leave a queue unanswered. `None`: never for that reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// A call that has waited this long since it entered this queue.
    pub time: Option<(Duration, OverflowTarget)>,
    /// A call that arrives when this many wait.
    pub length: Option<(u32, OverflowTarget)>,
    /// Calls of a queue that nobody has been on duty for this long.
    pub no_agents: Option<(Duration, OverflowTarget)>,
}

/// Where an overflowing call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverflowTarget {
    /// Another queue, keeping its place by time.
    Queue(QueueKey),
    /// A flow.
    Flow(Arc<str>),
    /// Goodbye.
    Hangup,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// Key.
    pub key: AgentKey,
    /// Name, for people.
    pub name: Arc<str>,
    /// Skills with levels 1 (beginner) to 10 (master).
    pub skills: Vec<(SkillKey, u8)>,
    /// Queues served.
    pub queues: Vec<QueueKey>,
}

/// What a tier was promised. Rates are fractions of the calls offered to people (`0.0..=1.0`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contract {
    /// Answer rate promised while it is feasible.
    pub target: f64,
    /// Answer rate kept under any load that allows the floors of all tiers.
    pub floor: f64,
    /// A call that waited this long is promoted before the targets of others.
    pub promise: Duration,
    /// Waits of tiers in calm hours are proportional to this.
    pub delay_ratio: Duration,
    /// The time of the service level.
    pub service_level: Duration,
    /// Share of offered calls to be answered within it, if promised.
    pub service_level_target: Option<f64>,
    /// Worth of an answered call, in any unit common to all tiers.
    pub value: f64,
    /// Most agents kept idle for this tier and those above, when it is chronically in deficit.
    pub reserve_max: f64,
    /// Most calls that the tier can be owed.
    pub debt_max: f64,
    /// Most calls that it can be ahead; small for the top tiers, lest calm hours be spent in a burst.
    pub credit_max: f64,
}

impl Contract {
    /// A contract of this target and floor, the other terms as for the middle tiers of a hotline.
    pub const fn new(target: f64, floor: f64, promise: Duration) -> Self {
        Contract {
            target,
            floor,
            promise,
            delay_ratio: promise,
            service_level: Duration::from_secs(15),
            service_level_target: None,
            value: 1.0,
            reserve_max: 0.0,
            debt_max: 10.0,
            credit_max: 1.0,
        }
    }

    /// The four tiers of a hotline: diamond, gold, silver, ordinary (without a reserve, which pays
    /// only with some twenty agents and more).
    pub fn hotline() -> Vec<Contract> {
        let tier = |target, floor, promise, ratio, debt_max, credit_max, value| Contract {
            delay_ratio: Duration::from_secs(ratio),
            debt_max,
            credit_max,
            value,
            ..Contract::new(target, floor, Duration::from_secs(promise))
        };
        vec![
            tier(0.98, 0.90, 8, 10, 10.0, 0.5, 8.0),
            tier(0.95, 0.75, 20, 15, 10.0, 1.0, 4.0),
            tier(0.90, 0.50, 60, 30, 15.0, 2.0, 2.0),
            tier(0.80, 0.20, 120, 60, 20.0, 3.0, 1.0),
        ]
    }
}

/// What a failed presentation means for the agent, by why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declined {
    /// He let it ring.
    pub no_answer: Consequence,
    /// His phone was busy.
    pub busy: Consequence,
    /// He rejected the call.
    pub rejected: Consequence,
    /// His phone could not be reached.
    pub unreachable: Consequence,
}

impl Default for Declined {
    fn default() -> Self {
        let rest = |secs| Consequence::Rest { reason: 0, time: Duration::from_secs(secs) };
        Declined {
            no_answer: Consequence::NotReady { reason: 0 },
            busy: rest(10),
            rejected: rest(10),
            unreachable: rest(30),
        }
    }
}

/// What happens to an agent whose presentation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Not ready until he says otherwise.
    NotReady {
        /// Reason recorded.
        reason: u8,
    },
    /// Not ready for a while, then ready again by himself.
    Rest {
        /// Reason recorded.
        reason: u8,
        /// How long.
        time: Duration,
    },
    /// Ready at once, for other calls.
    Stay,
}

/// Limits of the engine's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls waiting or presented; a further one leaves at once by `Overflow { why: Limit }`.
    pub calls_max: usize,
    /// Agents; further ones of the config are left out (and named by [`Config::check`]).
    pub agents_max: usize,
    /// Queues; likewise.
    pub queues_max: usize,
    /// Different combinations of queue and requirement in use at once; a call that needs a further one leaves
    /// at once by `Overflow { why: Limit }`.
    pub signatures_max: usize,
    /// Decisions remembered; the oldest are forgotten.
    pub decisions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            calls_max: 100_000,
            agents_max: 20_000,
            queues_max: 20_000,
            signatures_max: 40_000,
            decisions_max: 4_096,
        }
    }
}

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
        let mut seen = std::collections::BTreeSet::new();
        let all: std::collections::BTreeSet<_> = self.queues.iter().map(|queue| queue.key).collect();
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
        let mut seen = std::collections::BTreeSet::new();
        let queues: std::collections::BTreeSet<_> = self.queues.iter().map(|queue| queue.key).collect();
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
