//! The UDP side of SIP: all listeners drained in batches by the signalling thread.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use sip::{Flow, Protocol};
use tokio::net::UdpSocket;

/// Longest UDP payload.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Datagrams taken from one socket before others have their turn.
const BATCH: usize = 64;
/// Kernel buffers, bytes: a burst of 2,000 INVITEs while the thread is busy elsewhere.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

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
    buffer: Vec<u8>,
}

impl UdpListeners {
    /// Binds every address.
    ///
    /// # Errors
    /// The first address that cannot be bound, named.
    pub fn bind(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for address in addresses {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("udp:{address}: {error}"));
            let domain = socket2::Domain::for_address(address);
            let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None).map_err(named)?;
            if address.is_ipv6() {
                socket.set_only_v6(true).map_err(named)?;
            }
            // As much as the kernel allows; less is no error.
            let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
            let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
            socket.set_nonblocking(true).map_err(named)?;
            socket.bind(&address.into()).map_err(named)?;
            let socket = UdpSocket::from_std(socket.into()).map_err(named)?;
            sockets.push((socket.local_addr().map_err(named)?, socket));
        }
        Ok(UdpListeners { sockets, buffer: vec![0; DATAGRAM_BYTES_MAX] })
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

    /// Hands over what is there, at most a batch a socket; whether more may wait.
    pub fn drain(&mut self, mut take: impl FnMut(Arrival)) -> bool {
        let mut more = false;
        for (local, socket) in &self.sockets {
            let mut taken = 0;
            while taken < BATCH {
                let Ok((length, remote)) = socket.try_recv_from(&mut self.buffer) else { break };
                taken += 1;
                let flow = Flow { protocol: Protocol::Udp, local: *local, remote, connection: 0 };
                // A copy of the exact size: a slice of a shared buffer would keep all of it alive
                // for as long as a dialog remembers one header of it.
                let bytes = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
                take(Arrival::Message { flow, bytes });
            }
            more |= taken == BATCH;
        }
        more
    }

    /// Sends one datagram from `local`, or from the first socket of the right family. `false` if the
    /// kernel did not take it: the network may lose datagrams, SIP repeats them.
    pub fn send(&self, local: Option<SocketAddr>, remote: SocketAddr, bytes: &[u8]) -> bool {
        let exact = local.and_then(|local| self.sockets.iter().find(|(address, _)| *address == local));
        let fitting = || self.sockets.iter().find(|(address, _)| address.is_ipv4() == remote.is_ipv4());
        match exact.or_else(fitting) {
            Some((_, socket)) => socket.try_send_to(bytes, remote).is_ok(),
            None => false,
        }
    }
}
