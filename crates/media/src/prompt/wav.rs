//! WAV files: RIFF chunks with 16-bit PCM.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::{PROMPT_MS_MAX, WavError};

/// Sizes from here on are written by programs that stream and do not know the size yet.
const STREAMED: u32 = 0x7FFF_0000;
const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xFFFE;

/// Samples of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wav {
    pub(super) is_wideband: bool,
    pub(super) samples: Vec<i16>,
}

/// What the `fmt ` chunk says.
struct Format {
    rate_hz: u32,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Wav, WavError> {
    let (riff, mut rest) = bytes.split_at_checked(12).ok_or(WavError::NotWav)?;
    if !riff.starts_with(b"RIFF") || !riff.ends_with(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut format = None;
    loop {
        let Some((head, body)) = rest.split_first_chunk::<8>() else {
            return Err(if format.is_some() { WavError::NoData } else { WavError::NoFormat });
        };
        let [i0, i1, i2, i3, s0, s1, s2, s3] = *head;
        let size = u32::from_le_bytes([s0, s1, s2, s3]);
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        match &[i0, i1, i2, i3] {
            b"data" => {
                let format: Format = format.ok_or(WavError::NoFormat)?;
                let length = if size >= STREAMED { body.len() } else { length };
                return samples(&format, body.get(..length).ok_or(WavError::Truncated)?);
            }
            b"fmt " => format = Some(read_format(body.get(..length).ok_or(WavError::Truncated)?)?),
            _ => {}
        }
        // Chunks begin at even places.
        let next = length.saturating_add(length & 1);
        rest = body.get(next..).unwrap_or_default();
        if length > body.len() {
            return Err(WavError::Truncated);
        }
    }
}

fn read_format(chunk: &[u8]) -> Result<Format, WavError> {
    let ([e0, e1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1], more) =
        chunk.split_first_chunk::<16>().ok_or(WavError::NoFormat)?;
    let mut encoding = u16::from_le_bytes([*e0, *e1]);
    if encoding == EXTENSIBLE {
        // Size, valid bits, channel mask; then the identifier, which begins with the encoding.
        encoding = match more {
            [_, _, _, _, _, _, _, _, s0, s1, ..] => u16::from_le_bytes([*s0, *s1]),
            _ => return Err(WavError::NoFormat),
        };
    }
    let channels = u16::from_le_bytes([*c0, *c1]);
    let rate_hz = u32::from_le_bytes([*r0, *r1, *r2, *r3]);
    let bits = u16::from_le_bytes([*b0, *b1]);
    if encoding != PCM {
        return Err(WavError::Encoding(encoding));
    }
    if channels != 1 {
        return Err(WavError::Channels(channels));
    }
    if bits != 16 {
        return Err(WavError::Bits(bits));
    }
    if !matches!(rate_hz, 8_000 | 16_000) {
        return Err(WavError::Rate(rate_hz));
    }
    Ok(Format { rate_hz })
}

fn samples(format: &Format, data: &[u8]) -> Result<Wav, WavError> {
    let count = u64::try_from(data.len() / 2).unwrap_or(u64::MAX);
    let millis = count.saturating_mul(1_000).checked_div(u64::from(format.rate_hz)).unwrap_or(u64::MAX);
    if millis > u64::from(PROMPT_MS_MAX) {
        return Err(WavError::TooLong(u32::try_from(millis).unwrap_or(u32::MAX)));
    }
    if count == 0 {
        return Err(WavError::NoData);
    }
    let (pairs, _) = data.as_chunks::<2>();
    let samples = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    Ok(Wav { is_wideband: format.rate_hz == 16_000, samples })
}
