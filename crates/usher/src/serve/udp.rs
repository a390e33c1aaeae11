//! The UDP side of SIP: all listeners drained in batches by the signalling thread.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use bytes::Bytes;
use sip::{Flow, Protocol};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use worker::net::{DATAGRAMS_MAX, Datagrams, Socket, SocketOptions, send_all};

/// Batches taken from one socket before others have their turn.
const ROUNDS: usize = 8;
/// Kernel buffers, bytes: a burst of 2,000 INVITEs while the thread is busy elsewhere. As much of it as the
/// kernel allows.
const SOCKET_BUFFER_BYTES: u32 = 4 * 1024 * 1024;
/// Class selector 3: signalling (RFC 4594 §4.2).
const SIGNALLING_DSCP: u8 = 24;

/// What came from the network.
#[derive(Debug)]
pub enum Arrival {
    /// One whole message.
    Message {
        /// How it came.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// A stream ended.
    Closed(Flow),
    /// Something could not be sent.
    Failed(Flow),
}

/// The bound sockets.
pub struct UdpListeners {
    sockets: Vec<(SocketAddr, UdpSocket)>,
    inbox: Datagrams,
    /// What leaves at the end of the turn, by socket.
    outbox: Vec<Vec<(SocketAddr, Bytes)>>,
}

impl UdpListeners {
    /// Binds every address. Must be called on the runtime that will drain them.
    ///
    /// # Errors
    /// The first address that cannot be bound, named.
    pub fn bind(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Self> {
        let options = SocketOptions {
            receive_buffer_bytes: Some(SOCKET_BUFFER_BYTES),
            send_buffer_bytes: Some(SOCKET_BUFFER_BYTES),
            dscp: SIGNALLING_DSCP,
        };
        let mut sockets = Vec::new();
        for address in addresses {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("udp:{address}: {error}"));
            let socket = Socket::bind(address, &options).map_err(named)?;
            let socket = UdpSocket::from_std(OwnedFd::from(socket).into()).map_err(named)?;
            sockets.push((socket.local_addr().map_err(named)?, socket));
        }
        let outbox = sockets.iter().map(|_| Vec::new()).collect();
        Ok(UdpListeners { sockets, inbox: Datagrams::default(), outbox })
    }

    /// The bound addresses.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address)
    }

    /// Ready when some socket has a datagram.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Every socket must be asked, so that each one wakes us.
        let ready = self.sockets.iter().filter(|(_, socket)| socket.poll_recv_ready(cx).is_ready()).count();
        if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Hands over what is there, at most [`ROUNDS`] batches a socket; whether more may wait.
    pub fn drain(&mut self, mut take: impl FnMut(Arrival)) -> bool {
        let mut more = false;
        for (local, socket) in &self.sockets {
            let inbox = &mut self.inbox;
            let emptied = socket.try_io(Interest::READABLE, || {
                for _ in 0..ROUNDS {
                    let count = inbox.receive(socket)?;
                    for (remote, bytes) in (0..count).filter_map(|index| inbox.get(index)) {
                        let flow = Flow { protocol: Protocol::Udp, local: *local, remote, connection: 0 };
                        // A copy of the exact size: a slice of a shared buffer would keep all of it alive
                        // for as long as a dialog remembers one header of it.
                        take(Arrival::Message { flow, bytes: Bytes::copy_from_slice(bytes) });
                    }
                    if count < DATAGRAMS_MAX {
                        // Empty: what comes from now on is a new edge, and the call that would only
                        // hear so is spared.
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
                Ok(())
            });
            more |= emptied.is_ok();
        }
        more
    }

    /// Takes one datagram that leaves with [`UdpListeners::flush`], from `local`, or from the first socket of
    /// the right family. `false` if there is none.
    pub fn send(&mut self, local: Option<SocketAddr>, remote: SocketAddr, bytes: Bytes) -> bool {
        let of =
            |fits: &dyn Fn(&SocketAddr) -> bool| self.sockets.iter().position(|(address, _)| fits(address));
        let exact = local.and_then(|local| of(&|address| *address == local));
        let index = exact.or_else(|| of(&|address| address.is_ipv4() == remote.is_ipv4()));
        let Some(waiting) = index.and_then(|index| self.outbox.get_mut(index)) else { return false };
        waiting.push((remote, bytes));
        true
    }

    /// Sends what waits; how many datagrams the kernel did not take. The network may lose datagrams, SIP
    /// repeats them.
    pub fn flush(&mut self) -> usize {
        let mut refused = 0;
        for ((_, socket), waiting) in self.sockets.iter().zip(&mut self.outbox) {
            if !waiting.is_empty() {
                refused += send_all(socket, waiting);
                waiting.clear();
            }
        }
        refused
    }
}
