//! What the console counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Counts {
    /// Answers by class: 1xx to 5xx.
    pub(crate) responses: [AtomicU64; 5],
    /// Requests refused because their address asked too often.
    pub(crate) limited: AtomicU64,
    /// Requests with no or wrong credentials.
    pub(crate) unauthorised: AtomicU64,
    /// Requests that took too long.
    pub(crate) timeouts: AtomicU64,
    /// Event clients connected now.
    pub(crate) event_clients: AtomicU64,
    /// Events that clients missed because they were too slow.
    pub(crate) events_lagged: AtomicU64,
    /// Event clients dropped because they took nothing any more.
    pub(crate) event_clients_dropped: AtomicU64,
}

pub(crate) fn add(count: &AtomicU64, value: u64) {
    count.fetch_add(value, Ordering::Relaxed);
}

pub(crate) fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
