//! What the program and we write into each other's maps: the structs of `bpf/relay.bpf.c`, field by field.

use std::net::{IpAddr, SocketAddr};

use base::Instant;
use media::relay;

/// `struct key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Key {
    address: [u8; 16],
    port: [u8; 2],
    zero: u16,
}

/// `struct flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Flow {
    peer: [u8; 16],
    from: [u8; 16],
    to: [u8; 16],
    ssrc_in: [u8; 4],
    ssrc_out: [u8; 4],
    timestamp_shift: u32,
    peer_port: [u8; 2],
    from_port: [u8; 2],
    to_port: [u8; 2],
    sequence_shift: u16,
    sum_change: u16,
    pseudo_in: u16,
    pseudo_out: u16,
    payload_type_in: u8,
    payload_type_out: u8,
    traffic_class: u8,
    zero: [u8; 3],
    stream: u32,
    back: u32,
}

/// `struct stream`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Stream {
    last_ns: u64,
    seen: u64,
    timestamp: u32,
    transit: u32,
    jitter_16: u32,
    jitter_16_max: u32,
    highest: u16,
    length: u16,
    ifindex: u32,
    tag_type: [u8; 2],
    tag: [u8; 2],
    peer_mac: [u8; 6],
    our_mac: [u8; 6],
    zero: u64,
}

/// `struct counts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Counts {
    packets: u64,
    octets: u64,
    missing: u64,
    late: u64,
    duplicates: u64,
    gaps: u64,
    passed: u64,
}

// SAFETY: `repr(C)` of integers and byte arrays whose sizes leave no padding (see the test), so every bit
// pattern is a value and every byte is initialised.
unsafe impl aya::Pod for Key {}
// SAFETY: as above.
unsafe impl aya::Pod for Flow {}
// SAFETY: as above.
unsafe impl aya::Pod for Stream {}
// SAFETY: as above.
unsafe impl aya::Pod for Counts {}

/// The place of a flow's two streams, and what its packets are marked with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) stream: u32,
    pub(super) back: u32,
    pub(super) traffic_class: u8,
}

impl Key {
    /// What arrives at `local`.
    pub(super) fn new(local: SocketAddr) -> Self {
        Key { address: address(local.ip()), port: local.port().to_be_bytes(), zero: 0 }
    }
}

impl Flow {
    /// What the program must do to packets of `flow` that arrive at `at` and leave from `from`.
    pub(super) fn new(flow: &relay::Flow, at: SocketAddr, from: SocketAddr, place: Place) -> Self {
        let (peer, to) = (flow.from, flow.to);
        let old = Sum::default().socket(peer).socket(at).bytes(&flow.ssrc_in.to_be_bytes());
        let new = Sum::default().socket(from).socket(to).bytes(&flow.ssrc_out.to_be_bytes());
        // The marker is the same before and after, so it does not count.
        let old = old.bytes(&[0x80, flow.payload_type_in]);
        let new = new.bytes(&[0x80, flow.payload_type_out]);
        let pseudo =
            |a: SocketAddr, b: SocketAddr| Sum::default().ip(a.ip()).ip(b.ip()).bytes(&[0, 17]).fold();
        Flow {
            peer: address(peer.ip()),
            from: address(from.ip()),
            to: address(to.ip()),
            ssrc_in: flow.ssrc_in.to_be_bytes(),
            ssrc_out: flow.ssrc_out.to_be_bytes(),
            timestamp_shift: flow.timestamp_shift,
            peer_port: peer.port().to_be_bytes(),
            from_port: from.port().to_be_bytes(),
            to_port: to.port().to_be_bytes(),
            sequence_shift: flow.sequence_shift,
            sum_change: Sum(u64::from(!old.fold()) + u64::from(new.fold())).fold(),
            pseudo_in: pseudo(peer, at),
            pseudo_out: pseudo(from, to),
            payload_type_in: flow.payload_type_in,
            payload_type_out: flow.payload_type_out,
            traffic_class: place.traffic_class,
            zero: [0; 3],
            stream: place.stream,
            back: place.back,
        }
    }
}

impl Stream {
    /// A stream that has come to `position`, and whose way is not known yet.
    pub(super) fn new(position: &relay::Position) -> Self {
        Stream {
            last_ns: position.last.as_nanos(),
            seen: position.seen,
            timestamp: position.timestamp,
            transit: position.transit,
            jitter_16: position.jitter_16,
            jitter_16_max: position.jitter_16_max,
            highest: position.highest,
            length: position.octets,
            ..Stream::default()
        }
    }

    fn position(&self) -> relay::Position {
        relay::Position {
            highest: self.highest,
            seen: self.seen,
            timestamp: self.timestamp,
            octets: self.length,
            transit: self.transit,
            jitter_16: self.jitter_16,
            jitter_16_max: self.jitter_16_max,
            last: Instant::from_nanos(self.last_ns),
        }
    }
}

impl Counts {
    /// The sum over all processors.
    pub(super) fn sum<'a>(counts: impl Iterator<Item = &'a Counts>) -> Counts {
        counts.fold(Counts::default(), |sum, one| Counts {
            packets: sum.packets.wrapping_add(one.packets),
            octets: sum.octets.wrapping_add(one.octets),
            missing: sum.missing.wrapping_add(one.missing),
            late: sum.late.wrapping_add(one.late),
            duplicates: sum.duplicates.wrapping_add(one.duplicates),
            gaps: sum.gaps.wrapping_add(one.gaps),
            passed: sum.passed.wrapping_add(one.passed),
        })
    }

    /// In the relay's words.
    pub(super) fn carried(&self, stream: &Stream) -> relay::Carried {
        relay::Carried {
            packets: self.packets,
            octets: self.octets,
            late: self.late,
            duplicates: self.duplicates,
            gaps: self.gaps,
            position: stream.position(),
        }
    }
}

/// IPv4 as ::ffff:a.b.c.d.
fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// A sum of 16-bit words as they lie in memory (RFC 1071: the byte order does not matter).
#[derive(Clone, Copy, Debug, Default)]
struct Sum(u64);

impl Sum {
    fn bytes(self, bytes: &[u8]) -> Sum {
        let words = bytes.as_chunks::<2>().0.iter().map(|word| u64::from(u16::from_ne_bytes(*word)));
        Sum(self.0.wrapping_add(words.sum()))
    }

    fn ip(self, ip: IpAddr) -> Sum {
        match ip {
            IpAddr::V4(ip) => self.bytes(&ip.octets()),
            IpAddr::V6(ip) => self.bytes(&ip.octets()),
        }
    }

    fn socket(self, socket: SocketAddr) -> Sum {
        self.ip(socket.ip()).bytes(&socket.port().to_be_bytes())
    }

    fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_padded() {
        assert_eq!(size_of::<Key>(), 16 + 2 + 2);
        assert_eq!(size_of::<Flow>(), 3 * 16 + 3 * 4 + 7 * 2 + 3 + 3 + 2 * 4);
        assert_eq!(size_of::<Stream>(), 2 * 8 + 4 * 4 + 2 * 2 + 4 + 2 * 2 + 2 * 6 + 8);
        assert_eq!(size_of::<Counts>(), 7 * 8);
    }
}
