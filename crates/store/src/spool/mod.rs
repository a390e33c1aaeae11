//! The spool: between the switch, which never waits, and the database, which may be slow or down.
//!
//! ```text
//! switch ── push ──▶ ring ──▶ disk thread: append, fsync ──▶ segments ──▶ task: INSERT in order ──▶ database
//!          never      │            full disk: retry             │            down: back off, retry
//!          blocks     full: refused, counted                    full: newest refused, counted
//! ```
//!
//! A record that [`Spool::push`] took is in the ring; once the disk thread has it fsync'd it survives the
//! process and the machine's power. It leaves the disk after its transaction has committed, so a crash in
//! between writes it again, and the database ignores the second by its key: none lost, none twice.

mod deliver;
mod disk;
mod item;
mod line;
mod segment;

use core::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::db::Store;

pub use item::{Item, Note};

/// Where the spool lives and how much it holds.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// Its folder, made when missing. One process at a time.
    pub dir: PathBuf,
    /// Most bytes on disk. At the limit the oldest are kept and the newest refused.
    pub bytes_max: u64,
    /// Most records in memory on their way to the disk. At the limit the newest are refused.
    pub ring_max: usize,
    /// Most records of one fsync and of one transaction.
    pub batch_max: usize,
    /// How long a record waits in memory for others before it goes to the disk with them.
    pub gather: Duration,
    /// How long records wait on the disk for others before they go to the database with them.
    pub gather_rows: Duration,
    /// Share of `bytes_max`, in percent, above which [`SpoolStatus::over_bound`] is set.
    pub bound_percent: u8,
    /// First and longest pause between attempts on a database that fails.
    pub backoff: (Duration, Duration),
}

impl SpoolConfig {
    /// 256 MiB in `dir`, about 200,000 calls: hours of a busy hotline without its database.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        SpoolConfig {
            dir: dir.into(),
            bytes_max: 256 << 20,
            ring_max: 16_384,
            batch_max: 256,
            gather: Duration::from_millis(20),
            gather_rows: Duration::from_millis(200),
            bound_percent: 80,
            backoff: (Duration::from_millis(100), Duration::from_secs(5)),
        }
    }
}

/// What became of a record that was pushed. The switch need not look: the spool counts and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// In the ring.
    Accepted,
    /// The ring is full (the disk hangs), or the spool is closed: lost, counted.
    Refused,
}

/// Counts and sizes of a spool. Counts are since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Records in memory, not yet on the disk.
    pub in_memory: u64,
    /// Records on the disk, not yet in the database.
    pub on_disk: u64,
    /// Bytes of the segments on disk.
    pub disk_bytes: u64,
    /// Records that were written to the database.
    pub written: u64,
    /// Records that the database had already (after a crash between its commit and ours).
    pub repeated: u64,
    /// Records lost because memory or disk was at its limit.
    pub refused: u64,
    /// Records set aside in `rejected.jsonl` because the database refuses their data.
    pub rejected: u64,
    /// Lines that failed their checksum (a torn tail after a crash, a bad disk), set aside likewise.
    pub corrupt: u64,
    /// Attempts on the database that failed.
    pub database_failures: u64,
    /// Writes to the disk that failed.
    pub disk_failures: u64,
    /// Whether the last attempt on the database failed.
    pub database_down: bool,
    /// Whether the disk is filled beyond [`SpoolConfig::bound_percent`]: not ready for more.
    pub over_bound: bool,
}

/// Why a spool could not be opened.
#[derive(Debug)]
pub enum SpoolError {
    /// Its folder cannot be used.
    Folder(std::io::Error),
    /// Another process uses the folder.
    InUse,
    /// A thread could not be started.
    Thread(std::io::Error),
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpoolError::Folder(error) => write!(f, "the spool's folder cannot be used: {error}"),
            SpoolError::InUse => f.write_str("the spool's folder is in use by another process"),
            SpoolError::Thread(error) => write!(f, "the spool's thread cannot be started: {error}"),
        }
    }
}

impl std::error::Error for SpoolError {}

/// The way of a call record to the database. Cheap to clone; clones are the same spool.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    ring: SyncSender<Item>,
    shared: Arc<Shared>,
    workers: Mutex<Option<(std::thread::JoinHandle<()>, JoinHandle<()>)>>,
}

/// What the three parties see of each other.
pub(crate) struct Shared {
    pub(crate) config: SpoolConfig,
    pub(crate) counts: Counts,
    /// No more pushes: the disk thread ends when the ring is empty.
    pub(crate) closing: AtomicBool,
    /// The disk thread has ended: the delivery ends when the disk is empty.
    pub(crate) disk_ended: AtomicBool,
    /// Rung by the disk thread when there are new lines.
    pub(crate) appended: Notify,
    /// Rung by either when records came to rest: in the database, set aside or refused.
    pub(crate) settled: Notify,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) accepted: AtomicU64,
    /// Left the ring: on the disk or refused by its limit.
    pub(crate) taken: AtomicU64,
    pub(crate) on_disk: AtomicU64,
    pub(crate) disk_bytes: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) corrupt: AtomicU64,
    pub(crate) database_failures: AtomicU64,
    pub(crate) disk_failures: AtomicU64,
    pub(crate) database_down: AtomicBool,
    /// Second, since the spool's start, of the last log line about refused records.
    pub(crate) refusal_logged_s: AtomicU64,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spool({:?})", self.status())
    }
}

impl Spool {
    /// Opens the folder, takes up what an earlier process left there, and starts writing. Must be called
    /// on the tokio runtime that `store` belongs to; delivery runs there.
    ///
    /// # Errors
    /// [`SpoolError`], if the folder cannot be written, is in use, or the thread cannot be started.
    pub fn start(config: SpoolConfig, store: Store) -> Result<Spool, SpoolError> {
        let folder = segment::Folder::open(&config.dir)?;
        let (ring, records) = sync_channel(config.ring_max.max(1));
        let shared = Arc::new(Shared {
            config,
            counts: Counts::default(),
            closing: AtomicBool::new(false),
            disk_ended: AtomicBool::new(false),
            appended: Notify::new(),
            settled: Notify::new(),
        });
        let (appender, reader) = folder.split(&shared)?;
        let disk = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || disk::run(&disk, appender, &records))
            .map_err(SpoolError::Thread)?;
        let task = tokio::spawn(deliver::run(Arc::clone(&shared), reader, store));
        Ok(Spool(Arc::new(Inner { ring, shared, workers: Mutex::new(Some((thread, task))) })))
    }

    /// Hands a record or a note over. Never blocks, never touches the disk.
    pub fn push(&self, item: impl Into<Item>) -> Push {
        let shared = &self.0.shared;
        if shared.closing.load(Ordering::Acquire) {
            shared.refuse("spool is closed");
            return Push::Refused;
        }
        // Counted before it is sent, so that `taken` never runs ahead of `accepted`.
        shared.counts.accepted.fetch_add(1, Ordering::AcqRel);
        match self.0.ring.try_send(item.into()) {
            Ok(()) => Push::Accepted,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                shared.counts.accepted.fetch_sub(1, Ordering::AcqRel);
                shared.refuse("memory is full");
                Push::Refused
            }
        }
    }

    /// Counts and sizes now.
    pub fn status(&self) -> SpoolStatus {
        self.0.shared.status()
    }

    /// Waits until every record pushed before is in the database, set aside or refused; for ever if the
    /// database stays down.
    pub async fn flush(&self) {
        loop {
            let settled = self.0.shared.settled.notified();
            let status = self.status();
            if status.in_memory == 0 && status.on_disk == 0 {
                return;
            }
            // A ring that is lost between the look and the wait costs at most this.
            let _ = tokio::time::timeout(Duration::from_millis(50), settled).await;
        }
    }

    /// Takes no more records, writes what it has to the disk, and to the database until `patience` is
    /// over. What is left then waits on the disk for the next start.
    pub async fn close(&self, patience: Duration) -> SpoolStatus {
        let shared = &self.0.shared;
        let deadline = Instant::now() + patience;
        shared.closing.store(true, Ordering::Release);
        let workers = self.0.workers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((thread, mut task)) = workers {
            let ended = tokio::task::spawn_blocking(move || thread.join());
            let _ = tokio::time::timeout(patience, ended).await;
            let left = deadline.saturating_duration_since(Instant::now());
            if tokio::time::timeout(left, &mut task).await.is_err() {
                task.abort();
                let _ = task.await;
            }
        }
        self.status()
    }
}

impl Shared {
    pub(crate) fn status(&self) -> SpoolStatus {
        let counts = &self.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Acquire);
        // `taken` first: it follows `accepted`, so the difference is never negative.
        let taken = get(&counts.taken);
        let disk_bytes = get(&counts.disk_bytes);
        let bound = self.config.bytes_max / 100 * u64::from(self.config.bound_percent);
        SpoolStatus {
            in_memory: get(&counts.accepted).saturating_sub(taken),
            on_disk: get(&counts.on_disk),
            disk_bytes,
            written: get(&counts.written),
            repeated: get(&counts.repeated),
            refused: get(&counts.refused),
            rejected: get(&counts.rejected),
            corrupt: get(&counts.corrupt),
            database_failures: get(&counts.database_failures),
            disk_failures: get(&counts.disk_failures),
            database_down: counts.database_down.load(Ordering::Acquire),
            over_bound: disk_bytes > bound,
        }
    }

    /// Segments of so many bytes were removed.
    pub(crate) fn free(&self, bytes: u64) {
        let freed = |now: u64| Some(now.saturating_sub(bytes));
        let _ = self.counts.disk_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, freed);
    }

    /// Counts a lost record and says so in the log, at most once a second.
    pub(crate) fn refuse(&self, why: &'static str) {
        let refused = self.counts.refused.fetch_add(1, Ordering::AcqRel) + 1;
        let now_s = uptime_s();
        let logged_s = self.counts.refusal_logged_s.swap(now_s, Ordering::AcqRel);
        if logged_s != now_s {
            tracing::error!(refused, why, "call records are being lost");
        }
    }
}

/// Seconds since the first call of this function, plus one: zero stands for never.
fn uptime_s() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs() + 1
}
