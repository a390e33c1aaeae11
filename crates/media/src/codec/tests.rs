//! G.711 against its definition, over all samples and all bytes.

use super::*;

/// `alaw_compress` of the ITU's reference software (G.191), step by step.
fn a_law_reference(sample: i16) -> u8 {
    let mut ix = if sample < 0 { !sample >> 4 } else { sample >> 4 };
    if ix > 15 {
        let mut exponent = 1;
        while ix > 16 + 15 {
            ix >>= 1;
            exponent += 1;
        }
        ix = ix - 16 + (exponent << 4);
    }
    let code = if sample >= 0 { ix | 0x80 } else { ix };
    (code ^ 0x55) as u8
}

/// `ulaw_compress` of the same.
fn mu_law_reference(sample: i16) -> u8 {
    let magnitude = (if sample < 0 { (!sample >> 2) + 33 } else { (sample >> 2) + 33 }).min(0x1FFF);
    let mut i = magnitude >> 6;
    let mut segment = 1;
    while i != 0 {
        segment += 1;
        i >>= 1;
    }
    let high = 8 - segment;
    let low = 0x0F - ((magnitude >> segment) & 0x0F);
    let code = (high << 4) | low;
    (if sample >= 0 { code | 0x80 } else { code }) as u8
}

#[test]
fn every_sample_gets_the_code_of_the_reference() {
    for sample in i16::MIN..=i16::MAX {
        assert_eq!(pcma::encode(sample), a_law_reference(sample), "A-law {sample}");
        assert_eq!(pcmu::encode(sample), mu_law_reference(sample), "µ-law {sample}");
    }
}

#[test]
fn every_sample_is_decoded_within_its_interval() {
    for sample in i16::MIN..=i16::MAX {
        let magnitude = i32::from(sample).abs();
        // Half a step: 16 steps to an octave, and at least the smallest.
        let a_law = (magnitude / 32).max(8) + 1;
        let off = (i32::from(pcma::decode(pcma::encode(sample))) - i32::from(sample)).abs();
        assert!(off <= a_law.min(512), "A-law {sample}: {off}");
        let mu_law = (magnitude + 132) / 32 + 4;
        let off = (i32::from(pcmu::decode(pcmu::encode(sample))) - i32::from(sample)).abs();
        assert!(off <= mu_law || magnitude > 32_124, "µ-law {sample}: {off}");
    }
}

#[test]
fn codes_survive_decoding_and_coding() {
    for byte in 0..=255u8 {
        assert_eq!(pcma::encode(pcma::decode(byte)), byte);
        // µ-law has two zeros; the negative one comes back as the positive.
        let again = pcmu::encode(pcmu::decode(byte));
        assert_eq!(again, if byte == 0x7F { 0xFF } else { byte });
    }
}

#[test]
fn bytes_mean_what_they_mean_to_another_implementation() {
    use audio_codec::Decoder as _;
    let bytes: Vec<u8> = (0..=255).collect();
    let theirs = audio_codec::pcma::PcmaDecoder::new().decode(&bytes);
    assert_eq!(theirs, bytes.iter().map(|&byte| pcma::decode(byte)).collect::<Vec<_>>());
    let theirs = audio_codec::pcmu::PcmuDecoder::new().decode(&bytes);
    assert_eq!(theirs, bytes.iter().map(|&byte| pcmu::decode(byte)).collect::<Vec<_>>());
}

#[test]
fn known_values_of_the_standard() {
    assert_eq!(
        (pcma::encode(0), pcma::encode(-1), pcma::encode(i16::MAX), pcma::encode(i16::MIN)),
        (0xD5, 0x55, 0xAA, 0x2A)
    );
    assert_eq!((pcmu::encode(0), pcmu::encode(i16::MAX), pcmu::encode(i16::MIN)), (0xFF, 0x80, 0x00));
    assert_eq!((pcma::decode(0xAA), pcmu::decode(0x80)), (32_256, 32_124));
}

#[test]
fn transcoding_goes_through_the_linear_value() {
    for byte in 0..=255u8 {
        assert_eq!(pcma::TO_PCMU[usize::from(byte)], pcmu::encode(pcma::decode(byte)));
        assert_eq!(pcmu::TO_PCMA[usize::from(byte)], pcma::encode(pcmu::decode(byte)));
    }
    // There and back costs at most one step: loud stays loud, quiet quiet.
    for byte in 0..=255u8 {
        let there = pcma::decode(byte);
        let back = pcma::decode(pcmu::TO_PCMA[usize::from(pcma::TO_PCMU[usize::from(byte)])]);
        let step = 16 + i32::from(there.saturating_abs()) / 16;
        assert!((i32::from(there) - i32::from(back)).abs() <= step, "{byte:#x}: {there} {back}");
    }
}

#[test]
fn every_codec_has_its_own_row() {
    for info in &TABLE {
        assert_eq!(info.codec.info().name, info.name);
        assert_eq!(Codec::from_static(info.payload_type), Some(info.codec));
        assert_eq!(Codec::from_rtpmap(&info.name.to_lowercase(), 8_000), Some(info.codec));
        assert_eq!(Codec::from_rtpmap(info.name, 16_000), None);
        assert_eq!(conversion(info.codec, info.codec), Conversion::Same);
    }
    assert_eq!(conversion(Codec::G722, Codec::Pcma), Conversion::Impossible);
}
