//! G.711 A-law (ITU-T G.711 table 1a).

use super::g711::{LawDecoder, LawEncoder};
use super::{Codec, FRAME_BYTES, Info, pcmu};
use crate::dsp::Rate;

/// A-law's row.
pub(super) const INFO: Info = Info {
    codec: Codec::Pcma,
    name: "PCMA",
    payload_type: 8,
    is_static: true,
    clock_hz: 8_000,
    channels: 1,
    bytes_per_ms: Some(8),
    silence: &[0xD5; FRAME_BYTES],
    rate: Rate::Narrow,
    decoder: |_| Some(Box::new(LawDecoder(&DECODED))),
    encoder: |_, _| Some(Box::new(LawEncoder(encode))),
};

/// 16-bit linear sample of each A-law byte.
pub static DECODED: [i16; 256] = table();

/// µ-law byte of each A-law byte: the µ-law value nearest to what the A-law byte means.
pub static TO_PCMU: [u8; 256] = to_pcmu();

/// The A-law byte of a 16-bit linear sample.
pub const fn encode(sample: i16) -> u8 {
    // 13-bit magnitude; one's complement for negatives keeps the two halves symmetric.
    let (magnitude, sign) = if sample >= 0 { (sample >> 3, 0xD5u8) } else { (!sample >> 3, 0x55) };
    let magnitude = magnitude as u16;
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = (magnitude.ilog2() - 4) as u16;
        (segment << 4) | ((magnitude >> segment) & 0x0F)
    };
    code as u8 ^ sign
}

/// The 16-bit linear sample that an A-law byte means: the middle of its interval.
pub const fn decode(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let segment = (code & 0x70) >> 4;
    let step = ((code & 0x0F) as i16) << 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
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

const fn to_pcmu() -> [u8; 256] {
    let mut out = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        out[byte] = pcmu::encode(decode(byte as u8));
        byte += 1;
    }
    out
}
