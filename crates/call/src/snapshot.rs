//! What the switch shows to the outside, put together on request.

use acd::AgentState;
use base::{AgentKey, Instant};
use sip::Peer;

use crate::journey::{Journey, Phase, Reached, With};
use crate::switch::Switch;
use crate::view::{AgentView, CallView, Counter, Snapshot, TrunkView};

/// The words of [`AgentView::state`] and [`AgentView::reason`].
pub(crate) const fn agent_state(state: &AgentState) -> (&'static str, Option<u8>) {
    match state {
        AgentState::LoggedOut => ("logged-out", None),
        AgentState::NotReady { reason, .. } => ("not-ready", Some(*reason)),
        AgentState::Ready => ("ready", None),
        AgentState::Unreachable => ("unreachable", None),
        AgentState::Engaged => ("engaged", None),
        AgentState::Reserved { .. } => ("reserved", None),
        AgentState::Talking { .. } => ("talking", None),
        AgentState::WrapUp { .. } => ("wrap-up", None),
    }
}

impl Switch {
    /// The switch as it is now: calls, agents as last heard of, trunks, counters. Queues and tiers are
    /// the distributor's to show, and so is how much each agent answered ([`crate::Local::snapshot`] has both).
    pub fn snapshot(&self, _now: Instant) -> Snapshot {
        let calls = self.calls.values().map(|journey| self.call_view(journey)).collect();
        let agents = self.core.settings.agents.iter().map(|agent| self.agent_view(agent.key)).collect();
        Snapshot {
            calls,
            agents,
            queues: Vec::new(),
            tiers: Vec::new(),
            trunks: self.trunk_views(),
            counters: self.counters(),
            feasibility: None,
            draining: self.is_draining(),
        }
    }

    fn call_view(&self, journey: &Journey) -> CallView {
        let agent = match &journey.phase {
            Phase::Presenting { rung, .. } => rung.first().map(|rung| rung.agent),
            Phase::Joining { agent, .. } => Some(*agent),
            Phase::Talking(talk) | Phase::Referring { talk, .. } => match talk.with {
                With::Served { agent, .. } | With::Agent(agent) => Some(agent),
                With::Outside => None,
            },
            _ => None,
        };
        let record = &journey.ledger.record;
        CallView {
            key: journey.key,
            caller: record.caller.clone(),
            dialled: record.dialled.clone(),
            tier: record.tier_name.clone(),
            phase: journey.phase.word(journey.reached == Reached::Agent),
            queue: journey.in_queue().then(|| record.queue.clone()).flatten(),
            agent: agent.map(|agent| self.core.agent_number(agent)),
            started: record.started,
            decisions: journey.ledger.explained(),
        }
    }

    fn agent_view(&self, key: AgentKey) -> AgentView {
        let settings = self.core.settings.agent(key);
        let seen = self.core.agents.get(&key);
        let (state, reason) = seen.map_or(("logged-out", None), |seen| agent_state(&seen.state));
        AgentView {
            number: settings.map(|agent| agent.number.clone()).unwrap_or_default(),
            name: settings.map(|agent| agent.name.clone()).unwrap_or_default(),
            state,
            reason,
            since: self.core.wall(seen.map_or(Instant::ZERO, |seen| seen.since)),
            contacts: self.contacts(key),
            answered: 0,
        }
    }

    fn trunk_views(&self) -> Vec<TrunkView> {
        let view = |trunk: &crate::settings::Trunk| {
            let load = self.core.trunks.get(trunk.key);
            TrunkView {
                name: trunk.name.clone(),
                calls: load.map_or(0, |load| load.calls),
                calls_total: load.map_or(0, |load| load.total),
                refused_total: load.map_or(0, |load| load.refused),
                reachable: load.and_then(|load| load.reachable),
            }
        };
        self.core.settings.trunks.iter().map(view).collect()
    }

    fn counters(&self) -> Vec<Counter> {
        let mut all = self.core.counters.list();
        let mut push = |name, label: &str, value| all.push(Counter { name, label: label.to_owned(), value });
        let sip = self.core.sip.counters();
        let methods = sip::METHOD_NAMES.iter();
        for (method, (into, out)) in methods.zip(sip.requests_in.iter().zip(&sip.requests_out)) {
            push("sip_requests", method, *into);
            push("sip_requests_sent", method, *out);
        }
        let classes = ["", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx"];
        for (class, (into, out)) in
            classes.iter().zip(sip.responses_in.iter().zip(&sip.responses_out)).skip(1)
        {
            push("sip_responses_received", class, *into);
            push("sip_responses", class, *out);
        }
        push("sip_retransmits", "in", sip.retransmits_in);
        push("sip_retransmits", "out", sip.retransmits_out);
        push("sip_timeouts", "", sip.timeouts);
        push("sip_failovers", "", sip.failovers);
        let (server, client) = self.core.sip.transactions_len();
        push("sip_transactions_now", "server", server as u64);
        push("sip_transactions_now", "client", client as u64);
        push("media_ports_now", "used", self.core.ports.used() as u64);
        push("media_ports_now", "all", self.core.ports.total() as u64);
        push("legs", "begun", sip.legs_begun);
        push("legs", "ended", sip.legs_ended);
        let dropped = &sip.dropped;
        for (why, value) in [
            ("malformed", dropped.malformed),
            ("malformed-answered", dropped.malformed_answered),
            ("stray-response", dropped.stray_responses),
            ("stray-ack", dropped.stray_acks),
            ("unknown-source", dropped.unknown_source),
            ("rate-limited", dropped.rate_limited),
            ("flooded", dropped.flooded),
            ("transactions-full", dropped.transactions_full),
            ("source-full", dropped.source_full),
            ("legs-full", dropped.legs_full),
            ("contacts-full", dropped.contacts_full),
            ("auth-failed", dropped.auth_failed),
            ("auth-replayed", dropped.auth_replayed),
            ("guesses-silenced", dropped.guesses_silenced),
            ("crowded", dropped.crowded),
            ("draining", dropped.draining),
            ("merged", dropped.merged),
            ("challenges-refused", dropped.challenges_refused),
            ("unprintable", dropped.unprintable),
        ] {
            push("sip_dropped", why, value);
        }
        all
    }

    /// The trunk or agent that a call came from, for tests and tools.
    pub fn origin(&self, call: base::CallKey) -> Option<Peer> {
        self.calls.get(&call).map(|journey| journey.origin)
    }
}
