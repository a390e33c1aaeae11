//! One media thread's engine.

mod command;
mod stats;

use core::net::SocketAddr;

use base::{Instant, LegKey, Seed};

pub use command::{BindFailure, Command, Event};
pub use stats::{Counters, LegStats};

/// Keys that may wait to be sent on one leg.
pub const DIGITS_MAX: usize = 64;

/// How a relay is built.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Legs it may have; more are refused with [`BindFailure::TooManyLegs`].
    pub legs_max: usize,
}

impl Default for RelayConfig {
    fn default() -> Self {
        RelayConfig { legs_max: 20_000 }
    }
}

/// A leg's place in the relay: what the driver keeps beside the leg's sockets. One that outlived its
/// leg is recognised and does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Slot {
    index: u32,
    generation: u32,
}

impl Slot {
    /// Below `legs_max`, dense: an index for a driver's own table.
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// Which of a leg's two ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// RTP, and RTCP too when muxed.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// Where packets leave.
pub trait Sink {
    /// Sends `header` followed by `payload` from the leg's socket to `to`. Must copy or send before it returns.
    fn send(&mut self, slot: Slot, channel: Channel, to: SocketAddr, header: &[u8], payload: &[u8]);
}

/// What a deadline of the relay is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// The next packets of prompts, silence, keys; reports; timeouts.
    Tick,
}

/// The legs of one media thread. See the module's text.
#[derive(Debug)]
pub struct Relay {
    counters: Counters,
}

impl Relay {
    /// An empty relay. SSRCs, first sequence numbers and timestamps come from `seed`.
    pub fn new(_config: RelayConfig, _seed: Seed) -> Self {
        Relay { counters: Counters::default() }
    }

    /// Obeys a command. The driver binds the sockets of an `AddLeg` before, asks [`Relay::slot`] after,
    /// and closes the sockets at [`Event::Removed`] or [`Event::BindFailed`].
    pub fn handle(&mut self, _now: Instant, _command: Command) {}

    /// A packet arrived on a leg's socket. Allocates nothing, never logs. `packet` may be changed.
    pub fn receive(
        &mut self,
        _now: Instant,
        _slot: Slot,
        _channel: Channel,
        _from: SocketAddr,
        _packet: &mut [u8],
        _out: &mut impl Sink,
    ) {
    }

    /// Sends what is due at `now`.
    pub fn handle_timeout(&mut self, _now: Instant, _out: &mut impl Sink) {}

    /// The next thing that happened.
    pub fn poll_output(&mut self) -> Option<Event> {
        None
    }

    /// When [`Relay::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }

    /// Where `leg` is.
    pub fn slot(&self, _leg: LegKey) -> Option<Slot> {
        None
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}
