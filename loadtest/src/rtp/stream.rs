//! One RTP stream: what it sends, what it expects to hear, what it counted.

use std::net::SocketAddr;

use worker::net::Socket;

use super::packet::{HEADER_BYTES, Header, PAYLOAD_BYTES, Probe};
use super::receive::StampedBatch;
use super::report::{Histograms, StreamReport};

/// RTP timestamp units per packet: 20 ms at 8 kHz.
const STEP: u32 = 160;

/// Nanoseconds per RTP timestamp unit.
const NANOS_PER_UNIT: i64 = 125_000;

/// What should arrive at a stream's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Nothing.
    Nothing,
    /// What this other stream sends. Anything else with a probe in it is bleed.
    Stream(u32),
    /// Any voice: prompts, music.
    Voice,
}

/// A stream to play and to listen to.
#[derive(Debug)]
pub struct Stream {
    /// Its number, unique in one generator.
    pub id: u32,
    /// Where it sends from and listens; already bound.
    pub socket: Socket,
    /// Where it sends to.
    pub remote: SocketAddr,
    /// RTP payload type.
    pub payload_type: u8,
    /// RTP source.
    pub ssrc: u32,
    /// Whether it sends at all.
    pub sends: bool,
    /// What it expects to hear.
    pub expect: Expect,
}

/// A stream at work.
pub(super) struct Running {
    pub(super) stream: Stream,
    pub(super) lap: u32,
    sequence: u16,
    timestamp: u32,
    report: StreamReport,
    heard: Heard,
}

/// What the next packet is compared with.
#[derive(Default)]
struct Heard {
    /// The highest probe number so far and the 64 before it, as a bit set.
    window: Option<(u32, u64)>,
    /// Transit time of the last packet, and the jitter of RFC 3550 A.8 in nanoseconds.
    transit: Option<i64>,
    jitter: f64,
    /// Last RTP header.
    last: Option<Header>,
    /// Arrival and timestamp of the first packet of this source: the beat of a prompt.
    beat: Option<(u64, u32)>,
}

impl Running {
    pub(super) fn new(stream: Stream, lap: u32) -> Self {
        let report = StreamReport { id: stream.id, expect: stream.expect, ..StreamReport::default() };
        let seed = stream.id.wrapping_mul(0x9e37_79b9);
        Running {
            lap,
            sequence: (seed >> 16) as u16,
            timestamp: seed,
            report,
            heard: Heard::default(),
            stream,
        }
    }

    /// Starts counting anew, in lap `lap`.
    pub(super) fn begin_lap(&mut self, lap: u32) {
        self.lap = lap;
        let (id, expect) = (self.stream.id, self.stream.expect);
        self.report = StreamReport { id, expect, ..StreamReport::default() };
        self.heard = Heard::default();
    }

    /// Sends the next packet. `false` if the kernel refused it.
    pub(super) fn send(&mut self, payload: &mut [u8; PAYLOAD_BYTES], now_nanos: u64) -> bool {
        let Stream { id, payload_type, ssrc, remote, .. } = self.stream;
        let header = Header { payload_type, sequence: self.sequence, timestamp: self.timestamp, ssrc };
        let number = u32::try_from(self.report.sent).unwrap_or(u32::MAX);
        Probe { stream: id, number, lap: self.lap, sent_nanos: now_nanos }.write(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(STEP);
        self.report.sent += 1;
        let bytes: [u8; HEADER_BYTES] = header.write();
        let taken = self.stream.socket.send(Some(remote), &bytes, payload).is_ok();
        self.report.refused += u64::from(!taken);
        taken
    }

    /// Takes all that waits at the socket.
    pub(super) fn listen(&mut self, batch: &mut StampedBatch, all: &mut Histograms) {
        let mut more = true;
        while more {
            more = batch.receive(&self.stream.socket);
            for (arrived_nanos, packet) in batch.packets() {
                self.hear(arrived_nanos, packet, all);
            }
        }
    }

    /// A datagram arrived.
    pub(super) fn hear(&mut self, arrived_nanos: u64, packet: &[u8], all: &mut Histograms) {
        let Some((header, payload)) = Header::read(packet) else {
            self.report.malformed += 1;
            return;
        };
        match (Probe::read(payload), self.stream.expect) {
            // Under way since before the measured interval.
            (Some(probe), _) if probe.lap != self.lap => {}
            (Some(probe), Expect::Stream(source)) if probe.stream == source => {
                self.count_rtp(header, arrived_nanos);
                self.count_probe(probe, arrived_nanos, all);
            }
            (Some(_), _) => self.report.bleed += 1,
            (None, Expect::Voice) => {
                self.count_rtp(header, arrived_nanos);
                self.report.received += 1;
                self.keep_beat(header, arrived_nanos, all);
            }
            // Comfort packets of a relay before the voices are joined.
            (None, _) => self.report.other += 1,
        }
    }

    fn count_rtp(&mut self, header: Header, arrived_nanos: u64) {
        if let Some(last) = self.heard.last.replace(header) {
            if last.ssrc != header.ssrc {
                self.report.source_changes += 1;
                self.heard.transit = None;
                self.heard.beat = None;
            } else if header.sequence != last.sequence.wrapping_add(1) {
                self.report.sequence_jumps += 1;
            }
        }
        let media_nanos = i64::from(header.timestamp).wrapping_mul(NANOS_PER_UNIT);
        let transit = (arrived_nanos as i64).wrapping_sub(media_nanos);
        if let Some(last) = self.heard.transit.replace(transit) {
            let change = transit.wrapping_sub(last).unsigned_abs() as f64;
            // A timestamp that wrapped around is no jitter.
            if change < 1e9 {
                self.heard.jitter += (change - self.heard.jitter) / 16.0;
                self.report.jitter_us = self.heard.jitter / 1e3;
                self.report.jitter_us_max = self.report.jitter_us_max.max(self.report.jitter_us);
            }
        }
    }

    fn count_probe(&mut self, probe: Probe, arrived_nanos: u64, all: &mut Histograms) {
        match self.heard.place(probe.number) {
            Place::New => {}
            Place::Late => self.report.reordered += 1,
            Place::Again => {
                self.report.duplicates += 1;
                return;
            }
        }
        self.report.received += 1;
        let latency = arrived_nanos.saturating_sub(probe.sent_nanos);
        let latency_us = latency as f64 / 1e3;
        self.report.latency_us_sum += latency_us;
        self.report.latency_us_max = self.report.latency_us_max.max(latency_us);
        all.latency(latency);
    }

    /// How far behind its beat a packet of a prompt arrived. The beat is that of the earliest packet so far, so
    /// that one late packet at the beginning does not make all others early.
    fn keep_beat(&mut self, header: Header, arrived_nanos: u64, all: &mut Histograms) {
        let (began, first) = self.heard.beat.get_or_insert((arrived_nanos, header.timestamp));
        let media_nanos = u64::from(header.timestamp.wrapping_sub(*first)) * NANOS_PER_UNIT.unsigned_abs();
        let expected = began.saturating_add(media_nanos);
        if arrived_nanos < expected {
            *began = began.saturating_sub(expected - arrived_nanos);
        }
        let off = arrived_nanos.saturating_sub(expected);
        self.report.off_beat_us_max = self.report.off_beat_us_max.max(off as f64 / 1e3);
        all.off_beat(off);
        all.phase(arrived_nanos);
    }

    pub(super) fn report(&self) -> StreamReport {
        self.report.clone()
    }
}

enum Place {
    New,
    Late,
    Again,
}

impl Heard {
    /// Where packet `number` falls among those heard.
    fn place(&mut self, number: u32) -> Place {
        let Some((highest, seen)) = &mut self.window else {
            self.window = Some((number, 1));
            return Place::New;
        };
        if number > *highest {
            *seen = seen.checked_shl(number - *highest).unwrap_or(0) | 1;
            *highest = number;
            return Place::New;
        }
        let Some(bit) = 1u64.checked_shl(*highest - number) else { return Place::Again };
        let again = *seen & bit != 0;
        *seen |= bit;
        if again { Place::Again } else { Place::Late }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_and_late_packets_are_told_apart() {
        let mut heard = Heard::default();
        let mut say = |number| match heard.place(number) {
            Place::New => 'n',
            Place::Late => 'l',
            Place::Again => 'a',
        };
        let said: String = [0, 1, 1, 3, 2, 2, 70, 3, 7, 69].map(&mut say).iter().collect();
        assert_eq!(said, "nnanlanall");
    }

    #[test]
    fn a_steady_stream_has_no_jitter_and_an_unsteady_one_has() {
        let socket = Socket::bind("127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
        let remote = socket.local_address().unwrap();
        let expect = Expect::Stream(9);
        let stream = Stream { id: 1, socket, remote, payload_type: 8, ssrc: 1, sends: false, expect };
        let mut running = Running::new(stream, 0);
        let mut all = Histograms::default();
        let mut hear = |running: &mut Running, number: u32, late_nanos: u64, source: u32| {
            let sent_nanos = 1_000_000_000 + u64::from(number) * 20_000_000;
            let mut payload = [0; PAYLOAD_BYTES];
            Probe { stream: source, number, lap: 0, sent_nanos }.write(&mut payload);
            let sequence = number as u16;
            let header = Header { payload_type: 8, sequence, timestamp: number * STEP, ssrc: 5 };
            running.hear(sent_nanos + late_nanos, &[&header.write()[..], &payload[..]].concat(), &mut all);
        };
        for number in 0..10 {
            hear(&mut running, number, 300_000, 9);
        }
        assert!(running.report.jitter_us < 0.001);
        hear(&mut running, 11, 1_900_000, 9);
        assert!((running.report.jitter_us - 100.0).abs() < 0.001, "1600 µs / 16");
        hear(&mut running, 12, 0, 4);
        let report = running.report();
        assert_eq!((report.received, report.sequence_jumps, report.bleed), (11, 1, 1));
        assert!((report.latency_us_max - 1900.0).abs() < 0.001);
    }
}
