//! What goes into the database comes out of it, on both backends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking, in their helpers too"
)]

mod backend;

use backend::{Backend, Database, Folder};
use base::{CallKey, Pii, UnixMillis};
use call::callback::{CallbackChange, State};
use call::record::Outcome;
use store::{
    AgentChange, AgentRow, CallFilter, CallbackRow, Directory, Found, ImportRules, Store, StoreError,
    import_csv, sample,
};

on_both!(
    customers_are_found_by_number,
    ten_thousand_customers_are_imported,
    a_bad_file_changes_nothing,
    the_directory_in_memory_follows_the_database,
    of_a_large_directory_the_most_valuable_are_kept,
    records_come_back_whole,
    a_record_is_written_once,
    calls_are_found_by_what_they_were,
    pages_follow_each_other,
    surveys_are_totalled,
    agents_keep_their_last_state,
    promises_are_open_until_they_are_over,
    messages_are_found_by_call_and_replays_are_written_down,
    steps_can_be_asked_for_in_sql,
    data_that_no_database_takes_is_told_from_a_database_that_is_down,
    opening_twice_is_harmless,
);

async fn open(backend: Backend) -> Option<(Store, Database)> {
    let database = Database::up(backend).await?;
    Some((Store::open(&database.url).await.unwrap(), database))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

async fn customers_are_found_by_number(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    assert_eq!(store.customer("13800000000").await.unwrap(), None);
    store.put_customers(&[sample::customer(0), sample::customer(1)]).await.unwrap();
    assert_eq!(store.customer("13800000001").await.unwrap(), Some(sample::customer(1)));

    let mut moved = sample::customer(1);
    moved.tier = "diamond".to_owned();
    moved.name = Pii::new("O'Neil\0; DROP TABLE customers".to_owned());
    store.put_customers(&[sample::customer(1), moved]).await.unwrap();
    let found = store.customer("13800000001").await.unwrap().unwrap();
    assert_eq!(
        (found.tier.as_str(), found.name.reveal().as_str()),
        ("diamond", "O'Neil\u{fffd}; DROP TABLE customers")
    );
    assert_eq!(store.customers_count().await.unwrap(), 2);
}

async fn ten_thousand_customers_are_imported(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let mut csv = Vec::new();
    sample::write_csv(10_000, &mut csv).unwrap();
    let (tiers, languages) = (sample::TIERS.map(|(name, _)| name.to_owned()), words(&["zh", "en"]));
    let rules = ImportRules {
        file: "sample.csv",
        tiers: &tiers,
        languages: &languages,
        agents: &words(&["1001", "1002", "1003", "1004"]),
        normalise: &|number| Some(number.to_owned()),
    };
    for _ in 0..2 {
        let report = import_csv(&store, csv.as_slice(), &rules, false).await.unwrap();
        assert_eq!((report.imported, report.skipped, report.findings.len()), (10_000, 0, 0));
        assert_eq!(store.customers_count().await.unwrap(), 10_000);
    }
    assert_eq!(store.customer("13800009999").await.unwrap(), Some(sample::customer(9999)));
    let page = store.customers(Some("13800004999"), 10).await.unwrap();
    assert_eq!(page, (5000..5010).map(sample::customer).collect::<Vec<_>>());
}

async fn the_directory_in_memory_follows_the_database(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let directory = Directory::default();
    assert_eq!(directory.find("13800000001"), Found::Ask, "nothing was read yet");
    let first = directory.catch_up(&store, None, 10, &[]).await.unwrap();
    assert_eq!((directory.find("13800000001"), directory.size()), (Found::Nobody, (0, true)));
    store.put_customers(&(0..10).map(sample::customer).collect::<Vec<_>>()).await.unwrap();
    let second = directory.catch_up(&store, Some(first), 10, &[]).await.unwrap();
    assert!(second > first, "{second} after {first}");
    assert_eq!(directory.find("13800000001"), Found::Customer(sample::customer(1)));
    assert_eq!(directory.size(), (10, true));
    let third = directory.catch_up(&store, Some(second), 10, &[]).await.unwrap();
    assert_eq!(third, second, "nothing changed");
}

async fn of_a_large_directory_the_most_valuable_are_kept(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let mut customers: Vec<_> = (0..40).map(sample::customer).collect();
    for (index, customer) in customers.iter_mut().enumerate() {
        customer.tier = if index % 4 == 0 { "gold" } else { "silver" }.to_owned();
    }
    store.put_customers(&customers).await.unwrap();
    let directory = Directory::default();
    directory.catch_up(&store, None, 12, &words(&["gold", "silver"])).await.unwrap();
    assert_eq!(directory.size(), (12, false));
    for customer in &customers {
        let number = customer.number.reveal();
        let tier = directory.tier(number, str::to_owned);
        assert!(customer.tier != "gold" || tier.as_deref() == Some("gold"), "all of the gold ones are here");
    }
    assert_eq!(directory.find("13800000039"), Found::Ask);
}

async fn a_bad_file_changes_nothing(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let csv = "number,name,tier,language,senior,manager_a,manager_b\n1,A,gold,zh,no,,\n2,B,lead,zh,no,,\n";
    let (tiers, languages) = (words(&["gold"]), words(&["zh"]));
    let normalise = |number: &str| Some(number.to_owned());
    let rules = ImportRules {
        file: "c.csv",
        tiers: &tiers,
        languages: &languages,
        agents: &[],
        normalise: &normalise,
    };
    import_csv(&store, csv.as_bytes(), &rules, false).await.unwrap_err();
    assert_eq!(store.customers_count().await.unwrap(), 0);
    let report = import_csv(&store, csv.as_bytes(), &rules, true).await.unwrap();
    assert_eq!((report.imported, report.skipped), (1, 1));
    assert_eq!(report.findings[0].to_string(), "c.csv:3: column tier: names no tier; there are gold");
    assert_eq!(store.customers_count().await.unwrap(), 1);
}

async fn records_come_back_whole(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let records: Vec<_> = (0..20).map(sample::call_record).collect();
    assert_eq!(store.put_calls(&records).await.unwrap(), 20);
    for record in &records {
        assert_eq!(store.call(record.key).await.unwrap().as_ref(), Some(record));
    }
    assert_eq!(store.call(CallKey(1)).await.unwrap(), None);

    let mut odd = sample::call_record(21);
    odd.caller = Pii::default();
    odd.steps[0].detail = "a\0b \\u0000 '\"\u{1f600}".to_owned();
    odd.dialled = "\0".to_owned();
    store.put_calls(std::slice::from_ref(&odd)).await.unwrap();
    let found = store.call(odd.key).await.unwrap().unwrap();
    assert_eq!(found.steps[0].detail, "a\u{fffd}b \\u0000 '\"\u{1f600}");
    assert_eq!(found.dialled, "\u{fffd}");
}

async fn a_record_is_written_once(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let records: Vec<_> = (0..1200).map(sample::call_record).collect();
    assert_eq!(store.put_calls(&records[..700]).await.unwrap(), 700);
    assert_eq!(store.put_calls(&records).await.unwrap(), 500);
    assert_eq!(store.put_calls(&records).await.unwrap(), 0);
    assert_eq!(store.calls_count().await.unwrap(), 1200);
}

async fn calls_are_found_by_what_they_were(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let records: Vec<_> = (0..600).map(sample::call_record).collect();
    store.put_calls(&records).await.unwrap();
    let from = records[100].started;
    let to = records[300].started;
    let filters = [
        CallFilter { from: Some(from), to: Some(to), ..CallFilter::default() },
        CallFilter { tier: Some("diamond".to_owned()), ..CallFilter::default() },
        CallFilter { agent: Some("1003".to_owned()), to: Some(to), ..CallFilter::default() },
        CallFilter { outcome: Some(Outcome::Abandoned), ..CallFilter::default() },
        CallFilter { caller: Some(records[5].caller.clone()), ..CallFilter::default() },
        CallFilter { queue: Some("nowhere".to_owned()), ..CallFilter::default() },
    ];
    for filter in &filters {
        let passes = |record: &&call::record::CallRecord| {
            filter.from.is_none_or(|from| record.started >= from)
                && filter.to.is_none_or(|to| record.started < to)
                && filter.tier.as_ref().is_none_or(|tier| *tier == record.tier_name)
                && filter.agent.is_none() | (filter.agent == record.agent)
                && filter.queue.is_none() | (filter.queue == record.queue)
                && filter.outcome.is_none_or(|outcome| outcome == record.outcome)
                && filter.caller.as_ref().is_none_or(|caller| *caller == record.caller)
        };
        let expected: Vec<_> = records.iter().rev().filter(passes).cloned().collect();
        assert_eq!(store.calls(filter).await.unwrap(), expected, "{filter:?}");
    }
}

async fn pages_follow_each_other(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let records: Vec<_> = (0..105).map(sample::call_record).collect();
    store.put_calls(&records).await.unwrap();
    let mut filter = CallFilter { limit: 50, ..CallFilter::default() };
    let mut seen = Vec::new();
    loop {
        let page = store.calls(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(last.key);
        seen.extend(page);
    }
    seen.reverse();
    assert_eq!(seen, records);
}

async fn surveys_are_totalled(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let records: Vec<_> = (0..300).map(sample::call_record).collect();
    store.put_calls(&records).await.unwrap();
    let totals = store.survey_totals(UnixMillis(0), UnixMillis(u64::MAX)).await.unwrap();
    let answers: usize = records.iter().filter(|record| record.survey.is_some()).count();
    assert_eq!(totals.iter().map(|total| total.answers).sum::<u64>(), answers as u64);
    let gold: Vec<f64> = records
        .iter()
        .filter(|record| record.tier_name == "gold")
        .filter_map(|record| record.survey.map(f64::from))
        .collect();
    let mean = gold.iter().sum::<f64>() / gold.len() as f64;
    assert!(totals.iter().any(|total| total.tier == "gold" && (total.score_mean - mean).abs() < 1e-9));
}

async fn agents_keep_their_last_state(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let row = |state: &str, reason, since| AgentRow {
        number: "1001".to_owned(),
        name: "Li Wei".to_owned(),
        state: state.to_owned(),
        reason,
        since: UnixMillis(since),
    };
    store.put_agents(&[row("ready", None, 10)]).await.unwrap();
    store.put_agents(&[row("not-ready", Some(3), 20), row("ready", None, 15)]).await.unwrap();
    assert_eq!(store.agents().await.unwrap(), [row("not-ready", Some(3), 20)]);

    let change = |at, state: &str| AgentChange {
        number: "1001".to_owned(),
        at: UnixMillis(at),
        state: state.to_owned(),
        reason: None,
    };
    let changes = [change(10, "ready"), change(20, "talking")];
    store.put_agent_changes(&changes).await.unwrap();
    store.put_agent_changes(&changes).await.unwrap();
    assert_eq!(store.agent_changes("1001", 10).await.unwrap(), [change(20, "talking"), change(10, "ready")]);
}

async fn promises_are_open_until_they_are_over(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    for n in [3, 1, 2, 1] {
        store.put_callback(&sample::callback(n)).await.unwrap();
    }
    let open = store.callbacks(false, 10).await.unwrap();
    let row = |n| {
        let callback = sample::callback(n);
        CallbackRow { changed: callback.promised, callback, state: State::Waiting }
    };
    assert_eq!(open, [row(1), row(2), row(3)]);
    assert_eq!(store.open_callbacks(2).await.unwrap(), [row(1), row(2)]);
    let table = store::callbacks_table(&open, false);
    assert!(table.contains("138••••••01") && !table.contains("13800000001"), "{table}");
    assert!(store::callbacks_table(&open, true).contains("13800000001"));

    let (key, at) = (sample::callback(2).key, UnixMillis(1_800_000_999_000));
    let change = |at, state, attempts| CallbackChange { key, at, state, attempts, not_before: None };
    assert!(store.change_callback(&change(at, State::Dialling, 1)).await.unwrap());
    assert!(!store.change_callback(&change(at, State::Dialling, 1)).await.unwrap(), "written twice");
    let tried = &store.callbacks(false, 10).await.unwrap()[1];
    assert_eq!((tried.state, tried.callback.attempts, tried.changed), (State::Dialling, 1, at));
    assert!(store.is_callback_open(key).await.unwrap());
    assert!(store.change_callback(&change(at, State::Kept, 1)).await.unwrap());
    assert!(!store.is_callback_open(key).await.unwrap());
    assert!(!store.change_callback(&change(at, State::Waiting, 1)).await.unwrap(), "what is over stays over");
    assert!(!store.end_callback(key, State::Done, at).await.unwrap(), "over already");
    assert!(!store.end_callback(base::CallbackKey(99), State::Done, at).await.unwrap());
    assert!(store.end_callback(sample::callback(3).key, State::Cancelled, at).await.unwrap());
    store.put_callback(&sample::callback(2)).await.unwrap();
    assert_eq!(store.callbacks(false, 10).await.unwrap(), [row(1)]);
    let all: Vec<_> = store.callbacks(true, 10).await.unwrap().iter().map(|row| row.state).collect();
    assert_eq!(all, [State::Cancelled, State::Kept, State::Waiting]);
}

async fn messages_are_found_by_call_and_replays_are_written_down(backend: Backend) {
    let Some((store, _database)) = open(backend).await else { return };
    let row = |n: u64, call| store::RecordingRow {
        file: format!("2026-11-22/c{n:x}-complaint.wav"),
        call,
        name: "complaint".to_owned(),
        at: n,
        length_ms: 900,
        bytes: 7_258,
    };
    for (n, call) in [(1, 7), (2, 8), (3, 7)] {
        assert!(store.put_recording(&row(n, call)).await.unwrap());
        store.put_replay("x", "reader", UnixMillis(n)).await.unwrap();
    }
    assert!(!store.put_recording(&row(1, 7)).await.unwrap(), "written twice");
    assert_eq!(store.recordings(Some(CallKey(7)), 10).await.unwrap(), [row(3, 7), row(1, 7)]);
    assert_eq!(store.recordings(None, 2).await.unwrap(), [row(3, 7), row(2, 8)]);
    assert_eq!(store.recording(&row(2, 8).file).await.unwrap(), Some(row(2, 8)));
    assert_eq!(store.recording("../../etc/passwd").await.unwrap(), None);
    assert_eq!(store.replays("x").await.unwrap(), 3);
}

async fn steps_can_be_asked_for_in_sql(backend: Backend) {
    let Some((store, database)) = open(backend).await else { return };
    store.put_calls(&[sample::call_record(1)]).await.unwrap();
    let sql = "SELECT COUNT(*) FROM call_steps WHERE what = 'bridged' AND at_ms = 12060 AND position = 6";
    let count: i64 = match backend {
        Backend::Sqlite => {
            let pool = sqlx::SqlitePool::connect(&database.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
        }
        Backend::Postgres => {
            let pool = sqlx::PgPool::connect(&database.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
        }
    };
    assert_eq!(count, 1);
}

async fn data_that_no_database_takes_is_told_from_a_database_that_is_down(backend: Backend) {
    let Some(mut database) = Database::down(backend).await else { return };
    let store = Store::open_lazy(&database.url).unwrap();
    let down = store.put_calls(&[sample::call_record(1)]).await.unwrap_err();
    assert!(down.is_passing(), "{down}");

    database.open().await;
    let mut record = sample::call_record(2);
    record.survey = Some(200);
    let refused = store.put_calls(&[sample::call_record(1), record]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert_eq!(store.calls_count().await.unwrap(), 0, "all or none");
    assert_eq!(store.put_calls(&[sample::call_record(1)]).await.unwrap(), 1);
}

async fn opening_twice_is_harmless(backend: Backend) {
    let Some((store, database)) = open(backend).await else { return };
    store.put_calls(&[sample::call_record(1)]).await.unwrap();
    let again = Store::open(&database.url).await.unwrap();
    assert_eq!(again.calls_count().await.unwrap(), 1);
    store.close().await;
    assert!(store.ping().await.is_err());
    again.ping().await.unwrap();
}

#[tokio::test]
async fn a_url_that_names_no_database_is_refused() {
    for url in ["", "mysql://localhost/x", "usher.db", "postgres://:bad port/x"] {
        assert!(matches!(Store::open(url).await, Err(StoreError::Url(_))), "{url}");
    }
}

#[tokio::test]
async fn the_file_is_made_with_its_folder_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let file = folder.path("a/b/usher.db");
    let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
    store.put_customers(&[sample::customer(1)]).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(format!("{store:?}"), "Store(sqlite)");
}
