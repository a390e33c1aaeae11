//! The console over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking, in their helpers too"
)]

mod world;

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use world::{world, world_with};

#[tokio::test]
async fn health_and_readiness() {
    let world = world().await;
    let answer = world.send("GET", "/healthz", None, "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    let answer = world.send("GET", "/readyz", None, "").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"ready":false,"reasons":["not-started"]}"#));
    world.readiness.set_started();
    assert_eq!(world.send("GET", "/readyz", None, "").await.status, 200);
    world.readiness.set_draining();
    let answer = world.send("GET", "/readyz", None, "").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"ready":false,"reasons":["draining"]}"#));
    assert_eq!(world.send("GET", "/healthz", None, "").await.status, 200);
}

#[tokio::test]
async fn the_api_is_for_holders_of_tokens() {
    let world = world().await;
    for token in [None, Some("guess"), Some(""), Some("reader ")] {
        let answer = world.send("GET", "/api/v1/calls", token, "").await;
        let expected = if token == Some("reader ") { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{token:?}");
        if expected == 401 {
            assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"usher\"");
            assert_eq!(answer.code(), "unauthorised");
        }
    }
    let basic = "GET /api/v1/calls HTTP/1.1\r\nHost: x\r\nAuthorization: Basic cmVhZGVyOg==\r\n\r\n";
    assert_eq!(world.raw(basic).await.status, 401);
    for (method, path) in [("POST", "/api/v1/agents/1001/state"), ("DELETE", "/api/v1/calls/c1")] {
        let answer = world.send(method, path, Some("reader"), "").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    }
    for path in ["/api/v1/calls?reveal=true", "/api/v1/customers?after=1", "/api/v1/calls/history?caller=1"] {
        assert_eq!(world.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn guessing_is_limited() {
    let world = world_with(|config| config.failures_per_min = 3).await;
    for _ in 0..3 {
        assert_eq!(world.get_as("guess", "/api/v1/calls").await.status, 401);
    }
    let answer = world.get_as("guess", "/api/v1/calls").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "too-many-requests"));
    assert_eq!(answer.headers["retry-after"], "20");
    // Nor is the right one looked at: the limit would be none.
    assert_eq!(world.get("/api/v1/calls").await.status, 429);
    assert_eq!(world.send("GET", "/healthz", None, "").await.status, 200);
}

#[tokio::test]
async fn asking_too_often_is_limited() {
    let world = world_with(|config| config.requests_per_s = 1).await;
    for _ in 0..10 {
        assert_eq!(world.get("/api/v1/queues").await.status, 200);
    }
    assert_eq!(world.get("/api/v1/queues").await.status, 429);
}

#[tokio::test]
async fn live_calls() {
    let world = world().await;
    let answer = world.get("/api/v1/calls?tier=gold&limit=1").await.json();
    assert_eq!(answer["total"], 2);
    assert_eq!(answer["calls"].as_array().unwrap().len(), 1);
    assert_eq!(answer["calls"][0]["key"], "c1");
    assert_eq!(answer["calls"][0]["caller"], "138••••••00");
    let answer = world.get_as("writer", "/api/v1/calls/c2?reveal=true").await.json();
    assert_eq!((answer["state"].as_str(), answer["caller"].as_str()), (Some("live"), Some("13800138000")));
    for path in
        ["/api/v1/calls?limit=0", "/api/v1/calls?limit=x", "/api/v1/calls?limits=1", "/api/v1/calls/xyz"]
    {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"), "{path}");
    }
}

#[tokio::test]
async fn ended_calls_page_by_page() {
    let world = world().await;
    let mut path = "/api/v1/calls/history?limit=20".to_owned();
    let mut keys = Vec::new();
    loop {
        let page = world.get(&path).await.json();
        keys.extend(
            page["calls"].as_array().unwrap().iter().map(|call| call["key"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/calls/history?limit=20&before={next}");
    }
    assert_eq!(keys.len(), 50);
    assert!(keys.is_sorted_by(|a, b| a > b), "the latest first");

    let answer = world.get("/api/v1/calls/history?outcome=abandoned").await.json();
    assert_eq!(answer["calls"].as_array().unwrap().len(), 5);
    assert!(answer["calls"][0].get("steps").is_none());
    assert_eq!(world.get("/api/v1/calls/history?outcome=vanished").await.status, 400);

    let one = world.get(&format!("/api/v1/calls/{}", keys[0])).await.json();
    assert_eq!((one["state"].as_str(), one["caller"].as_str()), (Some("ended"), Some("138••••••49")));
    assert_eq!(one["steps"][0]["what"], "offered");
    let answer = world.get("/api/v1/calls/c99").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "no-such-call"));
}

#[tokio::test]
async fn queues_tiers_trunks_agents() {
    let world = world().await;
    assert_eq!(world.get("/api/v1/queues").await.json()["queues"][0]["longest_wait_ms"], 1500);
    let tier = world.get("/api/v1/tiers").await.json()["tiers"][0].clone();
    assert_eq!((tier["answer_rate"].as_f64(), tier["wait_mean_ms"].as_u64()), (Some(0.75), Some(10_000)));
    assert_eq!(world.get("/api/v1/trunks").await.json()["trunks"][0]["calls_total"], 40);
    let agents = world.get("/api/v1/agents?state=talking").await.json();
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/api/v1/agents/1001").await.json()["state"], "ready");
    assert_eq!(world.get("/api/v1/agents/9").await.code(), "no-such-agent");
}

#[tokio::test]
async fn customers_are_masked() {
    let world = world().await;
    let page = world.get("/api/v1/customers?limit=5").await.json();
    assert_eq!((page["total"].as_u64(), page["customers"].as_array().unwrap().len()), (Some(20), 5));
    assert_eq!(page["customers"][0]["number"], "138••••••00");
    assert!(page["customers"][0]["name"].is_null());
    let page = world.get_as("writer", "/api/v1/customers?after=13800000017&reveal=true").await.json();
    assert_eq!(page["customers"][0]["number"], "13800000018");
    assert_eq!(world.get("/api/v1/customers/13800000003").await.json()["senior"], false);
    assert_eq!(world.get("/api/v1/customers/1").await.code(), "no-such-customer");
}

#[tokio::test]
async fn callbacks_are_listed_until_they_are_done() {
    let world = world().await;
    for n in [2, 1] {
        world.store.put_callback(&store::sample::callback(n)).await.unwrap();
    }
    let list = world.get("/api/v1/callbacks").await.json()["callbacks"].clone();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(
        (list[0]["number"].as_str(), list[0]["state"].as_str()),
        (Some("138••••••01"), Some("waiting"))
    );
    let key = list[0]["key"].as_str().unwrap().to_owned();
    assert_eq!(world.get("/api/v1/callbacks?reveal=true").await.status, 403);
    let shown = world.get_as("writer", "/api/v1/callbacks?reveal=true&limit=1").await.json();
    assert_eq!(shown["callbacks"][0]["number"], "13800000001");

    let path = format!("/api/v1/callbacks/{key}/done");
    assert_eq!(world.send("POST", &path, Some("reader"), "").await.status, 403);
    assert_eq!(world.send("POST", &path, Some("writer"), "").await.status, 204);
    let again = world.send("POST", &path, Some("writer"), "").await;
    assert_eq!((again.status, again.code().as_str()), (404, "no-open-callback"));
    let open = world.get("/api/v1/callbacks").await.json();
    assert_eq!(open["callbacks"].as_array().unwrap().len(), 1);
    let other = format!("/api/v1/callbacks/{}", open["callbacks"][0]["key"].as_str().unwrap());
    assert_eq!(world.send("DELETE", &other, Some("writer"), "").await.status, 204);
    let all = world.get("/api/v1/callbacks?all=true").await.json();
    let ends: Vec<_> = (0..2).map(|n| all["callbacks"][n]["state"].as_str().unwrap()).collect();
    assert_eq!(ends, ["cancelled", "done"]);
    assert_eq!(all["callbacks"][0]["changed_ms"], 1_900_000_000_000_u64, "by the program's one clock");
}

#[tokio::test]
async fn messages_are_listed_by_call_and_listening_is_written_down() {
    let world = world().await;
    let file = "2026-11-22/c1-complaint.wav";
    let row = store::RecordingRow {
        file: file.to_owned(),
        call: 0xc1,
        name: "complaint".to_owned(),
        at: 5,
        length_ms: 900,
        bytes: 4,
    };
    world.store.put_recording(&row).await.unwrap();
    let path = world.folder.join("recordings").join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"RIFF").unwrap();
    std::fs::write(world.folder.join("secret"), b"x").unwrap();
    let list = world.get("/api/v1/recordings?call=cc1").await.json();
    assert_eq!(
        (&list["recordings"][0]["file"], &list["recordings"][0]["call"]),
        (&file.into(), &"cc1".into())
    );
    assert!(
        world.get("/api/v1/recordings?call=c2").await.json()["recordings"].as_array().unwrap().is_empty()
    );
    let audio = |file: &str| format!("/api/v1/recordings/audio?file={file}");
    assert_eq!(world.get(&audio(file)).await.status, 403);
    assert_eq!(world.get_as("writer", &audio("../secret")).await.status, 404);
    assert_eq!(world.store.replays(file).await.unwrap(), 0);
    let wav = world.get_as("writer", &audio(file)).await;
    assert_eq!((wav.status, wav.body.as_str()), (200, "RIFF"));
    assert_eq!(world.store.replays(file).await.unwrap(), 1);
}

#[tokio::test]
async fn the_switch_is_asked_and_its_answer_told() {
    let world = world().await;
    let ready = r#"{"state":"ready"}"#;
    let cases = [
        ("1001", ready, 204, ""),
        ("1001", r#"{"state":"not-ready","reason":3}"#, 204, ""),
        ("1001", r#"{"state":"not-ready","reason":10}"#, 400, "bad-request"),
        ("1001", r#"{"state":"not-ready"}"#, 400, "bad-request"),
        ("1001", r#"{"state":"asleep"}"#, 400, "bad-request"),
        ("1001", r#"{"state":"ready","extra":1}"#, 400, "bad-request"),
        ("1001", "", 400, "bad-request"),
        ("1002", ready, 409, "wrong-state"),
        ("9999", ready, 404, "no-such-agent"),
        ("1003", ready, 503, "switch-busy"),
    ];
    for (agent, body, status, code) in cases {
        let path = format!("/api/v1/agents/{agent}/state");
        let answer = world.send("POST", &path, Some("writer"), body).await;
        assert_eq!(answer.status, status, "{agent} {body}: {}", answer.body);
        if status != 204 {
            assert_eq!(answer.code(), code);
        }
    }
    assert_eq!(world.send("DELETE", "/api/v1/calls/c1", Some("writer"), "").await.status, 204);
    assert_eq!(world.send("DELETE", "/api/v1/calls/c9", Some("writer"), "").await.code(), "no-such-call");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_too_large() {
    let world = world().await;
    for path in ["/", "/api/v1/nothing", "/api/v2/calls"] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{path}");
    }
    let answer = world.send("PUT", "/api/v1/queues", Some("writer"), "").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method-not-allowed"));
    let body = "x".repeat(100_000);
    let answer = world.send("POST", "/api/v1/agents/1001/state", Some("writer"), &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body-too-large"));
    let head = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(40_000));
    assert_eq!(world.raw(&head).await.status, 431);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(500));
    assert_eq!(world.raw(&head).await.status, 431);
    assert_eq!(world.raw("NONSENSE\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn a_slow_client_is_dropped_and_others_are_served() {
    let world = world_with(|config| {
        config.head_timeout = Duration::from_millis(200);
        config.connections_max = 2;
    })
    .await;
    let started = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(b"GET /healthz HT").await.unwrap();
        idle.push(stream);
    }
    assert_eq!(world.send("GET", "/healthz", None, "").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200), "both places were taken");
}

#[tokio::test]
async fn a_database_that_is_gone_is_said_so() {
    let world = world().await;
    world.store.close().await;
    let answer = world.get("/api/v1/customers").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "store-unavailable"));
    assert_eq!(world.get("/api/v1/calls").await.status, 200, "live calls need no database");
    world.readiness.set_started();
    assert_eq!(world.send("GET", "/readyz", None, "").await.status, 200, "nor does taking calls");
}

#[tokio::test]
async fn metrics_are_what_prometheus_reads() {
    let world = world().await;
    world.get("/api/v1/nothing").await;
    let answer = world.send("GET", "/metrics", None, "").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4");
    for line in [
        "usher_build_info{version=\"0.0.0-test\"} 1",
        "usher_agents{state=\"ready\"} 1",
        "usher_agents{state=\"wrap-up\"} 0",
        "usher_calls{phase=\"queued\",tier=\"gold\"} 1",
        "usher_calls{phase=\"survey\",tier=\"gold\"} 0",
        "usher_queue_longest_wait_seconds{queue=\"hotline\"} 1.5",
        "usher_trunk_calls_total{trunk=\"carrier\"} 40",
        "usher_tier_ledger_error{tier=\"gold\"} 0",
        "usher_tier_wait_seconds_bucket{tier=\"gold\",le=\"5\"} 4",
        "usher_tier_wait_seconds_bucket{tier=\"gold\",le=\"20\"} 5",
        "usher_tier_wait_seconds_bucket{tier=\"gold\",le=\"+Inf\"} 6",
        "usher_tier_wait_seconds_sum{tier=\"gold\"} 60",
        "usher_sip_requests_total{method=\"INVITE\"} 17",
        "usher_dropped_total{reason=\"body\\\"too\\nbig\"} 2",
        "usher_records_total 9",
        "usher_rtp_packets_received_total{worker=\"1\"} 4",
        "usher_spool_records_on_disk 0",
        "usher_agents_needed{for=\"targets\"} 52",
        "usher_agents_on_duty 47",
        "usher_tier_debt_target{tier=\"gold\"} 2.5",
        "usher_tier_band{tier=\"gold\"} 2",
        "usher_tier_expected_wait_error_seconds{tier=\"gold\"} 3.5",
        "usher_queue_overload_level{queue=\"hotline\"} 1",
        "usher_console_responses_total{class=\"4xx\"} 1",
        "# TYPE usher_tier_wait_seconds histogram",
        "# TYPE process_resident_memory_bytes gauge",
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line} not in\n{}", answer.body);
    }
    assert!(!answer.body.contains("13800138000"));
}

#[tokio::test]
async fn the_description_is_the_committed_one() {
    let world = world().await;
    let answer = world.send("GET", "/api/v1/openapi.json", None, "").await;
    assert_eq!(answer.json()["openapi"], "3.1.0");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &answer.body).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == answer.body, "the API has changed; look at it, then run with UPDATE_SNAPSHOTS=1");
}

#[tokio::test]
async fn the_description_is_true() {
    let world = world().await;
    let description = world.send("GET", "/api/v1/openapi.json", None, "").await.json();
    let mut ids = std::collections::BTreeSet::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}: id twice");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{path} {status}");
            }
            let path = path.replace("{key}", "c1").replace("{number}", "1001");
            let answer = world.send(&method.to_uppercase(), &path, Some("writer"), "").await;
            assert!(!matches!(answer.body.as_str(), body if body.contains("\"not-found\"")), "{path}");
            assert!(!matches!(answer.status, 401 | 405 | 500), "{method} {path}: {}", answer.status);
        }
    }
    assert_eq!(ids.len(), 19);
}

#[tokio::test]
async fn shutdown_ends_it() {
    let mut world = world().await;
    assert_eq!(world.get("/healthz").await.status, 200);
    let _idle = TcpStream::connect(world.address).await.unwrap();
    world.shutdown.take().unwrap().send(()).unwrap();
    let console = std::mem::replace(&mut world.console, tokio::spawn(async {}));
    tokio::time::timeout(Duration::from_secs(10), console).await.unwrap().unwrap();
    assert!(TcpStream::connect(world.address).await.is_err());
}
