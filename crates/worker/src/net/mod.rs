//! The operating system's side of a media thread: UDP sockets, batches of packets, epoll, limits.
//!
//! With `offload`, the only module of the switch with `unsafe`. Almost every block is one system call; what it hands to the
//! kernel is owned by the value that makes the call and lives until the call returns, or, with `io_uring`,
//! until the kernel is done with it. All functions are safe to call from safe code.

#![expect(unsafe_code, reason = "system calls that std does not offer; each block says why it is sound")]

mod address;
mod batch;
mod datagrams;
mod epoll;
mod interface;
pub mod io;
mod process;
mod socket;

pub use batch::{BATCH_MAX, PACKET_BYTES_MAX, ReceiveBatch, SendBatch, Sent};
pub use datagrams::{DATAGRAMS_MAX, Datagrams, send_all};
pub use epoll::{Epoll, Token, Wake};
pub use interface::{carries_vlans, interface_index, monotonic_ns, strips_vlan_tags};
pub use io::{IoChoice, PacketIo, Parcel, Refusal, Tally, Woken};
pub use process::{
    FileLimit, give_memory_back, pin_to, process_cpu_time, raise_file_limit, sharpen_timers, step_back,
    thread_cpu_time,
};
pub use socket::{Socket, SocketOptions};
