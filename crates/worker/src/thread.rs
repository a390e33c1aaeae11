//! One media thread: wait, then carry out commands, drain the sockets, send what is due, report.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant as OsInstant;

use base::{Instant, LegKey, Rng};
use media::relay::BindFailure;
use media::{Command, Event, Relay, RelayConfig};

use crate::counters::{Counters, RelayTotals};
use crate::net::{self, PacketIo, Parcel, Woken};
use crate::offload::{Table, Transmit};
use crate::pool::PoolConfig;
use crate::ring::{Inbox, Order, Outbox};
use crate::sockets::Sockets;
use crate::strain::Strain;

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
    /// Bridges in the kernel, where that is possible.
    table: Option<Table>,
    inbox: Arc<Inbox>,
    outbox: Outbox,
    counters: Arc<Counters>,
    relay_totals: RelayTotals,
    /// What ended the last wait.
    woken: Woken,
    orders_left: bool,
    /// Whether the last round found anything to do.
    busy: bool,
    round_start: Instant,
    rounds_to_cpu_reading: u32,
    /// How late the coming round is.
    lag: Duration,
    strain: Strain,
    /// The packet being handled and its leg: who pays for a panic.
    current: Option<(LegKey, Parcel)>,
    #[cfg(test)]
    trap: Option<LegKey>,
    /// Panics in the middle of recovering from one, to show that it is survived.
    #[cfg(test)]
    is_brittle: bool,
}

/// What is left of a thread that could not be mended: all that another one can begin with.
pub(crate) struct Remains {
    pub(crate) rng: Rng,
    pub(crate) table: Option<Table>,
    pub(crate) transmit: Option<Transmit>,
    pub(crate) outbox: Outbox,
    pub(crate) relay_totals: RelayTotals,
}

impl Remains {
    /// Of a thread that has not lived yet.
    pub(crate) fn fresh(rng: Rng, kernel: Option<(Table, Transmit)>, outbox: Outbox) -> Remains {
        let (table, transmit) = kernel.unzip();
        Remains { rng, table, transmit, outbox, relay_totals: RelayTotals::default() }
    }
}

impl Thread {
    pub(crate) fn new(
        config: &PoolConfig,
        io: Box<dyn PacketIo>,
        remains: Remains,
        inbox: Arc<Inbox>,
        counters: Arc<Counters>,
    ) -> Self {
        let Remains { mut rng, table, transmit, outbox, relay_totals } = remains;
        let relay = Relay::new(relay_config(config.legs_max, table.is_some()), rng.next_seed());
        Thread {
            epoch: config.epoch,
            tick: Duration::from_micros(u64::from(config.coalesce_us)),
            legs_max: config.legs_max,
            connect_locked: config.connect_locked,
            sockets: Sockets::new(io, transmit, config.socket, rng.next_seed(), Arc::clone(&counters)),
            rng,
            relay,
            table,
            inbox,
            outbox,
            counters,
            relay_totals,
            woken: Woken::default(),
            orders_left: false,
            busy: false,
            round_start: Instant::ZERO,
            rounds_to_cpu_reading: 0,
            lag: Duration::ZERO,
            strain: Strain::default(),
            current: None,
            #[cfg(test)]
            trap: None,
            #[cfg(test)]
            is_brittle: false,
        }
    }

    /// The thread's whole life: until it is stopped (`None`), or broken for good. Then all its legs have ended.
    pub(crate) fn live(mut self, cpu: Option<usize>) -> Option<Remains> {
        if let Some(cpu) = cpu {
            // A processor that is not there or not ours: run where the kernel likes.
            let _ = net::pin_to(cpu);
        }
        net::sharpen_timers();
        while !self.inbox.is_stopped() {
            let lived = catch_unwind(AssertUnwindSafe(|| {
                while !self.inbox.is_stopped() {
                    self.wait();
                    self.round();
                }
            }));
            if lived.is_err() && catch_unwind(AssertUnwindSafe(|| self.recover())).is_err() {
                return Some(self.end());
            }
        }
        None
    }

    /// Not even ending its legs one by one could be done: lets everything go as it is, and says of all legs
    /// that they ended.
    fn end(mut self) -> Remains {
        self.counters.panics.add(1);
        self.relay_totals.keep(self.relay.counters());
        for leg in self.sockets.keys() {
            self.tell(Event::Removed { leg, stats: Box::default() });
        }
        self.counters.legs.set(0);
        self.outbox.finish_round();
        let now = self.now();
        let Thread { rng, mut table, outbox, relay_totals, sockets, relay, .. } = self;
        let transmit = catch_unwind(AssertUnwindSafe(|| sockets.end())).unwrap_or(None);
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(relay)));
        let cleared = catch_unwind(AssertUnwindSafe(|| table.iter_mut().for_each(|table| table.clear(now))));
        // What could not be closed or cleared is lost until the process ends; the calls have ended anyway.
        let _ = (dropped, cleared);
        Remains { rng, table, transmit, outbox, relay_totals }
    }

    fn now(&self) -> Instant {
        let since = OsInstant::now().saturating_duration_since(self.epoch);
        Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// When the tick that the last round began in ends. Ticks lie on a grid, as the frames of prompts do: what
    /// leaves on our own account then leaves each time as late after its due time as the time before.
    fn next_tick(&self) -> Instant {
        let tick = u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX);
        match self.round_start.as_nanos().checked_div(tick) {
            Some(ticks) => Instant::from_nanos(ticks.saturating_add(1).saturating_mul(tick)),
            None => self.round_start,
        }
    }

    /// Sleeps out the tick if the last round had work, then waits for work.
    fn wait(&mut self) {
        let mut now = self.now();
        let next = self.next_tick();
        if self.busy && next > now {
            self.sockets.rest(self.epoch + Duration::from_nanos(next.as_nanos()));
            now = self.now();
        }
        if self.busy {
            self.measure_lag(next, now);
        }
        let due = self.relay.poll_timeout().map(|(at, _)| at);
        let deadline = due.into_iter().chain(self.strain.next_look()).min();
        let until = if self.orders_left && !self.outbox.is_stuck() {
            Some(now)
        } else if self.outbox.is_stuck() {
            Some(deadline.map_or(now + RETRY, |at| at.min(now + RETRY)))
        } else {
            deadline
        };
        let os_until = until.map(|at| self.epoch + Duration::from_nanos(at.as_nanos()));
        self.woken = self.sockets.wait(os_until).unwrap_or_else(|_| {
            // What is waited for is ours and open: nothing that waiting could mend. Do not spin.
            std::thread::sleep(RETRY);
            Woken::default()
        });
        if let Some(at) =
            deadline.filter(|_| self.woken == Woken::default() && until.is_some_and(|at| at > now))
        {
            self.measure_lag(at, self.now());
        }
    }

    fn measure_lag(&mut self, planned: Instant, now: Instant) {
        let lag = now - planned;
        self.lag = self.lag.max(lag);
        self.counters.lag_us_max.raise_to(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX));
        if lag > LATE {
            self.counters.rounds_late.add(1);
        }
    }

    fn round(&mut self) {
        let now = self.now();
        self.round_start = now;
        self.counters.rounds.add(1);
        self.busy = self.woken != Woken::default();
        if self.woken.bell {
            self.inbox.wake.heard();
            self.orders_left = true;
            // More commands follow soon: those of one call come within a millisecond of each other.
            self.busy = true;
        }
        if self.orders_left {
            self.take_orders(now);
        }
        self.take_packets(now);
        // What leaves on our own account is no reason to rest: no packet gathers meanwhile.
        if self.relay.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.relay.handle_timeout(now, &mut self.sockets);
            self.carry_out(now);
        }
        self.report();
        self.sockets.count();
        self.relay_totals.publish(self.relay.counters(), &self.counters);
        self.watch_strain(now);
        self.outbox.finish_round();
        self.counters.events_held.set(self.outbox.held() as u64);
        self.count_processor_time();
    }

    /// Says when the thread begins or ends to be late.
    fn watch_strain(&mut self, now: Instant) {
        let counters = &self.counters;
        let dropped = counters.drops_blocked.get().wrapping_add(counters.buffers_exhausted.get());
        self.strain.round(now, std::mem::take(&mut self.lag), dropped);
        counters.commands_waiting.set(self.inbox.len() as u64);
        let late = u64::from(self.strain.is_late());
        if counters.late.get() != late {
            counters.late.set(late);
            self.outbox.wake_reader();
        }
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
                #[cfg(test)]
                Order::Break => {
                    self.is_brittle = true;
                    panic!("as ordered");
                }
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
        self.carry_out(now);
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
            if self.sockets.insert(leg, slot, address, rtp).is_err() {
                // The process has all the files, or the kernel all the memory that it may: the refusal is the
                // leg's only event.
                self.relay.handle(now, Command::RemoveLeg { leg });
                while self.relay.poll_output().is_some() {}
                self.refuse(leg, BindFailure::TooManyLegs);
            }
            self.counters.legs.set(self.sockets.len() as u64);
        }
    }

    fn refuse(&mut self, leg: LegKey, why: BindFailure) {
        self.counters.binds_failed.add(1);
        self.tell(Event::BindFailed { leg, why });
    }

    fn take_packets(&mut self, now: Instant) {
        while let Some(parcel) = self.sockets.io().next() {
            let Some((leg, slot, channel)) = self.sockets.leg(parcel.token) else {
                self.sockets.io().give_back(parcel);
                continue;
            };
            let (_, parcel) = self.current.insert((leg, parcel));
            #[cfg(test)]
            assert!(self.trap != Some(leg), "as ordered");
            if let Some(table) = &mut self.table {
                table.tell(now, slot, &mut self.relay, &mut self.sockets);
            }
            let from = parcel.from;
            self.sockets.open_rtcp(slot);
            self.relay.receive(now, slot, channel, from, parcel.bytes(), &mut self.sockets);
            if let Some(table) = &mut self.table {
                table.carry_out(now, &mut self.relay, &mut self.sockets);
            }
            if let Some((_, parcel)) = self.current.take() {
                self.sockets.io().give_back(parcel);
            }
        }
    }

    /// After a panic: the leg whose packet did it ends, and the thread goes on. If there is no such leg,
    /// or ending it panics too, every leg of the thread ends.
    fn recover(&mut self) {
        self.counters.panics.add(1);
        self.busy = true;
        #[cfg(test)]
        assert!(!self.is_brittle, "as ordered");
        let removed = self.current.take().map(|(leg, parcel)| {
            self.sockets.io().give_back(parcel);
            let now = self.now();
            catch_unwind(AssertUnwindSafe(|| {
                self.relay.handle(now, Command::RemoveLeg { leg });
                self.carry_out(now);
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
        let now = self.now();
        self.relay_totals.keep(self.relay.counters());
        if let Some(table) = &mut self.table {
            table.clear(now);
        }
        let config = relay_config(self.legs_max, self.table.is_some());
        self.relay = Relay::new(config, self.rng.next_seed());
        for leg in self.sockets.remove_all() {
            self.tell(Event::Removed { leg, stats: Box::default() });
        }
    }

    /// Does in the kernel what the relay orders.
    fn carry_out(&mut self, now: Instant) {
        if let Some(table) = &mut self.table {
            table.carry_out(now, &mut self.relay, &mut self.sockets);
            self.counters.offloaded.set(table.len());
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

fn relay_config(legs_max: usize, offload: bool) -> RelayConfig {
    RelayConfig { legs_max, offload, ..RelayConfig::default() }
}
