//! `bridge-bench`: relays and players side by side under the same load.

use std::error::Error;
use std::path::PathBuf;

use usher_load::rig::Rig;
use worker::net::raise_file_limit;

use crate::measure::{Interval, Measured, measure};
use crate::subject::{Entry, Setup};

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Subjects, measured in turn; a wrong name lists the right ones.
    #[arg(long, value_delimiter = ',', default_values = ["null-uring", "bridge-uring"])]
    kinds: Vec<String>,
    #[command(flatten)]
    rig: Rig,
    /// Times that the whole row is measured: A B A B.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    #[command(flatten)]
    interval: Interval,
    /// Microseconds between two wake-ups of the subject; 0 wakes for each packet.
    #[arg(long, default_value_t = 1000)]
    coalesce_us: u32,
    /// Processor of the subject.
    #[arg(long, default_value_t = 0)]
    relay_cpu: usize,
    /// Let strangers reach the relay's sockets even when the peer is known.
    #[arg(long)]
    unconnected: bool,
    /// Write all results there as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    let entries =
        options.kinds.iter().map(|name| Entry::find(name)).collect::<Result<Vec<&Entry>, String>>()?;
    let setup = Setup {
        rig: options.rig,
        cpu: options.relay_cpu,
        coalesce_us: options.coalesce_us,
        unconnected: options.unconnected,
    };
    let mut results = Vec::new();
    print_head();
    for _ in 0..options.rounds {
        for entry in &entries {
            let result = measure(entry, setup, &options.interval)?;
            print_row(&result);
            results.push(result);
        }
    }
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&results)?)?;
        println!("saved to {}", path.display());
    }
    Ok(())
}

pub(crate) fn print_head() {
    println!(
        "{:>12} {:>6} {:>8} {:>8}  {:>9} {:>6} {:>8}  {:>8} {:>26} {:>10} {:>8}",
        "subject",
        "calls",
        "tick µs",
        "mean",
        "µs CPU/pk",
        "CPU %",
        "pk/wake",
        "loss %",
        "delay p50/p99/p99.9 µs",
        "late sends",
        "RSS MB"
    );
}

pub(crate) fn print_row(result: &Measured) {
    let (p50, p99, p999) = result.delay_us();
    println!(
        "{:>12} {:>6} {:>8} {:>8}  {:>9.2} {:>6.1} {:>8.1}  {:>8.4} {:>26} {:>10} {:>8.1}",
        result.subject,
        result.calls,
        result.coalesce_us,
        result.mean_tick_us.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.0}")),
        result.cpu_us_per_packet,
        result.cpu_share * 100.0,
        result.packets_per_wake_up,
        result.report.loss * 100.0,
        format!("{p50:.0}/{p99:.0}/{p999:.0}"),
        result.report.pace.late,
        result.resident_bytes as f64 / 1e6,
    );
}
