//! Which waiting call goes to which agent, when, and why.
//!
//! [`Engine`] is one routing domain: a single writer, driven by events and deadlines. It knows calls and
//! agents by their keys and nothing of SIP, sockets or sound; so a year of calls runs in a minute, and its
//! input log is its state.

mod choice;
mod config;
mod decision;
mod engine;
mod io;
mod policy;
mod requirement;
mod stats;

pub use choice::AgentChoice;
pub use config::{
    AgentConfig, Config, ConfigError, Consequence, Contract, Declined, Limits, Overflow, OverflowTarget,
    QueueConfig, RELAX_MAX, Relax, Relaxation, TIERS_MAX,
};
pub use decision::{AgentSeen, Decision, HeadSeen, OTHERS_MAX, Rank, Trigger, WhyNot};
pub use engine::{AgentView, Engine};
pub use io::{AgentState, Caller, Class, Decline, Deflection, Input, Output, OverflowWhy, Timer, Withdrawal};
pub use policy::PolicyKind;
pub use requirement::{Need, Requirement, TERMS_MAX, TooComplex};
pub use stats::{Counters, Counts, Debts, QueueStats, TierStats, WAIT_BOUNDS_MS, Waits};

/// Two tables that disagree: a bug of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Counts of a queue do not add up.
    QueueCounts(base::QueueKey),
    /// Counts of a tier do not add up.
    TierCounts(base::TierKey),
    /// A call is not in the index where it should be, or is where it should not.
    Index(base::CallKey),
    /// A call and an agent do not agree about each other.
    Pairing(base::CallKey, base::AgentKey),
    /// A free agent is not among the free, or a busy one is.
    Idle(base::AgentKey),
    /// A state that must end has no deadline.
    NoDeadline(base::AgentKey),
    /// Number of waiting calls differs from the tables' sum.
    Waiting,
    /// A call waits although a free agent could take it and no reserve forbids it.
    Unserved(base::CallKey),
}
