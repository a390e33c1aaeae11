//! Records on their way to the database: none lost, none twice, in order, whatever fails on the way.
//!
//! These tests are about real threads, files and servers, so they wait for conditions; none waits for a
//! length of time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking, in their helpers too"
)]

mod backend;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use backend::{Backend, Database, Folder};
use call::record::CallRecord;
use store::{CallFilter, Push, Spool, SpoolConfig, SpoolError, SpoolStatus, Store, sample};

on_both!(
    ten_thousand_records_arrive,
    records_wait_while_the_database_is_down,
    what_an_earlier_process_left_is_delivered,
    what_was_delivered_already_is_not_doubled,
    a_restart_goes_on_where_it_was,
    a_torn_tail_costs_the_torn_record_only,
    at_the_limit_the_oldest_are_kept,
    a_record_that_no_database_takes_stops_none_behind_it,
    delivery_keeps_the_order,
);

fn config(dir: &Path) -> SpoolConfig {
    SpoolConfig { backoff: (Duration::from_millis(5), Duration::from_millis(20)), ..SpoolConfig::new(dir) }
}

fn push(spool: &Spool, indexes: impl IntoIterator<Item = u32>) {
    for index in indexes {
        assert_eq!(spool.push(sample::call_record(index)), Push::Accepted);
    }
}

async fn wait_for(what: &str, spool: &Spool, condition: impl Fn(&SpoolStatus) -> bool) -> SpoolStatus {
    for _ in 0..6000 {
        let status = spool.status();
        if condition(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never {what}: {:?}", spool.status());
}

async fn flush(spool: &Spool) -> SpoolStatus {
    tokio::time::timeout(Duration::from_secs(60), spool.flush()).await.expect("flushed within a minute");
    spool.status()
}

/// All records of the database, the first first.
async fn all(store: &Store) -> Vec<CallRecord> {
    let mut filter = CallFilter::default();
    let mut records = Vec::new();
    loop {
        let page = store.calls(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(last.key);
        records.extend(page);
    }
    records.reverse();
    records
}

fn samples(indexes: impl IntoIterator<Item = u32>) -> Vec<CallRecord> {
    indexes.into_iter().map(sample::call_record).collect()
}

/// A folder with `count` records that never reached a database.
async fn left_behind(dir: &Path, count: u32) {
    let store = Store::open_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    let spool = Spool::start(config(dir), store).unwrap();
    push(&spool, 0..count);
    let status = spool.close(Duration::from_secs(1)).await;
    assert_eq!((status.on_disk, status.in_memory, status.written), (u64::from(count), 0, 0));
}

/// Opens a folder whose former user may still be letting go of it.
async fn start(config: SpoolConfig, store: &Store) -> Spool {
    for _ in 0..1000 {
        match Spool::start(config.clone(), store.clone()) {
            Err(SpoolError::InUse) => tokio::time::sleep(Duration::from_millis(5)).await,
            other => return other.unwrap(),
        }
    }
    panic!("the folder stays in use");
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The segments of a folder, in order.
fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    let is_segment =
        |path: &std::path::PathBuf| path.file_stem().unwrap().to_string_lossy().parse::<u64>().is_ok();
    let mut segments: Vec<_> = files.filter(is_segment).collect();
    segments.sort();
    segments
}

async fn ten_thousand_records_arrive(backend: Backend) {
    let Some(database) = Database::up(backend).await else { return };
    let store = Store::open(&database.url).await.unwrap();
    let dir = database.folder.path("spool");
    let spool = Spool::start(SpoolConfig { batch_max: 500, ..config(&dir) }, store.clone()).unwrap();
    push(&spool, 0..10_000);
    let status = flush(&spool).await;
    assert_eq!((status.written, status.repeated, status.refused), (10_000, 0, 0));
    assert_eq!(all(&store).await, samples(0..10_000));
    assert!(status.disk_bytes < 16 << 20, "delivered segments are removed: {status:?}");
    spool.close(Duration::from_secs(5)).await;
    assert!(matches!(spool.push(sample::call_record(1)), Push::Refused));
}

async fn records_wait_while_the_database_is_down(backend: Backend) {
    let Some(mut database) = Database::down(backend).await else { return };
    let store = Store::open_lazy(&database.url).unwrap();
    let spool = Spool::start(config(&database.folder.path("spool")), store.clone()).unwrap();
    push(&spool, 0..500);
    let status = wait_for("down", &spool, |status| status.database_down && status.on_disk == 500).await;
    assert_eq!((status.written, status.in_memory), (0, 0));

    database.open().await;
    let status = flush(&spool).await;
    assert_eq!((status.written, status.database_down), (500, false));

    database.cut().await;
    push(&spool, 500..700);
    if backend == Backend::Postgres {
        wait_for("down again", &spool, |status| status.database_down && status.on_disk == 200).await;
        database.open().await;
    }
    flush(&spool).await;
    assert_eq!(all(&store).await, samples(0..700));
}

async fn what_an_earlier_process_left_is_delivered(backend: Backend) {
    let Some(database) = Database::up(backend).await else { return };
    let dir = database.folder.path("spool");
    left_behind(&dir, 300).await;
    let store = Store::open(&database.url).await.unwrap();
    let spool = start(config(&dir), &store).await;
    push(&spool, 300..400);
    let status = flush(&spool).await;
    assert_eq!((status.written, status.repeated, status.corrupt), (400, 0, 0));
    assert_eq!(all(&store).await, samples(0..400));
    assert_eq!(segments(&dir).len(), 1, "the earlier process's segment is gone");
}

async fn what_was_delivered_already_is_not_doubled(backend: Backend) {
    let Some(database) = Database::up(backend).await else { return };
    let (dir, before) = (database.folder.path("spool"), database.folder.path("before"));
    left_behind(&dir, 300).await;
    copy_folder(&dir, &before);
    let store = Store::open(&database.url).await.unwrap();
    let spool = start(config(&dir), &store).await;
    flush(&spool).await;
    spool.close(Duration::from_secs(5)).await;

    // As if the power had failed between the database's commit and the note of it.
    let spool = Spool::start(config(&before), store.clone()).unwrap();
    push(&spool, [7, 300]);
    let status = flush(&spool).await;
    assert_eq!((status.written, status.repeated), (1, 301));
    assert_eq!(all(&store).await, samples(0..301));
}

async fn a_restart_goes_on_where_it_was(backend: Backend) {
    let Some(database) = Database::up(backend).await else { return };
    let store = Store::open(&database.url).await.unwrap();
    let dir = database.folder.path("spool");
    for round in 0..3 {
        let spool = start(config(&dir), &store).await;
        push(&spool, round * 50..(round + 1) * 50);
        let status = flush(&spool).await;
        assert_eq!((status.written, status.repeated), (50, 0), "round {round}");
        spool.close(Duration::from_secs(5)).await;
    }
    assert_eq!(all(&store).await, samples(0..150));
}

async fn a_torn_tail_costs_the_torn_record_only(backend: Backend) {
    let Some(database) = Database::up(backend).await else { return };
    let dir = database.folder.path("spool");
    left_behind(&dir, 100).await;
    let segment = segments(&dir).pop().unwrap();
    let len = std::fs::metadata(&segment).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(len - 10).unwrap();

    let store = Store::open(&database.url).await.unwrap();
    let spool = start(config(&dir), &store).await;
    push(&spool, 100..110);
    let status = flush(&spool).await;
    assert_eq!((status.written, status.corrupt), (109, 1));
    assert_eq!(all(&store).await, samples((0..99).chain(100..110)));
    let aside = std::fs::read_to_string(dir.join("rejected.jsonl")).unwrap();
    assert_eq!(aside.lines().count(), 1);
}

async fn at_the_limit_the_oldest_are_kept(backend: Backend) {
    let Some(mut database) = Database::down(backend).await else { return };
    let store = Store::open_lazy(&database.url).unwrap();
    let dir = database.folder.path("spool");
    let config = SpoolConfig { bytes_max: 100_000, ..config(&dir) };
    let spool = Spool::start(config, store.clone()).unwrap();
    push(&spool, 0..1000);
    let status = wait_for("full", &spool, |status| status.in_memory == 0).await;
    assert!(status.over_bound && status.disk_bytes <= 100_000, "{status:?}");
    assert_eq!(status.on_disk + status.refused, 1000);
    assert!(status.on_disk > 50 && status.refused > 500, "{status:?}");

    database.open().await;
    let kept = flush(&spool).await;
    assert_eq!(kept.written, status.on_disk);
    assert_eq!(all(&store).await, samples(0..u32::try_from(kept.written).unwrap()));
    // The last segment is removed a moment after the last record came to rest.
    wait_for("empty", &spool, |status| !status.over_bound).await;
    push(&spool, 1000..1010);
    let later = flush(&spool).await;
    assert_eq!((later.written, later.over_bound), (kept.written + 10, false));
}

async fn a_record_that_no_database_takes_stops_none_behind_it(backend: Backend) {
    let Some(database) = Database::up(backend).await else { return };
    let store = Store::open(&database.url).await.unwrap();
    let dir = database.folder.path("spool");
    let spool = Spool::start(config(&dir), store.clone()).unwrap();
    push(&spool, 0..10);
    let mut poison = sample::call_record(10);
    poison.survey = Some(200);
    assert_eq!(spool.push(poison), Push::Accepted);
    push(&spool, 11..20);
    let status = flush(&spool).await;
    assert_eq!((status.written, status.rejected, status.repeated), (19, 1, 0));
    assert_eq!(all(&store).await, samples((0..10).chain(11..20)));
    let aside = std::fs::read_to_string(dir.join("rejected.jsonl")).unwrap();
    assert!(aside.lines().count() == 1 && aside.contains("\"survey\":200"));
}

async fn delivery_keeps_the_order(backend: Backend) {
    let Some(database) = Database::up(backend).await else { return };
    let store = Store::open(&database.url).await.unwrap();
    let dir = database.folder.path("spool");
    let spool = Spool::start(SpoolConfig { batch_max: 7, ..config(&dir) }, store.clone()).unwrap();
    push(&spool, 0..500);
    loop {
        let done = spool.status().on_disk == 0 && spool.status().in_memory == 0;
        let present = all(&store).await;
        assert_eq!(present, samples(0..u32::try_from(present.len()).unwrap()), "no gaps at any time");
        if done {
            assert_eq!(present.len(), 500);
            return;
        }
    }
}

#[tokio::test]
async fn a_full_ring_refuses_and_counts() {
    let folder = Folder::new();
    let store = Store::open("sqlite::memory:").await.unwrap();
    let spool =
        Spool::start(SpoolConfig { ring_max: 4, ..config(&folder.path("spool")) }, store.clone()).unwrap();
    let refused =
        (0..2000).filter(|&index| spool.push(sample::call_record(index)) == Push::Refused).count() as u64;
    let status = flush(&spool).await;
    assert!(refused > 0, "the disk is slower than the ring is long");
    assert_eq!((status.refused, status.written), (refused, 2000 - refused));
}

#[tokio::test]
async fn a_folder_has_one_user() {
    let folder = Folder::new();
    let store = Store::open("sqlite::memory:").await.unwrap();
    let _spool = Spool::start(config(&folder.path("spool")), store.clone()).unwrap();
    assert!(matches!(Spool::start(config(&folder.path("spool")), store), Err(SpoolError::InUse)));
}

/// Not a test by itself: the process that [`killed_at_any_moment_nothing_acknowledged_is_lost`] kills.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var("USHER_SPOOL_TEST") else { return };
    let folder = Path::new(&folder);
    let store = Store::open(&format!("sqlite:{}", folder.join("usher.db").display())).await.unwrap();
    let spool = Spool::start(config(&folder.join("spool")), store).unwrap();
    let first: u32 = std::env::var("USHER_SPOOL_FIRST").unwrap().parse().unwrap();
    for index in first.. {
        push(&spool, [index]);
        wait_for("taken", &spool, |status| status.in_memory == 0).await;
        let mut out = std::io::stdout();
        writeln!(out, "ACK {index}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let folder = Folder::new();
    let mut next = 0;
    for round in 0..5_u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env("USHER_SPOOL_TEST", &folder.0)
            .env("USHER_SPOOL_FIRST", next.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.rsplit_once("ACK ").and_then(|(_, index)| index.parse::<u32>().ok()));
        let last = acknowledged.take(20 + round as usize * 7).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        next = last + 1;
    }
    let store = Store::open(&format!("sqlite:{}", folder.path("usher.db").display())).await.unwrap();
    let spool = start(config(&folder.path("spool")), &store).await;
    flush(&spool).await;
    let present = all(&store).await;
    // One more per kill may have been written without being acknowledged; those are the next child's first.
    assert!(present.len() as u32 >= next, "{} of {next}", present.len());
    assert_eq!(present[..next as usize], samples(0..next));
}
