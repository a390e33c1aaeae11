//! The event stream, frame by frame (RFC 6455).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking, in their helpers too"
)]

mod world;

use std::sync::Arc;
use std::time::Duration;

use base::{CallKey, UnixMillis};
use call::record::StepKind;
use call::view::Notice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::{World, read_answer, world, world_with};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn connect(world: &World, token: &str) -> (u16, TcpStream) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head =
        format!("GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{UPGRADE}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // Byte by byte up to the empty line, so that no frame is swallowed.
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    let status = String::from_utf8(bytes).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    (status, stream)
}

/// Opcode and payload of the next frame.
async fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let next = async {
        let opcode = stream.read_u8().await.unwrap() & 0x0f;
        let len = match stream.read_u8().await.unwrap() {
            126 => usize::from(stream.read_u16().await.unwrap()),
            127 => usize::try_from(stream.read_u64().await.unwrap()).unwrap(),
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        stream.read_exact(&mut payload).await.unwrap();
        (opcode, payload)
    };
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("a frame")
}

async fn text(stream: &mut TcpStream) -> serde_json::Value {
    let (opcode, payload) = frame(stream).await;
    assert_eq!(opcode, 1);
    serde_json::from_slice(&payload).unwrap()
}

fn notice(call: u64, detail: String) -> Arc<Notice> {
    Arc::new(Notice::Call { at: UnixMillis(5), call: CallKey(call), what: StepKind::Queued, detail })
}

#[tokio::test]
async fn changes_arrive_as_they_happen() {
    let world = world().await;
    let (status, mut stream) = connect(&world, "reader").await;
    assert_eq!(status, 101);
    assert_eq!(text(&mut stream).await["event"], "hello");
    world.notices.send(notice(7, "hotline".to_owned())).unwrap();
    let agent =
        Notice::Agent { at: UnixMillis(6), number: "1001".to_owned(), state: "not-ready", reason: Some(3) };
    world.notices.send(Arc::new(agent)).unwrap();
    let expected = serde_json::json!({"event":"call","at":5,"call":"c7","what":"queued","detail":"hotline"});
    assert_eq!(text(&mut stream).await, expected);
    let expected = serde_json::json!({"event":"agent","at":6,"number":"1001","state":"not-ready","reason":3});
    assert_eq!(text(&mut stream).await, expected);
}

#[tokio::test]
async fn who_may_not_listen_is_told_so() {
    let world = world_with(|config| config.event_clients_max = 1).await;
    assert_eq!(connect(&world, "guess").await.0, 401);
    assert_eq!(world.get("/api/v1/events").await.code(), "bad-request");
    let (status, mut first) = connect(&world, "reader").await;
    assert_eq!(status, 101);
    assert_eq!(text(&mut first).await["event"], "hello");
    assert_eq!(connect(&world, "reader").await.0, 503);
    drop(first);
    // The place is free again once the server has noticed.
    for _ in 0..1000 {
        if connect(&world, "reader").await.0 == 101 {
            return;
        }
    }
    panic!("the place stays taken");
}

#[tokio::test]
async fn a_client_that_is_too_slow_is_told_what_it_missed() {
    let world = world_with(|config| config.event_timeout = Duration::from_secs(60)).await;
    let (_, mut stream) = connect(&world, "reader").await;
    assert_eq!(text(&mut stream).await["event"], "hello");
    // More than its socket and its 16 places hold while it does not read.
    let mut sent = 0_u64;
    for _ in 0..400 {
        for _ in 0..8 {
            world.notices.send(notice(sent, "x".repeat(8000))).unwrap();
            sent += 1;
        }
        tokio::task::yield_now().await;
    }
    let (mut received, mut missed) = (0, 0);
    while received + missed < sent {
        let event = text(&mut stream).await;
        match event["event"].as_str().unwrap() {
            "lagged" => missed += event["missed"].as_u64().unwrap(),
            _ => received += 1,
        }
    }
    assert!(missed > 0 && received + missed == sent, "{received} and {missed} of {sent}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let world = world_with(|config| config.event_timeout = Duration::from_millis(50)).await;
    let (_, stream) = connect(&world, "reader").await;
    for round in 0.. {
        let _ = world.notices.send(notice(round, "x".repeat(8000)));
        tokio::time::sleep(Duration::from_micros(100)).await;
        let metrics = if round % 500 == 499 {
            world.send("GET", "/metrics", None, "").await.body
        } else {
            String::new()
        };
        if metrics.contains("usher_console_event_clients_dropped_total 1\n") {
            assert!(metrics.contains("usher_console_event_clients 0\n"));
            break;
        }
        assert!(round < 50_000, "never dropped");
    }
    drop(stream);
}

#[tokio::test]
async fn an_oversized_frame_ends_the_connection() {
    let world = world().await;
    let (_, mut stream) = connect(&world, "reader").await;
    assert_eq!(text(&mut stream).await["event"], "hello");
    // Masked text frame that claims 2^63 - 1 bytes.
    let head = [&[0x81, 0xff][..], &(u64::MAX >> 1).to_be_bytes(), &[0; 4]].concat();
    stream.write_all(&head).await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "closed");
}

#[tokio::test]
async fn shutdown_is_said() {
    let mut world = world().await;
    let (_, mut stream) = connect(&world, "reader").await;
    assert_eq!(text(&mut stream).await["event"], "hello");
    world.shutdown.take().unwrap().send(()).unwrap();
    let (opcode, payload) = frame(&mut stream).await;
    assert_eq!((opcode, &payload[..2]), (8, &1001_u16.to_be_bytes()[..]));
    let _ = read_answer;
}
