//! What every request handler sees.

use std::sync::Arc;

use prometheus::process_collector::ProcessCollector;
use tokio::sync::{Semaphore, watch};

use crate::config::ConsoleConfig;
use crate::counts::Counts;
use crate::handles::Handles;
use crate::limit::Limiter;

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: ConsoleConfig,
    pub(crate) handles: Handles,
    pub(crate) counts: Counts,
    /// Requests to `/api` per address.
    pub(crate) requests: Limiter,
    /// Wrong credentials per address.
    pub(crate) failures: Limiter,
    /// Places for clients of the event stream.
    pub(crate) event_places: Arc<Semaphore>,
    pub(crate) process: ProcessCollector,
    /// Becomes true when the console shuts down.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Shared {
    pub(crate) fn new(config: ConsoleConfig, handles: Handles, closing: watch::Receiver<bool>) -> Self {
        let per_s = f64::from(config.requests_per_s.max(1));
        let failures_max = f64::from(config.failures_per_min.max(1));
        Shared(Arc::new(Inner {
            requests: Limiter::new(per_s, per_s * 10.0),
            failures: Limiter::new(failures_max / 60.0, failures_max),
            event_places: Arc::new(Semaphore::new(config.event_clients_max)),
            counts: Counts::default(),
            process: ProcessCollector::for_self(),
            config,
            handles,
            closing,
        }))
    }
}

impl Inner {
    /// Completes when the console shuts down.
    pub(crate) async fn closed(&self) {
        let mut closing = self.closing.clone();
        let _ = closing.wait_for(|&closing| closing).await;
    }
}

impl core::ops::Deref for Shared {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
