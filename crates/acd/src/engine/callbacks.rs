//! Promised calls. A promise keeps the place that its caller had. It is dialled only while more agents are free than are
//! kept for live callers and for the customers being dialled already, and while nobody waits whom those agents could
//! take: callbacks never go past a live caller and never exceed the free agents. One that is due and was not kept competes
//! with them for an agent: see [`super::overdue`].

use base::{CallKey, CallbackKey, CustomerKey, Duration, Instant};

use super::Engine;
use super::decide::tier_key;
use crate::callback::{CallbackEnd, CallbackKind, CallbackState, Promise};
use crate::config::{CallbackRules, Contract, Quiet};
use crate::decision::{Decision, Outcome, Trigger};
use crate::index::Line;
use crate::io::{Caller, Output, Timer};
use crate::tables::{AccountIx, AgentIx, CallbackIx, Exit, LineIx};

/// An open promise.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: CallbackKey,
    pub(super) promise: Box<Promise>,
    pub(super) account: AccountIx,
    pub(super) due: Instant,
    pub(super) stage: Stage,
    pub(super) attempts: u8,
}

/// What an open promise is at. `Dialling` ends by a deadline, `Reached` with its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Scheduled { at: Instant },
    Waiting { line: LineIx },
    Dialling { line: LineIx },
    Reached { call: CallKey },
}

impl Engine {
    pub(super) fn promise(&mut self, now: Instant, key: CallbackKey, promise: Box<Promise>) {
        if self.callback_of.contains_key(&key) {
            return self.ignore();
        }
        let who = (promise.customer, promise.kind);
        if self.promised_to.contains_key(&who) {
            return self.refuse_promise(key, CallbackEnd::Double);
        }
        let queue = self.queue_of.get(&promise.queue).copied().filter(|&ix| self.is_open(ix));
        let room = self.callback_of.len() < self.config.limits.callbacks_max;
        let account = queue.filter(|_| room).and_then(|queue| self.account(queue, &promise.skills));
        let Some(account) = account else { return self.refuse_promise(key, CallbackEnd::Refused) };
        let due = promise.due.unwrap_or_else(|| {
            promise.not_before.unwrap_or(now).max(now) + self.usual_due(promise.tier.index(), promise.kind)
        });
        let (not_before, attempts) = (promise.not_before, promise.attempts);
        let stage = Stage::Scheduled { at: now };
        let at = self.callbacks.insert(Entry { key, promise, account, due, stage, attempts });
        let ix = CallbackIx::new(at);
        self.callback_of.insert(key, ix);
        self.promised_to.insert(who, ix);
        self.join_account(account);
        self.callback_counts.promised += 1;
        self.callback_counts.open += 1;
        self.timers.set(Timer::CallbackDue(key), due);
        self.schedule(now, ix, not_before.unwrap_or(now));
    }

    fn refuse_promise(&mut self, callback: CallbackKey, end: CallbackEnd) {
        self.callback_counts.refused += 1;
        self.outputs.push_back(Output::CallbackChanged { callback, state: CallbackState::Ended(end) });
    }

    fn usual_due(&self, tier: usize, kind: CallbackKind) -> Duration {
        let tier = tier.min(self.tier_last());
        let due = self.config.tiers.get(tier).map_or(crate::Due::USUAL, |contract: &Contract| contract.due);
        match kind {
            CallbackKind::Callback => due.callback,
            CallbackKind::Complaint => due.complaint,
            CallbackKind::Visit => due.visit,
        }
    }

    /// Not before `at`; then as soon as agents are free for it.
    fn schedule(&mut self, now: Instant, ix: CallbackIx, at: Instant) {
        let Some(entry) = self.callbacks.get_mut(ix.at()) else { return };
        let (key, account, since) = (entry.key, entry.account, entry.promise.since);
        if at > now {
            entry.stage = Stage::Scheduled { at };
            self.timers.set(Timer::Callback(key), at);
            return self.tell(ix);
        }
        let relaxed = self.steps_taken(now, account, since);
        match self.line(account, relaxed) {
            Some(line) => self.enlist_promise(ix, line),
            // No room for its line: as if nobody had been reached, without the attempt.
            None => self.schedule(now, ix, now + self.config.callbacks.retry.max(Duration::from_secs(1))),
        }
        self.tell(ix);
    }

    fn enlist_promise(&mut self, ix: CallbackIx, line: LineIx) {
        let Some(entry) = self.callbacks.get_mut(ix.at()) else { return };
        entry.stage = Stage::Waiting { line };
        let (key, due) = (entry.key, entry.due);
        self.may_dial = true;
        self.index.promise(line, due, ix);
        // Otherwise it is when the timer says so.
        if self.timers.get(Timer::CallbackDue(key)).is_none() {
            self.overdue.insert((due, ix));
        }
    }

    /// The promise does not wait to be dialled any more.
    fn delist_promise(&mut self, ix: CallbackIx, line: LineIx, due: Instant) {
        self.index.unpromise(line, due, ix);
        self.overdue.remove(&(due, ix));
    }

    /// Reports what a promise is at.
    fn tell(&mut self, ix: CallbackIx) {
        let Some(entry) = self.callbacks.get(ix.at()) else { return };
        self.outputs.push_back(Output::CallbackChanged { callback: entry.key, state: state_of(entry) });
    }

    pub(super) fn callback_timeout(&mut self, now: Instant, key: CallbackKey) {
        let Some(&ix) = self.callback_of.get(&key) else { return };
        match self.callbacks.get(ix.at()).map(|entry| entry.stage) {
            Some(Stage::Scheduled { .. }) => self.schedule(now, ix, now),
            Some(Stage::Dialling { .. }) => {
                self.outputs.push_back(Output::StopDial { callback: key });
                self.attempt_failed(now, ix);
            }
            Some(Stage::Waiting { .. } | Stage::Reached { .. }) | None => {}
        }
    }

    /// Dials for the free agents, the earliest due first.
    pub(super) fn dial_back(&mut self, now: Instant) {
        if !self.may_dial || self.index.promised.is_empty() || self.index.idle.is_empty() {
            return;
        }
        self.may_dial = false;
        if let Some(until) = self.config.callbacks.quiet_until(now) {
            self.may_dial = true;
            return self.timers.set(Timer::Quiet, until);
        }
        while let Some(ix) = self.next_to_dial() {
            let agent = self.holds_for(ix);
            self.dial(now, ix, agent);
        }
    }

    fn next_to_dial(&self) -> Option<CallbackIx> {
        let first = |line: &LineIx| self.index.line_at(*line)?.promised.first().map(|&first| (first, *line));
        let mut lines: Vec<_> = self.index.promised.iter().filter_map(first).collect();
        lines.sort_unstable();
        lines.into_iter().find(|&((_, ix), line)| self.is_room_for(ix, line)).map(|((_, ix), _)| ix)
    }

    /// Whether so many agents are free for the line that a further customer may be dialled.
    fn is_room_for(&self, ix: CallbackIx, line_ix: LineIx) -> bool {
        let (Some(entry), Some(line)) = (self.callbacks.get(ix.at()), self.index.line_at(line_ix)) else {
            return false;
        };
        let taken = self.kept_from_callbacks(ix, entry).saturating_add(self.dialling_for(line));
        self.index.idle_count(line_ix, taken.saturating_add(1)) > taken && !self.somebody_waits_for(line)
    }

    /// Free agents left to live callers: by the rules of callbacks as long as there is time, or the reserve of a higher
    /// tier.
    fn kept_from_callbacks(&self, ix: CallbackIx, entry: &Entry) -> u32 {
        let usual = if self.is_overdue(ix) { 0 } else { self.config.callbacks.reserve };
        let above = self.policy.reserves().iter().filter(|&&(_, tier, _)| tier < entry.promise.tier.0);
        above.map(|&(_, _, need)| need).max().unwrap_or(0).max(usual)
    }

    /// Customers being dialled who may be answered by one of the free agents of the line: nobody is held for them.
    fn dialling_for(&self, line: &Line) -> u32 {
        let shares = |stage| {
            let Stage::Dialling { line: other } = stage else { return false };
            self.index.line_at(other).is_some_and(|other| self.index.share_idle(line, other))
        };
        let without_agent = self.dialling.iter().filter(|(_, held)| held.is_none());
        let dialling = without_agent.filter_map(|(ix, _)| self.callbacks.get(ix.at()));
        u32::try_from(dialling.filter(|entry| shares(entry.stage)).count()).unwrap_or(u32::MAX)
    }

    /// Whether a live caller is held back whom a free agent of the line could take.
    fn somebody_waits_for(&self, line: &Line) -> bool {
        let busy = self.index.busy.iter().filter_map(|&ix| self.index.line_at(ix));
        busy.into_iter().any(|other| self.index.share_idle(line, other))
    }

    /// Dials, and holds an agent for the customer if one is named.
    pub(super) fn dial(&mut self, now: Instant, ix: CallbackIx, agent: Option<AgentIx>) {
        let Some(entry) = self.callbacks.get_mut(ix.at()) else { return };
        let Stage::Waiting { line } = entry.stage else { return };
        let (key, due) = (entry.key, entry.due);
        entry.stage = Stage::Dialling { line };
        entry.attempts = entry.attempts.saturating_add(1);
        self.record_dial(now, ix, line);
        self.delist_promise(ix, line, due);
        self.dialling.insert(ix, agent);
        if let Some(agent) = agent {
            self.change(now, agent, |agent| agent.held = Some(ix));
        }
        self.callback_counts.dialled += 1;
        self.callback_counts.dialling += 1;
        self.timers.set(Timer::Callback(key), now + self.config.callbacks.dial_max);
        self.begin_audit(now);
        if let Some(Entry { promise, attempts, .. }) = self.callbacks.get(ix.at()) {
            let (customer, tier, queue, attempt) = (promise.customer, promise.tier, promise.queue, *attempts);
            self.outputs.push_back(Output::DialBack { callback: key, customer, tier, queue, attempt });
        }
        self.tell(ix);
    }

    fn record_dial(&mut self, now: Instant, ix: CallbackIx, line_ix: LineIx) {
        let (Some(entry), Some(line)) = (self.callbacks.get(ix.at()), self.index.line_at(line_ix)) else {
            return;
        };
        let outcome = Outcome::DialBack {
            callback: entry.key,
            attempt: entry.attempts,
            dialling: self.dialling_for(line),
            reserve: self.kept_from_callbacks(ix, entry),
        };
        let decision = Decision {
            number: 0,
            at: now,
            call: None,
            tier: Some(tier_key(entry.promise.tier.index())),
            queue: entry.promise.queue,
            waited: now.since(entry.promise.since),
            outcome,
            trigger: Trigger::Callback,
            policy: self.config.policy,
            choice: self.config.agent_choice,
            heads: Vec::new(),
            idle: self.index.idle_count(line_ix, u32::MAX),
            others: Vec::new(),
        };
        self.note(decision);
    }

    /// Ends the dialling, if there is any.
    fn dials_no_more(&mut self, now: Instant, ix: CallbackIx) {
        if let Some(held) = self.dialling.remove(&ix) {
            self.callback_counts.dialling -= 1;
            self.may_dial = true;
            if let Some(agent) = held {
                self.release(now, agent);
            }
        }
        if let Some(entry) = self.callbacks.get(ix.at()) {
            self.timers.cancel(Timer::Callback(entry.key));
            if let Stage::Waiting { line } = entry.stage {
                self.delist_promise(ix, line, entry.due);
            }
        }
    }

    /// The customer is on the line, even if a moment ago he was given up: he waits at his old place.
    pub(super) fn dial_answered(&mut self, now: Instant, key: CallbackKey, call: CallKey) {
        let found = self.callback_of.get(&key).copied();
        let waits = |ix: &CallbackIx| {
            self.callbacks.get(ix.at()).is_some_and(|entry| !matches!(entry.stage, Stage::Reached { .. }))
        };
        let Some(ix) = found.filter(waits) else {
            self.ignore();
            return self.refuse(call);
        };
        // Whoever is held for him stays held until his call has its place.
        let held = self.dialling.get_mut(&ix).and_then(Option::take);
        self.dials_no_more(now, ix);
        let Some(entry) = self.callbacks.get_mut(ix.at()) else { return };
        entry.stage = Stage::Reached { call };
        let Promise { tier, queue, class, senior, managers, since, .. } = *entry.promise;
        let skills = entry.promise.skills.clone();
        let caller =
            Caller { class, senior, managers, since: Some(since), skills, ..Caller::new(tier, queue) };
        self.callback_counts.reached += 1;
        self.tell(ix);
        if !self.admit(now, call, &caller, Some(key)) {
            self.attempt_failed(now, ix);
        }
        if let Some(agent) = held {
            self.give_to_held(now, call, agent);
        }
    }

    pub(super) fn dial_failed(&mut self, now: Instant, key: CallbackKey) {
        let found = self.callback_of.get(&key).copied();
        match found.filter(|ix| self.dialling.contains_key(ix)) {
            Some(ix) => self.attempt_failed(now, ix),
            None => self.ignore(),
        }
    }

    /// Again later, unless it was the last attempt.
    pub(super) fn attempt_failed(&mut self, now: Instant, ix: CallbackIx) {
        self.dials_no_more(now, ix);
        let Some(entry) = self.callbacks.get(ix.at()) else { return };
        if entry.attempts >= self.config.callbacks.attempts_max {
            return self.end_promise(now, ix, CallbackEnd::NotReached);
        }
        self.schedule(now, ix, now + self.config.callbacks.retry);
    }

    /// The call by which a promise was being kept is over.
    pub(super) fn promise_served(&mut self, now: Instant, key: CallbackKey, exit: Exit) {
        let Some(&ix) = self.callback_of.get(&key) else { return };
        match exit {
            Exit::Answered => self.end_promise(now, ix, CallbackEnd::Kept),
            Exit::Deflected => self.end_promise(now, ix, CallbackEnd::Cancelled),
            Exit::Abandoned | Exit::Overflowed => self.attempt_failed(now, ix),
        }
    }

    pub(super) fn cancel_callback(&mut self, now: Instant, key: CallbackKey) {
        match self.callback_of.get(&key).copied() {
            Some(ix) => self.stop_promise(now, ix, CallbackEnd::Cancelled),
            None => self.ignore(),
        }
    }

    fn stop_promise(&mut self, now: Instant, ix: CallbackIx, end: CallbackEnd) {
        if self.dialling.contains_key(&ix)
            && let Some(entry) = self.callbacks.get(ix.at())
        {
            self.outputs.push_back(Output::StopDial { callback: entry.key });
        }
        self.end_promise(now, ix, end);
    }

    fn end_promise(&mut self, now: Instant, ix: CallbackIx, end: CallbackEnd) {
        self.dials_no_more(now, ix);
        let Some(entry) = self.callbacks.remove(ix.at()) else { return };
        self.callback_of.remove(&entry.key);
        self.promised_to.remove(&(entry.promise.customer, entry.promise.kind));
        self.timers.cancel(Timer::CallbackDue(entry.key));
        self.leave_account(entry.account);
        let counts = &mut self.callback_counts;
        counts.open -= 1;
        match end {
            CallbackEnd::Kept => counts.kept += 1,
            CallbackEnd::CalledAgain => counts.called_again += 1,
            CallbackEnd::NotReached => counts.not_reached += 1,
            CallbackEnd::Cancelled | CallbackEnd::Double | CallbackEnd::Refused => counts.cancelled += 1,
        }
        let (callback, state) = (entry.key, CallbackState::Ended(end));
        self.outputs.push_back(Output::CallbackChanged { callback, state });
    }

    /// A customer who was promised a callback calls by himself: the promise is kept by this call, at the place that it
    /// held. Returns that place.
    pub(super) fn called_again(&mut self, now: Instant, customer: Option<CustomerKey>) -> Option<Instant> {
        let &ix = self.promised_to.get(&(customer?, CallbackKind::Callback))?;
        let entry = self.callbacks.get(ix.at())?;
        if let Stage::Reached { .. } = entry.stage {
            return None;
        }
        let since = entry.promise.since;
        self.stop_promise(now, ix, CallbackEnd::CalledAgain);
        Some(since)
    }

    /// After a reload: promises of queues that are no more end, the others stand in the new lines.
    pub(super) fn restore_promises(&mut self, now: Instant) {
        let all: Vec<CallbackIx> = self.callback_of.values().copied().collect();
        for ix in all {
            let Some(entry) = self.callbacks.get(ix.at()) else { continue };
            let (account, since, stage) = (entry.account, entry.promise.since, entry.stage);
            let queue = self.accounts.get(account.at()).map(|account| account.queue);
            if !queue.is_some_and(|queue| self.is_open(queue)) {
                self.stop_promise(now, ix, CallbackEnd::Cancelled);
                continue;
            }
            let relaxed = self.steps_taken(now, account, since);
            let Some(line) = self.line(account, relaxed) else { continue };
            match stage {
                Stage::Waiting { .. } => self.enlist_promise(ix, line),
                Stage::Dialling { .. } => {
                    if let Some(entry) = self.callbacks.get_mut(ix.at()) {
                        entry.stage = Stage::Dialling { line };
                    }
                }
                Stage::Scheduled { .. } | Stage::Reached { .. } => {}
            }
        }
    }
}

pub(super) const fn state_of(entry: &Entry) -> CallbackState {
    let attempts = entry.attempts;
    match entry.stage {
        Stage::Scheduled { at } => CallbackState::Scheduled { at, attempts },
        Stage::Waiting { .. } => CallbackState::Waiting { attempts },
        Stage::Dialling { .. } => CallbackState::Dialling { attempts },
        Stage::Reached { .. } => CallbackState::Reached { attempts },
    }
}

const DAY_MS: i64 = 24 * 3_600 * 1_000;

impl CallbackRules {
    /// When the quiet hours end, if it is quiet now.
    pub(super) fn quiet_until(&self, now: Instant) -> Option<Instant> {
        let Quiet { from_min, until_min } = self.quiet?;
        let local_ms = i64::try_from(self.wall.at(now).0).ok()? + i64::from(self.utc_offset_s) * 1_000;
        let of_day = local_ms.rem_euclid(DAY_MS);
        let [from, until] = [from_min, until_min].map(|min| i64::from(min) * 60_000);
        let quiet =
            if from <= until { (from..until).contains(&of_day) } else { of_day >= from || of_day < until };
        let left_ms = (until - of_day).rem_euclid(DAY_MS);
        quiet.then(|| now + Duration::from_millis(left_ms.unsigned_abs()))
    }
}
