//! At load the wake-up is what a SIP message costs, not its handling: several messages that a short rest
//! lets gather cost one wake-up.

use std::time::{Duration, Instant};

/// Rests when the wake-ups come thick, and only then: a lone call is never held up.
#[derive(Debug)]
pub struct Pace {
    rest: Duration,
    last: Instant,
}

impl Pace {
    /// Rests of `coalesce_us` microseconds; 0 = never.
    pub fn new(coalesce_us: u32) -> Self {
        Pace { rest: Duration::from_micros(coalesce_us.into()), last: Instant::now() }
    }

    /// Called when something woke the loop, before it is handled. What else arrives during the rest is
    /// handled in the same round.
    pub fn gather(&mut self) {
        if self.rest.is_zero() {
            return;
        }
        if self.last.elapsed() < self.rest {
            // Not the runtime's sleep: its wheel turns by milliseconds, and nothing else runs on this thread
            // that would be held up by more than this.
            std::thread::sleep(self.rest);
        }
        self.last = Instant::now();
    }
}
