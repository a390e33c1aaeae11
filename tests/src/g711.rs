//! G.711 after the tables of the Recommendation, written without a look at the switch's own.

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// PCMA.
    A,
    /// PCMU.
    Mu,
    /// No law: G.722 as the switch passes it through, bytes and not samples.
    G722,
}

impl Law {
    /// Its static RTP payload type (RFC 3551 table 4).
    pub const fn payload_type(self) -> u8 {
        match self {
            Law::A => 8,
            Law::Mu => 0,
            Law::G722 => 9,
        }
    }

    /// Its name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Law::A => "PCMA",
            Law::Mu => "PCMU",
            Law::G722 => "G722",
        }
    }

    /// The byte of a sample.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::A => alaw(sample),
            Law::Mu => ulaw(sample),
            Law::G722 => panic!("G.722 has no bytes of single samples"),
        }
    }

    /// The sample of a byte.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Law::A => linear(byte),
            Law::Mu => linear_of_ulaw(byte),
            Law::G722 => panic!("G.722 has no bytes of single samples"),
        }
    }
}

/// µ-law: RTP payload type 0.
pub fn ulaw(sample: i16) -> u8 {
    // Sign and magnitude, which is the one's complement of a negative sample, with a bias of 132 (33 of 14 bits).
    let (sign, magnitude) = if sample >= 0 { (0x00, sample) } else { (0x80, !sample) };
    let magnitude = i32::from(magnitude).min(32_635) + 132;
    let segment = (0..8).find(|segment| magnitude < 0x100 << segment).unwrap_or(7);
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | u8::try_from((segment << 4) | mantissa).unwrap())
}

fn linear_of_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = (((i16::from(byte & 0x0f) << 3) + 132) << ((byte >> 4) & 7)) - 132;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

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
        assert_eq!([0, 32_767, -32_768].map(ulaw), [0xff, 0x80, 0x00]);
        for byte in 0..=255 {
            assert_eq!(alaw(linear(byte)), byte, "{byte:#04x}");
            // Of the two zeros of µ-law the positive one is sent.
            assert_eq!(ulaw(linear_of_ulaw(byte)), if byte == 0x7f { 0xff } else { byte }, "{byte:#04x}");
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
