//! One call's record while it is being written.

use std::collections::VecDeque;
use std::sync::Arc;

use base::{CallKey, Duration, Instant, Pii, TierKey, UnixMillis, WallClock};

use crate::explain::Explained;
use crate::record::{CallRecord, Outcome, Step, StepKind};

/// Longest detail of a step, in bytes.
const DETAIL_MAX: usize = 64;
/// Decisions about one call that are kept.
const DECISIONS_MAX: usize = 16;
/// Decisions lost to others that are kept: the last ones.
const LOST_MAX: usize = 4;

/// The record of a call that is still going on.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) record: CallRecord,
    started: Instant,
    steps_max: usize,
    /// Start of the present wait or talk, where one goes on.
    waiting: Option<Instant>,
    talking: Option<Instant>,
    waited: Duration,
    talked: Duration,
    /// Steps that did not fit.
    pub(crate) steps_lost: u64,
    /// Decisions about the call, and the last that it lost to others.
    pub(crate) decisions: Vec<Arc<Explained>>,
    lost: VecDeque<Arc<Explained>>,
}

impl Ledger {
    /// A new record.
    pub(crate) fn new(key: CallKey, now: Instant, wall: WallClock, steps_max: usize) -> Self {
        let record = empty(key, wall.at(now));
        Ledger {
            record,
            started: now,
            steps_max,
            waiting: None,
            talking: None,
            waited: Duration::ZERO,
            talked: Duration::ZERO,
            steps_lost: 0,
            decisions: Vec::new(),
            lost: VecDeque::new(),
        }
    }

    /// When the call came.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// Notes a decision about the call. The first ones are kept, and the last of those it lost to others.
    pub(crate) fn decided(&mut self, decision: Arc<Explained>, about_it: bool) {
        if about_it && self.decisions.len() < DECISIONS_MAX {
            self.decisions.push(decision);
        } else if !about_it {
            if self.lost.len() >= LOST_MAX {
                self.lost.pop_front();
            }
            self.lost.push_back(decision);
        }
    }

    /// All of them in order.
    pub(crate) fn explained(&self) -> Vec<Arc<Explained>> {
        let mut all: Vec<_> = self.decisions.iter().chain(&self.lost).cloned().collect();
        all.sort_by_key(|decision| decision.number);
        all
    }

    /// Writes a step down. The last place is kept for the last step of the call.
    pub(crate) fn step(&mut self, now: Instant, what: StepKind, detail: &str) {
        let last = matches!(what, StepKind::HungUp | StepKind::Ended);
        if self.record.steps.len().saturating_add(1) >= self.steps_max && !last {
            self.steps_lost = self.steps_lost.saturating_add(1);
            return;
        }
        let detail = detail.chars().filter(|c| !c.is_control());
        let mut kept = String::new();
        for c in detail {
            if kept.len().saturating_add(c.len_utf8()) > DETAIL_MAX {
                break;
            }
            kept.push(c);
        }
        let at_ms = millis(now - self.started);
        self.record.steps.push(Step { at_ms, what, detail: kept });
    }

    /// The caller waits from `since` on.
    pub(crate) fn wait_begins(&mut self, since: Instant) {
        self.waiting.get_or_insert(since);
    }

    /// Whether the caller waits.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The caller waits no longer.
    pub(crate) fn wait_ends(&mut self, now: Instant) {
        if let Some(since) = self.waiting.take() {
            self.waited = self.waited.saturating_add(now - since);
        }
    }

    /// Voices are joined.
    pub(crate) fn talk_begins(&mut self, now: Instant) {
        self.talking.get_or_insert(now);
    }

    /// Voices are parted.
    pub(crate) fn talk_ends(&mut self, now: Instant) {
        if let Some(since) = self.talking.take() {
            self.talked = self.talked.saturating_add(now - since);
        }
    }

    /// Closes the record and hands it over; an empty one remains.
    pub(crate) fn close(&mut self, now: Instant, wall: WallClock, outcome: Outcome) -> CallRecord {
        self.wait_ends(now);
        self.talk_ends(now);
        let decisions = self.explained().iter().map(|decision| (**decision).clone()).collect();
        let empty = empty(self.record.key, self.record.started);
        let mut record = core::mem::replace(&mut self.record, empty);
        record.ended = wall.at(now);
        record.wait_ms = millis(self.waited);
        record.talk_ms = millis(self.talked);
        record.outcome = outcome;
        record.decisions = decisions;
        record
    }
}

fn empty(key: CallKey, at: UnixMillis) -> CallRecord {
    CallRecord {
        key,
        caller: Pii::default(),
        dialled: String::new(),
        source: String::new(),
        tier: TierKey::default(),
        tier_name: String::new(),
        queue: None,
        agent: None,
        started: at,
        answered: None,
        ended: at,
        wait_ms: 0,
        talk_ms: 0,
        outcome: Outcome::LeftEarly,
        survey: None,
        steps: Vec::new(),
        decisions: Vec::new(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_always_fits() {
        let mut ledger = Ledger::new(CallKey(1), Instant::ZERO, WallClock::default(), 4);
        for _ in 0..10 {
            ledger.step(Instant::from_secs(1), StepKind::Flow, &"步".repeat(100));
        }
        ledger.step(Instant::from_secs(2), StepKind::HungUp, "caller\r\nx");
        assert_eq!((ledger.record.steps.len(), ledger.steps_lost), (4, 7));
        assert_eq!(ledger.record.steps[3].detail, "callerx");
        assert!(ledger.record.steps[0].detail.len() <= DETAIL_MAX);
    }

    #[test]
    fn waits_and_talks_add_up() {
        let mut ledger = Ledger::new(CallKey(1), Instant::ZERO, WallClock::default(), 4);
        ledger.wait_begins(Instant::from_secs(1));
        ledger.wait_begins(Instant::from_secs(2));
        ledger.wait_ends(Instant::from_secs(4));
        ledger.talk_begins(Instant::from_secs(4));
        ledger.talk_ends(Instant::from_secs(5));
        ledger.wait_begins(Instant::from_secs(6));
        let record = ledger.close(Instant::from_secs(8), WallClock::default(), Outcome::Abandoned);
        assert_eq!((record.wait_ms, record.talk_ms, record.ended.0), (5_000, 1_000, 8_000));
    }
}
