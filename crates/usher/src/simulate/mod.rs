//! `usher simulate`: a call centre on paper around the same engine that takes the calls.

mod chart;
mod plot;
mod replay;
mod report;
pub mod scenario;
pub mod staff;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use acd::PolicyKind;
use clap::Args;
use reader::nearest;
use sim::centre::{Outcome, Run, Scenario};

use crate::cli::{ConfigArgs, Failure};

pub use chart::{Chart, Line, Panel};
pub use plot::over_time;
pub use report::{compared, json, table};

/// `usher simulate …`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The scenario: who calls, who answers, what was promised (docs/SIMULATOR.md).
    #[arg(required_unless_present = "replay")]
    pub scenario: Option<PathBuf>,
    /// Another policy than the scenario's.
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// Another seed than the scenario's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Another time than the scenario's, in hours.
    #[arg(long)]
    pub hours: Option<f64>,
    /// Another number of agents, if they are all alike.
    #[arg(long, value_name = "COUNT")]
    pub agents: Option<u32>,
    /// Print one JSON object (with --compare a list of them).
    #[arg(long)]
    pub json: bool,
    /// Draw answer rates beside promises, and the load, over time.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Let the same callers meet each of these policies.
    #[arg(long, value_name = "POLICY,…", value_delimiter = ',', conflicts_with_all = ["policy", "plot"])]
    pub compare: Vec<String>,
    /// Take the load from the call records of this time: 2026-03-01..2026-03-02, or with hours 2026-03-01T08:00..
    #[arg(long, value_name = "FROM..TO", conflicts_with = "scenario")]
    pub replay: Option<String>,
    /// The configuration whose records, tiers and agents a replay uses.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs the command.
///
/// # Errors
/// A scenario with mistakes, an unknown policy, records that cannot be read, a file that cannot be written.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let policies = args.compare.iter().map(|word| policy(word)).collect::<Result<Vec<_>, _>>()?;
    let scenario = chosen(args)?;
    if !policies.is_empty() {
        let with = |policy| Scenario { policy, ..scenario.clone() };
        let outcomes =
            policies.into_iter().map(|policy| live(&with(policy))).collect::<Result<Vec<_>, _>>()?;
        print!("{}", if args.json { report::json_list(&outcomes) } else { compared(&scenario, &outcomes) });
        return Ok(());
    }
    let outcome = live(&scenario)?;
    if let Some(path) = &args.plot {
        write(path, &over_time(&scenario, &outcome).svg())?;
    }
    print!("{}", if args.json { json(&outcome) } else { table(&scenario, &outcome) });
    Ok(())
}

/// The scenario with what the command line says otherwise.
fn chosen(args: &SimulateArgs) -> Result<Scenario, Failure> {
    let mut scenario = match (&args.scenario, &args.replay) {
        (_, Some(range)) => replay::scenario(range, &args.config.config)?,
        (Some(path), None) => scenario::load(path).map_err(Failure::Findings)?,
        (None, None) => return Err(Failure::Usage("a scenario file is needed, or --replay".to_owned())),
    };
    if let Some(word) = &args.policy {
        scenario.policy = policy(word)?;
    }
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    if let Some(hours) = args.hours {
        if !(0.01..=1e6).contains(&hours) {
            return Err(Failure::Usage(format!("--hours {hours} is not within 0.01 to 1000000")));
        }
        scenario.hours = hours;
    }
    if let Some(count) = args.agents {
        match scenario.groups.as_mut_slice() {
            [group] if (1..=100_000).contains(&count) => group.count = count,
            [_] => return Err(Failure::Usage(format!("--agents {count} is not within 1 to 100000"))),
            _ => return Err(Failure::Usage("--agents: the agents are not all alike".to_owned())),
        }
    }
    Ok(scenario)
}

fn policy(word: &str) -> Result<PolicyKind, Failure> {
    let words = || PolicyKind::ALL.iter().map(|kind| kind.word());
    PolicyKind::from_word(word).ok_or_else(|| {
        let known: Vec<_> = words().collect();
        let hint = nearest(word, words());
        Failure::Usage(format!("no policy is called \"{word}\"{hint}; known: {}", known.join(", ")))
    })
}

/// Events between two looks at the progress.
const EVENTS_PER_LOOK: u64 = 100_000;

/// Lives a scenario, with a bar for a person who waits.
///
/// # Errors
/// The engine's tables disagree, which is a bug of ours.
pub fn live(scenario: &Scenario) -> Result<Outcome, Failure> {
    let mut run = Run::new(scenario);
    let mut bar = Bar::new(scenario.policy.word());
    let broken = |broken: sim::centre::Broken| Failure::System(broken.to_string());
    while run.advance(EVENTS_PER_LOOK).map_err(broken)? {
        bar.show(run.progress());
    }
    bar.clear();
    Ok(run.finish())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::System(format!("{}: {error}", path.display())))
}

/// A bar on a terminal; nothing elsewhere.
struct Bar {
    label: &'static str,
    shown: Option<usize>,
    terminal: bool,
}

impl Bar {
    const WIDTH: usize = 40;

    fn new(label: &'static str) -> Bar {
        Bar { label, shown: None, terminal: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, progress: f64) {
        let percent = (progress * 100.0) as usize;
        if self.terminal && self.shown != Some(percent) {
            self.shown = Some(percent);
            let full = percent * Self::WIDTH / 100;
            let bar = format!("{}{}", "█".repeat(full), "░".repeat(Self::WIDTH.saturating_sub(full)));
            let mut out = std::io::stderr().lock();
            // A bar that cannot be drawn is missed by nobody.
            let _ = write!(out, "\r{:>12} {bar} {percent:3} %", self.label).and_then(|()| out.flush());
        }
    }

    fn clear(&self) {
        if self.shown.is_some() {
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r{:width$}\r", "", width = Self::WIDTH + 24).and_then(|()| out.flush());
        }
    }
}
