//! Calls: how they come, move on while they wait, and leave. A call is counted when it comes and once when it
//! leaves, here and nowhere else.

use std::collections::BTreeSet;

use base::{AgentKey, CallKey, Instant, QueueKey, TierKey};

use super::Engine;
use crate::config::{OverflowTarget, Relax};
use crate::decision::Trigger;
use crate::io::{Caller, Class, Output, OverflowWhy, Timer, Withdrawal};
use crate::stats::Counts;
use crate::tables::{AgentIx, Call, CallIx, CallState, Order, ProfileIx, QueueIx, SignatureIx, State, Turn};

/// Most queues that a call is moved through.
const HOPS_MAX: u8 = 8;

/// How a call leaves the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Answered,
    Abandoned,
    Deflected,
    Overflowed,
}

impl Engine {
    pub(super) fn offer(&mut self, now: Instant, key: CallKey, caller: &Caller) {
        if self.call_of.contains_key(&key) {
            return self.ignore();
        }
        let queue = self.queue_of.get(&caller.queue).copied().filter(|&ix| self.is_open(ix));
        let (Some(queue), true) = (queue, self.call_of.len() < self.config.limits.calls_max) else {
            return self.refuse(key);
        };
        let tier = caller.tier.index().min(self.tier_last());
        self.arrivals += 1;
        let since = caller.since.unwrap_or(now).min(now);
        let order = self.order(caller.class, since, caller.senior, self.arrivals);
        let agent = |key: Option<AgentKey>| key.and_then(|key| self.agent_of.get(&key).copied());
        let managers = caller.managers.map(agent);
        let (preferred, patience_a) = match managers {
            [None, None] => ([agent(caller.last_agent), None], self.config.wait_last),
            both => (both, self.config.wait_a),
        };
        let ix = self.calls.insert(Call {
            key,
            tier,
            queue,
            order,
            since,
            offered: now,
            entered: now,
            needs: caller.skills.clone(),
            preferred,
            patience_a,
            turn: Turn::First,
            relaxed: 0,
            state: CallState::Waiting { signature: None },
            avoid: Vec::new(),
            hops: 0,
        });
        self.call_of.insert(key, ix);
        self.policy.offered(tier);
        self.tally(Some(queue), Some(tier), |counts| {
            counts.offered += 1;
            counts.waiting += 1;
        });
        self.enter(now, ix);
    }

    fn refuse(&mut self, call: CallKey) {
        self.counters.limited += 1;
        let (to, why) = (OverflowTarget::Hangup, OverflowWhy::Limit);
        self.outputs.push_back(Output::Overflow { call, to, why });
    }

    pub(super) fn order(&self, class: Class, since: Instant, senior: bool, seq: u64) -> Order {
        let head_start = if senior { self.config.senior_head_start.as_nanos() } else { 0 };
        let head_start = u64::try_from(head_start).unwrap_or(u64::MAX);
        let since = Instant::from_nanos(since.as_nanos().saturating_sub(head_start));
        Order { class, since, junior: !senior, seq }
    }

    pub(super) fn is_open(&self, ix: QueueIx) -> bool {
        self.queues.get(ix.at()).is_some_and(|queue| !queue.gone)
    }

    pub(super) fn tier_last(&self) -> usize {
        self.config.tiers.len().max(1) - 1
    }

    /// The call comes to its queue: over the length, to nobody, or into the line.
    fn enter(&mut self, now: Instant, ix: CallIx) {
        let Some(call) = self.calls.get(ix) else { return };
        let (key, has_own) = (call.key, self.has_own_agent(call));
        let Some(queue) = self.queues.get(call.queue.at()) else { return };
        let rules = &queue.config.overflow;
        if let Some((most, to)) = &rules.length
            && queue.counts.waiting > u64::from(*most)
        {
            let to = to.clone();
            return self.overflow(now, ix, to, OverflowWhy::Length);
        }
        if let (Some((after, to)), Some(since), false) = (&rules.no_agents, queue.empty_since, has_own) {
            if since + *after <= now {
                let to = to.clone();
                return self.overflow(now, ix, to, OverflowWhy::NoAgents);
            }
            self.timers.set(Timer::NoAgents(queue.key()), since + *after);
        }
        if let Some((after, _)) = rules.time {
            self.timers.set(Timer::Overflow(key), now + after);
        }
        self.advance(now, ix);
        self.place(now, ix, Trigger::CallWaits);
    }

    /// Whether an agent of the caller's own is there, whoever else is not.
    fn has_own_agent(&self, call: &Call) -> bool {
        call.preferred
            .iter()
            .flatten()
            .any(|ix| self.agents.get(ix.at()).is_some_and(|agent| agent.is_on_duty()))
    }

    pub(super) fn overflow(&mut self, now: Instant, ix: CallIx, to: OverflowTarget, why: OverflowWhy) {
        let Some(call) = self.calls.get(ix) else { return };
        let (key, from, hops) = (call.key, call.queue, call.hops);
        let OverflowTarget::Queue(target) = to else {
            self.leave(now, ix, Exit::Overflowed);
            return self.outputs.push_back(Output::Overflow { call: key, to, why });
        };
        let target_ix = self.queue_of.get(&target).copied().filter(|&ix| self.is_open(ix) && hops < HOPS_MAX);
        match (target_ix, why) {
            (Some(target_ix), _) => {
                self.delist(ix);
                self.tally(Some(from), None, |counts| {
                    counts.overflowed += 1;
                    counts.waiting -= 1;
                });
                self.tally(Some(target_ix), None, |counts| {
                    counts.offered += 1;
                    counts.waiting += 1;
                });
                self.timers.cancel(Timer::Overflow(key));
                if let Some(call) = self.calls.get_mut(ix) {
                    (call.queue, call.entered, call.hops) = (target_ix, now, hops + 1);
                }
                self.outputs.push_back(Output::Overflow { call: key, to, why });
                self.enter(now, ix);
            }
            // Moved round in circles. It stays where it is rather than lose its caller.
            (None, OverflowWhy::Time | OverflowWhy::NoAgents) => {
                self.advance(now, ix);
                self.place(now, ix, Trigger::CallWaits);
            }
            (None, OverflowWhy::Length | OverflowWhy::Limit) => {
                self.leave(now, ix, Exit::Overflowed);
                self.outputs.push_back(Output::Overflow { call: key, to: OverflowTarget::Hangup, why });
            }
        }
    }

    pub(super) fn overflow_timeout(&mut self, now: Instant, key: CallKey) {
        let Some(&ix) = self.call_of.get(&key) else { return };
        let Some(call) = self.calls.get(ix) else { return };
        // Somebody is being rung: let it ring. The call comes back here if that fails.
        if let CallState::Presented { .. } = call.state {
            return;
        }
        let rules = self.queues.get(call.queue.at()).and_then(|queue| queue.config.overflow.time.clone());
        if let Some((_, to)) = rules {
            self.overflow(now, ix, to, OverflowWhy::Time);
        }
    }

    pub(super) fn no_agents_timeout(&mut self, now: Instant, key: QueueKey) {
        let Some(&queue_ix) = self.queue_of.get(&key) else { return };
        let Some(queue) = self.queues.get(queue_ix.at()) else { return };
        let (Some((_, to)), Some(_)) = (queue.config.overflow.no_agents.clone(), queue.empty_since) else {
            return;
        };
        let mine = |call: &Call| {
            call.queue == queue_ix
                && matches!(call.state, CallState::Waiting { .. })
                && !self.has_own_agent(call)
        };
        let mut calls: Vec<(Order, CallIx)> =
            self.calls.iter().filter(|(_, call)| mine(call)).map(|(ix, call)| (call.order, ix)).collect();
        calls.sort_unstable();
        for (_, ix) in calls {
            self.overflow(now, ix, to.clone(), OverflowWhy::NoAgents);
        }
    }

    pub(super) fn call_timeout(&mut self, now: Instant, key: CallKey) {
        let Some(&ix) = self.call_of.get(&key) else { return };
        self.advance(now, ix);
        self.place(now, ix, Trigger::CallWaits);
    }

    pub(super) fn promote(&mut self, now: Instant, key: CallKey, tier: TierKey, class: Class) {
        let Some(ix) = self.call_ix(key) else { return };
        let waits = matches!(self.calls.get(ix).map(|call| call.state), Some(CallState::Waiting { .. }));
        if waits {
            self.delist(ix);
        }
        let tier = tier.index().min(self.tier_last());
        let Some(call) = self.calls.get_mut(ix) else { return };
        let before = core::mem::replace(&mut call.tier, tier);
        call.order.class = class;
        if before != tier {
            self.policy.undone(before);
            self.policy.offered(tier);
            self.tally(None, Some(before), |counts| {
                counts.moved_out += 1;
                counts.waiting -= 1;
            });
            self.tally(None, Some(tier), |counts| {
                counts.moved_in += 1;
                counts.waiting += 1;
            });
        }
        if waits {
            self.advance(now, ix);
            self.place(now, ix, Trigger::CallWaits);
        }
    }

    pub(super) fn abandon(&mut self, now: Instant, key: CallKey) {
        self.withdrawn_by_caller(now, key, Exit::Abandoned);
    }

    pub(super) fn deflect(&mut self, now: Instant, key: CallKey) {
        self.withdrawn_by_caller(now, key, Exit::Deflected);
    }

    fn withdrawn_by_caller(&mut self, now: Instant, key: CallKey, exit: Exit) {
        let Some(ix) = self.call_ix(key) else { return };
        let rung = match self.calls.get(ix).map(|call| call.state) {
            Some(CallState::Presented { agent }) => Some(agent),
            _ => None,
        };
        if let Some(agent_key) = rung.and_then(|agent| self.agents.get(agent.at())).map(|agent| agent.key) {
            self.withdraw(ix, agent_key, Withdrawal::CallerGone);
        }
        self.leave(now, ix, exit);
        if let Some(agent) = rung {
            self.settle(now, agent);
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
                let queue = self.calls.get(row).map_or(QueueIx::new(0), |call| call.queue);
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
        self.delist(ix);
        let Some(call) = self.calls.remove(ix) else { return };
        self.call_of.remove(&call.key);
        self.timers.cancel(Timer::Call(call.key));
        self.timers.cancel(Timer::Overflow(call.key));
        self.avoiders -= usize::from(!call.avoid.is_empty());
        let waited = now.since(call.since);
        self.patience.waited(now.since(call.entered), exit == Exit::Abandoned);
        let contract = self.config.tiers.get(call.tier);
        let in_time = contract.is_some_and(|contract| waited <= contract.service_level);
        let short = waited <= self.config.short_abandon;
        self.tally(Some(call.queue), Some(call.tier), |counts| {
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
            Exit::Answered => self.served(now, &call),
            Exit::Deflected => self.policy.undone(call.tier),
            Exit::Abandoned | Exit::Overflowed => {}
        }
    }

    fn served(&mut self, now: Instant, call: &Call) {
        let waited = now.since(call.since);
        self.policy.answered(call.tier);
        if let Some(flow) = self.flows.get_mut(call.tier) {
            flow.count(now);
        }
        if let Some(tier) = self.tiers.get_mut(call.tier) {
            tier.waits.add(waited);
        }
        if let Some(queue) = self.queues.get_mut(call.queue.at()) {
            queue.waits.add(waited);
            if queue.last_wait.len() <= call.tier {
                queue.last_wait.resize(call.tier + 1, None);
            }
            if let Some(last) = queue.last_wait.get_mut(call.tier) {
                *last = Some((now, waited));
            }
        }
    }

    pub(super) fn tally(&mut self, queue: Option<QueueIx>, tier: Option<usize>, f: impl Fn(&mut Counts)) {
        if let Some(queue) = queue.and_then(|ix| self.queues.get_mut(ix.at())) {
            f(&mut queue.counts);
        }
        if let Some(tier) = tier.and_then(|tier| self.tiers.get_mut(tier)) {
            f(&mut tier.counts);
        }
    }

    /// Puts a waiting call where it belongs by now (its managers' turns, its relaxation) and sets the deadline
    /// of its next change.
    pub(super) fn advance(&mut self, now: Instant, ix: CallIx) {
        let Some(call) = self.calls.get_mut(ix) else { return };
        let CallState::Waiting { .. } = call.state else { return };
        if !call.avoid.is_empty() {
            call.avoid.retain(|&(_, until)| until > now);
            self.avoiders -= usize::from(call.avoid.is_empty());
        }
        let Some(call) = self.calls.get(ix) else { return };
        let turn = self.turn(now, call);
        let relaxed = self.relaxed(now, call);
        self.delist(ix);
        if let Some(call) = self.calls.get_mut(ix) {
            (call.turn, call.relaxed) = (turn, relaxed);
        }
        if !self.enlist(ix) {
            self.counters.limited += 1;
            return self.overflow(now, ix, OverflowTarget::Hangup, OverflowWhy::Limit);
        }
        let Some(call) = self.calls.get(ix) else { return };
        match self.next_change(call) {
            Some(at) => self.timers.set(Timer::Call(call.key), at),
            None => self.timers.cancel(Timer::Call(call.key)),
        }
    }

    /// For whom the call waits now. Turns only move on: a manager who comes back finds it still on his list.
    fn turn(&self, now: Instant, call: &Call) -> Turn {
        let [a, b] = call.preferred;
        let usable = |agent: Option<AgentIx>| {
            agent.is_some_and(|ix| {
                self.agents.get(ix.at()).is_some_and(|agent| agent.is_on_duty())
                    && !call.avoid.iter().any(|&(avoided, _)| avoided == ix)
            })
        };
        let first_ends = call.offered + call.patience_a;
        let since = match call.turn {
            Turn::First if usable(a) && now < first_ends => return Turn::First,
            Turn::First if usable(a) => first_ends,
            Turn::First => now,
            Turn::Both { since } => since,
            Turn::Pool => return Turn::Pool,
        };
        if usable(b) && now < since + self.config.wait_b { Turn::Both { since } } else { Turn::Pool }
    }

    fn relaxed(&self, now: Instant, call: &Call) -> usize {
        let steps = self.queues.get(call.queue.at()).map_or(&[][..], |queue| &queue.config.relax);
        steps.iter().take_while(|step| call.since + step.after <= now).count()
    }

    fn next_change(&self, call: &Call) -> Option<Instant> {
        let steps = self.queues.get(call.queue.at()).map_or(&[][..], |queue| &queue.config.relax);
        let relax = steps.get(call.relaxed).map(|step| call.since + step.after);
        let turn = match call.turn {
            Turn::First => Some(call.offered + call.patience_a),
            Turn::Both { since } => Some(since + self.config.wait_b),
            Turn::Pool => None,
        };
        let avoid = call.avoid.iter().map(|&(_, until)| until).min();
        [relax, turn, avoid].into_iter().flatten().min()
    }

    /// Puts a waiting call into the index. `false`: no room for its signature.
    pub(super) fn enlist(&mut self, ix: CallIx) -> bool {
        let Some(call) = self.calls.get(ix) else { return true };
        let (turn, tier, order) = (call.turn, call.tier, call.order);
        let [a, b] = call.preferred;
        let signature = match turn {
            Turn::Pool => match self.signature(ix) {
                Some(signature) => Some(signature),
                None => return false,
            },
            Turn::First | Turn::Both { .. } => None,
        };
        if let Some(signature) = signature {
            self.index.enlist(signature, tier, order, ix);
        }
        let b = b.filter(|_| turn != Turn::First);
        for agent in [a, b].into_iter().flatten() {
            if let Some(agent) = self.agents.get_mut(agent.at()) {
                agent.dedicated.insert((tier, order, ix));
            }
        }
        if let Some(call) = self.calls.get_mut(ix) {
            call.state = CallState::Waiting { signature };
        }
        true
    }

    /// Takes a call out of the index, wherever it is.
    pub(super) fn delist(&mut self, ix: CallIx) {
        let Some(call) = self.calls.get_mut(ix) else { return };
        let (tier, order, preferred) = (call.tier, call.order, call.preferred);
        if let CallState::Waiting { signature } = &mut call.state
            && let Some(signature) = signature.take()
        {
            self.index.delist(signature, tier, order, ix);
        }
        for agent in preferred.into_iter().flatten() {
            if let Some(agent) = self.agents.get_mut(agent.at()) {
                agent.dedicated.remove(&(tier, order, ix));
            }
        }
    }

    /// The signature of a call at its present relaxation.
    fn signature(&mut self, ix: CallIx) -> Option<SignatureIx> {
        let call = self.calls.get(ix)?;
        let steps = self.queues.get(call.queue.at()).map_or(&[][..], |queue| &queue.config.relax);
        let mut queues = vec![call.queue];
        let mut needs = None;
        for step in steps.iter().take(call.relaxed) {
            let so_far = needs.as_ref().unwrap_or(&call.needs);
            needs = Some(match step.change {
                Relax::LowerLevels(by) => so_far.lowered(by),
                Relax::DropSkill(skill) => so_far.without(skill),
                Relax::DropSkills => crate::Requirement::none(),
                Relax::Borrow(key) => {
                    queues.extend(self.queue_of.get(&key).copied().filter(|&ix| self.is_open(ix)));
                    continue;
                }
            });
        }
        queues.sort_unstable();
        queues.dedup();
        let table = &self.queues;
        let of = queues.clone();
        let candidates = || -> BTreeSet<ProfileIx> {
            of.iter()
                .filter_map(|ix| table.get(ix.at()))
                .flat_map(|queue| queue.profiles.iter().copied())
                .collect()
        };
        let needs = needs.as_ref().unwrap_or(&call.needs);
        self.index.signature(queues, needs, candidates, self.config.limits.signatures_max)
    }
}
