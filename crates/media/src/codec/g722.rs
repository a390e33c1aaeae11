//! G.722 at 64 kbit/s (ITU-T G.722, mode 1).
//!
//! Two samples at 16 kHz become one byte: a mirror filter splits them into a low and a high band, and
//! each band is coded by adaptive differences, 6 bits and 2 bits. Names of steps are the standard's.

use super::{Codec, FRAME_BYTES, Info, Malformed};
use crate::dsp::Rate;

/// G.722's row. Its silence is the smallest step in both bands: it teaches a decoder's predictor nothing
/// and shrinks its scales, so that whatever was heard before fades to nothing.
pub(super) const INFO: Info = Info {
    codec: Codec::G722,
    name: "G722",
    payload_type: 9,
    is_static: true,
    clock_hz: 8_000,
    channels: 1,
    bytes_per_ms: Some(8),
    silence: &[0xFD; FRAME_BYTES],
    rate: Rate::Wide,
    decoder: |_| Some(Box::new(Decoder::default())),
    encoder: |_, _| Some(Box::new(Encoder::default())),
};

/// Half of the symmetric 24-tap mirror filter (table 11), in units of 2^-13.
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the 6-bit quantizer (table 14), without the last.
const LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Codes of the intervals of a negative difference: the two smallest are out of line with the rest.
const fn code_low(interval: i32, negative: bool) -> i32 {
    match (negative, interval) {
        (true, 0) => 63,
        (true, 1) => 62,
        (true, n) => 33 - n,
        (false, n) => 61 - n,
    }
}

/// 4-bit inverse quantizer of the low band (table 15), by the six bits' upper four.
const INVERSE_LOW: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// 6-bit inverse quantizer of the low band (table 21): what is heard.
const HEARD_LOW: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
/// Logarithmic scale multipliers of the low band (table 16), by the same four bits.
const SCALE_LOW: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// 2-bit inverse quantizer of the high band (table 17).
const INVERSE_HIGH: [i32; 4] = [-7408, -1616, 7408, 1616];
/// Logarithmic scale multipliers of the high band (table 18).
const SCALE_HIGH: [i32; 4] = [798, -214, 798, -214];
/// 2^(n/32) in units of 2^-11: from the logarithmic to the linear scale (table 20).
const EXPONENT: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// One adaptive difference coder's memory.
#[derive(Clone, Copy, Debug, Default)]
struct Band {
    /// Prediction of the next sample, and the part of it by the zeros.
    predicted: i32,
    zeros: i32,
    /// The last two reconstructed samples, and what of them the zeros do not explain.
    reconstructed: [i32; 2],
    partial: [i32; 2],
    /// Pole coefficients.
    poles: [i32; 2],
    /// The last six quantized differences and their coefficients.
    differences: [i32; 6],
    coefficients: [i32; 6],
    /// Quantizer scale: logarithmic and linear.
    log_scale: i32,
    scale: i32,
}

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// `if_same` where the signs agree, its negative where not. Zero counts as positive.
const fn by_sign(a: i32, b: i32, if_same: i32) -> i32 {
    if (a < 0) == (b < 0) { if_same } else { -if_same }
}

impl Band {
    const fn new(scale: i32) -> Self {
        Band {
            predicted: 0,
            zeros: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            differences: [0; 6],
            coefficients: [0; 6],
            log_scale: 0,
            scale,
        }
    }

    /// LOGSCL/LOGSCH and SCALEL/SCALEH: the next step's size.
    fn rescale(&mut self, multiplier: i32, log_max: i32, shift: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + multiplier).clamp(0, log_max);
        let fraction = EXPONENT[((self.log_scale >> 6) & 31) as usize];
        let exponent = shift - (self.log_scale >> 11);
        self.scale = if exponent < 0 { fraction << -exponent } else { fraction >> exponent } << 2;
    }

    /// Block 4: the predictor learns from a quantized difference and predicts the next sample.
    fn adapt(&mut self, difference: i32) {
        // RECONS and PARREC.
        let reconstructed = saturate(self.predicted + difference);
        let partial = saturate(self.zeros + difference);
        let [before, earlier] = self.partial;
        // UPPOL2.
        let slope = saturate(self.poles[0] << 2);
        let slope = if (partial < 0) == (before < 0) { -slope } else { slope }.min(32_767);
        let second = (slope >> 7) + by_sign(partial, earlier, 128) + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        // UPPOL1.
        let first = saturate(by_sign(partial, before, 192) + ((self.poles[0] * 32_640) >> 15));
        let limit = saturate(15_360 - second);
        let first = first.clamp(-limit, limit);
        // UPZERO.
        let step = if difference == 0 { 0 } else { 128 };
        for (coefficient, past) in self.coefficients.iter_mut().zip(self.differences) {
            *coefficient = saturate(by_sign(difference, past, step) + ((*coefficient * 32_640) >> 15));
        }
        // DELAYA.
        self.differences.copy_within(0..5, 1);
        self.differences[0] = difference;
        self.partial = [partial, before];
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.poles = [first, second];
        // FILTEP, FILTEZ, PREDIC.
        let filtered = |coefficient: i32, past: i32| (coefficient * saturate(past + past)) >> 15;
        let poles = saturate(
            filtered(self.poles[0], self.reconstructed[0]) + filtered(self.poles[1], self.reconstructed[1]),
        );
        let zeros = self.coefficients.iter().zip(self.differences).map(|(&c, d)| filtered(c, d));
        self.zeros = saturate(zeros.sum());
        self.predicted = saturate(poles + self.zeros);
    }

    fn encode_low(&mut self, sample: i32) -> i32 {
        // SUBTRA and QUANTL.
        let difference = saturate(sample - self.predicted);
        let magnitude = if difference >= 0 { difference } else { -(difference + 1) };
        let interval = LEVELS.iter().take_while(|&&level| magnitude >= (level * self.scale) >> 12).count();
        let code = code_low(interval as i32, difference < 0);
        // INVQAL: the predictor sees four of the six bits only, so that two may be stolen on the way.
        let upper = (code >> 2) as usize;
        let quantized = (self.scale * INVERSE_LOW[upper]) >> 15;
        self.rescale(SCALE_LOW[upper], 18_432, 8);
        self.adapt(quantized);
        code
    }

    fn encode_high(&mut self, sample: i32) -> i32 {
        // SUBTRA and QUANTH.
        let difference = saturate(sample - self.predicted);
        let magnitude = if difference >= 0 { difference } else { -(difference + 1) };
        let is_large = magnitude >= (564 * self.scale) >> 12;
        let code = match (difference < 0, is_large) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        // INVQAH.
        let quantized = (self.scale * INVERSE_HIGH[code]) >> 15;
        self.rescale(SCALE_HIGH[code], 22_528, 10);
        self.adapt(quantized);
        code as i32
    }
}

/// What a band's decoder may hand to the mirror filter (LIMIT).
fn limited(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

impl Band {
    fn decode_low(&mut self, code: u8) -> i32 {
        let upper = usize::from(code >> 2);
        let heard = limited(self.predicted + ((self.scale * HEARD_LOW[usize::from(code)]) >> 15));
        let quantized = (self.scale * INVERSE_LOW[upper]) >> 15;
        self.rescale(SCALE_LOW[upper], 18_432, 8);
        self.adapt(quantized);
        heard
    }

    fn decode_high(&mut self, code: u8) -> i32 {
        let code = usize::from(code);
        let quantized = (self.scale * INVERSE_HIGH[code]) >> 15;
        let heard = limited(self.predicted + quantized);
        self.rescale(SCALE_HIGH[code], 22_528, 10);
        self.adapt(quantized);
        heard
    }
}

/// An encoder from silence.
#[derive(Clone, Debug)]
pub struct Encoder {
    history: [i32; 24],
    low: Band,
    high: Band,
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder { history: [0; 24], low: Band::new(32), high: Band::new(8) }
    }
}

impl Encoder {
    /// The byte of the next two samples at 16 kHz.
    pub fn encode(&mut self, samples: [i16; 2]) -> u8 {
        self.history.copy_within(2.., 0);
        self.history[22] = i32::from(samples[0]);
        self.history[23] = i32::from(samples[1]);
        let (mut odd, mut even) = (0, 0);
        for (pair, tap) in self.history.chunks_exact(2).zip(0..) {
            odd += pair[0] * MIRROR[tap];
            even += pair[1] * MIRROR[11 - tap];
        }
        let low = self.low.encode_low((even + odd) >> 14);
        let high = self.high.encode_high((even - odd) >> 14);
        ((high << 6) | low) as u8
    }
}

/// A decoder from silence.
#[derive(Clone, Debug)]
pub struct Decoder {
    history: [i32; 24],
    low: Band,
    high: Band,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { history: [0; 24], low: Band::new(32), high: Band::new(8) }
    }
}

impl Decoder {
    /// The two samples at 16 kHz that a byte means.
    pub fn decode(&mut self, byte: u8) -> [i16; 2] {
        let (low, high) = (self.low.decode_low(byte & 0x3F), self.high.decode_high(byte >> 6));
        self.history.copy_within(2.., 0);
        self.history[22] = low + high;
        self.history[23] = low - high;
        let (mut odd, mut even) = (0, 0);
        for (pair, tap) in self.history.chunks_exact(2).zip(0..) {
            odd += pair[0] * MIRROR[tap];
            even += pair[1] * MIRROR[11 - tap];
        }
        [even, odd].map(|sum| saturate(sum >> 11) as i16)
    }
}

impl super::Decoder for Decoder {
    fn rate(&self) -> Rate {
        Rate::Wide
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, Malformed> {
        let samples = payload.len() * 2;
        let out = out.get_mut(..samples).ok_or(Malformed)?;
        for (pair, &byte) in out.chunks_exact_mut(2).zip(payload) {
            pair.copy_from_slice(&self.decode(byte));
        }
        Ok(samples)
    }
}

impl super::Encoder for Encoder {
    fn rate(&self) -> Rate {
        Rate::Wide
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        let pairs = samples.as_chunks::<2>().0;
        for (byte, &pair) in out.iter_mut().zip(pairs) {
            *byte = self.encode(pair);
        }
        pairs.len().min(out.len())
    }
}

#[cfg(test)]
mod tests {
    use audio_codec::Decoder as _;
    use base::{Rng, Seed};

    use super::*;

    /// Triangles, noise, full scale and silence in turn.
    fn signal() -> Vec<i16> {
        let mut rng = Rng::new(Seed([7, 22]));
        let mut samples = Vec::new();
        for part in 0..400u64 {
            let (period, level) = (2 + rng.below(60), 1 + rng.below(32_000) as i64);
            samples.extend((0..160u64).map(|n| match part % 4 {
                0 => ((n % period) as i64 * 2 * level / period as i64 - level) as i16,
                1 => (rng.below(2 * level as u64) as i64 - level) as i16,
                2 if rng.below(2) == 0 => i16::MAX,
                2 => i16::MIN,
                _ => 0,
            }));
        }
        samples
    }

    fn encode(samples: &[i16]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        samples.chunks_exact(2).map(|pair| encoder.encode([pair[0], pair[1]])).collect()
    }

    #[test]
    fn bytes_are_those_of_another_implementation() {
        // FNV-1a of what libg722 (the SpanDSP encoder) makes of the signal.
        let fnv = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        let coded = encode(&signal());
        assert_eq!(coded.len(), 32_000);
        assert_eq!(coded.iter().fold(0xCBF2_9CE4_8422_2325, fnv), 0x7B52_9BBB_F267_5410);
    }

    #[test]
    fn samples_are_those_of_another_implementation() {
        // The other one begins with a scale of nothing, which is not the standard's; a silent start makes
        // both the same once the filter has forgotten its first sample.
        let mut bytes = INFO.silence[..24].to_vec();
        bytes.extend(encode(&signal()));
        let mut rng = Rng::new(Seed([3, 22]));
        // What no encoder sends is heard the same too.
        bytes.extend((0..8_000).map(|_| rng.next_u32() as u8));
        let mut decoder = Decoder::default();
        let decoded: Vec<i16> = bytes.iter().flat_map(|&byte| decoder.decode(byte)).collect();
        let other = audio_codec::g722::G722Decoder::new().decode(&bytes);
        assert_eq!(decoded.len(), other.len());
        let differs = decoded.iter().zip(&other).skip(48).position(|(ours, theirs)| ours != theirs);
        assert_eq!(differs, None);
    }

    #[test]
    fn a_tone_comes_out_of_a_decoder_as_it_went_in() {
        let tone: Vec<i16> = (0..16_000)
            .map(|n| (8_000.0 * (f64::from(n) * 1_000.0 / 16_000.0 * core::f64::consts::TAU).sin()) as i16)
            .collect();
        let decoded = audio_codec::g722::G722Decoder::new().decode(&encode(&tone));
        // The two filters delay by 22 samples; the codec is good for 30 dB and more.
        let pairs = tone[2_000..15_000].iter().zip(&decoded[2_022..]);
        let (signal, noise) = pairs.fold((0.0, 0.0), |(signal, noise), (&a, &b)| {
            (signal + f64::from(a).powi(2), noise + (f64::from(a) - f64::from(b)).powi(2))
        });
        assert!(10.0 * f64::log10(signal / noise) > 30.0, "{}", 10.0 * f64::log10(signal / noise));
    }

    #[test]
    fn silence_fades_to_nothing_even_after_noise() {
        let mut decoder = audio_codec::g722::G722Decoder::new();
        decoder.decode(&encode(&signal()));
        let faded = decoder.decode(&INFO.silence.repeat(50));
        // 16 of 32,768 is the last step of 11 bits: -66 dB.
        assert!(faded[faded.len() - 320..].iter().all(|sample| sample.abs() <= 16));
    }
}
