//! The least that a relay can do: two connected sockets per call, what comes in at one goes out at the
//! other. No parsing, no statistics per leg, no timers. What the switch costs beyond this is its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use worker::net::{BATCH_MAX, Epoll, ReceiveBatch, SendBatch, Socket, SocketOptions, Token};

use crate::rig::Rig;

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

/// A relay without logic.
pub struct NullRelay {
    sockets: Vec<Socket>,
    epoll: Epoll,
    tick: Duration,
    moved: Arc<Moved>,
}

impl NullRelay {
    /// Opens all legs of `rig`. After a wake-up it sleeps out `tick` (zero: wakes for each packet).
    pub fn bind(rig: &Rig, tick: Duration) -> io::Result<NullRelay> {
        let (mut sockets, epoll) = (Vec::new(), Epoll::new()?);
        for leg in rig.legs() {
            let socket = Socket::bind(rig.relay(leg), &SocketOptions::default())?;
            socket.connect(rig.generator(leg))?;
            epoll.add(&socket, Token(u64::from(leg)))?;
            sockets.push(socket);
        }
        Ok(NullRelay { sockets, epoll, tick, moved: Arc::default() })
    }

    /// Its counters, for another thread.
    pub fn moved(&self) -> Arc<Moved> {
        Arc::clone(&self.moved)
    }

    /// Relays until `stop`.
    pub fn run(mut self, stop: &AtomicBool) -> io::Result<()> {
        let (mut inward, mut outward) = (ReceiveBatch::default(), SendBatch::default());
        let mut ready = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            ready.clear();
            self.epoll.wait(Some(Duration::from_millis(100)), &mut ready)?;
            let began = Instant::now();
            self.moved.rounds.fetch_add(1, Ordering::Relaxed);
            for &Token(leg) in &ready {
                self.pass(usize::try_from(leg).unwrap_or(0), &mut inward, &mut outward);
            }
            if !self.tick.is_zero() && !ready.is_empty() {
                std::thread::sleep(self.tick.saturating_sub(began.elapsed()));
            }
        }
        Ok(())
    }

    fn pass(&self, leg: usize, inward: &mut ReceiveBatch, outward: &mut SendBatch) {
        let (Some(from), Some(to)) = (self.sockets.get(leg), self.sockets.get(leg ^ 1)) else { return };
        let mut count = BATCH_MAX;
        while count == BATCH_MAX {
            count = inward.receive(from).unwrap_or(0);
            for index in 0..count {
                if let Some((_, packet)) = inward.packet(index) {
                    outward.push(None, packet, &[]);
                }
            }
            let sent = outward.flush(to);
            self.moved.packets_in.fetch_add(count as u64, Ordering::Relaxed);
            self.moved.packets_out.fetch_add(sent.packets, Ordering::Relaxed);
        }
    }
}
