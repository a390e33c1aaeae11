//! Promises that are due. Such a customer has waited like a caller of his tier who came when he did, and competes as one:
//! when his turn comes the agent is held for him while he is called, and nobody else gets that agent.

use base::{CallKey, CallbackKey, Instant};

use super::Engine;
use super::callbacks::Stage;
use super::decide::Seen;
use crate::decision::Trigger;
use crate::io::{Output, Timer};
use crate::policy::{Head, Seat, Verdict};
use crate::tables::{Agent, AgentIx, CallIx, CallState, CallbackIx, Place};

/// Overdue promises that are looked at for a free agent, the earliest due first.
const LOOKS: usize = 64;

impl Engine {
    pub(super) fn callback_due(&mut self, now: Instant, key: CallbackKey) {
        let Some(&ix) = self.callback_of.get(&key) else { return };
        self.callback_counts.overdue += 1;
        self.outputs.push_back(Output::CallbackOverdue { callback: key });
        let Some(entry) = self.callbacks.get(ix.at()) else { return };
        if let Stage::Waiting { .. } = entry.stage {
            self.overdue.insert((entry.due, ix));
            self.may_dial = true;
            self.sweep(now);
        }
    }

    /// Due and not being dialled.
    pub(super) fn is_overdue(&self, ix: CallbackIx) -> bool {
        self.callbacks.get(ix.at()).is_some_and(|entry| self.overdue.contains(&(entry.due, ix)))
    }

    /// The overdue promise that a free agent is for, if one goes before the best of the calls that he may take.
    pub(super) fn overdue_for(
        &self,
        now: Instant,
        agent: AgentIx,
        best: Option<&Seen>,
    ) -> Option<CallbackIx> {
        if self.overdue.is_empty() || self.config.callbacks.quiet_until(now).is_some() {
            return None;
        }
        let seat = self.seat_kept(now, agent);
        let mut first: Option<(Seen, CallbackIx)> = None;
        for &(_, ix) in self.overdue.iter().take(LOOKS) {
            let Some(seen) = self.judge_promise(now, (agent, &seat), ix) else { continue };
            if first.as_ref().is_none_or(|(first, _)| seen.goes_before(first)) {
                first = Some((seen, ix));
            }
        }
        first.filter(|(seen, _)| best.is_none_or(|best| seen.goes_before(best))).map(|(_, ix)| ix)
    }

    /// What a promise is to a free agent: as a call that came when its customer did. `None`: not for him, or held back.
    fn judge_promise(&self, now: Instant, (agent, seat): (AgentIx, &Seat), ix: CallbackIx) -> Option<Seen> {
        let entry = self.callbacks.get(ix.at())?;
        let Stage::Waiting { line } = entry.stage else { return None };
        let (line, profile) = (self.index.line_at(line)?, self.agents.get(agent.at())?.profile);
        if !line.fit.has(profile) {
            return None;
        }
        let promise = &entry.promise;
        let place = Place::new(promise.class, promise.since, promise.senior, 0, CallIx::FIRST);
        let head = Head {
            tier: promise.tier.index().min(self.tier_last()),
            account: entry.account,
            place,
            waited_s: now.since(promise.since).as_secs_f64(),
            dedicated: false,
            idle: if self.policy.counts_idle() { self.idle_of(line) } else { 0 },
        };
        match self.policy.rank(&head, seat) {
            (Verdict::Go(key), rank) => Some(Seen::new(head, key, rank)),
            (Verdict::Wait { .. }, _) => None,
        }
    }

    /// The free agent to hold for a promise that is dialled while nobody waits, if it is overdue.
    pub(super) fn holds_for(&self, ix: CallbackIx) -> Option<AgentIx> {
        let Stage::Waiting { line } = self.callbacks.get(ix.at())?.stage else { return None };
        let line = self.index.line_at(line).filter(|_| self.is_overdue(ix))?;
        self.index.best(line, |agent| self.agents.get(agent.at()).map(|agent| agent.profile), |_| true)
    }

    /// The agent is not held any more; he is served after the event.
    pub(super) fn release(&mut self, now: Instant, agent: AgentIx) {
        self.change(now, agent, |agent| agent.held = None);
        self.released.push(agent);
    }

    /// The customer for whom an agent was held is there: he gets that agent, unless another was free or his own.
    pub(super) fn give_to_held(&mut self, now: Instant, call: CallKey, agent: AgentIx) {
        self.release(now, agent);
        let waits = |ix: &CallIx| {
            matches!(
                self.calls.get(ix.at()).map(|call| call.state),
                Some(CallState::Waiting { line: Some(_) })
            )
        };
        let ix = self.call_of.get(&call).copied().filter(waits);
        if let Some(ix) = ix.filter(|_| self.agents.get(agent.at()).is_some_and(Agent::is_free)) {
            self.seen.clear();
            self.present(now, ix, agent, Trigger::Callback);
        }
    }

    /// Whether the tables of overdue promises and of held agents agree with the promises.
    pub(super) fn overdue_agrees(&self) -> bool {
        let waits = |&(due, ix): &(Instant, CallbackIx)| {
            self.callbacks.get(ix.at()).is_some_and(|entry| {
                entry.due == due
                    && matches!(entry.stage, Stage::Waiting { .. })
                    && self.timers.get(Timer::CallbackDue(entry.key)).is_none()
            })
        };
        let holds = |(at, agent): (usize, &Agent)| match agent.held {
            Some(ix) => self.dialling.get(&ix) == Some(&Some(AgentIx::new(at))),
            None => true,
        };
        self.overdue.iter().all(waits) && self.agents.iter().enumerate().all(holds)
    }
}
