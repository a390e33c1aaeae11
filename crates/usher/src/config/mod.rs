//! The configuration: one folder, read as a whole and checked before anything starts.

pub mod agents;
pub mod build;
pub mod keys;
pub mod main_file;
pub mod overload;
pub mod queues;
pub mod tiers;
pub mod trunks;
pub mod voices;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Finding;
use call::settings::Settings;
use reader::{Findings, Section, Source};

use crate::cli::{ConfigArgs, Failure};
use build::Parts;
use keys::KeyBook;
use main_file::Main;

/// A whole configuration without a mistake.
pub struct Loaded {
    /// usher.toml.
    pub main: Main,
    /// What the switch is told. Its SIP listeners are still to be filled in.
    pub settings: Settings,
    /// What is odd but works.
    pub warnings: Vec<Finding>,
}

/// Longest configuration file, bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads and checks the folder.
///
/// # Errors
/// Every mistake in every file.
pub fn load(folder: &Path, keys: &mut KeyBook) -> Result<Loaded, Vec<Finding>> {
    let findings = Findings::default();
    let texts = Texts::read(folder, &findings);
    let mut warnings = Vec::new();
    let mut next = keys.clone();
    let loaded = {
        let file = |index: usize| texts.source(index, &findings);
        let main = with_root(file(0), main_file::read);
        let trunks = with_root(file(1), trunks::read);
        let agents = with_root(file(2), agents::read);
        let routing = with_root(file(3), queues::read);
        let tiers = with_root(file(4), tiers::read);
        let voices = Arc::new(voices::read(folder, &main.voices, &main.media.codecs, &findings));
        let vocabulary = ivr::Vocabulary {
            prompts: voices::vocabulary(&voices),
            queues: routing.queues.iter().map(|queue| queue.name.clone()).collect(),
            skills: routing.skills.iter().cloned().collect(),
            tiers: tiers.iter().map(|tier| tier.name.clone()).collect(),
        };
        let flows = flows(folder, &vocabulary, &findings, &mut warnings);
        check_music(&main, &vocabulary, &findings);
        for queue in &routing.queues {
            for name in queue.flows().filter(|name| !flows.contains(name) && !flows.may_have(name)) {
                let hint = reader::nearest(name, flows.names());
                let message = format!("queue \"{}\": no flow is called \"{name}\"{hint}", queue.name);
                findings.push(Finding::new(file(3).file, message));
            }
        }
        let ways = routing.overload.iter().flat_map(overload::Overload::targets);
        for name in ways
            .filter_map(queues::Target::flow)
            .filter(|name| !flows.contains(name) && !flows.may_have(name))
        {
            let hint = reader::nearest(name, flows.names());
            findings
                .push(Finding::new(file(3).file, format!("[overload]: no flow is called \"{name}\"{hint}")));
        }
        for prompt in &routing.callbacks.greeting {
            check_prompt(&vocabulary, &findings, file(3).file, "greeting", prompt);
        }
        let parts = Parts { main, trunks, agents, routing, tiers, flows, voices };
        let settings = build::settings(&parts, &mut next, file(2), file(3).file, &findings);
        check_forecast(&parts, &settings.acd, file(4).file, &findings, &mut warnings);
        Loaded { main: parts.main, settings, warnings }
    };
    if !findings.is_empty() {
        return Err(findings.into_sorted());
    }
    *keys = next;
    Ok(loaded)
}

/// Reads only `usher.toml`, for commands that need just the store.
///
/// # Errors
/// Every mistake in that file.
pub fn load_main(folder: &Path) -> Result<Main, Vec<Finding>> {
    let findings = Findings::default();
    let texts = Texts::read(folder, &findings);
    let main = with_root(texts.source(0, &findings), main_file::read);
    let mistakes: Vec<_> = findings.into_sorted().into_iter().filter(|f| f.file == texts.name(0)).collect();
    if mistakes.is_empty() { Ok(main) } else { Err(mistakes) }
}

/// What the customer directory is checked against.
pub struct DirectoryRules {
    /// Where it is stored.
    pub store_url: String,
    /// Names of the tiers.
    pub tiers: Vec<String>,
    /// Languages that have a voice.
    pub languages: Vec<String>,
    /// Numbers of the agents.
    pub agents: Vec<String>,
    /// The first trunk's: how callers' numbers arrive.
    pub numbers: call::numbers::Rules,
}

/// Reads what the customer directory is checked against; flows and voices may still be missing.
///
/// # Errors
/// Every mistake in the files read.
pub fn load_directory_rules(folder: &Path) -> Result<DirectoryRules, Vec<Finding>> {
    let findings = Findings::default();
    let texts = Texts::read(folder, &findings);
    let main = with_root(texts.source(0, &findings), main_file::read);
    let trunks = with_root(texts.source(1, &findings), trunks::read);
    let agents = with_root(texts.source(2, &findings), agents::read);
    let tiers = with_root(texts.source(4, &findings), tiers::read);
    if !findings.is_empty() {
        return Err(findings.into_sorted());
    }
    Ok(DirectoryRules {
        store_url: main.store.url,
        tiers: tiers.into_iter().map(|tier| tier.name).collect(),
        languages: main.voices.into_iter().map(|(language, _)| language).collect(),
        agents: agents.into_iter().map(|agent| agent.number).collect(),
        numbers: trunks.into_iter().next().map(|trunk| trunk.inbound).unwrap_or_default(),
    })
}

/// `usher check`: prints a summary of a good configuration.
///
/// # Errors
/// Every mistake of a bad one.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub fn check(args: &ConfigArgs) -> Result<(), Failure> {
    let loaded = load(&args.config, &mut KeyBook::default()).map_err(Failure::Findings)?;
    for warning in &loaded.warnings {
        println!("warning: {warning}");
    }
    let settings = &loaded.settings;
    println!("{}: no mistakes found.", args.config.display());
    let listen: Vec<String> = loaded.main.sip.listen.iter().map(ToString::to_string).collect();
    println!("  listens on   {}", listen.join(", "));
    println!("  answers      {}", settings.flows.numbers().collect::<Vec<_>>().join(", "));
    let names = |names: Vec<&str>| names.join(", ");
    println!("  tiers        {}", names(settings.tiers.iter().map(|tier| tier.name.as_str()).collect()));
    println!("  queues       {}", names(settings.queues.iter().map(|queue| queue.name.as_str()).collect()));
    println!("  trunks       {}", names(settings.trunks.iter().map(|trunk| trunk.name.as_str()).collect()));
    println!("  agents       {}", settings.agents.len());
    for (language, prompts) in &settings.voices.languages {
        println!("  voice {language}     {} prompts", prompts.len());
    }
    Ok(())
}

fn with_root<T>(source: Source<'_>, read: impl FnOnce(Section<'_>) -> T) -> T {
    let table = reader::parse(source);
    read(Section::root(source, &table))
}

/// The files of the folder, in the order of [`FILES`].
struct Texts(Vec<(String, String)>);

const FILES: [&str; 5] = ["usher.toml", "trunks.toml", "agents.toml", "queues.toml", "tiers.toml"];

impl Texts {
    fn read(folder: &Path, findings: &Findings) -> Self {
        let read = |name: &&str| {
            let path = folder.join(name);
            (path.display().to_string(), text_of(&path, findings))
        };
        Texts(FILES.iter().map(read).collect())
    }

    fn source<'a>(&'a self, index: usize, findings: &'a Findings) -> Source<'a> {
        let (file, text) = self.0.get(index).map_or(("", ""), |(file, text)| (file.as_str(), text.as_str()));
        Source { file, text, findings }
    }

    fn name(&self, index: usize) -> &str {
        self.0.get(index).map_or("", |(file, _)| file)
    }
}

fn text_of(path: &Path, findings: &Findings) -> String {
    let shown = path.display().to_string();
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() > FILE_BYTES_MAX => {
            findings.push(Finding::new(shown, format!("is longer than {FILE_BYTES_MAX} bytes")));
            return String::new();
        }
        _ => {}
    }
    match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            findings.push(Finding::new(shown, error.to_string()));
            String::new()
        }
    }
}

fn flows(
    folder: &Path,
    vocabulary: &ivr::Vocabulary,
    findings: &Findings,
    warnings: &mut Vec<Finding>,
) -> Arc<ivr::Flows> {
    let place = folder.join("flows");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    if paths.is_empty() {
        findings.push(Finding::new(place.display().to_string(), "no flow (*.toml) is in this folder"));
    }
    let texts: Vec<(String, String)> =
        paths.iter().map(|path| (path.display().to_string(), text_of(path, findings))).collect();
    let sources: Vec<ivr::Source<'_>> = texts.iter().map(|(file, text)| ivr::Source { file, text }).collect();
    let (flows, mistakes) = ivr::Flows::read(&sources);
    findings.extend(mistakes);
    let checked = flows.check(vocabulary);
    findings.extend(checked.errors);
    warnings.extend(checked.warnings);
    Arc::new(flows)
}

/// The contracts against the load that is expected: floors that cannot be kept are a mistake, targets a warning.
fn check_forecast(
    parts: &Parts,
    acd: &acd::Config,
    file: &str,
    findings: &Findings,
    warnings: &mut Vec<Finding>,
) {
    let Some(forecast) = parts.routing.forecast.filter(|_| findings.is_empty()) else { return };
    let shares = parts.tiers.iter().map(|tier| tier.share);
    let Some(shares) = shares.collect::<Option<Vec<f64>>>() else {
        let missing = parts.tiers.iter().filter(|tier| tier.share.is_none()).map(|tier| tier.name.as_str());
        let missing = missing.collect::<Vec<_>>().join(", ");
        let message = format!("a forecast needs the `share` of every tier's calls: missing for {missing}");
        return findings.push(Finding::new(file, message));
    };
    for error in acd.check_forecast(&forecast.with_shares(shares)) {
        let finding = Finding::new(file, error.to_string());
        match error {
            acd::ConfigError::TargetsInfeasible(_) => warnings.push(finding),
            _ => findings.push(finding),
        }
    }
}

/// A prompt must be in every voice.
fn check_prompt(vocabulary: &ivr::Vocabulary, findings: &Findings, file: &str, key: &str, prompt: &str) {
    for (voice, prompts) in vocabulary.prompts.iter().filter(|(_, prompts)| !prompts.contains(prompt)) {
        let hint = reader::nearest(prompt, prompts.iter().map(String::as_str));
        findings.push(Finding::new(file, format!("`{key}`: voice `{voice}` has no prompt `{prompt}`{hint}")));
    }
}

/// The hold music must be in some voice.
fn check_music(main: &Main, vocabulary: &ivr::Vocabulary, findings: &Findings) {
    let names: BTreeSet<&String> = vocabulary.prompts.values().flatten().collect();
    if !names.is_empty() && !names.contains(&main.media.hold_music) {
        let hint = reader::nearest(&main.media.hold_music, names.iter().map(|name| name.as_str()));
        findings.push(Finding::new(
            "usher.toml",
            format!("`hold_music`: no prompt is called \"{}\"{hint}", main.media.hold_music),
        ));
    }
}
