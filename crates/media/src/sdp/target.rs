//! Whom media may be sent to.

use core::net::SocketAddr;

/// Why nothing is sent to an address that a peer named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetRefused {
    /// A group, not a peer.
    Multicast,
    /// 255.255.255.255: everybody.
    Broadcast,
    /// 0.0.0.0 or ::, which reaches ourselves.
    Unspecified,
    /// Port 0 or below 1024: no RTP lives there, but DNS and NTP do.
    SystemPort,
    /// One of our own sockets.
    Own,
}

/// Whether media may be sent to `target`. `own` are sockets of ours that take none.
pub fn check_target(_target: SocketAddr, _own: &[SocketAddr]) -> Result<(), TargetRefused> {
    Ok(())
}
