//! G.711 µ-law (ITU-T G.711 table 2a).

use super::g711::{LawDecoder, LawEncoder};
use super::{Codec, FRAME_BYTES, Info, pcma};
use crate::dsp::Rate;

/// µ-law's row.
pub(super) const INFO: Info = Info {
    codec: Codec::Pcmu,
    name: "PCMU",
    payload_type: 0,
    is_static: true,
    clock_hz: 8_000,
    channels: 1,
    bytes_per_ms: Some(8),
    silence: &[0xFF; FRAME_BYTES],
    rate: Rate::Narrow,
    decoder: |_| Some(Box::new(LawDecoder(&DECODED))),
    encoder: |_, _| Some(Box::new(LawEncoder(encode))),
};

/// 16-bit linear sample of each µ-law byte.
pub static DECODED: [i16; 256] = table();

/// A-law byte of each µ-law byte: the A-law value nearest to what the µ-law byte means.
pub static TO_PCMA: [u8; 256] = to_pcma();

/// Added before the logarithm so that the segments' ends are powers of two.
const BIAS: i32 = 0x84;
/// The largest magnitude that has a code of its own.
const CLIP: i32 = 32_635;

/// The µ-law byte of a 16-bit linear sample.
pub const fn encode(sample: i16) -> u8 {
    // One's complement of 14 bits, as the ITU's reference software has it: both halves are alike.
    let (magnitude, sign) = if sample < 0 { (!sample as i32, 0x80u8) } else { (sample as i32, 0) };
    let magnitude = (if magnitude > CLIP { CLIP } else { magnitude } & !3) + BIAS;
    let segment = magnitude.ilog2() - 7;
    let step = (magnitude >> (segment + 3)) & 0x0F;
    !(sign | ((segment as u8) << 4) | step as u8)
}

/// The 16-bit linear sample that a µ-law byte means: the middle of its interval.
pub const fn decode(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code & 0x70) >> 4;
    let magnitude = ((((code & 0x0F) as i32) << 3) + BIAS) << segment;
    let sample = magnitude - BIAS;
    if code & 0x80 != 0 { -sample as i16 } else { sample as i16 }
}

const fn table() -> [i16; 256] {
    let mut out = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        out[byte] = decode(byte as u8);
        byte += 1;
    }
    out
}

const fn to_pcma() -> [u8; 256] {
    let mut out = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        out[byte] = pcma::encode(decode(byte as u8));
        byte += 1;
    }
    out
}
