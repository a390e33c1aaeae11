//! What the switch is told at start and at a reload. Plain values: whoever builds them has read and
//! checked the files. Keys are stable across reloads: a removed trunk, agent, queue or tier leaves
//! its key unused, a new one takes a new key.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base::{AgentKey, QueueKey, SkillKey, TierKey, TrunkKey};

use crate::numbers::{Plan, Rules};

/// Everything configurable about the switch.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SIP side: listeners, domains, trunks' addresses, agents' secrets.
    pub sip: sip::EndpointConfig,
    /// The call distributor's queues, agents, tiers.
    pub acd: acd::Config,
    /// Trunks in order of preference for outgoing calls.
    pub trunks: Vec<Trunk>,
    /// Agents.
    pub agents: Vec<Agent>,
    /// Queues.
    pub queues: Vec<Queue>,
    /// Tiers in value order, the most valuable first.
    pub tiers: Vec<Tier>,
    /// The tier of callers whom the directory does not know.
    pub default_tier: TierKey,
    /// The language of callers whom the directory does not know; must be one of the voices.
    pub default_language: String,
    /// Skills by name; the index is the [`base::SkillKey`].
    pub skills: Vec<String>,
    /// The flows, and the numbers that reach them (canonical form).
    pub flows: Arc<ivr::Flows>,
    /// The prompts of each language.
    pub voices: Arc<Voices>,
    /// Codes that agents dial.
    pub features: BTreeMap<String, Feature>,
    /// Numbers that go out first of all, past every limit (110, 119, 120, 122).
    pub emergency: Vec<String>,
    /// Addresses, ports, codecs.
    pub media: MediaSettings,
    /// Limits and deadlines.
    pub limits: Limits,
    /// How customers are called back.
    pub callbacks: CallbackSettings,
    /// A customer who calls again within this is asked for by the agent who served him; zero: not.
    pub last_agent_within: Duration,
    /// Local time ahead of UTC, seconds: for opening hours in flows.
    pub utc_offset_s: i32,
}

/// A carrier's trunk. Its addresses and gateway are in [`sip::EndpointConfig`].
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Key, also in the SIP configuration.
    pub key: TrunkKey,
    /// Name for people.
    pub name: String,
    /// Live calls at most, both directions.
    pub calls_max: usize,
    /// New calls per second at most, inbound.
    pub calls_per_s_max: u32,
    /// How numbers that arrive here are brought to their canonical form.
    pub inbound: Rules,
    /// Prefixes of canonical numbers that may leave here; an empty prefix means every number.
    pub outbound: Vec<String>,
    /// How canonical numbers are rewritten on their way out.
    pub rewrite: Rules,
    /// Number shown to the called party on outgoing calls; empty = the agent's number.
    pub caller_id: String,
    /// Whether P-Asserted-Identity and Privacy are sent here (the carrier is in our trust domain).
    pub assert_identity: bool,
    /// Whether emergency calls may leave here.
    pub emergency: bool,
}

/// An agent as the switch needs him.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Key, also in the SIP and distributor configurations.
    pub key: AgentKey,
    /// Number: dialled by others, spoken to callers.
    pub number: String,
    /// Name.
    pub name: String,
    /// Language in which feature codes are confirmed to him.
    pub language: String,
    /// Whether he may dial outside numbers (emergency numbers always may be).
    pub may_dial_out: bool,
}

/// A queue as the switch needs it.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Key, also in the distributor's configuration.
    pub key: QueueKey,
    /// Name used by flows.
    pub name: String,
    /// Number that agents refer to; empty = none.
    pub number: String,
}

/// A tier as the switch needs it.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Name used by the customer directory and flows.
    pub name: String,
    /// Promised answer rate, 0-1.
    pub target: f64,
}

/// What a code dialled by an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `*10`: take calls (logs in if needed).
    Ready,
    /// `*11` + one reason digit: take no calls.
    NotReady,
    /// `*12`: end the wrap-up.
    EndWrapUp,
    /// Log in, not ready yet.
    Login,
    /// Log out.
    Logout,
}

/// The prompts of every language.
#[derive(Clone, Debug, Default)]
pub struct Voices {
    /// Language (`zh`, `en`) → prompt name → prompt.
    pub languages: BTreeMap<String, BTreeMap<String, Arc<media::Prompt>>>,
}

impl Voices {
    /// The prompt `name` in `language`, or in any language that has it (music and tones are the same
    /// in all).
    pub fn get(&self, language: &str, name: &str) -> Option<&Arc<media::Prompt>> {
        let own = self.languages.get(language).and_then(|voice| voice.get(name));
        own.or_else(|| self.languages.values().find_map(|voice| voice.get(name)))
    }
}

/// Addresses, ports and codecs of our media.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Addresses that our media may use: the first of a peer's family is offered to him.
    pub addresses: Vec<IpAddr>,
    /// Address written into SDP instead of ours, where we stand behind a 1:1 NAT.
    pub advertised: BTreeMap<IpAddr, IpAddr>,
    /// RTP and RTCP ports, shared out among the workers.
    pub ports: RangeInclusive<u16>,
    /// Media threads.
    pub workers: usize,
    /// Codecs in order of preference.
    pub codecs: Vec<media::Codec>,
    /// A leg that should send and does not for this long is ended.
    pub rtp_timeout: Duration,
    /// A port is not used again for this long: late packets of the last call must not be heard in the next.
    pub port_quarantine: Duration,
    /// The prompt played as hold music.
    pub hold_music: String,
}

/// How customers are called back.
#[derive(Clone, Debug, Default)]
pub struct CallbackSettings {
    /// The number shown to them, canonical: the hotline's own.
    pub caller_id: String,
    /// Prompts spoken when they take the call, before the music: who is calling.
    pub greeting: Vec<String>,
}

/// Limits and deadlines. Every state of a call ends by one of them at the latest.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Live calls; above it 503.
    pub calls_max: usize,
    /// Steps written into one call's record; later ones are counted, the last one is always written.
    pub steps_max: usize,
    /// Phones rung at once for one agent; further bindings are not rung.
    pub bindings_max: usize,
    /// Trunks tried for one outgoing call.
    pub routes_max: usize,
    /// How long the directory may take; then the caller is served as an ordinary one.
    pub lookup_max: Duration,
    /// How long a peer may take to acknowledge our 200 (the SIP layer's 64·T1 ends it before).
    pub answering_max: Duration,
    /// How long a prompt that somebody waits for may take: the agent's number, a confirmation.
    pub prompt_max: Duration,
    /// How long an outgoing call may ring.
    pub ring_max: Duration,
    /// How long a caller may spend in flows between two queues.
    pub flow_max: Duration,
    /// How long a caller may wait in queues before the switch gives up.
    pub wait_max: Duration,
    /// How long a call may last in all.
    pub call_max: Duration,
    /// Records per second of calls refused at the door (calls, trunk's calls, trunk's rate); further refusals are
    /// counted as `refused_unrecorded`.
    pub refused_records_per_s_max: u32,
    /// What a refused caller's trunk is told to wait, seconds.
    pub retry_after_s: u32,
    /// So many panics within [`Limits::panics_window`], and the switch gives up; fewer each end one call.
    pub panics_max: usize,
    /// See [`Limits::panics_max`].
    pub panics_window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            calls_max: 10_000,
            steps_max: 256,
            bindings_max: 4,
            routes_max: 4,
            lookup_max: Duration::from_millis(200),
            answering_max: Duration::from_secs(40),
            prompt_max: Duration::from_secs(30),
            ring_max: Duration::from_secs(120),
            flow_max: Duration::from_secs(30 * 60),
            wait_max: Duration::from_secs(60 * 60),
            call_max: Duration::from_secs(4 * 60 * 60),
            refused_records_per_s_max: 10,
            retry_after_s: 5,
            panics_max: 10,
            panics_window: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// The trunk `key`.
    pub fn trunk(&self, key: TrunkKey) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.key == key)
    }

    /// The agent `key`.
    pub fn agent(&self, key: AgentKey) -> Option<&Agent> {
        match self.agents.get(key.index()) {
            Some(agent) if agent.key == key => Some(agent),
            _ => self.agents.iter().find(|agent| agent.key == key),
        }
    }

    /// The agent with this number.
    pub fn agent_by_number(&self, number: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.number == number)
    }

    /// The queue `key`.
    pub fn queue(&self, key: QueueKey) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.key == key)
    }

    /// The queue with this name.
    pub fn queue_by_name(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// The key of the skill with this name.
    pub fn skill_by_name(&self, name: &str) -> Option<SkillKey> {
        let index = self.skills.iter().position(|skill| skill == name)?;
        u16::try_from(index).ok().map(SkillKey)
    }

    /// The key of the tier with this name.
    pub fn tier_by_name(&self, name: &str) -> Option<TierKey> {
        let index = self.tiers.iter().position(|tier| tier.name == name)?;
        u8::try_from(index).ok().map(TierKey)
    }

    /// The name of a tier; empty if there is none.
    pub fn tier_name(&self, key: TierKey) -> &str {
        self.tiers.get(key.index()).map_or("", |tier| &tier.name)
    }

    /// The directory of everything that can be dialled.
    pub fn plan(&self) -> Plan {
        Plan::new(self)
    }
}
