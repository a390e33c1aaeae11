//! `compare-sip`: the switch and Debian's Kamailio (a stateful proxy, no more) in turn on one processor, under
//! the same calls from the same generator on the other.

use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use worker::net::pin_to;

use crate::calls::{Calls, Manner, Sides, seat};
use crate::chart::{Bar, bars};
use crate::demo::http::Api;
use crate::demo::people;
use crate::process::cpu_us_of_all;

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The switch.
    #[arg(long, default_value = "target/release/usher")]
    usher: PathBuf,
    /// The switch's configuration.
    #[arg(long, default_value = "config/load")]
    config: PathBuf,
    /// The proxy.
    #[arg(long, default_value = "/usr/sbin/kamailio")]
    kamailio: PathBuf,
    /// The proxy's configuration.
    #[arg(long, default_value = "loadtest/compare/kamailio.cfg")]
    kamailio_config: PathBuf,
    /// Calls per second.
    #[arg(long, value_delimiter = ',', default_value = "300,1000,1500")]
    rates: Vec<u32>,
    /// How long at each rate, in seconds.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Rounds: in each, both run at every rate.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Processor of those compared.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// Processor of the generator.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Folder of the table and the chart.
    #[arg(long, default_value = "loadtest/results")]
    out: PathBuf,
}

/// Measured elsewhere, on another day: median processor time per call where the machine was quiet, and the most
/// calls per second that came clean.
const ELSEWHERE: [(&str, f64, &str); 3] = [
    ("Asterisk 22.10 (elsewhere)", 3300.0, "160-180"),
    ("FreeSWITCH 1.10.12 (elsewhere)", 12_500.0, "50"),
    ("RustPBX 0.5.0-rc.1 (elsewhere)", 5900.0, "150"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Usher,
    Kamailio,
}

impl Peer {
    const fn name(self) -> &'static str {
        match self {
            Peer::Usher => "Usher",
            Peer::Kamailio => "Kamailio",
        }
    }

    fn sides(self) -> Sides {
        let switch = match self {
            Peer::Usher => 5070,
            Peer::Kamailio => 5072,
        };
        Sides {
            switch: SocketAddr::from(([127, 0, 0, 1], switch)),
            trunk: SocketAddr::from(([127, 0, 0, 2], 5090)),
            desk: SocketAddr::from(([127, 0, 0, 1], 5091)),
            domain: "load.example".to_owned(),
            number: "20000".to_owned(),
            listen: false,
            valuable_every: 0,
            muted: false,
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    peer: Peer,
    rate: u32,
    cpu_us_per_call: f64,
    completed: f64,
    answer_p50_us: u64,
    answer_p99_us: u64,
}

/// A process that ends with its owner.
struct Server {
    child: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    pin_to(options.cpu)?;
    let mut runs = Vec::new();
    for round in 0..options.rounds {
        for peer in [Peer::Usher, Peer::Kamailio] {
            let server = start(options, peer, round)?;
            for (index, &rate) in (0u64..).zip(&options.rates) {
                let run = measure(options, peer, rate, (server.child.id(), index * 1_000_000))?;
                println!("{run:?}");
                runs.push(run);
            }
        }
    }
    std::fs::create_dir_all(&options.out)?;
    let (table, chart) = (options.out.join("compare-sip.md"), options.out.join("compare-sip.svg"));
    std::fs::write(&table, report(options, &runs))?;
    std::fs::write(&chart, draw(options, &runs))?;
    println!("saved to {} and {}", table.display(), chart.display());
    Ok(())
}

fn start(options: &Options, peer: Peer, round: usize) -> Result<Server, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("compare-sip-{}-{round}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let absolute = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    let mut command = Command::new("taskset");
    command.args(["-c", &options.server_cpu.to_string()]);
    match peer {
        Peer::Usher => {
            command
                .arg(absolute(&options.usher)?)
                .args(["serve", "--config"])
                .arg(absolute(&options.config)?);
        }
        Peer::Kamailio => {
            let config = absolute(&options.kamailio_config)?;
            command.arg(absolute(&options.kamailio)?).args(["-DD", "-E", "-m", "256", "-M", "16", "-f"]);
            command.arg(config).arg("-Y").arg(&folder).arg("-w").arg(&folder);
        }
    }
    let log = std::fs::File::create(folder.join("log"))?;
    let errors = log.try_clone()?;
    let child = command.current_dir(&folder).stdout(Stdio::from(log)).stderr(Stdio::from(errors)).spawn()?;
    let server = Server { child, folder };
    match peer {
        Peer::Usher => {
            wait_for_ready(&server)?;
            let agents: Vec<_> =
                people::agents(&options.config.join("agents.toml"))?.into_iter().take(300).collect();
            seat(&peer.sides(), &agents, &Api::new("http://127.0.0.1:8070", "demo-token"))?;
        }
        Peer::Kamailio => std::thread::sleep(Duration::from_secs(2)),
    }
    Ok(server)
}

fn wait_for_ready(server: &Server) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        let log = std::fs::read_to_string(server.folder.join("log"))?;
        if log.lines().any(|line| line == "ready") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("the switch did not say that it is ready".into())
}

fn measure(
    options: &Options,
    peer: Peer,
    rate: u32,
    (pid, first): (u32, u64),
) -> Result<Run, Box<dyn Error>> {
    let manner = Manner { hold: Some(Duration::ZERO), ..Manner::default() };
    let mut calls = Calls::new(peer.sides(), manner, None)?.numbered_from(first);
    let before = cpu_us_of_all(pid).ok_or("the server has gone")?;
    calls.run(u64::from(rate * options.seconds), f64::from(rate))?;
    let after = cpu_us_of_all(pid).ok_or("the server has gone")?;
    let counts = calls.counts();
    if counts.completed == 0 {
        return Err(format!("{}: no call was completed: {counts:?}", peer.name()).into());
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    let (spent, completed, begun) =
        (after.saturating_sub(before) as f64, counts.completed as f64, counts.begun as f64);
    Ok(Run {
        peer,
        rate,
        cpu_us_per_call: spent / completed,
        completed: completed / begun,
        answer_p50_us: counts.answer_us.p50,
        answer_p99_us: counts.answer_us.p99,
    })
}

/// Middle, least and most.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    (at(values.len() / 2), at(0), at(values.len().saturating_sub(1)))
}

fn of(runs: &[Run], peer: Peer, rate: u32, what: impl Fn(&Run) -> f64) -> (f64, f64, f64) {
    spread(runs.iter().filter(|run| run.peer == peer && run.rate == rate).map(what).collect())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn report(options: &Options, runs: &[Run]) -> String {
    let mut out = String::from(
        "# Whole calls: Usher beside Kamailio\n\n\
         Made by `make compare-sip`. One processor for the server, the other for the generator; both servers in turn, \
         the same calls: INVITE to BYE, both ends. Usher is the whole switch: two dialogs, a directory look-up, two \
         media ports opened and bridged, the distributor's choice, a call record in the database. Kamailio is a stateful proxy that \
         passes the messages on. Median (least - most) of the rounds.\n\n\
         | calls/s | server | µs CPU per call | completed | INVITE to 200 p50 / p99 |\n|---|---|---|---|---|\n",
    );
    for &rate in &options.rates {
        for peer in [Peer::Usher, Peer::Kamailio] {
            let (cpu, least, most) = of(runs, peer, rate, |run| run.cpu_us_per_call);
            let (completed, ..) = of(runs, peer, rate, |run| run.completed * 100.0);
            let (p50, ..) = of(runs, peer, rate, |run| run.answer_p50_us as f64 / 1000.0);
            let (p99, ..) = of(runs, peer, rate, |run| run.answer_p99_us as f64 / 1000.0);
            let name = peer.name();
            let _ = writeln!(
                out,
                "| {rate} | {name} | {cpu:.0} ({least:.0} - {most:.0}) | {completed:.1} % | {p50:.1} / {p99:.1} ms |"
            );
        }
    }
    out.push_str("\nNot in Debian; measured elsewhere, on the same kind of machine on another day:\n\n");
    out.push_str("| server | µs CPU per bridged call | clean calls/s |\n|---|---|---|\n");
    for (name, us, rate) in ELSEWHERE {
        let _ = writeln!(out, "| {name} | {us:.0} | {rate} |");
    }
    out
}

fn draw(options: &Options, runs: &[Run]) -> String {
    let mut all = Vec::new();
    for &rate in &options.rates {
        for peer in [Peer::Usher, Peer::Kamailio] {
            let (cpu, least, most) = of(runs, peer, rate, |run| run.cpu_us_per_call);
            let name = format!("{}, {rate} calls/s", peer.name());
            all.push(Bar { name, value: cpu, spread: Some((least, most)), ours: peer == Peer::Usher });
        }
    }
    for (name, value, _) in ELSEWHERE {
        all.push(Bar { name: name.to_owned(), value, spread: None, ours: false });
    }
    bars("Processor time per whole call, µs (logarithmic; less is better)", &all)
}
