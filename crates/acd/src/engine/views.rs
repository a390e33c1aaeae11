//! What the engine shows.

use std::sync::Arc;

use base::{AgentKey, CallKey, CallbackKey, Instant, QueueKey, TierKey};

use super::Engine;
use super::callbacks::state_of;
use crate::callback::{CallbackCounts, CallbackState, Promise};
use crate::config::Config;
use crate::decision::{Band, Decision};
use crate::feasibility::{Demand, Feasibility};
use crate::io::AgentState;
use crate::requirement::Requirement;
use crate::stats::{Counters, Debts, QueueStats, TierStats};
use crate::tables::{AccountIx, Agent};

/// An agent as shown to people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgentView {
    /// Who.
    pub agent: AgentKey,
    /// State.
    pub state: AgentState,
    /// Since when.
    pub since: Instant,
    /// Calls answered since start.
    pub answered: u64,
    /// Share of his time of late spent with calls and their after-call work.
    pub occupancy: f64,
}

/// An open promise as shown to people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallbackView<'a> {
    /// Which.
    pub callback: CallbackKey,
    /// What was promised.
    pub promise: &'a Promise,
    /// When it is due.
    pub due: Instant,
    /// What it is at.
    pub state: CallbackState,
}

/// What a tier's calls of one queue with the same wishes are owed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccountView<'a> {
    /// The queue.
    pub queue: QueueKey,
    /// The wishes, as the calls came.
    pub skills: &'a Requirement,
    /// The tier.
    pub tier: TierKey,
    /// What is owed.
    pub debts: Debts,
    /// The band of a call that would come now.
    pub band: Band,
}

impl Engine {
    /// A queue now.
    pub fn queue_stats(&self, now: Instant, queue: QueueKey) -> Option<QueueStats> {
        let &ix = self.queue_of.get(&queue)?;
        let queue = self.queues.get(ix.at())?;
        let sum = |f: fn(&crate::index::Profile) -> usize| -> usize {
            queue.profiles.iter().filter_map(|&ix| self.index.profile_at(ix)).map(f).sum()
        };
        let heads = (0..self.tiers.len()).filter_map(|tier| self.head(queue, tier));
        Some(QueueStats {
            counts: queue.counts,
            waits: queue.waits,
            longest_wait: heads.map(|since| now.since(since)).max().unwrap_or_default(),
            agents_ready: sum(|profile| profile.idle.len()),
            agents_on_duty: sum(|profile| profile.on_duty),
            agents_logged_in: sum(|profile| profile.logged_in),
        })
    }

    /// A tier now.
    pub fn tier_stats(&self, tier: TierKey) -> Option<TierStats> {
        let row = self.tiers.get(tier.index())?;
        let (debts, band) = self.worst(tier.index()).unzip();
        let wait_error = row.trust.error();
        Some(TierStats { counts: row.counts, waits: row.waits, debts, band: band.flatten(), wait_error })
    }

    /// The account of a tier that is owed most.
    fn worst(&self, tier: usize) -> Option<(Debts, Option<Band>)> {
        let mut worst: Option<(AccountIx, Debts)> = None;
        let mut reserve = 0.0f64;
        for account in (0..self.accounts.len().max(1)).map(AccountIx::new) {
            let debts = self.policy.debts(account, tier)?;
            reserve = reserve.max(debts.reserve);
            let more = |than: &Debts| (debts.floor, debts.target) > (than.floor, than.target);
            if worst.as_ref().is_none_or(|(_, than)| more(than)) {
                worst = Some((account, debts));
            }
        }
        worst.map(|(account, debts)| (Debts { reserve, ..debts }, self.policy.band(account, tier)))
    }

    /// The agents, in the order of their keys; those who left the config only while they are still busy.
    pub fn agents(&self) -> impl Iterator<Item = AgentView> + '_ {
        let rows = self.agent_of.values().filter_map(|ix| self.agents.get(ix.at()));
        rows.filter(|agent| !agent.gone || agent.is_logged_in()).map(|agent| self.view(agent))
    }

    /// One agent.
    pub fn agent(&self, key: AgentKey) -> Option<AgentView> {
        self.agents.get(self.agent_of.get(&key)?.at()).map(|agent| self.view(agent))
    }

    /// An agent as he was when his state last changed; his occupancy as of then.
    fn view(&self, agent: &Agent) -> AgentView {
        AgentView {
            agent: agent.key,
            state: agent.shown,
            since: agent.since,
            answered: agent.answered,
            occupancy: agent.occupancy.share(agent.since, false, self.config.occupancy_window),
        }
    }

    /// What is remembered of the decisions about a call, oldest first: those that presented it, kept it waiting or
    /// offered it something, and those in which it lost to another.
    pub fn explain(&self, call: CallKey) -> impl Iterator<Item = &Arc<Decision>> {
        self.decisions.iter().filter(move |decision| decision.concerns(call))
    }

    /// Whether the contracts can be kept with the agents on duty, for one queue or the whole house, by the calls of the
    /// last ten minutes. `None`: nobody calls, or no such queue.
    pub fn feasibility(&self, now: Instant, queue: Option<QueueKey>) -> Option<Feasibility> {
        let of = |key: QueueKey| self.queue_of.get(&key).and_then(|ix| self.queues.get(ix.at()));
        let one = match queue {
            Some(key) => Some(of(key)?),
            None => None,
        };
        let mut calls_per_s = vec![0.0; self.config.tiers.len()];
        let (mut calls, mut work_s) = (0.0, 0.0);
        for row in self.queues.iter().filter(|row| one.is_none_or(|one| one.key() == row.key())) {
            for (tier, flow) in calls_per_s.iter_mut().zip(&row.arriving) {
                let rate_per_s = flow.rate_per_s(now);
                *tier += rate_per_s;
                calls += rate_per_s;
                work_s += rate_per_s * row.handled.seconds();
            }
        }
        let on_duty: usize = match one {
            Some(row) => {
                let profiles = row.profiles.iter().filter_map(|&ix| self.index.profile_at(ix));
                profiles.map(|profile| profile.on_duty).sum()
            }
            None => self.index.profiles.iter().map(|profile| profile.on_duty).sum(),
        };
        let handle_s = if calls > 0.0 { work_s / calls } else { 0.0 };
        let demand = Demand { calls_per_s, handle_s, patience_s: 1.0 / self.patience.rate_per_s() };
        Feasibility::of(&self.config.tiers, &demand, u32::try_from(on_duty).unwrap_or(u32::MAX))
    }

    /// The open promises, in the order of their keys.
    pub fn callbacks(&self) -> impl Iterator<Item = CallbackView<'_>> {
        let rows = self.callback_of.values().filter_map(|ix| self.callbacks.get(ix.at()));
        rows.map(|entry| CallbackView {
            callback: entry.key,
            promise: &entry.promise,
            due: entry.due,
            state: state_of(entry),
        })
    }

    /// Promises since start.
    pub const fn callback_counts(&self) -> &CallbackCounts {
        &self.callback_counts
    }

    /// What each kind of call is owed. Nothing, unless the policy keeps debts.
    pub fn debts(&self) -> impl Iterator<Item = AccountView<'_>> {
        let tiers = self.config.tiers.len();
        let all =
            self.accounts.iter().enumerate().flat_map(move |row| (0..tiers).map(move |tier| (row, tier)));
        all.filter_map(move |((at, account), tier)| {
            let ix = AccountIx::new(at);
            Some(AccountView {
                queue: self.queues.get(account.queue.at())?.key(),
                skills: &account.needs,
                tier: TierKey(u8::try_from(tier).ok()?),
                debts: self.policy.debts(ix, tier)?,
                band: self.policy.band(ix, tier)?,
            })
        })
    }

    /// Calls waiting or being presented.
    pub fn waiting(&self) -> usize {
        self.call_of.len()
    }

    /// The last decisions, oldest first.
    pub fn decisions(&self) -> impl DoubleEndedIterator<Item = &Arc<Decision>> {
        self.decisions.iter()
    }

    /// The configuration in force, without its queues and agents.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What the engine counted about itself.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}
