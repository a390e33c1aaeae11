//! Promised calls: who is to be called, when, and what became of it. How they are made is in the engine's own file
//! of that name.

use base::{AgentKey, CustomerKey, Instant, QueueKey, TierKey};

use crate::io::Class;
use crate::requirement::Requirement;

/// A call that a customer was promised.
#[derive(Clone, Debug, PartialEq)]
pub struct Promise {
    /// Whom.
    pub customer: CustomerKey,
    /// What for.
    pub kind: CallbackKind,
    /// His tier.
    pub tier: TierKey,
    /// The queue whose agents call.
    pub queue: QueueKey,
    /// Skills asked for.
    pub skills: Requirement,
    /// Order within the tier.
    pub class: Class,
    /// Favoured within the tier.
    pub senior: bool,
    /// Account manager A and his stand-in B.
    pub managers: [Option<AgentKey>; 2],
    /// His place in line: when the call came for which the promise was given.
    pub since: Instant,
    /// Never before this: a promised hour, or the next attempt.
    pub not_before: Option<Instant>,
    /// When it is due; `None`: as the tier's contract says, from `since` or `not_before`.
    pub due: Option<Instant>,
    /// Attempts made already.
    pub attempts: u8,
}

impl Promise {
    /// A callback to a caller of `tier` who came at `since`.
    pub fn new(customer: CustomerKey, tier: TierKey, queue: QueueKey, since: Instant) -> Self {
        Promise {
            customer,
            kind: CallbackKind::Callback,
            tier,
            queue,
            skills: Requirement::none(),
            class: Class::Normal,
            senior: false,
            managers: [None, None],
            since,
            not_before: None,
            due: None,
            attempts: 0,
        }
    }
}

/// What a promised call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallbackKind {
    /// Instead of waiting. A new call of the customer keeps this promise, too.
    Callback,
    /// Word on a complaint.
    Complaint,
    /// Word on a visit.
    Visit,
}

impl CallbackKind {
    /// Every kind.
    pub const ALL: &'static [CallbackKind] =
        &[CallbackKind::Callback, CallbackKind::Complaint, CallbackKind::Visit];

    /// The name in configs and records.
    pub const fn word(self) -> &'static str {
        match self {
            CallbackKind::Callback => "callback",
            CallbackKind::Complaint => "complaint",
            CallbackKind::Visit => "visit",
        }
    }

    /// The kind of a name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// What a promise is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallbackState {
    /// Not before this.
    Scheduled {
        /// When.
        at: Instant,
        /// Attempts made.
        attempts: u8,
    },
    /// Waits for agents to be free.
    Waiting {
        /// Attempts made.
        attempts: u8,
    },
    /// The customer is being called.
    Dialling {
        /// This one included.
        attempts: u8,
    },
    /// He took the call and waits for an agent, or talks with one.
    Reached {
        /// This one included.
        attempts: u8,
    },
    /// It is over; the engine has forgotten it.
    Ended(CallbackEnd),
}

/// How a promise ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallbackEnd {
    /// The customer talked with an agent.
    Kept,
    /// He called by himself and has the promised place.
    CalledAgain,
    /// He could not be reached in all attempts.
    NotReached,
    /// It was taken back.
    Cancelled,
    /// Not taken on: this customer has such a promise already.
    Double,
    /// Not taken on: too many promises, or a queue that does not exist.
    Refused,
}

impl CallbackEnd {
    /// The name in records.
    pub const fn word(self) -> &'static str {
        match self {
            CallbackEnd::Kept => "kept",
            CallbackEnd::CalledAgain => "called-again",
            CallbackEnd::NotReached => "not-reached",
            CallbackEnd::Cancelled => "cancelled",
            CallbackEnd::Double => "double",
            CallbackEnd::Refused => "refused",
        }
    }
}

/// Promises since start. At every instant
/// `promised == kept + called_again + not_reached + cancelled + open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CallbackCounts {
    /// Taken on.
    pub promised: u64,
    /// Not taken on: double, or over a limit.
    pub refused: u64,
    /// Dial-outs.
    pub dialled: u64,
    /// The customer took the call.
    pub reached: u64,
    /// Talked with an agent.
    pub kept: u64,
    /// Called by themselves before.
    pub called_again: u64,
    /// Given up.
    pub not_reached: u64,
    /// Taken back.
    pub cancelled: u64,
    /// Due before they were kept.
    pub overdue: u64,
    /// Open now.
    pub open: u64,
    /// Being dialled now.
    pub dialling: u64,
}

impl CallbackCounts {
    /// Whether no promise is lost and none is counted twice.
    pub const fn conserved(&self) -> bool {
        self.promised == self.kept + self.called_again + self.not_reached + self.cancelled + self.open
    }
}
