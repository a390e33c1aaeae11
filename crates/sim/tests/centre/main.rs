//! The promise, proved: the engine in a simulated call centre, held against queueing theory and the published tables
//! of the policies. `make acd-report` draws the same at full size.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it found"
)]

mod invariance;
mod promise;
mod statistics;
mod table;
