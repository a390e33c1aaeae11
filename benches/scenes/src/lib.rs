//! The hot paths, set up to be measured. The benches measure their time, the program `count` their
//! instructions; both run the same scenes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that goes wrong must stop"
)]

pub mod acd;
pub mod media;
pub mod sip;
