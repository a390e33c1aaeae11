//! INVITE client transaction (RFC 3261 §17.1.1 with RFC 6026).

use core::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::Step;
use crate::endpoint::{Flow, Letter};

/// Its states.
#[derive(Clone, Debug)]
pub(crate) enum InviteClient {
    /// Sent: timer A repeats it, B gives up.
    Calling { interval: Duration },
    /// A provisional response came.
    Proceeding,
    /// 3xx-6xx came: its ACK is sent again whenever it comes again, until timer D.
    Completed { ack: Bytes },
    /// 2xx came (RFC 6026 §7.2): every 2xx is news or repetition by its To tag, until timer M.
    Accepted { acks: SmallVec<[Acked; 1]> },
}

/// A 2xx that has its ACK (RFC 3261 §13.2.2.4: sent again when the 2xx comes again).
#[derive(Clone, Debug)]
pub(crate) struct Acked {
    pub(crate) tag: Bytes,
    pub(crate) ack: Bytes,
    pub(crate) flow: Flow,
}

/// Branches of a fork whose 2xx we remember; later ones are ended all the same but their ACK is
/// then made anew each time.
pub(crate) const FORKS_MAX: usize = 8;

impl InviteClient {
    /// A response. `Step::Up`: it is news. `Step::RepeatOnce`: send the stored ACK again.
    pub(crate) fn on_response(&mut self, code: u16) -> Step {
        match (&*self, code) {
            (InviteClient::Calling { .. } | InviteClient::Proceeding, ..200) => {
                *self = InviteClient::Proceeding;
                Step::Up
            }
            (InviteClient::Calling { .. } | InviteClient::Proceeding, 200..300) => {
                *self = InviteClient::Accepted { acks: SmallVec::new() };
                Step::Up
            }
            // The layer stores the ACK.
            (InviteClient::Calling { .. } | InviteClient::Proceeding, _) => {
                *self = InviteClient::Completed { ack: Bytes::new() };
                Step::Up
            }
            (InviteClient::Completed { .. }, 300..) => Step::RepeatOnce,
            (InviteClient::Accepted { .. }, 200..300) => Step::Up,
            _ => Step::Nothing,
        }
    }

    /// A timer ran out.
    pub(crate) fn on_timer(&mut self, letter: Letter) -> Step {
        match (self, letter) {
            (InviteClient::Calling { interval }, Letter::A) => {
                *interval = interval.saturating_mul(2);
                Step::Repeat(*interval)
            }
            (InviteClient::Calling { .. }, Letter::B) => Step::TimedOut,
            (InviteClient::Completed { .. }, Letter::D) | (InviteClient::Accepted { .. }, Letter::M) => {
                Step::Done
            }
            _ => Step::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timer_a_doubles_and_stops_at_a_provisional_response() {
        let mut machine = InviteClient::Calling { interval: Duration::from_millis(500) };
        assert_eq!(machine.on_timer(Letter::A), Step::Repeat(Duration::from_secs(1)));
        assert_eq!(machine.on_timer(Letter::A), Step::Repeat(Duration::from_secs(2)));
        assert_eq!(machine.on_response(180), Step::Up);
        assert_eq!(machine.on_timer(Letter::A), Step::Nothing);
        assert_eq!(machine.on_timer(Letter::B), Step::Nothing);
        assert_eq!(machine.on_response(200), Step::Up);
        assert_eq!(machine.on_response(180), Step::Nothing);
        assert_eq!(machine.on_response(200), Step::Up);
        assert_eq!(machine.on_response(486), Step::Nothing);
        assert_eq!(machine.on_timer(Letter::M), Step::Done);
    }

    #[test]
    fn a_repeated_refusal_gets_its_ack_again() {
        let mut machine = InviteClient::Proceeding;
        assert_eq!(machine.on_response(486), Step::Up);
        assert_eq!(machine.on_response(486), Step::RepeatOnce);
        assert_eq!(machine.on_response(200), Step::Nothing);
        assert_eq!(machine.on_timer(Letter::D), Step::Done);
    }
}
