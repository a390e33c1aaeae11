//! `rtp`: streams by a plan or by the rig, then a report.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use serde::Deserialize;
use usher_load::rig::Rig;
use usher_load::rtp::{Expect, Generator, GeneratorConfig, Report, Stream};
use worker::net::{Socket, SocketOptions, raise_file_limit};

/// What to play, for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A JSON file: a list of streams, each `{"id", "local", "remote", "payload_type", "ssrc", "sends",
    /// "expect"}`, where `expect` is `"nothing"`, `"voice"` or `{"stream": ID}`. Without it the streams of
    /// the rig are played.
    #[arg(long)]
    plan: Option<PathBuf>,
    #[command(flatten)]
    rig: Rig,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds before that, to warm up.
    #[arg(long, default_value_t = 2)]
    warm_up: u64,
    #[command(flatten)]
    pace: PaceOptions,
    /// Write the report there as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// How the generator runs.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PaceOptions {
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Processors for them, separated by commas.
    #[arg(long, value_delimiter = ',')]
    generator_cpu: Vec<usize>,
    /// Packets that fall due within so many µs leave together.
    #[arg(long, default_value_t = 200)]
    tick_us: u64,
}

impl PaceOptions {
    pub(crate) fn config(&self) -> GeneratorConfig {
        GeneratorConfig {
            threads: self.threads,
            pin: self.generator_cpu.clone(),
            tick: Duration::from_micros(self.tick_us),
            ..GeneratorConfig::default()
        }
    }
}

/// One stream of a plan.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    id: u32,
    local: SocketAddr,
    remote: SocketAddr,
    payload_type: u8,
    ssrc: u32,
    sends: bool,
    expect: Expect,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    let streams = match &options.plan {
        Some(path) => planned(&std::fs::read(path)?)?,
        None => rig_streams(&options.rig, Load::Bridged)?,
    };
    let mut generator = Generator::start(&options.pace.config())?;
    for stream in streams {
        generator.add(stream)?;
    }
    sleep(Duration::from_secs(options.warm_up));
    generator.measure();
    sleep(Duration::from_secs(options.seconds));
    let report = generator.finish();
    println!("{report}");
    save(&report, options.json.as_ref())?;
    Ok(report.heard_right()?)
}

pub(crate) fn save(report: &Report, path: Option<&PathBuf>) -> Result<(), Box<dyn Error>> {
    if let Some(path) = path {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
        println!("report         {}", path.display());
    }
    Ok(())
}

fn planned(json: &[u8]) -> Result<Vec<Stream>, Box<dyn Error>> {
    let plan: Vec<Planned> = serde_json::from_slice(json)?;
    let stream = |planned: Planned| {
        let Planned { id, local, remote, payload_type, ssrc, sends, expect } = planned;
        Ok(Stream { id, socket: bind(local)?, remote, payload_type, ssrc, sends, expect })
    };
    plan.into_iter().map(stream).collect()
}

/// What the rig's streams are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Both legs of each call speak and hear each other.
    Bridged,
    /// Each leg hears a prompt.
    Listeners {
        /// And speaks meanwhile.
        speak: bool,
    },
}

pub(crate) fn rig_streams(rig: &Rig, load: Load) -> Result<Vec<Stream>, Box<dyn Error>> {
    let stream = |leg: u16| {
        let expect = match load {
            Load::Bridged => Expect::Stream(u32::from(Rig::other(leg))),
            Load::Listeners { .. } => Expect::Voice,
        };
        Ok(Stream {
            id: u32::from(leg),
            socket: bind(rig.generator(leg))?,
            remote: rig.relay(leg),
            payload_type: 8,
            ssrc: 0x5000_0000 | u32::from(leg),
            sends: load != (Load::Listeners { speak: false }),
            expect,
        })
    };
    rig.legs().map(stream).collect()
}

/// A socket with room for what arrives while the generator is not scheduled.
fn bind(local: SocketAddr) -> Result<Socket, Box<dyn Error>> {
    let options = SocketOptions { receive_buffer_bytes: Some(1 << 20), ..SocketOptions::default() };
    Socket::bind(local, &options).map_err(|error| format!("{local}: {error}").into())
}
