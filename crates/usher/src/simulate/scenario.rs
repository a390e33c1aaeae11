//! Scenario files: read key by key, every mistake named at once. The keys are described in docs/SIMULATOR.md.

use std::collections::BTreeMap;
use std::path::Path;

use acd::{AgentChoice, IndexWeights, PolicyKind, Requirement};
use base::{Duration, Finding, SkillKey, TierKey};
use reader::{Findings, FromToml, Section, Source, nearest};
use sim::centre::{Callback, Group, Load, Reason, Scenario, Shape, Spread, Tier, reserve_max};
use toml::de::DeValue;

use crate::config::keys::Names;
use crate::config::tiers::contract;

/// Reads a scenario.
///
/// # Errors
/// Every mistake in it.
pub fn load(path: &Path) -> Result<Scenario, Vec<Finding>> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&file, &text),
        Err(error) => Err(vec![Finding::new(file, error.to_string())]),
    }
}

/// Reads a scenario from its text.
///
/// # Errors
/// Every mistake in it.
pub fn parse(file: &str, text: &str) -> Result<Scenario, Vec<Finding>> {
    let findings = Findings::default();
    let scenario = {
        let source = Source { file, text, findings: &findings };
        let table = reader::parse(source);
        read(Section::root(source, &table))
    };
    if findings.is_empty() { Ok(scenario) } else { Err(findings.into_sorted()) }
}

const AGENTS_MAX: u32 = 100_000;
const HOURS_PER_DAY_MAX: usize = 24 * 7;

fn read(mut root: Section<'_>) -> Scenario {
    let mut skills = Names::default();
    let policies = PolicyKind::ALL.iter().map(|&kind| (kind.word(), kind));
    let ways = AgentChoice::ALL.iter().map(|&way| (way.word(), way));
    let (groups, names) = groups(&mut root, &mut skills);
    let agents = groups.iter().fold(0u32, |sum, group| sum.saturating_add(group.count));
    let service_level = Duration::from_secs(root.within("service_level_s", 1..=3600u64, 15));
    let handle_time = spread(&mut root, "handle_time");
    if handle_time.is_none() {
        root.finding("handle_time", "is missing: { dist = \"exp\", mean_s = 180 }, for example");
    }
    let mut tiers = tiers(&mut root, &skills, agents, service_level);
    let callback = callback(&mut root, &mut tiers);
    let scenario = Scenario {
        seed: root.or("seed", 1),
        hours: root.within("hours", 0.01..=1e6, 24.0),
        warmup_hours: root.within("warmup_hours", 0.0..=1e4, 1.0),
        policy: root.choice("policy", policies).unwrap_or_default(),
        agent_choice: root.choice("agent_choice", ways).unwrap_or_default(),
        index: weights(&mut root, &tiers, &names),
        callback,
        groups,
        handle_time: handle_time.unwrap_or(Spread::exponential(180.0)),
        tiers,
        reasons: reasons(&mut root, &skills),
        load: load_of(&mut root),
        house: None,
    };
    check(&root, &scenario);
    root.end();
    scenario
}

/// `[agents] count`, or `[[agent_group]]` with skills.
fn groups(root: &mut Section<'_>, skills: &mut Names) -> (Vec<Group>, Vec<String>) {
    let (mut groups, mut names) = (Vec::new(), Vec::new());
    if let Some(mut agents) = root.section("agents") {
        let count = agents.need("count").unwrap_or(1);
        if !(1..=AGENTS_MAX).contains(&count) {
            agents.finding("count", format!("is {count}, not within 1 to {AGENTS_MAX}"));
        }
        groups.push(Group { count, skills: Vec::new() });
        names.push("agents".to_owned());
        agents.end();
    }
    let single = !groups.is_empty();
    for mut section in root.sections("agent_group") {
        let name: String = section.or("name", format!("group {}", groups.len() + 1));
        if names.contains(&name) {
            section.finding("name", format!("\"{name}\" is given to another group too"));
        }
        names.push(name);
        let count = section.need("count").unwrap_or(1);
        if !(1..=AGENTS_MAX).contains(&count) {
            section.finding("count", format!("is {count}, not within 1 to {AGENTS_MAX}"));
        }
        let asked: Skills = section.or("skills", Skills::default());
        let mut levels = Vec::new();
        for (name, level) in asked.0 {
            levels.push((skill_key(skills.number(&name)), level.unwrap_or(USUAL_LEVEL)));
        }
        groups.push(Group { count, skills: levels });
        section.end();
    }
    if groups.is_empty() {
        root.finding(
            "agents",
            "is missing: [agents] with a count, or [[agent_group]]s with count and skills",
        );
    } else if single && groups.len() > 1 {
        root.finding("agents", "stands beside [[agent_group]]: say one or the other");
    }
    (groups, names)
}

fn tiers(root: &mut Section<'_>, skills: &Names, agents: u32, service_level: Duration) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = Vec::new();
    for mut section in root.sections("tier") {
        let name: String = section.need("name").unwrap_or_default();
        if tiers.iter().any(|tier| *tier.name == *name) {
            section.finding("name", format!("\"{name}\" is given to another tier too"));
        }
        let place = tiers.len();
        let hotline = acd::Contract::hotline();
        let by_place = hotline.get(place.min(hotline.len() - 1)).copied();
        let contract = contract(&mut section, |usual| acd::Contract {
            service_level,
            reserve_max: reserve_max(place, agents),
            debt_max: by_place.map_or(usual.debt_max, |tier| tier.debt_max),
            credit_max: by_place.map_or(usual.credit_max, |tier| tier.credit_max),
            age_offset: by_place.map_or(usual.age_offset, |tier| tier.age_offset),
            idle_threshold: by_place.map_or(usual.idle_threshold, |tier| tier.idle_threshold),
            ..usual
        });
        tiers.push(Tier {
            name: name.as_str().into(),
            share: share(&mut section),
            contract,
            patience: spread(&mut section, "patience").unwrap_or(Spread::NEVER),
            handle_time: spread(&mut section, "handle_time"),
            skills: needs(&mut section, skills),
        });
        section.end();
    }
    if tiers.is_empty() {
        root.finding("tier", "is missing: at least one [[tier]] is needed");
    } else if tiers.len() > acd::TIERS_MAX {
        root.finding("tier", format!("is given {} times, more than {}", tiers.len(), acd::TIERS_MAX));
    } else {
        check_shares(root, "tier", tiers.iter().map(|tier| tier.share));
    }
    tiers
}

fn reasons(root: &mut Section<'_>, skills: &Names) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for mut section in root.sections("reason") {
        let name: String = section.need("name").unwrap_or_default();
        reasons.push(Reason {
            name: name.into(),
            share: share(&mut section),
            skills: needs(&mut section, skills),
            handle_time: spread(&mut section, "handle_time"),
        });
        section.end();
    }
    if !reasons.is_empty() {
        check_shares(root, "reason", reasons.iter().map(|reason: &Reason| reason.share));
    }
    reasons
}

fn share(section: &mut Section<'_>) -> f64 {
    let share = section.need("share").unwrap_or(0.0);
    if !(0.0..=1.0).contains(&share) {
        section.finding("share", format!("is {share}, not within 0 to 1"));
    }
    share
}

fn check_shares(root: &Section<'_>, key: &str, shares: impl Iterator<Item = f64>) {
    const ROUNDING: f64 = 1e-3;
    let sum: f64 = shares.sum();
    if (sum - 1.0).abs() > ROUNDING {
        root.finding(key, format!("shares add up to {}, not 1", (sum * 1e6).round() / 1e6));
    }
}

/// `{ dist = "exp" | "lognormal" | "fixed", mean_s, cv }`.
fn spread(section: &mut Section<'_>, key: &'static str) -> Option<Spread> {
    let mut table = section.section(key)?;
    let mean_s = table.need("mean_s").unwrap_or(1.0);
    if !(0.001..=1e7).contains(&mean_s) {
        table.finding("mean_s", format!("is {mean_s}, not within 0.001 to 10000000"));
    }
    let dist: String = table.or("dist", "exp".to_owned());
    let cv: Option<f64> = table.get("cv");
    if cv.is_some_and(|cv| !(0.0..=20.0).contains(&cv)) {
        table.finding("cv", "is the standard deviation per mean: within 0 to 20");
    }
    if cv.is_some() && dist != "lognormal" {
        table.finding("cv", format!("says nothing to \"{dist}\": only \"lognormal\" has one"));
    }
    let shape = match dist.as_str() {
        "exp" => Shape::Exponential,
        "lognormal" => Shape::Lognormal { cv: cv.unwrap_or(1.0) },
        "fixed" => Shape::Fixed,
        other => {
            let hint = nearest(other, Shape::WORDS);
            table.finding("dist", format!("is \"{other}\"{hint}; known: {}", Shape::WORDS.join(", ")));
            Shape::Exponential
        }
    };
    table.end();
    Some(Spread { shape, mean_s })
}

fn load_of(root: &mut Section<'_>) -> Load {
    let Some(mut load) = root.section("load") else {
        root.finding("load", "is missing: [load] with rho = 1.2, or calls_per_hour = [900, 1100, …]");
        return Load::Rho(1.0);
    };
    let rho: Option<f64> = load.get("rho");
    let hours: Option<Vec<f64>> = load.get("calls_per_hour");
    let found = match (rho, hours) {
        (Some(rho), None) => {
            if !(rho > 0.0 && rho <= 100.0) {
                load.finding("rho", format!("is {rho}, not above 0 and up to 100"));
            }
            Load::Rho(rho)
        }
        (None, Some(hours)) => {
            if hours.is_empty() || hours.len() > HOURS_PER_DAY_MAX {
                let message = format!("has {} hours, not 1 to {HOURS_PER_DAY_MAX}", hours.len());
                load.finding("calls_per_hour", message);
            }
            if let Some(wrong) = hours.iter().find(|calls| !(0.0..=1e8).contains(*calls)) {
                load.finding("calls_per_hour", format!("has {wrong}, not within 0 to 100000000"));
            }
            if hours.iter().all(|calls| *calls <= 0.0) {
                load.finding("calls_per_hour", "has no call in it");
            }
            Load::CallsPerHour(hours)
        }
        (None, None) => {
            load.finding("rho", "is missing here, or calls_per_hour");
            Load::Rho(1.0)
        }
        (Some(rho), Some(_)) => {
            load.finding("calls_per_hour", "stands beside rho: say one or the other");
            Load::Rho(rho)
        }
    };
    load.end();
    found
}

/// `[callback] accept, offer_above_s`: a number for the lower half of the tiers, twice as much for each tier further
/// up; or a table of numbers by tier.
fn callback(root: &mut Section<'_>, tiers: &mut [Tier]) -> Option<Callback> {
    let mut section = root.section("callback")?;
    let accept = section.within("accept", 0.0..=1.0, 0.6);
    let reach = section.within("reach", 0.0..=1.0, 1.0);
    let above = |tier: Option<&mut Tier>, wait_s: f64| {
        if let Some(tier) = tier {
            tier.contract.callback_above = Some(Duration::from_secs_f64(wait_s.clamp(0.0, 1e6)));
        }
    };
    match section.get("offer_above_s") {
        Some(Above::Last(wait_s)) => {
            let lower_half = tiers.len() / 2;
            let mut wait_s = wait_s;
            for tier in tiers.iter_mut().skip(lower_half).rev() {
                above(Some(tier), wait_s);
                wait_s *= 2.0;
            }
        }
        Some(Above::Each(waits)) => {
            for (name, wait_s) in waits {
                if !tiers.iter().any(|tier| *tier.name == *name) {
                    let hint = nearest(&name, tiers.iter().map(|tier| &*tier.name));
                    section.finding("offer_above_s", format!("no tier is called \"{name}\"{hint}"));
                }
                above(tiers.iter_mut().find(|tier| *tier.name == *name), wait_s);
            }
        }
        None => section
            .finding("offer_above_s", "is needed: seconds of expected wait, as 20 or { ordinary = 20 }"),
    }
    section.end();
    Some(Callback { accept, reach })
}

/// Waits from which on callbacks are offered.
enum Above {
    Last(f64),
    Each(Vec<(String, f64)>),
}

impl FromToml for Above {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let seconds = |value: &DeValue<'_>| {
            f64::from_toml(value)
                .ok()
                .filter(|wait_s| *wait_s >= 0.0)
                .ok_or_else(|| "must be seconds: 20, or { ordinary = 20, silver = 40 }".to_owned())
        };
        let DeValue::Table(table) = value else { return seconds(value).map(Above::Last) };
        let each =
            table.iter().map(|(name, value)| Ok((name.get_ref().to_string(), seconds(value.get_ref())?)));
        each.collect::<Result<_, _>>().map(Above::Each)
    }
}

/// `[[index]] tier, group, wait, idle, constant`: the weights of policy `index`.
fn weights(root: &mut Section<'_>, tiers: &[Tier], groups: &[String]) -> Vec<IndexWeights> {
    let mut rows = Vec::new();
    for mut section in root.sections("index") {
        let tier: String = section.need("tier").unwrap_or_default();
        let group: Option<String> = section.get("group");
        let at = tiers.iter().position(|known| *known.name == *tier);
        if at.is_none() && !tier.is_empty() {
            let hint = nearest(&tier, tiers.iter().map(|tier| &*tier.name));
            section.finding("tier", format!("no tier is called \"{tier}\"{hint}"));
        }
        let of = |name: &String| groups.iter().position(|known| known == name);
        if let Some(name) = group.as_ref().filter(|name| of(name).is_none()) {
            let hint = nearest(name, groups.iter().map(String::as_str));
            section.finding("group", format!("no agent_group is called \"{name}\"{hint}"));
        }
        let mut weight = |key, usual| section.within(key, -1e9..=1e9, usual);
        let (wait, idle, constant) = (weight("wait", 1.0), weight("idle", 0.0), weight("constant", 0.0));
        section.end();
        let Some(tier) = at.and_then(|at| u8::try_from(at).ok()).map(TierKey) else { continue };
        // Without a group: for every one.
        let asked = |at: &usize| group.as_ref().is_none_or(|name| of(name) == Some(*at));
        let numbers = (0..groups.len()).filter(asked).filter_map(|at| u16::try_from(at).ok());
        rows.extend(numbers.map(|group| IndexWeights { tier, group, wait, idle, constant }));
    }
    rows
}

/// What can be read but cannot be.
fn check(root: &Section<'_>, scenario: &Scenario) {
    // Numbers out of range are named already; what follows from them is no further mistake.
    if scenario.tiers.is_empty() || !root.source().findings.is_empty() {
        return;
    }
    let reasons = || scenario.reasons.iter().map(Some).chain(scenario.reasons.is_empty().then_some(None));
    for tier in &scenario.tiers {
        for reason in reasons() {
            let asked = reason.map_or(Ok(tier.skills.clone()), |reason| tier.skills.and(&reason.skills));
            let of = reason.map_or(String::new(), |reason| format!(" with reason \"{}\"", reason.name));
            match asked {
                Ok(asked) if scenario.groups.iter().any(|group| asked.accepts(&sorted(group))) => {}
                Ok(_) => root.finding("tier", format!("\"{}\"{of}: no agent has all its skills", tier.name)),
                Err(_) => root.finding("tier", format!("\"{}\"{of}: asks for too many skills", tier.name)),
            }
        }
    }
    let busiest = scenario.calls_per_hour().into_iter().fold(0.0, f64::max);
    let line = scenario.line(busiest);
    if line.patience_s.is_infinite() && line.erlangs() >= f64::from(scenario.agents()) {
        let needed = line.erlangs().floor() + 1.0;
        let message = format!(
            "is more than {} agents can do and nobody ever gives up (no tier has a `patience`): the queue would \
             grow without end; {needed} agents would do",
            scenario.agents()
        );
        root.finding("load", message);
    } else if let Some(short) = scenario.feasibility(busiest).filter(|found| !found.keeps_floors()) {
        let do_so = short.for_floors.map_or("no number".to_owned(), |agents| agents.to_string());
        let message = format!(
            "floors cannot all be kept: they need {:.1} % of {busiest:.0} calls an hour answered, {} agents on duty \
             answer {:.1} %; {do_so} agents would do",
            short.floors * 100.0,
            short.on_duty,
            short.answer_rate * 100.0
        );
        root.finding("tier", message);
    }
}

fn sorted(group: &Group) -> Vec<(SkillKey, u8)> {
    let mut skills = group.skills.clone();
    skills.sort_unstable();
    skills
}

/// Level of a skill that is only named.
const USUAL_LEVEL: u8 = 5;

/// Skills by name, with levels or without: `["zh", "vip"]` or `{ zh = 6, vip = 9 }`.
#[derive(Debug, Default)]
struct Skills(Vec<(String, Option<u8>)>);

impl FromToml for Skills {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, String> {
        let form = || "must be skills: [\"zh\"] or { zh = 6 }, levels 1 to 10".to_owned();
        match value {
            DeValue::Array(_) => {
                let names = Vec::<String>::from_toml(value).map_err(|_| form())?;
                Ok(Skills(names.into_iter().map(|name| (name, None)).collect()))
            }
            DeValue::Table(table) => {
                let mut levels = BTreeMap::new();
                for (name, level) in table {
                    let level = u8::from_toml(level.get_ref()).map_err(|_| form())?;
                    if !(1..=10).contains(&level) {
                        return Err(form());
                    }
                    levels.insert(name.get_ref().to_string(), Some(level));
                }
                Ok(Skills(levels.into_iter().collect()))
            }
            _ => Err(form()),
        }
    }
}

/// What a tier or a reason asks of an agent: all of its skills.
fn needs(section: &mut Section<'_>, known: &Names) -> Requirement {
    let asked: Skills = section.or("skills", Skills::default());
    let mut needs = Vec::new();
    for (name, level) in asked.0 {
        match known.find(&name) {
            Some(number) => needs.push((skill_key(number), level.unwrap_or(1))),
            None => {
                section.finding("skills", format!("no agent has \"{name}\"{}", nearest(&name, known.all())));
            }
        }
    }
    let count = needs.len();
    Requirement::all(needs).unwrap_or_else(|_| {
        section.finding("skills", format!("are {count}, more than {}", acd::TERMS_MAX));
        Requirement::none()
    })
}

fn skill_key(number: usize) -> SkillKey {
    SkillKey(u16::try_from(number).unwrap_or(u16::MAX))
}
