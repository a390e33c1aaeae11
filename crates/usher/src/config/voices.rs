//! The voices: folders of WAV files, read and encoded before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use base::Finding;
use call::settings::Voices;
use media::{Codec, Prompt};

use reader::Findings;

/// Longest WAV file that is read, bytes: ten minutes at 16 kHz.
const WAV_BYTES_MAX: u64 = 10 * 60 * 16_000 * 2 + 1024;

/// Reads every voice, to be spoken in the codecs of these names; a file that is no usable prompt is a finding.
pub fn read(
    folder: &Path,
    voices: &[(String, std::path::PathBuf)],
    codecs: &[String],
    findings: &Findings,
) -> Voices {
    let codecs: Vec<Codec> = codecs.iter().filter_map(|name| Codec::from_name(name)).collect();
    let mut languages = BTreeMap::new();
    for (language, place) in voices {
        languages.insert(language.clone(), voice(&folder.join(place), &codecs, findings));
    }
    Voices { languages }
}

fn voice(folder: &Path, codecs: &[Codec], findings: &Findings) -> BTreeMap<String, Arc<Prompt>> {
    let shown = folder.display().to_string();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            findings.push(Finding::new(shown, format!("no voice here ({error}): run `make prompts`")));
            return BTreeMap::new();
        }
    };
    let mut prompts = BTreeMap::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|ending| ending != "wav") {
            continue;
        }
        let Some(name) = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()) else { continue };
        match prompt(&path, codecs) {
            Ok(prompt) => {
                prompts.insert(name, Arc::new(prompt));
            }
            Err(wrong) => findings.push(Finding::new(path.display().to_string(), wrong)),
        }
    }
    if prompts.is_empty() {
        findings.push(Finding::new(shown, "no WAV file is in this folder: run `make prompts`"));
    }
    prompts
}

fn prompt(path: &Path, codecs: &[Codec]) -> Result<Prompt, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > WAV_BYTES_MAX {
        return Err(format!("has {size} bytes, more than {WAV_BYTES_MAX}"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    Prompt::from_wav(&bytes, codecs).map_err(|error| error.to_string())
}

/// The names of each voice's prompts, for the check of the flows.
pub fn vocabulary(voices: &Voices) -> BTreeMap<String, BTreeSet<String>> {
    let names = |prompts: &BTreeMap<String, Arc<Prompt>>| prompts.keys().cloned().collect();
    voices.languages.iter().map(|(language, prompts)| (language.clone(), names(prompts))).collect()
}
