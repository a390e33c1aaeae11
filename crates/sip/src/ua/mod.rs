//! The user agent: one file for each kind of request.

pub(crate) mod ack;
pub(crate) mod bye;
pub(crate) mod cancel;
pub(crate) mod dial;
pub(crate) mod dial_answered;
pub(crate) mod early;
pub(crate) mod info;
pub(crate) mod invite;
pub(crate) mod leg;
pub(crate) mod options;
pub(crate) mod prack;
pub(crate) mod print;
pub(crate) mod read;
pub(crate) mod refer;
pub(crate) mod register;
pub(crate) mod reinvite;
pub(crate) mod reoffer;
pub(crate) mod session;
pub(crate) mod timers;
pub(crate) mod update;
