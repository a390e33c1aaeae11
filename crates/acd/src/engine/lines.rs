//! Where a waiting call stands: for whom it waits by now, in which line, and when that changes.

use base::Instant;

use super::Engine;
use crate::config::OverflowTarget;
use crate::io::OverflowWhy;
use crate::tables::{AccountIx, AgentIx, Call, CallIx, CallState, Turn};

impl Engine {
    /// Puts a waiting call where it belongs by now (its managers' turns, its relaxation) and sets the deadline
    /// of its next change.
    pub(super) fn advance(&mut self, now: Instant, ix: CallIx) {
        let Some(call) = self.calls.get_mut(ix.at()) else { return };
        let CallState::Waiting { .. } = call.state else { return };
        if let Some(rare) = call.rare.as_mut().filter(|rare| !rare.avoid.is_empty()) {
            rare.avoid.retain(|&(_, until)| until > now);
            self.avoiders -= usize::from(rare.avoid.is_empty());
        }
        let Some(call) = self.calls.get(ix.at()) else { return };
        let (turn, relaxed) = (self.turn(now, call), self.relaxed(now, call));
        self.delist(ix);
        if let Some(call) = self.calls.get_mut(ix.at()) {
            call.relaxed = relaxed;
            if call.turn() != turn {
                call.rare().turn = turn;
            }
        }
        if !self.enlist(ix) {
            self.counters.limited += 1;
            return self.overflow(now, ix, OverflowTarget::Hangup, OverflowWhy::Limit);
        }
        self.watch_unmanned(now, ix);
        let Some(call) = self.calls.get(ix.at()) else { return };
        let change = self.next_change(now, call);
        self.set_deadline(ix, change);
    }

    pub(super) fn set_deadline(&mut self, ix: CallIx, at: Option<Instant>) {
        if let Some(call) = self.calls.get_mut(ix.at()) {
            self.call_deadlines.set(ix, &mut call.deadline, at);
        }
    }

    /// For whom the call waits now. Turns only move on: a manager who comes back finds it still on his list.
    fn turn(&self, now: Instant, call: &Call) -> Turn {
        let Some(rare) = &call.rare else { return Turn::Pool };
        let [a, b] = rare.preferred;
        let usable = |agent: Option<AgentIx>| {
            agent.is_some_and(|ix| {
                self.agents.get(ix.at()).is_some_and(|agent| agent.is_on_duty())
                    && !rare.avoid.iter().any(|&(avoided, _)| avoided == ix)
            })
        };
        let first_ends = rare.offered + rare.patience_a;
        let since = match rare.turn {
            Turn::First if usable(a) && now < first_ends => return Turn::First,
            Turn::First if usable(a) => first_ends,
            Turn::First => now,
            Turn::Both { since } => since,
            Turn::Pool => return Turn::Pool,
        };
        if usable(b) && now < since + self.config.wait_b { Turn::Both { since } } else { Turn::Pool }
    }

    fn relaxed(&self, now: Instant, call: &Call) -> u8 {
        u8::try_from(self.steps_taken(now, call.account, call.since)).unwrap_or(u8::MAX)
    }

    /// Relaxation steps that a call of the account has taken that waits since then.
    pub(super) fn steps_taken(&self, now: Instant, account: AccountIx, since: Instant) -> usize {
        let queue = self.accounts.get(account.at()).and_then(|account| self.queues.get(account.queue.at()));
        let steps = queue.map_or(&[][..], |queue| &queue.config.relax);
        steps.iter().take_while(|step| since + step.after <= now).count()
    }

    /// When something about the call changes though nothing happens.
    fn next_change(&self, now: Instant, call: &Call) -> Option<Instant> {
        let queue = self.queue_row(call);
        let steps = queue.map_or(&[][..], |queue| &queue.config.relax);
        let relax = steps.get(usize::from(call.relaxed)).map(|step| call.since + step.after);
        let turn = call.rare.as_ref().and_then(|rare| match rare.turn {
            Turn::First => Some(rare.offered + rare.patience_a),
            Turn::Both { since } => Some(since + self.config.wait_b),
            Turn::Pool => None,
        });
        let avoid = call.avoid().iter().map(|&(_, until)| until).min();
        // One that has passed found nowhere to go.
        let overflow = queue.and_then(|queue| queue.config.overflow.time.as_ref());
        let overflow = overflow.map(|(after, _)| call.entered + *after).filter(|&at| at > now);
        [relax, turn, avoid, overflow].into_iter().flatten().min()
    }

    /// Puts a waiting call into the index. `false`: no room for its line.
    fn enlist(&mut self, ix: CallIx) -> bool {
        let Some(call) = self.calls.get(ix.at()) else { return true };
        let (turn, tier, place) = (call.turn(), call.tier, call.place);
        let (account, relaxed, preferred) = (call.account, call.relaxed, call.preferred());
        let line = match turn {
            Turn::Pool => match self.line(account, usize::from(relaxed)) {
                Some(line) => Some(line),
                None => return false,
            },
            Turn::First | Turn::Both { .. } => None,
        };
        if let Some(line) = line {
            self.index.enlist(line, usize::from(tier), place);
        }
        let [a, b] = preferred;
        let b = b.filter(|_| turn != Turn::First);
        for agent in [a, b].into_iter().flatten() {
            if let Some(agent) = self.agents.get_mut(agent.at()) {
                agent.dedicated.insert((tier, place));
            }
        }
        if let Some(call) = self.calls.get_mut(ix.at()) {
            call.state = CallState::Waiting { line };
        }
        true
    }

    /// Takes a call out of the index, wherever it is.
    pub(super) fn delist(&mut self, ix: CallIx) {
        let Some(call) = self.calls.get_mut(ix.at()) else { return };
        self.may_dial |= self.held_back;
        let (tier, place, preferred) = (call.tier, call.place, call.preferred());
        if let CallState::Waiting { line } = &mut call.state
            && let Some(line) = line.take()
        {
            self.index.delist(line, usize::from(tier), place);
        }
        for agent in preferred.into_iter().flatten() {
            if let Some(agent) = self.agents.get_mut(agent.at()) {
                agent.dedicated.remove(&(tier, place));
            }
        }
    }
}
