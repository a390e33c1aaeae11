//! What a run of streams was worth: numbers for people and for programs.

use std::fmt;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::stream::Expect;

/// Distribution of a time, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half of all are below.
    pub p50_us: f64,
    /// 99 % are below.
    pub p99_us: f64,
    /// 99.9 % are below.
    pub p999_us: f64,
    /// The largest.
    pub max_us: f64,
}

/// How well the generator itself kept time. A run whose generator was late says nothing about the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Packets that were due.
    pub due: u64,
    /// Packets that left over 2 ms after they were due.
    pub late: u64,
    /// How late they left.
    pub lateness: Quantiles,
    /// Packets that the kernel refused.
    pub refused: u64,
    /// Processor time of the generator's threads, as a share of one processor.
    pub cpu_share: f64,
}

/// What one stream sent and heard in the measured interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// The stream.
    pub id: u32,
    /// What it expected.
    pub expect: Expect,
    /// Packets sent.
    pub sent: u64,
    /// Of these, refused by the kernel.
    pub refused: u64,
    /// Expected packets heard, each counted once.
    pub received: u64,
    /// Packets that the expected stream sent and this one did not hear.
    pub lost: u64,
    /// Heard twice or more.
    pub duplicates: u64,
    /// Heard after a later one.
    pub reordered: u64,
    /// Heard from a stream that this one must not hear.
    pub bleed: u64,
    /// Not RTP.
    pub malformed: u64,
    /// RTP with neither a probe nor an expected voice: a relay's comfort packets.
    pub other: u64,
    /// RTP sequence numbers that did not follow the one before.
    pub sequence_jumps: u64,
    /// Times the RTP source changed.
    pub source_changes: u64,
    /// Sum of all added latencies, µs.
    pub latency_us_sum: f64,
    /// Largest added latency, µs.
    pub latency_us_max: f64,
    /// Interarrival jitter at the end (RFC 3550 A.8), µs.
    pub jitter_us: f64,
    /// Largest interarrival jitter, µs.
    pub jitter_us_max: f64,
    /// Farthest that a packet of a prompt was from its beat, µs.
    pub off_beat_us_max: f64,
}

impl Default for StreamReport {
    fn default() -> Self {
        StreamReport {
            id: 0,
            expect: Expect::Nothing,
            sent: 0,
            refused: 0,
            received: 0,
            lost: 0,
            duplicates: 0,
            reordered: 0,
            bleed: 0,
            malformed: 0,
            other: 0,
            sequence_jumps: 0,
            source_changes: 0,
            latency_us_sum: 0.0,
            latency_us_max: 0.0,
            jitter_us: 0.0,
            jitter_us_max: 0.0,
            off_beat_us_max: 0.0,
        }
    }
}

/// Distributions over all streams of a thread.
#[derive(Clone, Debug)]
pub(super) struct Histograms {
    latency: Histogram<u64>,
    off_beat: Histogram<u64>,
    lateness: Histogram<u64>,
    phases: [u64; PHASES],
    pub(super) due: u64,
    pub(super) late: u64,
}

/// Milliseconds of a frame.
const PHASES: usize = 20;

/// Later than this is late.
const LATE_NANOS: u64 = 2_000_000;

/// Longest time that is told apart: one minute.
const NANOS_MAX: u64 = 60_000_000_000;

#[expect(clippy::expect_used, reason = "constant bounds that the library accepts")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, NANOS_MAX, 3).expect("1 ns to 1 min at three digits is valid")
}

impl Default for Histograms {
    fn default() -> Self {
        let (latency, off_beat, lateness) = (histogram(), histogram(), histogram());
        Histograms { latency, off_beat, lateness, phases: [0; PHASES], due: 0, late: 0 }
    }
}

impl Histograms {
    pub(super) fn latency(&mut self, nanos: u64) {
        self.latency.saturating_record(nanos);
    }

    pub(super) fn off_beat(&mut self, nanos: u64) {
        self.off_beat.saturating_record(nanos);
    }

    /// A prompt's packet arrived.
    pub(super) fn phase(&mut self, arrived_nanos: u64) {
        let ms = usize::try_from(arrived_nanos / 1_000_000 % PHASES as u64).unwrap_or(0);
        self.phases[ms] += 1;
    }

    /// The fullest millisecond of the frame, over their mean.
    fn bunching(&self) -> f64 {
        let (all, most) = (self.phases.iter().sum::<u64>(), self.phases.iter().max());
        if all == 0 { 0.0 } else { most.copied().unwrap_or(0) as f64 * PHASES as f64 / all as f64 }
    }

    pub(super) fn lateness(&mut self, nanos: u64) {
        self.due += 1;
        self.late += u64::from(nanos > LATE_NANOS);
        self.lateness.saturating_record(nanos);
    }

    pub(super) fn add(&mut self, other: &Histograms) {
        // All have the same bounds, so none can fail to fit.
        let pairs = [
            (&mut self.latency, &other.latency),
            (&mut self.off_beat, &other.off_beat),
            (&mut self.lateness, &other.lateness),
        ];
        for (mine, theirs) in pairs {
            let _ = mine.add(theirs);
        }
        for (mine, theirs) in self.phases.iter_mut().zip(other.phases) {
            *mine += theirs;
        }
        self.due += other.due;
        self.late += other.late;
    }
}

fn quantiles(of: &Histogram<u64>) -> Quantiles {
    let at = |share| of.value_at_quantile(share) as f64 / 1e3;
    Quantiles { p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), max_us: of.max() as f64 / 1e3 }
}

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Length of the measured interval.
    pub seconds: f64,
    /// Streams.
    pub streams: usize,
    /// Packets sent.
    pub sent: u64,
    /// Expected packets heard.
    pub received: u64,
    /// Packets sent to a stream that did not hear them.
    pub lost: u64,
    /// `lost` as a share of what should have been heard.
    pub loss: f64,
    /// Packets heard twice.
    pub duplicates: u64,
    /// Packets heard after a later one.
    pub reordered: u64,
    /// Packets heard by the wrong stream.
    pub bleed: u64,
    /// RTP sequence numbers that did not follow.
    pub sequence_jumps: u64,
    /// From the sender's call to the listener's socket, all streams.
    pub latency: Quantiles,
    /// Distance of prompts' packets from their beat, all streams.
    pub off_beat: Quantiles,
    /// Packets of prompts in the fullest millisecond of the 20 ms frame, over their mean: 1 is evenly spread,
    /// 20 is all at once.
    pub bunching: f64,
    /// Interarrival jitter at the end, over the streams.
    pub jitter: Quantiles,
    /// Share of lost packets of the stream that lost most.
    pub worst_stream_loss: f64,
    /// The generator's own time-keeping.
    pub pace: Pace,
    /// Every stream, by number.
    pub by_stream: Vec<StreamReport>,
}

impl Report {
    /// An error if any packet was heard by a stream that it was not meant for: whoever passes voices to strangers has
    /// not been measured but found broken.
    pub fn heard_right(&self) -> Result<(), String> {
        match self.bleed {
            0 => Ok(()),
            bleed => Err(format!("{bleed} packets were heard by somebody else than they were meant for")),
        }
    }

    pub(super) fn new(
        seconds: f64,
        cpu_seconds: f64,
        mut streams: Vec<StreamReport>,
        all: &Histograms,
    ) -> Self {
        streams.sort_unstable_by_key(|stream| stream.id);
        let sent_by: std::collections::BTreeMap<u32, u64> =
            streams.iter().map(|stream| (stream.id, stream.sent - stream.refused)).collect();
        let (mut due, mut worst) = (0, 0.0_f64);
        for stream in &mut streams {
            let Expect::Stream(source) = stream.expect else { continue };
            let should = sent_by.get(&source).copied().unwrap_or(0);
            stream.lost = should.saturating_sub(stream.received);
            due += should;
            worst = worst.max(share(stream.lost, should));
        }
        let sum = |of: fn(&StreamReport) -> u64| streams.iter().map(of).sum::<u64>();
        let mut jitter = histogram();
        for stream in streams.iter().filter(|stream| stream.received > 0) {
            jitter.saturating_record((stream.jitter_us * 1e3) as u64);
        }
        let lost = sum(|stream| stream.lost);
        Report {
            seconds,
            streams: streams.len(),
            sent: sum(|stream| stream.sent),
            received: sum(|stream| stream.received),
            lost,
            loss: share(lost, due),
            duplicates: sum(|stream| stream.duplicates),
            reordered: sum(|stream| stream.reordered),
            bleed: sum(|stream| stream.bleed),
            sequence_jumps: sum(|stream| stream.sequence_jumps),
            latency: quantiles(&all.latency),
            off_beat: quantiles(&all.off_beat),
            bunching: all.bunching(),
            jitter: quantiles(&jitter),
            worst_stream_loss: worst,
            pace: Pace {
                due: all.due,
                late: all.late,
                lateness: quantiles(&all.lateness),
                refused: sum(|stream| stream.refused),
                cpu_share: cpu_seconds / seconds.max(1e-9),
            },
            by_stream: streams,
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quantiles { p50_us, p99_us, p999_us, max_us } = self;
        write!(f, "p50 {p50_us:.0}  p99 {p99_us:.0}  p99.9 {p999_us:.0}  max {max_us:.0} µs")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        writeln!(f, "streams        {}, measured for {:.1} s", self.streams, self.seconds)?;
        writeln!(f, "packets        sent {}  heard {}", self.sent, self.received)?;
        writeln!(
            f,
            "lost           {} ({:.4} %), worst stream {:.3} %",
            self.lost,
            percent(self.loss),
            percent(self.worst_stream_loss)
        )?;
        writeln!(
            f,
            "out of order   {} late, {} twice, {} sequence jumps, {} to the wrong ear",
            self.reordered, self.duplicates, self.sequence_jumps, self.bleed
        )?;
        writeln!(f, "added latency  {}", self.latency)?;
        writeln!(f, "off beat       {} (prompts), fullest ms {:.2} x mean", self.off_beat, self.bunching)?;
        writeln!(f, "jitter         {} (over streams, RFC 3550)", self.jitter)?;
        write!(
            f,
            "generator      {:.2} processors, {} of {} sends over 2 ms late, {}",
            self.pace.cpu_share, self.pace.late, self.pace.due, self.pace.lateness
        )
    }
}
