//! What the engine shows.

use std::sync::Arc;

use base::{AgentKey, CallKey, Duration, Instant, QueueKey, TierKey};

use super::Engine;
use crate::config::Config;
use crate::decision::Decision;
use crate::expected::Estimate;
use crate::io::AgentState;
use crate::stats::{Counters, QueueStats, TierStats};
use crate::tables::{Agent, Call, CallState, Order, Queue, SignatureIx};

/// An agent as shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// Who.
    pub agent: AgentKey,
    /// State.
    pub state: AgentState,
    /// Since when.
    pub since: Instant,
    /// Calls answered since start.
    pub answered: u64,
}

/// Calls ahead are counted up to this many; beyond, a wait is "very long" anyway.
const AHEAD_MAX: usize = 4_096;
/// A wait that ended longer ago than this says nothing about now.
const OBSERVED_FOR: Duration = Duration::from_secs(600);

impl Engine {
    /// How long a waiting call will probably wait from now on, to its mean. `None`: unknown call, or nobody
    /// is on duty. Do not announce a place in line to callers of several tiers: it can grow; announce this.
    pub fn expected_wait(&self, now: Instant, call: CallKey) -> Option<Duration> {
        let call = self.calls.get(*self.call_of.get(&call)?)?;
        if let CallState::Presented { .. } = call.state {
            return Some(Duration::ZERO);
        }
        let queue = self.queues.get(call.queue.at())?;
        let signature = match call.state {
            CallState::Waiting { signature: Some(signature) } => Some(signature),
            _ => None,
        };
        self.estimate(now, queue, call.tier, signature, Some(call))?.wait()
    }

    /// How long a call of this tier and queue would probably wait if it came now. `None`: no such queue, or
    /// nobody is on duty.
    pub fn expected_wait_new(&self, now: Instant, queue: QueueKey, tier: TierKey) -> Option<Duration> {
        let &ix = self.queue_of.get(&queue)?;
        let queue = self.queues.get(ix.at())?;
        let tier = tier.index().min(self.tier_last());
        let free = |profile| self.index.profile_at(profile).is_some_and(|row| !row.idle.is_empty());
        if queue.profiles.iter().copied().any(free) && queue.counts.waiting == 0 {
            return Some(Duration::ZERO);
        }
        self.estimate(now, queue, tier, None, None)?.wait()
    }

    fn estimate(
        &self,
        now: Instant,
        queue: &Queue,
        tier: usize,
        signature: Option<SignatureIx>,
        call: Option<&Call>,
    ) -> Option<Estimate> {
        let on_duty = |ix: &_| self.index.profile_at(*ix).map_or(0, |profile| profile.on_duty);
        let agents = match signature {
            Some(signature) => self.index.on_duty(signature),
            None => queue.profiles.iter().map(on_duty).sum(),
        };
        let ahead = self.ahead(queue, tier, call.map(|call| call.order));
        let overtaking_per_s = self.flows.iter().take(tier).map(|flow| flow.rate_per_s(now)).sum();
        let recent = |&(at, waited): &(Instant, Duration)| {
            (now.since(at) <= OBSERVED_FOR).then_some(waited.as_secs_f64())
        };
        let last = queue.last_wait.get(tier).and_then(|last| last.as_ref()).and_then(recent);
        let head = self.head(queue, tier).map(|since| now.since(since).as_secs_f64());
        Some(Estimate {
            agents,
            handle_s: queue.handled.seconds(),
            abandon_per_s: self.patience.rate_per_s(),
            ahead,
            overtaking_per_s,
            observed_s: [last, head].into_iter().flatten().reduce(f64::max),
            waited_s: call.map_or(0.0, |call| now.since(call.since).as_secs_f64()),
        })
    }

    /// Lines in which calls of the queue wait.
    fn lines(&self, queue: &Queue) -> impl Iterator<Item = &crate::index::Signature> {
        let mut signatures: Vec<SignatureIx> = queue
            .profiles
            .iter()
            .filter_map(|&ix| self.index.profile_at(ix))
            .flat_map(|profile| profile.signatures.iter().copied())
            .filter(|ix| self.index.busy.contains(ix))
            .collect();
        signatures.sort_unstable();
        signatures.dedup();
        signatures.into_iter().filter_map(|ix| self.index.signature_at(ix))
    }

    /// Calls before a place in line that the same agents would take first: higher tiers, and earlier ones.
    fn ahead(&self, queue: &Queue, tier: usize, order: Option<Order>) -> usize {
        let mut ahead = 0;
        for signature in self.lines(queue) {
            for (other, line) in signature.lines.iter().enumerate().take(tier + 1) {
                ahead += match order {
                    Some(order) if other == tier => {
                        line.iter().take(AHEAD_MAX).take_while(|&&(before, _)| before < order).count()
                    }
                    _ => line.len(),
                };
            }
        }
        ahead
    }

    /// Since when the first call of a tier waits in the queue's lines.
    fn head(&self, queue: &Queue, tier: usize) -> Option<Instant> {
        let first = |signature: &crate::index::Signature| signature.lines.get(tier)?.first().copied();
        let (_, call) = self.lines(queue).filter_map(first).min()?;
        self.calls.get(call).map(|call| call.since)
    }

    /// Place in line, 1 for the next, among the calls of its tier and queue that wait now. Counted up to 4096.
    pub fn position(&self, call: CallKey) -> Option<usize> {
        let ix = *self.call_of.get(&call)?;
        let call = self.calls.get(ix)?;
        let CallState::Waiting { signature: Some(signature) } = call.state else { return Some(1) };
        let line = self.index.signature_at(signature)?.lines.get(call.tier)?;
        Some(1 + line.iter().take(AHEAD_MAX).take_while(|&&(before, _)| before < call.order).count())
    }

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
        Some(TierStats { counts: row.counts, waits: row.waits, debts: self.policy.debts(tier.index()) })
    }

    /// The agents, in the order of their keys; those who left the config only while they are still busy.
    pub fn agents(&self) -> impl Iterator<Item = AgentView> + '_ {
        let rows = self.agent_of.values().filter_map(|ix| self.agents.get(ix.at()));
        rows.filter(|agent| !agent.gone || agent.is_logged_in()).map(view)
    }

    /// One agent.
    pub fn agent(&self, key: AgentKey) -> Option<AgentView> {
        self.agents.get(self.agent_of.get(&key)?.at()).map(view)
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

fn view(agent: &Agent) -> AgentView {
    AgentView { agent: agent.key, state: agent.shown, since: agent.since, answered: agent.answered }
}
