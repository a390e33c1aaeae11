//! The switch: routes what arrives to the journey it concerns. (Bodies follow.)

use base::{Instant, WallClock};

use crate::message::{Input, Output};
use crate::settings::Settings;

/// What the next deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A SIP timer.
    Sip,
    /// A state of one call ends.
    Call(base::CallKey),
    /// Draining ends.
    Drain,
}

/// Owns the SIP endpoint, the callers' flows, the port table and every journey.
#[derive(Debug)]
pub struct Switch {
    settings: Settings,
}

impl Switch {
    /// A switch. `first` is the first call's key, `wall` the wall time of [`Instant::ZERO`].
    pub fn new(settings: Settings, seed: base::Seed, first: base::CallKey, wall: WallClock) -> Self {
        let _ = (seed, first, wall);
        Switch { settings }
    }
    /// What happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let _ = (now, input, &self.settings);
    }
    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
    /// What to do now.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }
    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }
}
