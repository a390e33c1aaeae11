use super::*;
use crate::codec::{pcma, pcmu};

/// A WAV file by somebody else's writer.
fn wav(channels: u16, rate_hz: u32, bits: u16, samples: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate_hz,
        bits_per_sample: bits,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for &sample in samples {
        if bits == 8 {
            writer.write_sample(sample as i8).unwrap();
        } else {
            writer.write_sample(sample).unwrap();
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn ramp(count: i32) -> Vec<i16> {
    (0..count).map(|n| (n * 37 % 20_000 - 10_000) as i16).collect()
}

#[test]
fn g711_of_an_8_khz_file_is_the_file_sample_for_sample() {
    let samples = ramp(1_001);
    let prompt = Prompt::from_wav(&wav(1, 8_000, 16, &samples), &[]).unwrap();
    let expected = |encode: fn(i16) -> u8| samples.iter().map(|&s| encode(s)).collect::<Vec<u8>>();
    assert_eq!(prompt.audio(Codec::Pcma)[..], expected(pcma::encode));
    assert_eq!(prompt.audio(Codec::Pcmu)[..], expected(pcmu::encode));
    assert_eq!(prompt.audio(Codec::G722).len(), 1_001, "every codec has 8 bytes per millisecond");
    assert_eq!((prompt.duration_ms(), format!("{prompt:?}")), (126, "Prompt(126 ms)".to_owned()));
}

#[test]
fn a_16_khz_file_keeps_its_length_in_every_codec() {
    for count in [3_200, 3_201] {
        let prompt = Prompt::from_wav(&wav(1, 16_000, 16, &ramp(count)), &[]).unwrap();
        let lengths = [Codec::Pcma, Codec::Pcmu, Codec::G722].map(|codec| prompt.audio(codec).len());
        assert_eq!(lengths, [(count as usize).div_ceil(2); 3]);
    }
}

#[test]
fn what_is_wrong_with_a_file_is_named() {
    let good = wav(1, 8_000, 16, &ramp(100));
    let error = |bytes: &[u8]| Prompt::from_wav(bytes, &[]).unwrap_err();
    assert_eq!(error(b"ID3\x04 this is an MP3, not a WAV"), WavError::NotWav);
    assert_eq!(error(&[]), WavError::NotWav);
    assert_eq!(error(&wav(2, 8_000, 16, &ramp(100))), WavError::Channels(2));
    assert_eq!(error(&wav(1, 44_100, 16, &ramp(100))), WavError::Rate(44_100));
    assert_eq!(error(&wav(1, 8_000, 8, &[1, 2, 3, 4])), WavError::Bits(8));
    assert_eq!(error(&wav(1, 8_000, 16, &[])), WavError::NoData);
    assert_eq!(error(&good[..good.len() - 1]), WavError::Truncated);
    assert_eq!(error(&good[..36]), WavError::NoData);
    assert_eq!(error(&good[..12]), WavError::NoFormat);
    let long = wav(1, 8_000, 16, &vec![0; 8 * (PROMPT_MS_MAX as usize + 1)]);
    assert_eq!(error(&long), WavError::TooLong(PROMPT_MS_MAX + 1));
    let mut a_law = good.clone();
    a_law[20] = 6;
    assert_eq!(error(&a_law), WavError::Encoding(6));
    assert_eq!(WavError::Rate(44_100).to_string(), "44100 Hz; 8000 or 16000 Hz is right");
}

#[test]
fn chunks_that_mean_nothing_are_passed_over_and_streamed_sizes_understood() {
    let good = wav(1, 8_000, 16, &ramp(100));
    let mut with_list = good[..36].to_vec();
    with_list.extend_from_slice(b"LIST\x03\0\0\0abc\0");
    with_list.extend_from_slice(&good[36..]);
    assert_eq!(Prompt::from_wav(&with_list, &[]), Prompt::from_wav(&good, &[]));
    // A speech synthesizer that writes into a pipe.
    let mut streamed = good.clone();
    streamed[40..44].copy_from_slice(&0x7FFF_F000u32.to_le_bytes());
    assert_eq!(Prompt::from_wav(&streamed, &[]), Prompt::from_wav(&good, &[]));
}

#[test]
fn any_bytes_are_read_without_harm() {
    let mut rng = base::Rng::new(base::Seed([8, 16]));
    let good = wav(1, 8_000, 16, &ramp(20));
    for _ in 0..100_000 {
        let mut bytes = good.clone();
        for _ in 0..=rng.below(8) {
            let at = rng.below(48) as usize;
            bytes[at] = rng.next_u32() as u8;
        }
        bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
        let _ = wav::parse(&bytes);
    }
}

#[test]
fn a_pause_is_silence_and_a_table_gives_keys() {
    let pause = Prompt::silence(30);
    assert_eq!((pause.duration_ms(), pause.audio(Codec::Pcma)[..].to_vec()), (30, vec![0xD5; 240]));
    let mut table = PromptTable::default();
    let (first, second) = (table.insert(pause.clone()), table.insert(Prompt::tone(&[1_000.0], 0.5, 20)));
    assert_eq!(table.get(first).map(|found| found.duration_ms()), Some(30));
    assert_eq!(table.get(second).map(|found| found.bytes()), Some(160));
    assert!(table.get(PromptKey(2)).is_none());
}
