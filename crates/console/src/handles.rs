//! What the console is given to look at and to ask.

use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use base::UnixMillis;
use call::admin::{Admin, AdminError};
use call::view::{Notice, Snapshot};
use store::{Spool, Store};
use tokio::sync::{broadcast, mpsc, oneshot};

/// One request to the switch, and where its answer goes.
#[derive(Debug)]
pub struct AdminRequest {
    /// What is asked.
    pub admin: Admin,
    /// The answer. If it is dropped the client gets 503.
    pub reply: oneshot::Sender<Result<(), AdminError>>,
}

/// The parts of the program that the console shows.
#[derive(Clone)]
pub struct Handles {
    /// The switch as of a moment ago: its owner stores a new one about once a second.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Changes as they happen. A subscriber who is too slow misses some and is told how many.
    pub notices: broadcast::Sender<Arc<Notice>>,
    /// Requests to the switch; a full channel is answered with 503.
    pub admin: mpsc::Sender<AdminRequest>,
    /// The database: a [`Store`] of the console's own runtime.
    pub store: Store,
    /// The spool, if call records are kept.
    pub spool: Option<Spool>,
    /// Whether calls are taken.
    pub readiness: Arc<Readiness>,
    /// Further metrics, asked at each scrape: media workers, the event loop. Must not block.
    pub samples: Arc<dyn Fn() -> Vec<Sample> + Send + Sync>,
    /// The wall time; only the owner of the program reads the system's clock.
    pub clock: Arc<dyn Fn() -> UnixMillis + Send + Sync>,
    /// The folder in which callers' messages lie, as [`store::RecordingRow::file`] is relative to it.
    pub recordings: PathBuf,
    /// Version shown in `usher_build_info`.
    pub version: &'static str,
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles")
            .field("store", &self.store)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Whether the program takes calls: `/readyz`.
#[derive(Debug, Default)]
pub struct Readiness {
    started: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// Every port is bound and calls are taken.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// No new calls are taken any more.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether [`Readiness::set_started`] was called.
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Whether [`Readiness::set_draining`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// What a metric's value does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Goes up only; shown with the suffix `_total`.
    Counter,
}

/// One value of one metric. Samples of one name need not stand together.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name without the `usher_` prefix and the `_total` suffix, for example `rtp_packets_received`.
    pub name: &'static str,
    /// What it counts, one line.
    pub help: &'static str,
    /// Gauge or counter.
    pub kind: Kind,
    /// Labels, for example `("worker", "0")`.
    pub labels: Vec<(&'static str, String)>,
    /// Value.
    pub value: f64,
}
