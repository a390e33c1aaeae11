//! What a leg hears: order, loss and jitter of the peer's stream (RFC 3550 §6.4.1, A.1, A.3, A.8).

use core::time::Duration;

use base::Instant;

use super::offload::Position;
use crate::rtcp::ReportBlock;
use crate::rtp::Header;

/// Steps ahead that are loss; more is another stream (RFC 3550 A.1: MAX_DROPOUT).
const DROPOUT_MAX: u16 = 3_000;
/// Steps back that are reordering, and the packets whose arrival is remembered.
const WINDOW: u16 = 64;
/// Timestamp jumps beyond two seconds are a new count, not jitter.
const JUMP_SECONDS: u32 = 2;
/// Silence that counts as a gap.
const GAP: Duration = Duration::from_millis(200);

/// What a packet's sequence number says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The next one.
    Next,
    /// A later one: those between are missing so far.
    Ahead,
    /// An earlier one that was missing.
    Late,
    /// Seen before, or too old to know, or the first of a jump: to be dropped.
    Stale,
    /// The stream began to count elsewhere (its second packet in a row says so).
    Restart,
}

/// The receiving side of one stream, from its first packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    ssrc: u32,
    highest: u16,
    /// Times 65,536 that `highest` wrapped.
    cycles: u32,
    first: u32,
    /// Bit n = packet `highest - n` came.
    seen: u64,
    received: u32,
    /// The number that would confirm a jump.
    jump: Option<u16>,
    transit: u32,
    /// Timestamp units per second of the voice that came last.
    clock_hz: u32,
    /// 16 times the jitter, as in RFC 3550 A.8.
    jitter_16: u32,
    /// The largest it was.
    jitter_16_max: u32,
    last: Instant,
    /// Expected and received at the last report.
    reported: (u32, u32),
    /// Middle of the last SR's clock and when it came.
    sender_report: Option<(u32, Instant)>,
}

/// What of a stream outlives it when the peer starts another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) duplicate: u64,
    pub(super) gaps: u64,
    pub(super) jitter_us_max: u32,
}

impl Incoming {
    /// A stream that begins with this packet, of this clock.
    pub(super) fn new(now: Instant, header: &Header, clock_hz: u32) -> Self {
        Incoming {
            ssrc: header.ssrc,
            highest: header.sequence,
            cycles: 0,
            first: u32::from(header.sequence),
            seen: 1,
            received: 1,
            jump: None,
            transit: arrival(now, clock_hz).wrapping_sub(header.timestamp),
            clock_hz,
            jitter_16: 0,
            jitter_16_max: 0,
            last: now,
            reported: (0, 0),
            sender_report: None,
        }
    }

    /// Who speaks.
    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Whether it is the stream of that name, and its voice has that clock.
    pub(super) const fn is(&self, ssrc: u32, clock_hz: u32) -> bool {
        self.ssrc == ssrc && self.clock_hz == clock_hz
    }

    /// When the last packet came.
    pub(super) const fn last(&self) -> Instant {
        self.last
    }

    /// Notes a packet of the stream. Event packets keep their timestamp while time goes on, so only voice,
    /// of this clock, tells jitter.
    pub(super) fn packet(
        &mut self,
        now: Instant,
        header: &Header,
        clock_hz: Option<u32>,
        heard: &mut Heard,
    ) -> Verdict {
        let verdict = self.order(header.sequence, heard);
        match verdict {
            Verdict::Stale => return verdict,
            Verdict::Restart => {
                self.ended(heard);
                *self = Incoming {
                    sender_report: self.sender_report,
                    ..Incoming::new(now, header, clock_hz.unwrap_or(self.clock_hz))
                };
                return verdict;
            }
            Verdict::Next | Verdict::Ahead | Verdict::Late => {}
        }
        self.arrived(now, heard);
        if let Some(clock_hz) = clock_hz {
            if clock_hz != self.clock_hz {
                heard.jitter_us_max = heard.jitter_us_max.max(self.jitter_us_max());
                self.clock_hz = clock_hz;
                self.transit = arrival(now, clock_hz).wrapping_sub(header.timestamp);
                (self.jitter_16, self.jitter_16_max) = (0, 0);
            }
            self.time(now, header.timestamp);
        }
        verdict
    }

    /// Notes a voice packet if it is the very next one, of the clock that the stream has, and says whether it
    /// was: as [`Incoming::packet`] would, which must look at all others.
    #[inline]
    pub(super) fn next(&mut self, now: Instant, sequence: u16, timestamp: u32, heard: &mut Heard) -> bool {
        if sequence != self.highest.wrapping_add(1) {
            return false;
        }
        if sequence == 0 {
            self.cycles = self.cycles.wrapping_add(1 << 16);
        }
        self.highest = sequence;
        self.seen = (self.seen << 1) | 1;
        self.jump = None;
        self.arrived(now, heard);
        self.time(now, timestamp);
        true
    }

    fn arrived(&mut self, now: Instant, heard: &mut Heard) {
        if now > self.last + GAP {
            heard.gaps = heard.gaps.saturating_add(1);
        }
        self.last = now;
        self.received = self.received.wrapping_add(1);
    }

    /// Notes what of the stream outlives it.
    pub(super) fn ended(&self, heard: &mut Heard) {
        heard.lost = heard.lost.saturating_add(u64::from(self.lost().unsigned_abs()));
        heard.jitter_us_max = heard.jitter_us_max.max(self.jitter_us_max());
    }

    /// Where the stream is, for who carries it on. The timestamp is not known here, nor asked: it counts
    /// from the first packet that is carried.
    pub(super) fn position(&self) -> Position {
        Position {
            highest: self.highest,
            seen: self.seen,
            timestamp: 0,
            octets: 0,
            transit: self.transit,
            jitter_16: self.jitter_16,
            jitter_16_max: self.jitter_16,
            last: self.last,
        }
    }

    /// The stream was carried to `position`, in `packets` packets that did not come here. Both may know
    /// packets that the other does not: what came in the moment of a hand-over.
    pub(super) fn carried(&mut self, position: &Position, packets: u64) {
        let ahead = position.highest.wrapping_sub(self.highest);
        if ahead < 1 << 15 {
            if position.highest < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | position.seen;
            self.highest = position.highest;
        } else {
            self.seen |= position.seen.checked_shl(u32::from(ahead.wrapping_neg())).unwrap_or(0);
        }
        self.jump = None;
        self.transit = position.transit;
        self.jitter_16 = position.jitter_16;
        self.last = self.last.max(position.last);
        #[expect(clippy::cast_possible_truncation, reason = "as the sequence numbers wrap")]
        let packets = packets as u32;
        self.received = self.received.wrapping_add(packets);
    }

    fn order(&mut self, sequence: u16, heard: &mut Heard) -> Verdict {
        let ahead = sequence.wrapping_sub(self.highest);
        let behind = self.highest.wrapping_sub(sequence);
        if ahead != 0 && ahead < DROPOUT_MAX {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
            self.seen = if ahead < WINDOW { (self.seen << ahead) | 1 } else { 1 };
            self.jump = None;
            return if ahead == 1 { Verdict::Next } else { Verdict::Ahead };
        }
        if behind < WINDOW {
            let bit = 1u64 << behind;
            if self.seen & bit != 0 {
                heard.duplicate = heard.duplicate.saturating_add(1);
                return Verdict::Stale;
            }
            self.seen |= bit;
            heard.late = heard.late.saturating_add(1);
            return Verdict::Late;
        }
        // A single wild packet changes nothing; two in a row are a restart (RFC 3550 A.1).
        if self.jump == Some(sequence) {
            return Verdict::Restart;
        }
        self.jump = Some(sequence.wrapping_add(1));
        Verdict::Stale
    }

    #[inline]
    fn time(&mut self, now: Instant, timestamp: u32) {
        let transit = arrival(now, self.clock_hz).wrapping_sub(timestamp);
        let moved = transit.wrapping_sub(core::mem::replace(&mut self.transit, transit));
        let distance = moved.min(moved.wrapping_neg());
        if distance < self.clock_hz.saturating_mul(JUMP_SECONDS) {
            // J += (|D| - J) / 16, in sixteenths with rounding.
            let decay = self.jitter_16.saturating_add(8) >> 4;
            self.jitter_16 = self.jitter_16.saturating_add(distance).saturating_sub(decay);
            self.jitter_16_max = self.jitter_16_max.max(self.jitter_16);
        }
    }

    /// Interarrival jitter in timestamp units.
    pub(super) const fn jitter(&self) -> u32 {
        self.jitter_16 >> 4
    }

    /// The same in microseconds.
    pub(super) fn jitter_us(&self) -> u32 {
        self.units_to_us(self.jitter())
    }

    /// The largest it was, in microseconds.
    pub(super) fn jitter_us_max(&self) -> u32 {
        self.units_to_us(self.jitter_16_max >> 4)
    }

    fn units_to_us(&self, units: u32) -> u32 {
        let us = u64::from(units) * 1_000_000 / u64::from(self.clock_hz.max(1));
        u32::try_from(us).unwrap_or(u32::MAX)
    }

    fn expected(&self) -> u32 {
        let last = self.cycles.wrapping_add(u32::from(self.highest));
        last.wrapping_sub(self.first).wrapping_add(1)
    }

    /// Packets that should have come and did not.
    pub(super) fn lost(&self) -> i32 {
        self.expected().wrapping_sub(self.received).cast_signed().max(0)
    }

    /// Notes a sender report of the stream.
    pub(super) fn sender_report(&mut self, now: Instant, ntp_middle: u32) {
        self.sender_report = Some((ntp_middle, now));
    }

    /// What to tell the peer about his stream, since the last time (RFC 3550 A.3).
    pub(super) fn report(&mut self, now: Instant) -> ReportBlock {
        let expected = self.expected();
        let expected_now = expected.wrapping_sub(self.reported.0);
        let received_now = self.received.wrapping_sub(self.reported.1);
        self.reported = (expected, self.received);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (u64::from(lost_now) << 8).checked_div(u64::from(expected_now)).unwrap_or(0);
        let (last_sr, delay) = match self.sender_report {
            Some((middle, at)) => {
                let units = (now - at).as_micros().saturating_mul(65_536) / 1_000_000;
                (middle, u32::try_from(units).unwrap_or(u32::MAX))
            }
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: self.lost(),
            sequence: self.cycles.wrapping_add(u32::from(self.highest)),
            jitter: self.jitter(),
            last_sr,
            delay,
        }
    }
}

/// Now in timestamp units; wraps as timestamps do.
#[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
pub(super) const fn arrival(now: Instant, clock_hz: u32) -> u32 {
    // Whole units of 8 kHz first: every clock is a multiple of it, and nothing overflows.
    ((now.as_nanos() / 125_000) as u32).wrapping_mul(clock_hz / 8_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 1 }
    }

    fn packet(incoming: &mut Incoming, heard: &mut Heard, sequence: u16) -> Verdict {
        incoming.packet(Instant::from_millis(1), &header(sequence, 0), Some(8_000), heard)
    }

    #[test]
    fn order_is_judged_and_loss_counted() {
        let mut heard = Heard::default();
        let mut stream = Incoming::new(Instant::ZERO, &header(65_534, 0), 8_000);
        for (sequence, verdict) in [
            (65_535, Verdict::Next),
            (0, Verdict::Next),
            (3, Verdict::Ahead),
            (2, Verdict::Late),
            (2, Verdict::Stale),
            (3, Verdict::Stale),
            (40_000, Verdict::Stale),
            (4, Verdict::Next),
            (40_001, Verdict::Stale),
            (40_002, Verdict::Restart),
            (40_003, Verdict::Next),
        ] {
            assert_eq!(packet(&mut stream, &mut heard, sequence), verdict, "{sequence}");
            if sequence == 4 {
                assert_eq!(stream.lost(), 1, "number 1 is missing");
            }
        }
        assert_eq!((heard.lost, heard.late, heard.duplicate), (1, 1, 2));
        assert_eq!(stream.lost(), 0);
    }

    #[test]
    fn reports_hold_the_numbers_of_the_rfc() {
        let mut heard = Heard::default();
        let mut stream = Incoming::new(Instant::ZERO, &header(10, 0), 8_000);
        for sequence in (11..=20).filter(|sequence| sequence % 4 != 0) {
            packet(&mut stream, &mut heard, sequence);
        }
        // 10..=20 are 11, of which 12, 16 and 20 are missing; 20 is not known to be missing yet.
        let report = stream.report(Instant::from_secs(1));
        assert_eq!((report.lost, report.fraction_lost, report.sequence), (2, (2 * 256 / 10) as u8, 19));
        stream.sender_report(Instant::from_secs(2), 77);
        let report = stream.report(Instant::from_millis(2_500));
        assert_eq!((report.fraction_lost, report.last_sr, report.delay), (0, 77, 32_768));
    }

    #[test]
    fn jitter_follows_the_formula_and_survives_long_uptime() {
        let mut heard = Heard::default();
        let start = Instant::from_secs(40_000_000);
        let mut stream = Incoming::new(start, &header(0, u32::MAX - 100), 8_000);
        let mut expected = 0f64;
        for n in 1..200u32 {
            // Every other packet 5 ms (40 units) late.
            let late = u64::from(n % 2) * 5;
            let at = start + Duration::from_millis(u64::from(n) * 20 + late);
            stream.packet(
                at,
                &header(n as u16, (u32::MAX - 100).wrapping_add(n * 160)),
                Some(8_000),
                &mut heard,
            );
            expected += (40.0 - expected) / 16.0;
        }
        assert!((f64::from(stream.jitter()) - expected).abs() <= 1.0, "{} {expected}", stream.jitter());
        stream.packet(start, &header(200, 5), Some(8_000), &mut heard);
        assert!(stream.jitter() < 100, "a jump of the timestamp is not jitter");
    }
}
