//! What the engine shows.

use std::sync::Arc;

use base::{AgentKey, CallKey, Instant, QueueKey, TierKey};

use super::Engine;
use crate::config::Config;
use crate::decision::{Band, Decision};
use crate::io::AgentState;
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
