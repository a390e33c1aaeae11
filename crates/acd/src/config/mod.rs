//! What the engine is told about the house: queues, agents, tiers and their contracts, limits.

mod check;
mod contract;
mod overload;

use std::sync::Arc;

use base::{AgentKey, Duration, QueueKey, SkillKey, TierKey};

use crate::io::Decline;
use crate::{AgentChoice, PolicyKind};

pub use check::{ConfigError, Forecast, Shortage, TIERS_MAX};
pub use contract::{Contract, Due};
pub use overload::{CallbackRules, Ladder, Quiet};

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
    /// Choice `ring-all`: how many agents are rung at once, at most [`RING_TOGETHER_MAX`].
    pub ring_together: usize,
    /// Policy `index`: the weights, one row per tier and group of agents. A pair without a row has weights 0.
    pub index: Vec<IndexWeights>,
    /// Over how long agents' occupancy is measured: an exponential memory of this length.
    pub occupancy_window: Duration,
    /// An agent whose occupancy is above this share of his time rests until it is below. `None`: no cap.
    pub occupancy_max: Option<f64>,
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
    /// What is done at overload. `None`: nothing.
    pub ladder: Option<Ladder>,
    /// How callbacks are made.
    pub callbacks: CallbackRules,
    /// How often the driver is asked for the truth about calls and talks ([`Output::AskTruth`](crate::Output)),
    /// while there are any. `None`: it gives [`Input::Truth`](crate::Input) by itself or not at all.
    pub audit: Option<Duration>,
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
            ring_together: 5,
            index: Vec::new(),
            occupancy_window: Duration::from_secs(1_800),
            occupancy_max: None,
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
            ladder: None,
            callbacks: CallbackRules::default(),
            audit: None,
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
    /// Queues whose agents help at level 3 of the ladder.
    pub reinforce: Vec<QueueKey>,
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
            reinforce: Vec::new(),
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
#[derive(Clone, Debug, PartialEq)]
pub struct AgentConfig {
    /// Key.
    pub key: AgentKey,
    /// Name, for people.
    pub name: Arc<str>,
    /// Skills with levels 1 (beginner) to 10 (master).
    pub skills: Vec<(SkillKey, u8)>,
    /// Queues served.
    pub queues: Vec<QueueKey>,
    /// Group, for policy `index`.
    pub group: u16,
    /// His own cap of occupancy, before [`Config::occupancy_max`].
    pub occupancy_max: Option<f64>,
}

impl AgentConfig {
    /// An agent without skills and queues.
    pub fn new(key: AgentKey, name: impl Into<Arc<str>>) -> Self {
        AgentConfig {
            key,
            name: name.into(),
            skills: Vec::new(),
            queues: Vec::new(),
            group: 0,
            occupancy_max: None,
        }
    }
}

/// Most agents rung at once for one call.
pub const RING_TOGETHER_MAX: usize = 16;

/// Weights of policy `index` for a tier's calls at a group's agents: the pair's index is
/// `wait * (longest wait, s) + idle * (longest idle time, s) + constant`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexWeights {
    /// Tier.
    pub tier: TierKey,
    /// Group of agents.
    pub group: u16,
    /// Per second that the call has waited.
    pub wait: f64,
    /// Per second that the agent has been free.
    pub idle: f64,
    /// For the pair as such; negative: the call waits deliberately for other agents.
    pub constant: f64,
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
    /// The driver could not ring him. A pause, so that it is not asked again in the same breath.
    pub shortage: Consequence,
}

impl Default for Declined {
    fn default() -> Self {
        let rest = |secs| Consequence::Rest { reason: 0, time: Duration::from_secs(secs) };
        Declined {
            no_answer: Consequence::NotReady { reason: 0 },
            busy: rest(10),
            rejected: rest(10),
            unreachable: rest(30),
            shortage: rest(1),
        }
    }
}

impl Declined {
    pub(crate) const fn consequence(&self, why: Decline) -> Consequence {
        match why {
            Decline::NoAnswer => self.no_answer,
            Decline::Busy => self.busy,
            Decline::Rejected => self.rejected,
            Decline::Unreachable => self.unreachable,
            Decline::Shortage => self.shortage,
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
    /// Promised callbacks; a further promise is refused.
    pub callbacks_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            calls_max: 100_000,
            agents_max: 20_000,
            queues_max: 20_000,
            signatures_max: 40_000,
            decisions_max: 4_096,
            callbacks_max: 100_000,
        }
    }
}
