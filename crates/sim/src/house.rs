//! The house that the simulated calls come to: one carrier, a few agents, two queues, the hotline's
//! own flows.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use acd::{AgentConfig, Contract, QueueConfig};
use base::{AgentKey, Duration, Pii, QueueKey, SkillKey, TierKey, TrunkKey};
use call::numbers::Rules;
use call::settings::{
    Agent, CallbackSettings, Feature, Limits, MediaSettings, Queue, Settings, Tier, Trunk, Voices,
};
use media::{Codec, Prompt};
use sip::{EndpointConfig, Listener, Protocol, TrunkConfig, UserConfig};

/// The switch's address.
pub const SWITCH: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5060);
/// The carrier's address.
pub const CARRIER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)), 5060);
/// The second carrier's.
pub const CARRIER_B: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)), 5060);

const EMERGENCY: [&str; 4] = ["110", "119", "120", "122"];
const FLOWS: &[(&str, &str)] = &[
    ("account.toml", include_str!("../../../config/hotline/flows/account.toml")),
    ("after.toml", include_str!("../../../config/hotline/flows/after.toml")),
    ("diamond.toml", include_str!("../../../config/hotline/flows/diamond.toml")),
    ("entry.toml", include_str!("../../../config/hotline/flows/entry.toml")),
    ("gold.toml", include_str!("../../../config/hotline/flows/gold.toml")),
    ("ordinary.toml", include_str!("../../../config/hotline/flows/ordinary.toml")),
    ("people.toml", include_str!("../../../config/hotline/flows/people.toml")),
    ("self-service.toml", include_str!("../../../config/hotline/flows/self-service.toml")),
    ("silver.toml", include_str!("../../../config/hotline/flows/silver.toml")),
];
const WORDS: &str = include_str!("../../../config/hotline/prompts/en.txt");

/// The address of the agent's phone.
pub fn phone_address(agent: usize) -> SocketAddr {
    let agent = u16::try_from(agent).unwrap_or(0);
    let [high, low] = agent.to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, high, low.saturating_add(1))), 5060)
}

/// The number of an agent: 1001 and up.
pub fn agent_number(agent: usize) -> String {
    (1001 + agent).to_string()
}

/// The flows of the hotline.
///
/// # Errors
/// What is wrong with them, as the switch's own check says it.
pub fn flows() -> Result<ivr::Flows, Vec<base::Finding>> {
    let sources: Vec<_> = FLOWS.iter().map(|&(file, text)| ivr::Source { file, text }).collect();
    ivr::Flows::parse(&sources)
}

/// Prompts of the right names, as long as their text: a quarter of a second a word.
fn voices() -> Voices {
    let lines = WORDS.lines().filter(|line| !line.starts_with('#'));
    let named = lines.filter_map(|line| line.split_once('\t'));
    let length = |text: &str| u32::try_from(text.split_whitespace().count()).unwrap_or(1).saturating_mul(250);
    let mut voice: BTreeMap<String, Arc<Prompt>> =
        named.map(|(name, text)| (name.trim().to_owned(), Arc::new(Prompt::silence(length(text))))).collect();
    for tone in ["music", "hold-music", "beep", "ringback"] {
        voice.entry(tone.to_owned()).or_insert_with(|| Arc::new(Prompt::silence(30_000)));
    }
    Voices { languages: BTreeMap::from([("en".to_owned(), voice.clone()), ("zh".to_owned(), voice)]) }
}

/// A house with this many agents, all in both queues.
///
/// # Errors
/// What is wrong with the hotline's flows.
pub fn settings(agents: usize) -> Result<Settings, Vec<base::Finding>> {
    let keys = 0..u32::try_from(agents).unwrap_or(0);
    let names = ["vip", "general", "faults", "complaints"];
    let queues: Vec<QueueKey> = (0..4).map(QueueKey).collect();
    let acd_agent = |key: u32| AgentConfig {
        skills: vec![(SkillKey(0), 8), (SkillKey(1), 8), (SkillKey(2), 8), (SkillKey(3), 8)],
        queues: queues.clone(),
        ..AgentConfig::new(AgentKey(key), format!("Agent {key}"))
    };
    let queue_config = |(key, name): (&QueueKey, &&str)| QueueConfig {
        wrap_up: Duration::from_secs(5),
        // The queue step of the flow says where to go: no flow is named here.
        overflow: acd::Overflow {
            no_agents: Some((Duration::ZERO, acd::OverflowTarget::Flow("".into()))),
            ..acd::Overflow::default()
        },
        ..QueueConfig::new(*key, *name)
    };
    let acd = acd::Config {
        queues: queues.iter().zip(&names).map(queue_config).collect(),
        agents: keys.clone().map(acd_agent).collect(),
        tiers: Contract::hotline(),
        ..acd::Config::default()
    };
    let tier = |(name, contract): (&str, &Contract)| Tier { name: name.to_owned(), target: contract.target };
    let tiers = ["diamond", "gold", "silver", "ordinary"].into_iter().zip(&acd.tiers).map(tier).collect();
    let queue = |(key, name): (&QueueKey, &&str)| Queue {
        key: *key,
        name: (*name).to_owned(),
        number: format!("80{}", key.0),
    };
    Ok(Settings {
        sip: endpoint(agents),
        trunks: vec![trunk(0, "carrier"), trunk(1, "carrier-b")],
        agents: keys.map(agent).collect(),
        queues: queues.iter().zip(&names).map(queue).collect(),
        tiers,
        skills: ["zh", "en", "vip", "complaint"].map(str::to_owned).to_vec(),
        acd,
        default_tier: TierKey(3),
        default_language: "zh".to_owned(),
        flows: Arc::new(flows()?),
        voices: Arc::new(voices()),
        features: features(),
        emergency: EMERGENCY.map(str::to_owned).to_vec(),
        media: media_settings(),
        limits: limits(),
        callbacks: CallbackSettings {
            caller_id: "10000".to_owned(),
            greeting: vec!["called-back".to_owned()],
        },
        last_agent_within: Duration::from_secs(3_600),
        utc_offset_s: 8 * 3_600,
    })
}

/// How many [`variant`]s there are.
pub const VARIANTS: u8 = 6;

/// The house after a reload: an agent has left, a trunk is gone, limits and times differ.
///
/// # Errors
/// What is wrong with the hotline's flows.
pub fn variant(agents: usize, number: u64) -> Result<Settings, Vec<base::Finding>> {
    let mut settings = settings(agents)?;
    match number {
        0 => {}
        1 => {
            settings.acd.agents.pop();
            settings.agents.pop();
            settings.sip.users.pop();
        }
        2 => {
            settings.trunks.pop();
            settings.sip.trunks.pop();
        }
        3 => {
            settings.acd.queues.pop();
            settings.queues.pop();
            for agent in &mut settings.acd.agents {
                agent.queues.pop();
            }
        }
        4 => settings.limits.calls_max = 3,
        _ => {
            for queue in &mut settings.acd.queues {
                queue.wrap_up = Duration::from_secs(1);
            }
            settings.features.clear();
            settings.sip.times.session_expires = Duration::from_secs(120);
        }
    }
    Ok(settings)
}

fn endpoint(agents: usize) -> EndpointConfig {
    let user = |agent: usize| UserConfig {
        agent: AgentKey(u32::try_from(agent).unwrap_or(0)),
        username: agent_number(agent),
        password: Pii::new(format!("secret-{}", agent_number(agent))),
    };
    EndpointConfig {
        listeners: vec![Listener { protocol: Protocol::Udp, local: SWITCH, advertised: None }],
        domains: vec![SWITCH.ip().to_string()],
        product: "usher".to_owned(),
        trunks: vec![TrunkConfig::plain(TrunkKey(0), CARRIER), TrunkConfig::plain(TrunkKey(1), CARRIER_B)],
        users: (0..agents).map(user).collect(),
        urgent: EMERGENCY.map(str::to_owned).to_vec(),
        limits: sip::EndpointLimits { requests_per_source_per_s: 10_000, ..sip::EndpointLimits::default() },
        times: sip::Times { keepalive: Duration::ZERO, ..sip::Times::default() },
    }
}

/// Shorter deadlines than a real house has: twice each is waited for.
fn limits() -> Limits {
    Limits {
        flow_max: Duration::from_secs(5 * 60),
        wait_max: Duration::from_secs(10 * 60),
        call_max: Duration::from_secs(20 * 60),
        ..Limits::default()
    }
}

fn trunk(key: u16, name: &str) -> Trunk {
    Trunk {
        key: TrunkKey(key),
        name: name.to_owned(),
        calls_max: 100,
        calls_per_s_max: 100,
        inbound: Rules::strip(["+86", "0086", "86", "0"], 9),
        outbound: vec!["0".to_owned(), "1".to_owned()],
        rewrite: Rules::default(),
        caller_id: "10000".to_owned(),
        assert_identity: true,
        emergency: true,
    }
}

fn agent(key: u32) -> Agent {
    let index = usize::try_from(key).unwrap_or(0);
    Agent {
        key: AgentKey(key),
        number: agent_number(index),
        name: format!("Agent {key}"),
        language: "en".to_owned(),
        may_dial_out: true,
    }
}

fn features() -> BTreeMap<String, Feature> {
    let codes = [
        ("*10", Feature::Ready),
        ("*11", Feature::NotReady),
        ("*12", Feature::EndWrapUp),
        ("*13", Feature::Logout),
    ];
    codes.into_iter().map(|(code, feature)| (code.to_owned(), feature)).collect()
}

fn media_settings() -> MediaSettings {
    MediaSettings {
        addresses: vec![SWITCH.ip()],
        advertised: BTreeMap::new(),
        ports: 30_000..=34_999,
        workers: 2,
        codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722],
        rtp_timeout: Duration::from_secs(30),
        port_quarantine: Duration::from_secs(5),
        hold_music: "music".to_owned(),
    }
}
