//! The relay in the kernel: `bpf/relay.bpf.c` at the network cards (XDP), its maps, and their keeping.
//!
//! `media::Relay` decides what is carried in the kernel and when it comes back; here its orders are carried
//! out. [`Offload`] loads the program and attaches it, once per process; each media thread has a `Table` of
//! its own bridges, and a `Transmit` by which what it sends itself passes the sockets by.

#![expect(unsafe_code, reason = "maps shared with the kernel; each block says why it is sound")]

mod checksum;
mod directory;
mod layout;
mod load;
mod mapping;
mod places;
mod shared;
mod streams;
mod table;
#[cfg(test)]
mod tests;
mod transmit;

pub use load::{Offload, Unavailable};
pub(crate) use table::Table;
pub use transmit::NoTransmit;
pub(crate) use transmit::Transmit;

/// What is to be carried in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffloadConfig {
    /// Network interfaces by whose frames peers speak. A bridge is carried if both its peers' frames come
    /// by one of these.
    pub interfaces: Vec<String>,
    /// Bridged calls at most, over all threads; more stay in user space.
    pub calls_max: u32,
}

impl Default for OffloadConfig {
    fn default() -> Self {
        OffloadConfig { interfaces: Vec::new(), calls_max: 10_000 }
    }
}
