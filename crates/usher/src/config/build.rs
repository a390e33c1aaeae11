//! Turns what the files say into what the parts are told, names into keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AgentKey, Duration, Finding, QueueKey, SkillKey, TierKey, TrunkKey};
use call::settings::{Agent, CallbackSettings, MediaSettings, Queue, Settings, Tier, Trunk, Voices};

use super::agents::Agent as AgentEntry;
use super::keys::{KeyBook, Names};
use super::main_file::Main;
use super::overload::Overload;
use super::queues::{Relax, Routing, Target, Weights};
use super::tiers::Tier as TierEntry;
use super::trunks::Trunk as TrunkEntry;
use reader::{Findings, Source, nearest};

/// The files' contents.
pub struct Parts {
    /// usher.toml.
    pub main: Main,
    /// trunks.toml.
    pub trunks: Vec<TrunkEntry>,
    /// agents.toml.
    pub agents: Vec<AgentEntry>,
    /// queues.toml.
    pub routing: Routing,
    /// tiers.toml.
    pub tiers: Vec<TierEntry>,
    /// flows/.
    pub flows: Arc<ivr::Flows>,
    /// The voices' folders.
    pub voices: Arc<Voices>,
}

/// Builds the settings. Names that nobody knows become findings in the file `agents` or `queues`.
pub fn settings(
    parts: &Parts,
    keys: &mut KeyBook,
    agents: Source<'_>,
    queues: &str,
    all: &Findings,
) -> Settings {
    number_everything(parts, keys);
    let main = &parts.main;
    let acd = distributor(parts, keys, agents, &Named { file: queues, findings: all });
    // What the files' own checks have named, with file and line, is not said again in the engine's words.
    if all.is_empty() {
        for error in acd.check() {
            all.push(Finding::new(queues, error.to_string()));
        }
    }
    Settings {
        sip: endpoint(parts, keys),
        acd,
        trunks: parts.trunks.iter().map(|entry| trunk(entry, keys)).collect(),
        agents: parts.agents.iter().map(|entry| agent(entry, main, keys)).collect(),
        queues: parts.routing.queues.iter().map(|entry| queue(entry, keys)).collect(),
        tiers: parts
            .tiers
            .iter()
            .map(|entry| Tier { name: entry.name.clone(), target: entry.contract.target })
            .collect(),
        default_tier: TierKey(u8::try_from(parts.tiers.len().saturating_sub(1)).unwrap_or(u8::MAX)),
        default_language: main.default_language.clone(),
        skills: skills_by_key(&keys.skills),
        flows: Arc::clone(&parts.flows),
        voices: Arc::clone(&parts.voices),
        features: main.features.iter().cloned().collect(),
        emergency: main.emergency.clone(),
        media: media(main, all),
        callbacks: CallbackSettings {
            caller_id: parts.routing.callbacks.caller_id.clone(),
            greeting: parts.routing.callbacks.greeting.clone(),
        },
        last_agent_within: parts.routing.last_agent_within,
        limits: main.limits,
        utc_offset_s: main.utc_offset_s,
    }
}

fn number_everything(parts: &Parts, keys: &mut KeyBook) {
    for agent in &parts.agents {
        keys.agents.number(&agent.number);
    }
    for queue in &parts.routing.queues {
        keys.queues.number(&queue.name);
    }
    for skill in &parts.routing.skills {
        keys.skills.number(skill);
    }
    for trunk in &parts.trunks {
        keys.trunks.number(&trunk.name);
    }
}

/// Looks names up and notes the unknown ones.
struct Named<'a> {
    file: &'a str,
    findings: &'a Findings,
}

impl Named<'_> {
    fn find(&self, names: &Names, kind: &str, name: &str, of: &str) -> Option<usize> {
        let found = names.find(name);
        if found.is_none() {
            let hint = nearest(name, names.all());
            self.findings
                .push(Finding::new(self.file, format!("{of}: no {kind} is called \"{name}\"{hint}")));
        }
        found
    }
}

fn queue_key(number: usize) -> QueueKey {
    QueueKey(u16::try_from(number).unwrap_or(u16::MAX))
}

fn skill_key(number: usize) -> SkillKey {
    SkillKey(u16::try_from(number).unwrap_or(u16::MAX))
}

/// Every skill ever named; the index is its key.
fn skills_by_key(skills: &Names) -> Vec<String> {
    let mut by_key: Vec<(usize, &str)> =
        skills.all().filter_map(|name| skills.find(name).map(|number| (number, name))).collect();
    by_key.sort_unstable();
    by_key.into_iter().map(|(_, name)| name.to_owned()).collect()
}

fn agent_key(names: &Names, number: &str) -> AgentKey {
    AgentKey(names.find(number).and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX))
}

fn trunk_key(names: &Names, name: &str) -> TrunkKey {
    TrunkKey(names.find(name).and_then(|n| u16::try_from(n).ok()).unwrap_or(u16::MAX))
}

fn distributor(parts: &Parts, keys: &KeyBook, agents: Source<'_>, named: &Named<'_>) -> acd::Config {
    let routing = &parts.routing;
    let usual = acd::Config::default();
    acd::Config {
        queues: routing.queues.iter().map(|entry| queue_config(entry, keys, named)).collect(),
        agents: parts.agents.iter().map(|entry| agent_config(entry, parts, keys, agents)).collect(),
        tiers: parts.tiers.iter().map(|tier| tier.contract).collect(),
        policy: routing.policy,
        agent_choice: routing.agent_choice,
        ring: Duration::from_secs(parts.main.ring_s),
        declined: acd::Declined { no_answer: routing.no_answer, ..usual.declined },
        wait_a: routing.wait_a,
        wait_b: routing.wait_b,
        wait_last: routing.wait_last,
        senior_head_start: routing.senior_head_start,
        talk_max: parts.main.limits.call_max,
        ring_together: routing.ring_together,
        index: routing.index.iter().filter_map(|row| index_weights(row, parts, named)).collect(),
        occupancy_window: routing.occupancy_window,
        occupancy_max: routing.occupancy_max,
        ladder: routing.overload.as_ref().map(|overload| ladder(overload, keys, named)),
        callbacks: acd::CallbackRules {
            utc_offset_s: parts.main.utc_offset_s,
            // The wall time of the start is known when it starts.
            ..routing.callbacks.rules
        },
        audit: routing.audit,
        ..usual
    }
}

fn queue_config(entry: &super::queues::Queue, keys: &KeyBook, named: &Named<'_>) -> acd::QueueConfig {
    let of = format!("queue \"{}\"", entry.name);
    let find_queue = |name: &str| named.find(&keys.queues, "queue", name, &of).map(queue_key);
    let find_skill = |name: &str| named.find(&keys.skills, "skill", name, &of).map(skill_key);
    let target = |target: &Target| overflow_target(target, &of, keys, named);
    let step = |(after, relax): &(Duration, Relax)| {
        let change = match relax {
            Relax::LowerLevels(by) => Some(acd::Relax::LowerLevels(*by)),
            Relax::DropSkill(name) => find_skill(name).map(acd::Relax::DropSkill),
            Relax::DropSkills => Some(acd::Relax::DropSkills),
            Relax::Borrow(name) => find_queue(name).map(acd::Relax::Borrow),
        };
        change.map(|change| acd::Relaxation { after: *after, change })
    };
    acd::QueueConfig {
        wrap_up: entry.wrap_up,
        handle_time: entry.handle_time,
        reinforce: entry.reinforce.iter().filter_map(|name| find_queue(name)).collect(),
        relax: entry.relax.iter().filter_map(step).collect(),
        overflow: acd::Overflow {
            time: entry.wait_max.as_ref().and_then(|(wait, to)| Some((*wait, target(to)?))),
            length: entry.waiting_max.as_ref().and_then(|(count, to)| Some((*count, target(to)?))),
            no_agents: entry.no_agents.as_ref().and_then(|(wait, to)| Some((*wait, target(to)?))),
        },
        ..acd::QueueConfig::new(
            queue_key(keys.queues.find(&entry.name).unwrap_or(usize::MAX)),
            entry.name.as_str(),
        )
    }
}

fn overflow_target(
    target: &Target,
    of: &str,
    keys: &KeyBook,
    named: &Named<'_>,
) -> Option<acd::OverflowTarget> {
    match target {
        Target::Queue(name) => {
            named.find(&keys.queues, "queue", name, of).map(queue_key).map(acd::OverflowTarget::Queue)
        }
        Target::Flow(name) => Some(acd::OverflowTarget::Flow(name.as_str().into())),
        Target::Hangup => Some(acd::OverflowTarget::Hangup),
    }
}

fn ladder(overload: &Overload, keys: &KeyBook, named: &Named<'_>) -> acd::Ladder {
    let target = |target: &Option<Target>| overflow_target(target.as_ref()?, "[overload]", keys, named);
    acd::Ladder {
        cap_to: target(&overload.cap_to),
        outsource: target(&overload.outsource_to),
        ..overload.ladder.clone()
    }
}

fn index_weights(row: &Weights, parts: &Parts, named: &Named<'_>) -> Option<acd::IndexWeights> {
    let at = parts.tiers.iter().position(|tier| tier.name == row.tier);
    let Some(tier) = at.and_then(|at| u8::try_from(at).ok()).map(TierKey) else {
        let hint = nearest(&row.tier, parts.tiers.iter().map(|tier| tier.name.as_str()));
        let message = format!("[[index]]: no tier is called \"{}\"{hint}", row.tier);
        named.findings.push(Finding::new(named.file, message));
        return None;
    };
    let [wait, idle, constant] = row.weights;
    Some(acd::IndexWeights { tier, group: row.group, wait, idle, constant })
}

fn agent_config(entry: &AgentEntry, parts: &Parts, keys: &KeyBook, file: Source<'_>) -> acd::AgentConfig {
    let unknown = |kind: &str, name: &str, names: &Names| {
        let hint = nearest(name, names.all());
        file.finding(entry.offset, format!("agent {}: no {kind} is called \"{name}\"{hint}", entry.number));
    };
    let mut skills = Vec::new();
    for (name, level) in &entry.skills {
        match keys.skills.find(name) {
            Some(number) => skills.push((skill_key(number), *level)),
            None => unknown("skill", name, &keys.skills),
        }
    }
    let mut queues = Vec::new();
    for name in &entry.queues {
        match keys.queues.find(name) {
            Some(number) => queues.push(queue_key(number)),
            None => unknown("queue", name, &keys.queues),
        }
    }
    if entry.queues.is_empty() {
        let all = parts.routing.queues.iter().filter_map(|queue| keys.queues.find(&queue.name));
        queues.extend(all.map(queue_key));
    }
    let key = agent_key(&keys.agents, &entry.number);
    acd::AgentConfig {
        skills,
        queues,
        group: entry.group,
        occupancy_max: entry.occupancy_max,
        ..acd::AgentConfig::new(key, entry.name.as_str())
    }
}

fn endpoint(parts: &Parts, keys: &KeyBook) -> sip::EndpointConfig {
    let main = &parts.main;
    let usual = sip::Times::default();
    let users = parts.agents.iter().map(|entry| sip::UserConfig {
        agent: agent_key(&keys.agents, &entry.number),
        username: entry.number.clone(),
        password: entry.secret.clone().into(),
    });
    let own_hosts = main.sip.listen.iter().map(|listener| listener.address.ip().to_string());
    let (registration_min, registration_max) = main.sip.registration_s;
    sip::EndpointConfig {
        // The sockets are known when they are bound.
        listeners: Vec::new(),
        domains: std::iter::once(main.domain.clone()).chain(own_hosts).collect(),
        product: concat!("usher/", env!("CARGO_PKG_VERSION")).to_owned(),
        trunks: parts.trunks.iter().map(|entry| trunk_config(entry, main, keys)).collect(),
        users: users.collect(),
        urgent: main.emergency.clone(),
        limits: sip::EndpointLimits {
            requests_per_source_per_s: main.sip.per_source_per_s,
            requests_per_trunk_source_per_s: requests_per_trunk_source(&parts.trunks),
            legs_max: main.limits.calls_max.saturating_mul(4).max(1000),
            // A finished transaction is kept for half a minute: this is 3,000 calls/s.
            transactions_max: 400_000,
            transactions_per_source_max: 200_000,
            ..sip::EndpointLimits::default()
        },
        times: sip::Times {
            session_expires: Duration::from_secs(main.sip.session_expires_s.into()),
            session_min: Duration::from_secs(main.sip.min_se_s.into()),
            registration_min: Duration::from_secs(registration_min.into()),
            registration_max: Duration::from_secs(registration_max.into()),
            registration_default: usual.registration_default.clamp(
                Duration::from_secs(registration_min.into()),
                Duration::from_secs(registration_max.into()),
            ),
            retry_after_s: main.limits.retry_after_s,
            // Most calls are answered within this time: then 100 says nothing that 200 does not.
            trying_after: Duration::from_millis(100),
            forget_grid: Duration::from_millis(250),
            ..usual
        },
    }
}

fn trunk_config(entry: &TrunkEntry, main: &Main, keys: &KeyBook) -> sip::TrunkConfig {
    let interval = Duration::from_secs(main.sip.options_s);
    sip::TrunkConfig {
        key: trunk_key(&keys.trunks, &entry.name),
        sources: entry.addresses.clone(),
        gateway: entry.gateway.clone(),
        trusted_identity: entry.trusted_identity,
        credentials: entry.credentials.clone(),
        options_interval: (!interval.is_zero() && entry.gateway.is_some()).then_some(interval),
        symmetric: entry.symmetric,
        from_host: entry.from_host.clone(),
    }
}

/// What a trunk's address may ask per second: never less than the calls that its trunk may bring, so that the excess
/// is refused by the trunk's own limit.
fn requests_per_trunk_source(trunks: &[TrunkEntry]) -> u32 {
    let usual = sip::EndpointLimits::default().requests_per_trunk_source_per_s;
    let most = trunks.iter().map(|trunk| trunk.calls_per_s_max).max().unwrap_or(0);
    usual.max(most.saturating_mul(2))
}

fn trunk(entry: &TrunkEntry, keys: &KeyBook) -> Trunk {
    Trunk {
        key: trunk_key(&keys.trunks, &entry.name),
        name: entry.name.clone(),
        calls_max: entry.calls_max,
        calls_per_s_max: entry.calls_per_s_max,
        inbound: entry.inbound.clone(),
        outbound: entry.prefixes.clone(),
        rewrite: entry.outbound.clone(),
        caller_id: entry.caller_id.clone(),
        assert_identity: entry.assert_identity,
        emergency: entry.emergency && entry.gateway.is_some(),
    }
}

fn agent(entry: &AgentEntry, main: &Main, keys: &KeyBook) -> Agent {
    Agent {
        key: agent_key(&keys.agents, &entry.number),
        number: entry.number.clone(),
        name: entry.name.clone(),
        language: entry.language.clone().unwrap_or_else(|| main.default_language.clone()),
        may_dial_out: entry.may_dial_out,
    }
}

fn queue(entry: &super::queues::Queue, keys: &KeyBook) -> Queue {
    Queue {
        key: queue_key(keys.queues.find(&entry.name).unwrap_or(usize::MAX)),
        name: entry.name.clone(),
        number: entry.number.clone(),
    }
}

fn media(main: &Main, findings: &Findings) -> MediaSettings {
    let known = media::codec::TABLE.iter().map(|info| info.name);
    let mut codecs = Vec::new();
    for name in &main.media.codecs {
        match media::Codec::from_name(name) {
            Some(codec) => codecs.push(codec),
            None => findings.push(Finding::new(
                "usher.toml",
                format!("`codecs`: no codec is called \"{name}\"{}", nearest(name, known.clone())),
            )),
        }
    }
    MediaSettings {
        addresses: main.media.addresses.clone(),
        advertised: BTreeMap::new(),
        ports: main.media.ports.0..=main.media.ports.1,
        workers: main.media.workers,
        codecs,
        rtp_timeout: Duration::from_secs(main.media.rtp_timeout_s),
        port_quarantine: Duration::from_millis(main.media.port_rest_ms),
        hold_music: main.media.hold_music.clone(),
    }
}
