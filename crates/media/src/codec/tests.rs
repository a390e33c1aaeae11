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
        assert_eq!(Codec::from_static(info.payload_type), info.is_static.then_some(info.codec));
        assert_eq!(Codec::from_rtpmap(&info.name.to_lowercase(), info.clock_hz), Some(info.codec));
        assert_eq!(Codec::from_rtpmap(info.name, 16_000), None);
        assert_eq!(conversion(info.codec, info.codec), Conversion::Same);
        assert_eq!(info.codec.frame_units(), info.clock_hz / 50);
        assert_eq!(info.codec.units(info.silence), info.clock_hz / 50, "{} says how long it is", info.name);
    }
    assert_eq!(conversion(Codec::G722, Codec::Pcma), Conversion::Decode);
    assert!(Codec::Pcmu.is_twin(Codec::Pcma) && !Codec::Opus.is_twin(Codec::Pcma));
}

/// A vowel of 200 Hz and its harmonics.
fn vowel(rate: Rate, seconds: usize) -> Vec<i16> {
    let at = |n: usize| {
        let turn = core::f64::consts::TAU * 200.0 * n as f64 / f64::from(rate.hz());
        let sum: f64 = (1..8).map(|k| (turn * f64::from(k)).sin() / f64::from(k)).sum();
        (sum * 5_000.0) as i16
    };
    (0..rate.hz() as usize * seconds).map(at).collect()
}

fn loudness(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (sum / samples.len() as f64).sqrt()
}

/// How much of `a` is in `b`, at the best place within 20 ms: 1 if one is the other.
fn likeness(a: &[i16], b: &[i16], rate: Rate) -> f64 {
    let length = a.len() - 2 * rate.frame();
    let product = |shift: usize| {
        let pairs = a[..length].iter().zip(&b[shift..]);
        let sum: f64 = pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
        sum / length as f64 / loudness(&a[..length]) / loudness(&b[shift..shift + length])
    };
    (0..rate.frame()).map(product).fold(0.0, f64::max)
}

#[test]
fn every_codec_says_again_what_it_heard() {
    for info in &TABLE {
        for wish in [Rate::Narrow, Rate::Wide] {
            let parameters = opus::Parameters::default();
            let mut encoder = (info.encoder)(wish, &parameters).unwrap();
            let mut decoder = (info.decoder)(encoder.rate()).unwrap();
            let rate = encoder.rate();
            assert_eq!(decoder.rate(), rate);
            let said = vowel(rate, 2);
            let (mut heard, mut coded) = (Vec::new(), [0; FRAME_BYTES_MAX]);
            let mut samples = vec![0; PACKET_SAMPLES_MAX];
            for frame in said.chunks(rate.frame()) {
                let length = encoder.encode(frame, &mut coded);
                assert!((1..=FRAME_BYTES_MAX).contains(&length), "{} {length}", info.name);
                assert_eq!(info.codec.units(&coded[..length]), info.codec.frame_units());
                let count = decoder.decode(&coded[..length], &mut samples).unwrap();
                assert_eq!(count, rate.frame());
                heard.extend_from_slice(&samples[..count]);
            }
            let (said, heard) = (&said[rate.frame() * 20..], &heard[rate.frame() * 20..]);
            assert!(likeness(said, heard, rate) > 0.9, "{} {}", info.name, likeness(said, heard, rate));
            let louder = 20.0 * (loudness(heard) / loudness(said)).log10();
            assert!(louder.abs() < 2.0, "{}: {louder} dB", info.name);
        }
    }
}

#[test]
fn every_codecs_silence_is_silent_and_rubbish_does_no_harm() {
    let mut rng = base::Rng::new(base::Seed([4, 4]));
    for info in &TABLE {
        let mut decoder = (info.decoder)(Rate::Narrow).unwrap();
        let mut samples = vec![0; PACKET_SAMPLES_MAX];
        for _ in 0..2_000 {
            let length = rng.below(PAYLOAD_BYTES_MAX as u64 + 200) as usize;
            let rubbish: Vec<u8> = (0..length).map(|_| rng.next_u32() as u8).collect();
            info.codec.units(&rubbish);
            if let Ok(count) = decoder.decode(&rubbish, &mut samples) {
                assert!(count <= PACKET_SAMPLES_MAX);
            }
            decoder.conceal(Some(&rubbish), &mut samples[..decoder.rate().frame()]);
        }
        let mut last = 0;
        for _ in 0..150 {
            last = decoder.decode(info.silence, &mut samples).unwrap();
        }
        assert!(loudness(&samples[..last]) <= 32.0, "{} {}", info.name, loudness(&samples[..last]));
    }
}

#[test]
fn opus_fills_a_gap_from_the_packet_behind_it() {
    let parameters = opus::Parameters::parse("minptime=10; useinbandfec=1; maxplaybackrate=8000");
    assert_eq!((parameters.fec, parameters.max_playback_hz), (true, 8_000));
    let mut encoder = (Codec::Opus.info().encoder)(Rate::Wide, &parameters).unwrap();
    assert_eq!(encoder.rate(), Rate::Narrow, "who hears no more is not sent more");
    encoder.peer_loses(0.2);
    let mut decoder = (Codec::Opus.info().decoder)(Rate::Narrow).unwrap();
    let said = vowel(Rate::Narrow, 1);
    let mut packets = Vec::new();
    let mut coded = [0; FRAME_BYTES_MAX];
    for frame in said.chunks(160) {
        let length = encoder.encode(frame, &mut coded);
        packets.push(coded[..length].to_vec());
    }
    let mut samples = vec![0; PACKET_SAMPLES_MAX];
    for packet in &packets[..40] {
        decoder.decode(packet, &mut samples).unwrap();
    }
    let mut gap = [0; 160];
    assert!(decoder.conceal(Some(&packets[41]), &mut gap));
    assert!(loudness(&gap) > loudness(&said) / 2.0, "{}", loudness(&gap));
}

#[test]
fn what_a_peer_says_about_opus_is_read_or_passed_over() {
    let parse = opus::Parameters::parse;
    assert_eq!(parse("").max_playback_hz, 48_000);
    assert_eq!(parse("maxaveragebitrate=1;usedtx=1;;=;x").max_bitrate, 6_000);
    assert_eq!(parse("maxplaybackrate=-1; maxplaybackrate=99999999999; useinbandfec=2"), Default::default());
    for (packet, units) in
        [(&[0x08, 1][..], 960), (&[0x18], 2_880), (&[0x19], 5_760), (&[0x83, 3], 360), (&[0x1B, 63], 5_760)]
    {
        assert_eq!(opus::units(packet), units, "{packet:x?}");
    }
    assert_eq!(opus::units(&[]), 0);
}
