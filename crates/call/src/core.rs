//! What every journey works with: the SIP endpoint, the legs, the ports, timers, counters and the
//! queue of outputs. It knows legs, not callers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use base::{AgentKey, CallKey, Instant, LegKey, Seed, SeededMap, Timers, UnixMillis, WallClock};

use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::leg::Leg;
use crate::message::Output;
use crate::numbers::Plan;
use crate::ports::PortTable;
use crate::promises::Promises;
use crate::record::StepKind;
use crate::served::Served;
use crate::settings::Settings;
use crate::switch::Timer;
use crate::trunks::Trunks;
use crate::view::Notice;

/// An agent as last heard of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgentSeen {
    pub(crate) state: acd::AgentState,
    pub(crate) since: Instant,
    /// Calls of his own that he is in.
    pub(crate) engaged: u32,
}

/// The services of the switch.
pub(crate) struct Core {
    pub(crate) settings: Arc<Settings>,
    pub(crate) plan: Plan,
    pub(crate) sip: sip::Endpoint,
    pub(crate) legs: SeededMap<LegKey, Leg>,
    pub(crate) ports: PortTable,
    pub(crate) trunks: Trunks,
    pub(crate) agents: BTreeMap<AgentKey, AgentSeen>,
    pub(crate) timers: Timers<Timer>,
    pub(crate) counters: Counters,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) wall: WallClock,
    next_key: CallKey,
    /// Numbers become [`base::CustomerKey`]s by this.
    pub(crate) customers: Seed,
    pub(crate) promises: Promises,
    pub(crate) served: Served,
    pub(crate) rng: base::Rng,
    /// How many refused calls may still have a record.
    pub(crate) refused_records: Bucket,
    /// Sockets of ours at which no media may be aimed.
    pub(crate) own: Arc<[SocketAddr]>,
}

impl Core {
    /// The services for `settings`.
    pub(crate) fn new(now: Instant, settings: Settings, seed: Seed, first: CallKey, wall: WallClock) -> Self {
        let mut rng = base::Rng::new(seed);
        let media = &settings.media;
        let ports = PortTable::new(media.ports.clone(), media.workers, media.port_quarantine);
        let mut trunks = Trunks::default();
        trunks.configure(now, &settings);
        Core {
            plan: settings.plan(),
            sip: sip::Endpoint::new(settings.sip.clone(), rng.next_seed()),
            legs: SeededMap::with_hasher(rng.next_seed()),
            ports,
            trunks,
            agents: BTreeMap::new(),
            timers: Timers::new(rng.next_seed()),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            wall,
            next_key: first,
            customers: rng.next_seed(),
            promises: Promises::default(),
            served: Served::default(),
            own: own_sockets(&settings),
            refused_records: Bucket::new(settings.limits.refused_records_per_s_max, now),
            settings: Arc::new(settings),
            rng,
        }
    }

    /// New settings: live calls go on. The ports stay as they are until the next start.
    pub(crate) fn configure(&mut self, now: Instant, settings: Settings) {
        self.sip.configure(now, settings.sip.clone());
        self.trunks.configure(now, &settings);
        self.plan = settings.plan();
        self.refused_records.set_rate(settings.limits.refused_records_per_s_max);
        self.own = own_sockets(&settings);
        self.output(Output::Acd(acd::Input::Configure(Box::new(settings.acd.clone()))));
        self.settings = Arc::new(settings);
    }

    /// A key for a call or a promise: unique for ever in one store.
    pub(crate) fn next_key(&mut self) -> CallKey {
        let key = self.next_key;
        self.next_key = key.next();
        key
    }

    /// Queues an output.
    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Tells the distributor.
    pub(crate) fn acd(&mut self, input: acd::Input) {
        self.output(Output::Acd(input));
    }

    /// Counts.
    pub(crate) fn count(&mut self, name: &'static str, label: &'static str) {
        self.counters.count(name, label);
    }

    /// Wall time of `now`.
    pub(crate) fn wall(&self, now: Instant) -> UnixMillis {
        self.wall.at(now)
    }

    /// Puts a step of a call on the event stream.
    pub(crate) fn notice(&mut self, now: Instant, call: CallKey, what: StepKind, detail: &str) {
        let at = self.wall(now);
        self.output(Output::Notice(Notice::Call { at, call, what, detail: detail.to_owned() }));
    }

    /// The number of an agent; empty if he is gone from the settings.
    pub(crate) fn agent_number(&self, agent: AgentKey) -> String {
        self.settings.agent(agent).map(|agent| agent.number.clone()).unwrap_or_default()
    }

    /// An agent takes part in a call that the distributor did not give him, or no longer does.
    pub(crate) fn engage(&mut self, now: Instant, agent: AgentKey, begins: bool) {
        let seen = self.seen(now, agent);
        let before = seen.engaged;
        seen.engaged = if begins { before.saturating_add(1) } else { before.saturating_sub(1) };
        let (was, is) = (before > 0, seen.engaged > 0);
        if was != is {
            self.acd(acd::Input::Engaged { agent, engaged: is });
        }
    }

    /// Counts anew in how many calls of their own agents are.
    pub(crate) fn engage_anew(&mut self, counts: &BTreeMap<AgentKey, u32>) {
        let mut changed = Vec::new();
        for (&agent, seen) in &mut self.agents {
            let count = counts.get(&agent).copied().unwrap_or(0);
            if (seen.engaged > 0) != (count > 0) {
                changed.push((agent, count > 0));
            }
            seen.engaged = count;
        }
        for (agent, engaged) in changed {
            self.acd(acd::Input::Engaged { agent, engaged });
        }
    }

    /// What is known of an agent.
    pub(crate) fn seen(&mut self, now: Instant, agent: AgentKey) -> &mut AgentSeen {
        let unknown = AgentSeen { state: acd::AgentState::LoggedOut, since: now, engaged: 0 };
        self.agents.entry(agent).or_insert(unknown)
    }

    /// The distributor changed an agent's state.
    pub(crate) fn agent_changed(&mut self, now: Instant, agent: AgentKey, state: acd::AgentState) {
        let at = self.wall(now);
        let seen = self.seen(now, agent);
        seen.state = state;
        seen.since = now;
        let (state, reason) = crate::snapshot::agent_state(&state);
        let number = self.agent_number(agent);
        self.output(Output::Notice(Notice::Agent { at, number, state, reason }));
    }
}

fn own_sockets(settings: &Settings) -> Arc<[SocketAddr]> {
    settings.sip.listeners.iter().flat_map(|listener| [listener.local, listener.sent_by()]).collect()
}
