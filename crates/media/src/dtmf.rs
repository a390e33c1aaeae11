//! Telephone events (RFC 4733).

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use base::Instant;

use crate::codec::FRAME_MS;

/// The clock of events beside every codec but Opus.
pub const CLOCK_HZ: u32 = 8_000;

/// A key of a telephone: `0`-`9`, `*`, `#`, `A`-`D`. Masked in `Debug`: digits may be a PIN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(u8);

/// Keys in the order of their event codes (RFC 4733 table 3).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

impl Digit {
    /// The key printed on the telephone, as ASCII (`a`-`d` too).
    pub fn from_byte(byte: u8) -> Option<Digit> {
        let upper = byte.to_ascii_uppercase();
        KEYS.contains(&upper).then_some(Digit(upper))
    }

    /// The key of event code 0-15 (RFC 4733 table 3).
    pub fn from_event(code: u8) -> Option<Digit> {
        KEYS.get(usize::from(code)).copied().map(Digit)
    }

    /// The key as ASCII: `b'0'..=b'9'`, `b'*'`, `b'#'`, `b'A'..=b'D'`.
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Its event code, 0-15.
    pub const fn event(self) -> u8 {
        match self.0 {
            b'*' => 10,
            b'#' => 11,
            letter @ b'A'..=b'D' => letter.wrapping_sub(b'A').wrapping_add(12),
            digit => digit.wrapping_sub(b'0'),
        }
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(•)")
    }
}

/// Bytes of one event in a payload (RFC 4733 §2.3).
pub const EVENT_BYTES: usize = 4;
/// An event whose packets stopped without the end bit is over after this.
const END_LOST: Duration = Duration::from_millis(200);
/// Repeated end packets of an event come within this; afterwards its timestamp means nothing.
const ECHO: Duration = Duration::from_secs(2);

/// A key that was pressed and released.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Press {
    /// Which.
    pub digit: Digit,
    /// How long, as the sender measured it.
    pub duration_ms: u32,
}

/// An event whose end has not been seen.
#[derive(Clone, Copy, Debug)]
struct Open {
    code: u8,
    /// RTP timestamp of the (current segment's) start: what tells two presses of one key apart.
    start: u32,
    /// Units in earlier segments of a long event (RFC 4733 §2.5.1.3).
    earlier: u32,
    /// Units in this segment so far.
    duration: u16,
    seen: Instant,
}

/// Turns event packets into key presses: each press once, whichever of its packets arrive.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    /// Timestamp units per second.
    clock_hz: u32,
    open: Option<Open>,
    /// Start of the last finished event and when it finished: its repeated ends are no new press.
    done: Option<(u32, Instant)>,
}

impl Receiver {
    /// For events of this clock.
    pub const fn new(clock_hz: u32) -> Self {
        Receiver { clock_hz, open: None, done: None }
    }

    /// The same, having heard nothing yet.
    #[must_use]
    pub const fn anew(&self) -> Self {
        Receiver::new(self.clock_hz)
    }

    /// An event packet came. At most two presses: one that it ends by being another, and itself.
    pub fn packet(&mut self, now: Instant, timestamp: u32, payload: &[u8]) -> [Option<Press>; 2] {
        let Some(&[code, flags, d0, d1]) = payload.first_chunk::<EVENT_BYTES>() else { return [None; 2] };
        let duration = u16::from_be_bytes([d0, d1]);
        let ended = flags & 0x80 != 0;
        if self.is_echo(now, timestamp) {
            return [None; 2];
        }
        let mut before = None;
        match &mut self.open {
            Some(open) if open.start == timestamp => {
                open.duration = open.duration.max(duration);
                open.seen = now;
            }
            Some(open) if is_before(timestamp, open.start, self.clock_hz) => return [None; 2],
            Some(open) if open.code == code && continues(open, timestamp) => {
                let earlier = open.earlier.saturating_add(timestamp.wrapping_sub(open.start));
                *open = Open { code, start: timestamp, earlier, duration, seen: now };
            }
            open => {
                before = open.take().and_then(|open| press(&open, self.clock_hz));
                *open = Some(Open { code, start: timestamp, earlier: 0, duration, seen: now });
            }
        }
        [before, if ended { self.finish(now) } else { None }]
    }

    /// Ends an event whose end was lost.
    pub fn timeout(&mut self, now: Instant) -> Option<Press> {
        if self.open.is_some_and(|open| now.since(open.seen) >= END_LOST) { self.finish(now) } else { None }
    }

    /// Whether [`Receiver::timeout`] has something to wait for.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn finish(&mut self, now: Instant) -> Option<Press> {
        let open = self.open.take()?;
        self.done = Some((open.start, now));
        press(&open, self.clock_hz)
    }

    /// Whether a packet belongs to the last finished event, or to one before it.
    fn is_echo(&self, now: Instant, timestamp: u32) -> bool {
        self.done.is_some_and(|(start, at)| {
            now.since(at) < ECHO && (timestamp == start || is_before(timestamp, start, self.clock_hz))
        })
    }
}

/// Before on the circle of timestamps, by less than ten seconds: more is another count.
fn is_before(a: u32, b: u32, clock_hz: u32) -> bool {
    let distance = b.wrapping_sub(a);
    distance != 0 && distance < clock_hz.saturating_mul(10)
}

/// Whether an event at `timestamp` goes on where the segment `open` ran out of duration.
fn continues(open: &Open, timestamp: u32) -> bool {
    // A sender cuts at or just before 0xFFFF; a second press can never be so near to a first so long.
    let length = timestamp.wrapping_sub(open.start);
    (0xF000..=0xFFFF).contains(&length)
}

fn press(open: &Open, clock_hz: u32) -> Option<Press> {
    let digit = Digit::from_event(open.code)?;
    let units = open.earlier.saturating_add(u32::from(open.duration));
    Some(Press { digit, duration_ms: units.div_ceil(clock_hz.div_ceil(1_000).max(1)) })
}

/// 20 ms ticks of one key: the last three carry the end bit (RFC 4733 §2.5.1.4).
const KEY_TICKS: u32 = 7;
/// Ticks at which the tone still grows: 100 ms.
const TONE_TICKS: u32 = 5;
/// Ticks between two keys: 60 ms.
const GAP_TICKS: u32 = 3;

/// One event packet to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventPacket {
    /// First packet of the key.
    pub marker: bool,
    /// Start of the event: the same in all its packets.
    pub timestamp: u32,
    /// The event.
    pub payload: [u8; EVENT_BYTES],
}

/// What a leg that sends keys does at a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SenderTick {
    /// Nothing to send.
    Idle,
    /// Send this.
    Packet(EventPacket),
    /// Between two keys: silence.
    Gap,
    /// The last gap is over; from the next tick on idle.
    Done,
}

/// Turns keys into event packets, one per 20 ms.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    waiting: VecDeque<Digit>,
    /// The key being sent, its start, and the ticks it has had.
    current: Option<(Digit, u32, u32)>,
}

impl Sender {
    /// Queues keys up to `limit`; the number that did not fit.
    pub fn push(&mut self, digits: &[Digit], limit: usize) -> usize {
        let room = limit.saturating_sub(self.waiting.len()).min(digits.len());
        self.waiting.extend(digits.iter().take(room));
        digits.len().saturating_sub(room)
    }

    /// Whether keys are being sent.
    pub fn is_active(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    /// Forgets all keys.
    pub fn clear(&mut self) -> usize {
        let forgotten = self.waiting.len();
        self.waiting.clear();
        self.current = None;
        forgotten
    }

    /// The next 20 ms; `timestamp` is now in the stream, in units of `clock_hz`.
    pub fn tick(&mut self, timestamp: u32, clock_hz: u32) -> SenderTick {
        let (digit, start, ticks) = match self.current {
            Some(current) => current,
            None => match self.waiting.pop_front() {
                Some(digit) => (digit, timestamp, 0),
                None => return SenderTick::Idle,
            },
        };
        self.current = Some((digit, start, ticks.saturating_add(1)));
        if ticks < KEY_TICKS {
            let frame = clock_hz.div_ceil(1_000).saturating_mul(FRAME_MS);
            let units = ticks.saturating_add(1).min(TONE_TICKS).saturating_mul(frame);
            let end = if ticks.saturating_add(1) >= TONE_TICKS { 0x80 } else { 0 };
            let [.., d0, d1] = units.to_be_bytes();
            // Volume 10 = -10 dBm0: what telephones send.
            let payload = [digit.event(), end | 10, d0, d1];
            return SenderTick::Packet(EventPacket { marker: ticks == 0, timestamp: start, payload });
        }
        if ticks.saturating_add(1) < KEY_TICKS + GAP_TICKS {
            return SenderTick::Gap;
        }
        self.current = None;
        if self.waiting.is_empty() { SenderTick::Done } else { SenderTick::Gap }
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver::new(CLOCK_HZ)
    }
}

/// An event of one clock as an event of another: only its duration changes, as far as 16 bits go.
pub fn rescale(payload: &[u8], from_hz: u32, to_hz: u32) -> Option<[u8; EVENT_BYTES]> {
    let &[code, flags, d0, d1] = payload.first_chunk::<EVENT_BYTES>()?;
    let units = u64::from(u16::from_be_bytes([d0, d1])).checked_mul(u64::from(to_hz))?;
    let units = u16::try_from(units.checked_div(u64::from(from_hz))?).unwrap_or(u16::MAX);
    let [d0, d1] = units.to_be_bytes();
    Some([code, flags, d0, d1])
}

#[cfg(test)]
mod tests;
