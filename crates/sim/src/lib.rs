//! The seeded world around the same engines: callers, agents, phones, bad networks, oracles.
//!
//! A [`World`] is a switch with its distributor, a carrier, agents' phones and a network, under a clock
//! that jumps to whatever comes next. Same seed, same world. `cargo run -p sim -- --seed 7` lives one.

pub mod centre;
pub mod chaos;
pub mod digest;
pub mod fault;
pub mod house;
pub mod mischief;
pub mod net;
pub mod oracle;
pub mod phone;
pub mod story;
pub mod text;
pub mod trace;
pub mod voices;
pub mod world;

pub use fault::{Coverage, Fault};
pub use net::Weather;
pub use phone::{Habits, LineState, Manner, Phone};
pub use world::{BackEnd, Directory, World};
