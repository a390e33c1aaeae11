//! Which waiting call goes to which agent, when, and why.
//!
//! [`Engine`] is one routing domain: a single writer, driven by events and deadlines. It knows calls and
//! agents by their keys and nothing of SIP, sockets or sound; so a year of calls runs in a minute, and its
//! input log is its state.

mod choice;
mod config;
mod decision;
mod engine;
pub mod erlang;
mod expected;
mod index;
mod io;
mod policy;
mod requirement;
mod stats;
mod tables;

pub use choice::AgentChoice;
pub use config::{
    AgentConfig, Config, ConfigError, Consequence, Contract, Declined, Limits, Overflow, OverflowTarget,
    QueueConfig, RELAX_MAX, Relax, Relaxation, TIERS_MAX,
};
pub use decision::{AgentSeen, Decision, HeadSeen, OTHERS_MAX, Rank, Trigger, WhyNot};
pub use engine::{AgentView, Engine, Violation};
pub use io::{AgentState, Caller, Class, Decline, Deflection, Input, Output, OverflowWhy, Timer, Withdrawal};
pub use policy::PolicyKind;
pub use requirement::{Need, Requirement, TERMS_MAX, TooComplex};
pub use stats::{Counters, Counts, Debts, QueueStats, TierStats, WAIT_BOUNDS_MS, Waits};
