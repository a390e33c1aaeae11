//! `usher serve`: builds the parts, connects them, runs them, drains them.

pub mod alarms;
pub mod back;
pub mod clock;
pub mod counters;
pub mod duty;
pub mod history;
pub mod hooks;
pub mod offload;
pub mod outbox;
pub mod pace;
pub mod rarely;
pub mod recorder;
pub mod remember;
pub mod resolver;
pub mod rush;
pub mod signalling;
pub mod signals;
pub mod slow;
pub mod tcp;
pub mod udp;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use base::{CallKey, Duration, Finding, Instant, Rng, Seed};
use call::Local;
use call::intake::Intake;
use call::view::{Notice, Snapshot};
use console::Readiness;
use sip::Protocol;
use tokio::sync::{Notify, broadcast, mpsc};
use worker::{Capacity, Pool, PoolConfig, PortPlan};

use crate::cli::{ConfigArgs, Failure};
use crate::config::keys::KeyBook;
use crate::config::main_file::Main;
use crate::config::{self, Loaded};
use alarms::Alarms;
use clock::Clock;
use counters::Counters;
use duty::Duty;
use offload::OffloadWatch;
use outbox::Outbox;
use pace::Pace;
use rarely::Rarely;
use signalling::{End, Signalling};
use signals::Signals;
use slow::{Slow, SlowEnds};
use tcp::Streams;
use udp::UdpListeners;

/// Notices that a slow reader of the event stream may be behind.
const NOTICES_MAX: usize = 4096;

/// How far the slow side's threads come after those of calls: a third of the processor time of a thread that wants
/// all, where both do.
const STEPS_BACK: u8 = 5;

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
    let capacity = check_ports(&loaded.main)?;
    serve(&args.config, loaded, keys, &capacity)
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("USHER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
    let colours = io::IsTerminal::is_terminal(&io::stderr());
    // A second subscriber is refused; only a test that serves twice meets that.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colours)
        .try_init();
}

/// The media ports against the limits of the machine, before anything is bound.
fn check_ports(main: &Main) -> Result<Capacity, Failure> {
    let plan = PortPlan {
        addresses: main.media.addresses.clone(),
        range: main.media.ports.0..=main.media.ports.1,
        listeners: main.sip.listen.iter().map(|listener| listener.address).chain(main.http.listen).collect(),
        files_reserve: 1024,
    };
    match worker::check_ports(&plan) {
        Ok(capacity) => {
            tracing::info!(calls = capacity.calls, files_max = capacity.files_max, "media ports are free");
            Ok(capacity)
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
pub struct Shared {
    snapshot: Arc<ArcSwap<Snapshot>>,
    notices: broadcast::Sender<Arc<Notice>>,
    readiness: Arc<Readiness>,
    counters: Arc<Counters>,
}

fn serve(folder: &Path, loaded: Loaded, keys: KeyBook, capacity: &Capacity) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut rng = Rng::new(seed().map_err(system("no randomness"))?);
    let shared = Shared {
        snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())),
        notices: broadcast::channel(NOTICES_MAX).0,
        readiness: Arc::new(Readiness::default()),
        counters: Arc::default(),
    };
    let bell = Arc::new(Notify::new());
    let pool = pool(&loaded.main, capacity, &clock, &mut rng, &bell).map_err(system("media threads"))?;
    let past = (clock.wall().epoch, loaded.settings.last_agent_within);
    let (slow, slow_ends) =
        step_back(|| Slow::start(&loaded, &shared, pool.counter_handles(), past, &mut rng))?;
    let fast =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system("runtime"))?;
    let end = fast.block_on(async {
        let media = Outbox::new(pool, Arc::clone(&shared.counters));
        let config = (folder.to_path_buf(), keys);
        Ok(signalling(clock, rng, loaded, config, (media, bell), slow_ends, shared)?.run().await)
    })?;
    slow.end();
    if end == End::GivenUp {
        return Err(Failure::System("gave up after too many panics in a row: see the log".to_owned()));
    }
    tracing::info!("ended");
    Ok(())
}

/// Begins threads that come after the switch's own when there is not enough processor time: a database's work may
/// wait, a caller's may not. They have the niceness of the thread that begins them, and this one keeps its own.
fn step_back<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    let begin = || {
        if let Err(error) = worker::net::step_back(STEPS_BACK) {
            tracing::warn!(%error, "the database's threads do not come after those of calls");
        }
        start()
    };
    std::thread::scope(|scope| {
        scope.spawn(begin).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Binds the SIP ports and builds the signalling loop around the switch.
fn signalling(
    clock: Clock,
    mut rng: Rng,
    loaded: Loaded,
    config: (PathBuf, KeyBook),
    (media, media_bell): (Outbox, Arc<Notify>),
    slow: SlowEnds,
    shared: Shared,
) -> Result<Signalling, Failure> {
    let (udp, streams, stream_events) = listen(&loaded.main)?;
    let mut settings = loaded.settings;
    let listeners = listeners(&udp, &streams);
    settings.sip.listeners.clone_from(&listeners);
    settings.acd.callbacks.wall = clock.wall();
    say_where(&listeners, loaded.main.http.listen, &settings);
    let first = CallKey::first(clock.wall().epoch.0);
    let mut local = Local::new(settings, rng.next_seed(), first, clock.wall());
    let kept = loaded.main.store.spool.join("duty.jsonl");
    let duty = Duty::open(&kept, &mut local, clock.now(), clock.wall()).map_err(system("registrations"))?;
    let signals = Signals::listen().map_err(system("signals"))?;
    shared.readiness.set_started();
    Ok(Signalling {
        clock,
        local,
        duty,
        udp,
        arrivals: Vec::new(),
        looked: Instant::ZERO,
        intake: Intake::new(Duration::from_millis(loaded.main.sip.backlog_ms)),
        overloads: Rarely::default(),
        streams,
        stream_events,
        media,
        media_bell,
        slow,
        snapshot: shared.snapshot,
        notices: shared.notices,
        readiness: shared.readiness,
        signals,
        config,
        listeners,
        drain: Duration::from_secs(loaded.main.drain_s),
        pace: Pace::new(loaded.main.sip.coalesce_us),
        offload: OffloadWatch::default(),
        counters: shared.counters,
        end: None,
        alarms: Alarms::default(),
    })
}

/// 128 bits from the operating system.
fn seed() -> io::Result<Seed> {
    let mut bytes = [0u8; 16];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    let (low, high) = bytes.split_at(8);
    let word = |half: &[u8]| half.iter().fold(0u64, |word, &byte| (word << 8) | u64::from(byte));
    Ok(Seed([word(low), word(high)]))
}

fn pool(
    main: &Main,
    capacity: &Capacity,
    clock: &Clock,
    rng: &mut Rng,
    bell: &Arc<Notify>,
) -> io::Result<Pool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let config = PoolConfig {
        workers: main.media.workers,
        coalesce_us: main.media.coalesce_us,
        io: main.media.io,
        offload: main.media.offload.clone(),
        legs_max: legs_max(capacity, main.media.workers),
        pin: if main.media.pin { (0..cores).collect() } else { Vec::new() },
        seed: rng.next_seed(),
        epoch: clock.epoch(),
        ..PoolConfig::default()
    };
    let bell = Arc::clone(bell);
    let pool = Pool::start(&config, move || bell.notify_one())?;
    let (io, refusals) = pool.io();
    for refusal in refusals {
        tracing::warn!("{refusal}");
    }
    tracing::info!(io, workers = pool.workers(), coalesce_us = config.coalesce_us, "media threads are ready");
    match (pool.offload(), &config.offload) {
        (Some(Ok(())), Some(offload)) => {
            tracing::info!(interfaces = ?offload.interfaces, calls_max = offload.calls_max, "the kernel carries calls");
            for refusal in pool.no_transmit() {
                tracing::warn!("{refusal}");
            }
        }
        (Some(Err(why)), _) => tracing::warn!(%why, "the kernel carries no calls: all stay in user space"),
        _ => {}
    }
    Ok(pool)
}

/// Legs per media thread: its share of all that there are ports for, and some that are just ending.
fn legs_max(capacity: &Capacity, workers: usize) -> usize {
    let share = usize::try_from(capacity.legs).unwrap_or(usize::MAX).div_ceil(workers.max(1));
    share.saturating_add(share / 8).saturating_add(16)
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
