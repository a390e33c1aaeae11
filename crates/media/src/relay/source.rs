//! Whom a leg believes (symmetric RTP with a lock).
//!
//! A leg sends to the negotiated address and believes it at once. Another address is learned only from
//! a host that signalled, only once per signalling, and then it is the only one believed. Where the
//! host is the negotiated one and only the port differs, nothing shows that a NAT stands between, so
//! the stranger must speak alone for [`PORT_PROBATION`] first: the negotiated port wins if it speaks.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use base::Instant;

/// How long another port of the negotiated host must be the only one that speaks before it is believed.
pub const PORT_PROBATION: Duration = Duration::from_millis(500);
/// How long the locked SSRC must be silent before the locked address may use another one.
const SSRC_SILENCE: Duration = Duration::from_millis(100);
/// Hosts that may have signalled.
const HOSTS_MAX: usize = 4;

/// Where RTP or RTCP come from and go to: address and port, without IPv6 scope and flow.
const fn same(a: SocketAddr, b: SocketAddr) -> bool {
    match (a, b) {
        (SocketAddr::V4(a), SocketAddr::V4(b)) => {
            a.port() == b.port() && a.ip().to_bits() == b.ip().to_bits()
        }
        (SocketAddr::V6(a), SocketAddr::V6(b)) => {
            a.port() == b.port() && a.ip().to_bits() == b.ip().to_bits()
        }
        _ => false,
    }
}

/// Whether anything can be sent there.
const fn is_address(to: SocketAddr) -> bool {
    !to.ip().is_unspecified() && to.port() != 0
}

/// A port on probation.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Lock {
    /// After signalling: the next fitting packet decides.
    Armed { candidate: Option<Candidate> },
    /// Decided: `send_to` is the peer, `ssrc` his stream.
    Locked { ssrc: u32, last: Instant },
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// From the peer.
    Peer,
    /// From the peer, who is hereby locked.
    PeerLocked,
    /// From the peer, with a new SSRC.
    PeerRenamed,
    /// From somebody else.
    Stranger,
    /// From the peer's address, while his own stream still flows under another SSRC.
    WrongSsrc,
}

/// The peer of one leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    negotiated: SocketAddr,
    negotiated_rtcp: SocketAddr,
    muxed: bool,
    hosts: [Option<IpAddr>; HOSTS_MAX],
    send_to: SocketAddr,
    /// Whether that is an address: none is signalled to hold (`c=0.0.0.0`).
    can_send: bool,
    rtcp_learned: Option<SocketAddr>,
    lock: Lock,
}

impl Source {
    /// A peer as signalling named him, after `before`: if he did not move, what was learned stays the
    /// address that is sent to until he speaks from elsewhere.
    pub(super) fn new(
        before: Option<&Source>,
        negotiated: SocketAddr,
        negotiated_rtcp: SocketAddr,
        muxed: bool,
        learn_from: &[IpAddr],
    ) -> Self {
        let mut hosts = [None; HOSTS_MAX];
        for (place, host) in hosts.iter_mut().zip(learn_from) {
            *place = Some(host.to_canonical());
        }
        let mut source = Source {
            negotiated,
            negotiated_rtcp,
            muxed,
            hosts,
            send_to: negotiated,
            can_send: is_address(negotiated),
            rtcp_learned: None,
            lock: Lock::Armed { candidate: None },
        };
        if let Some(before) = before.filter(|before| same(before.negotiated, negotiated)) {
            source.send_to = before.send_to;
            source.can_send = before.can_send;
            source.rtcp_learned = before.rtcp_learned;
        }
        source
    }

    /// Where RTP goes; `None` while the peer holds with `c=0.0.0.0`.
    pub(super) fn send_to(&self) -> Option<SocketAddr> {
        self.can_send.then_some(self.send_to)
    }

    /// Where RTCP goes, if anywhere is known.
    pub(super) fn send_rtcp_to(&self) -> Option<SocketAddr> {
        if self.muxed {
            return self.send_to();
        }
        // Behind a NAT the signalled address is somebody else's; wait until he speaks.
        let signalled = same(self.send_to, self.negotiated).then_some(self.negotiated_rtcp);
        self.rtcp_learned.or(signalled).filter(|to| is_address(*to))
    }

    /// The cheap question before any parsing: can this address be the peer's at all?
    pub(super) fn may_be(&self, from: SocketAddr) -> bool {
        match self.lock {
            Lock::Locked { .. } => same(from, self.send_to),
            Lock::Armed { .. } => {
                same(from, self.negotiated) || same(from, self.send_to) || self.signalled(from.ip())
            }
        }
    }

    fn signalled(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.hosts.iter().flatten().any(|&host| host == ip)
    }

    /// A well-formed packet of an agreed payload type, from an address that may be the peer's.
    pub(super) fn admit(&mut self, now: Instant, from: SocketAddr, ssrc: u32) -> Admission {
        let candidate = match self.lock {
            Lock::Locked { .. } if !same(from, self.send_to) => return Admission::Stranger,
            Lock::Locked { ssrc: locked, last } => {
                if locked != ssrc && now - last < SSRC_SILENCE {
                    return Admission::WrongSsrc;
                }
                self.lock = Lock::Locked { ssrc, last: now };
                // Another SSRC after a silence: a gateway that changed its stream behind the same address.
                return if locked == ssrc { Admission::Peer } else { Admission::PeerRenamed };
            }
            Lock::Armed { candidate } => candidate,
        };
        if same(from, self.negotiated) || same(from, self.send_to) {
            return self.settle(now, from, ssrc);
        }
        if !self.signalled(from.ip()) {
            return Admission::Stranger;
        }
        // The host that signalled is not the one in the SDP: a NAT stands between.
        if from.ip().to_canonical() != self.negotiated.ip().to_canonical() {
            return self.settle(now, from, ssrc);
        }
        match candidate {
            Some(known) if same(known.from, from) && known.ssrc == ssrc => {
                if now - known.since >= PORT_PROBATION {
                    return self.settle(now, from, ssrc);
                }
            }
            _ => {
                // The first, or one of several: whoever it is starts from nothing.
                self.lock = Lock::Armed { candidate: Some(Candidate { from, ssrc, since: now }) };
            }
        }
        Admission::Stranger
    }

    fn settle(&mut self, now: Instant, from: SocketAddr, ssrc: u32) -> Admission {
        self.send_to = from;
        self.can_send = is_address(from);
        self.lock = Lock::Locked { ssrc, last: now };
        Admission::PeerLocked
    }

    /// The same questions about a report: its address, and the SSRC of who wrote it.
    pub(super) fn admit_rtcp(&mut self, from: SocketAddr, sender: u32) -> Admission {
        let locked = match self.lock {
            Lock::Locked { ssrc, .. } => Some(ssrc),
            Lock::Armed { .. } => None,
        };
        let known = if self.muxed {
            same(from, self.send_to)
        } else {
            self.rtcp_learned.is_some_and(|learned| same(from, learned)) || same(from, self.negotiated_rtcp)
        };
        if known {
            return match locked {
                Some(ssrc) if ssrc != sender => Admission::WrongSsrc,
                _ => Admission::Peer,
            };
        }
        // The other port of a NATted peer whom we know by his voice: once.
        let learns = !self.muxed && self.rtcp_learned.is_none() && !same(self.send_to, self.negotiated);
        if learns && from.ip() == self.send_to.ip() && locked == Some(sender) {
            self.rtcp_learned = Some(from);
            return Admission::Peer;
        }
        Admission::Stranger
    }

    /// The peer's address and stream, once both are settled.
    pub(super) fn locked(&self) -> Option<(SocketAddr, u32)> {
        match self.lock {
            Lock::Locked { ssrc, .. } => Some((self.send_to, ssrc)),
            Lock::Armed { .. } => None,
        }
    }

    /// The locked stream was heard elsewhere, at `at`.
    pub(super) fn heard(&mut self, at: Instant) {
        if let Lock::Locked { last, .. } = &mut self.lock {
            *last = at.max(*last);
        }
    }

    /// Whether a report from this address is worth parsing.
    pub(super) fn may_report(&self, from: SocketAddr) -> bool {
        from.ip() == self.send_to.ip() || same(from, self.negotiated_rtcp)
    }
}

#[cfg(test)]
mod tests;
