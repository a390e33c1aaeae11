//! The call record: one per call, with every step and its time.

use base::{CallKey, Pii, TierKey, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::explain::Explained;

/// What one call was, from INVITE to the last BYE.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// The call.
    pub key: CallKey,
    /// The caller's number as normalised, empty if withheld.
    pub caller: Pii<String>,
    /// The number dialled.
    pub dialled: String,
    /// Name of the trunk or number of the agent that the call came from.
    pub source: String,
    /// Tier that the caller was served as.
    pub tier: TierKey,
    /// Its name at that time.
    pub tier_name: String,
    /// Name of the last queue, if the call entered one.
    pub queue: Option<String>,
    /// Number of the last agent who talked to the caller.
    pub agent: Option<String>,
    /// When the INVITE arrived.
    pub started: UnixMillis,
    /// When the switch answered the caller.
    pub answered: Option<UnixMillis>,
    /// When the last leg ended.
    pub ended: UnixMillis,
    /// Time in the queue until an agent's voice was joined, or until the caller left, in ms.
    pub wait_ms: u64,
    /// Time that voices were joined, in ms.
    pub talk_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Survey score, if the caller gave one.
    pub survey: Option<u8>,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Why the call went to whom it went: decisions about it, and the last ones that it lost to others.
    pub decisions: Vec<Explained>,
}

/// One step of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds since the INVITE.
    pub at_ms: u64,
    /// What happened, a word of [`StepKind`]'s table.
    pub what: StepKind,
    /// With whom or what: flow step, queue, agent number, SIP code, reason. Never a caller's number or digit.
    pub detail: String,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every word of the table.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word as stored and shown.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The variant of a stored word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What can happen to a call.
    StepKind {
        /// INVITE arrived.
        Offered = "offered",
        /// The directory named the caller's tier.
        Identified = "identified",
        /// The switch answered (200).
        Answered = "answered",
        /// A flow step ran.
        Flow = "flow",
        /// A key was pressed (never which).
        Key = "key",
        /// A back-end hook was asked.
        Hook = "hook",
        /// Entered a queue.
        Queued = "queued",
        /// The expected wait was announced.
        WaitAnnounced = "wait-announced",
        /// An agent was rung.
        Presented = "presented",
        /// An agent was withdrawn.
        Withdrawn = "withdrawn",
        /// The agent's phone declined or failed.
        Declined = "declined",
        /// An agent answered.
        AgentAnswered = "agent-answered",
        /// Voices were joined.
        Bridged = "bridged",
        /// A party put the other on hold.
        Held = "held",
        /// A party took the other back from hold.
        Resumed = "resumed",
        /// An agent referred the caller on.
        Referred = "referred",
        /// Left the queue by time, length or lack of agents.
        Overflowed = "overflowed",
        /// Offered a callback or self-service instead of waiting.
        WayOut = "way-out",
        /// Led to a callback or self-service.
        Deflected = "deflected",
        /// Gave up waiting.
        Abandoned = "abandoned",
        /// An outgoing leg was started on a trunk.
        Dialled = "dialled",
        /// The caller began to leave a message, of this name.
        Recording = "recording",
        /// The survey was answered (score not in the step).
        Surveyed = "surveyed",
        /// A party hung up.
        HungUp = "hung-up",
        /// Ended by the switch: limit, timeout, drain, error.
        Ended = "ended",
    }
}

words! {
    /// How a call ended, one word for statistics.
    Outcome {
        /// An agent talked to the caller.
        Answered = "answered",
        /// The caller left while waiting in a queue.
        Abandoned = "abandoned",
        /// Served by the flow alone.
        SelfService = "self-service",
        /// The caller hung up before any queue and before the flow was done.
        LeftEarly = "left-early",
        /// Led away by callback.
        Deflected = "deflected",
        /// Sent out on a trunk, answered there.
        Outbound = "outbound",
        /// A customer who was called back did not take the call.
        NotReached = "not-reached",
        /// Refused with a SIP final answer.
        Refused = "refused",
        /// Ended by a fault, a limit or a drain.
        Failed = "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again_and_equal_their_json() {
        for &kind in StepKind::ALL {
            assert_eq!(StepKind::from_word(kind.word()), Some(kind));
        }
        for &outcome in Outcome::ALL {
            assert_eq!(Outcome::from_word(outcome.word()), Some(outcome));
        }
    }
}
