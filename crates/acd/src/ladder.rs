//! Where a queue stands on the ladder of overload. The rungs themselves are described at
//! [`Ladder`](crate::Ladder); who climbs them is in the engine's own file of that name.

use base::{Duration, Instant};

use crate::config::Ladder;

/// A measure with a threshold for entering, a lower one for leaving, and a time that it holds at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Rung {
    /// Since when it is entered.
    pub(crate) since: Option<Instant>,
}

impl Rung {
    /// Enters when the measure is above 1, leaves when it is below the share and has held long enough. When the
    /// dwelling alone keeps it, returns when that ends.
    pub(crate) fn see(&mut self, now: Instant, measure: f64, ladder: &Ladder) -> Option<Instant> {
        match self.since {
            None if measure > 1.0 => self.since = Some(now),
            Some(since) if measure < ladder.exit_share => {
                let until = since + ladder.dwell;
                if until > now {
                    return Some(until);
                }
                self.since = None;
            }
            None | Some(_) => {}
        }
        None
    }

    pub(crate) const fn is_entered(self) -> bool {
        self.since.is_some()
    }
}

/// A queue's overload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overload {
    /// Per tier: callers are offered a callback.
    pub(crate) offering: Vec<Rung>,
    /// A floor is in danger.
    pub(crate) pressed: Rung,
    /// The floors cannot all be kept.
    pub(crate) infeasible: Rung,
    pub(crate) level: u8,
    /// The queue's reinforcements help.
    pub(crate) reinforced: bool,
    /// When it was last looked at, and when it will be.
    pub(crate) seen: Option<Instant>,
    pub(crate) next: Option<Instant>,
}

impl Overload {
    /// The rung by what is entered.
    pub(crate) fn rung(&self) -> u8 {
        let offered = self.offering.iter().filter(|rung| rung.is_entered()).count();
        if self.infeasible.is_entered() {
            4
        } else if self.pressed.is_entered() {
            3
        } else {
            u8::try_from(offered.min(2)).unwrap_or(2)
        }
    }
}

/// At least so long between two looks at one queue, however many calls come and go.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_is_left_below_its_exit_and_not_before_its_time() {
        let ladder = Ladder::default();
        let mut rung = Rung::default();
        let at = Instant::from_secs;
        rung.see(at(0), 1.0, &ladder);
        assert!(!rung.is_entered());
        rung.see(at(1), 1.1, &ladder);
        assert!(rung.is_entered());
        assert_eq!(rung.see(at(30), 0.5, &ladder), Some(at(61)));
        assert!(rung.is_entered());
        assert_eq!(rung.see(at(90), 0.7, &ladder), None);
        assert!(rung.is_entered(), "not yet below");
        rung.see(at(91), 0.5, &ladder);
        assert!(!rung.is_entered());
    }
}
