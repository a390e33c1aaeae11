//! New configuration under live calls: rows keep their places, the index is built anew.

use std::collections::BTreeMap;

use base::{AgentKey, Duration, Instant, QueueKey};

use super::Engine;
use crate::config::{AgentConfig, Config, Contract, OverflowTarget, QueueConfig, TIERS_MAX};
use crate::decision::Trigger;
use crate::index::Index;
use crate::io::OverflowWhy;
use crate::stats::Debts;
use crate::tables::{
    AccountIx, Agent, AgentIx, Call, CallIx, CallState, Place, ProfileIx, Queue, QueueIx, Tier,
};

impl Engine {
    pub(super) fn configure(&mut self, now: Instant, mut config: Config) {
        config.tiers.truncate(TIERS_MAX);
        if config.tiers.is_empty() {
            config.tiers.push(Contract::new(0.0, 0.0, Duration::ZERO));
        }
        config.queues.truncate(config.limits.queues_max);
        config.agents.truncate(config.limits.agents_max);
        let waiting = self.lay_down();
        let debts = self.all_debts();
        self.replace_policy(now, &config, &debts);
        let (queues, agents) = (core::mem::take(&mut config.queues), core::mem::take(&mut config.agents));
        self.config = config;
        let tiers = self.config.tiers.len().max(self.tiers.len());
        self.tiers.resize(tiers, Tier::default());
        self.flows.resize_with(tiers, Default::default);
        self.replace_queues(now, queues);
        self.lower_to_last_tier(now);
        self.replace_agents(now, agents);
        self.restore_reserved_lines();
        self.restore_promises(now);
        self.restore_ladder(now);
        self.take_up(now, waiting);
    }

    /// Takes every waiting call out of the index, in order.
    fn lay_down(&mut self) -> Vec<CallIx> {
        let waits = |state| matches!(state, CallState::Waiting { .. });
        let calls = self.calls.iter().map(|(_, call)| call).filter(|call| waits(call.state));
        let mut calls: Vec<(u8, Place)> = calls.map(|call| (call.tier, call.place)).collect();
        calls.sort_unstable();
        let calls: Vec<CallIx> = calls.into_iter().map(|(_, place)| place.call()).collect();
        for &ix in &calls {
            self.delist(ix);
        }
        calls
    }

    fn all_debts(&self) -> Vec<(AccountIx, usize, Debts)> {
        let accounts = (0..self.accounts.len()).map(AccountIx::new);
        let of = |account| {
            (0..self.tiers.len())
                .filter_map(move |tier| Some((account, tier, self.policy.debts(account, tier)?)))
        };
        accounts.flat_map(of).collect()
    }

    /// A policy whose terms did not change stays as it is; another begins with what is owed.
    fn replace_policy(&mut self, now: Instant, config: &Config, debts: &[(AccountIx, usize, Debts)]) {
        let same = self.config.policy == config.policy
            && self.config.tiers == config.tiers
            && self.config.index == config.index;
        if same {
            return;
        }
        let mut policy = config.policy.build(config, self.rng.fork());
        for &(account, tier, debts) in debts.iter().filter(|&&(_, tier, _)| tier < config.tiers.len()) {
            policy.restore(now, account, tier, debts);
        }
        self.policy = policy;
    }

    fn replace_queues(&mut self, now: Instant, configs: Vec<QueueConfig>) {
        let mut seen: BTreeMap<QueueKey, ()> = BTreeMap::new();
        for queue in &mut self.queues {
            queue.gone = true;
            queue.manned_until = self.index.unmanned_since(queue).unwrap_or(now);
            queue.profiles.clear();
        }
        for mut config in configs {
            if seen.insert(config.key, ()).is_some() {
                continue;
            }
            config.relax.sort_by_key(|step| step.after);
            config.relax.truncate(crate::RELAX_MAX);
            match self.queue_of.get(&config.key).and_then(|ix| self.queues.get_mut(ix.at())) {
                Some(queue) => (queue.config, queue.gone) = (config, false),
                None => {
                    self.queue_of.insert(config.key, QueueIx::new(self.queues.len()));
                    self.queues.push(Queue::new(config));
                }
            }
        }
    }

    fn replace_agents(&mut self, now: Instant, configs: Vec<AgentConfig>) {
        self.index = Index::new(self.config.agent_choice);
        self.forget_lines();
        let nobody = self.index.profile(Vec::new(), Vec::new(), 0);
        for agent in &mut self.agents {
            agent.gone = true;
            agent.profile = nobody;
            agent.idle_key = None;
        }
        let limit = self.config.limits.agents_max;
        for config in configs {
            let profile = self.profile(&config);
            let rows = self.agents.len();
            match self.agent_of.get(&config.key).and_then(|ix| self.agents.get_mut(ix.at())) {
                // The first of two with one key counts.
                Some(agent) if agent.gone => {
                    (agent.profile, agent.gone) = (profile, false);
                    agent.occupancy_max = config.occupancy_max;
                }
                Some(_) => {}
                None if rows < limit => {
                    self.agent_of.insert(config.key, AgentIx::new(rows));
                    let occupancy_max = config.occupancy_max;
                    self.agents.push(Agent { occupancy_max, ..Agent::new(config.key, profile) });
                }
                None => self.counters.limited += 1,
            }
        }
        let gone: Vec<AgentKey> = self
            .agents
            .iter()
            .filter(|agent| agent.gone && agent.is_logged_in())
            .map(|agent| agent.key)
            .collect();
        // Counts of duty are taken afterwards, from the states as they then are.
        self.count_profiles(now);
        for key in gone {
            self.logout(now, key);
        }
    }

    fn profile(&mut self, config: &AgentConfig) -> ProfileIx {
        let known = |key: &QueueKey| self.queue_of.get(key).copied().filter(|&ix| self.is_open(ix));
        let mut queues: Vec<QueueIx> = config.queues.iter().filter_map(known).collect();
        queues.sort_unstable();
        queues.dedup();
        let mut skills = config.skills.clone();
        skills.retain(|(_, level)| (1..=10).contains(level));
        skills.sort_unstable_by_key(|&(skill, level)| (skill, core::cmp::Reverse(level)));
        skills.dedup_by_key(|&mut (skill, _)| skill);
        let known_before = self.index.profiles.len();
        let ix = self.index.profile(queues.clone(), skills, config.group);
        if self.index.profiles.len() > known_before {
            for queue in queues {
                if let Some(queue) = self.queues.get_mut(queue.at()) {
                    queue.profiles.push(ix);
                }
            }
        }
        ix
    }

    /// Counts everybody anew: free, on duty, logged in.
    fn count_profiles(&mut self, now: Instant) {
        for profile in &mut self.index.profiles {
            (profile.on_duty, profile.logged_in) = (0, 0);
        }
        self.index.clear_idle();
        for at in 0..self.agents.len() {
            let ix = AgentIx::new(at);
            let Some(agent) = self.agents.get_mut(at) else { continue };
            agent.idle_key = None;
            let (on_duty, logged_in) = (agent.is_on_duty(), agent.is_logged_in());
            if let Some(profile) = self.index.profiles.get_mut(agent.profile.at()) {
                profile.on_duty += usize::from(on_duty);
                profile.logged_in += usize::from(logged_in);
            }
            self.change(now, ix, |_| {});
        }
        for profile in &mut self.index.profiles {
            profile.unmanned_since = (profile.on_duty == 0).then_some(Instant::ZERO);
        }
    }

    /// Calls of tiers that are no more are served as the last.
    fn lower_to_last_tier(&mut self, now: Instant) {
        let last = self.tier_last();
        let below = |call: &(usize, &Call)| call.1.tier() > last;
        let below: Vec<usize> = self.calls.iter().filter(below).map(|(at, _)| at).collect();
        for at in below {
            let Some(call) = self.calls.get_mut(at) else { continue };
            let (before, account) = (call.tier(), call.account);
            let rings = self.ringing.remove(&(call.tier, call.place));
            call.tier = u8::try_from(last).unwrap_or(u8::MAX);
            if rings {
                self.ringing.insert((call.tier, call.place));
            }
            self.change_tier(now, before, last, account);
        }
    }

    /// Puts the waiting calls back under the new rules.
    fn take_up(&mut self, now: Instant, calls: Vec<CallIx>) {
        for &ix in &calls {
            self.advance(now, ix);
        }
        for ix in calls {
            let Some(call) = self.calls.get(ix.at()) else { continue };
            if !self.is_open(self.queue_of(call)) {
                self.overflow(now, ix, OverflowTarget::Hangup, OverflowWhy::Limit);
            } else if let Some((to, why)) = self.overflow_due(now, ix) {
                self.overflow(now, ix, to, why);
            } else {
                self.place(now, ix, Trigger::CallWaits);
            }
        }
    }
}
