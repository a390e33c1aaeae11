//! INVITE server transaction (RFC 3261 §17.2.1 with RFC 6026).

use core::time::Duration;

use bytes::Bytes;

use super::Step;
use crate::endpoint::Letter;

/// Its states.
#[derive(Clone, Debug)]
pub(crate) enum InviteServer {
    /// No final response yet; holds the last provisional one; empty while even 100 is to come.
    Proceeding(Bytes),
    /// 3xx-6xx sent: timer G repeats it, H gives up, ACK ends it.
    Completed { response: Bytes, interval: Duration },
    /// ACK received: timer I absorbs its repetitions.
    Confirmed,
    /// 2xx sent (RFC 6026 §7.1): the user agent repeats it; repeated INVITEs are absorbed until L.
    Accepted,
}

impl InviteServer {
    /// The INVITE came again.
    pub(crate) fn on_invite(&self) -> Step {
        match self {
            InviteServer::Proceeding(_) | InviteServer::Completed { .. } => Step::RepeatOnce,
            InviteServer::Confirmed | InviteServer::Accepted => Step::Nothing,
        }
    }

    /// ACK for a response other than 2xx. `Step::Up` means: it was new, start timer I.
    pub(crate) fn on_ack(&mut self) -> Step {
        match self {
            InviteServer::Completed { .. } => {
                *self = InviteServer::Confirmed;
                Step::Up
            }
            _ => Step::Nothing,
        }
    }

    /// A timer ran out. Timer G doubles up to T2.
    pub(crate) fn on_timer(&mut self, letter: Letter, t2: Duration) -> Step {
        match (self, letter) {
            (InviteServer::Completed { interval, .. }, Letter::G) => {
                *interval = interval.saturating_mul(2).min(t2);
                Step::Repeat(*interval)
            }
            (InviteServer::Completed { .. }, Letter::H)
            | (InviteServer::Confirmed, Letter::I)
            | (InviteServer::Accepted, Letter::L) => Step::Done,
            (InviteServer::Proceeding(last), Letter::Trying) if last.is_empty() => Step::RepeatOnce,
            _ => Step::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timer_g_doubles_up_to_t2_and_stops_at_the_ack() {
        let t2 = Duration::from_secs(4);
        let mut machine =
            InviteServer::Completed { response: Bytes::new(), interval: Duration::from_millis(500) };
        let mut waits = Vec::new();
        for _ in 0..5 {
            if let Step::Repeat(wait) = machine.on_timer(Letter::G, t2) {
                waits.push(wait.as_millis());
            }
        }
        assert_eq!(waits, [1000, 2000, 4000, 4000, 4000]);
        assert_eq!(machine.on_ack(), Step::Up);
        assert_eq!(machine.on_ack(), Step::Nothing);
        assert_eq!(machine.on_timer(Letter::G, t2), Step::Nothing);
        assert_eq!(machine.on_timer(Letter::I, t2), Step::Done);
    }
}
