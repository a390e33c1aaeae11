//! What user space sends, past the sockets (`AF_XDP`): prompts, music, and everything else that is not carried in the
//! kernel. Five sixths of what a packet costs is the kernel's UDP and IP, whatever the system call; here the frame is put
//! together by us and handed to the network card.
//!
//! The way to a peer is that of his own frames, which the program notes (`struct leg`). Who has not spoken yet, speaks by
//! another card, or has too much waiting, is served by his socket.

mod frame;
mod legs;
#[cfg(test)]
mod tests;
mod xsk;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aya::maps::MapData;

use crate::net::Sent;

use frame::{Addresses, HEADERS_MAX};
use legs::Legs;
use xsk::Xsk;

/// The longest datagram that leaves here: every Ethernet carries it.
const DATAGRAM_MAX: usize = 1500 - HEADERS_MAX;

/// How often a queue that is taken is asked for, and how far apart: one second in all.
const OPEN_TRIES: u32 = 20;
const OPEN_AGAIN: Duration = Duration::from_millis(50);

/// A thread's way past the sockets.
#[derive(Debug)]
pub(crate) struct Transmit {
    legs: Legs,
    cards: Vec<Card>,
    traffic_class: u8,
}

/// A network card and the thread's queue there.
#[derive(Debug)]
struct Card {
    ifindex: u32,
    xsk: Xsk,
}

/// A card by which a thread cannot send past the sockets, and why.
#[derive(Debug)]
pub struct NoTransmit {
    interface: String,
    worker: usize,
    error: io::Error,
}

impl fmt::Display for NoTransmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NoTransmit { interface, worker, error } = self;
        let why = match error.raw_os_error() {
            Some(libc::EPERM) => "the process needs the capability CAP_NET_RAW".to_owned(),
            Some(libc::EINVAL) => format!("the card has no queue {worker}"),
            Some(libc::EBUSY) => format!("another program has queue {worker}"),
            Some(libc::ENOBUFS) => "the process may not lock so much memory (LimitMEMLOCK)".to_owned(),
            Some(libc::EAFNOSUPPORT) => "the kernel has no AF_XDP".to_owned(),
            _ => error.to_string(),
        };
        write!(f, "media thread {worker} sends by sockets on {interface}: {why}")
    }
}

/// Opens a queue. The kernel lets go of that of a process that has just ended a moment after it, so a queue that is
/// taken is asked for again.
fn open_free(ifindex: u32, queue: u32) -> io::Result<Xsk> {
    for _ in 0..OPEN_TRIES {
        match Xsk::open(ifindex, queue) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => std::thread::sleep(OPEN_AGAIN),
            done => return done,
        }
    }
    Xsk::open(ifindex, queue)
}

impl Transmit {
    /// Opens queue `worker` of every one of `interfaces` (name and number) that lets it, and says of which it could not.
    /// `legs` is the program's map of that name.
    pub(super) fn open(
        legs: &MapData,
        interfaces: &[(String, u32)],
        worker: usize,
        traffic_class: u8,
    ) -> io::Result<(Transmit, Vec<NoTransmit>)> {
        let mut transmit = Transmit { legs: Legs::map(legs)?, cards: Vec::new(), traffic_class };
        let mut refusals = Vec::new();
        let queue = u32::try_from(worker).unwrap_or(u32::MAX);
        for (interface, ifindex) in interfaces {
            match open_free(*ifindex, queue) {
                Ok(xsk) => transmit.cards.push(Card { ifindex: *ifindex, xsk }),
                Err(error) => refusals.push(NoTransmit { interface: interface.clone(), worker, error }),
            }
        }
        Ok((transmit, refusals))
    }

    /// Lets the way of `peer`'s frames to `local` be noted from now on. `false` if that cannot be.
    pub(crate) fn watch(&mut self, local: SocketAddr, peer: SocketAddr) -> bool {
        !self.cards.is_empty() && self.legs.watch(local, peer)
    }

    /// Ends [`Transmit::watch`] of the leg at `local`.
    pub(crate) fn forget(&mut self, local: SocketAddr) {
        self.legs.forget(local.port());
    }

    /// Sends a datagram made of `header` and `payload` from a watched leg to its peer, on its way after the next
    /// [`Transmit::flush`]. `false` if it must go by socket.
    #[inline]
    pub(crate) fn send(
        &mut self,
        local: SocketAddr,
        peer: SocketAddr,
        header: &[u8],
        payload: &[u8],
    ) -> bool {
        let bytes = header.len().saturating_add(payload.len());
        let Some(way) = self.legs.way(local.port()).filter(|_| bytes <= DATAGRAM_MAX) else { return false };
        let Some(card) = self.cards.iter_mut().find(|card| card.ifindex == way.ifindex()) else {
            return false;
        };
        let addresses = Addresses { local, peer, traffic_class: self.traffic_class };
        card.xsk.push(bytes, |room| frame::write(room, &way, &addresses, header, payload))
    }

    /// Sends what was pushed.
    pub(crate) fn flush(&mut self) {
        self.cards.iter_mut().for_each(|card| card.xsk.flush());
    }

    /// What each card sent since the last call.
    pub(crate) fn tally(&mut self) -> impl Iterator<Item = Sent> + '_ {
        self.cards.iter_mut().map(|card| card.xsk.tally())
    }
}
