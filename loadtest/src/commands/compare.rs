//! `compare-relay`, `compare-prompts`: subjects in turn, A B A B, under the same load in the same minutes, and
//! a page of what came out: Markdown, charts, and the raw data as JSON.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

use usher_load::results::{Chart, Group, Page, Scale, Series, Spread, Table};
use usher_load::rig::Rig;
use worker::net::raise_file_limit;

use super::bridge_bench::{print_head, print_row};
use crate::measure::{Interval, Measured, measure};
use crate::subject::{Entry, Setup};

/// What to compare, how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Loads, measured one after the other: bridged calls, or pairs of listeners.
    #[arg(long, value_delimiter = ',')]
    calls: Vec<u16>,
    /// Subjects; a wrong name lists the right ones. Without it those that belong on the page.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Times that all subjects are measured: A B A B.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    #[command(flatten)]
    interval: Interval,
    /// Processor of the subject.
    #[arg(long, default_value_t = 0)]
    relay_cpu: usize,
    /// Folder of the page.
    #[arg(long, default_value = "loadtest/results")]
    folder: PathBuf,
    /// Add to what was measured before, instead of beginning anew.
    #[arg(long)]
    keep: bool,
}

/// Measured at another time, on another machine or both: one load, one figure.
struct Elsewhere {
    name: &'static str,
    calls: u16,
    cpu_us_per_packet: f64,
    remark: &'static str,
}

/// One figure of a round.
type Figure = fn(&Measured) -> f64;

/// What is compared on one page.
struct Comparison {
    name: &'static str,
    title: &'static str,
    subjects: &'static [&'static str],
    calls: &'static [u16],
    /// Listeners or calls.
    load: fn(u16) -> String,
    explanation: &'static str,
    elsewhere: &'static [Elsewhere],
    /// Columns after processor time.
    columns: &'static [(&'static str, Figure)],
}

const RELAY: Comparison = Comparison {
    name: "compare-relay",
    title: "Relaying: processor time and delay per packet",
    subjects: &[
        "null-epoll",
        "bridge-epoll",
        "null-uring",
        "bridge-uring",
        "null-awake",
        "bridge-awake",
        "rtpengine",
    ],
    calls: &[200, 500, 1000],
    load: |calls| format!("{calls} bridged calls"),
    explanation: "Bridged two-way G.711: 20 ms packets of 172 bytes, 50 a second each way, phases spread evenly. The subject \
        is a process of its own on processor 0, the generator is on processor 1. A null relay is two connected sockets \
        per call and nothing else, by the same system calls with the same 1 ms tick (\"woken per packet\": without a \
        tick). rtpengine forwards in user space with one thread; it knows no tick. \"× raw\" is taken round by round \
        against the null relay of the same kind (rtpengine: against the one by io_uring).",
    elsewhere: &[
        elsewhere("Asterisk 22.10", 200, 22.0, "null relay of that hour, woken per packet: 14.2"),
        elsewhere("FreeSWITCH 1.10.12", 200, 38.0, "the same hour"),
        elsewhere("RustPBX 0.5.0-rc.1", 200, 27.0, "the same hour"),
        elsewhere("rtpproxy 3.1.1", 200, 17.2, "the same hour; not in Debian 12"),
    ],
    columns: &[
        ("mean tick µs", |measured| measured.mean_tick_us.unwrap_or(f64::NAN)),
        ("delay p50 µs", |measured| measured.report.latency.p50_us),
        ("delay p99 µs", |measured| measured.report.latency.p99_us),
        ("loss %", |measured| measured.report.loss * 100.0),
    ],
};

const PROMPTS: Comparison = Comparison {
    name: "compare-prompts",
    title: "Prompts: processor time and jitter per packet",
    subjects: &["send-mmsg", "prompt-epoll", "send-uring", "prompt-uring", "prompt-talk"],
    calls: &[500, 1000, 2000],
    load: |calls| format!("{} listeners", u32::from(calls) * 2),
    explanation: "Every listener hears music of his own place in it, G.711, a packet of 172 bytes each 20 ms, by a socket of his \
        own. The subject is a process of its own on processor 0, the listeners are on processor 1. The raw send loop is a \
        connected socket per listener and one system call per packet, each millisecond those that are due; \"× raw\" is \
        taken against it, round by round. \"Off beat\" is how far a packet arrives from its place in time; the fullest \
        millisecond of the 20 ms frame stands beside the mean of all (1: evenly spread, 20: all at once).",
    elsewhere: &[
        elsewhere("Asterisk 22.10 Playback", 230, 36.6, "450-470 listeners fill its core"),
        elsewhere("FreeSWITCH 1.10.12", 145, 74.0, "280-300 listeners fill its core"),
    ],
    columns: &[
        ("off beat p50 µs", |measured| measured.report.off_beat.p50_us),
        ("off beat p99 µs", |measured| measured.report.off_beat.p99_us),
        ("jitter p50 µs", |measured| measured.report.jitter.p50_us),
        ("jitter p99 µs", |measured| measured.report.jitter.p99_us),
        ("fullest ms", |measured| measured.report.bunching),
        ("sequence jumps", |measured| measured.report.sequence_jumps as f64),
    ],
};

const fn elsewhere(
    name: &'static str,
    calls: u16,
    cpu_us_per_packet: f64,
    remark: &'static str,
) -> Elsewhere {
    Elsewhere { name, calls, cpu_us_per_packet, remark }
}

/// The command `compare-relay`.
pub(crate) fn relay(options: &Options) -> Result<(), Box<dyn Error>> {
    run(&RELAY, options)
}

/// The command `compare-prompts`.
pub(crate) fn prompts(options: &Options) -> Result<(), Box<dyn Error>> {
    run(&PROMPTS, options)
}

fn run(comparison: &Comparison, options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    let data = options.folder.join(format!("{}.json", comparison.name));
    let mut all: Vec<Measured> = if options.keep { load(&data)? } else { Vec::new() };
    let names: Vec<&str> = match &options.kinds[..] {
        [] => comparison.subjects.to_vec(),
        kinds => kinds.iter().map(String::as_str).collect(),
    };
    let entries = names.into_iter().map(Entry::find).collect::<Result<Vec<_>, String>>()?;
    let loads = if options.calls.is_empty() { comparison.calls } else { &options.calls };
    print_head();
    for &calls in loads {
        for _ in 0..options.rounds {
            for entry in &entries {
                let result = measure(entry, setup(options, calls), &options.interval)?;
                print_row(&result);
                all.push(result);
            }
        }
    }
    std::fs::create_dir_all(&options.folder)?;
    std::fs::write(&data, serde_json::to_vec(&all)?)?;
    let page = write_page(comparison, &all).save(&options.folder)?;
    println!("{}", page.display());
    Ok(())
}

fn setup(options: &Options, calls: u16) -> Setup {
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    let rig = Rig { calls, address, relay_base: 10_000, generator_base: 25_000 };
    Setup { rig, cpu: options.relay_cpu, coalesce_us: 1000, unconnected: false }
}

fn load(path: &Path) -> Result<Vec<Measured>, Box<dyn Error>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&std::fs::read(path)?)
        .map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The rounds of one subject at one load, by one figure.
fn rounds(all: &[Measured], calls: u16, subject: &str, of: impl Fn(&Measured) -> f64) -> Vec<f64> {
    all.iter().filter(|one| one.calls == calls && one.subject == subject).map(of).collect()
}

fn write_page(comparison: &Comparison, all: &[Measured]) -> Page {
    let command = format!("make {}", comparison.name);
    let mut page = Page::new(comparison.name, comparison.title, &command);
    page.block(comparison.explanation);
    page.block("Median (smallest - largest round).");
    let subjects: Vec<&Entry> = comparison
        .subjects
        .iter()
        .filter_map(|name| Entry::find(name).ok())
        .filter(|entry| all.iter().any(|one| one.subject == entry.name))
        .collect();
    let loads: BTreeSet<u16> = all.iter().map(|one| one.calls).collect();
    page.chart("cpu", &chart(comparison, all, &subjects, &loads, "µs of processor time per packet", cpu));
    for &calls in &loads {
        page.heading(&(comparison.load)(calls));
        page.block(table(comparison, all, &subjects, calls));
    }
    let (column, of) = comparison.columns[1];
    let title = format!("{} ({} rounds and more)", column, fewest_rounds(all, &subjects, &loads));
    page.chart("delay", &chart(comparison, all, &subjects, &loads, &title, of));
    page.heading("Measured elsewhere");
    page.block("On the same kind of machine at another time; beside them stands what a null relay took in that hour.");
    let mut table = Table::new(["", "load", "µs CPU per packet", "remark"]);
    for other in comparison.elsewhere {
        let figure = format!("{:.1}", other.cpu_us_per_packet);
        table.row([other.name.into(), (comparison.load)(other.calls), figure, other.remark.to_owned()]);
    }
    page.block(table);
    page
}

const fn cpu(measured: &Measured) -> f64 {
    measured.cpu_us_per_packet
}

fn fewest_rounds(all: &[Measured], subjects: &[&Entry], loads: &BTreeSet<u16>) -> usize {
    let counts = subjects.iter().flat_map(|entry| {
        loads.iter().map(|&calls| rounds(all, calls, entry.name, cpu).len()).filter(|&count| count > 0)
    });
    counts.min().unwrap_or(0)
}

fn table(comparison: &Comparison, all: &[Measured], subjects: &[&Entry], calls: u16) -> Table {
    let head = ["", "rounds", "µs CPU per packet", "× raw", "processor"];
    let mut table = Table::new(head.into_iter().chain(comparison.columns.iter().map(|(name, _)| *name)));
    for entry in subjects {
        let of = |figure: &dyn Fn(&Measured) -> f64| rounds(all, calls, entry.name, figure);
        let cost = of(&cpu);
        let Some(spread) = Spread::of(cost.iter().copied()) else { continue };
        let raw = entry.raw.map(|raw| rounds(all, calls, raw, cpu));
        let ratio =
            raw.and_then(|raw| Spread::ratio(&cost, &raw)).map_or_else(String::new, |r| r.to_string());
        let share = Spread::of(of(&|one| one.cpu_share * 100.0)).map_or(0.0, |share| share.median);
        let mut row = vec![entry.title.to_owned(), cost.len().to_string(), spread.to_string(), ratio];
        row.push(format!("{share:.0} %"));
        for (_, figure) in comparison.columns {
            let shown = Spread::of(of(figure))
                .map(|spread| if spread.high >= 100.0 { format!("{spread:.0}") } else { spread.to_string() });
            row.push(shown.unwrap_or_default());
        }
        table.row(row);
    }
    table
}

fn chart(
    comparison: &Comparison,
    all: &[Measured],
    subjects: &[&Entry],
    loads: &BTreeSet<u16>,
    title: &str,
    of: Figure,
) -> Chart {
    let is_cost = title.contains("processor time");
    let others = if is_cost { comparison.elsewhere } else { &[] };
    let series = subjects.iter().map(|entry| Series::here(entry.title));
    let series = series.chain(others.iter().map(|other| Series::elsewhere(other.name))).collect();
    let mut groups: Vec<(u16, Group)> = Vec::new();
    let all_loads: BTreeSet<u16> =
        loads.iter().copied().chain(others.iter().map(|other| other.calls)).collect();
    for calls in all_loads {
        let here = subjects.iter().map(|entry| Spread::of(rounds(all, calls, entry.name, of)));
        let there = others
            .iter()
            .map(|other| (other.calls == calls).then_some(Spread::exactly(other.cpu_us_per_packet)));
        groups.push((calls, Group::new(&(comparison.load)(calls), here.chain(there))));
    }
    let groups = groups.into_iter().map(|(_, group)| group).collect();
    Chart {
        title: format!("{}: {title}", comparison.title),
        unit: "less is better".into(),
        series,
        groups,
        limit: None,
        scale: Scale::Linear,
    }
}
