//! Which flow a packet is of: the program's chains of flows by port, changed while it reads them, without system calls.
//!
//! All threads link their flows into the same chains, since two may have the same port at different addresses. So
//! linking takes a lock. It is taken when a bridge comes or goes, for a few words; packets never wait for it. The
//! program takes none: it must find every published flow at any moment, and must not come upon one that is being
//! written. Therefore a flow is written whole before the one word that publishes it; one that is withdrawn keeps its
//! own link, so that who stands on it goes on to the rest of the chain; and its place is not written again before
//! everybody has left it (`super::places`).

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::maps::MapData;

use super::layout::Flow;
use super::shared::Shared;

/// Flows of one port at most: `CHAIN_MAX` of the program, which looks no further.
pub(super) const CHAIN_MAX: usize = 16;
/// Ports.
const PORTS: usize = 1 << 16;

/// The maps `by_port` and `flows`.
#[derive(Debug)]
pub(super) struct Directory {
    first: Shared<1>,
    flows: Shared<{ Flow::WORDS }>,
    /// Held by who changes a link.
    links: Mutex<()>,
}

impl Directory {
    /// The directory in these maps; there are places for `length` flows.
    pub(super) fn map(by_port: &MapData, flows: &MapData, length: usize) -> io::Result<Self> {
        let (first, flows) = (Shared::map(by_port, PORTS)?, Shared::map(flows, length)?);
        Ok(Directory { first, flows, links: Mutex::new(()) })
    }

    /// Writes the flow at the caller's `place`, which is in no chain and has rested: the program does not come upon it.
    pub(super) fn write(&self, place: u32, flow: Flow) {
        self.flows.store(place, flow.words());
    }

    /// Lets the program find the flow at `place` for packets to `port`; `false` if it has too many of that port.
    pub(super) fn publish(&self, port: u16, place: u32) -> bool {
        let _links = self.lock();
        let Some(first) = self.first(port) else { return false };
        let newest = first.load(Ordering::Relaxed);
        let chain = std::iter::successors(Some(first), |link| self.next(link.load(Ordering::Relaxed)));
        // As many links as flows, and the last one, which leads nowhere.
        if chain.take(CHAIN_MAX + 1).count() > CHAIN_MAX {
            return false;
        }
        let Some(next) = self.next(place) else { return false };
        next.store(newest, Ordering::Relaxed);
        // Whoever sees this link sees the flow, and the link in it. The program's reads
        // are in order too: each needs the one before it for its address.
        first.store(place, Ordering::Release);
        true
    }

    /// Hides the flow at `place` again, if it is there. Who has just come upon it may read it for a while yet.
    pub(super) fn withdraw(&self, port: u16, place: u32) {
        let _links = self.lock();
        let chain = std::iter::successors(self.first(port), |link| self.next(link.load(Ordering::Relaxed)));
        for link in chain.take(CHAIN_MAX) {
            if link.load(Ordering::Relaxed) == place {
                let next = self.next(place).map_or(0, |next| next.load(Ordering::Relaxed));
                link.store(next, Ordering::Release);
                return;
            }
        }
    }

    /// The places of the chain of `port`.
    #[cfg(test)]
    pub(super) fn chain(&self, port: u16) -> Vec<u32> {
        let link = self.first(port).unwrap().load(Ordering::Relaxed);
        std::iter::successors(Some(link).filter(|&link| link != 0), |&place| self.link(place)).collect()
    }

    /// Where the flow at `place` leads to.
    #[cfg(test)]
    pub(super) fn link(&self, place: u32) -> Option<u32> {
        Some(self.next(place)?.load(Ordering::Relaxed)).filter(|&next| next != 0)
    }

    fn first(&self, port: u16) -> Option<&AtomicU32> {
        self.first.get(u32::from(port)).map(|[first]| first)
    }

    /// The link in the flow at `place`; place 0 is nobody's.
    fn next(&self, place: u32) -> Option<&AtomicU32> {
        self.flows.get(place).filter(|_| place != 0)?.get(Flow::NEXT)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // Every change is one store, so a thread that panicked left nothing half done.
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
