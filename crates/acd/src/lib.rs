//! Which waiting call goes to which agent, when, and why.
//!
//! [`Engine`] is one routing domain: a single writer, driven by events and deadlines. It knows calls and
//! agents by their keys and nothing of SIP, sockets or sound; so a year of calls runs in a minute, and its
//! input log is its state.

mod callback;
mod choice;
mod config;
mod decision;
mod engine;
pub mod erlang;
mod expected;
mod explain;
mod feasibility;
mod index;
mod io;
mod ladder;
mod occupancy;
mod policy;
mod requirement;
mod stats;
mod tables;

pub use callback::{CallbackCounts, CallbackEnd, CallbackKind, CallbackState, Promise};
pub use choice::AgentChoice;
pub use config::{
    AgentConfig, CallbackRules, Config, ConfigError, Consequence, Contract, Declined, Due, Forecast,
    IndexWeights, Ladder, Limits, Overflow, OverflowTarget, QueueConfig, Quiet, RELAX_MAX, RING_TOGETHER_MAX,
    Relax, Relaxation, Shortage, TIERS_MAX,
};
pub use decision::{AgentSeen, Band, Decision, HeadSeen, OTHERS_MAX, Outcome, Rank, Trigger, WhyNot};
pub use engine::{AccountView, AgentView, CallbackView, Engine, Violation};
pub use feasibility::{Demand, Feasibility};
pub use io::{
    AgentState, Announcement, Caller, Class, Decline, Deflection, Input, Output, OverflowWhy, Repair, Timer,
    Truth, WayOut, Withdrawal,
};
pub use policy::PolicyKind;
pub use requirement::{Need, Requirement, TERMS_MAX, TooComplex};
pub use stats::{Counters, Counts, Debts, QueueStats, TierStats, WAIT_BOUNDS_MS, WaitError, Waits};
