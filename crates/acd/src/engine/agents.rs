//! Agents: what they say, what ends by itself, and the one place where their state changes.

use base::{AgentKey, CallKey, Instant};

use super::Engine;
use crate::choice::AgentChoice;
use crate::config::{Config, Consequence, OverflowTarget};
use crate::decision::Trigger;
use crate::io::{Decline, Output, OverflowWhy, Timer, Withdrawal};
use crate::tables::{AVOID_MAX, Agent, AgentIx, CallIx, CallState, IdleKey, ProfileIx, QueueIx, State, Wish};

impl Engine {
    pub(super) fn login(&mut self, now: Instant, key: AgentKey) {
        let Some(ix) = self.agent_ix(key) else { return };
        match self.agents.get(ix.at()) {
            Some(agent) if agent.state == State::LoggedOut && !agent.gone => self.change(now, ix, |agent| {
                agent.wish = Wish::Ready;
                agent.state = State::NotReady { reason: 0, until: None };
            }),
            _ => self.ignore(),
        }
    }

    pub(super) fn logout(&mut self, now: Instant, key: AgentKey) {
        self.leave_duty(now, key, Wish::LoggedOut);
    }

    pub(super) fn not_ready(&mut self, now: Instant, key: AgentKey, reason: u8) {
        self.leave_duty(now, key, Wish::NotReady(reason));
    }

    /// Off at once if free, withdrawn if rung, off after the talk if talking.
    fn leave_duty(&mut self, now: Instant, key: AgentKey, wish: Wish) {
        let Some(ix) = self.agent_ix(key) else { return };
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            None | Some(State::LoggedOut) => self.ignore(),
            Some(State::Reserved { call, picked_up: false, .. }) => {
                self.change(now, ix, |agent| agent.wish = wish);
                self.take_back(now, ix, call, Withdrawal::AgentLeft);
            }
            Some(State::Reserved { .. } | State::Talking { .. }) => {
                self.change(now, ix, |agent| agent.wish = wish);
            }
            Some(State::NotReady { .. } | State::Ready | State::WrapUp { .. }) => {
                self.change(now, ix, |agent| agent.wish = wish);
                self.settle(now, ix);
            }
        }
    }

    pub(super) fn ready(&mut self, now: Instant, key: AgentKey) {
        let Some(ix) = self.agent_ix(key) else { return };
        match self.agents.get(ix.at()) {
            Some(agent) if !agent.gone => match agent.state {
                State::LoggedOut | State::NotReady { .. } | State::WrapUp { .. } => {
                    self.change(now, ix, |agent| agent.wish = Wish::Ready);
                    self.settle(now, ix);
                }
                State::Reserved { .. } | State::Talking { .. } => {
                    self.change(now, ix, |agent| agent.wish = Wish::Ready);
                }
                State::Ready => {}
            },
            _ => self.ignore(),
        }
    }

    pub(super) fn end_wrap_up(&mut self, now: Instant, key: AgentKey) {
        let Some(ix) = self.agent_ix(key) else { return };
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            Some(State::WrapUp { .. }) => self.settle(now, ix),
            _ => self.ignore(),
        }
    }

    pub(super) fn reachable(&mut self, now: Instant, key: AgentKey, reachable: bool) {
        let Some(ix) = self.agent_ix(key) else { return };
        self.change(now, ix, |agent| {
            if reachable && !agent.reachable {
                agent.free_since = now;
            }
            agent.reachable = reachable;
        });
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            Some(State::Reserved { call, picked_up: false, .. }) if !reachable => {
                self.take_back(now, ix, call, Withdrawal::AgentLeft);
            }
            _ => self.serve_or_join(now, ix),
        }
    }

    pub(super) fn engaged(&mut self, now: Instant, key: AgentKey, engaged: bool) {
        let Some(ix) = self.agent_ix(key) else { return };
        self.change(now, ix, |agent| {
            if !engaged && agent.engaged {
                agent.free_since = now;
            }
            agent.engaged = engaged;
        });
        if engaged {
            self.timers.set(Timer::Engaged(key), now + self.config.talk_max);
        } else {
            self.timers.cancel(Timer::Engaged(key));
        }
        self.serve_or_join(now, ix);
    }

    pub(super) fn engaged_timeout(&mut self, now: Instant, key: AgentKey) {
        self.counters.stuck += 1;
        self.engaged(now, key, false);
    }

    /// A state's own end.
    pub(super) fn agent_timeout(&mut self, now: Instant, key: AgentKey) {
        let Some(ix) = self.agent_ix(key) else { return };
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            Some(State::Reserved { call, picked_up: false, .. }) => {
                self.counters.no_answer += 1;
                self.withdraw(call, ix, Withdrawal::NoAnswer);
                self.presentation_failed(now, ix, call, Decline::NoAnswer);
            }
            // Off hook, but the voices were never joined: something broke on the way.
            Some(State::Reserved { call, .. }) => {
                self.counters.stuck += 1;
                self.withdraw(call, ix, Withdrawal::AgentLeft);
                self.presentation_failed(now, ix, call, Decline::Unreachable);
            }
            Some(State::Talking { queue, since, .. }) => {
                self.counters.stuck += 1;
                self.talk_ended(now, ix, queue, since);
            }
            Some(State::WrapUp { .. } | State::NotReady { until: Some(_), .. }) => self.settle(now, ix),
            Some(State::LoggedOut | State::NotReady { until: None, .. } | State::Ready) | None => {}
        }
    }

    pub(super) fn declined(&mut self, now: Instant, call: CallKey, agent: AgentKey, why: Decline) {
        let Some(ix) = self.agent_ix(agent) else { return };
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            Some(State::Reserved { call: reserved, key, .. }) if key == call => {
                self.counters.declined += 1;
                self.presentation_failed(now, ix, reserved, why);
            }
            _ => self.ignore(),
        }
    }

    pub(super) fn ended(&mut self, now: Instant, call: CallKey, agent: AgentKey) {
        let Some(ix) = self.agent_ix(agent) else { return };
        match self.agents.get(ix.at()).map(|agent| agent.state) {
            Some(State::Talking { call: talking, queue, since, .. }) if talking == call => {
                self.talk_ended(now, ix, queue, since);
            }
            // Over before the voices were joined: nobody was served.
            Some(State::Reserved { key, .. }) if key == call => self.abandon(now, call),
            _ => self.ignore(),
        }
    }

    pub(super) fn talk_ended(&mut self, now: Instant, ix: AgentIx, queue: QueueIx, since: Instant) {
        let wrap_up = self.queues.get_mut(queue.at()).map_or(base::Duration::ZERO, |queue| {
            queue.handled.add(now.since(since).saturating_add(queue.config.wrap_up));
            queue.config.wrap_up
        });
        let works_on =
            self.agents.get(ix.at()).is_some_and(|agent| agent.wish != Wish::LoggedOut && !agent.gone);
        if wrap_up.is_zero() || !works_on {
            self.settle(now, ix);
        } else {
            self.change(now, ix, |agent| agent.state = State::WrapUp { until: now + wrap_up });
        }
    }

    /// Done with the present call, rest or wrap-up: becomes what he wished, and is served if free.
    pub(super) fn settle(&mut self, now: Instant, ix: AgentIx) {
        self.change(now, ix, |agent| agent.fulfil_wish(now));
        self.serve_or_join(now, ix);
    }

    /// Gives a free agent a call, if one waits.
    pub(super) fn serve(&mut self, now: Instant, ix: AgentIx) {
        if self.agents.get(ix.at()).is_some_and(Agent::is_free) {
            self.decide(now, ix, Trigger::AgentFree);
        }
    }

    /// Ends the ringing of an agent who left; the call keeps its place.
    fn take_back(&mut self, now: Instant, ix: AgentIx, call: CallIx, why: Withdrawal) {
        self.withdraw(call, ix, why);
        self.change(now, ix, |agent| agent.fulfil_wish(now));
        self.rings_no_more(now, call, ix);
        self.serve(now, ix);
    }

    pub(super) fn withdraw(&mut self, call: CallIx, agent: AgentIx, why: Withdrawal) {
        let call = self.calls.get(call.at()).map(|call| call.key);
        let agent = self.agents.get(agent.at()).map(|agent| agent.key);
        if let (Some(call), Some(agent)) = (call, agent) {
            self.outputs.push_back(Output::Withdraw { call, agent, why });
        }
    }

    /// It rang in vain: the agent bears the consequence, the call avoids him and keeps its place. Who let a call ring
    /// that rang at several may have thought that another would take it: that has no consequence. What the driver was
    /// short of is nobody's fault: the agent pauses, and may be the next to be rung for the call.
    pub(super) fn presentation_failed(&mut self, now: Instant, ix: AgentIx, call: CallIx, why: Decline) {
        let together = self.config.agent_choice == AgentChoice::RingAll && why == Decline::NoAnswer;
        let avoids = !together && why != Decline::Shortage;
        let consequence = if together { Consequence::Stay } else { self.config.declined.consequence(why) };
        self.change(now, ix, |agent| {
            agent.fulfil_wish(now);
            if agent.state == State::Ready {
                agent.state = match consequence {
                    Consequence::NotReady { reason } => State::NotReady { reason, until: None },
                    Consequence::Rest { reason, time } => State::NotReady { reason, until: Some(now + time) },
                    Consequence::Stay => State::Ready,
                };
            }
        });
        let until = now + self.config.avoid;
        if let Some(call) = self.calls.get_mut(call.at()).filter(|_| avoids) {
            let avoid = &mut call.rare().avoid;
            self.avoiders += usize::from(avoid.is_empty());
            avoid.retain(|&(agent, _)| agent != ix);
            if avoid.len() >= AVOID_MAX {
                avoid.remove(0);
            }
            avoid.push((ix, until));
        }
        self.rings_no_more(now, call, ix);
        self.serve(now, ix);
    }

    /// The agent is not rung for the call any more. If nobody else is, it goes back to its place.
    fn rings_no_more(&mut self, now: Instant, ix: CallIx, gone: AgentIx) {
        let Some(call) = self.calls.get_mut(ix.at()) else { return };
        let CallState::Presented { agent } = call.state else { return };
        if call.rung_too().is_empty() {
            return self.return_to_line(now, ix);
        }
        let rung = &mut call.rare().rung;
        if agent == gone {
            let next = rung.remove(0);
            call.state = CallState::Presented { agent: next };
        } else {
            rung.retain(|&other| other != gone);
        }
    }

    /// A call that was being presented goes back to its place.
    fn return_to_line(&mut self, now: Instant, ix: CallIx) {
        self.rings_at_nobody_else(ix);
        let Some(call) = self.calls.get_mut(ix.at()) else { return };
        call.state = CallState::Waiting { line: None };
        let queue = self.calls.get(ix.at()).map_or(QueueIx::new(usize::MAX), |call| self.queue_of(call));
        if !self.is_open(queue) {
            self.overflow(now, ix, OverflowTarget::Hangup, OverflowWhy::Limit);
        } else {
            self.stay_or_overflow(now, ix);
        }
    }

    /// The one place where an agent changes: keeps the free lists, counts, deadline and what people see in step.
    pub(super) fn change(&mut self, now: Instant, ix: AgentIx, f: impl FnOnce(&mut Agent)) {
        let Some(agent) = self.agents.get_mut(ix.at()) else { return };
        let (was_on_duty, was_logged_in) = (agent.is_on_duty(), agent.is_logged_in());
        let (was_free, was_at_work) = (agent.idle_key.take(), agent.at_work());
        f(agent);
        if agent.at_work() != was_at_work {
            agent.occupancy.pass(now, was_at_work, self.config.occupancy_window);
            self.counters.rests += u64::from(agent.rest_if_tired(now, &self.config));
        }
        let profile = agent.profile;
        let free = agent.is_free().then(|| idle_key(&self.config, agent));
        agent.idle_key = free;
        let shown = agent.show();
        if shown != agent.shown {
            agent.shown = shown;
            agent.since = now;
            self.outputs.push_back(Output::AgentChanged { agent: agent.key, state: shown });
        }
        let ends = agent.ends();
        self.agent_deadlines.set(ix, &mut agent.deadline, ends);
        let (on_duty, logged_in) = (agent.is_on_duty(), agent.is_logged_in());
        let deserts = was_on_duty && !on_duty && !agent.dedicated.is_empty();
        if was_free != free {
            if let Some(key) = was_free {
                self.index.remove_idle(profile, key, ix);
            }
            if let Some(key) = free {
                self.may_dial = true;
                self.index.insert_idle(profile, key, ix);
            }
        }
        if deserts {
            self.deserted.push(ix);
        }
        self.count_duty(now, profile, was_on_duty, on_duty);
        if was_logged_in != logged_in
            && let Some(profile) = self.index.profiles.get_mut(profile.at())
        {
            profile.logged_in = profile.logged_in + usize::from(logged_in) - usize::from(was_logged_in);
        }
    }

    /// Keeps count of who is on duty.
    fn count_duty(&mut self, now: Instant, profile: ProfileIx, before: bool, after: bool) {
        if before == after {
            return;
        }
        self.duty_lost |= before;
        let Some(row) = self.index.profiles.get_mut(profile.at()) else { return };
        row.on_duty = row.on_duty + usize::from(after) - usize::from(before);
        let was_manned = row.unmanned_since.is_none();
        row.unmanned_since = (row.on_duty == 0).then_some(now);
        if was_manned && row.on_duty == 0 {
            self.profile_left(now, profile);
        }
    }
}

impl Agent {
    /// Becomes what he wished to be.
    pub(super) fn fulfil_wish(&mut self, now: Instant) {
        let wish = if self.gone { Wish::LoggedOut } else { self.wish };
        let rung = matches!(self.state, State::Reserved { .. });
        self.state = match wish {
            Wish::Ready => State::Ready,
            Wish::NotReady(reason) => State::NotReady { reason, until: None },
            Wish::LoggedOut => State::LoggedOut,
        };
        self.wish = Wish::Ready;
        // Who was only rung has not worked: he keeps his turn.
        if !rung {
            self.free_since = now;
        }
    }

    /// Done with work, an agent who has worked too much of his time rests until he has not. Whether he does.
    fn rest_if_tired(&mut self, now: Instant, config: &Config) -> bool {
        let Some(most) = self.occupancy_max.or(config.occupancy_max) else { return false };
        let rest = self.occupancy.rest(most, config.occupancy_window);
        let rests = self.state == State::Ready && !rest.is_zero();
        if rests {
            self.state = State::NotReady { reason: 0, until: Some(now + rest) };
        }
        rests
    }
}

fn idle_key(config: &Config, agent: &Agent) -> IdleKey {
    let first = match config.agent_choice {
        AgentChoice::LongestIdle
        | AgentChoice::FewestOtherSkills
        | AgentChoice::SkillLevel
        | AgentChoice::RingAll => 0,
        AgentChoice::FewestCalls => agent.answered,
        AgentChoice::RoundRobin => agent.rung,
        AgentChoice::LeastOccupied => agent.occupancy.key(config.occupancy_window),
    };
    (first, agent.free_since.as_nanos())
}
