//! Non-INVITE server transaction (RFC 3261 §17.2.2).

use bytes::Bytes;

use super::Step;

/// Its states.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    /// The user agent has not answered yet. Repeated requests are dropped.
    Trying,
    /// Answered: repeats the answer until timer J.
    Completed(Bytes),
}

impl Server {
    /// The request came again.
    pub(crate) fn on_request(&self) -> Step {
        match self {
            Server::Trying => Step::Nothing,
            Server::Completed(_) => Step::RepeatOnce,
        }
    }
}
