//! The slow side of the program: everything that may wait for a disk, a database or a network runs on its own
//! threads, and the signalling loop holds only the ends of bounded channels to it.

use std::sync::Arc;

use base::{Duration, Rng, UnixMillis};
use console::{Console, ConsoleConfig, Handles, Sample};
use store::{Directory, Spool, SpoolConfig, Store};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use worker::Counters as ThreadCounters;

use super::back::{Answer, Ask, Back, QUESTIONS_MAX};
use super::clock::Clock;
use super::recorder::Recorder;
use super::{Shared, history, hooks, remember, resolver, rush, system};
use crate::cli::Failure;
use crate::config::Loaded;
use crate::config::main_file::Main;

/// Requests of operators that may wait.
const ADMIN_MAX: usize = 256;
/// How long call records may take to reach the database when the process ends; the rest waits in the
/// spool for the next start.
const SPOOL_PATIENCE: Duration = Duration::from_secs(5);

/// The ends that the signalling loop holds. Dropping them lets the slow side finish.
pub struct SlowEnds {
    /// Questions that take long.
    pub asks: mpsc::Sender<Ask>,
    /// Their answers.
    pub answers: mpsc::Receiver<Answer>,
    /// Requests of operators.
    pub admin: mpsc::Receiver<console::AdminRequest>,
    /// Where agents' changes go.
    pub changes: mpsc::Sender<store::AgentChange>,
    /// The customer directory in memory.
    pub directory: Directory,
    /// Where call records and promised callbacks go.
    pub spool: Spool,
    /// Where callers' messages go.
    pub recorder: Recorder,
}

/// The slow side itself.
pub struct Slow {
    runtime: Runtime,
    store: Store,
    spool: Spool,
    history: tokio::task::JoinHandle<()>,
    recorded: std::thread::JoinHandle<()>,
    directory: tokio::task::JoinHandle<()>,
}

impl Slow {
    /// Opens the store and the HTTP port and starts everything. `past`: now, and how long ago a customer's last agent
    /// still counts.
    ///
    /// # Errors
    /// What the operating system or the database refuses.
    pub fn start(
        loaded: &Loaded,
        shared: &Shared,
        threads: Vec<Arc<ThreadCounters>>,
        past: (UnixMillis, Duration),
        rng: &mut Rng,
    ) -> Result<(Self, SlowEnds), Failure> {
        let main = &loaded.main;
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime =
            builder.worker_threads(1).thread_name("api").enable_all().build().map_err(system("runtime"))?;
        let (store, spool) = runtime.block_on(open_store(main))?;
        let (to_switch, admin) = mpsc::channel(ADMIN_MAX);
        runtime.block_on(start_console(main, shared, to_switch, &store, &spool, threads))?;
        let counters = &shared.counters;
        let (changes, to_write) = mpsc::channel(history::CHANGES_MAX);
        let history = runtime.spawn(history::keep(store.clone(), to_write));
        let (recordings, bytes_max) = (&main.store.recordings, main.store.recordings_bytes_max);
        let (recorder, recorded) =
            Recorder::start(recordings, bytes_max, Arc::clone(counters), Some(spool.clone()))
                .map_err(system("the recordings' folder"))?;
        let (asks, answers) = start_back(&runtime, main, store.clone(), past, rng);
        let directory = Directory::default();
        let tiers = loaded.settings.tiers.iter().map(|tier| tier.name.clone()).collect();
        let following = directory.clone().follow(store.clone(), main.store.customers_in_memory, tiers);
        let following = runtime.spawn(following);
        runtime.spawn(rush::give_back(Arc::clone(&shared.snapshot)));
        let ends = SlowEnds { asks, answers, admin, changes, directory, spool: spool.clone(), recorder };
        Ok((Slow { runtime, store, spool, history, recorded, directory: following }, ends))
    }

    /// Brings everything to the disk and the database, as far as they are there. The ends must be dropped.
    pub fn end(self) {
        self.directory.abort();
        // Both have ended their work when the switch let go of them; a panic in there was said already.
        let _ = self.recorded.join();
        self.runtime.block_on(async {
            if tokio::time::timeout(SPOOL_PATIENCE, self.history).await.is_err() {
                tracing::warn!("the last changes of agents are not in the store: the database was not there");
            }
            let left = self.spool.close(SPOOL_PATIENCE).await;
            if left.on_disk > 0 {
                tracing::warn!(
                    records = left.on_disk,
                    "the database was not there: records wait in the spool"
                );
            }
            self.store.close().await;
        });
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
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

async fn start_console(
    main: &Main,
    shared: &Shared,
    admin: mpsc::Sender<console::AdminRequest>,
    store: &Store,
    spool: &Spool,
    threads: Vec<Arc<ThreadCounters>>,
) -> Result<(), Failure> {
    let Some(listen) = main.http.listen else { return Ok(()) };
    let own = Arc::clone(&shared.counters);
    let samples = move || {
        let mut samples = own.samples();
        for (worker, counters) in threads.iter().enumerate() {
            for (name, help, value) in counters.read().list() {
                #[expect(clippy::cast_precision_loss, reason = "a metric's value is a double")]
                let value = value as f64;
                let labels = vec![("worker", worker.to_string())];
                let falls = matches!(name, "legs" | "offloaded" | "lag_us_max" | "late" | "commands_waiting");
                let kind = if falls { console::Kind::Gauge } else { console::Kind::Counter };
                samples.push(Sample { name, help, kind, labels, value });
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
        clock: Arc::new(|| Clock::start().wall().epoch),
        recordings: main.store.recordings.clone(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let config = ConsoleConfig::new(listen, main.http.tokens.clone());
    let console = Console::bind(config, handles).await.map_err(system(&format!("http {listen}")))?;
    tokio::spawn(console.run(std::future::pending()));
    Ok(())
}

fn start_back(
    slow: &tokio::runtime::Runtime,
    main: &Main,
    store: Store,
    (now, last_agent_within): (UnixMillis, Duration),
    rng: &mut Rng,
) -> (mpsc::Sender<Ask>, mpsc::Receiver<Answer>) {
    let (asks, questions) = mpsc::channel(QUESTIONS_MAX);
    let (answers, inbox) = mpsc::channel(QUESTIONS_MAX);
    let _inside = slow.enter();
    slow.spawn(remember::remember(store.clone(), answers.clone(), now, last_agent_within));
    let back = Back {
        store,
        hooks: hooks::Hooks::new(main.hooks.clone()),
        resolver: resolver::Resolver::of_the_system(),
    };
    slow.spawn(back.run(questions, answers, rng.fork()));
    (asks, inbox)
}
