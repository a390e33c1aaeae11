//! `usher serve`: builds the parts, connects them, runs them, drains them.

pub mod back;
pub mod clock;
pub mod counters;
pub mod history;
pub mod hooks;
pub mod outbox;
pub mod promises;
pub mod recorder;
pub mod resolver;
pub mod signalling;
pub mod signals;
pub mod tcp;
pub mod udp;

use std::io;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base::{CallKey, Duration, Finding, Rng, Seed};
use call::Local;
use call::view::{Notice, Snapshot};
use console::{Console, ConsoleConfig, Handles, Readiness, Sample};
use sip::Protocol;
use store::{Spool, SpoolConfig, Store};
use tokio::sync::{Notify, broadcast, mpsc};
use worker::{Pool, PoolConfig, PortPlan};

use crate::cli::{ConfigArgs, Failure};
use crate::config::keys::KeyBook;
use crate::config::main_file::Main;
use crate::config::{self, Loaded};
use back::{Answer, Ask, Back, QUESTIONS_MAX};
use clock::Clock;
use counters::Counters;
use outbox::Outbox;
use promises::Promises;
use recorder::Recorder;
use signalling::Signalling;
use signals::Signals;
use tcp::Streams;
use udp::UdpListeners;

/// Notices that a slow reader of the event stream may be behind.
const NOTICES_MAX: usize = 4096;
/// Requests of operators that may wait.
const ADMIN_MAX: usize = 256;
/// How long call records may take to reach the database when the process ends; the rest waits in the
/// spool for the next start.
const SPOOL_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the command.
///
/// # Errors
/// A wrong configuration (nothing was started), or a port or database that cannot be had.
pub fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let mut keys = KeyBook::default();
    let loaded = config::load(&args.config, &mut keys).map_err(Failure::Findings)?;
    log_to_stderr();
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "in the configuration");
    }
    check_ports(&loaded.main)?;
    serve(&args.config, loaded, keys)
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("USHER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
    // A second subscriber is refused; only a test that serves twice meets that.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init();
}

/// The media ports against the limits of the machine, before anything is bound.
fn check_ports(main: &Main) -> Result<(), Failure> {
    let plan = PortPlan {
        addresses: main.media.addresses.clone(),
        range: main.media.ports.0..=main.media.ports.1,
        listeners: main.sip.listen.iter().map(|listener| listener.address).chain(main.http.listen).collect(),
        files_reserve: 1024,
    };
    match worker::check_ports(&plan) {
        Ok(capacity) => {
            tracing::info!(calls = capacity.calls, files_max = capacity.files_max, "media ports are free");
            Ok(())
        }
        Err(errors) => {
            let finding = |error: &worker::PortsError| Finding::new("usher.toml", format!("[media] {error}"));
            Err(Failure::Findings(errors.iter().map(finding).collect()))
        }
    }
}

fn system(what: &str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::System(format!("{what}: {error}"))
}

/// What the two sides of the program share.
struct Shared {
    snapshot: Arc<ArcSwap<Snapshot>>,
    notices: broadcast::Sender<Arc<Notice>>,
    readiness: Arc<Readiness>,
    counters: Arc<Counters>,
}

fn serve(folder: &Path, loaded: Loaded, keys: KeyBook) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut rng = Rng::new(seed().map_err(system("no randomness"))?);
    let runtime =
        |builder: &mut tokio::runtime::Builder| builder.enable_all().build().map_err(system("runtime"));
    let slow = runtime(tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("api"))?;
    let fast = runtime(&mut tokio::runtime::Builder::new_current_thread())?;

    let main = &loaded.main;
    let shared = Shared {
        snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())),
        notices: broadcast::channel(NOTICES_MAX).0,
        readiness: Arc::new(Readiness::default()),
        counters: Arc::default(),
    };
    let bell = Arc::new(Notify::new());
    let pool = pool(main, &clock, &mut rng, &bell).map_err(system("media threads"))?;
    let (store, spool) = slow.block_on(open_store(main))?;
    let (admin_tx, admin) = mpsc::channel(ADMIN_MAX);
    let console = slow.block_on(console(main, &shared, admin_tx, &store, &spool, &pool))?;
    slow.spawn(history::keep(store.clone(), shared.notices.subscribe(), Arc::clone(&shared.counters)));
    let (promises, work) = Promises::new(store.clone(), Arc::clone(&shared.counters));
    let promised = slow.spawn(work);
    let (recorder, recorded) = Recorder::start(
        &main.store.recordings,
        main.store.recordings_bytes_max,
        Arc::clone(&shared.counters),
    )
    .map_err(system("the recordings' folder"))?;
    let (asks, answers) = back(&slow, main, store.clone(), &mut rng);

    let (drain, config) = (Duration::from_secs(main.drain_s), (folder.to_path_buf(), keys));
    let spool_for_calls = spool.clone();
    fast.block_on(async move {
        let (udp, streams, stream_events) = listen(&loaded.main)?;
        let mut settings = loaded.settings;
        let listeners = listeners(&udp, &streams);
        settings.sip.listeners.clone_from(&listeners);
        say_where(&listeners, loaded.main.http.listen, &settings);
        let signals = Signals::listen().map_err(system("signals"))?;
        let first = CallKey::first(clock.wall().epoch.0);
        let counters = shared.counters;
        let media = Outbox::new(pool, Arc::clone(&counters));
        let local = Local::new(settings, rng.next_seed(), first, clock.wall());
        shared.readiness.set_started();
        let signalling = Signalling {
            clock,
            local,
            udp,
            streams,
            stream_events,
            media,
            media_bell: bell,
            asks,
            answers,
            spool: spool_for_calls,
            recorder,
            promises,
            snapshot: shared.snapshot,
            notices: shared.notices,
            admin,
            readiness: shared.readiness,
            signals,
            config,
            listeners,
            drain,
            counters,
        };
        signalling.run().await;
        Ok(())
    })?;

    // Both have ended their work when the switch let go of them; a panic in there was said already.
    let _ = recorded.join();
    slow.block_on(async {
        if tokio::time::timeout(SPOOL_PATIENCE, promised).await.is_err() {
            tracing::error!("promised callbacks are lost: the database was not there");
        }
        let left = spool.close(SPOOL_PATIENCE).await;
        if left.on_disk > 0 {
            tracing::warn!(records = left.on_disk, "the database was not there: records wait in the spool");
        }
        store.close().await;
    });
    drop(console);
    slow.shutdown_timeout(Duration::from_secs(1));
    tracing::info!("ended");
    Ok(())
}

/// 128 bits from the operating system.
fn seed() -> io::Result<Seed> {
    let mut bytes = [0u8; 16];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    let (low, high) = bytes.split_at(8);
    let word = |half: &[u8]| half.iter().fold(0u64, |word, &byte| (word << 8) | u64::from(byte));
    Ok(Seed([word(low), word(high)]))
}

fn pool(main: &Main, clock: &Clock, rng: &mut Rng, bell: &Arc<Notify>) -> io::Result<Pool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let config = PoolConfig {
        workers: main.media.workers,
        coalesce_us: main.media.coalesce_us,
        pin: if main.media.pin { (0..cores).collect() } else { Vec::new() },
        seed: rng.next_seed(),
        epoch: clock.epoch(),
        ..PoolConfig::default()
    };
    let bell = Arc::clone(bell);
    Pool::start(&config, move || bell.notify_one())
}

async fn open_store(main: &Main) -> Result<(Store, Spool), Failure> {
    // SQLite is a file of ours: it must open. A server may be away for a while: records wait in the spool.
    let url = main.store.url.as_str();
    let opened = if url.starts_with("sqlite:") { Store::open(url).await } else { Store::open_lazy(url) };
    let store = opened.map_err(|error| Failure::System(format!("the store: {error}")))?;
    let config = SpoolConfig { bytes_max: main.store.spool_bytes_max, ..SpoolConfig::new(&main.store.spool) };
    let spool = Spool::start(config, store.clone())
        .map_err(|error| Failure::System(format!("the spool: {error}")))?;
    Ok((store, spool))
}

async fn console(
    main: &Main,
    shared: &Shared,
    admin: mpsc::Sender<console::AdminRequest>,
    store: &Store,
    spool: &Spool,
    pool: &Pool,
) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
    let Some(listen) = main.http.listen else { return Ok(None) };
    let (own, threads) = (Arc::clone(&shared.counters), pool.counter_handles());
    let samples = move || {
        let mut samples = own.samples();
        for (worker, counters) in threads.iter().enumerate() {
            for (name, help, value) in counters.read().list() {
                #[expect(clippy::cast_precision_loss, reason = "a metric's value is a double")]
                let value = value as f64;
                let labels = vec![("worker", worker.to_string())];
                samples.push(Sample { name, help, kind: console::Kind::Counter, labels, value });
            }
        }
        samples
    };
    let handles = Handles {
        snapshot: Arc::clone(&shared.snapshot),
        notices: shared.notices.clone(),
        admin,
        store: store.clone(),
        spool: Some(spool.clone()),
        readiness: Arc::clone(&shared.readiness),
        samples: Arc::new(samples),
        version: env!("CARGO_PKG_VERSION"),
    };
    let config = ConsoleConfig::new(listen, main.http.tokens.clone());
    let console = Console::bind(config, handles).await.map_err(system(&format!("http {listen}")))?;
    Ok(Some(tokio::spawn(console.run(std::future::pending()))))
}

fn back(
    slow: &tokio::runtime::Runtime,
    main: &Main,
    store: Store,
    rng: &mut Rng,
) -> (mpsc::Sender<Ask>, mpsc::Receiver<Answer>) {
    let (asks, questions) = mpsc::channel(QUESTIONS_MAX);
    let (answers, inbox) = mpsc::channel(QUESTIONS_MAX);
    let _inside = slow.enter();
    let back = Back {
        store,
        hooks: hooks::Hooks::new(main.hooks.clone()),
        resolver: resolver::Resolver::of_the_system(),
    };
    slow.spawn(back.run(questions, answers, rng.fork()));
    (asks, inbox)
}

fn listen(main: &Main) -> Result<(UdpListeners, Streams, mpsc::Receiver<tcp::StreamEvent>), Failure> {
    let of = |protocol: Protocol| {
        main.sip
            .listen
            .iter()
            .filter(move |listener| listener.protocol == protocol)
            .map(|listener| listener.address)
    };
    let udp = UdpListeners::bind(of(Protocol::Udp)).map_err(system("cannot listen"))?;
    let (streams, events) =
        Streams::bind(of(Protocol::Tcp), sip::Limits::default()).map_err(system("cannot listen"))?;
    Ok((udp, streams, events))
}

fn listeners(udp: &UdpListeners, streams: &Streams) -> Vec<sip::Listener> {
    let listener = |protocol| move |local| sip::Listener { protocol, local, advertised: None };
    udp.addresses()
        .map(listener(Protocol::Udp))
        .chain(streams.addresses().map(listener(Protocol::Tcp)))
        .collect()
}

#[expect(clippy::print_stdout, reason = "what the person who started it wants to know")]
fn say_where(
    listeners: &[sip::Listener],
    http: Option<std::net::SocketAddr>,
    settings: &call::settings::Settings,
) {
    for listener in listeners {
        println!("listening: sip {} {}", listener.protocol.as_via(), listener.local);
    }
    if let Some(http) = http {
        println!("listening: http {http}");
    }
    println!("answering: {}", settings.flows.numbers().collect::<Vec<_>>().join(", "));
    println!("ready");
}
