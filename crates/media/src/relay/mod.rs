//! One media thread's engine: the legs whose packets it relays, fills with prompts, and guards.
//!
//! Every leg sends one RTP stream of one SSRC that never jumps (`outgoing`), whoever feeds it: the leg
//! bridged to it, a prompt, keys, or silence while it is alone. It believes only its peer (`source`).
//! What leaves on our own account leaves on a grid of 20 ms (`wheel`).

mod command;
mod control;
mod ear;
mod incoming;
mod jitter;
mod leg;
mod mix;
mod mouth;
mod offload;
mod outgoing;
mod plain;
mod player;
mod receive;
mod recorder;
mod secure;
mod source;
mod stats;
mod tick;
mod translation;
mod wheel;

use core::net::SocketAddr;
use std::collections::VecDeque;

use base::{Instant, LegKey, MixKey, Rng, Seed, SeededMap};

use leg::Leg;
use mix::Mix;
use wheel::Wheel;

pub use command::{Audience, BindFailure, Command, Event};
pub use mix::{MIX_LEGS_MAX, SPEAKERS_MAX};
pub use offload::{Answer, Carried, Flow, Offload, Pair, Position};
pub use recorder::RECORDING_MAX;
pub use source::PORT_PROBATION;
pub use stats::{Counters, LegStats};

/// Events that may wait for [`Relay::poll_output`]; those that nobody misses are dropped beyond.
pub const EVENTS_MAX: usize = 65_536;
/// Keys that may wait to be sent on one leg.
pub const DIGITS_MAX: usize = 64;

/// How a relay is built.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Legs it may have; more are refused with [`BindFailure::TooManyLegs`].
    pub legs_max: usize,
    /// Bytes that recordings under way may reserve, 8 for each millisecond of their longest; one that
    /// does not fit is refused.
    pub recording_bytes_max: u64,
    /// Whether the driver can carry established bridges in the kernel: [`Relay::poll_offload`].
    pub offload: bool,
}

impl Default for RelayConfig {
    fn default() -> Self {
        RelayConfig { legs_max: 20_000, recording_bytes_max: 128 << 20, offload: false }
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
    config: RelayConfig,
    rng: Rng,
    places: Vec<Place>,
    free: Vec<u32>,
    by_key: SeededMap<LegKey, Slot>,
    wheel: Wheel,
    /// Legs that have just sent the last of something: empty between two ticks.
    ended: Vec<u32>,
    /// Legs that hear each other.
    mixes: Vec<Option<Mix>>,
    by_mix: SeededMap<MixKey, u32>,
    /// Legs whose peer holds a key down, for the end that may never come.
    keys_open: Vec<Slot>,
    /// Legs being recorded, and the bytes that their recordings may take.
    recording: Vec<Slot>,
    recording_bytes: u64,
    events: VecDeque<Event>,
    /// What the driver must do below.
    offloads: VecDeque<Offload>,
    /// Legs whose bridges may go below soon, and when; each once.
    going: VecDeque<(Instant, Slot)>,
    /// Bridges on their way back, and the commands that wait for them.
    ending: u32,
    deferred: VecDeque<Command>,
    counters: Counters,
}

/// One place for a leg, used again and again.
#[derive(Debug)]
struct Place {
    generation: u32,
    leg: Option<Leg>,
}

impl Relay {
    /// An empty relay. SSRCs, first sequence numbers and timestamps come from `seed`.
    pub fn new(config: RelayConfig, seed: Seed) -> Self {
        let mut rng = Rng::new(seed);
        let hasher = rng.next_seed();
        Relay {
            config,
            by_key: SeededMap::with_hasher(hasher),
            by_mix: SeededMap::with_hasher(hasher),
            rng,
            places: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::new(),
            ended: Vec::new(),
            mixes: Vec::new(),
            keys_open: Vec::new(),
            recording: Vec::new(),
            recording_bytes: 0,
            events: VecDeque::new(),
            offloads: VecDeque::new(),
            going: VecDeque::new(),
            ending: 0,
            deferred: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Obeys a command. The driver binds the sockets of an `AddLeg` before, asks [`Relay::slot`] after,
    /// and closes the sockets at [`Event::Removed`] or [`Event::BindFailed`].
    pub fn handle(&mut self, now: Instant, command: Command) {
        if self.defers(&command) {
            self.deferred.push_back(command);
        } else {
            self.obey(now, command);
        }
    }

    /// The next thing that happened.
    pub fn poll_output(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Relay::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        if self.counters.legs == 0 { None } else { Some((self.wheel.next(), Timer::Tick)) }
    }

    /// Where `leg` is.
    pub fn slot(&self, leg: LegKey) -> Option<Slot> {
        self.by_key.get(&leg).copied()
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    #[inline]
    fn leg_mut(&mut self, slot: Slot) -> Option<&mut Leg> {
        let place = self.places.get_mut(slot.index())?;
        if place.generation == slot.generation { place.leg.as_mut() } else { None }
    }

    #[inline]
    fn at_mut(&mut self, index: u32) -> Option<&mut Leg> {
        self.places.get_mut(index as usize)?.leg.as_mut()
    }

    fn emit(&mut self, event: Event) {
        if self.events.len() >= EVENTS_MAX && !event.must_arrive() {
            self.counters.events_dropped = self.counters.events_dropped.saturating_add(1);
            return;
        }
        self.events.push_back(event);
    }
}
