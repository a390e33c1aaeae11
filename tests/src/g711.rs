//! G.711 after the tables of the Recommendation, written without a look at the switch's own.

/// A-law: RTP payload type 8.
pub fn alaw(sample: i16) -> u8 {
    // 13 bits, sign and magnitude; the magnitude of a negative sample is its one's complement.
    let (sign, magnitude) = if sample >= 0 { (0x80, sample >> 3) } else { (0x00, !sample >> 3) };
    let magnitude = magnitude.unsigned_abs();
    let segment = (0..8).find(|segment| magnitude < 0x20 << segment).unwrap_or(7);
    let mantissa = if segment < 2 { magnitude >> 1 } else { magnitude >> segment };
    let code = (u8::try_from(segment).unwrap() << 4) | u8::try_from(mantissa & 0x0f).unwrap();
    // Even bits are inverted (G.711 table 1a).
    (sign | code) ^ 0x55
}

/// The sample of an A-law byte.
pub fn linear(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (segment, mantissa) = ((byte >> 4) & 7, i16::from(byte & 0x0f));
    let magnitude = match segment {
        0 => (mantissa << 4) + 8,
        segment => ((mantissa << 4) + 0x108) << (segment - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

/// How much of the signal's energy is at `hz`, 0 to 1 (Goertzel).
pub fn share_of(hz: f64, samples: &[i16]) -> f64 {
    let step = std::f64::consts::TAU * hz / 8000.0;
    let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (sample, angle) = (f64::from(sample), step * f64::from(u32::try_from(n).unwrap()));
        re += sample * angle.cos();
        im += sample * angle.sin();
        energy += sample * sample;
    }
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    if energy == 0.0 { 0.0 } else { 2.0 * (re * re + im * im) / (count * energy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!([0, 8, 16, -1, 32767, -32768].map(alaw), [0xd5, 0xd5, 0xd4, 0x55, 0xaa, 0x2a]);
        for byte in 0..=255 {
            assert_eq!(alaw(linear(byte)), byte, "{byte:#04x}");
        }
    }

    #[test]
    fn a_tone_is_found_and_only_where_it_is() {
        let tone: Vec<i16> = (0..1600)
            .map(|n| ((f64::from(n) * std::f64::consts::TAU * 437.0 / 8000.0).sin() * 8000.0) as i16)
            .collect();
        assert!(share_of(437.0, &tone) > 0.95);
        assert!(share_of(1000.0, &tone) < 0.01);
    }
}
