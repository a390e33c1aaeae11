//! The legs whose peers' frames are watched: the map `legs` of the program.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use aya::maps::MapData;

use crate::offload::layout::{Leg, Way};
use crate::offload::shared::Shared;

/// States of an entry. The program looks at whole ones only.
const FREE: u32 = 0;
const TAKEN: u32 = 1;
const WATCHED: u32 = 2;

/// One entry for each port that there is.
const PORTS: usize = 1 << 16;

/// The watched legs, of all threads. Each entry belongs to whoever took it.
#[derive(Debug)]
pub(super) struct Legs(Shared<{ Leg::WORDS }>);

impl Legs {
    /// Those of the program's map.
    pub(super) fn map(map: &MapData) -> io::Result<Legs> {
        Ok(Legs(Shared::map(map, PORTS)?))
    }

    fn state(&self, port: u16) -> Option<&AtomicU32> {
        self.0.get(port.into())?.get(Leg::STATE)
    }

    /// Lets the program note how frames of `peer` come to `local`. `false` if a leg at another address with the same port
    /// is watched, or the two are not of one IP version.
    pub(super) fn watch(&self, local: SocketAddr, peer: SocketAddr) -> bool {
        let (Some(state), Some(leg)) = (self.state(local.port()), Leg::new(local, peer)) else {
            return false;
        };
        if state.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        // The entry is ours, and the program does not look at it before it is whole. What it may still write on behalf of
        // the leg that was here before is its way, which one frame puts right.
        let rest = self.0.get(local.port().into()).into_iter().flatten().zip(leg.words());
        for (at, word) in rest.skip(Leg::STATE + 1) {
            at.store(word, Ordering::Relaxed);
        }
        state.store(WATCHED, Ordering::Release);
        true
    }

    /// How frames get to the peer of the leg at `port`, which is watched, once one of his has come.
    #[inline]
    pub(super) fn way(&self, port: u16) -> Option<Way> {
        self.0.load_settled(port.into()).map(|words| Leg::from_words(words).way()).filter(Way::is_known)
    }

    /// Ends [`Legs::watch`].
    pub(super) fn forget(&self, port: u16) {
        if let Some(state) = self.state(port) {
            state.store(FREE, Ordering::Release);
        }
    }
}
