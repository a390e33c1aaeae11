//! A recording as a WAV file that any player plays: G.711 as it came (RIFF formats 6 and 7), G.722 as
//! 16-bit PCM, for few players know it.

use crate::Codec;
use crate::codec::g722;

const PCM: u16 = 1;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;

/// The WAV file of `audio`, the RTP payload of one channel.
pub fn wav(codec: Codec, audio: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Pcma => file(A_LAW, 8_000, 8, audio),
        Codec::Pcmu => file(MU_LAW, 8_000, 8, audio),
        // Recordings are never in Opus: `Event::Recorded` says in what.
        Codec::Opus => file(PCM, 8_000, 16, &[]),
        Codec::G722 => {
            let mut decoder = g722::Decoder::default();
            let samples = audio.iter().flat_map(|&byte| decoder.decode(byte));
            let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
            file(PCM, 16_000, 16, &bytes)
        }
    }
}

/// One channel. Sizes beyond 4 GiB do not fit the format; a recording never has them.
fn file(format: u16, rate_hz: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let frame_bytes = bits / 8;
    let samples = size.checked_div(u32::from(frame_bytes)).unwrap_or(0);
    let mut format_chunk = Vec::with_capacity(18);
    format_chunk.extend(format.to_le_bytes());
    format_chunk.extend(1u16.to_le_bytes());
    format_chunk.extend(rate_hz.to_le_bytes());
    format_chunk.extend(rate_hz.saturating_mul(u32::from(frame_bytes)).to_le_bytes());
    format_chunk.extend(frame_bytes.to_le_bytes());
    format_chunk.extend(bits.to_le_bytes());
    // What is not PCM says how long its extension is (nothing), and how many samples follow.
    let not_pcm = format != PCM;
    if not_pcm {
        format_chunk.extend(0u16.to_le_bytes());
    }
    let mut out = Vec::with_capacity(data.len().saturating_add(64));
    out.extend(b"RIFF\0\0\0\0WAVE");
    chunk(&mut out, b"fmt ", &format_chunk);
    if not_pcm {
        chunk(&mut out, b"fact", &samples.to_le_bytes());
    }
    chunk(&mut out, b"data", data);
    let riff = u32::try_from(out.len().saturating_sub(8)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(4..8) {
        place.copy_from_slice(&riff.to_le_bytes());
    }
    out
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    out.extend(name);
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(data);
    // Chunks begin at even places.
    if data.len() % 2 == 1 {
        out.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_that_of_the_format() {
        let wav = wav(Codec::Pcma, &[0xD5, 1, 2]);
        let expected: &[u8] =
            b"RIFF\x36\0\0\0WAVEfmt \x12\0\0\0\x06\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0\0\0\
            fact\x04\0\0\0\x03\0\0\0data\x03\0\0\0\xd5\x01\x02\0";
        assert_eq!(wav, expected);
        assert_eq!(super::wav(Codec::Pcmu, &[])[20], 7);
    }

    #[test]
    fn another_reader_reads_g722_as_pcm() {
        let mut encoder = g722::Encoder::default();
        let coded: Vec<u8> = (0..800i16).map(|n| encoder.encode([n * 8, n * 8 + 4])).collect();
        let wav = wav(Codec::G722, &coded);
        let mut reader = hound::WavReader::new(&wav[..]).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().bits_per_sample), (16_000, 16));
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples.len(), 1_600);
        assert!((samples[1_500] - (739 * 8)).abs() < 200, "{}", samples[1_500]);
    }
}
