//! The least that a relay can do: two connected sockets per call, what comes in at one goes out at the
//! other. No parsing, no statistics per leg, no timers. What the switch costs beyond this is its own.

mod epoll;
mod uring;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use worker::net::{Socket, SocketOptions};

use crate::rig::Rig;

/// By which system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Epoll, `recvmmsg`, `sendmmsg`.
    Epoll,
    /// `io_uring`: multishot receive, sends from the same buffers.
    Uring,
}

/// What was moved so far.
#[derive(Debug, Default)]
pub struct Moved {
    /// Datagrams received.
    pub packets_in: AtomicU64,
    /// Datagrams sent.
    pub packets_out: AtomicU64,
    /// Wake-ups.
    pub rounds: AtomicU64,
}

impl Moved {
    fn count(&self, packets_in: u64, packets_out: u64) {
        self.packets_in.fetch_add(packets_in, Ordering::Relaxed);
        self.packets_out.fetch_add(packets_out, Ordering::Relaxed);
    }
}

/// A relay without logic.
pub struct NullRelay {
    sockets: Vec<Socket>,
    tick: Duration,
    epoch: Instant,
    moved: Arc<Moved>,
}

impl NullRelay {
    /// Opens all legs of `rig`. After a wake-up it sleeps out `tick` (zero: wakes for each packet).
    pub fn bind(rig: &Rig, tick: Duration) -> io::Result<NullRelay> {
        let mut sockets = Vec::new();
        for leg in rig.legs() {
            let socket = Socket::bind(rig.relay(leg), &SocketOptions::default())?;
            socket.connect(rig.generator(leg))?;
            sockets.push(socket);
        }
        Ok(NullRelay { sockets, tick, epoch: Instant::now(), moved: Arc::default() })
    }

    /// Its counters, for another thread.
    pub fn moved(&self) -> Arc<Moved> {
        Arc::clone(&self.moved)
    }

    /// Relays until `stop`.
    pub fn run(&self, calls: Calls, stop: &AtomicBool) -> io::Result<()> {
        match calls {
            Calls::Epoll => epoll::run(self, stop),
            Calls::Uring => uring::run(self, stop),
        }
    }

    /// When the tick of a round that began at `began` ends. Ticks lie on a grid, as the switch's do.
    fn next_tick(&self, began: Instant) -> Instant {
        let tick = self.tick.as_nanos().max(1);
        let ticks = (began - self.epoch).as_nanos() / tick + 1;
        self.epoch + Duration::from_nanos(u64::try_from(ticks * tick).unwrap_or(u64::MAX))
    }

    /// The leg that is bridged to `leg`.
    fn other(&self, leg: usize) -> Option<&Socket> {
        self.sockets.get(leg ^ 1)
    }
}
