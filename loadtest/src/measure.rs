//! One measured interval of one subject under load.

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use usher_load::rtp::{Generator, Report};

use crate::commands::rtp::{Load, PaceOptions, rig_streams};
use crate::subject::{Entry, Setup};

/// How long, and by whom.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Interval {
    /// Seconds that are measured.
    #[arg(long, default_value_t = 4)]
    pub(crate) seconds: u64,
    /// Seconds before that, to warm up.
    #[arg(long, default_value_t = 1)]
    pub(crate) warm_up: u64,
    #[command(flatten)]
    pub(crate) pace: PaceOptions,
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// The subject's name.
    pub(crate) subject: String,
    /// Bridged calls, or pairs of listeners.
    pub(crate) calls: u16,
    /// The tick that it had.
    pub(crate) coalesce_us: u32,
    /// Processor time of the subject per packet that was sent to it, or that a prompt's listener heard.
    pub(crate) cpu_us_per_packet: f64,
    /// Share of its processor.
    pub(crate) cpu_share: f64,
    /// Mean time between two of its wake-ups, if it counts them.
    #[serde(default)]
    pub(crate) mean_tick_us: Option<f64>,
    /// Of our own.
    pub(crate) packets_per_wake_up: f64,
    /// Of our own: wake-ups over 1 ms late.
    pub(crate) rounds_late: u64,
    /// Its memory.
    pub(crate) resident_bytes: u64,
    /// What the load saw.
    pub(crate) report: Report,
}

impl Measured {
    /// What a listener suffers: latency of a bridged voice, distance of a prompt from its beat; p50 and p99.
    pub(crate) fn delay_us(&self) -> (f64, f64, f64) {
        let times = if self.report.latency.max_us > 0.0 { self.report.latency } else { self.report.off_beat };
        (times.p50_us, times.p99_us, times.p999_us)
    }
}

/// Measures `entry` once.
pub(crate) fn measure(entry: &Entry, setup: Setup, interval: &Interval) -> Result<Measured, Box<dyn Error>> {
    let mut subject = entry.start(setup)?;
    let load = if entry.plays() { Load::Listeners { speak: entry.speaks() } } else { Load::Bridged };
    let mut generator = Generator::start(&interval.pace.config())?;
    for mut stream in rig_streams(&setup.rig, load)? {
        let leg = u16::try_from(stream.id)?;
        stream.remote = subject.remote(leg).ok_or("the subject has no such leg")?;
        generator.add(stream)?;
    }
    sleep(Duration::from_secs(interval.warm_up));
    generator.measure();
    let (before, began) = (subject.used()?, Instant::now());
    sleep(Duration::from_secs(interval.seconds));
    let (after, took) = (subject.used()?, began.elapsed().as_secs_f64());
    let mut report = generator.finish();
    subject.end()?;
    report.heard_right()?;
    report.by_stream.clear();
    let cpu_us = after.cpu_us.saturating_sub(before.cpu_us) as f64;
    let moved = if entry.plays() { report.received } else { report.sent };
    let packets_per_s = moved as f64 / report.seconds.max(1e-9);
    let rounds = after.rounds.saturating_sub(before.rounds);
    Ok(Measured {
        subject: entry.name.to_owned(),
        calls: setup.rig.calls,
        coalesce_us: entry.coalesce_us(setup.coalesce_us),
        cpu_us_per_packet: cpu_us / (packets_per_s * took).max(1.0),
        cpu_share: cpu_us / 1e6 / took,
        mean_tick_us: (rounds > 0).then(|| took * 1e6 / rounds as f64),
        packets_per_wake_up: after.packets_in.saturating_sub(before.packets_in) as f64 / rounds.max(1) as f64,
        rounds_late: after.rounds_late.saturating_sub(before.rounds_late),
        resident_bytes: after.resident_bytes,
        report,
    })
}
