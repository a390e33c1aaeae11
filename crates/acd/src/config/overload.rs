//! What is done when more call than can be answered: the ladder, and callbacks.

use base::{Duration, UnixMillis, WallClock};

use super::OverflowTarget;

/// The ladder of overload, climbed by each queue for itself:
///
/// | level | entered when | what it does |
/// |---|---|---|
/// | 0 | | nothing |
/// | 1 | the lowest tier that may be offered one waits longer than its `callback_above`, or is owed more than [`Ladder::debt_share`] of its cap and waits longer than [`Ladder::debt_wait`] | offers it a callback |
/// | 2 | the same is true of a second tier | offers that one a callback too, the lowest also self-service |
/// | 3 | some tier is owed more than `debt_share` of its cap in *floor* | caps the lowest tier ([`Ladder::cap`]), borrows the queue's [`reinforce`](super::QueueConfig::reinforce) |
/// | 4 | the floors cannot all be kept by the agents on duty | tells the truth; the lowest tier goes to [`Ladder::outsource`] |
///
/// Emergencies, seniors and called-back customers are exempt. Nobody is led away: the caller chooses.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// A rung is left when its measure is below this share of what entered it.
    pub exit_share: f64,
    /// A rung is held at least so long.
    pub dwell: Duration,
    /// See the table: share of a debt's cap.
    pub debt_share: f64,
    /// See the table: least wait for which a debt alone makes an offer.
    pub debt_wait: Duration,
    /// Level 3: an arriving call of the lowest tier that finds this many of its tier waiting is offered a
    /// callback at once and pressingly.
    pub cap: u32,
    /// Level 3: where such a call goes instead of waiting. `None`: it may wait if it does not take the offer.
    pub cap_to: Option<OverflowTarget>,
    /// Level 4: where arriving calls of the lowest tier go. `None`: they are treated as at level 3.
    pub outsource: Option<OverflowTarget>,
    /// Offers made to callers already waiting, per second and queue.
    pub offers_per_s: u32,
}

impl Default for Ladder {
    fn default() -> Self {
        Ladder {
            exit_share: 0.6,
            dwell: Duration::from_secs(60),
            debt_share: 0.5,
            debt_wait: Duration::from_secs(15),
            cap: 10,
            cap_to: None,
            outsource: None,
            offers_per_s: 100,
        }
    }
}

/// How promised callbacks are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallbackRules {
    /// Free agents that callbacks leave to live callers: one is dialled only while more are free.
    pub reserve: u32,
    /// Attempts before a promise is given up.
    pub attempts_max: u8,
    /// Between two attempts.
    pub retry: Duration,
    /// How long dialling may take before it counts as an attempt that failed.
    pub dial_max: Duration,
    /// When nobody is called: local time of day.
    pub quiet: Option<Quiet>,
    /// Wall time of the engine's start: for the quiet hours.
    pub wall: WallClock,
    /// Local time ahead of UTC, seconds.
    pub utc_offset_s: i32,
}

impl Default for CallbackRules {
    fn default() -> Self {
        CallbackRules {
            reserve: 1,
            attempts_max: 3,
            retry: Duration::from_secs(900),
            dial_max: Duration::from_secs(90),
            quiet: None,
            wall: WallClock { epoch: UnixMillis(0) },
            utc_offset_s: 0,
        }
    }
}

/// Hours of the day: from `from_min` until `until_min` (minutes after midnight, 0-1439), over midnight if `from`
/// is the later. Equal: never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// First quiet minute.
    pub from_min: u16,
    /// First minute that is not quiet any more.
    pub until_min: u16,
}
