//! End-to-end tests: the built `usher` with SIPp as carriers and telephones, baresip as a softphone, and RTP that
//! is listened to. Needs `scripts/install-debian.sh test` and `cargo build -p usher` (`make test` does both).
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod commands;
mod desk;
mod injection;
mod lifecycle;
mod loadtest;
mod messages;
mod offload;
mod people;
mod refusals;
mod sessions;
mod spool;
mod story;
mod transport;
