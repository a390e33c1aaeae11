//! Threads that send each stream's packets on time and listen to what arrives.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use worker::net::{Epoll, Token, pin_to, thread_cpu_time};

use super::clock::realtime_nanos;
use super::packet::PAYLOAD_BYTES;
use super::receive::{StampedBatch, stamp};
use super::report::{Histograms, Report, StreamReport};
use super::stream::{Running, Stream};

/// How the streams are driven.
#[derive(Clone, Debug)]
pub struct GeneratorConfig {
    /// Threads; streams are dealt out by number.
    pub threads: usize,
    /// Processors for the threads; empty leaves that to the kernel.
    pub pin: Vec<usize>,
    /// Time between two packets of a stream.
    pub packet: Duration,
    /// Shortest sleep: what falls due within it leaves together. Keeps the generator cheap.
    pub tick: Duration,
    /// How long packets may still arrive after the last one was sent.
    pub settle: Duration,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        GeneratorConfig {
            threads: 1,
            pin: Vec::new(),
            packet: Duration::from_millis(20),
            tick: Duration::from_micros(200),
            settle: Duration::from_millis(500),
        }
    }
}

/// Packets sent before the thread listens again, however late it is.
const SENDS_MAX: usize = 1024;

enum Order {
    Add(Box<Stream>),
    Remove(u32, Sender<StreamReport>),
    Lap(u32),
    Quiet,
    Finish(Sender<Yield>),
}

/// What one thread brings home.
struct Yield {
    streams: Vec<StreamReport>,
    all: Histograms,
    cpu: Duration,
    measured: Duration,
}

/// A running generator. Streams may be added and removed at any time.
pub struct Generator {
    threads: Vec<(Sender<Order>, JoinHandle<()>)>,
    settle: Duration,
    lap: u32,
}

impl Generator {
    /// Starts the threads.
    pub fn start(config: &GeneratorConfig) -> io::Result<Generator> {
        let mut threads = Vec::new();
        for number in 0..config.threads.max(1) {
            let (orders, inbox) = channel();
            let cpu = config.pin.get(number % config.pin.len().max(1)).copied();
            let driver = Driver::new(config, inbox)?;
            let builder = std::thread::Builder::new().name(format!("rtp-{number}"));
            let thread = builder.spawn(move || {
                if let Some(cpu) = cpu {
                    let _ = pin_to(cpu);
                }
                driver.live();
            })?;
            threads.push((orders, thread));
        }
        Ok(Generator { threads, settle: config.settle, lap: 0 })
    }

    /// Starts a stream. Its first packet leaves within one packet time, at a phase of its own.
    pub fn add(&self, stream: Stream) -> io::Result<()> {
        stamp(&stream.socket)?;
        self.order(stream.id, Order::Add(Box::new(stream)));
        Ok(())
    }

    /// Ends a stream, closes its socket and says what it counted (`lost` is known only to the whole
    /// report). `None` if there is no such stream. It still counts in [`Generator::finish`].
    pub fn remove(&self, id: u32) -> Option<StreamReport> {
        let (answer, report) = channel();
        self.order(id, Order::Remove(id, answer));
        report.recv().ok()
    }

    /// Forgets what was counted and measures from here: ends a warm-up.
    pub fn measure(&mut self) {
        self.lap += 1;
        for (orders, _) in &self.threads {
            let _ = orders.send(Order::Lap(self.lap));
        }
    }

    /// Stops sending, waits for what is under way, and reports.
    pub fn finish(self) -> Report {
        for (orders, _) in &self.threads {
            let _ = orders.send(Order::Quiet);
        }
        std::thread::sleep(self.settle);
        let (mut streams, mut all) = (Vec::new(), Histograms::default());
        let (mut cpu, mut measured) = (Duration::ZERO, Duration::ZERO);
        for (orders, thread) in self.threads {
            let (answer, result) = channel();
            let _ = orders.send(Order::Finish(answer));
            if let Ok(part) = result.recv() {
                streams.extend(part.streams);
                all.add(&part.all);
                cpu += part.cpu;
                measured = measured.max(part.measured);
            }
            let _ = thread.join();
        }
        Report::new(measured.as_secs_f64(), cpu.as_secs_f64(), streams, &all)
    }

    fn order(&self, id: u32, order: Order) {
        if let Some((orders, _)) = self.threads.get(id as usize % self.threads.len().max(1)) {
            let _ = orders.send(order);
        }
    }
}

/// One thread.
struct Driver {
    inbox: Receiver<Order>,
    packet: Duration,
    tick: Duration,
    epoll: Epoll,
    streams: BTreeMap<u32, Running>,
    /// When each stream's next packet is due.
    due: BinaryHeap<Reverse<(Instant, u32)>>,
    batch: StampedBatch,
    ready: Vec<Token>,
    all: Histograms,
    gone: Vec<StreamReport>,
    lap: u32,
    lap_began: (Instant, Duration),
    lap_ended: Option<(Instant, Duration)>,
}

impl Driver {
    fn new(config: &GeneratorConfig, inbox: Receiver<Order>) -> io::Result<Self> {
        Ok(Driver {
            inbox,
            packet: config.packet,
            tick: config.tick,
            epoll: Epoll::new()?,
            streams: BTreeMap::new(),
            due: BinaryHeap::new(),
            batch: StampedBatch::default(),
            ready: Vec::new(),
            all: Histograms::default(),
            gone: Vec::new(),
            lap: 0,
            lap_began: (Instant::now(), Duration::ZERO),
            lap_ended: None,
        })
    }

    fn live(mut self) {
        self.lap_began = (Instant::now(), thread_cpu_time());
        let mut payload = [0xd5; PAYLOAD_BYTES];
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(Order::Finish(answer)) => return self.finish(&answer),
                    Ok(order) => self.obey(order),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.send_due(&mut payload);
            self.listen();
            let next = self.due.peek().map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()));
            std::thread::sleep(next.unwrap_or(self.tick).clamp(self.tick, Duration::from_millis(1)));
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Add(stream) => self.add(*stream),
            Order::Remove(id, answer) => {
                if let Some(running) = self.streams.remove(&id) {
                    self.gone.push(running.report());
                    let _ = answer.send(running.report());
                }
            }
            Order::Lap(lap) => {
                self.lap = lap;
                self.streams.values_mut().for_each(|running| running.begin_lap(lap));
                self.gone.clear();
                self.all = Histograms::default();
                self.lap_began = (Instant::now(), thread_cpu_time());
            }
            Order::Quiet => {
                self.due.clear();
                self.lap_ended = Some((Instant::now(), thread_cpu_time()));
            }
            Order::Finish(_) => {}
        }
    }

    fn add(&mut self, stream: Stream) {
        let id = stream.id;
        if self.epoll.add(&stream.socket, Token(u64::from(id))).is_err() {
            return;
        }
        if stream.sends {
            // The golden ratio spreads any number of phases evenly.
            let phase = (f64::from(id) * 0.618_033_988_749_895).fract();
            self.due.push(Reverse((Instant::now() + self.packet.mul_f64(phase), id)));
        }
        self.streams.insert(id, Running::new(stream, self.lap));
    }

    fn send_due(&mut self, payload: &mut [u8; PAYLOAD_BYTES]) {
        let mut now = Instant::now();
        for _ in 0..SENDS_MAX {
            let Some(&Reverse((at, id))) = self.due.peek() else { return };
            if at > now {
                now = Instant::now();
                if at > now {
                    return;
                }
            }
            self.due.pop();
            let Some(running) = self.streams.get_mut(&id) else { continue };
            let late = Instant::now().saturating_duration_since(at);
            self.all.lateness(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
            running.send(payload, realtime_nanos());
            self.due.push(Reverse((at + self.packet, id)));
        }
    }

    fn listen(&mut self) {
        let Driver { epoll, ready, streams, batch, all, .. } = self;
        ready.clear();
        if epoll.wait(Some(Duration::ZERO), ready).is_err() {
            return;
        }
        for &Token(token) in ready.iter() {
            let id = u32::try_from(token).unwrap_or(u32::MAX);
            if let Some(running) = streams.get_mut(&id) {
                running.listen(batch, all);
            }
        }
    }

    fn finish(self, answer: &Sender<Yield>) {
        let mut streams: Vec<StreamReport> = self.streams.values().map(Running::report).collect();
        streams.extend(self.gone);
        let (began, cpu_before) = self.lap_began;
        let (ended, cpu_after) = self.lap_ended.unwrap_or_else(|| (Instant::now(), thread_cpu_time()));
        let measured = ended.saturating_duration_since(began);
        let cpu = cpu_after.saturating_sub(cpu_before);
        let _ = answer.send(Yield { streams, all: self.all, cpu, measured });
    }
}
