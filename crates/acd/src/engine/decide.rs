//! Decisions: one global choice over the eligible heads for a free agent, one over the free agents for a call.

use core::cmp::Reverse;
use std::sync::Arc;

use base::{Instant, SkillKey, TierKey};

use super::Engine;
use crate::choice::AgentChoice;
use crate::decision::{AgentSeen, Decision, HeadSeen, OTHERS_MAX, Rank, Trigger, WhyNot};
use crate::index::Profile;
use crate::io::{Output, Timer};
use crate::policy::Head;
use crate::requirement::Requirement;
use crate::tables::{Agent, AgentIx, Call, CallIx, CallState, Order, SignatureIx, State, Turn};

/// Free agents of one profile tried in a sweep; they differ only in who avoids them.
const SWEEP_PER_PROFILE: usize = 64;

impl Engine {
    /// Finds an agent for a waiting call. The agent found sees all calls, so another may go first; then the
    /// next agent is found.
    pub(super) fn place(&mut self, now: Instant, ix: CallIx, trigger: Trigger) {
        while matches!(self.calls.get(ix).map(|call| call.state), Some(CallState::Waiting { .. })) {
            let Some(agent) = self.best_agent(now, ix) else { return };
            let Some(chosen) = self.choose_call(now, agent) else { return };
            let agent = if chosen == ix { agent } else { self.best_agent(now, chosen).unwrap_or(agent) };
            self.present(now, chosen, agent, trigger);
        }
    }

    /// Gives a free agent the call that the policy chooses. Whether there was one.
    pub(super) fn decide(&mut self, now: Instant, agent: AgentIx, trigger: Trigger) -> bool {
        let chosen = self.choose_call(now, agent);
        if let Some(call) = chosen {
            self.present(now, call, agent, trigger);
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
        let call = self.calls.get(ix)?;
        let CallState::Waiting { signature } = call.state else { return None };
        let [a, b] = call.preferred;
        let own = [a, b.filter(|_| call.turn != Turn::First)];
        let free = |agent: &AgentIx| {
            self.agents.get(agent.at()).is_some_and(Agent::is_free) && !self.avoids(now, call, *agent)
        };
        own.into_iter().flatten().find(free).or_else(|| self.best_of_pool(now, call, signature?))
    }

    fn best_of_pool(&self, now: Instant, call: &Call, signature: SignatureIx) -> Option<AgentIx> {
        let needs = &self.index.signature_at(signature)?.needs;
        let candidates = self.index.idle_for(signature).filter_map(|(_, profile)| {
            let first = profile.idle.iter().find(|&&(_, agent)| !self.avoids(now, call, agent));
            first.map(|&(key, agent)| (self.profile_key(profile, needs), key, agent))
        });
        candidates.min().map(|(_, _, agent)| agent)
    }

    /// What the choice of agents says about a profile; the least is chosen.
    fn profile_key(&self, profile: &Profile, needs: &Requirement) -> u64 {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        match self.config.agent_choice {
            AgentChoice::LongestIdle | AgentChoice::FewestCalls | AgentChoice::RoundRobin => 0,
            AgentChoice::FewestOtherSkills => count(profile.queues.len() + profile.skills.len()),
            AgentChoice::SkillLevel => {
                let asked = |skill: &SkillKey| needs.skills().any(|other| other == *skill);
                let levels = profile.skills.iter().filter(|(skill, _)| asked(skill));
                u64::MAX - levels.map(|&(_, level)| u64::from(level)).sum::<u64>()
            }
        }
    }

    /// Whether the call must not go to this agent, at whom it failed lately, as long as there is anybody else.
    pub(super) fn avoids(&self, now: Instant, call: &Call, agent: AgentIx) -> bool {
        let active = |&&(_, until): &&(AgentIx, Instant)| until > now;
        if !call.avoid.iter().filter(active).any(|&(avoided, _)| avoided == agent) {
            return false;
        }
        let CallState::Waiting { signature: Some(signature) } = call.state else { return true };
        let Some(row) = self.index.signature_at(signature) else { return true };
        let counts = |ix: AgentIx| {
            self.agents
                .get(ix.at())
                .is_some_and(|agent| agent.is_on_duty() && row.profiles.binary_search(&agent.profile).is_ok())
        };
        let avoided = call.avoid.iter().filter(active).filter(|&&(ix, _)| counts(ix)).count();
        self.index.on_duty(signature) > avoided
    }

    /// The call that a free agent should take. Leaves the heads and their ranks for the record.
    fn choose_call(&mut self, now: Instant, agent: AgentIx) -> Option<CallIx> {
        let mut heads = core::mem::take(&mut self.heads);
        let mut ranks = core::mem::take(&mut self.ranks);
        heads.clear();
        ranks.clear();
        self.find_heads(now, agent, &mut heads);
        let chosen = if heads.is_empty() { None } else { self.policy.choose(&heads, &mut ranks) };
        let call = chosen.and_then(|at| heads.get(at)).map(|head| head.call);
        if call.is_none() && !heads.is_empty() {
            self.held_back = true;
            self.counters.held_back += 1;
        }
        (self.heads, self.ranks) = (heads, ranks);
        call
    }

    /// The first eligible call of each tier, in value order: one look per signature and tier.
    fn find_heads(&self, now: Instant, ix: AgentIx, heads: &mut Vec<Head>) {
        let Some(agent) = self.agents.get(ix.at()) else { return };
        let serves = self.index.profile_at(agent.profile).map_or(0, |profile| profile.serves);
        let mut offer = |tier: usize, order: Order, call: CallIx, dedicated: bool| match heads
            .iter_mut()
            .find(|head| head.tier == tier)
        {
            Some(head) if head.order <= order => {}
            Some(head) => (head.order, head.call, head.dedicated) = (order, call, dedicated),
            None => heads.push(Head {
                call,
                tier,
                order,
                waited: base::Duration::ZERO,
                dedicated,
                idle: 0,
                serves,
            }),
        };
        let welcome = |call: CallIx| {
            self.avoiders == 0 || self.calls.get(call).is_some_and(|call| !self.avoids(now, call, ix))
        };
        for signature in self.index.busy_for(agent.profile) {
            for (tier, line) in signature.lines.iter().enumerate() {
                if let Some(&(order, call)) = line.iter().find(|&&(_, call)| welcome(call)) {
                    offer(tier, order, call, false);
                }
            }
        }
        let mut from = 0;
        // One head per tier: from the first call of one tier jump to the next tier.
        while let Some(&(tier, order, call)) =
            agent.dedicated.range((from, Order::FIRST, CallIx::new(0))..).find(|&&(_, _, call)| welcome(call))
        {
            offer(tier, order, call, true);
            from = tier + 1;
        }
        heads.sort_unstable_by_key(|head| head.tier);
        let reserves = self.policy.reserves();
        for head in heads {
            let Some(call) = self.calls.get(head.call) else { continue };
            head.waited = now.since(call.since);
            if let (true, CallState::Waiting { signature: Some(signature) }) = (reserves, call.state) {
                head.idle = self.idle_count(signature);
            }
        }
    }

    fn idle_count(&self, signature: SignatureIx) -> u32 {
        let free: usize = self.index.idle_for(signature).map(|(_, profile)| profile.idle.len()).sum();
        u32::try_from(free).unwrap_or(u32::MAX)
    }

    /// Reserves the agent for the call: one step, so no call has two agents and no agent two calls.
    fn present(&mut self, now: Instant, ix: CallIx, agent_ix: AgentIx, trigger: Trigger) {
        let decision = self.record(now, ix, agent_ix, trigger);
        self.delist(ix);
        let Some(call) = self.calls.get_mut(ix) else { return };
        call.state = CallState::Presented { agent: agent_ix };
        let key = call.key;
        self.timers.cancel(Timer::Call(key));
        let ring = self.config.ring;
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
        if let Some(decision) = decision {
            let decision = Arc::new(decision);
            while self.decisions.len() >= self.config.limits.decisions_max.max(1) {
                self.decisions.pop_front();
            }
            self.decisions.push_back(Arc::clone(&decision));
            self.outputs.push_back(Output::Decided(decision));
        }
    }

    /// Why this call goes to this agent, before it does.
    fn record(&self, now: Instant, ix: CallIx, agent_ix: AgentIx, trigger: Trigger) -> Option<Decision> {
        let call = self.calls.get(ix)?;
        let winner = self.agents.get(agent_ix.at())?;
        let seen = |(head, rank): (&Head, &Rank)| {
            let key = self.calls.get(head.call)?.key;
            let chosen = head.call == ix;
            Some(HeadSeen { call: key, tier: tier_key(head.tier), waited: head.waited, rank: *rank, chosen })
        };
        let (idle, others) = match call.state {
            CallState::Waiting { signature: Some(signature) } => {
                (self.idle_count(signature), self.others(now, call, signature, agent_ix))
            }
            CallState::Waiting { signature: None } | CallState::Presented { .. } => (1, Vec::new()),
        };
        Some(Decision {
            at: now,
            call: call.key,
            agent: winner.key,
            tier: tier_key(call.tier),
            queue: self.queues.get(call.queue.at())?.key(),
            waited: now.since(call.since),
            trigger,
            policy: self.config.policy,
            heads: self.heads.iter().zip(&self.ranks).filter_map(seen).collect(),
            idle,
            others,
        })
    }

    fn others(&self, now: Instant, call: &Call, signature: SignatureIx, winner: AgentIx) -> Vec<AgentSeen> {
        let free = self.index.idle_for(signature).flat_map(|(_, profile)| profile.idle.iter().take(2));
        let mut free: Vec<_> =
            free.filter(|&&(_, agent)| agent != winner).take(OTHERS_MAX).map(|&(_, agent)| agent).collect();
        free.sort_unstable_by_key(|&agent| Reverse(self.avoids(now, call, agent)));
        let seen = |agent: AgentIx| {
            let why =
                if self.avoids(now, call, agent) { WhyNot::FailedBefore } else { WhyNot::OtherPreferred };
            Some(AgentSeen { agent: self.agents.get(agent.at())?.key, why })
        };
        free.into_iter().filter_map(seen).collect()
    }
}

fn tier_key(tier: usize) -> TierKey {
    TierKey(u8::try_from(tier).unwrap_or(u8::MAX))
}
