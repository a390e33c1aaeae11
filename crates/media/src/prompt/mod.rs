//! Prompts: recorded words, encoded once per codec when they are loaded, then only pointed at.

mod packets;
mod wav;

use core::fmt;
use std::sync::Arc;

use base::PromptKey;

use crate::Codec;
use crate::codec::{g722, pcma, pcmu};
use crate::dsp::resample;
pub use packets::Packets;

/// The longest prompt or piece of music: 10 minutes (14.4 MB in memory).
pub const PROMPT_MS_MAX: u32 = 10 * 60 * 1_000;

/// One recording in every codec. Cloning shares the audio.
#[derive(Clone, PartialEq, Eq)]
pub struct Prompt {
    pcma: Arc<[u8]>,
    pcmu: Arc<[u8]>,
    g722: Arc<[u8]>,
    opus: Packets,
}

impl Prompt {
    /// From a WAV file's bytes: 8 or 16 kHz, mono, 16-bit PCM.
    ///
    /// G.711 of an 8 kHz file is the file's samples, one by one; other rates are filtered. Opus, whose
    /// encoding takes three seconds for ten minutes, is made only if it is among `codecs`: a leg that speaks
    /// it hears silence otherwise.
    pub fn from_wav(bytes: &[u8], codecs: &[Codec]) -> Result<Prompt, WavError> {
        let wav = wav::parse(bytes)?;
        let with_opus = codecs.contains(&Codec::Opus);
        Ok(if wav.is_wideband {
            Prompt::encode(&resample::halve(&wav.samples), &wav.samples, with_opus)
        } else {
            Prompt::encode(&wav.samples, &resample::double(&wav.samples), with_opus)
        })
    }

    /// From samples at 8 kHz, in every codec.
    pub fn from_samples_8k(samples: &[i16]) -> Prompt {
        Prompt::encode(samples, &resample::double(samples), true)
    }

    /// A pause.
    pub fn silence(duration_ms: u32) -> Prompt {
        let bytes = duration_ms.min(PROMPT_MS_MAX) as usize * 8;
        let audio = |codec: Codec| codec.info().silence.iter().copied().cycle().take(bytes).collect();
        let (pcma, pcmu, g722) = (audio(Codec::Pcma), audio(Codec::Pcmu), audio(Codec::G722));
        // Without a packet of its own a frame is silent.
        Prompt { pcma, pcmu, g722, opus: Packets::default() }
    }

    /// Sines at once, each at `level` of full scale: ring-back, beeps, signals to look for in tests.
    pub fn tone(hz: &[f64], level: f64, duration_ms: u32) -> Prompt {
        let sample = |n: u32| {
            let turn = core::f64::consts::TAU * f64::from(n) / 8_000.0;
            let sum: f64 = hz.iter().map(|hz| (turn * hz).sin()).sum();
            (sum * level * f64::from(i16::MAX)) as i16
        };
        let samples: Vec<i16> = (0..duration_ms.min(PROMPT_MS_MAX) * 8).map(sample).collect();
        Prompt::from_samples_8k(&samples)
    }

    /// Encodes once per codec. `wide` has twice as many samples as `narrow`, or one less.
    fn encode(narrow: &[i16], wide: &[i16], with_opus: bool) -> Prompt {
        let mut encoder = g722::Encoder::default();
        let pair = |pair: &[i16]| match pair {
            [first, second, ..] => encoder.encode([*first, *second]),
            [last] => encoder.encode([*last, 0]),
            [] => encoder.encode([0, 0]),
        };
        Prompt {
            pcma: narrow.iter().map(|&sample| pcma::encode(sample)).collect(),
            pcmu: narrow.iter().map(|&sample| pcmu::encode(sample)).collect(),
            g722: wide.chunks(2).map(pair).collect(),
            opus: if with_opus { Packets::encode(Codec::Opus, wide) } else { Packets::default() },
        }
    }

    /// The audio in a codec of 8 bytes per millisecond; nothing in one of whole packets.
    pub fn audio(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcma => &self.pcma,
            Codec::Pcmu => &self.pcmu,
            Codec::G722 => &self.g722,
            Codec::Opus => &[],
        }
    }

    /// The audio in a codec of whole packets; nothing in one of 8 bytes per millisecond.
    pub fn packet(&self, codec: Codec, frame: usize) -> Option<&[u8]> {
        match codec {
            Codec::Opus => self.opus.get(frame),
            Codec::Pcma | Codec::Pcmu | Codec::G722 => None,
        }
    }

    /// Its length in bytes of any codec of 8 bytes per millisecond.
    pub fn bytes(&self) -> usize {
        self.pcma.len()
    }

    /// Whether there is nothing to hear.
    pub fn is_empty(&self) -> bool {
        self.pcma.is_empty()
    }

    /// How long it plays, in milliseconds, rounded up.
    pub fn duration_ms(&self) -> u32 {
        u32::try_from(self.bytes().div_ceil(8)).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({} ms)", self.duration_ms())
    }
}

/// Why a file is no prompt. Displayed to whoever put the file there: what is wrong, what would be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WavError {
    /// Malformed: no RIFF/WAVE header.
    NotWav,
    /// Malformed: a chunk ends outside the file.
    Truncated,
    /// Malformed: no `fmt ` chunk before the audio, or one too short.
    NoFormat,
    /// Malformed: no `data` chunk.
    NoData,
    /// Unsupported: the format tag (1 = PCM is right).
    Encoding(u16),
    /// Unsupported: so many channels instead of 1.
    Channels(u16),
    /// Unsupported: so many bits per sample instead of 16.
    Bits(u16),
    /// Unsupported: a rate other than 8000 or 16000 Hz.
    Rate(u32),
    /// Unsupported: longer than [`PROMPT_MS_MAX`], in milliseconds.
    TooLong(u32),
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WavError::NotWav => {
                f.write_str("not a WAV file; WAV with 8 or 16 kHz, mono, 16-bit PCM is right")
            }
            WavError::Truncated => f.write_str("the file ends in the middle of a chunk"),
            WavError::NoFormat => f.write_str("no format chunk before the audio"),
            WavError::NoData => f.write_str("no audio in it"),
            WavError::Encoding(tag) => write!(f, "encoding {tag:#06x}; 16-bit PCM (0x0001) is right"),
            WavError::Channels(count) => write!(f, "{count} channels; mono is right"),
            WavError::Bits(bits) => write!(f, "{bits} bits per sample; 16 is right"),
            WavError::Rate(hz) => write!(f, "{hz} Hz; 8000 or 16000 Hz is right"),
            WavError::TooLong(ms) => write!(f, "{} s long; at most {} s", ms / 1_000, PROMPT_MS_MAX / 1_000),
        }
    }
}

impl core::error::Error for WavError {}

/// The loaded prompts by key. Build it, wrap it in an `Arc`, share it.
#[derive(Clone, Default, Debug)]
pub struct PromptTable {
    prompts: Vec<Arc<Prompt>>,
}

impl PromptTable {
    /// Adds a prompt and gives it the next key.
    pub fn insert(&mut self, prompt: Prompt) -> PromptKey {
        let key = PromptKey(u32::try_from(self.prompts.len()).unwrap_or(u32::MAX));
        self.prompts.push(Arc::new(prompt));
        key
    }

    /// The prompt of `key`.
    pub fn get(&self, key: PromptKey) -> Option<&Arc<Prompt>> {
        self.prompts.get(key.index())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }
}

#[cfg(test)]
mod tests;
