//! Counts of what passed and of what was dropped, and why.

use crate::message::Method;

/// Monotonic counts since the endpoint was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests received, by [`method_index`].
    pub requests_in: [u64; METHODS],
    /// Requests sent, by [`method_index`]; retransmissions are in `retransmits_out`.
    pub requests_out: [u64; METHODS],
    /// Responses received, by class: index 1 is 1xx.
    pub responses_in: [u64; 7],
    /// Responses sent, by class.
    pub responses_out: [u64; 7],
    /// Retransmissions received and absorbed.
    pub retransmits_in: u64,
    /// Retransmissions sent.
    pub retransmits_out: u64,
    /// Why something was dropped or refused by a limit.
    pub dropped: Dropped,
    /// Legs that ended.
    pub legs_ended: u64,
    /// Legs that began.
    pub legs_begun: u64,
    /// Client transactions that timed out.
    pub timeouts: u64,
    /// Times another target was tried (RFC 3263 §4.3).
    pub failovers: u64,
}

/// What was dropped or refused by a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Not a message and not answerable.
    pub malformed: u64,
    /// Malformed, answered with 400, 413, 416 or 505.
    pub malformed_answered: u64,
    /// Response that matches no transaction of ours.
    pub stray_responses: u64,
    /// ACK that matches nothing.
    pub stray_acks: u64,
    /// From a source that is no trunk and no user of ours: 403.
    pub unknown_source: u64,
    /// Above the rate of its source: 503.
    pub rate_limited: u64,
    /// Far above the rate of its source: silence.
    pub flooded: u64,
    /// Too many transactions in all.
    pub transactions_full: u64,
    /// Too many transactions of one source.
    pub source_full: u64,
    /// Too many legs: 503.
    pub legs_full: u64,
    /// Too many contacts: 403.
    pub contacts_full: u64,
    /// Wrong credentials.
    pub auth_failed: u64,
    /// Credentials used again.
    pub auth_replayed: u64,
    /// A source that guessed too often hears nothing.
    pub guesses_silenced: u64,
    /// New calls and registrations refused because more came than could be served in time: 503.
    pub crowded: u64,
    /// Refused while draining: 503.
    pub draining: u64,
    /// Merged requests: 482.
    pub merged: u64,
    /// Challenges of trunks that were not answered: another realm, no credentials, too many.
    pub challenges_refused: u64,
    /// Printing a message failed (a value held CR or LF): an error of ours.
    pub unprintable: u64,
}

/// How many rows the method tables have.
pub const METHODS: usize = 15;

/// Names of the rows, for metrics.
pub const METHOD_NAMES: [&str; METHODS] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "MESSAGE",
    "PUBLISH",
    "other",
];

/// The row of a method.
pub fn method_index(method: &Method) -> usize {
    let name = method.as_bytes();
    METHOD_NAMES.iter().position(|row| row.as_bytes() == name).unwrap_or(METHODS - 1)
}
