//! The database goes and comes back: no call waits for it, no record is lost or written twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tests::postgres::Postgres;
use tests::site::{Site, set};
use tests::usher::Usher;
use tests::{api, until};

use crate::people::call;

/// A short call to self-service; how long the caller waited to be answered.
fn short_call(site: &Site, number: u32) -> Duration {
    let start = Instant::now();
    let (mut caller, _audio) = call(site, "caller-hangs-up", &format!("1380000{number:04}"), "10001");
    let answered = start.elapsed();
    caller.go_on();
    caller.finish();
    answered
}

/// Waits until the records of these callers are in the database, each once.
fn wait_records(site: &Site, count: u32) {
    let expected: Vec<String> = (1..=count).map(|number| format!("1380000{number:04}")).collect();
    let mut seen = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while seen != expected {
        assert!(Instant::now() < deadline, "records of {seen:?} instead of {expected:?}");
        std::thread::sleep(Duration::from_millis(200));
        let (status, body) = api::request(site, "GET", "/api/v1/calls/history?reveal=true", "");
        if status != 200 {
            continue;
        }
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let calls = body["calls"].as_array().unwrap();
        let keys: BTreeSet<&str> = calls.iter().filter_map(|call| call["key"].as_str()).collect();
        assert_eq!(keys.len(), calls.len(), "a record is there twice");
        seen = calls.iter().filter_map(|call| call["caller"].as_str()).map(str::to_owned).collect();
        seen.sort();
    }
}

#[test]
fn postgresql_is_stopped_and_started_while_calls_go_on() {
    let site = Site::new("postgres");
    let Some(mut postgres) = Postgres::start(&site) else {
        panic!("PostgreSQL is not installed: scripts/install-debian.sh test");
    };
    let url = postgres.url();
    site.edit("usher.toml", |main| set(main, "store", "url", url));
    let usher = Usher::start(&site);
    short_call(&site, 1);
    wait_records(&site, 1);

    postgres.stop();
    for number in 2..=4 {
        let waited = short_call(&site, number);
        assert!(waited < Duration::from_secs(3), "a call waited {waited:?} for the database");
    }
    postgres.resume();
    wait_records(&site, 4);

    // Down again while the switch ends: the record waits on disk for the next start.
    postgres.stop();
    short_call(&site, 5);
    usher.stop();
    postgres.resume();
    let usher = Usher::start(&site);
    wait_records(&site, 5);
    until("readiness", tests::SOON, || (api::request(&site, "GET", "/readyz", "").0 == 200).then_some(()));
    usher.stop();
}
