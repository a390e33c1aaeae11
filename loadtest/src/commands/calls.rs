//! `calls`: whole calls, trunk to agent, and what they cost the switch.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use usher_load::rtp::{Generator, Report, resident_bytes};
use worker::net::{pin_to, raise_file_limit};

use super::rtp::PaceOptions;
use crate::calls::{Calls, Manner, Sides, Signalling, Times, seat};
use crate::demo::http::Api;
use crate::demo::people;
use crate::process::cpu_us;

/// What to drive. The defaults fit `config/load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The switch's SIP address.
    #[arg(long, default_value = "127.0.0.1:5070")]
    switch: SocketAddr,
    /// The switch's API.
    #[arg(long, default_value = "http://127.0.0.1:8070")]
    api: String,
    /// A token of the API.
    #[arg(long, default_value = "demo-token")]
    token: String,
    /// The carrier's SIP address.
    #[arg(long, default_value = "127.0.0.2:5090")]
    trunk: SocketAddr,
    /// The agents' SIP address.
    #[arg(long, default_value = "127.0.0.1:5091")]
    desk: SocketAddr,
    /// The agents' domain.
    #[arg(long, default_value = "load.example")]
    domain: String,
    /// The switch's agents.
    #[arg(long, default_value = "config/load/agents.toml")]
    agents_file: PathBuf,
    /// Agents who register, the first of the file.
    #[arg(long, default_value_t = 200)]
    agents: usize,
    /// Number that reaches an agent at once.
    #[arg(long, default_value = "20000")]
    number: String,
    /// Number that is hold music for ever: callers only listen to it.
    #[arg(long)]
    listen: Option<String>,
    /// Calls per second.
    #[arg(long, default_value_t = 300.0)]
    rate: f64,
    /// Calls. With media: as many at a time, each with two streams.
    #[arg(long, default_value_t = 3000)]
    calls: u64,
    /// How long agents talk, in milliseconds, without media.
    #[arg(long, default_value_t = 0)]
    hold_ms: u64,
    /// How long agents let it ring, in milliseconds.
    #[arg(long, default_value_t = 0)]
    ring_ms: u64,
    /// Both ends speak, and it is measured when they first hear each other after the agent's 200; without `--media`.
    #[arg(long)]
    voices: bool,
    /// Keep so many calls going at a time, a new one for each that ends, instead of a rate: with more calls than
    /// agents the rest wait, and it is measured how soon a free agent gets the next.
    #[arg(long)]
    live: Option<usize>,
    /// Hold all calls at a time and measure their streams for so many seconds.
    #[arg(long)]
    media: Option<u64>,
    /// Hold all calls at a time for so many seconds, without a packet of media from here.
    #[arg(long)]
    keep: Option<u64>,
    /// One caller of so many is from 138…, numbers that the directory may know, and is counted apart.
    #[arg(long, default_value_t = 0)]
    valuable_every: u64,
    /// Number of the first call, and so of its caller; else by the clock, because the switch remembers the calls of a
    /// run for half a minute (RFC 3261 §17.2.4).
    #[arg(long)]
    first: Option<u64>,
    /// Nobody sends nor takes voice (`a=inactive`).
    #[arg(long)]
    muted: bool,
    /// Refusals are expected: they are no failure of the run.
    #[arg(long)]
    overload: bool,
    /// Process of the switch: its processor time and memory are read.
    #[arg(long)]
    pid: Option<u32>,
    /// Processor of the signalling here.
    #[arg(long)]
    cpu: Option<usize>,
    #[command(flatten)]
    pace: PaceOptions,
    /// Write the report there as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What came out.
#[derive(Debug, Serialize)]
struct Outcome {
    number: String,
    rate: f64,
    seconds: f64,
    calls_per_s: f64,
    signalling: Signalling,
    /// Processor time of the switch per call, both legs, INVITE to BYE.
    cpu_us_per_call: Option<f64>,
    /// Processor time of the switch while streams were measured, as a share of one processor.
    cpu_share_media: Option<f64>,
    /// Memory of the switch: before, with all calls up, after.
    resident_bytes: [Option<u64>; 3],
    media: Option<Report>,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    let mut agents = people::agents(&options.agents_file)?;
    agents.truncate(options.agents);
    let sides = Sides {
        switch: options.switch,
        trunk: options.trunk,
        desk: options.desk,
        domain: options.domain.clone(),
        number: options.listen.as_ref().unwrap_or(&options.number).clone(),
        listen: options.listen.is_some(),
        valuable_every: options.valuable_every,
        muted: options.muted,
    };
    seat(&sides, &agents, &Api::new(&options.api, &options.token))?;
    println!("{} agents registered and ready", agents.len());
    let generator = match options.media {
        Some(_) => Some(Generator::start(&options.pace.config())?),
        None => None,
    };
    if let Some(cpu) = options.cpu {
        pin_to(cpu)?;
    }
    let held = options.media.or(options.keep);
    let hold = held.is_none().then(|| Duration::from_millis(options.hold_ms));
    let rings = Duration::from_millis(options.ring_ms);
    let manner = Manner { hold, rings, voices: options.voices && options.media.is_none() };
    let second = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let first = options.first.unwrap_or(second % 900 * 100_000);
    let mut calls = Calls::new(sides, manner, generator)?.numbered_from(first);
    let outcome = measure(options, &mut calls, held)?;
    print(&outcome);
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&outcome)?)?;
        println!("saved to {}", path.display());
    }
    let refused = if options.overload { outcome.signalling.refused.values().sum() } else { 0 };
    let whole = outcome.signalling.completed + refused == outcome.signalling.begun;
    if !whole {
        return Err("not every call was completed".into());
    }
    Ok(outcome.media.as_ref().map_or(Ok(()), Report::heard_right)?)
}

fn measure(options: &Options, calls: &mut Calls, held: Option<u64>) -> Result<Outcome, Box<dyn Error>> {
    let memory = || options.pid.and_then(resident_bytes);
    let cpu = || options.pid.and_then(cpu_us);
    let (before, cpu_before, start) = (memory(), cpu(), Instant::now());
    match options.live {
        Some(live) => calls.run_closed(options.calls, live)?,
        None => calls.run(options.calls, options.rate)?,
    }
    let mut seconds = start.elapsed().as_secs_f64();
    let (mut cpu_calls, mut share, mut media) = (spent(cpu_before, cpu()), None, None);
    let mut full = memory();
    if let Some(hold_s) = held {
        calls.stay(Duration::from_secs(2))?;
        if let Some(generator) = calls.generator() {
            generator.measure();
        }
        let cpu_media = cpu();
        calls.stay(Duration::from_secs(hold_s))?;
        #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
        let used = spent(cpu_media, cpu()).map(|us| us / 1e6 / hold_s.max(1) as f64);
        share = used;
        full = memory();
        media = calls.take_generator().map(Generator::finish);
        let (again, cpu_again) = (Instant::now(), cpu());
        calls.hang_up_all(options.rate)?;
        seconds += again.elapsed().as_secs_f64();
        cpu_calls = cpu_calls.zip(spent(cpu_again, cpu())).map(|(one, two)| one + two);
    }
    let signalling = calls.counts();
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    let completed = signalling.completed.max(1) as f64;
    if let Some(report) = &mut media {
        report.by_stream.clear();
    }
    Ok(Outcome {
        number: options.listen.as_ref().unwrap_or(&options.number).clone(),
        rate: options.rate,
        seconds,
        calls_per_s: completed / seconds,
        signalling,
        cpu_us_per_call: cpu_calls.map(|us| us / completed),
        cpu_share_media: share,
        resident_bytes: [before, full, memory()],
        media,
    })
}

fn print(outcome: &Outcome) {
    let Signalling { begun, bridged, completed, refused, valuable, stuck, odd, repeats, .. } =
        &outcome.signalling;
    println!("calls            begun {begun}, bridged {bridged}, completed {completed}, stuck {stuck}");
    println!("                 refused {refused:?}, repeated or odd messages {odd}, sent again {repeats}");
    println!("rate             {:.1} calls/s over {:.1} s", outcome.calls_per_s, outcome.seconds);
    if valuable[0] > 0 {
        println!("valuable         begun {}, completed {}", valuable[0], valuable[1]);
    }
    let signalling = &outcome.signalling;
    for (name, times) in [
        ("INVITE to 200", signalling.answer_us),
        ("INVITE to ring", signalling.ring_us),
        ("200 to ACK", signalling.join_us),
        ("INVITE to 503", signalling.refuse_us),
        ("caller hears", signalling.caller_hears_us),
        ("agent hears", signalling.agent_hears_us),
        ("agent free", signalling.idle_us),
    ] {
        if times.count > 0 {
            let Times { count, p50, p99, max } = times;
            println!("{name:<16} p50 {p50} µs, p99 {p99} µs, max {max} µs ({count})");
        }
    }
    if let Some(us) = outcome.cpu_us_per_call {
        println!("processor        {us:.0} µs per call");
    }
    if let Some(share) = outcome.cpu_share_media {
        println!("with calls up    {:.1} % of a processor", share * 100.0);
    }
    let megabytes = |bytes: Option<u64>| bytes.map_or(0, |bytes| bytes >> 10);
    let [before, full, after] = outcome.resident_bytes.map(megabytes);
    println!("memory           {before} kB before, {full} kB with all calls up, {after} kB after");
    if let Some(media) = &outcome.media {
        println!("{media}");
    }
}

fn spent(before: Option<u64>, after: Option<u64>) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    Some(after?.saturating_sub(before?) as f64)
}
