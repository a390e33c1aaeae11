//! Voices of noise: every prompt that the hotline's flows speak, short, and different from every other, so
//! that a test knows what it hears.

use std::path::Path;

/// Samples of a greeting: no whole number of packets.
const GREETING_SAMPLES: usize = 5003;
/// Samples of every other prompt.
const PROMPT_SAMPLES: usize = 800;
/// Samples of the hold music.
const MUSIC_SAMPLES: usize = 16_000;

/// What the prompt `name` sounds like in `language`.
pub fn samples(language: &str, name: &str) -> Vec<i16> {
    let length = match name {
        "silence" => return vec![0; 8000],
        "music" => MUSIC_SAMPLES,
        name if name.starts_with("greeting-") => GREETING_SAMPLES,
        _ => PROMPT_SAMPLES,
    };
    // FNV-1a of the name, then xorshift: no two prompts alike.
    let seed = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = language.bytes().chain(name.bytes()).fold(0xcbf2_9ce4_8422_2325, seed);
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i16::from_le_bytes([state.to_le_bytes()[3], state.to_le_bytes()[4]]) / 4
    };
    (0..length).map(|_| noise()).collect()
}

/// A sine of `hz` for some seconds, 8 kHz.
pub fn tone(hz: f64, seconds: u32) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hz / 8000.0;
    (0..seconds * 8000).map(|n| ((f64::from(n) * turn).sin() * 8000.0) as i16).collect()
}

/// Names of the prompts of the hotline's voice.
pub fn names(language: &str) -> Vec<String> {
    let table = crate::repository().join(format!("config/hotline/prompts/{language}.txt"));
    let text = std::fs::read_to_string(&table).unwrap_or_else(|error| panic!("{}: {error}", table.display()));
    let spoken =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').next());
    let sounds = ["beep", "busy", "music", "ringback", "silence"];
    spoken.filter(|name| !name.is_empty()).chain(sounds).map(str::to_owned).collect()
}

/// Writes the voice's folder.
pub fn write(folder: &Path, language: &str) {
    std::fs::create_dir_all(folder).unwrap();
    for name in names(language) {
        std::fs::write(folder.join(format!("{name}.wav")), wav(&samples(language, &name))).unwrap();
    }
}

/// A WAV file: 8 kHz, mono, 16 bit.
pub fn wav(samples: &[i16]) -> Vec<u8> {
    let data = u32::try_from(samples.len() * 2).unwrap();
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((data + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    for (tag_or_channels, rate) in [(1u16, None), (1, Some(8000u32))] {
        file.extend(tag_or_channels.to_le_bytes());
        file.extend(
            rate.into_iter().flat_map(|rate| [rate.to_le_bytes(), (rate * 2).to_le_bytes()].concat()),
        );
    }
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// The samples of a WAV file of ours or of `make prompts`.
pub fn read_wav(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let data = bytes.windows(4).position(|word| word == b"data").expect("a data chunk") + 8;
    bytes[data..].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// The first channel of a WAV file, at 8 kHz: of every so many samples one. Good enough to look for tones.
pub fn read_wav_at_8k(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let channels = usize::from(u16::from_le_bytes([bytes[22], bytes[23]]));
    let rate = u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]) as usize;
    read_wav(path).into_iter().step_by(channels * rate / 8_000).collect()
}
