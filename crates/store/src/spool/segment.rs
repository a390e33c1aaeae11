//! The spool's folder: numbered segments of lines, and the place up to which they are delivered.
//!
//! ```text
//! 00000000000000000012.jsonl   delivered in part      position: "12 81920"
//! 00000000000000000013.jsonl   waiting
//! 00000000000000000014.jsonl   being appended to
//! rejected.jsonl               what no database took, for a person to look at
//! lock                         held while a process uses the folder
//! ```
//!
//! An earlier process's last segment may end in a torn line: it is never appended to, a new process starts a
//! new segment. `position` may be behind the database (then lines are sent again, and ignored), never ahead.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Shared, SpoolError};

/// A segment is closed at this size, or at an eighth of the spool if that is less.
const SEGMENT_BYTES_MAX: u64 = 8 << 20;
/// Longest line that is looked at: a call of 100,000 steps. A longer one is no line of ours.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 20;
/// Set-aside lines kept, in bytes. At the limit they are only counted.
const REJECTED_BYTES_MAX: u64 = 16 << 20;

/// An open, locked folder with what an earlier process left in it.
pub(crate) struct Folder {
    dir: PathBuf,
    lock: File,
    /// Numbers and sizes, in order.
    segments: Vec<(u64, u64)>,
    position: Position,
}

/// Up to where the lines are in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// Where lines are added. Owned by the disk thread.
pub(crate) struct Appender {
    dir: PathBuf,
    segment: u64,
    file: File,
    len: u64,
    segment_max: u64,
    durable: Arc<Durable>,
    _lock: Arc<File>,
}

/// Where lines are read. Owned by the delivery.
pub(crate) struct Reader {
    dir: PathBuf,
    position: Position,
    file: Option<File>,
    /// See [`Reader::take_freed`].
    freed: u64,
    durable: Arc<Durable>,
    _lock: Arc<File>,
}

/// The end of what is safely on the disk: written by the appender, read by the reader.
#[derive(Default)]
struct Durable {
    /// Segment that is being appended to.
    segment: AtomicU64,
    /// Its fsync'd length. Only meaningful together with `segment`: read segment, length, segment again.
    len: AtomicU64,
}

/// What stands at the reader's place.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Whole lines, without their line feeds.
    pub(crate) lines: Vec<Vec<u8>>,
    /// The place after them.
    pub(crate) end: Position,
}

impl Folder {
    pub(crate) fn open(dir: &Path) -> Result<Folder, SpoolError> {
        std::fs::create_dir_all(dir).map_err(SpoolError::Folder)?;
        let lock = private(&dir.join("lock"), true).map_err(SpoolError::Folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(SpoolError::InUse),
            Err(std::fs::TryLockError::Error(error)) => return Err(SpoolError::Folder(error)),
        }
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(SpoolError::Folder)? {
            let entry = entry.map_err(SpoolError::Folder)?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse::<u64>().ok());
            if let Some(number) = number {
                segments.push((number, entry.metadata().map_err(SpoolError::Folder)?.len()));
            }
        }
        segments.sort_unstable();
        let position = read_position(dir);
        Ok(Folder { dir: dir.to_owned(), lock, segments, position })
    }

    /// The two ends of the folder: a new segment after all that are there, and the first undelivered line.
    pub(crate) fn split(self, shared: &Shared) -> Result<(Appender, Reader), SpoolError> {
        let Folder { dir, lock, segments, position } = self;
        let lock = Arc::new(lock);
        let last = segments.last().map_or(position.segment, |&(number, _)| number.max(position.segment));
        let first = segments.first().map_or(last + 1, |&(number, _)| number);
        // A place that does not exist is no place: better to repeat a segment than to skip one.
        let exists = |&(number, len): &(u64, u64)| number == position.segment && position.offset <= len;
        let position = match segments.first() {
            Some(segment) if exists(segment) => position,
            _ => Position { segment: first, offset: 0 },
        };
        let waiting = count_waiting(&dir, &segments, position).map_err(SpoolError::Folder)?;
        let bytes: u64 = segments.iter().map(|&(_, len)| len).sum();
        shared.counts.on_disk.store(waiting, Ordering::Release);
        shared.counts.disk_bytes.store(bytes, Ordering::Release);
        let durable = Arc::new(Durable::default());
        let segment = last + 1;
        let file = private(&path(&dir, segment), false).map_err(SpoolError::Folder)?;
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(SpoolError::Folder)?;
        durable.segment.store(segment, Ordering::Release);
        let segment_max = SEGMENT_BYTES_MAX.min(shared.config.bytes_max / 8).max(1);
        let appender = Appender {
            dir: dir.clone(),
            segment,
            file,
            len: 0,
            segment_max,
            durable: Arc::clone(&durable),
            _lock: Arc::clone(&lock),
        };
        Ok((appender, Reader { dir, position, file: None, freed: 0, durable, _lock: lock }))
    }
}

impl Appender {
    /// Appends whole lines and waits until they are on the disk. On an error nothing is added.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.len > 0 && self.len >= self.segment_max {
            self.roll()?;
        }
        let written = self.file.write_all_at(lines, self.len).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was written of it must not stand between this line and the next attempt's.
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.len += lines.len() as u64;
        self.durable.len.store(self.len, Ordering::Release);
        Ok(())
    }

    /// Closes the present segment if there is anything in it, so that it can be removed once delivered. At
    /// the disk's limit nothing is appended any more, and an open segment would hold its bytes for ever.
    pub(crate) fn close_segment(&mut self) -> io::Result<()> {
        if self.len > 0 { self.roll() } else { Ok(()) }
    }

    fn roll(&mut self) -> io::Result<()> {
        let next = self.segment + 1;
        let file = private(&path(&self.dir, next), false)?;
        File::open(&self.dir)?.sync_all()?;
        (self.file, self.segment, self.len) = (file, next, 0);
        // The length first: a reader that sees the old segment with a length of zero waits, and looks again.
        self.durable.len.store(0, Ordering::Release);
        self.durable.segment.store(next, Ordering::Release);
        Ok(())
    }
}

impl Reader {
    /// Up to `lines_max` whole lines from the reader's place on, empty if there are none.
    pub(crate) fn read(&mut self, lines_max: usize) -> io::Result<Batch> {
        loop {
            let writing = self.durable.segment.load(Ordering::Acquire);
            let here = self.position.segment;
            let Some(end) = self.readable_end(writing)? else {
                if here >= writing {
                    return Ok(Batch { lines: Vec::new(), end: self.position });
                }
                self.position = Position { segment: here + 1, offset: 0 };
                self.file = None;
                continue;
            };
            let batch = self.read_lines(end, here < writing, lines_max)?;
            if batch.lines.is_empty() && here < writing {
                self.freed += self.remove_segment(here);
                self.position = Position { segment: here + 1, offset: 0 };
                continue;
            }
            return Ok(batch);
        }
    }

    /// Up to where the present segment may be read; `None` if there is no such segment.
    fn readable_end(&mut self, writing: u64) -> io::Result<Option<u64>> {
        let here = self.position.segment;
        if self.file.is_none() {
            match File::open(path(&self.dir, here)) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &self.file else { return Ok(None) };
        if here < writing {
            return Ok(Some(file.metadata()?.len()));
        }
        let len = self.durable.len.load(Ordering::Acquire);
        // Rolled between the two loads: the length may be the new segment's. The old one's is not needed now.
        if self.durable.segment.load(Ordering::Acquire) == here { Ok(Some(len)) } else { Ok(Some(0)) }
    }

    fn read_lines(&self, end: u64, closed: bool, lines_max: usize) -> io::Result<Batch> {
        let mut batch = Batch { lines: Vec::new(), end: self.position };
        let Some(file) = &self.file else { return Ok(batch) };
        let mut buffer = Vec::new();
        let mut at = self.position.offset;
        while batch.lines.len() < lines_max && at < end {
            let want = (end - at).min(256 << 10);
            let mut piece = vec![0; usize::try_from(want).unwrap_or(256 << 10)];
            file.read_exact_at(&mut piece, at)?;
            at += want;
            buffer.extend_from_slice(&piece);
            let mut start = 0;
            while batch.lines.len() < lines_max
                && let Some(feed) = buffer.iter().skip(start).position(|&byte| byte == b'\n')
            {
                batch.lines.push(buffer.get(start..start + feed).unwrap_or_default().to_vec());
                start += feed + 1;
            }
            buffer.drain(..start);
            batch.end.offset += start as u64;
            let torn_tail = at >= end && closed && batch.lines.len() < lines_max && !buffer.is_empty();
            if torn_tail || buffer.len() > LINE_BYTES_MAX {
                batch.end.offset += buffer.len() as u64;
                batch.lines.push(core::mem::take(&mut buffer));
            }
        }
        Ok(batch)
    }

    /// Everything up to `end` is in the database (or set aside): go on from there. A segment that is done
    /// with is removed. Returns the bytes that became free.
    pub(crate) fn advance(&mut self, end: Position) -> u64 {
        self.position = end;
        let mut freed = 0;
        let writing = self.durable.segment.load(Ordering::Acquire);
        let len = self.file.as_ref().and_then(|file| file.metadata().ok()).map(|metadata| metadata.len());
        if end.segment < writing && len == Some(end.offset) {
            freed += self.remove_segment(end.segment);
            self.position = Position { segment: end.segment + 1, offset: 0 };
        }
        let end = self.position;
        // Best effort: a position that is behind only costs a repetition.
        let text = format!("{} {}\n", end.segment, end.offset);
        let (temporary, place) = (self.dir.join("position.new"), self.dir.join("position"));
        let written = private(&temporary, false).and_then(|mut file| file.write_all(text.as_bytes()));
        let _ = written.and_then(|()| std::fs::rename(&temporary, &place));
        freed
    }

    /// Keeps a line that no database takes for a person to look at.
    pub(crate) fn set_aside(&self, line: &[u8]) -> io::Result<()> {
        let mut file = private(&self.dir.join("rejected.jsonl"), true)?;
        if file.seek(SeekFrom::End(0))? < REJECTED_BYTES_MAX {
            file.write_all(line)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Bytes of segments that [`Reader::read`] found delivered and removed since the last call.
    pub(crate) fn take_freed(&mut self) -> u64 {
        core::mem::take(&mut self.freed)
    }

    /// Removes a segment that is delivered as a whole; returns its size.
    fn remove_segment(&mut self, number: u64) -> u64 {
        let file = self.file.take();
        let len = file.and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len());
        if let Err(error) = std::fs::remove_file(path(&self.dir, number)) {
            tracing::warn!(%error, number, "a delivered segment of the spool cannot be removed");
        }
        len
    }
}

fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:020}.jsonl"))
}

/// A file that only its owner may read: it holds callers' numbers.
fn private(path: &Path, keep: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(!keep).mode(0o600).open(path)
}

fn read_position(dir: &Path) -> Position {
    let text = std::fs::read_to_string(dir.join("position")).unwrap_or_default();
    let mut words = text.split_whitespace().map(str::parse::<u64>);
    match (words.next(), words.next()) {
        (Some(Ok(segment)), Some(Ok(offset))) => Position { segment, offset },
        _ => Position::default(),
    }
}

/// How many lines wait from `position` on.
fn count_waiting(dir: &Path, segments: &[(u64, u64)], position: Position) -> io::Result<u64> {
    let mut waiting = 0;
    for &(number, _) in segments.iter().filter(|&&(number, _)| number >= position.segment) {
        let mut file = File::open(path(dir, number))?;
        if number == position.segment {
            file.seek(SeekFrom::Start(position.offset))?;
        }
        let (mut buffer, mut last) = (vec![0; 256 << 10], b'\n');
        loop {
            let len = file.read(&mut buffer)?;
            let Some(piece) = buffer.get(..len).filter(|piece| !piece.is_empty()) else { break };
            waiting += piece.iter().filter(|&&byte| byte == b'\n').count() as u64;
            last = piece.last().copied().unwrap_or(b'\n');
        }
        waiting += u64::from(last != b'\n');
    }
    Ok(waiting)
}
