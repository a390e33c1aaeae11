//! What a peer says, as samples, 20 ms at a time: an adaptive jitter buffer, a decoder, and something to hear
//! where a packet is missing.
//!
//! The stream has its own time (`next`). Each call takes 20 ms from it. A packet that is missing while later
//! ones wait is lost: its time is filled and passes. When nothing waits, time stands still and is filled too:
//! that is how the buffer grows to the network's jitter. What waited without need for two seconds is taken
//! out again, a frame at a time, by letting two frames become one; where that proves wrong, patience grows.
//! So the delay is what the last seconds asked for, and never more than [`DELAY_MS_MAX`].

use super::jitter::{PACKETS_MAX, Packet, Put, Ring};
use super::mouth::Resampler;
use crate::Codec;
use crate::codec::{Decoder, FRAME_MS, PACKET_SAMPLES_MAX};
use crate::dsp::conceal::Concealer;
use crate::dsp::{FRAME_SAMPLES_MAX, Rate};

/// What waits beyond this is dropped at once.
pub(super) const DELAY_MS_MAX: u32 = 200;
/// What must wait before a stream begins to be heard, unless it was waited for as long.
const FIRST_MS: u32 = 2 * FRAME_MS;
/// Frames that are filled while nothing comes; then the stream is at rest until something does.
const STANDSTILL_FRAMES_MAX: u32 = 10;
/// Frames after which what always waited is known to be too much: two seconds. Each time that nothing waits
/// it doubles, up to a minute.
const PATIENCE_FRAMES: u32 = 100;
const PATIENCE_FRAMES_MAX: u32 = 3_200;
/// Beyond this a packet that came too late asks for no more delay.
const LATE_MS_MAX: u32 = 100;
/// A stream whose own time jumps by more than this begins anew.
const JUMP_MS: u32 = 2_000;

/// What 20 ms were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// Voice, at least in part.
    Voice,
    /// Made up.
    Concealed,
    /// The peer is silent, or not there.
    Nothing,
}

/// Where the stream's own time is.
#[derive(Clone, Copy, Debug)]
struct Next {
    sequence: u16,
    timestamp: u32,
}

/// One peer's ear. Allocates when the codec changes, else not.
#[derive(Debug)]
pub(super) struct Ear {
    /// Of the samples given out.
    rate: Rate,
    ring: Ring,
    next: Option<Next>,
    /// The packet with the highest timestamp so far.
    newest: Option<Packet>,
    voice: Option<Voice>,
    /// Frames since the first packet of a stream came that is not heard yet.
    waited: u32,
    /// Frames filled while time stood still, since the last packet.
    standstill: u32,
    /// Least that waited after a frame, in this window of frames; and the frames of the window.
    spare_ms: u32,
    window: u32,
    patience: u32,
    /// Packets that came after their time, since the last frame.
    late: u32,
    /// Frames made up, packets come too late, frames taken out: since the beginning.
    pub(super) counted: Counted,
}

/// What happened to what was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counted {
    pub(super) concealed: u64,
    pub(super) late: u64,
    pub(super) shortened: u64,
}

/// The decoder and what it made that was not taken yet.
#[derive(Debug)]
struct Voice {
    codec: Codec,
    decoder: Box<dyn Decoder>,
    concealer: Concealer,
    resampler: Resampler,
    samples: Box<[i16; PACKET_SAMPLES_MAX]>,
    /// Of `samples`: taken, and made; and whether they were made up.
    taken: usize,
    made: usize,
    is_made_up: bool,
}

impl Voice {
    fn new(codec: Codec, rate: Rate) -> Option<Self> {
        let decoder = (codec.info().decoder)(rate)?;
        let made_at = decoder.rate();
        Some(Voice {
            codec,
            decoder,
            concealer: Concealer::new(made_at),
            resampler: Resampler::between(made_at, rate),
            samples: Box::new([0; PACKET_SAMPLES_MAX]),
            taken: 0,
            made: 0,
            is_made_up: false,
        })
    }

    const fn left(&self) -> usize {
        self.made.saturating_sub(self.taken)
    }

    /// Timestamp units that samples take.
    fn units(&self, samples: usize) -> u32 {
        let clock = u64::from(self.codec.info().clock_hz);
        u32::try_from(samples as u64 * clock / u64::from(self.decoder.rate().hz())).unwrap_or(u32::MAX)
    }

    /// Decodes a packet; its length in timestamp units.
    fn decode(&mut self, payload: &[u8]) -> Option<u32> {
        self.taken = 0;
        self.is_made_up = false;
        self.made = self.decoder.decode(payload, self.samples.as_mut_slice()).unwrap_or(0);
        let samples = self.samples.get_mut(..self.made)?;
        if samples.is_empty() {
            return None;
        }
        self.concealer.heard(samples);
        Some(self.units(self.made))
    }

    /// Makes up a frame; its length in timestamp units.
    fn conceal(&mut self, next: Option<&[u8]>) -> u32 {
        self.taken = 0;
        self.is_made_up = true;
        self.made = self.decoder.rate().frame();
        if let Some(samples) = self.samples.get_mut(..self.made)
            && !self.decoder.conceal(next, samples)
        {
            self.concealer.lost(samples);
        }
        self.units(self.made)
    }

    /// Moves samples into `out`: how many.
    fn take(&mut self, out: &mut [i16]) -> usize {
        let count = self.left().min(out.len());
        let made = self.samples.get(self.taken..self.taken.saturating_add(count)).unwrap_or_default();
        if let Some(out) = out.get_mut(..made.len()) {
            out.copy_from_slice(made);
        }
        self.taken = self.taken.saturating_add(made.len());
        made.len()
    }
}

/// Ahead on the circle of timestamps: by how much.
const fn ahead(a: u32, b: u32) -> Option<u32> {
    let distance = a.wrapping_sub(b);
    if distance < 1 << 31 { Some(distance) } else { None }
}

/// Whether a packet's time is nowhere near another's.
const fn is_elsewhere(one: Packet, other: Packet) -> bool {
    let distance = other.timestamp.wrapping_sub(one.timestamp).cast_signed().unsigned_abs();
    distance > JUMP_MS * (one.codec.info().clock_hz / 1_000)
}

impl Ear {
    /// For samples at `rate`, of a stream whose packets have about `bytes` of payload.
    pub(super) fn new(rate: Rate, bytes: usize) -> Self {
        Ear {
            rate,
            ring: Ring::new(bytes),
            next: None,
            newest: None,
            voice: None,
            waited: 0,
            standstill: 0,
            spare_ms: u32::MAX,
            window: 0,
            patience: PATIENCE_FRAMES,
            late: 0,
            counted: Counted::default(),
        }
    }

    /// The rate of what it gives out.
    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Gives out samples at another rate from now on.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        if self.rate != rate {
            self.rate = rate;
            self.voice = None;
        }
    }

    /// Forgets what waits: another stream begins, or nobody listened for a while.
    pub(super) fn clear(&mut self) {
        self.ring.clear();
        self.next = None;
        self.newest = None;
        self.waited = 0;
        self.standstill = 0;
        self.late = 0;
        if let Some(voice) = &mut self.voice {
            voice.made = 0;
        }
    }

    /// A packet came.
    pub(super) fn packet(&mut self, packet: Packet, payload: &[u8]) {
        if let Some(next) = self.next {
            let ahead = packet.sequence.wrapping_sub(next.sequence);
            if ahead >= 1 << 15 {
                self.late = self.late.saturating_add(1);
                self.counted.late = self.counted.late.saturating_add(1);
                return;
            }
            if ahead >= PACKETS_MAX {
                self.clear();
            }
        }
        if self.newest.is_some_and(|newest| is_elsewhere(newest, packet)) {
            self.clear();
        }
        if self.ring.put(packet, payload) == Put::Refused {
            self.counted.late = self.counted.late.saturating_add(1);
            return;
        }
        if self.newest.is_none_or(|newest| ahead(packet.timestamp, newest.timestamp).is_some()) {
            self.newest = Some(packet);
        }
    }

    /// The next 20 ms, at the beginning of `out`.
    pub(super) fn frame(&mut self, out: &mut [i16; FRAME_SAMPLES_MAX]) -> Heard {
        let Some(out) = out.get_mut(..self.rate.frame()) else { return Heard::Nothing };
        if !self.begins() {
            out.fill(0);
            return Heard::Nothing;
        }
        self.drop_excess();
        let heard = self.fill(out);
        if heard == Heard::Voice {
            self.shorten(out);
        }
        heard
    }

    /// Whether the stream is to be heard: it is already, or enough of it came by now.
    fn begins(&mut self) -> bool {
        if self.next.is_some() {
            return true;
        }
        // The one with the least timestamp, wherever the numbers are.
        let earlier = |a: Packet, b: Packet| if ahead(a.timestamp, b.timestamp).is_some() { b } else { a };
        let Some(first) = self.ring.all().reduce(earlier) else { return false };
        if self.ends_in_ms(first.timestamp) < FIRST_MS && self.waited == 0 {
            self.waited = self.waited.saturating_add(1);
            return false;
        }
        self.next = Some(Next { sequence: first.sequence, timestamp: first.timestamp });
        self.waited = 0;
        self.standstill = 0;
        self.spare_ms = u32::MAX;
        self.window = 0;
        true
    }

    /// Milliseconds from `timestamp` to the end of the newest packet.
    fn ends_in_ms(&self, timestamp: u32) -> u32 {
        let Some(newest) = self.newest else { return 0 };
        let units = ahead(newest.timestamp.wrapping_add(newest.codec.frame_units()), timestamp);
        units.unwrap_or(0) / (newest.codec.info().clock_hz / 1_000)
    }

    /// Milliseconds that wait, decoded or not.
    fn waiting_ms(&self) -> u32 {
        let decoded = self
            .voice
            .as_ref()
            .map_or(0, |voice| u32::try_from(voice.left()).unwrap_or(0) * 1_000 / voice.decoder.rate().hz());
        decoded.saturating_add(self.next.map_or(0, |next| self.ends_in_ms(next.timestamp)))
    }

    /// Keeps the limit: the oldest of what waits is dropped.
    fn drop_excess(&mut self) {
        while self.waiting_ms() > DELAY_MS_MAX {
            let Some(next) = self.next else { return };
            let Some(first) = self.ring.first_from(next.sequence) else { return };
            self.ring.forget(first.sequence);
            self.counted.shortened = self.counted.shortened.saturating_add(1);
            let sequence = first.sequence.wrapping_add(1);
            let timestamp = self.ring.first_from(sequence).map_or(first.timestamp, |then| then.timestamp);
            self.next = Some(Next { sequence, timestamp });
        }
    }

    /// Fills a frame from what was decoded, packets, and what is made up.
    fn fill(&mut self, out: &mut [i16]) -> Heard {
        let mut native = [0; FRAME_SAMPLES_MAX];
        let mut heard = Heard::Concealed;
        let mut filled = 0;
        // Each round takes samples or makes some: 64 of 2.5 ms would be more than a frame has.
        for _ in 0..64 {
            let wanted = self.voice.as_ref().map_or(self.rate, |voice| voice.decoder.rate()).frame();
            if filled >= wanted {
                break;
            }
            if let Some(voice) = &mut self.voice
                && voice.left() > 0
            {
                filled += voice.take(native.get_mut(filled..wanted).unwrap_or_default());
                if !voice.is_made_up {
                    heard = Heard::Voice;
                }
                continue;
            }
            match self.advance() {
                Heard::Voice => {}
                Heard::Concealed => self.counted.concealed = self.counted.concealed.saturating_add(1),
                Heard::Nothing => break,
            }
        }
        if filled == 0 && heard == Heard::Concealed && self.next.is_none() {
            heard = Heard::Nothing;
        }
        self.resample(&native, out);
        heard
    }

    fn resample(&mut self, native: &[i16; FRAME_SAMPLES_MAX], out: &mut [i16]) {
        let Some(voice) = &mut self.voice else { return out.fill(0) };
        let made = native.get(..voice.decoder.rate().frame()).unwrap_or_default();
        voice.resampler.convert(made, out);
    }

    /// Decodes the next packet, or makes up for it.
    fn advance(&mut self) -> Heard {
        let Some(next) = self.next else { return Heard::Nothing };
        let Some(first) = self.ring.first_from(next.sequence) else { return self.stand_still() };
        let per_ms = first.codec.info().clock_hz / 1_000;
        if core::mem::take(&mut self.late) > 0
            && self.waiting_ms() < LATE_MS_MAX
            && let Some(voice) = &mut self.voice
        {
            // What was passed over did come, too late: let there be more delay.
            voice.conceal(None);
            return Heard::Concealed;
        }
        let gap = match ahead(first.timestamp, next.timestamp) {
            // Its own time went back, or jumped: it begins to count elsewhere.
            None => 0,
            Some(gap) if gap > JUMP_MS * per_ms => 0,
            // What was filled while time stood still was this gap.
            Some(gap) => gap.saturating_sub(self.standstill * FRAME_MS * per_ms),
        };
        self.standstill = 0;
        self.next = Some(Next { timestamp: first.timestamp.wrapping_sub(gap), ..next });
        // Less than half a frame is nobody's packet.
        if gap >= FRAME_MS * per_ms / 2 && self.voice.is_some() {
            return self.pass_over(first, gap);
        }
        self.decode(first)
    }

    /// Fills 20 ms of a gap before `first`, and lets them pass.
    fn pass_over(&mut self, first: Packet, gap: u32) -> Heard {
        let Some(next) = self.next else { return Heard::Nothing };
        let Some(voice) = &mut self.voice else { return Heard::Nothing };
        let follows = gap <= first.codec.frame_units() && first.sequence != next.sequence;
        let behind = self.ring.get(first.sequence).filter(|_| follows && voice.codec == first.codec);
        let units = voice.conceal(behind.map(|(_, payload)| payload));
        let timestamp = next.timestamp.wrapping_add(units.min(gap));
        self.next = Some(Next { timestamp, ..next });
        Heard::Concealed
    }

    fn decode(&mut self, packet: Packet) -> Heard {
        if self.voice.as_ref().is_none_or(|voice| voice.codec != packet.codec) {
            self.voice = Voice::new(packet.codec, self.rate);
        }
        let sequence = packet.sequence.wrapping_add(1);
        let payload = self.ring.get(packet.sequence).map(|(_, payload)| payload);
        let units = self.voice.as_mut().zip(payload).and_then(|(voice, payload)| voice.decode(payload));
        self.ring.forget(packet.sequence);
        let Some(units) = units else {
            // Nothing that the codec knows: as if it had been lost.
            let timestamp = packet.timestamp.wrapping_add(packet.codec.frame_units());
            self.next = Some(Next { sequence, timestamp });
            let Some(voice) = &mut self.voice else { return Heard::Nothing };
            voice.conceal(None);
            return Heard::Concealed;
        };
        self.next = Some(Next { sequence, timestamp: packet.timestamp.wrapping_add(units) });
        Heard::Voice
    }

    /// Nothing waits: fills 20 ms while the stream's time stands still.
    fn stand_still(&mut self) -> Heard {
        if self.standstill == 0 {
            self.patience = self.patience.saturating_mul(2).min(PATIENCE_FRAMES_MAX);
            self.window = 0;
        }
        self.standstill = self.standstill.saturating_add(1);
        if self.standstill > STANDSTILL_FRAMES_MAX {
            self.clear();
            return Heard::Nothing;
        }
        let Some(voice) = &mut self.voice else { return Heard::Nothing };
        voice.conceal(None);
        Heard::Concealed
    }

    /// Lets this frame and the next become one, if for a whole window one more than needed waited.
    fn shorten(&mut self, out: &mut [i16]) {
        self.spare_ms = self.spare_ms.min(self.waiting_ms());
        self.window = self.window.saturating_add(1);
        if self.window < self.patience {
            return;
        }
        let is_spare = self.spare_ms >= FRAME_MS;
        self.window = 0;
        self.spare_ms = u32::MAX;
        if !is_spare {
            return;
        }
        self.patience = (self.patience / 2).max(PATIENCE_FRAMES);
        let mut second = [0; FRAME_SAMPLES_MAX];
        let Some(second) = second.get_mut(..out.len()) else { return };
        self.fill(second);
        let length = i32::try_from(out.len()).unwrap_or(1).max(1);
        for ((first, second), n) in out.iter_mut().zip(second).zip(0..) {
            let sum = i32::from(*first) * (length - n) + i32::from(*second) * n;
            *first = (sum / length) as i16;
        }
        self.counted.shortened = self.counted.shortened.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
