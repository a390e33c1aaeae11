//! Two peers and a clock: endpoints talk over a link whose delay, loss, duplication and reordering
//! are drawn from a seed, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod auth;
mod calls;
mod cancel;
mod early;
mod failover;
mod forks;
mod limits;
mod lossy;
mod refusals;
mod reoffers;
mod session;
mod world;
