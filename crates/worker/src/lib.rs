//! Floor 3: media threads and their sockets.
//!
//! A [`Pool`] of plain threads, each with its own `media::Relay` and sockets. Commands go in and events come
//! out through bounded rings; nothing else is shared. A thread drains all its sockets once per
//! `coalesce_us`, because at telephone loads the wake-up is what a packet costs. No runtime, lock, log,
//! allocation or wait per packet. Where it can, the kernel carries established bridges for it ([`Offload`]).

mod counters;
pub mod net;
mod offload;
mod pool;
mod ports;
mod ring;
mod sockets;
mod strain;
#[cfg(test)]
mod tests;
mod thread;

pub use counters::{Counter, CounterValues, Counters};
pub use offload::{NoTransmit, Offload, OffloadConfig, Unavailable};
pub use pool::{Full, Pool, PoolConfig};
pub use ports::{Capacity, PortPlan, PortsError, check_ports};
