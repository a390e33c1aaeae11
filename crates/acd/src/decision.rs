//! Why a call went to an agent.

use base::{AgentKey, CallKey, Duration, Instant, QueueKey, TierKey};

use crate::policy::PolicyKind;

/// One decision. Lists are bounded: at most one head per tier, at most [`OTHERS_MAX`] other agents.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// When.
    pub at: Instant,
    /// The call presented.
    pub call: CallKey,
    /// To whom.
    pub agent: AgentKey,
    /// Its tier.
    pub tier: TierKey,
    /// Its queue.
    pub queue: QueueKey,
    /// How long it had waited.
    pub waited: Duration,
    /// What made the engine decide.
    pub trigger: Trigger,
    /// By which rule.
    pub policy: PolicyKind,
    /// The oldest eligible call of each tier, in value order, with what became of it.
    pub heads: Vec<HeadSeen>,
    /// Free agents who could have taken the call.
    pub idle: u32,
    /// The best of them besides the winner, and why not they.
    pub others: Vec<AgentSeen>,
}

/// Most other agents named in a [`Decision`].
pub const OTHERS_MAX: usize = 4;

/// What made the engine decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// An agent became free.
    AgentFree,
    /// A call arrived, came back, was promoted, or may now be taken by more agents.
    CallWaits,
    /// A reserve was looked at again.
    Reserve,
}

/// The oldest eligible call of a tier.
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
    /// In a band of the controller; the higher goes first. The debts are calls owed to the tier.
    Band {
        /// 3: floor, 2: target or promise, 1: calm.
        band: u8,
        /// Calls owed to the floor.
        floor_debt: f64,
        /// Calls owed to the target.
        target_debt: f64,
    },
    /// Held back: the free agents are kept for a higher tier.
    Reserve {
        /// Agents kept free.
        need: u32,
        /// Agents free.
        idle: u32,
    },
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
}
