//! The transaction layer (RFC 3261 §17, RFC 6026): repeats what a datagram may lose, absorbs what
//! arrives twice, and tells the user agent each thing once.
//!
//! The machines themselves are small enums, one file each: [`server`], [`invite_server`],
//! [`client`], [`invite_client`]. [`Layer`] owns them, their timers and the way out.

pub(crate) mod client;
pub(crate) mod invite_client;
pub(crate) mod invite_server;
mod layer;
mod requests;
mod responses;
pub(crate) mod server;
pub(crate) mod template;

pub(crate) use layer::Layer;
pub(crate) use requests::{ClientTransaction, Hop, Purpose, Up};
pub(crate) use responses::Answer;
pub(crate) use template::Template;

use core::time::Duration;

/// What a machine wants done after a step. One step never wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Nothing,
    /// Send the stored message again and set the timer again.
    Repeat(Duration),
    /// Send the stored message again.
    RepeatOnce,
    /// Pass it up.
    Up,
    /// It timed out: tell the user agent and forget the transaction.
    TimedOut,
    /// Forget the transaction.
    Done,
}
