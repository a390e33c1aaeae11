//! Why a call went to an agent, or why nobody got anybody. The words in which it is told are in `explain`.

use base::{AgentKey, CallKey, CallbackKey, Duration, Instant, QueueKey, TierKey};

use crate::choice::AgentChoice;
use crate::io::WayOut;
use crate::policy::PolicyKind;

/// One decision. Lists are bounded: at most one head per tier, at most [`OTHERS_MAX`] other agents.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Counts up from 1.
    pub number: u64,
    /// When.
    pub at: Instant,
    /// The call that it is about: presented, kept waiting, or offered a way out.
    pub call: Option<CallKey>,
    /// Its tier, or the tier that made a queue climb the ladder.
    pub tier: Option<TierKey>,
    /// The queue.
    pub queue: QueueKey,
    /// How long the call had waited.
    pub waited: Duration,
    /// What was decided.
    pub outcome: Outcome,
    /// What made the engine decide.
    pub trigger: Trigger,
    /// By which rule a call was chosen.
    pub policy: PolicyKind,
    /// By which rule an agent was chosen.
    pub choice: AgentChoice,
    /// The first eligible call of each tier, in value order, with what became of it.
    pub heads: Vec<HeadSeen>,
    /// Free agents who could have taken the call.
    pub idle: u32,
    /// The best of them besides the winner, and why not they.
    pub others: Vec<AgentSeen>,
}

/// Most other agents named in a [`Decision`].
pub const OTHERS_MAX: usize = 4;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The call rings at the agent.
    Presented {
        /// Who.
        agent: AgentKey,
    },
    /// The agent stays free although calls wait for him: the heads say why.
    KeptFree {
        /// Who.
        agent: AgentKey,
    },
    /// Overload: the caller may choose something else.
    WayOut(WayOut),
    /// The queue climbed or descended the ladder of overload.
    Level {
        /// From this rung.
        from: u8,
        /// To this.
        to: u8,
        /// The wait that its tier is about to have.
        wait: Option<Duration>,
    },
    /// A customer is called back.
    DialBack {
        /// Which promise.
        callback: CallbackKey,
        /// 1 for the first.
        attempt: u8,
        /// Customers being called already, for whom some of the free agents are meant.
        dialling: u32,
        /// Free agents left to live callers.
        reserve: u32,
    },
}

/// What made the engine decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// An agent became free.
    AgentFree,
    /// A call arrived, came back, was promoted, or may now be taken by more agents.
    CallWaits,
    /// A reserve or an index was looked at again.
    Reserve,
    /// A queue's overload was looked at.
    Overload,
    /// A promise may be kept.
    Callback,
}

/// The first eligible call of a tier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadSeen {
    /// The call.
    pub call: CallKey,
    /// Its tier.
    pub tier: TierKey,
    /// How long it has waited.
    pub waited: Duration,
    /// What the policy made of it.
    pub rank: Rank,
    /// Whether it won.
    pub chosen: bool,
}

/// A policy's judgement of one head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rank {
    /// Compared by value order or by age alone.
    Plain,
    /// In a band of the controller; the higher goes first. The debts are calls owed to its tier and wishes.
    Band {
        /// Which.
        band: Band,
        /// Calls owed to the floor.
        floor_debt: f64,
        /// Calls owed to the target.
        target_debt: f64,
    },
    /// Compared by a number: the greater goes first.
    Score {
        /// Seconds waited with the offset (`age-offset`), wait per allowed wait (`delay-ratio`), or index (`index`).
        score: f64,
    },
    /// Held back: the free agents are kept for a higher tier.
    Reserve {
        /// Agents kept free.
        need: u32,
        /// Agents free.
        idle: u32,
    },
    /// Held back: its index with this agent is below zero, so far.
    NotYet {
        /// The index.
        score: f64,
    },
}

/// The bands of the controller, the most urgent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// Nothing is owed: waits are kept in proportion.
    Calm,
    /// Answers in time are owed, and this one would still be in time.
    InTime,
    /// Target owed, or past the promised wait.
    Target,
    /// Floor owed, or a call of the first tier past its promised wait.
    Floor,
}

impl Band {
    /// For people and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Band::Calm => "calm",
            Band::InTime => "in-time",
            Band::Target => "target",
            Band::Floor => "floor",
        }
    }
}

/// A free agent who did not get the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentSeen {
    /// Who.
    pub agent: AgentKey,
    /// Why not.
    pub why: WhyNot,
}

/// Why a free agent did not get the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// The other was to be preferred by the choice of agents.
    OtherPreferred,
    /// The call had failed at him.
    FailedBefore,
    /// He is rung, too.
    RungToo,
}
