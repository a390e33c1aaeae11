//! Counts from one event log: every call is in exactly one of them.

use base::Duration;

use crate::decision::Band;

/// What became of the calls of a queue or a tier since start. At every instant
/// `offered + moved_in == answered + abandoned + deflected + overflowed + moved_out + waiting`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Entered (a queue: also by overflow from another; a tier: not).
    pub offered: u64,
    /// Voices joined with an agent.
    pub answered: u64,
    /// The caller gave up.
    pub abandoned: u64,
    /// Of these, within the short-abandon time.
    pub abandoned_short: u64,
    /// Left for a callback, self-service or by the caller's choice.
    pub deflected: u64,
    /// Left by overflow (a tier: to something other than a queue).
    pub overflowed: u64,
    /// Promoted into this tier (queues: 0).
    pub moved_in: u64,
    /// Promoted out of this tier (queues: 0).
    pub moved_out: u64,
    /// Waiting now, presented ones included.
    pub waiting: u64,
    /// Answered within the tier's service-level time.
    pub answered_in_time: u64,
    /// Of those offered, customers who were called back as promised.
    pub called_back: u64,
}

impl Counts {
    /// Whether no call is lost and none is counted twice.
    pub const fn conserved(&self) -> bool {
        let out = self.answered + self.abandoned + self.deflected + self.overflowed + self.moved_out;
        self.offered + self.moved_in == out + self.waiting
    }

    /// Answered per offered, `None` before the first call.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn answer_rate(&self) -> Option<f64> {
        let base = self.offered + self.moved_in - self.moved_out.min(self.offered + self.moved_in);
        (base > 0).then(|| self.answered as f64 / base as f64)
    }
}

/// Upper bounds of the wait histogram in ms; the last bucket has none.
pub const WAIT_BOUNDS_MS: [u64; 11] =
    [1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000, u64::MAX];

/// Waits of answered calls by bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Waits {
    /// Calls per bucket of [`WAIT_BOUNDS_MS`], not cumulative.
    pub buckets: [u64; WAIT_BOUNDS_MS.len()],
    /// Sum of the waits, ms.
    pub sum_ms: u64,
    /// Longest, ms.
    pub max_ms: u64,
}

impl Waits {
    pub(crate) fn add(&mut self, wait: Duration) {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        if let Some(bucket) =
            WAIT_BOUNDS_MS.iter().position(|&bound| ms <= bound).and_then(|at| self.buckets.get_mut(at))
        {
            *bucket += 1;
        }
        self.sum_ms = self.sum_ms.saturating_add(ms);
        self.max_ms = self.max_ms.max(ms);
    }

    /// `(upper bound in ms, calls)`, not cumulative; the last bound is `u64::MAX`.
    pub fn pairs(&self) -> impl Iterator<Item = (u64, u64)> {
        WAIT_BOUNDS_MS.into_iter().zip(self.buckets)
    }
}

/// A queue now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Counts since start.
    pub counts: Counts,
    /// Waits of answered calls.
    pub waits: Waits,
    /// Longest wait of those waiting now.
    pub longest_wait: Duration,
    /// Agents who could be rung now.
    pub agents_ready: usize,
    /// Agents on duty: logged in, reachable, and not "not ready".
    pub agents_on_duty: usize,
    /// Agents logged in.
    pub agents_logged_in: usize,
}

/// A tier now.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct TierStats {
    /// Counts since start.
    pub counts: Counts,
    /// Waits of answered calls.
    pub waits: Waits,
    /// The controller's state, if the policy has one: of the kind of call (queue and wishes) that is owed most.
    pub debts: Option<Debts>,
    /// The band that a call of the tier coming now would be in, where it is owed most.
    pub band: Option<Band>,
    /// How right the expected wait has been.
    pub wait_error: WaitError,
}

/// How right the expected wait of a tier has been, over the answered calls for which one was worked out.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct WaitError {
    /// Calls.
    pub calls: u64,
    /// Mean absolute error, seconds.
    pub mean_abs_s: f64,
    /// Mean error, seconds: positive when waits were shorter than expected.
    pub bias_s: f64,
    /// Calls that were told "within".
    pub told: u64,
    /// Of these, answered within.
    pub told_right: u64,
}

/// A tier's state in the controller.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Debts {
    /// Calls owed to the floor (negative: ahead).
    pub floor: f64,
    /// Calls owed to the target (negative: ahead).
    pub target: f64,
    /// Calls owed in time (negative: ahead); 0 without a service-level target.
    pub in_time: f64,
    /// Agents kept free for this tier and those above.
    pub reserve: f64,
}

/// What the engine counted about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Presentations.
    pub presented: u64,
    /// Presentations that ended by the ringing deadline.
    pub no_answer: u64,
    /// Presentations declined by the agent's phone.
    pub declined: u64,
    /// Inputs that did not fit the state, or named a stranger.
    pub ignored: u64,
    /// Calls refused by a limit.
    pub limited: u64,
    /// Agents, calls and dial-outs that were stuck: set right by the driver's [`Truth`](crate::Truth) or by a last
    /// deadline. Should be 0.
    pub stuck: u64,
    /// Times that the counts of a queue, a tier or the promises did not add up after an event. Must be 0.
    pub violations: u64,
    /// Calls held back by a reserve while somebody was free.
    pub held_back: u64,
    /// Ways out offered at overload.
    pub ways_out: u64,
    /// Agents who rested because they had worked too much of their time.
    pub rests: u64,
}
