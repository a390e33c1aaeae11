//! One media thread: wait, then carry out commands, drain the sockets, send what is due, report.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant as OsInstant;

use base::{Instant, LegKey, Rng};
use media::relay::BindFailure;
use media::{Channel, Command, Event, Relay, RelayConfig, Slot};

use crate::counters::{Counters, RelayTotals};
use crate::net::{self, BATCH_MAX, Epoll, ReceiveBatch, Token};
use crate::pool::PoolConfig;
use crate::ring::{Inbox, Order, Outbox};
use crate::sockets::{Sockets, untoken};

/// Token of the bell that the signalling thread rings; no leg has so many sockets.
const BELL: Token = Token(u64::MAX);

/// Commands per round: opening sockets for more would hold up the voices.
const ORDERS_PER_ROUND: usize = 64;

/// How long to wait before looking again whether events can be handed over.
const RETRY: Duration = Duration::from_millis(1);

/// A wake-up that is later than this is counted.
const LATE: Duration = Duration::from_millis(1);

/// Processor time is read once in so many rounds.
const ROUNDS_PER_CPU_READING: u32 = 128;

pub(crate) struct Thread {
    epoch: OsInstant,
    tick: Duration,
    legs_max: usize,
    connect_locked: bool,
    rng: Rng,
    relay: Relay,
    sockets: Sockets,
    epoll: Epoll,
    inbox: Arc<Inbox>,
    outbox: Outbox,
    counters: Arc<Counters>,
    relay_totals: RelayTotals,
    batch: ReceiveBatch,
    /// Sockets to look at in this round.
    ready: Vec<Token>,
    /// Sockets that had more than a round takes, or an error before their packets.
    again: Vec<Token>,
    orders_left: bool,
    /// Whether the last round found anything to do.
    busy: bool,
    round_start: Instant,
    rounds_to_cpu_reading: u32,
    /// The leg whose packet is being handled: who pays for a panic.
    current: Option<LegKey>,
    #[cfg(test)]
    trap: Option<LegKey>,
}

impl Thread {
    pub(crate) fn new(
        config: &PoolConfig,
        mut rng: Rng,
        inbox: Arc<Inbox>,
        outbox: Outbox,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&inbox.wake, BELL)?;
        let relay =
            Relay::new(RelayConfig { legs_max: config.legs_max, ..RelayConfig::default() }, rng.next_seed());
        Ok(Thread {
            epoch: config.epoch,
            tick: Duration::from_micros(u64::from(config.coalesce_us)),
            legs_max: config.legs_max,
            connect_locked: config.connect_locked,
            sockets: Sockets::new(config.socket, rng.next_seed(), Arc::clone(&counters)),
            rng,
            relay,
            epoll,
            inbox,
            outbox,
            counters,
            relay_totals: RelayTotals::default(),
            batch: ReceiveBatch::default(),
            ready: Vec::with_capacity(1024),
            again: Vec::with_capacity(1024),
            orders_left: false,
            busy: false,
            round_start: Instant::ZERO,
            rounds_to_cpu_reading: 0,
            current: None,
            #[cfg(test)]
            trap: None,
        })
    }

    /// The thread's whole life.
    pub(crate) fn live(mut self, cpu: Option<usize>) {
        if let Some(cpu) = cpu {
            // A processor that is not there or not ours: run where the kernel likes.
            let _ = net::pin_to(cpu);
        }
        while !self.inbox.is_stopped() {
            let lived = catch_unwind(AssertUnwindSafe(|| {
                while !self.inbox.is_stopped() {
                    self.wait();
                    self.round();
                }
            }));
            if lived.is_err() {
                self.recover();
            }
        }
    }

    fn now(&self) -> Instant {
        let since = OsInstant::now().saturating_duration_since(self.epoch);
        Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Sleeps out the tick if the last round had work, then waits for work.
    fn wait(&mut self) {
        let mut now = self.now();
        let next = self.round_start + self.tick;
        if self.busy && next > now {
            std::thread::sleep(next - now);
            now = self.now();
            self.measure_lag(next, now);
        }
        let deadline = self.relay.poll_timeout().map(|(at, _)| at);
        let timeout = if !self.again.is_empty() || (self.orders_left && !self.outbox.is_stuck()) {
            Some(Duration::ZERO)
        } else if self.outbox.is_stuck() {
            Some(deadline.map_or(RETRY, |at| (at - now).min(RETRY)))
        } else {
            deadline.map(|at| at - now)
        };
        self.ready.clear();
        if self.epoll.wait(timeout, &mut self.ready).is_err() {
            // The set itself is ours and open: nothing that waiting could mend. Do not spin.
            std::thread::sleep(RETRY);
        }
        if let Some(at) = deadline.filter(|_| self.ready.is_empty() && timeout > Some(Duration::ZERO)) {
            self.measure_lag(at, self.now());
        }
    }

    fn measure_lag(&self, planned: Instant, now: Instant) {
        let lag = now - planned;
        self.counters.lag_us_max.raise_to(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX));
        if lag > LATE {
            self.counters.rounds_late.add(1);
        }
    }

    fn round(&mut self) {
        let now = self.now();
        self.round_start = now;
        self.counters.rounds.add(1);
        self.busy = !self.ready.is_empty() || !self.again.is_empty();
        if self.ready.contains(&BELL) {
            self.inbox.wake.heard();
            self.orders_left = true;
            // More commands follow soon: those of one call come within a millisecond of each other.
            self.busy = true;
        }
        if self.orders_left {
            self.take_orders(now);
        }
        self.drain_sockets(now);
        if self.relay.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.busy = true;
            self.relay.handle_timeout(now, &mut self.sockets);
        }
        self.sockets.flush();
        self.sockets.watch(&self.epoll);
        self.report();
        self.relay_totals.publish(self.relay.counters(), &self.counters);
        self.outbox.finish_round();
        self.count_processor_time();
    }

    fn count_processor_time(&mut self) {
        self.rounds_to_cpu_reading = match self.rounds_to_cpu_reading.checked_sub(1) {
            Some(left) => left,
            None => {
                let used = net::thread_cpu_time().as_micros();
                self.counters.cpu_us.set(u64::try_from(used).unwrap_or(u64::MAX));
                ROUNDS_PER_CPU_READING
            }
        };
    }

    fn take_orders(&mut self, now: Instant) {
        for _ in 0..ORDERS_PER_ROUND {
            if self.outbox.is_stuck() {
                return;
            }
            let Some(order) = self.inbox.pop() else {
                self.orders_left = false;
                return;
            };
            self.counters.commands.add(1);
            match order {
                Order::Media(command) => self.obey(now, command),
                #[cfg(test)]
                Order::Panic(None) => panic!("as ordered"),
                #[cfg(test)]
                Order::Panic(leg) => self.trap = leg,
            }
        }
    }

    fn obey(&mut self, now: Instant, command: Command) {
        match command {
            Command::AddLeg { leg, port, local } => self.add_leg(now, leg, SocketAddr::new(local, port)),
            Command::SetRemote { leg, ref negotiated, .. } => {
                let muxed = negotiated.rtcp_mux || negotiated.remote_rtcp == negotiated.remote;
                self.sockets.resignalled(leg, muxed);
                self.relay.handle(now, command);
            }
            command => self.relay.handle(now, command),
        }
        // Before the next command: it may want the port of a leg that this one removed.
        self.report();
    }

    fn add_leg(&mut self, now: Instant, leg: LegKey, address: SocketAddr) {
        if self.relay.slot(leg).is_some() {
            return self.refuse(leg, BindFailure::Duplicate);
        }
        let rtp = match self.sockets.bind(address.ip(), address.port()) {
            Ok(rtp) => rtp,
            Err(why) => return self.refuse(leg, why),
        };
        self.relay.handle(now, Command::AddLeg { leg, port: address.port(), local: address.ip() });
        // Without a slot the relay has refused the leg, and says so itself.
        if let Some(slot) = self.relay.slot(leg) {
            if self.sockets.insert(leg, slot, address, rtp, &self.epoll).is_err() {
                // Out of kernel memory for watches: the leg ends as it began.
                self.relay.handle(now, Command::RemoveLeg { leg });
            }
            self.counters.legs.set(self.sockets.len() as u64);
        }
    }

    fn refuse(&mut self, leg: LegKey, why: BindFailure) {
        self.counters.binds_failed.add(1);
        self.tell(Event::BindFailed { leg, why });
    }

    fn drain_sockets(&mut self, now: Instant) {
        self.ready.append(&mut self.again);
        let mut next = 0;
        while let Some(&token) = self.ready.get(next) {
            next += 1;
            if token != BELL {
                self.drain(now, token);
            }
        }
        self.ready.clear();
    }

    /// Takes what waits at one socket, at most [`BATCH_MAX`] datagrams.
    fn drain(&mut self, now: Instant, token: Token) {
        let (index, channel) = untoken(token);
        let Some((leg, slot, socket)) = self.sockets.get(index, channel) else { return };
        let received = self.batch.receive(socket);
        self.counters.receives.add(1);
        let count = match received {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => {
                // An ICMP error about something we sent. Reading it cleared it; packets may be behind it.
                self.counters.icmp_errors.add(1);
                self.again.push(token);
                return;
            }
        };
        if count == BATCH_MAX {
            self.counters.rounds_flooded.add(1);
            self.again.push(token);
        }
        self.current = Some(leg);
        self.sockets.open_rtcp(index);
        self.hand_in(now, slot, channel, count);
        self.current = None;
    }

    fn hand_in(&mut self, now: Instant, slot: Slot, channel: Channel, count: usize) {
        #[cfg(test)]
        assert!(self.trap.is_none() || self.trap != self.current, "as ordered");
        let mut bytes_in = 0;
        for index in 0..count {
            match self.batch.packet(index) {
                Some((from, packet)) => {
                    bytes_in += packet.len() as u64;
                    self.relay.receive(now, slot, channel, from, packet, &mut self.sockets);
                }
                None => self.counters.drops_oversize.add(1),
            }
        }
        self.counters.packets_in.add(count as u64);
        self.counters.bytes_in.add(bytes_in);
    }

    /// After a panic: the leg whose packet did it ends, and the thread goes on. If there is no such leg,
    /// or ending it panics too, every leg of the thread ends.
    fn recover(&mut self) {
        self.counters.panics.add(1);
        self.again.append(&mut self.ready);
        self.busy = true;
        let removed = self.current.take().map(|leg| {
            let now = self.now();
            catch_unwind(AssertUnwindSafe(|| {
                self.relay.handle(now, Command::RemoveLeg { leg });
                self.report();
                if self.sockets.remove(leg) {
                    self.tell(Event::Removed { leg, stats: Box::default() });
                }
            }))
        });
        if !matches!(removed, Some(Ok(()))) {
            self.start_over();
        }
        self.counters.legs.set(self.sockets.len() as u64);
        self.outbox.finish_round();
    }

    fn start_over(&mut self) {
        self.relay_totals.keep(self.relay.counters());
        self.relay = Relay::new(
            RelayConfig { legs_max: self.legs_max, ..RelayConfig::default() },
            self.rng.next_seed(),
        );
        self.again.clear();
        for leg in self.sockets.remove_all() {
            self.tell(Event::Removed { leg, stats: Box::default() });
        }
    }

    /// Hands over what the relay has to say, and does to the sockets what it means for them.
    fn report(&mut self) {
        while let Some(event) = self.relay.poll_output() {
            match event {
                Event::Removed { leg, .. } => {
                    self.sockets.remove(leg);
                    self.counters.legs.set(self.sockets.len() as u64);
                }
                Event::Locked { leg, remote } if self.connect_locked => self.sockets.locked(leg, remote),
                Event::BindFailed { .. } => self.counters.binds_failed.add(1),
                _ => {}
            }
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Event) {
        let told = self.outbox.push(event);
        let counter = if told { &self.counters.events } else { &self.counters.events_lost };
        counter.add(1);
    }
}
