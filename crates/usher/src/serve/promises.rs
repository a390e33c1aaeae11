//! Promised callbacks into the store. While the database is away they wait here, in order and bounded.

use std::sync::Arc;
use std::time::Duration;

use call::message::Callback;
use store::Store;
use tokio::sync::mpsc;

use super::counters::{Counters, count};

/// Promises that may wait for the database; the next one is lost and counted.
const WAITING_MAX: usize = 1024;
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// The way of a promise to the store.
#[derive(Clone, Debug)]
pub struct Promises {
    ring: mpsc::Sender<Callback>,
    counters: Arc<Counters>,
}

impl Promises {
    /// The way, and the work that must be spawned; it ends with the last clone of the way.
    pub fn new(store: Store, counters: Arc<Counters>) -> (Promises, impl Future<Output = ()>) {
        let (ring, inbox) = mpsc::channel(WAITING_MAX);
        let work = write(store, inbox, Arc::clone(&counters));
        (Promises { ring, counters }, work)
    }

    /// Hands a promise over. Never blocks.
    pub fn keep(&self, callback: Callback) {
        let call = callback.call;
        if self.ring.try_send(callback).is_err() {
            count(&self.counters.callbacks_lost);
            tracing::error!(%call, "a promised callback is lost: too many wait for the database");
        }
    }
}

async fn write(store: Store, mut inbox: mpsc::Receiver<Callback>, counters: Arc<Counters>) {
    while let Some(callback) = inbox.recv().await {
        let call = callback.call;
        loop {
            match store.put_callback(&callback).await {
                Ok(()) => break tracing::info!(%call, "a promised callback is kept"),
                Err(error) if error.is_passing() => {
                    tracing::warn!(%call, %error, "a promised callback waits for the database");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    count(&counters.callbacks_lost);
                    break tracing::error!(%call, %error, "a promised callback is lost");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[tokio::test]
    async fn promises_reach_the_store_and_the_bound_is_counted() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let counters = Arc::<Counters>::default();
        let (promises, work) = Promises::new(store.clone(), Arc::clone(&counters));
        for n in 0..1_030 {
            promises.keep(store::sample::callback(n));
        }
        assert_eq!(counters.callbacks_lost.load(Ordering::Relaxed), 6);
        drop(promises);
        work.await;
        assert_eq!(store.callbacks(false, 3).await.unwrap().len(), 3);
        assert_eq!(store.callbacks(true, 1).await.unwrap()[0].callback, store::sample::callback(1_023));
    }
}
