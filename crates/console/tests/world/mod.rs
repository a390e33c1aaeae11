//! A console on a port of its own, a switch that is played, and a small HTTP client: no library of ours on
//! the client's side, the bytes are what a stranger would send.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base::{CallKey, Pii, UnixMillis};
use call::admin::{Admin, AdminError};
use call::view::{
    AgentView, CallView, Control, Counter, FeasibilityView, Notice, QueueView, Snapshot, TierView, TrunkView,
    WaitErrorView,
};
use console::{AdminRequest, Console, ConsoleConfig, Handles, Kind, Readiness, Sample, Token};
use store::{Spool, SpoolConfig, Store, sample};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc, oneshot};

/// SHA-256 of `reader` and `writer`.
const READER: &str = "3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30";
const WRITER: &str = "b93006774cbdd4b299389a03ac3d88c3a76b460d538795bc12718011a909fba5";

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) notices: broadcast::Sender<Arc<Notice>>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) store: Store,
    pub(crate) shutdown: Option<oneshot::Sender<()>>,
    pub(crate) console: tokio::task::JoinHandle<()>,
    pub(crate) folder: std::path::PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn world() -> World {
    world_with(|_| {}).await
}

pub(crate) async fn world_with(change: impl FnOnce(&mut ConsoleConfig)) -> World {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("usher-console-{}-{number}", std::process::id()));
    let tokens = [("reader", READER, "read"), ("writer", WRITER, "write")];
    let tokens = tokens.map(|(name, hash, scope)| Token::parse(name, hash, scope).unwrap());
    let mut config = ConsoleConfig::new("127.0.0.1:0".parse().unwrap(), tokens.to_vec());
    config.failure_delay = Duration::from_millis(1);
    change(&mut config);

    let store = Store::open("sqlite::memory:").await.unwrap();
    store.put_customers(&(0..20).map(sample::customer).collect::<Vec<_>>()).await.unwrap();
    store.put_calls(&(0..50).map(sample::call_record).collect::<Vec<_>>()).await.unwrap();
    let spool = Spool::start(SpoolConfig::new(&folder), store.clone()).unwrap();
    let snapshot = Arc::new(ArcSwap::from_pointee(snapshot()));
    let (notices, _) = broadcast::channel(16);
    let (admin, requests) = mpsc::channel(4);
    let readiness = Arc::new(Readiness::default());
    let handles = Handles {
        snapshot: Arc::clone(&snapshot),
        notices: notices.clone(),
        admin,
        store: store.clone(),
        spool: Some(spool),
        readiness: Arc::clone(&readiness),
        samples: Arc::new(samples),
        clock: Arc::new(|| UnixMillis(1_900_000_000_000)),
        recordings: folder.join("recordings"),
        version: "0.0.0-test",
    };
    let console = Console::bind(config, handles).await.unwrap();
    let address = console.local_addr();
    let (shutdown, stopped) = oneshot::channel();
    let console = tokio::spawn(console.run(async move {
        let _ = stopped.await;
    }));
    tokio::spawn(play_switch(requests));
    World { address, snapshot, notices, readiness, store, shutdown: Some(shutdown), console, folder }
}

fn samples() -> Vec<Sample> {
    let sample = |worker: &str, value| Sample {
        name: "rtp_packets_received",
        help: "RTP packets received.",
        kind: Kind::Counter,
        labels: vec![("worker", worker.to_owned())],
        value,
    };
    vec![sample("0", 17.0), sample("1", 4.0)]
}

/// Knows agent 1001 and call c1; agent 1002 is in a call; agent 1003's request is never answered.
async fn play_switch(mut requests: mpsc::Receiver<AdminRequest>) {
    let mut unanswered = Vec::new();
    while let Some(AdminRequest { admin, reply }) = requests.recv().await {
        let outcome = match admin {
            Admin::Agent { number, .. } => match number.as_str() {
                "1001" => Ok(()),
                "1002" => Err(AdminError::WrongState),
                "1003" => {
                    unanswered.push(reply);
                    continue;
                }
                _ => Err(AdminError::NoSuchAgent),
            },
            Admin::Hangup(CallKey(1)) => Ok(()),
            Admin::Hangup(_) => Err(AdminError::NoSuchCall),
            Admin::EndCallback { .. } => Err(AdminError::NoSuchCallback),
        };
        let _ = reply.send(outcome);
    }
}

#[expect(clippy::too_many_lines, reason = "a snapshot with one of each, spelled out")]
fn snapshot() -> Snapshot {
    let call = |key, phase, tier: &str| CallView {
        key: CallKey(key),
        caller: Pii::new("13800138000".to_owned()),
        dialled: "10000".to_owned(),
        tier: tier.to_owned(),
        phase,
        queue: Some("hotline".to_owned()),
        agent: None,
        started: UnixMillis(1_800_000_000_000),
        decisions: Vec::new(),
    };
    let agent = |number: &str, state| AgentView {
        number: number.to_owned(),
        name: "Li Wei".to_owned(),
        state,
        reason: None,
        since: UnixMillis(1_800_000_000_000),
        contacts: 1,
        answered: 3,
    };
    let tier = TierView {
        name: "gold".to_owned(),
        target: 0.95,
        floor: 0.75,
        called_back: 1,
        moved: 0,
        control: Some(Control { floor_debt: -1.0, target_debt: 2.5, band: 2, ..Control::default() }),
        wait_error: WaitErrorView { calls: 4, mean_abs_s: 3.5, bias_s: -1.0, told: 2, told_right: 2 },
        offered: 10,
        answered: 6,
        abandoned: 2,
        deflected: 0,
        overflowed: 0,
        waiting: 2,
        waits_ms: vec![(5_000, 4), (20_000, 1), (u64::MAX, 1)],
        wait_ms_sum: 60_000,
        expected_wait_ms: Some(12_500),
    };
    Snapshot {
        calls: vec![call(1, "queued", "gold"), call(2, "talking", "gold"), call(3, "queued", "silver")],
        agents: vec![agent("1001", "ready"), agent("1002", "talking")],
        queues: vec![QueueView {
            name: "hotline".to_owned(),
            waiting: 2,
            longest_wait_ms: 1500,
            agents_ready: 1,
            agents_logged_in: 2,
            agents_on_duty: 2,
            overload: 1,
        }],
        tiers: vec![tier],
        trunks: vec![TrunkView {
            name: "carrier".to_owned(),
            calls: 3,
            calls_total: 40,
            refused_total: 1,
            reachable: Some(true),
        }],
        counters: vec![
            Counter { name: "sip_requests", label: "INVITE".to_owned(), value: 17 },
            Counter { name: "dropped", label: "body\"too\nbig".to_owned(), value: 2 },
            Counter { name: "records", label: String::new(), value: 9 },
        ],
        feasibility: Some(FeasibilityView {
            on_duty: 47,
            for_targets: Some(52),
            for_floors: Some(30),
            calls_per_hour: 900.0,
            reachable: 0.9,
        }),
        draining: false,
    }
}

impl World {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Some("reader"), "").await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send("GET", path, Some(token), "").await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        let authorization =
            token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.raw(&format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{authorization}{length}\r\n{body}")).await
    }

    /// Sends bytes, reads one answer.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close before all is written.
        let _ = stream.write_all(request.as_bytes()).await;
        tokio::time::timeout(Duration::from_secs(20), read_answer(&mut stream)).await.expect("an answer")
    }
}

pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        assert!(
            stream.read_buf(&mut bytes).await.unwrap() > 0,
            "closed in {}",
            String::from_utf8_lossy(&bytes)
        );
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = bytes[head_end + 4..].to_vec();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        assert!(stream.read_buf(&mut body).await.unwrap() > 0, "closed in the body");
    }
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}
