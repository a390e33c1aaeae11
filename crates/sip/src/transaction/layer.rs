//! The tables of transactions, their timers, and the way out.

use core::hash::{BuildHasher, Hash};
use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use base::{Instant, PartedMap, Rng, Seed, SeededMap, Timers};
use bytes::Bytes;

use super::requests::ClientTransaction;
use super::responses::ServerTransaction;
use crate::endpoint::{Counters, EndpointConfig, Event, Flow, Letter, Listener, Output, Protocol, Timer};

/// Below the user agent: transactions, timers, counters, outputs.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) config: Arc<EndpointConfig>,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers<Timer>,
    pub(crate) counters: Counters,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) scratch: Vec<u8>,
    pub(super) servers: PartedMap<u64, ServerTransaction>,
    pub(super) clients: PartedMap<u64, ClientTransaction>,
    /// Unfinished transactions by the address they depend on, for transport errors.
    pub(super) by_remote: BTreeSet<(SocketAddr, Side, u64)>,
    /// INVITEs by what merged requests share (RFC 3261 §8.2.2.2), to their transaction.
    pub(super) merged: PartedMap<u64, u64>,
    per_source: SeededMap<IpAddr, u32>,
    hash: Seed,
}

/// Which table a transaction is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Why a request gets no server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    All,
    Source,
}

impl Layer {
    pub(crate) fn new(config: Arc<EndpointConfig>, seed: Seed) -> Self {
        let mut rng = Rng::new(seed);
        Layer {
            config,
            timers: Timers::new(rng.next_seed()),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            scratch: Vec::with_capacity(2048),
            servers: PartedMap::new(rng.next_seed()),
            clients: PartedMap::new(rng.next_seed()),
            by_remote: BTreeSet::new(),
            merged: PartedMap::new(rng.next_seed()),
            per_source: SeededMap::with_hasher(rng.next_seed()),
            hash: rng.next_seed(),
            rng,
        }
    }

    /// A keyed hash: an attacker who chooses the parts cannot choose the result.
    pub(crate) fn keyed<T: Hash>(&self, parts: T) -> u64 {
        self.hash.hash_one(parts)
    }

    /// Tells the owner.
    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Sends bytes on a flow.
    pub(crate) fn transmit(&mut self, flow: &Flow, bytes: Bytes) {
        self.outputs.push_back(Output::Send {
            protocol: flow.protocol,
            local: Some(flow.local),
            remote: flow.remote,
            connection: flow.connection,
            bytes,
        });
    }

    /// The listener that carries requests of `protocol` to `remote`.
    pub(crate) fn listener(&self, protocol: Protocol, remote: IpAddr) -> Option<&Listener> {
        let fits = |l: &&Listener| l.protocol == protocol && l.local.is_ipv4() == remote.is_ipv4();
        self.config.listeners.iter().find(fits)
    }

    /// The listener of a flow, which names us in Via and Contact: the one it came through, or if
    /// the configuration has changed since, one that fits.
    pub(crate) fn listener_of(&self, flow: &Flow) -> Listener {
        let same = |l: &&Listener| l.protocol == flow.protocol && l.local == flow.local;
        let found = self
            .config
            .listeners
            .iter()
            .find(same)
            .or_else(|| self.listener(flow.protocol, flow.remote.ip()));
        found.cloned().unwrap_or(Listener { protocol: flow.protocol, local: flow.local, advertised: None })
    }

    /// Whether a request from `source` may have a transaction. What may not is counted.
    pub(crate) fn room(&mut self, source: IpAddr) -> Result<(), Full> {
        let full = self.full(source);
        match full {
            Some(Full::All) => self.counters.dropped.transactions_full += 1,
            Some(Full::Source) => self.counters.dropped.source_full += 1,
            None => {}
        }
        full.map_or(Ok(()), Err)
    }

    /// Why a request from `source` may have none.
    pub(crate) fn full(&self, source: IpAddr) -> Option<Full> {
        let limits = &self.config.limits;
        let held = self.per_source.get(&source).copied().unwrap_or(0);
        if self.servers.len() >= limits.transactions_max {
            Some(Full::All)
        } else {
            (held >= limits.transactions_per_source_max).then_some(Full::Source)
        }
    }

    pub(super) fn count_source(&mut self, source: IpAddr) {
        let held = self.per_source.entry(source).or_insert(0);
        *held = held.saturating_add(1);
    }

    pub(super) fn uncount_source(&mut self, source: IpAddr) {
        if let Some(held) = self.per_source.get_mut(&source) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.per_source.remove(&source);
            }
        }
    }

    pub(super) fn set_client(&mut self, letter: Letter, transaction: u64, at: Instant) {
        let at = self.due(letter, at);
        self.timers.set(Timer::Client { letter, transaction }, at);
    }

    pub(super) fn set_server(&mut self, letter: Letter, transaction: u64, at: Instant) {
        let at = self.due(letter, at);
        self.timers.set(Timer::Server { letter, transaction }, at);
    }

    fn due(&self, letter: Letter, at: Instant) -> Instant {
        if letter.only_forgets() { at.rounded_up(self.config.times.forget_grid) } else { at }
    }

    pub(super) fn cancel_client(&mut self, letters: &[Letter], transaction: u64) {
        for &letter in letters {
            self.timers.cancel(Timer::Client { letter, transaction });
        }
    }

    pub(super) fn cancel_server(&mut self, letters: &[Letter], transaction: u64) {
        for &letter in letters {
            self.timers.cancel(Timer::Server { letter, transaction });
        }
    }

    /// Server and client transactions that live.
    pub(crate) fn live(&self) -> (usize, usize) {
        (self.servers.len(), self.clients.len())
    }
}
