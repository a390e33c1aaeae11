//! The disk thread: takes records from the ring, appends them, fsyncs once per batch.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::segment::Appender;
use super::{Item, Shared, line};

/// How often an idle thread looks whether the spool closes.
const IDLE: Duration = Duration::from_millis(20);
/// Pause after a failed write.
const PAUSE: Duration = Duration::from_millis(200);
/// Failed writes in a row after which a closing spool gives up.
const CLOSING_ATTEMPTS: u32 = 5;

pub(crate) fn run(shared: &Shared, mut appender: Appender, ring: &Receiver<Item>) {
    let mut records = Vec::new();
    let mut lines = Vec::new();
    // Whether it was closing already one idle time ago: a push that had just looked is through by then.
    let mut was_closing = false;
    loop {
        match ring.recv_timeout(IDLE) {
            Ok(record) => records.push(record),
            Err(RecvTimeoutError::Timeout) if !was_closing => {
                was_closing = shared.closing.load(Ordering::Acquire);
                continue;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
        gather(shared, ring, &mut records);
        let kept = encode_within_limit(shared, &records, &mut lines);
        if kept > 0 {
            write(shared, &mut appender, &lines, kept);
        }
        if kept < records.len() as u64 && appender.close_segment().is_ok() {
            shared.appended.notify_one();
        }
        shared.counts.taken.fetch_add(records.len() as u64, Ordering::AcqRel);
        records.clear();
        shared.settled.notify_waiters();
    }
    shared.disk_ended.store(true, Ordering::Release);
    shared.appended.notify_one();
}

/// Waits a moment for company: a disk's flush costs the same for one record as for a hundred. Asleep, not
/// listening: whoever listens is woken by each record.
fn gather(shared: &Shared, ring: &Receiver<Item>, records: &mut Vec<Item>) {
    let mut left = shared.config.gather;
    while !left.is_zero() && !shared.closing.load(Ordering::Acquire) {
        let nap = left.min(IDLE);
        std::thread::sleep(nap);
        left = left.saturating_sub(nap);
    }
    let room = shared.config.batch_max.saturating_sub(records.len());
    records.extend(ring.try_iter().take(room));
}

/// The lines of those records that the disk's limit still lets in; the others are refused. Returns how
/// many are let in.
fn encode_within_limit(shared: &Shared, records: &[Item], lines: &mut Vec<u8>) -> u64 {
    lines.clear();
    let mut kept = 0;
    let on_disk = shared.counts.disk_bytes.load(Ordering::Acquire);
    let room = shared.config.bytes_max.saturating_sub(on_disk);
    for record in records {
        let before = lines.len();
        line::append(record, lines);
        if lines.len() as u64 > room {
            lines.truncate(before);
            shared.refuse("disk spool is at its limit");
        } else {
            kept += 1;
        }
    }
    kept
}

/// Appends until it succeeds: a full or failing disk fills the ring behind it, nothing else.
fn write(shared: &Shared, appender: &mut Appender, lines: &[u8], records: u64) {
    let mut failures = 0_u32;
    while let Err(error) = appender.append(lines) {
        shared.counts.disk_failures.fetch_add(1, Ordering::AcqRel);
        if failures.is_multiple_of(50) {
            tracing::error!(%error, "the spool cannot be written; records wait in memory");
        }
        failures = failures.saturating_add(1);
        if shared.closing.load(Ordering::Acquire) && failures >= CLOSING_ATTEMPTS {
            for _ in 0..records {
                shared.refuse("disk fails while closing");
            }
            return;
        }
        std::thread::sleep(PAUSE);
    }
    // Before `taken` is counted: a record is always seen in memory or on the disk, never in neither.
    shared.counts.on_disk.fetch_add(records, Ordering::AcqRel);
    shared.counts.disk_bytes.fetch_add(lines.len() as u64, Ordering::AcqRel);
    shared.appended.notify_one();
}
