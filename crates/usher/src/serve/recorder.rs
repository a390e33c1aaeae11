//! Callers' messages into files: `FOLDER/2026-11-22/CALL-NAME.wav`. A thread of its own with a bounded ring
//! before it, so that a slow disk delays no call.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use call::message::Recording;
use store::{Note, Push, RecordingRow, Spool};

use super::counters::{Counters, count};

/// Messages on their way to the disk; the next one is lost and counted.
const RING_MAX: usize = 64;
/// Messages of one name in one call.
const SAME_NAME_MAX: u32 = 99;
/// When the folder is full it is measured again, but not more often than this: somebody may have tidied up.
const MEASURE_EVERY: Duration = Duration::from_secs(60);

/// The way to the files. Cheap to clone; the thread ends with the last clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    ring: SyncSender<Recording>,
    counters: Arc<Counters>,
}

impl Recorder {
    /// Makes the folder, for its owner only, and starts the thread.
    ///
    /// # Errors
    /// What the system says about the folder or the thread.
    pub fn start(
        folder: &Path,
        bytes_max: u64,
        counters: Arc<Counters>,
        index: Option<Spool>,
    ) -> io::Result<(Recorder, JoinHandle<()>)> {
        make(folder)?;
        let mut shelf = Shelf { folder: folder.to_path_buf(), bytes_max, bytes: 0, measured: Instant::now() };
        let (ring, recordings) = sync_channel(RING_MAX);
        let counts = Arc::clone(&counters);
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || run(&mut shelf, &recordings, &counts, index.as_ref()))?;
        Ok((Recorder { ring, counters }, thread))
    }

    /// Hands a message over. Never blocks.
    pub fn keep(&self, recording: Recording) {
        let call = recording.call;
        if self.ring.try_send(recording).is_err() {
            count(&self.counters.recordings_lost);
            tracing::error!(%call, "a caller's message is lost: too many are on their way to the disk");
        }
    }
}

fn run(shelf: &mut Shelf, recordings: &Receiver<Recording>, counters: &Counters, index: Option<&Spool>) {
    shelf.measure();
    for recording in recordings {
        let call = recording.call;
        match shelf.keep(&recording) {
            Ok(row) => {
                count(&counters.recordings_written);
                let refused = |index: &Spool| index.push(Note::Recording(row)) == Push::Refused;
                if index.is_some_and(refused) {
                    count(&counters.notes_refused);
                }
                tracing::info!(%call, length_ms = recording.length_ms, "a caller's message is kept");
            }
            Err(error) => {
                count(&counters.recordings_lost);
                tracing::error!(%call, %error, "a caller's message is lost");
            }
        }
    }
}

/// The folder and how full it is.
struct Shelf {
    folder: PathBuf,
    bytes_max: u64,
    bytes: u64,
    measured: Instant,
}

impl Shelf {
    fn measure(&mut self) {
        self.bytes = size(&self.folder, 2);
        self.measured = Instant::now();
    }

    /// Writes the file whole or not at all; says where it lies.
    fn keep(&mut self, recording: &Recording) -> io::Result<RecordingRow> {
        let wav = media::recording::wav(recording.codec, recording.audio.reveal());
        let length = wav.len() as u64;
        if self.bytes.saturating_add(length) > self.bytes_max {
            if self.measured.elapsed() >= MEASURE_EVERY {
                self.measure();
            }
            if self.bytes.saturating_add(length) > self.bytes_max {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "the recordings' folder is full"));
            }
        }
        let day: String = store::utc(recording.at).chars().take(10).collect();
        let folder = self.folder.join(&day);
        make(&folder)?;
        let path = free_name(&folder, &format!("{}-{}", recording.call, file_name(&recording.name)))?;
        let part = path.with_extension("part");
        let written = write(&part, &wav).and_then(|()| fs::rename(&part, &path));
        if let Err(error) = written {
            // What is left of it would only take room; if it cannot be removed either, so be it.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        self.bytes = self.bytes.saturating_add(length);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(RecordingRow {
            file: format!("{day}/{name}"),
            call: recording.call.0,
            name: recording.name.clone(),
            at: recording.at.0,
            length_ms: recording.length_ms,
            bytes: length,
        })
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The flow's word as part of a file's name: what is not a letter, digit, `-` or `_` is `_`.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    name.chars().take(64).map(plain).collect()
}

fn free_name(folder: &Path, stem: &str) -> io::Result<PathBuf> {
    for number in 1..=SAME_NAME_MAX {
        let name = if number == 1 { format!("{stem}.wav") } else { format!("{stem}-{number}.wav") };
        let path = folder.join(name);
        if !path.try_exists()? {
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many messages of one name in one call"))
}

/// Bytes of the files in a folder and `depth` levels below. What cannot be read counts nothing.
fn size(folder: &Path, depth: u32) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() && depth > 0 => size(&entry.path(), depth.saturating_sub(1)),
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    };
    entries.flatten().map(of).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::Ordering;

    use base::{CallKey, Pii, UnixMillis};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            Folder(std::env::temp_dir().join(format!("usher-recorder-{}-{name}", std::process::id())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn message(name: &str, ms: u32) -> Recording {
        Recording {
            call: CallKey(0xA1),
            name: name.to_owned(),
            codec: media::Codec::Pcma,
            audio: Pii::new(vec![0x55; ms as usize * 8].into_boxed_slice()),
            length_ms: ms,
            at: UnixMillis(1_795_317_900_000),
        }
    }

    #[test]
    fn messages_are_files_of_their_day_for_their_owner_only() {
        let folder = Folder::new("day");
        let counters = Arc::<Counters>::default();
        let (recorder, thread) = Recorder::start(&folder.0, 1 << 20, Arc::clone(&counters), None).unwrap();
        recorder.keep(message("complaint", 1_000));
        recorder.keep(message("complaint", 500));
        recorder.keep(message("../../etc/x", 20));
        drop(recorder);
        thread.join().unwrap();
        let day = folder.0.join("2026-11-22");
        let mut names: Vec<_> =
            fs::read_dir(&day).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let key = CallKey(0xA1);
        let expected = [
            format!("{key}-______etc_x.wav"),
            format!("{key}-complaint-2.wav"),
            format!("{key}-complaint.wav"),
        ];
        assert_eq!(names, expected);
        let file = day.join(format!("{key}-complaint.wav"));
        assert_eq!(fs::read(&file).unwrap().len(), 8_000 + 58);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&folder.0), mode(&day), mode(&file)], [0o700, 0o700, 0o600]);
        assert_eq!(counters.recordings_written.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_full_folder_takes_no_more_and_that_is_counted() {
        let folder = Folder::new("full");
        let counters = Arc::<Counters>::default();
        for _ in 0..2 {
            // The second start finds what the first one wrote.
            let (recorder, thread) = Recorder::start(&folder.0, 10_000, Arc::clone(&counters), None).unwrap();
            recorder.keep(message("a", 1_000));
            recorder.keep(message("b", 1_000));
            drop(recorder);
            thread.join().unwrap();
        }
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!((count(&counters.recordings_written), count(&counters.recordings_lost)), (1, 3));
    }
}
