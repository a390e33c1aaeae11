//! Decisions: one global choice over the eligible heads for a free agent, one over the free agents for a call.

use core::cmp::{Ordering, Reverse};
use std::sync::Arc;

use base::{Duration, Instant, QueueKey, TierKey};

use super::Engine;
use crate::choice::AgentChoice;
use crate::decision::{AgentSeen, Decision, HeadSeen, OTHERS_MAX, Outcome, Rank, Trigger, WhyNot};
use crate::index::{Line, StaticKey};
use crate::io::Output;
use crate::policy::{Head, Kept, Key, Seat, Verdict};
use crate::tables::{
    Agent, AgentIx, Call, CallIx, CallState, CallbackIx, IdleKey, LineIx, Place, ProfileIx, State, Turn,
};

/// Free agents of one profile tried in a sweep; they differ only in who avoids them.
const SWEEP_PER_PROFILE: usize = 64;
/// Free agents are counted up to this many for the record.
const IDLE_COUNTED: u32 = 1_000;

/// What was made of the head of a tier; of several accounts' the best.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    head: Head,
    /// `None`: held back.
    key: Option<Key>,
    rank: Rank,
}

/// Whom a free agent is for.
pub(super) enum Next {
    Call(CallIx),
    /// An overdue promise: its customer is called while the agent is held.
    Callback(CallbackIx),
}

impl Seen {
    pub(super) const fn new(head: Head, key: Key, rank: Rank) -> Seen {
        Seen { head, key: Some(key), rank }
    }

    /// Whether it goes before another that may go, too; equals by their order in line.
    pub(super) fn goes_before(&self, other: &Seen) -> bool {
        let Some(key) = self.key else { return false };
        let by_key = other.key.map_or(Ordering::Greater, |others| key.cmp(&others));
        by_key.then_with(|| other.head.place.cmp(&self.head.place)) == Ordering::Greater
    }

    /// Within a tier a class goes before the next, whatever is owed to their accounts.
    fn before(&self, other: &Seen) -> bool {
        let (Some(key), Some(others)) = (self.key, other.key) else {
            return match (self.key, other.key) {
                (None, None) => self.head.place < other.head.place,
                _ => self.key.is_some(),
            };
        };
        let class = self.head.place.class().cmp(&other.head.place.class());
        let by_key = || others.cmp(&key);
        class.then_with(by_key).then_with(|| self.head.place.cmp(&other.head.place)) == Ordering::Less
    }
}

impl Engine {
    /// Finds an agent for a waiting call. The agent found sees all calls, so another may go first; then the
    /// next agent is found.
    pub(super) fn place(&mut self, now: Instant, ix: CallIx, trigger: Trigger) {
        while matches!(self.calls.get(ix.at()).map(|call| call.state), Some(CallState::Waiting { .. })) {
            let Some(agent) = self.best_agent(now, ix) else { return };
            let chosen = match self.choose(now, agent, trigger) {
                Some(Next::Call(chosen)) => chosen,
                Some(Next::Callback(promise)) => {
                    self.dial(now, promise, Some(agent));
                    continue;
                }
                None => return,
            };
            let agent = if chosen == ix { agent } else { self.best_agent(now, chosen).unwrap_or(agent) };
            self.present(now, chosen, agent, trigger);
            self.ring_others(now, chosen, trigger);
        }
    }

    /// Gives a free agent the call that the policy chooses. Whether there was one.
    pub(super) fn decide(&mut self, now: Instant, agent: AgentIx, trigger: Trigger) -> bool {
        let chosen = self.choose(now, agent, trigger);
        match chosen {
            Some(Next::Call(call)) => {
                self.present(now, call, agent, trigger);
                self.ring_others(now, call, trigger);
            }
            Some(Next::Callback(promise)) => self.dial(now, promise, Some(agent)),
            None => {}
        }
        chosen.is_some()
    }

    /// Looks again at every free agent while calls are held back.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.held_back = false;
        let profiles: Vec<_> = self.index.idle.iter().copied().collect();
        for profile in profiles {
            let free = self.index.profile_at(profile).map_or_else(Vec::new, |profile| {
                profile.idle.iter().take(SWEEP_PER_PROFILE).map(|&(_, agent)| agent).collect()
            });
            for agent in free {
                let still_free = self.agents.get(agent.at()).is_some_and(Agent::is_free);
                if still_free && !self.decide(now, agent, Trigger::Reserve) && self.avoiders == 0 {
                    break;
                }
            }
        }
    }

    /// The free agent who is best for the call now.
    fn best_agent(&self, now: Instant, ix: CallIx) -> Option<AgentIx> {
        if self.index.idle.is_empty() {
            return None;
        }
        let call = self.calls.get(ix.at())?;
        let CallState::Waiting { line } = call.state else { return None };
        let [a, b] = call.preferred();
        let own = [a, b.filter(|_| call.turn() != Turn::First)];
        let free = |agent: &AgentIx| {
            self.agents.get(agent.at()).is_some_and(Agent::is_free) && !self.avoids(now, call, *agent)
        };
        own.into_iter().flatten().find(free).or_else(|| self.best_of_pool(now, call, line?))
    }

    pub(super) fn best_of_pool(&self, now: Instant, call: &Call, line: LineIx) -> Option<AgentIx> {
        let line = self.index.line_at(line)?;
        let welcome = |agent: AgentIx| self.avoiders == 0 || !self.avoids(now, call, agent);
        if let Some(agent) = self.by_index(now, call, line, &welcome) {
            return Some(agent);
        }
        let profile_of = |agent: AgentIx| self.agents.get(agent.at()).map(|agent| agent.profile);
        self.index.best(line, profile_of, welcome)
    }

    /// For a policy that chooses the agent, too: the one with whom the call has the greatest index.
    fn by_index(
        &self,
        now: Instant,
        call: &Call,
        line: &Line,
        welcome: &impl Fn(AgentIx) -> bool,
    ) -> Option<AgentIx> {
        let waited_s = now.since(call.place.since()).as_secs_f64();
        let mut best: Option<(f64, StaticKey, IdleKey, AgentIx)> = None;
        for (key, profile) in self.index.idle_for(line) {
            let Some(&(idle, agent)) = profile.idle.iter().find(|&&(_, agent)| welcome(agent)) else {
                continue;
            };
            let index = self.policy.prefers(call.tier(), waited_s, &self.seat(now, agent))?;
            // Between equals the choice of agents decides.
            if best.is_none_or(|(most, than, other, _)| {
                index > most || (index == most && (key, idle) < (than, other))
            }) {
                best = Some((index, key, idle, agent));
            }
        }
        best.map(|(.., agent)| agent)
    }

    /// Whether the call must not go to this agent, at whom it failed lately, as long as there is anybody else.
    pub(super) fn avoids(&self, now: Instant, call: &Call, agent: AgentIx) -> bool {
        let active = |&&(_, until): &&(AgentIx, Instant)| until > now;
        if !call.avoid().iter().filter(active).any(|&(avoided, _)| avoided == agent) {
            return false;
        }
        let CallState::Waiting { line: Some(line) } = call.state else { return true };
        let Some(row) = self.index.line_at(line) else { return true };
        let counts = |ix: AgentIx| {
            self.agents.get(ix.at()).is_some_and(|agent| agent.is_on_duty() && row.fit.has(agent.profile))
        };
        let avoided = call.avoid().iter().filter(active).filter(|&&(ix, _)| counts(ix)).count();
        self.index.on_duty(line) > avoided
    }

    /// Whom a free agent is for. Leaves what was made of each head for the record.
    fn choose(&mut self, now: Instant, agent: AgentIx, trigger: Trigger) -> Option<Next> {
        let mut seen = core::mem::take(&mut self.seen);
        seen.clear();
        seen.resize(self.tiers.len(), None);
        let until_s = self.judge_heads(now, agent, &mut seen);
        let mut best: Option<&Seen> = None;
        for candidate in seen.iter().flatten().filter(|seen| seen.key.is_some()) {
            if best.is_none_or(|best| candidate.goes_before(best)) {
                best = Some(candidate);
            }
        }
        let promise = self.overdue_for(now, agent, best);
        let call = best.map(|best| best.head.place.call());
        let waits = seen.iter().flatten().next().map(|first| first.head.place.call());
        self.seen = seen;
        if let Some(promise) = promise {
            return Some(Next::Callback(promise));
        }
        match (call, waits) {
            (None, Some(first)) => {
                self.held_back = true;
                self.counters.held_back += 1;
                if let Some(until_s) = until_s {
                    // A moment more, so that rounding does not find it a moment too early.
                    let at = now + Duration::from_secs_f64(until_s.min(1e9)) + Duration::from_micros(1);
                    self.held_until = Some(self.held_until.map_or(at, |earlier| earlier.min(at)));
                }
                self.record_kept(now, agent, first, trigger);
            }
            _ => self.last_kept = None,
        }
        call.map(Next::Call)
    }

    /// Judges the first eligible call of each tier of each line: one look per line and tier. Returns when one that is
    /// held back may go.
    fn judge_heads(&self, now: Instant, ix: AgentIx, seen: &mut [Option<Seen>]) -> Option<f64> {
        let agent = self.agents.get(ix.at())?;
        let (mut until_s, mut seat) = (None::<f64>, None);
        let mut judge = |head: Head| {
            // Only with somebody waiting is it worth looking who must be kept free.
            let seat = seat.get_or_insert_with(|| self.seat_kept(now, ix));
            let (verdict, rank) = self.policy.rank(&head, seat);
            let key = match verdict {
                Verdict::Go(key) => Some(key),
                Verdict::Wait { until_s: when } => {
                    until_s = [until_s, when].into_iter().flatten().reduce(f64::min);
                    None
                }
            };
            let new = Seen { head, key, rank };
            match seen.get_mut(head.tier) {
                Some(Some(old)) if !new.before(old) => {}
                Some(slot) => *slot = Some(new),
                None => {}
            }
        };
        let welcome = |place: &&Place| {
            self.calls.get(place.call().at()).is_some_and(|call| !self.avoids(now, call, ix))
        };
        let counts = self.policy.counts_idle();
        for line in self.index.busy_for(agent.profile) {
            let idle = if counts { self.idle_of(line) } else { 0 };
            for (tier, &first) in line.heads.iter().enumerate() {
                let head = match line.tiers.get(tier) {
                    _ if first == Place::NONE => continue,
                    Some(calls) if self.avoiders > 0 => calls.iter().find(welcome).copied(),
                    _ => Some(first),
                };
                if let Some(place) = head {
                    let waited_s = now.since(place.since()).as_secs_f64();
                    judge(Head { tier, account: line.account, place, waited_s, dedicated: false, idle });
                }
            }
        }
        let mut from = 0u8;
        // One head per tier: from the first call of one tier jump to the next tier.
        while let Some(&(tier, place)) =
            agent.dedicated.range((from, Place::FIRST)..).find(|&(_, place)| welcome(&place))
        {
            if let Some(call) = self.calls.get(place.call().at()) {
                let waited_s = now.since(place.since()).as_secs_f64();
                let (tier, account) = (usize::from(tier), call.account);
                judge(Head { tier, account, place, waited_s, dedicated: true, idle: u32::MAX });
            }
            let Some(next) = tier.checked_add(1) else { break };
            from = next;
        }
        until_s
    }

    /// The agent as a policy sees him.
    fn seat(&self, now: Instant, ix: AgentIx) -> Seat {
        let Some(agent) = self.agents.get(ix.at()) else { return Seat::default() };
        let group = self.index.profile_at(agent.profile).map_or(0, |profile| profile.group);
        Seat { group, idle_s: now.since(agent.free_since).as_secs_f64(), kept: None }
    }

    /// The same, and whom he is kept free for: asked only when it matters, for it looks at the free agents.
    pub(super) fn seat_kept(&self, now: Instant, ix: AgentIx) -> Seat {
        let kept = self.agents.get(ix.at()).and_then(|agent| self.kept(agent.profile));
        Seat { kept, ..self.seat(now, ix) }
    }

    /// The highest tier for which the agents of a profile are kept free now: so few of those who could serve one of its
    /// accounts are free that they are its reserve.
    pub(super) fn kept(&self, profile: ProfileIx) -> Option<Kept> {
        let mut kept: Option<Kept> = None;
        for &(account, tier, need) in self.policy.reserves() {
            let tier = usize::from(tier);
            if need == 0 || kept.is_some_and(|kept| kept.tier <= tier) {
                continue;
            }
            let Some((line_ix, line)) = self.base_line(account) else { continue };
            if !line.fit.has(profile) {
                continue;
            }
            let idle = self.index.idle_count(line_ix, need.saturating_add(1));
            if idle <= need {
                kept = Some(Kept { tier, need, idle });
            }
        }
        kept
    }

    pub(super) fn idle_of(&self, line: &Line) -> u32 {
        self.index
            .idle_for(line)
            .map(|(_, profile)| profile.idle.len())
            .sum::<usize>()
            .try_into()
            .unwrap_or(u32::MAX)
    }

    /// Reserves the agent for the call: one step, so no call has two agents and no agent two calls.
    pub(super) fn present(&mut self, now: Instant, ix: CallIx, agent_ix: AgentIx, trigger: Trigger) {
        self.record_presented(now, ix, agent_ix, trigger);
        self.delist(ix);
        self.set_deadline(ix, None);
        let Some(call) = self.calls.get_mut(ix.at()) else { return };
        call.state = CallState::Presented { agent: agent_ix };
        if self.config.agent_choice == AgentChoice::RingAll && call.turn() == Turn::Pool {
            self.ringing.insert((call.tier, call.place));
        }
        self.ring(now, ix, agent_ix);
    }

    pub(super) fn ring(&mut self, now: Instant, ix: CallIx, agent_ix: AgentIx) {
        let Some(call) = self.calls.get(ix.at()) else { return };
        let (key, ring) = (call.key, self.config.ring);
        if let Some(agent) = self.agents.get(agent_ix.at()).map(|agent| agent.key) {
            self.outputs.push_back(Output::Present { call: key, agent, ring });
        }
        self.rings += 1;
        self.counters.presented += 1;
        let rings = self.rings;
        self.change(now, agent_ix, |agent| {
            agent.rung = rings;
            agent.state = State::Reserved { call: ix, key, until: now + ring, picked_up: false };
        });
    }

    pub(super) fn note(&mut self, mut decision: Decision) {
        self.decided += 1;
        decision.number = self.decided;
        let decision = Arc::new(decision);
        while self.decisions.len() >= self.config.limits.decisions_max.max(1) {
            self.decisions.pop_front();
        }
        self.decisions.push_back(Arc::clone(&decision));
        self.outputs.push_back(Output::Decided(decision));
    }

    /// Why this call goes to this agent, before it does.
    pub(super) fn record_presented(&mut self, now: Instant, ix: CallIx, agent: AgentIx, trigger: Trigger) {
        let Some(call) = self.calls.get(ix.at()) else { return };
        let Some(who) = self.agents.get(agent.at()).map(|agent| agent.key) else { return };
        let (idle, others) = match call.state {
            CallState::Waiting { line: Some(line) } => {
                (self.index.idle_count(line, IDLE_COUNTED), self.others(now, call, line, agent))
            }
            CallState::Waiting { line: None } => (1, Vec::new()),
            CallState::Presented { .. } => {
                let too = self.rung_for(ix).into_iter().take(OTHERS_MAX);
                (0, self.agents_seen(too, |_| WhyNot::RungToo))
            }
        };
        let outcome = Outcome::Presented { agent: who };
        self.note(Decision { idle, others, ..self.decision(now, Some(ix), call, outcome, trigger) });
    }

    /// Why the agent stays free although a call waits; once for as long as it is the same call.
    fn record_kept(&mut self, now: Instant, agent: AgentIx, first: CallIx, trigger: Trigger) {
        if self.last_kept == Some((agent, first)) {
            return;
        }
        self.last_kept = Some((agent, first));
        let Some(call) = self.calls.get(first.at()) else { return };
        let Some(who) = self.agents.get(agent.at()).map(|agent| agent.key) else { return };
        let idle = match call.state {
            CallState::Waiting { line: Some(line) } => self.index.idle_count(line, IDLE_COUNTED),
            _ => 1,
        };
        let outcome = Outcome::KeptFree { agent: who };
        self.note(Decision { idle, ..self.decision(now, None, call, outcome, trigger) });
    }

    /// A decision about a call; `chosen`: the heads that were just judged belong to it, and it won.
    pub(super) fn decision(
        &self,
        now: Instant,
        chosen: Option<CallIx>,
        call: &Call,
        outcome: Outcome,
        trigger: Trigger,
    ) -> Decision {
        let seen = |seen: &Seen| {
            let ix = seen.head.place.call();
            Some(HeadSeen {
                call: self.calls.get(ix.at())?.key,
                tier: tier_key(seen.head.tier),
                waited: Duration::from_secs_f64(seen.head.waited_s),
                rank: seen.rank,
                chosen: chosen == Some(ix),
            })
        };
        let heads = match outcome {
            Outcome::Presented { .. } | Outcome::KeptFree { .. } => {
                let mut heads = Vec::with_capacity(self.seen.len());
                heads.extend(self.seen.iter().flatten().filter_map(seen));
                heads
            }
            Outcome::WayOut(_) | Outcome::Level { .. } | Outcome::DialBack { .. } => Vec::new(),
        };
        Decision {
            number: 0,
            at: now,
            call: Some(call.key),
            tier: Some(tier_key(call.tier())),
            queue: self.queue_row(call).map_or(QueueKey(0), |queue| queue.key()),
            waited: now.since(call.since),
            outcome,
            trigger,
            policy: self.config.policy,
            choice: self.config.agent_choice,
            heads,
            idle: 0,
            others: Vec::new(),
        }
    }

    fn others(&self, now: Instant, call: &Call, line: LineIx, winner: AgentIx) -> Vec<AgentSeen> {
        let Some(line) = self.index.line_at(line) else { return Vec::new() };
        let free = self.index.idle_for(line).flat_map(|(_, profile)| profile.idle.iter().take(2));
        let mut free: Vec<_> =
            free.filter(|&&(_, agent)| agent != winner).take(OTHERS_MAX).map(|&(_, agent)| agent).collect();
        let avoided = |agent: AgentIx| self.avoiders > 0 && self.avoids(now, call, agent);
        free.sort_unstable_by_key(|&agent| Reverse(avoided(agent)));
        self.agents_seen(free.into_iter(), |agent| {
            if avoided(agent) { WhyNot::FailedBefore } else { WhyNot::OtherPreferred }
        })
    }

    fn agents_seen(
        &self,
        agents: impl Iterator<Item = AgentIx>,
        why: impl Fn(AgentIx) -> WhyNot,
    ) -> Vec<AgentSeen> {
        let seen = |ix: AgentIx| Some(AgentSeen { agent: self.agents.get(ix.at())?.key, why: why(ix) });
        agents.filter_map(seen).collect()
    }
}

pub(super) fn tier_key(tier: usize) -> TierKey {
    TierKey(u8::try_from(tier).unwrap_or(u8::MAX))
}
