//! The delivery: reads the segments in order and writes them to the database, batch by batch.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::item::Items;
use super::segment::{Batch, Position, Reader};
use super::{Shared, line};
use crate::db::Store;
use crate::error::StoreError;

/// Longest time one transaction may take before it counts as failed.
const TRANSACTION_MAX: Duration = Duration::from_secs(30);
/// How often an idle delivery looks, should a ring be lost.
const IDLE: Duration = Duration::from_millis(500);

pub(crate) async fn run(shared: Arc<Shared>, mut reader: Reader, store: Store) {
    let mut pause = shared.config.backoff.0;
    let mut read_pause = shared.config.backoff.0;
    loop {
        // Before reading: what the disk thread wrote last is then seen by this read.
        let disk_ended = shared.disk_ended.load(Ordering::Acquire);
        let lines_max = shared.config.batch_max.max(1);
        let Some((back, read)) = blocking(reader, move |reader| reader.read(lines_max)).await else { return };
        reader = back;
        shared.free(reader.take_freed());
        let batch = match read {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read");
                shared.counts.disk_failures.fetch_add(1, Ordering::AcqRel);
                tokio::time::sleep(read_pause).await;
                read_pause = (read_pause * 2).min(shared.config.backoff.1);
                continue;
            }
        };
        read_pause = shared.config.backoff.0;
        if batch.lines.is_empty() {
            if disk_ended {
                return;
            }
            let _ = tokio::time::timeout(IDLE, shared.appended.notified()).await;
            if !shared.closing.load(Ordering::Acquire) {
                tokio::time::sleep(shared.config.gather_rows).await;
            }
            continue;
        }
        let Some((back, delivered)) = deliver(&shared, reader, &store, batch).await else { return };
        reader = back;
        if delivered {
            pause = shared.config.backoff.0;
        } else {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(shared.config.backoff.1);
        }
    }
}

/// Runs a file operation beside the runtime, which may have one thread only. `None` if the runtime ends.
async fn blocking<T: Send + 'static>(
    mut reader: Reader,
    work: impl FnOnce(&mut Reader) -> T + Send + 'static,
) -> Option<(Reader, T)> {
    let task = tokio::task::spawn_blocking(move || {
        let result = work(&mut reader);
        (reader, result)
    });
    task.await.ok()
}

/// Brings one batch to rest: in the database, or set aside. `false` if the database fails: try again.
async fn deliver(shared: &Shared, reader: Reader, store: &Store, batch: Batch) -> Option<(Reader, bool)> {
    let Batch { lines, end } = batch;
    let count = lines.len() as u64;
    let mut aside: Vec<Vec<u8>> = Vec::new();
    let mut items = Items::default();
    for line in lines {
        match line::parse(&line) {
            Some(item) => items.push(item),
            None => aside.push(line),
        }
    }
    let corrupt = aside.len() as u64;
    let known = items.len() as u64;
    let outcome = match put(store, &items).await {
        // One of them is refused for its data: find it, so that it does not stop all after it.
        Err(StoreError::Refused(_)) => put_one_by_one(store, items, &mut aside).await,
        other => other,
    };
    let new = match outcome {
        Ok(new) => new,
        Err(error) => {
            note_failure(shared, &error);
            return Some((reader, false));
        }
    };
    if shared.counts.database_down.swap(false, Ordering::AcqRel) {
        tracing::info!("the database takes call records again");
    }
    let rejected = aside.len() as u64 - corrupt;
    if !aside.is_empty() {
        tracing::error!(corrupt, rejected, "call records set aside in the spool's rejected.jsonl");
    }
    let (reader, disk_bytes) = blocking(reader, move |reader| settle(reader, &aside, end)).await?;
    let counts = &shared.counts;
    counts.written.fetch_add(new, Ordering::AcqRel);
    counts.repeated.fetch_add(known.saturating_sub(rejected + new), Ordering::AcqRel);
    counts.rejected.fetch_add(rejected, Ordering::AcqRel);
    counts.corrupt.fetch_add(corrupt, Ordering::AcqRel);
    counts.on_disk.fetch_sub(count.min(counts.on_disk.load(Ordering::Acquire)), Ordering::AcqRel);
    shared.free(disk_bytes);
    shared.settled.notify_waiters();
    Some((reader, true))
}

/// Sets lines aside and moves the position; returns how many bytes of segments became free.
fn settle(reader: &mut Reader, aside: &[Vec<u8>], end: Position) -> u64 {
    for line in aside {
        if let Err(error) = reader.set_aside(line) {
            tracing::error!(%error, "a record that was to be set aside is lost");
        }
    }
    reader.advance(end)
}

async fn put(store: &Store, items: &Items) -> Result<u64, StoreError> {
    match tokio::time::timeout(TRANSACTION_MAX, store.put_items(items)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)),
    }
}

async fn put_one_by_one(store: &Store, items: Items, aside: &mut Vec<Vec<u8>>) -> Result<u64, StoreError> {
    let mut new = 0;
    for item in items.into_each() {
        let mut one = Items::default();
        one.push(item.clone());
        match put(store, &one).await {
            Ok(count) => new += count,
            Err(StoreError::Refused(_)) => {
                let mut line = Vec::new();
                line::append(&item, &mut line);
                line.pop();
                aside.push(line);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(new)
}

/// Counts a failed attempt; says so in the log when it begins, not at every attempt.
fn note_failure(shared: &Shared, error: &StoreError) {
    shared.counts.database_failures.fetch_add(1, Ordering::AcqRel);
    if !shared.counts.database_down.swap(true, Ordering::AcqRel) {
        let waiting = shared.counts.on_disk.load(Ordering::Acquire);
        tracing::error!(%error, waiting, "the database takes no call records; they wait in the spool");
    }
}
