//! Frames put together and taken apart by other means than the program's: checksums are always summed whole.

use std::net::{IpAddr, SocketAddr};

use media::rtp::Header;

/// What the UDP checksum field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::offload) enum Check {
    Whole,
    /// Only the pseudo header: the card should do the rest.
    Partial,
    None,
}

/// A frame with RTP in it, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::offload) struct Frame {
    pub(in crate::offload) macs: ([u8; 6], [u8; 6]),
    /// Type and tag.
    pub(in crate::offload) tag: Option<(u16, u16)>,
    pub(in crate::offload) from: SocketAddr,
    pub(in crate::offload) to: SocketAddr,
    pub(in crate::offload) ttl: u8,
    pub(in crate::offload) traffic_class: u8,
    pub(in crate::offload) check: Check,
    pub(in crate::offload) rtp: Header,
    pub(in crate::offload) payload: Vec<u8>,
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |&low| u64::from(low))).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn pseudo(from: IpAddr, to: IpAddr, length: usize) -> u64 {
    sum(&octets(from)) + sum(&octets(to)) + 17 + length as u64
}

impl Frame {
    fn datagram(&self) -> Vec<u8> {
        let length = 8 + 12 + self.payload.len();
        let mut udp = Vec::new();
        udp.extend(self.from.port().to_be_bytes());
        udp.extend(self.to.port().to_be_bytes());
        udp.extend((length as u16).to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(media::rtp::write(&self.rtp));
        udp.extend(&self.payload);
        let pseudo = pseudo(self.from.ip(), self.to.ip(), length);
        let check = match self.check {
            Check::None => 0,
            Check::Partial => fold(pseudo),
            Check::Whole => match !fold(pseudo + sum(&udp)) {
                0 => 0xffff,
                check => check,
            },
        };
        udp[6..8].copy_from_slice(&check.to_be_bytes());
        udp
    }

    /// The bytes on the wire.
    pub(in crate::offload) fn bytes(&self) -> Vec<u8> {
        let udp = self.datagram();
        let mut bytes = [self.macs.0, self.macs.1].concat();
        if let Some((kind, tag)) = self.tag {
            bytes.extend(kind.to_be_bytes());
            bytes.extend(tag.to_be_bytes());
        }
        if self.from.is_ipv4() {
            bytes.extend(0x0800u16.to_be_bytes());
            let mut ip = vec![0x45, self.traffic_class];
            ip.extend((20 + udp.len() as u16).to_be_bytes());
            ip.extend([0x12, 0x34, 0x40, 0, self.ttl, 17, 0, 0]);
            ip.extend(octets(self.from.ip()));
            ip.extend(octets(self.to.ip()));
            let check = !fold(sum(&ip));
            ip[10..12].copy_from_slice(&check.to_be_bytes());
            bytes.extend(ip);
        } else {
            bytes.extend(0x86DDu16.to_be_bytes());
            bytes.extend((6u32 << 28 | u32::from(self.traffic_class) << 20).to_be_bytes());
            bytes.extend((udp.len() as u16).to_be_bytes());
            bytes.extend([17, self.ttl]);
            bytes.extend(octets(self.from.ip()));
            bytes.extend(octets(self.to.ip()));
        }
        bytes.extend(udp);
        bytes
    }

    /// Where the IP header begins.
    pub(in crate::offload) fn ip_at(&self) -> usize {
        if self.tag.is_some() { 18 } else { 14 }
    }

    /// Where the datagram begins.
    pub(in crate::offload) fn udp_at(&self) -> usize {
        self.ip_at() + if self.from.is_ipv4() { 20 } else { 40 }
    }
}
