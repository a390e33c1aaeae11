//! Calls: how they come, move on while they wait, and leave. A call is counted when it comes and once when it
//! leaves, here and nowhere else.

use base::{AgentKey, CallKey, CallbackKey, Instant, TierKey};

use super::Engine;
use crate::config::OverflowTarget;
use crate::decision::Trigger;
use crate::io::{Caller, Class, Output, OverflowWhy, Withdrawal};
use crate::stats::Counts;
use crate::tables::{
    AccountIx, AgentIx, CALLS_MAX, Call, CallIx, CallState, Exit, Place, Queue, QueueIx, Rare, State, Turn,
};

/// Most queues that a call is moved through.
const HOPS_MAX: u8 = 8;

impl Engine {
    pub(super) fn offer(&mut self, now: Instant, key: CallKey, caller: &Caller) {
        self.admit(now, key, caller, None);
    }

    /// A call comes; `callback`: of a customer who was called as promised. `false`: there is no place for it.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        key: CallKey,
        caller: &Caller,
        callback: Option<CallbackKey>,
    ) -> bool {
        if self.call_of.contains_key(&key) {
            self.ignore();
            return false;
        }
        let queue = self.queue_of.get(&caller.queue).copied().filter(|&ix| self.is_open(ix));
        let room = self.call_of.len() < self.config.limits.calls_max.min(CALLS_MAX);
        let account = queue.filter(|_| room).and_then(|queue| self.account(queue, &caller.skills));
        let (Some(queue), Some(account)) = (queue, account) else {
            self.refuse(key);
            return false;
        };
        let tier = caller.tier.index().min(self.tier_last());
        self.arrivals += 1;
        let held = self.called_again(now, caller.customer);
        let since = [caller.since, held].into_iter().flatten().min().unwrap_or(now).min(now);
        let ix = CallIx::new(self.calls.next());
        self.calls.insert(Call {
            key,
            place: self.place_of(caller.class, since, caller.senior, ix),
            since,
            entered: now,
            deadline: None,
            rare: self.rare(now, caller, callback),
            account,
            state: CallState::Waiting { line: None },
            tier: u8::try_from(tier).unwrap_or(u8::MAX),
            relaxed: 0,
            hops: 0,
            shown: 0,
        });
        self.call_of.insert(key, ix);
        self.join_account(account);
        self.policy.offered(now, account, tier);
        if let Some(queue) = self.queues.get_mut(queue.at()) {
            queue.came(now, tier);
        }
        self.tally(Some(queue), Some(tier), |counts| {
            counts.offered += 1;
            counts.called_back += u64::from(callback.is_some());
            counts.waiting += 1;
        });
        self.enter(now, ix);
        self.sample_wait(now, ix);
        self.begin_audit(now);
        true
    }

    /// What few callers bring.
    fn rare(&self, now: Instant, caller: &Caller, callback: Option<CallbackKey>) -> Option<Box<Rare>> {
        let agent = |key: Option<AgentKey>| key.and_then(|key| self.agent_of.get(&key).copied());
        let (preferred, patience_a) = match caller.managers.map(agent) {
            [None, None] => ([agent(caller.last_agent), None], self.config.wait_last),
            both => (both, self.config.wait_a),
        };
        if preferred == [None, None] && callback.is_none() {
            return None;
        }
        let turn = if preferred == [None, None] { Turn::Pool } else { Turn::First };
        Some(Box::new(Rare { offered: now, preferred, patience_a, turn, callback, ..Rare::default() }))
    }

    pub(super) fn refuse(&mut self, call: CallKey) {
        self.counters.limited += 1;
        let (to, why) = (OverflowTarget::Hangup, OverflowWhy::Limit);
        self.outputs.push_back(Output::Overflow { call, to, why });
    }

    fn place_of(&self, class: Class, since: Instant, senior: bool, ix: CallIx) -> Place {
        let head_start = if senior { self.config.senior_head_start.as_nanos() } else { 0 };
        let head_start = u64::try_from(head_start).unwrap_or(u64::MAX);
        let since = Instant::from_nanos(since.as_nanos().saturating_sub(head_start));
        Place::new(class, since, senior, self.arrivals, ix)
    }

    pub(super) fn is_open(&self, ix: QueueIx) -> bool {
        self.queues.get(ix.at()).is_some_and(|queue| !queue.gone)
    }

    pub(super) fn tier_last(&self) -> usize {
        self.config.tiers.len().max(1) - 1
    }

    /// The queue that a call waits in.
    pub(super) fn queue_of(&self, call: &Call) -> QueueIx {
        self.accounts.get(call.account.at()).map_or(QueueIx::new(usize::MAX), |account| account.queue)
    }

    pub(super) fn queue_row(&self, call: &Call) -> Option<&Queue> {
        self.queues.get(self.queue_of(call).at())
    }

    /// The call comes to its queue: over the length, to nobody, or into the line.
    fn enter(&mut self, now: Instant, ix: CallIx) {
        let Some(call) = self.calls.get(ix.at()) else { return };
        let Some(queue) = self.queue_row(call) else { return };
        let rules = &queue.config.overflow;
        if let Some((most, to)) = &rules.length
            && queue.counts.waiting > u64::from(*most)
        {
            let to = to.clone();
            return self.overflow(now, ix, to, OverflowWhy::Length);
        }
        if let Some(to) = self.nobody_due(now, call) {
            return self.overflow(now, ix, to, OverflowWhy::NoAgents);
        }
        let queue = self.queue_of(call);
        self.watch(now, queue);
        if self.lead_elsewhere(now, ix) {
            return;
        }
        self.advance(now, ix);
        self.place(now, ix, Trigger::CallWaits);
        self.greet_overloaded(now, ix);
    }

    pub(super) fn overflow(&mut self, now: Instant, ix: CallIx, to: OverflowTarget, why: OverflowWhy) {
        let Some(call) = self.calls.get(ix.at()) else { return };
        let (key, hops) = (call.key, call.hops);
        let OverflowTarget::Queue(target) = to else {
            self.leave(now, ix, Exit::Overflowed);
            return self.outputs.push_back(Output::Overflow { call: key, to, why });
        };
        let target_ix = self.queue_of.get(&target).copied().filter(|&ix| self.is_open(ix) && hops < HOPS_MAX);
        let moved = target_ix.is_some_and(|target| self.move_to(now, ix, target));
        match why {
            _ if moved => {
                self.outputs.push_back(Output::Overflow { call: key, to, why });
                self.enter(now, ix);
            }
            // Moved round in circles. It stays where it is rather than lose its caller.
            OverflowWhy::Time | OverflowWhy::NoAgents | OverflowWhy::Overload => {
                self.advance(now, ix);
                self.place(now, ix, Trigger::CallWaits);
            }
            OverflowWhy::Length | OverflowWhy::Limit => {
                self.leave(now, ix, Exit::Overflowed);
                self.outputs.push_back(Output::Overflow { call: key, to: OverflowTarget::Hangup, why });
            }
        }
    }

    /// Moves a call to another queue; what it is owed goes with it. `false`: no room for its account there.
    fn move_to(&mut self, now: Instant, ix: CallIx, target: QueueIx) -> bool {
        let needs = |call: &Call| self.accounts.get(call.account.at()).map(|account| account.needs.clone());
        let Some(needs) = self.calls.get(ix.at()).and_then(needs) else { return false };
        let Some(account) = self.account(target, &needs) else { return false };
        self.delist(ix);
        self.set_deadline(ix, None);
        let Some(call) = self.calls.get_mut(ix.at()) else { return false };
        let (before, tier) = (core::mem::replace(&mut call.account, account), call.tier());
        (call.entered, call.hops) = (now, call.hops + 1);
        let from = self.accounts.get(before.at()).map(|account| account.queue);
        self.leave_account(before);
        self.join_account(account);
        self.policy.undone(before, tier);
        self.policy.offered(now, account, tier);
        if let Some(queue) = self.queues.get_mut(target.at()) {
            queue.came(now, tier);
        }
        self.tally(from, None, |counts| {
            counts.overflowed += 1;
            counts.waiting -= 1;
        });
        self.tally(Some(target), None, |counts| {
            counts.offered += 1;
            counts.waiting += 1;
        });
        true
    }

    pub(super) fn call_timeout(&mut self, now: Instant, key: CallKey) {
        let Some(&ix) = self.call_of.get(&key) else { return };
        self.set_deadline(ix, None);
        self.stay_or_overflow(now, ix);
    }

    pub(super) fn promote(&mut self, now: Instant, key: CallKey, tier: TierKey, class: Class) {
        let Some(ix) = self.call_ix(key) else { return };
        let waits = matches!(self.calls.get(ix.at()).map(|call| call.state), Some(CallState::Waiting { .. }));
        if waits {
            self.delist(ix);
        }
        let tier = tier.index().min(self.tier_last());
        let Some(call) = self.calls.get_mut(ix.at()) else { return };
        let rings = self.ringing.remove(&(call.tier, call.place));
        call.place = call.place.in_class(class);
        let (before, account) = (call.tier(), call.account);
        call.tier = u8::try_from(tier).unwrap_or(u8::MAX);
        if rings {
            self.ringing.insert((call.tier, call.place));
        }
        if before != tier {
            self.change_tier(now, before, tier, account);
        }
        if waits {
            self.advance(now, ix);
            self.place(now, ix, Trigger::CallWaits);
        }
    }

    pub(super) fn change_tier(&mut self, now: Instant, before: usize, tier: usize, account: AccountIx) {
        self.policy.undone(account, before);
        self.policy.offered(now, account, tier);
        self.tally(None, Some(before), |counts| {
            counts.moved_out += 1;
            counts.waiting -= 1;
        });
        self.tally(None, Some(tier), |counts| {
            counts.moved_in += 1;
            counts.waiting += 1;
        });
    }

    pub(super) fn abandon(&mut self, now: Instant, key: CallKey) {
        self.withdrawn_by_caller(now, key, Exit::Abandoned);
    }

    pub(super) fn deflect(&mut self, now: Instant, key: CallKey) {
        self.withdrawn_by_caller(now, key, Exit::Deflected);
    }

    fn withdrawn_by_caller(&mut self, now: Instant, key: CallKey, exit: Exit) {
        let Some(ix) = self.call_ix(key) else { return };
        let rung = self.rung_for(ix);
        for &agent in &rung {
            self.withdraw(ix, agent, Withdrawal::CallerGone);
        }
        self.leave(now, ix, exit);
        for agent in rung {
            self.settle(now, agent);
        }
    }

    /// The agents rung for a call, the first first.
    pub(super) fn rung_for(&self, ix: CallIx) -> Vec<AgentIx> {
        let Some(call) = self.calls.get(ix.at()) else { return Vec::new() };
        match call.state {
            CallState::Presented { agent } => {
                core::iter::once(agent).chain(call.rung_too().iter().copied()).collect()
            }
            CallState::Waiting { .. } => Vec::new(),
        }
    }

    /// The agent has the call: the others stop ringing.
    fn won_by(&mut self, now: Instant, ix: CallIx, winner: AgentIx) {
        self.rings_at_nobody_else(ix);
        let Some(call) = self.calls.get_mut(ix.at()) else { return };
        let first = match &mut call.state {
            CallState::Presented { agent } => core::mem::replace(agent, winner),
            CallState::Waiting { .. } => return,
        };
        if call.rung_too().is_empty() {
            return;
        }
        let mut losers = core::mem::take(&mut call.rare().rung);
        losers.insert(0, first);
        losers.retain(|&agent| agent != winner);
        for &agent in &losers {
            self.withdraw(ix, agent, Withdrawal::AnsweredElsewhere);
            self.change(now, agent, |agent| agent.fulfil_wish(now));
        }
        for agent in losers {
            self.serve_or_join(now, agent);
        }
    }

    pub(super) fn picked_up(&mut self, now: Instant, call: CallKey, agent: AgentKey) {
        let Some(ix) = self.agent_ix(agent) else { return };
        let until = now + self.config.join;
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            Some(State::Reserved { key, call: row, picked_up: false, .. }) if key == call => {
                self.change(now, ix, |agent| {
                    agent.state = State::Reserved { call: row, key, until, picked_up: true };
                });
                self.won_by(now, row, ix);
            }
            Some(State::Reserved { key, .. } | State::Talking { call: key, .. }) if key == call => {
                self.ignore()
            }
            _ => self.too_late(call, agent),
        }
    }

    pub(super) fn answered(&mut self, now: Instant, call: CallKey, agent: AgentKey) {
        let Some(ix) = self.agent_ix(agent) else { return };
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            Some(State::Reserved { key, call: row, .. }) if key == call => {
                let until = now + self.config.talk_max;
                let queue = self.calls.get(row.at()).map_or(QueueIx::new(0), |call| self.queue_of(call));
                self.won_by(now, row, ix);
                self.leave(now, row, Exit::Answered);
                self.change(now, ix, |agent| {
                    agent.answered += 1;
                    agent.state = State::Talking { call, queue, since: now, until };
                });
            }
            Some(State::Talking { call: key, .. }) if key == call => self.ignore(),
            _ => self.too_late(call, agent),
        }
    }

    /// His answer crossed the withdrawal: one call never gets two agents.
    fn too_late(&mut self, call: CallKey, agent: AgentKey) {
        self.ignore();
        self.outputs.push_back(Output::Withdraw { call, agent, why: Withdrawal::TooLate });
    }

    /// Takes the call out of the table and counts it.
    fn leave(&mut self, now: Instant, ix: CallIx, exit: Exit) {
        self.rings_at_nobody_else(ix);
        self.delist(ix);
        self.set_deadline(ix, None);
        let Some(call) = self.calls.remove(ix.at()) else { return };
        self.call_of.remove(&call.key);
        self.avoiders -= usize::from(!call.avoid().is_empty());
        let (queue, tier) = (self.queue_of(&call), call.tier());
        self.leave_account(call.account);
        let waited = now.since(call.counted_from());
        self.wait_over(now, &call, exit == Exit::Answered);
        self.patience.waited(now.since(call.entered), exit == Exit::Abandoned);
        let contract = self.config.tiers.get(tier);
        let in_time = contract.is_some_and(|contract| waited <= contract.service_level);
        let short = waited <= self.config.short_abandon;
        self.tally(Some(queue), Some(tier), |counts| {
            counts.waiting -= 1;
            match exit {
                Exit::Answered => {
                    counts.answered += 1;
                    counts.answered_in_time += u64::from(in_time);
                }
                Exit::Abandoned => {
                    counts.abandoned += 1;
                    counts.abandoned_short += u64::from(short);
                }
                Exit::Deflected => counts.deflected += 1,
                Exit::Overflowed => counts.overflowed += 1,
            }
        });
        match exit {
            Exit::Answered => {
                self.policy.answered(call.account, tier, in_time);
                self.served(now, &call, queue, waited);
            }
            Exit::Deflected => self.policy.undone(call.account, tier),
            Exit::Abandoned | Exit::Overflowed => {}
        }
        self.watch(now, queue);
        if let Some(callback) = call.callback() {
            self.promise_served(now, callback, exit);
        }
    }

    fn served(&mut self, now: Instant, call: &Call, queue: QueueIx, waited: base::Duration) {
        if let Some(flow) = self.flows.get_mut(call.tier()) {
            flow.count(now);
        }
        if let Some(tier) = self.tiers.get_mut(call.tier()) {
            tier.waits.add(waited);
        }
        if let Some(queue) = self.queues.get_mut(queue.at()) {
            queue.waits.add(waited);
            queue.served(now, call.tier(), waited);
        }
    }

    pub(super) fn tally(&mut self, queue: Option<QueueIx>, tier: Option<usize>, f: impl Fn(&mut Counts)) {
        if let Some(queue) = queue.and_then(|ix| self.queues.get_mut(ix.at())) {
            f(&mut queue.counts);
        }
        if let Some(tier) = tier.and_then(|tier| self.tiers.get_mut(tier)) {
            f(&mut tier.counts);
        }
        self.touched.push((queue, tier));
    }
}
