//! What a leg's peer hears: one stream with one SSRC for the leg's whole life, whose sequence numbers
//! and timestamps go on without a jump whichever source feeds it (RFC 3550 §5.1).

use base::Instant;

use super::incoming::arrival;
use super::offload::Position;
use crate::rtp::Header;

/// Numbers back that are still the same source's.
const LATE_MAX: u16 = 1_000;
/// A source that is off by more began to count elsewhere.
const JUMP_SECONDS: u32 = 2;

/// Who feeds the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Feed {
    /// Nobody yet.
    Nobody,
    /// Our own packets: silence, prompts, music. The number tells one from the next.
    Local(u32),
    /// A peer's stream: his leg and the count of his streams so far.
    Peer { leg: u32, generation: u32, epoch: u32 },
}

/// What is added to a peer's numbers while he feeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shifts {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
}

/// One leg's sending side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing {
    ssrc: u32,
    /// Timestamp units per second.
    clock_hz: u32,
    /// Of the next packet of our own.
    sequence: u16,
    /// The timestamp at [`Instant::ZERO`].
    base: u32,
    /// Where the stream has come to: the end of what was sent.
    reached: u32,
    /// What the newest voice packet's timestamp was beyond its instant in timestamp units: by it the stream
    /// is where time has brought it since.
    course: Option<u32>,
    feed: Feed,
    /// Added to a peer's numbers while he feeds.
    sequence_shift: u16,
    timestamp_shift: u32,
    /// The first number sent for this feed: what maps below it came too late.
    floor: u16,
    packets: u64,
    octets: u64,
    /// `packets` at the last sender report.
    reported: u64,
}

impl Outgoing {
    /// A stream that starts at random numbers (RFC 3550 §5.1).
    pub(super) const fn new(ssrc: u32, sequence: u16, base: u32) -> Self {
        Outgoing {
            ssrc,
            clock_hz: crate::dtmf::CLOCK_HZ,
            sequence,
            base,
            reached: base,
            course: None,
            feed: Feed::Nobody,
            sequence_shift: 0,
            timestamp_shift: 0,
            floor: sequence,
            packets: 0,
            octets: 0,
            reported: 0,
        }
    }

    /// Counts in units of another codec from now on: the stream goes on where it is.
    pub(super) fn set_clock(&mut self, now: Instant, clock_hz: u32) {
        if self.clock_hz == clock_hz {
            return;
        }
        let here =
            self.course.map_or(self.reached, |course| course.wrapping_add(arrival(now, self.clock_hz)));
        self.clock_hz = clock_hz;
        self.base = here.wrapping_sub(arrival(now, clock_hz));
        self.reached = here;
        self.course = None;
        self.feed = Feed::Nobody;
    }

    /// Our own packet of `units` and `octets` at `at`, an instant of the leg's 20 ms grid.
    #[inline]
    pub(super) fn local(
        &mut self,
        at: Instant,
        kind: u32,
        payload_type: u8,
        units: u32,
        octets: usize,
    ) -> Header {
        let timestamp = self.local_timestamp(at);
        let marker = self.feed != Feed::Local(kind);
        self.feed = Feed::Local(kind);
        self.course = Some(timestamp.wrapping_sub(arrival(at, self.clock_hz)));
        let header = self.header(marker, payload_type, self.sequence, timestamp);
        self.sequence = self.sequence.wrapping_add(1);
        self.reach(timestamp, units);
        self.count(octets);
        header
    }

    /// Now in our stream, for a packet of our own. Where a peer's clock ran ahead of ours while he fed,
    /// the stream goes on where his ended, never back.
    pub(super) fn local_timestamp(&self, at: Instant) -> u32 {
        let timestamp = self.base.wrapping_add(arrival(at, self.clock_hz));
        let is_behind = self.packets > 0 && is_ahead(self.reached.wrapping_sub(timestamp));
        if is_behind { self.reached } else { timestamp }
    }

    /// An event packet of ours: its timestamp was fixed at the event's start.
    pub(super) fn event(&mut self, marker: bool, payload_type: u8, timestamp: u32, octets: usize) -> Header {
        // Voice that follows is another source to the listener.
        self.feed = Feed::Nobody;
        let header = self.header(marker, payload_type, self.sequence, timestamp);
        self.sequence = self.sequence.wrapping_add(1);
        self.count(octets);
        header
    }

    /// A peer's packet of `octets`, and of so many units if it is voice. `None`: it is from before this source
    /// began and came too late.
    #[inline]
    pub(super) fn relayed(
        &mut self,
        now: Instant,
        feed: Feed,
        from: &Header,
        voice: Option<u32>,
        octets: usize,
    ) -> Option<Header> {
        let mut marker = from.marker;
        if self.feed != feed {
            self.feed = feed;
            self.floor = self.sequence;
            self.sequence_shift = self.sequence.wrapping_sub(from.sequence);
            self.anchor(now, from.timestamp);
            marker = true;
        } else if voice.is_some() && self.is_elsewhere(now, from.timestamp) {
            self.anchor(now, from.timestamp);
            marker = true;
        }
        let sequence = from.sequence.wrapping_add(self.sequence_shift);
        if sequence.wrapping_sub(self.floor) >= 1 << 15 {
            return None;
        }
        let timestamp = from.timestamp.wrapping_add(self.timestamp_shift);
        if sequence.wrapping_sub(self.sequence) < 1 << 15 {
            self.advance(sequence);
            if let Some(units) = voice {
                self.course = Some(timestamp.wrapping_sub(arrival(now, self.clock_hz)));
                self.reach(timestamp, units);
            }
        }
        self.count(octets);
        Some(self.header(marker, 0, sequence, timestamp))
    }

    /// Closes the gap that a peer's packet leaves which was not passed on, if it was the next one.
    pub(super) const fn absorbed(&mut self, feed: Feed, sequence: u16) {
        let same = match (self.feed, feed) {
            (Feed::Peer { leg, generation, epoch }, Feed::Peer { leg: l, generation: g, epoch: e }) => {
                leg == l && generation == g && epoch == e
            }
            _ => false,
        };
        if same && sequence.wrapping_add(self.sequence_shift) == self.sequence {
            self.sequence_shift = self.sequence_shift.wrapping_sub(1);
            // What is late from before the absorbed packet would now meet a number already used.
            self.floor = self.sequence;
        }
    }

    /// Nobody feeds: whoever does next begins where the stream is.
    pub(super) const fn rest(&mut self) {
        self.feed = Feed::Nobody;
    }

    /// What is added to the numbers of who feeds.
    pub(super) const fn shifts(&self) -> Shifts {
        Shifts { sequence: self.sequence_shift, timestamp: self.timestamp_shift }
    }

    /// The same, if that is `feed`.
    pub(super) fn shifts_of(&self, feed: Feed) -> Option<Shifts> {
        (self.feed == feed).then(|| self.shifts())
    }

    /// The peer who feeds was carried to `position`, in packets that did not come here.
    pub(super) fn carried(&mut self, position: &Position, packets: u64, octets: u64) {
        self.packets = self.packets.saturating_add(packets);
        self.octets = self.octets.saturating_add(octets);
        let sequence = position.highest.wrapping_add(self.sequence_shift);
        if sequence.wrapping_sub(self.sequence) < 1 << 15 {
            let timestamp = position.timestamp.wrapping_add(self.timestamp_shift);
            self.advance(sequence);
            self.course = Some(timestamp.wrapping_sub(arrival(position.last, self.clock_hz)));
            self.reach(timestamp, u32::from(position.octets));
        }
    }

    /// A peer's packet is the stream's last.
    const fn advance(&mut self, sequence: u16) {
        self.sequence = sequence.wrapping_add(1);
        if sequence.wrapping_sub(self.floor) > LATE_MAX {
            self.floor = sequence.wrapping_sub(LATE_MAX);
        }
    }

    /// Lets a peer's timestamp stand for now in our stream.
    fn anchor(&mut self, now: Instant, timestamp: u32) {
        let here = self.course.unwrap_or(self.base).wrapping_add(arrival(now, self.clock_hz));
        let short = self.reached.wrapping_sub(here);
        let here = if self.packets > 0 && is_ahead(short) { self.reached } else { here };
        self.timestamp_shift = here.wrapping_sub(timestamp);
    }

    /// Whether the source's timestamp left the course that time gives it.
    fn is_elsewhere(&self, now: Instant, timestamp: u32) -> bool {
        let Some(course) = self.course else { return false };
        let expected = course.wrapping_add(arrival(now, self.clock_hz));
        let off = timestamp.wrapping_add(self.timestamp_shift).wrapping_sub(expected);
        off.min(off.wrapping_neg()) > self.clock_hz.saturating_mul(JUMP_SECONDS)
    }

    fn reach(&mut self, timestamp: u32, units: u32) {
        let end = timestamp.wrapping_add(units);
        if self.packets == 0 || is_ahead(end.wrapping_sub(self.reached)) {
            self.reached = end;
        }
    }

    const fn header(&self, marker: bool, payload_type: u8, sequence: u16, timestamp: u32) -> Header {
        Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    const fn count(&mut self, octets: usize) {
        self.packets = self.packets.saturating_add(1);
        self.octets = self.octets.saturating_add(octets as u64);
    }

    /// The stream's name.
    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload bytes sent.
    pub(super) const fn sent(&self) -> (u64, u64) {
        (self.packets, self.octets)
    }

    /// Now in the stream, for a sender report; `None` if nothing was sent since the last one.
    pub(super) fn report_timestamp(&mut self, now: Instant) -> Option<u32> {
        if self.packets == self.reported {
            return None;
        }
        self.reported = self.packets;
        Some(self.course?.wrapping_add(arrival(now, self.clock_hz)))
    }
}

/// Ahead on the circle.
const fn is_ahead(distance: u32) -> bool {
    distance != 0 && distance < 1 << 31
}
