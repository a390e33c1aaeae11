//! The operating system's side of a media thread: UDP sockets, batches of packets, epoll, limits.
//!
//! The only module of the switch with `unsafe`. Every block is one system call; what it hands to the
//! kernel is owned by the value that makes the call and lives until the call returns. All functions
//! are safe to call from safe code.

#![expect(unsafe_code, reason = "system calls that std does not offer; each block says why it is sound")]

mod address;
mod batch;
mod datagrams;
mod epoll;
mod process;
mod socket;

pub use batch::{BATCH_MAX, PACKET_BYTES_MAX, ReceiveBatch, SendBatch, Sent};
pub use datagrams::{DATAGRAMS_MAX, Datagrams, send_all};
pub use epoll::{Epoll, Token, Wake};
pub use process::{FileLimit, pin_to, process_cpu_time, raise_file_limit, thread_cpu_time};
pub use socket::{Socket, SocketOptions};
