//! What an operator may ask of the running switch over HTTP; each is one input of the switch.

use base::{CallKey, CallbackKey};
use serde::{Deserialize, Serialize};

/// One request of an operator or an agent's desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Change an agent's state; the agent is named by number.
    Agent {
        /// Agent number.
        number: String,
        /// What to do.
        change: AgentChange,
    },
    /// End a call with BYE on every leg.
    Hangup(CallKey),
    /// A promised callback is over: taken back, or kept by hand.
    EndCallback {
        /// Which.
        callback: CallbackKey,
        /// Kept by hand, not taken back.
        done: bool,
    },
}

/// A change of an agent's state, the same as the feature codes'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum AgentChange {
    /// Log in (not ready until `Ready`).
    Login,
    /// Log out.
    Logout,
    /// Take calls (logs in if needed).
    Ready,
    /// Take no calls, for a reason 0-9.
    NotReady {
        /// Reason digit.
        reason: u8,
    },
    /// End the wrap-up now.
    EndWrapUp,
}

/// Why an [`Admin`] request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// No such agent.
    NoSuchAgent,
    /// No such call.
    NoSuchCall,
    /// No such open promise.
    NoSuchCallback,
    /// Not possible in the agent's present state (for example `EndWrapUp` while talking).
    WrongState,
}
