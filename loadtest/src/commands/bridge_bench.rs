//! `bridge-bench`: relays side by side under the same load. The relay is a process of its own, on a
//! processor of its own, so that its processor time is its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use usher_load::rig::Rig;
use usher_load::rtp::{Generator, Report};
use worker::net::raise_file_limit;

use super::relay::{Kind, Used};
use super::rtp::{Load, PaceOptions, rig_streams};

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Relays, measured in turn.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::NullUring, Kind::BridgeUring])]
    kinds: Vec<Kind>,
    #[command(flatten)]
    rig: Rig,
    /// Times that the whole row is measured: A B A B.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Seconds before that, to warm up.
    #[arg(long, default_value_t = 1)]
    warm_up: u64,
    /// Microseconds between two wake-ups of the relay; 0 wakes for each packet.
    #[arg(long, default_value_t = 1000)]
    coalesce_us: u32,
    /// Processor of the relay.
    #[arg(long, default_value_t = 0)]
    relay_cpu: usize,
    /// Let strangers reach the relay's sockets even when the peer is known.
    #[arg(long)]
    unconnected: bool,
    #[command(flatten)]
    pace: PaceOptions,
    /// Write all results there as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// One measured interval.
#[derive(Debug, Serialize)]
struct Measured {
    kind: String,
    calls: u16,
    coalesce_us: u32,
    /// Processor time of the relay per datagram it received; for prompts per datagram it sent.
    cpu_us_per_packet: f64,
    cpu_share: f64,
    packets_per_wake_up: f64,
    rounds_late: u64,
    resident_bytes: u64,
    report: Report,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    let mut results = Vec::new();
    println!(
        "{:>12} {:>6} {:>8}  {:>9} {:>6} {:>8}  {:>8} {:>26} {:>10} {:>8}",
        "relay",
        "calls",
        "tick µs",
        "µs CPU/pk",
        "CPU %",
        "pk/wake",
        "loss %",
        "latency p50/p99/p99.9 µs",
        "late sends",
        "RSS MB"
    );
    for _ in 0..options.rounds {
        for &kind in &options.kinds {
            let result = measure(options, kind)?;
            print_row(&result);
            results.push(result);
        }
    }
    if let Some(path) = &options.json {
        for result in &mut results {
            result.report.by_stream.clear();
        }
        std::fs::write(path, serde_json::to_vec_pretty(&results)?)?;
        println!("saved to {}", path.display());
    }
    Ok(())
}

fn print_row(result: &Measured) {
    let report = &result.report;
    let times = if result.kind.starts_with("prompt") { report.off_beat } else { report.latency };
    println!(
        "{:>12} {:>6} {:>8}  {:>9.2} {:>6.1} {:>8.1}  {:>8.4} {:>26} {:>10} {:>8.1}",
        result.kind,
        result.calls,
        result.coalesce_us,
        result.cpu_us_per_packet,
        result.cpu_share * 100.0,
        result.packets_per_wake_up,
        report.loss * 100.0,
        format!("{:.0}/{:.0}/{:.0}", times.p50_us, times.p99_us, times.p999_us),
        report.pace.late,
        result.resident_bytes as f64 / 1e6,
    );
}

fn measure(options: &Options, kind: Kind) -> Result<Measured, Box<dyn Error>> {
    let mut relay = Relay::start(options, kind)?;
    let load = if kind.plays() { Load::Listeners } else { Load::Bridged };
    let mut generator = Generator::start(&options.pace.config())?;
    for stream in rig_streams(&options.rig, load)? {
        generator.add(stream)?;
    }
    sleep(Duration::from_secs(options.warm_up));
    generator.measure();
    let before = relay.used()?;
    sleep(Duration::from_secs(options.seconds));
    let after = relay.used()?;
    let report = generator.finish();
    relay.end()?;
    let cpu_us = after.cpu_us.saturating_sub(before.cpu_us) as f64;
    let packets_in = after.packets_in.saturating_sub(before.packets_in);
    let packets_out = after.packets_out.saturating_sub(before.packets_out);
    let packets = if kind.plays() { packets_out } else { packets_in };
    let rounds = after.rounds.saturating_sub(before.rounds);
    Ok(Measured {
        kind: kind.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned()),
        calls: options.rig.calls,
        coalesce_us: options.coalesce_us,
        cpu_us_per_packet: cpu_us / packets.max(1) as f64,
        cpu_share: cpu_us / 1e6 / options.seconds.max(1) as f64,
        packets_per_wake_up: packets_in as f64 / rounds.max(1) as f64,
        rounds_late: after.rounds_late.saturating_sub(before.rounds_late),
        resident_bytes: after.resident_bytes,
        report,
    })
}

/// A relay in a process of its own.
struct Relay {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Relay {
    fn start(options: &Options, kind: Kind) -> Result<Relay, Box<dyn Error>> {
        let rig = &options.rig;
        let kind = kind.to_possible_value().ok_or("no such kind")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("relay").args(["--kind", kind.get_name()]);
        command.args(["--calls", &rig.calls.to_string()]);
        command.args(["--address", &rig.address.to_string()]);
        command.args(["--relay-base", &rig.relay_base.to_string()]);
        command.args(["--generator-base", &rig.generator_base.to_string()]);
        command.args(["--coalesce-us", &options.coalesce_us.to_string()]);
        command.args(["--cpu", &options.relay_cpu.to_string()]);
        if options.unconnected {
            command.arg("--unconnected");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = child.stdin.take().ok_or("no way to ask the relay")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no way to hear the relay")?);
        let mut relay = Relay { child, ask, answers };
        match relay.line()?.as_str() {
            "ready" => Ok(relay),
            other => Err(format!("the relay did not start: {other:?}").into()),
        }
    }

    fn used(&mut self) -> Result<Used, Box<dyn Error>> {
        writeln!(self.ask)?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn end(self) -> Result<(), Box<dyn Error>> {
        let Relay { mut child, ask, answers } = self;
        drop((ask, answers));
        let status = child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the relay ended with {status}").into()) }
    }
}
