//! A message that the caller leaves: what his leg hears, kept as it came, in a buffer that was there
//! before his first word. Keys are not in it; what did not come is silence.

use core::time::Duration;

use base::{Instant, Pii};

use super::command::Event;
use super::mouth::Mouth;
use super::{Relay, Slot};
use crate::Codec;
use crate::codec::opus::Parameters;
use crate::codec::{Conversion, Decoder, FRAME_BYTES_MAX, FRAME_MS, PACKET_SAMPLES_MAX, conversion};

/// The longest recording; a longer wish is cut to it.
pub const RECORDING_MAX: Duration = Duration::from_secs(600);
/// Bytes of a millisecond of a recording, whatever codec it is in. What comes in another kind of codec is
/// recorded as A-law.
const BYTES_PER_MS: u64 = 8;
const BYTES_PER_S: u64 = 1_000 * BYTES_PER_MS;
/// How far a stream's own time may be from the clock before it is placed anew: by then it paused without
/// counting, or jumped.
const SLACK: u64 = 1_000 * BYTES_PER_MS;

/// Where one stream's time and the recording's meet.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    epoch: u32,
    clock_hz: u32,
    timestamp: u32,
    offset: u64,
}

/// A recording that goes on.
#[derive(Debug)]
pub(super) struct Recorder {
    token: u64,
    /// The codec of the first packet; later ones are converted to it.
    codec: Option<Codec>,
    audio: Pii<Vec<u8>>,
    /// Bytes at most: the buffer's capacity.
    bytes_max: usize,
    started: Instant,
    ends_at: Instant,
    anchor: Option<Anchor>,
    through: Option<Box<Through>>,
}

/// The way from what comes to what is recorded, through samples.
#[derive(Debug)]
struct Through {
    from: Codec,
    decoder: Box<dyn Decoder>,
    mouth: Option<Box<Mouth>>,
    samples: [i16; PACKET_SAMPLES_MAX],
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kept {
    /// It is in, or it lies before the beginning.
    Yes,
    /// It is in as far as there was room: the recording is at its longest.
    Full,
    /// There is no memory for its decoder.
    Untranslatable,
}

/// Bytes that `length` takes.
fn bytes(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX).saturating_mul(BYTES_PER_MS)
}

impl Recorder {
    /// A recording from `now`; `None` if there is no memory for it.
    fn new(now: Instant, token: u64, length_max: Duration) -> Option<Self> {
        let bytes_max = usize::try_from(bytes(length_max)).ok()?;
        let mut audio = Vec::new();
        audio.try_reserve_exact(bytes_max).ok()?;
        Some(Recorder {
            token,
            codec: None,
            audio: Pii::new(audio),
            bytes_max,
            started: now,
            ends_at: now + length_max,
            anchor: None,
            through: None,
        })
    }

    /// Keeps a voice packet at its place in time. A late one fills the gap that it left.
    pub(super) fn voice(
        &mut self,
        now: Instant,
        epoch: u32,
        timestamp: u32,
        codec: Codec,
        payload: &[u8],
    ) -> Kept {
        let is_cut_anywhere = codec.info().bytes_per_ms.is_some();
        let own = *self.codec.get_or_insert(if is_cut_anywhere { codec } else { Codec::Pcma });
        let Some(place) = self.place(now, epoch, timestamp, codec.info().clock_hz) else { return Kept::Yes };
        match conversion(codec, own) {
            Conversion::Same => self.put(place, payload, own, |byte| byte),
            Conversion::Table(table) => self.put(place, payload, own, |byte| {
                // A table of 256 holds every byte.
                table.get(usize::from(byte)).copied().unwrap_or_default()
            }),
            Conversion::Decode => self.put_decoded(place, payload, codec, own),
        }
    }

    /// Decodes a packet and puts it down in the recording's codec, 20 ms by 20 ms.
    fn put_decoded(&mut self, place: usize, payload: &[u8], codec: Codec, own: Codec) -> Kept {
        let rate = own.info().rate;
        let mut through = self.through.take().filter(|through| through.from == codec).or_else(|| {
            let decoder = (codec.info().decoder)(rate)?;
            Some(Box::new(Through { from: codec, decoder, mouth: None, samples: [0; PACKET_SAMPLES_MAX] }))
        });
        let mut kept = Kept::Untranslatable;
        if let Some(Through { decoder, mouth, samples, .. }) = through.as_deref_mut() {
            let made = decoder.decode(payload, samples).unwrap_or(0);
            let rate = decoder.rate();
            let mut place = place;
            kept = Kept::Yes;
            for frame in samples.get(..made).unwrap_or_default().chunks(rate.frame()) {
                let Some(mouth) = Mouth::of(mouth, own, Parameters::default(), rate) else {
                    kept = Kept::Untranslatable;
                    break;
                };
                let mut out = [0; FRAME_BYTES_MAX];
                let coded = mouth.speak(frame, &mut out);
                kept = self.put(place, coded, own, |byte| byte);
                place = place.saturating_add(coded.len());
            }
        }
        self.through = through;
        kept
    }

    /// Puts bytes down at their place in time.
    fn put(&mut self, place: usize, payload: &[u8], own: Codec, convert: impl Fn(u8) -> u8) -> Kept {
        let end = place.saturating_add(payload.len()).min(self.bytes_max);
        let mut audio = core::mem::take(&mut self.audio).into_inner();
        if audio.len() < end {
            let silence = own.info().silence.first();
            // Within the capacity: nothing is allocated.
            audio.resize(end, silence.copied().unwrap_or_default());
        }
        let kept = audio.get_mut(place..end).unwrap_or_default();
        for (kept, &byte) in kept.iter_mut().zip(payload) {
            *kept = convert(byte);
        }
        self.audio = Pii::new(audio);
        if end == self.bytes_max { Kept::Full } else { Kept::Yes }
    }

    /// Where a packet begins; `None` if that is before the recording did.
    fn place(&mut self, now: Instant, epoch: u32, timestamp: u32, clock_hz: u32) -> Option<usize> {
        let clock = bytes(now - self.started);
        let by_stream = |anchor: Anchor| {
            let step = i64::from(timestamp.wrapping_sub(anchor.timestamp).cast_signed());
            let bytes = step.checked_mul(BYTES_PER_S.cast_signed())?.checked_div(i64::from(clock_hz))?;
            anchor.offset.checked_add_signed(bytes)
        };
        let same = |anchor: &Anchor| anchor.epoch == epoch && anchor.clock_hz == clock_hz;
        let place = match self.anchor.filter(same).map(by_stream) {
            Some(place) if place.unwrap_or(0).abs_diff(clock) <= SLACK => place?,
            _ => {
                let offset = clock.max(self.audio.reveal().len() as u64);
                self.anchor = Some(Anchor { epoch, clock_hz, timestamp, offset });
                offset
            }
        };
        Some(usize::try_from(place).unwrap_or(usize::MAX).min(self.bytes_max))
    }
}

impl Relay {
    /// Begins a recording of what the leg hears. One that goes on already ends.
    pub(super) fn record(&mut self, now: Instant, slot: Slot, token: u64, length_max: Duration) {
        self.end_recording(slot);
        let length_max = length_max.clamp(Duration::from_millis(u64::from(FRAME_MS)), RECORDING_MAX);
        let needed = self.recording_bytes.saturating_add(bytes(length_max));
        let fits = needed <= self.config.recording_bytes_max;
        let recorder = if fits { Recorder::new(now, token, length_max) } else { None };
        let Some(leg) = self.leg_mut(slot) else { return };
        let key = leg.key;
        let Some(recorder) = recorder else {
            self.counters.recordings_refused = self.counters.recordings_refused.saturating_add(1);
            let audio = Pii::default();
            return self.emit(Event::Recorded { leg: key, token, codec: Codec::Pcma, audio, length_ms: 0 });
        };
        leg.recorder = Some(Box::new(recorder));
        self.recording_bytes = needed;
        self.recording.push(slot);
        self.counters.recordings = self.counters.recordings.saturating_add(1);
    }

    /// Ends the leg's recording, if there is one, and hands it over.
    pub(super) fn end_recording(&mut self, slot: Slot) {
        let Some(leg) = self.leg_mut(slot) else { return };
        let key = leg.key;
        let Some(recorder) = leg.recorder.take() else { return };
        self.recording.retain(|other| *other != slot);
        self.recording_bytes = self.recording_bytes.saturating_sub(recorder.bytes_max as u64);
        let Recorder { token, codec, audio, .. } = *recorder;
        let audio = audio.into_inner().into_boxed_slice();
        let length_ms = u32::try_from(audio.len() as u64 / BYTES_PER_MS).unwrap_or(u32::MAX);
        let codec = codec.unwrap_or(Codec::Pcma);
        self.emit(Event::Recorded { leg: key, token, codec, audio: Pii::new(audio), length_ms });
    }

    /// Ends recordings whose time is up though their peer is silent.
    pub(super) fn end_recordings(&mut self, now: Instant) {
        let mut place = 0;
        while let Some(&slot) = self.recording.get(place) {
            let goes_on = |recorder: &Recorder| now < recorder.ends_at;
            match self.leg_mut(slot).map(|leg| leg.recorder.as_deref().is_some_and(goes_on)) {
                Some(true) => place = place.saturating_add(1),
                Some(false) => self.end_recording(slot),
                None => {
                    self.recording.swap_remove(place);
                }
            }
        }
    }
}
