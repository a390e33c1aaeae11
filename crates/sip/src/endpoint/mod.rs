//! The endpoint: the whole SIP side of the switch as one machine without I/O or clock.
//!
//! [`Endpoint`] routes; what a request means is in `ua/`, one file per kind, what repeats and absorbs
//! it in `transaction/`.

pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod dispatch;
pub(crate) mod event;
pub(crate) mod failure;
mod gate;
pub(crate) mod io;
pub(crate) mod request;

use std::sync::Arc;

use base::{AgentKey, Instant, LegKey, Seed, SeededMap, TrunkKey};

pub use command::{ApiError, Binding, BindingKey, OutTarget, OutgoingInvite, Rejection};
pub use config::{
    Cidr, CidrError, Credentials, EndpointConfig, EndpointLimits, Gateway, Listener, Times, TrunkConfig,
    UserConfig,
};
pub(crate) use counters::Counters;
pub use event::{EndedBy, Event, FailReason, Invite, Peer, Reason, ReasonProtocol, ReferTarget};
pub use io::{Flow, Input, LegTimer, Letter, Output, Protocol, Target, Timer};

use crate::auth::Guard;
use crate::dialog::ByTag;
use crate::registrar::Registrar;
use crate::transaction::{Layer, Up};
use crate::ua::leg::Leg;
use gate::Gate;

/// Transactions, dialogs, registrar and user agent of one switch.
///
/// Drive it as every machine here: [`handle`](Endpoint::handle) what happens,
/// [`handle_timeout`](Endpoint::handle_timeout) at [`poll_timeout`](Endpoint::poll_timeout), and empty
/// [`poll_output`](Endpoint::poll_output) after each.
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) layer: Layer,
    pub(crate) legs: SeededMap<LegKey, Box<Leg>>,
    pub(crate) by_tag: ByTag,
    pub(crate) next_leg: u64,
    pub(crate) registrar: Registrar,
    pub(crate) guard: Guard,
    gate: Gate,
    pub(crate) draining: bool,
    /// No room for anything new, while one message is handled.
    pub(crate) crowded: bool,
    pub(crate) queries: SeededMap<u64, Query>,
    pub(crate) next_query: u64,
    trunks: SeededMap<TrunkKey, usize>,
}

/// What a name is being resolved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// A leg's INVITE.
    Invite(LegKey),
    /// A trunk's OPTIONS.
    Options(TrunkKey),
}

/// How often quiet sources are forgotten.
const SWEEP: core::time::Duration = core::time::Duration::from_secs(10);

impl Endpoint {
    /// An endpoint. Everything random (tags, branches, nonces) comes from `seed`.
    pub fn new(config: EndpointConfig, seed: Seed) -> Self {
        let config = Arc::new(config);
        let mut layer = Layer::new(Arc::clone(&config), seed);
        let mut endpoint = Endpoint {
            legs: SeededMap::with_hasher(layer.rng.next_seed()),
            by_tag: SeededMap::with_hasher(layer.rng.next_seed()),
            next_leg: 1,
            registrar: Registrar::new(layer.rng.next_seed()),
            guard: Guard::new(&mut layer.rng),
            gate: Gate::new(layer.rng.next_seed()),
            draining: false,
            crowded: false,
            queries: SeededMap::with_hasher(layer.rng.next_seed()),
            next_query: 1,
            trunks: SeededMap::with_hasher(layer.rng.next_seed()),
            layer,
        };
        endpoint.adopt(Instant::ZERO, config);
        endpoint
    }

    /// Takes a new configuration. Dialogs, transactions and the contacts of users that remain live on;
    /// contacts of users that are gone end.
    pub fn configure(&mut self, now: Instant, config: EndpointConfig) {
        for trunk in &Arc::clone(&self.layer.config).trunks {
            self.layer.timers.cancel(Timer::Options(trunk.key));
        }
        self.adopt(now, Arc::new(config));
    }

    fn adopt(&mut self, now: Instant, config: Arc<EndpointConfig>) {
        self.layer.config = Arc::clone(&config);
        self.guard.configure(&config);
        self.trunks.clear();
        for (index, trunk) in config.trunks.iter().enumerate() {
            self.trunks.insert(trunk.key, index);
            if trunk.gateway.is_some() && trunk.options_interval.is_some() {
                self.layer.timers.set(Timer::Options(trunk.key), now);
            }
        }
        self.drop_strangers(now);
        self.layer.timers.set(Timer::Sweep, now + SWEEP);
        if !config.times.keepalive.is_zero() && self.layer.timers.get(Timer::Keepalive).is_none() {
            self.layer.timers.set(Timer::Keepalive, now + config.times.keepalive);
        }
    }

    /// What happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { flow, bytes } => self.received(now, flow, bytes),
            Input::Crowded { flow, bytes } => {
                self.crowded = true;
                self.received(now, flow, bytes);
                self.crowded = false;
            }
            Input::Closed { flow } | Input::SendFailed { flow } => self.way_failed(now, &flow),
            Input::Resolved { query, targets } => self.resolved(now, query, targets),
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, timer)) = self.layer.timers.pop_expired(now) {
            match timer {
                Timer::Client { letter, transaction } => {
                    if let Some(up) = self.layer.client_timer(now, letter, transaction) {
                        self.on_failure(now, up);
                    }
                }
                Timer::Server { letter, transaction } => self.layer.server_timer(now, letter, transaction),
                Timer::Leg { what, leg } => self.leg_timer(now, what, leg),
                Timer::Binding(key) => self.binding_expired(now, BindingKey(key)),
                Timer::Keepalive => self.keep_alive(now),
                Timer::Options(trunk) => self.ask_options(now, trunk),
                Timer::Sweep => {
                    self.gate.sweep(now);
                    self.guard.sweep(now);
                    self.layer.timers.set(Timer::Sweep, now + SWEEP);
                }
            }
        }
    }

    /// What the driver must do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.layer.outputs.pop_front()
    }

    /// When `handle_timeout` must be called, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.layer.timers.next()
    }

    /// Counts since the endpoint was made.
    pub fn counters(&self) -> &Counters {
        &self.layer.counters
    }

    /// While draining new INVITEs get 503 with Retry-After, OPTIONS 503.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Legs that live.
    pub fn legs_len(&self) -> usize {
        self.legs.len()
    }

    /// Server and client transactions that live.
    pub fn transactions_len(&self) -> (usize, usize) {
        self.layer.live()
    }

    /// The trunk whose source blocks hold `ip`.
    pub fn trunk_from(&self, ip: core::net::IpAddr) -> Option<TrunkKey> {
        self.trunk_at(ip).map(|trunk| trunk.key)
    }

    /// Whether an agent's phone is registered at this address.
    pub fn is_phone(&self, remote: core::net::SocketAddr) -> bool {
        self.registrar.is_registered_at(remote)
    }

    /// An agent's contacts, best first (q, then newest).
    pub fn bindings(&self, agent: AgentKey) -> &[Binding] {
        self.registrar.bindings(agent)
    }

    /// The configuration of a trunk.
    pub(crate) fn trunk(&self, key: TrunkKey) -> Option<&TrunkConfig> {
        self.layer.config.trunks.get(*self.trunks.get(&key)?)
    }

    /// Ends a leg: nothing about it is left.
    pub(crate) fn release(&mut self, leg: LegKey) {
        let Some(ended) = self.legs.remove(&leg) else { return };
        self.by_tag.remove(&ended.dialog.local_tag);
        for what in LegTimer::ALL {
            self.layer.timers.cancel(Timer::Leg { what, leg });
        }
        self.layer.counters.legs_ended += 1;
        self.layer.event(Event::Released { leg });
    }

    pub(crate) fn set_leg_timer(&mut self, leg: LegKey, what: LegTimer, at: Instant) {
        self.layer.timers.set(Timer::Leg { what, leg }, at);
    }

    pub(crate) fn cancel_leg_timer(&mut self, leg: LegKey, what: LegTimer) {
        self.layer.timers.cancel(Timer::Leg { what, leg });
    }

    /// A transport error or a timeout of a request of ours.
    pub(crate) fn on_failure(&mut self, now: Instant, up: Up) {
        if let Up::Failed { transaction, why } = up {
            self.request_failed(now, *transaction, why);
        }
    }
}
