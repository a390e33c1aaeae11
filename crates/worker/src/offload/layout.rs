//! What the program and we write into each other's maps: the structs of `bpf/relay.bpf.c`, field by field.

use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::Instant;
use media::relay;

use super::checksum;

/// `struct flow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Flow {
    next: u32,
    version: u8,
    payload_type_in: u8,
    payload_type_out: u8,
    traffic_class: u8,
    v4: Addresses<4>,
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
    zero: [u16; 7],
    v6: Addresses<16>,
}

/// Of one IP version: where packets arrive and from whom, where they leave from and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
struct Addresses<const N: usize> {
    at: [u8; N],
    peer: [u8; N],
    from: [u8; N],
    to: [u8; N],
}

/// `struct way`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Way {
    ifindex: u32,
    tag_type: [u8; 2],
    tag: [u8; 2],
    peer_mac: [u8; 6],
    our_mac: [u8; 6],
}

/// `struct leg`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Leg {
    state: u32,
    way: Way,
    version: u8,
    zero: [u8; 3],
    local: [u8; 16],
    peer: [u8; 16],
    peer_port: [u8; 2],
    zero_too: u16,
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
    way: Way,
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
unsafe impl aya::Pod for Counts {}

impl Flow {
    pub(super) const WORDS: usize = size_of::<Flow>() / size_of::<u32>();
    /// Where among them the link to the next flow is. It is the directory's, and 0 in a new flow.
    pub(super) const NEXT: usize = offset_of!(Flow, next) / size_of::<u32>();

    /// As it lies in memory.
    pub(super) const fn words(self) -> [u32; Flow::WORDS] {
        // SAFETY: `repr(C)` of integers and byte arrays whose sizes leave no padding (see the test), so every
        // byte is initialised, and words may have any value.
        unsafe { std::mem::transmute(self) }
    }

    /// What the program must do to packets of `flow` that arrive at `at`, leave from `from` and are marked with
    /// `traffic_class`; `None` if these are not addresses of one IP version.
    pub(super) fn new(
        flow: &relay::Flow,
        at: SocketAddr,
        from: SocketAddr,
        traffic_class: u8,
    ) -> Option<Self> {
        let (peer, to) = (flow.from, flow.to);
        let old = Sum::default().socket(peer).socket(at).bytes(&flow.ssrc_in.to_be_bytes());
        let new = Sum::default().socket(from).socket(to).bytes(&flow.ssrc_out.to_be_bytes());
        // The marker is the same before and after, so it does not count.
        let old = old.bytes(&[0x80, flow.payload_type_in]);
        let new = new.bytes(&[0x80, flow.payload_type_out]);
        let pseudo =
            |a: SocketAddr, b: SocketAddr| Sum::default().ip(a.ip()).ip(b.ip()).bytes(&[0, 17]).fold();
        let (none_4, none_6) = (Addresses::none(), Addresses::none());
        let (version, v4, v6) = match (at.ip(), peer.ip(), from.ip(), to.ip()) {
            (IpAddr::V4(at), IpAddr::V4(peer), IpAddr::V4(from), IpAddr::V4(to)) => {
                let [at, peer, from, to] = [at, peer, from, to].map(|ip| ip.octets());
                (4, Addresses { at, peer, from, to }, none_6)
            }
            (IpAddr::V6(at), IpAddr::V6(peer), IpAddr::V6(from), IpAddr::V6(to)) => {
                let [at, peer, from, to] = [at, peer, from, to].map(|ip| ip.octets());
                (6, none_4, Addresses { at, peer, from, to })
            }
            _ => return None,
        };
        Some(Flow {
            next: 0,
            version,
            payload_type_in: flow.payload_type_in,
            payload_type_out: flow.payload_type_out,
            traffic_class,
            v4,
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
            zero: [0; 7],
            v6,
        })
    }
}

impl<const N: usize> Addresses<N> {
    const fn none() -> Self {
        Addresses { at: [0; N], peer: [0; N], from: [0; N], to: [0; N] }
    }
}

impl Way {
    /// Whether a frame of the peer has shown it.
    pub(super) fn is_known(&self) -> bool {
        self.ifindex != 0
    }

    /// The interface that leads there.
    pub(super) fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Writes an Ethernet header up to the type of what it carries.
    #[inline]
    pub(super) fn put_ethernet(&self, mut put: impl FnMut(&[u8]) -> Option<()>) -> Option<()> {
        put(&self.peer_mac)?;
        put(&self.our_mac)?;
        if self.tag_type == [0, 0] {
            return Some(());
        }
        put(&self.tag_type)?;
        put(&self.tag)
    }
}

impl Leg {
    pub(super) const WORDS: usize = size_of::<Leg>() / size_of::<u32>();
    /// Where among them the state is.
    pub(super) const STATE: usize = offset_of!(Leg, state) / size_of::<u32>();

    /// As it lies in memory.
    pub(super) const fn words(self) -> [u32; Leg::WORDS] {
        // SAFETY: as for a flow's.
        unsafe { std::mem::transmute(self) }
    }

    /// The one that lies in memory like this.
    pub(super) const fn from_words(words: [u32; Leg::WORDS]) -> Leg {
        // SAFETY: as for a stream's.
        unsafe { std::mem::transmute(words) }
    }

    /// A leg at `local` whose peer is `peer`, and the way to him is not known yet; `None` if these are not addresses of
    /// one IP version.
    pub(super) fn new(local: SocketAddr, peer: SocketAddr) -> Option<Self> {
        let (version, local, peer_ip) = match (local.ip(), peer.ip()) {
            (IpAddr::V4(local), IpAddr::V4(peer)) => (4, first_word(local), first_word(peer)),
            (IpAddr::V6(local), IpAddr::V6(peer)) => (6, local.octets(), peer.octets()),
            _ => return None,
        };
        Some(Leg { version, local, peer: peer_ip, peer_port: peer.port().to_be_bytes(), ..Leg::default() })
    }

    /// How frames get to the peer.
    pub(super) fn way(&self) -> Way {
        self.way
    }
}

fn first_word(ip: Ipv4Addr) -> [u8; 16] {
    let ([a, b, c, d], mut word) = (ip.octets(), [0; 16]);
    [word[0], word[1], word[2], word[3]] = [a, b, c, d];
    word
}

impl Stream {
    pub(super) const WORDS: usize = size_of::<Stream>() / size_of::<u32>();

    /// As it lies in memory.
    pub(super) const fn words(self) -> [u32; Stream::WORDS] {
        // SAFETY: as for a flow's.
        unsafe { std::mem::transmute(self) }
    }

    /// The one that lies in memory like this.
    pub(super) const fn from_words(words: [u32; Stream::WORDS]) -> Stream {
        // SAFETY: every bit pattern is a stream: it consists of integers and byte arrays.
        unsafe { std::mem::transmute(words) }
    }

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

/// A sum of what a datagram's checksum covers, piece by piece.
#[derive(Clone, Copy, Debug, Default)]
struct Sum(u64);

impl Sum {
    fn bytes(self, bytes: &[u8]) -> Sum {
        Sum(self.0.wrapping_add(checksum::sum(bytes)))
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
        checksum::fold(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_padded() {
        assert_eq!(size_of::<Flow>(), 4 + 4 + 4 * 4 + 3 * 4 + 7 * 2 + 14 + 4 * 16);
        assert_eq!((offset_of!(Flow, v6), size_of::<Flow>()), (64, 128), "two cache lines");
        assert_eq!(size_of::<Stream>(), 2 * 8 + 4 * 4 + 2 * 2 + size_of::<Way>() + 8);
        assert_eq!(size_of::<Way>(), 4 + 2 * 2 + 2 * 6);
        assert_eq!(size_of::<Leg>(), 4 + size_of::<Way>() + 1 + 3 + 2 * 16 + 2 + 2);
        assert_eq!(size_of::<Counts>(), 7 * 8);
    }
}
