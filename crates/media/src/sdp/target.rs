//! Whom media may be sent to: never a third party, never ourselves.

use core::net::{IpAddr, SocketAddr};

/// Why nothing is sent to an address that a peer named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetRefused {
    /// A group, not a peer.
    Multicast,
    /// 255.255.255.255: everybody.
    Broadcast,
    /// 0.0.0.0/8 or ::, which reach ourselves.
    Unspecified,
    /// Port 0 or below 1024: no RTP lives there, but DNS and NTP do, and they would answer.
    SystemPort,
    /// One of our own sockets.
    Own,
}

/// Whether media may be sent to `target`. `local` is the address we would send from; `own` are sockets
/// of ours that take no media, where an unspecified address stands for all of ours.
pub fn check_target(target: SocketAddr, local: IpAddr, own: &[SocketAddr]) -> Result<(), TargetRefused> {
    // ::ffff:0.0.0.0 is 0.0.0.0 in disguise.
    let ip = target.ip().to_canonical();
    let this_network = matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 0);
    let ours = |listener: &SocketAddr| {
        let listens = listener.ip().to_canonical();
        let same =
            listens == ip || (listens.is_unspecified() && (ip == local.to_canonical() || ip.is_loopback()));
        same && listener.port() == target.port()
    };
    if ip.is_unspecified() || this_network {
        Err(TargetRefused::Unspecified)
    } else if ip.is_multicast() {
        Err(TargetRefused::Multicast)
    } else if matches!(ip, IpAddr::V4(v4) if v4.is_broadcast()) {
        Err(TargetRefused::Broadcast)
    } else if target.port() < 1024 {
        Err(TargetRefused::SystemPort)
    } else if own.iter().any(ours) {
        Err(TargetRefused::Own)
    } else {
        Ok(())
    }
}
