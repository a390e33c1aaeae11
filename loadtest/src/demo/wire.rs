//! A UDP socket that is read by the runtime and written at once.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// One socket.
pub(super) struct Wire {
    here: SocketAddr,
    /// The runtime's own `try_send` refuses until it has seen the socket writable once.
    out: UdpSocket,
    into: tokio::net::UdpSocket,
}

impl Wire {
    /// A socket at any free port of `address`.
    pub(super) fn open(address: IpAddr) -> io::Result<Wire> {
        Wire::at(SocketAddr::new(address, 0))
    }

    /// A socket at `here`.
    pub(super) fn at(here: SocketAddr) -> io::Result<Wire> {
        let out = UdpSocket::bind(here)?;
        out.set_nonblocking(true)?;
        let into = tokio::net::UdpSocket::from_std(out.try_clone()?)?;
        Ok(Wire { here: out.local_addr()?, out, into })
    }

    pub(super) fn here(&self) -> SocketAddr {
        self.here
    }

    /// Sends one datagram. It may be lost, here as on the way: what matters is sent again.
    pub(super) fn send(&self, bytes: &[u8], to: SocketAddr) {
        let _ = self.out.send_to(bytes, to);
    }

    /// Length of the next datagram.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.into.recv(buffer).await
    }

    /// Length and sender of the next datagram.
    pub(super) async fn receive_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.into.recv_from(buffer).await
    }
}
