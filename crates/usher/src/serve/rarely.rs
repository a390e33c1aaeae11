//! What may happen often is said at most once a second.

use base::{Duration, Instant};

/// Once a second.
const EVERY: Duration = Duration::from_secs(1);

/// Remembers when it was said last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rarely(Option<Instant>);

impl Rarely {
    /// Whether it may be said again now; then it counts as said.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = self.0.is_none_or(|last| now - last >= EVERY);
        if due {
            self.0 = Some(now);
        }
        due
    }
}
