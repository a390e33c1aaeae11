//! The seeded world around the same engines: callers, agents, phones, bad networks, oracles.
//!
//! A [`World`] is a switch with its distributor, a carrier, agents' phones and a network, under a clock
//! that jumps to whatever comes next. Same seed, same world. `cargo run -p sim -- --seed 7` lives one.

pub mod centre;
pub mod digest;
pub mod house;
pub mod net;
pub mod phone;
pub mod story;
pub mod text;
pub mod voices;
pub mod world;

pub use net::Weather;
pub use phone::{LineState, Manner, Phone};
pub use world::{BackEnd, Directory, World};
