//! Calls that leave their queue unanswered because it is time, or because nobody is on duty.

use std::collections::BTreeSet;

use base::{Instant, QueueKey};

use super::Engine;
use crate::config::OverflowTarget;
use crate::decision::Trigger;
use crate::io::{OverflowWhy, Timer};
use crate::tables::{Call, CallIx, CallState, Place, ProfileIx, Queue, QueueIx};

impl Engine {
    /// A waiting call moves on as its rules say: out of its queue if it is time, else to its place in line.
    pub(super) fn stay_or_overflow(&mut self, now: Instant, ix: CallIx) {
        if let Some((to, why)) = self.overflow_due(now, ix) {
            return self.overflow(now, ix, to, why);
        }
        self.advance(now, ix);
        self.place(now, ix, Trigger::CallWaits);
    }

    /// Whether its time in the queue is over, and where it goes then.
    pub(super) fn overflow_due(&self, now: Instant, ix: CallIx) -> Option<(OverflowTarget, OverflowWhy)> {
        let call = self.calls.get(ix.at())?;
        if let Some((after, to)) = &self.queue_row(call)?.config.overflow.time
            && call.entered + *after <= now
        {
            return Some((to.clone(), OverflowWhy::Time));
        }
        Some((self.nobody_due(now, call)?, OverflowWhy::NoAgents))
    }

    /// Where the call goes because nobody has been on duty for too long.
    pub(super) fn nobody_due(&self, now: Instant, call: &Call) -> Option<OverflowTarget> {
        let queue = self.queue_row(call)?;
        let (_, to) = queue.config.overflow.no_agents.as_ref()?;
        (self.nobody_until(queue)? <= now && !self.has_own_agent(call)).then(|| to.clone())
    }

    /// Until when callers of a queue that nobody is on duty for stay there.
    fn nobody_until(&self, queue: &Queue) -> Option<Instant> {
        let (after, _) = queue.config.overflow.no_agents.as_ref()?;
        Some(self.index.unmanned_since(queue)? + *after)
    }

    /// Whether an agent of the caller's own is there, whoever else is not.
    fn has_own_agent(&self, call: &Call) -> bool {
        let own = call.preferred();
        own.iter().flatten().any(|ix| self.agents.get(ix.at()).is_some_and(|agent| agent.is_on_duty()))
    }

    /// A call waits in line: if nobody is on duty, the clock runs.
    pub(super) fn watch_unmanned(&mut self, now: Instant, ix: CallIx) {
        let Some(queue) = self.calls.get(ix.at()).and_then(|call| self.queue_row(call)) else { return };
        // One that has passed found nowhere to go.
        if let Some(at) = self.nobody_until(queue).filter(|&at| at > now) {
            self.timers.set(Timer::NoAgents(queue.key()), at);
        }
    }

    /// The last agent of a profile went off duty: the clock runs for those of its queues where somebody waits. Looks
    /// through the shorter of the lists of its queues and of lines with calls.
    pub(super) fn profile_left(&mut self, now: Instant, profile: ProfileIx) {
        let Some(row) = self.index.profile_at(profile) else { return };
        let busy = &self.index.busy;
        let waits = |ix: &QueueIx| self.queues.get(ix.at()).is_some_and(|queue| queue.counts.waiting > 0);
        let queues: BTreeSet<QueueIx> = if row.queues.len() <= busy.len() {
            row.queues.iter().copied().filter(waits).collect()
        } else {
            let lines = busy.iter().filter_map(|&ix| self.index.line_at(ix));
            let queues = lines.filter_map(|line| Some(self.accounts.get(line.account.at())?.queue));
            queues.filter(|ix| row.queues.binary_search(ix).is_ok()).collect()
        };
        for ix in queues {
            let Some(queue) = self.queues.get(ix.at()) else { continue };
            if let Some(at) = self.nobody_until(queue) {
                self.timers.set(Timer::NoAgents(queue.key()), at.max(now));
            }
        }
    }

    pub(super) fn no_agents_timeout(&mut self, now: Instant, key: QueueKey) {
        let Some(&queue_ix) = self.queue_of.get(&key) else { return };
        let Some(queue) = self.queues.get(queue_ix.at()) else { return };
        // Somebody came meanwhile; he may have left again.
        let Some(until) = self.nobody_until(queue) else { return };
        if until > now {
            return self.timers.set(Timer::NoAgents(key), until);
        }
        let waits =
            |call: &&Call| self.queue_of(call) == queue_ix && matches!(call.state, CallState::Waiting { .. });
        let mut calls: Vec<Place> =
            self.calls.iter().map(|(_, call)| call).filter(waits).map(|call| call.place).collect();
        calls.sort_unstable();
        for place in calls {
            let to = self.calls.get(place.call().at()).and_then(|call| self.nobody_due(now, call));
            if let Some(to) = to {
                self.overflow(now, place.call(), to, OverflowWhy::NoAgents);
            }
        }
    }
}
