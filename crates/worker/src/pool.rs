//! The media threads as their owner sees them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Instant as OsInstant;

use base::{Rng, Seed};
use crossbeam::queue::ArrayQueue;
use media::{Command, Event};

use crate::counters::{CounterValues, Counters};
use crate::net::{IoChoice, Refusal, SocketOptions};
use crate::offload::{NoTransmit, Offload, OffloadConfig, Table, Transmit, Unavailable};
use crate::ring::{Inbox, Order, Outbox};
use crate::sockets::tokens_max;
use crate::thread::{Remains, Thread};

/// How the media threads are started.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Threads; at least one is started.
    pub workers: usize,
    /// Microseconds between two wake-ups at load: all that arrived in between is handled at once. 0 wakes
    /// for each packet. Each packet is held up by at most this much.
    pub coalesce_us: u32,
    /// How packets come and go.
    pub io: IoChoice,
    /// Processors for the threads, thread n on `pin[n % len]`; empty leaves that to the kernel.
    pub pin: Vec<usize>,
    /// What every media socket gets.
    pub socket: SocketOptions,
    /// Once a peer's address is locked, let the kernel drop what others send to that socket. Those
    /// packets then cost nothing and are not counted either.
    pub connect_locked: bool,
    /// Let the kernel carry established bridges, if it can: [`Pool::offload`] says whether.
    pub offload: Option<OffloadConfig>,
    /// Legs per thread; more are refused with `Event::BindFailed`.
    pub legs_max: usize,
    /// Commands that may wait per thread; more are returned as [`Full`].
    pub commands_max: usize,
    /// Events of all threads that may wait to be read.
    pub events_max: usize,
    /// Secret from which SSRCs, sequence numbers and hash tables start.
    pub seed: Seed,
    /// The moment that is `base::Instant::ZERO`.
    pub epoch: OsInstant,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig {
            workers: 1,
            coalesce_us: 1000,
            io: IoChoice::Auto,
            pin: Vec::new(),
            socket: SocketOptions::default(),
            connect_locked: true,
            offload: None,
            legs_max: 20_000,
            commands_max: 16_384,
            events_max: 65_536,
            seed: Seed::default(),
            epoch: OsInstant::now(),
        }
    }
}

/// The command that did not fit, returned: the thread has more waiting than it may have. The owner
/// decides what gives way (a new call), and may try again later.
#[derive(Debug)]
pub struct Full(pub Box<Command>);

struct Worker {
    inbox: Arc<Inbox>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

/// What a thread says when it is ready: its backend, and why better ones were passed over.
type Opened = (&'static str, Vec<Refusal>);

impl Worker {
    /// Starts a thread and waits until it is ready.
    fn start(
        config: &PoolConfig,
        number: usize,
        remains: Remains,
        inbox: &Arc<Inbox>,
        counters: &Arc<Counters>,
    ) -> io::Result<(JoinHandle<()>, Opened)> {
        let cpu = config.pin.get(number % config.pin.len().max(1)).copied();
        let (config, inbox, counters) = (config.clone(), Arc::clone(inbox), Arc::clone(counters));
        let (starting, started) = sync_channel(1);
        let body = move || {
            let mut remains = Some(remains);
            // Once, unless it breaks: then a new one takes its place.
            while let Some(with) = remains.take() {
                match config.io.open(&inbox.wake, tokens_max(config.legs_max)) {
                    Ok((io, refusals)) => {
                        // From the second time on nobody waits for this.
                        let _ = starting.try_send(Ok((io.name(), refusals)));
                        let (inbox, counters) = (Arc::clone(&inbox), Arc::clone(&counters));
                        remains = Thread::new(&config, io, with, inbox, counters).live(cpu);
                    }
                    Err(error) => {
                        // No new call belongs to a thread that is no more.
                        counters.late.set(1);
                        let _ = starting.try_send(Err(error));
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("media-{number}")).spawn(body)?;
        let opened = started.recv().unwrap_or_else(|_| Err(io::Error::other("a media thread died")))?;
        Ok((thread, opened))
    }
}

/// Media threads, each with its legs and sockets. Dropping the pool ends them.
///
/// Legs that are bridged must be on the same worker.
pub struct Pool {
    workers: Vec<Worker>,
    events: Arc<ArrayQueue<Event>>,
    io_name: &'static str,
    io_refusals: Vec<Refusal>,
    offload: Option<Result<Offload, Unavailable>>,
    no_transmit: Vec<NoTransmit>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} workers)", self.workers.len())
    }
}

impl Pool {
    /// Starts the threads. `notify` is called from them, once per round that has events, and must
    /// neither block nor take long: it wakes whoever calls [`Pool::try_recv`].
    pub fn start(config: &PoolConfig, notify: impl Fn() + Send + Sync + 'static) -> io::Result<Pool> {
        let events = Arc::new(ArrayQueue::new(config.events_max.max(8)));
        let notify: Arc<dyn Fn() + Send + Sync> = Arc::new(notify);
        let mut rng = Rng::new(config.seed);
        let Kernel { offload, mut parts, no_transmit } = Kernel::start(config);
        let mut pool = Pool {
            workers: Vec::new(),
            events: Arc::clone(&events),
            io_name: "",
            io_refusals: Vec::new(),
            offload,
            no_transmit,
        };
        for number in 0..config.workers.max(1) {
            let inbox = Arc::new(Inbox::new(config.commands_max)?);
            let counters = Arc::new(Counters::default());
            let outbox = Outbox::new(Arc::clone(&events), config.legs_max, Arc::clone(&notify));
            let remains = Remains::fresh(rng.fork(), parts.next(), outbox);
            let (thread, opened) = Worker::start(config, number, remains, &inbox, &counters)?;
            (pool.io_name, pool.io_refusals) = opened;
            pool.workers.push(Worker { inbox, counters, thread: Some(thread) });
        }
        Ok(pool)
    }

    /// How many threads there are.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// How packets come and go: the backend's name, and why better ones were passed over.
    pub fn io(&self) -> (&'static str, &[Refusal]) {
        (self.io_name, &self.io_refusals)
    }

    /// Whether the kernel carries established bridges, or why it does not; `None` if nobody asked for it.
    pub fn offload(&self) -> Option<Result<(), &Unavailable>> {
        self.offload.as_ref().map(|offload| offload.as_ref().map(|_| ()))
    }

    /// Where what user space sends cannot pass the sockets by, though established bridges do. It leaves by sockets there.
    pub fn no_transmit(&self) -> &[NoTransmit] {
        &self.no_transmit
    }

    /// Gives `command` to thread `worker` (modulo their number) and wakes it.
    pub fn send(&self, worker: usize, command: Command) -> Result<(), Full> {
        self.leave(worker, command)?;
        self.wake(worker);
        Ok(())
    }

    /// Gives `command` to thread `worker` without waking it: [`Pool::wake`] must follow, once for all that
    /// was left.
    pub fn leave(&self, worker: usize, command: Command) -> Result<(), Full> {
        let Some(worker) = self.worker(worker) else { return Err(Full(Box::new(command))) };
        worker.inbox.leave(Order::Media(command)).map_err(|order| {
            worker.counters.commands_full.add_shared(1);
            match order {
                Order::Media(command) => Full(Box::new(command)),
                #[cfg(test)]
                Order::Panic(_) | Order::Break => unreachable!("a command was left"),
            }
        })
    }

    /// Wakes thread `worker` for what was left for it.
    pub fn wake(&self, worker: usize) {
        if let Some(worker) = self.worker(worker) {
            worker.inbox.wake.ring();
        }
    }

    fn worker(&self, number: usize) -> Option<&Worker> {
        self.workers.get(number % self.workers.len().max(1))
    }

    /// The next event of any thread. Events of one leg come in their order.
    pub fn try_recv(&self) -> Option<Event> {
        self.events.pop()
    }

    /// Whether thread `worker` does not keep up: no new call belongs there. `notify` is called when that
    /// changes.
    pub fn is_late(&self, worker: usize) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.counters.late.get() > 0)
    }

    /// The counters of each thread, by number.
    pub fn counters(&self) -> impl Iterator<Item = CounterValues> + '_ {
        self.workers.iter().map(|worker| worker.counters.read())
    }

    /// The counters of all threads together.
    pub fn total(&self) -> CounterValues {
        self.counters().fold(CounterValues::default(), |sum, one| sum.plus(&one))
    }

    /// A handle to the counters that outlives borrows of the pool: for a metrics page.
    pub fn counter_handles(&self) -> Vec<Arc<Counters>> {
        self.workers.iter().map(|worker| Arc::clone(&worker.counters)).collect()
    }

    /// Ends all threads and closes all sockets, at once: legs still there get no last event.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        for worker in &self.workers {
            worker.inbox.stop();
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                // A thread catches its panics; if it still died there is nothing left to end.
                let _ = thread.join();
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn order(&self, order: Order) {
        self.workers[0].inbox.leave(order).ok().unwrap();
        self.wake(0);
    }
}

/// The kernel's relay, if it is wanted and can be had.
struct Kernel {
    offload: Option<Result<Offload, Unavailable>>,
    /// Each thread's.
    parts: std::vec::IntoIter<(Table, Transmit)>,
    no_transmit: Vec<NoTransmit>,
}

impl Kernel {
    fn start(config: &PoolConfig) -> Kernel {
        let mut kernel = Kernel { offload: None, parts: Vec::new().into_iter(), no_transmit: Vec::new() };
        let Some(wanted) = &config.offload else { return kernel };
        let workers = config.workers.max(1);
        let offload = Offload::start(wanted, workers, config.epoch, config.socket.dscp);
        kernel.offload = Some(offload.and_then(|offload| {
            let mut parts = Vec::new();
            for worker in 0..workers {
                let (transmit, refusals) = offload.transmit(worker)?;
                parts.push((offload.table(worker)?, transmit));
                kernel.no_transmit.extend(refusals);
            }
            kernel.parts = parts.into_iter();
            Ok(offload)
        }));
        kernel
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop();
    }
}
