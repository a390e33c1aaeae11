//! A datagram as a frame: what the kernel's UDP, IP and Ethernet would put before it.

use std::net::{IpAddr, SocketAddr};

use crate::offload::checksum::{fold, sum};
use crate::offload::layout::Way;

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const UDP: u8 = 17;
const UDP_BYTES: usize = 8;
/// As the kernel's own sockets send.
const TTL: u8 = 64;

/// Headers before a datagram's payload at most: Ethernet with a tag, IPv6, UDP.
pub(super) const HEADERS_MAX: usize = 18 + 40 + UDP_BYTES;

/// Who sends to whom, and with which marking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) traffic_class: u8,
}

/// Where the next bytes are written.
struct Out<'a> {
    rest: &'a mut [u8],
    written: usize,
}

impl Out<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let (place, rest) = std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())?;
        place.copy_from_slice(bytes);
        self.rest = rest;
        self.written = self.written.checked_add(bytes.len())?;
        Some(())
    }
}

/// Writes the frame of a datagram made of `header` and `payload` to the beginning of `out`; its length. `None` if it does not
/// fit, or the addresses are of two families.
pub(super) fn write(
    out: &mut [u8],
    way: &Way,
    addresses: &Addresses,
    header: &[u8],
    payload: &[u8],
) -> Option<usize> {
    let length = UDP_BYTES.checked_add(header.len())?.checked_add(payload.len())?;
    let length = u16::try_from(length).ok()?;
    let mut to = Out { rest: &mut *out, written: 0 };
    way.put_ethernet(|bytes| to.put(bytes))?;
    let pseudo = put_ip(&mut to, addresses, length)?;
    let datagram_at = to.written;
    to.put(&addresses.local.port().to_be_bytes())?;
    to.put(&addresses.peer.port().to_be_bytes())?;
    to.put(&length.to_be_bytes())?;
    to.put(&[0, 0])?;
    to.put(header)?;
    to.put(payload)?;
    let end = to.written;
    let datagram = out.get_mut(datagram_at..end)?;
    let check = match !fold(pseudo.wrapping_add(sum(datagram))) {
        // 0 would say that there is no checksum (RFC 768).
        0 => 0xffff,
        check => check,
    };
    datagram.get_mut(6..8)?.copy_from_slice(&check.to_ne_bytes());
    Some(end)
}

/// Type and IP header of a datagram of `length` bytes; the sum of its pseudo header.
#[inline]
fn put_ip(to: &mut Out<'_>, addresses: &Addresses, length: u16) -> Option<u64> {
    let [high, low] = length.to_be_bytes();
    match (addresses.local.ip(), addresses.peer.ip()) {
        (IpAddr::V4(local), IpAddr::V4(peer)) => {
            let [total_high, total_low] = length.checked_add(20)?.to_be_bytes();
            let ([a, b, c, d], [e, f, g, h]) = (local.octets(), peer.octets());
            // "Don't fragment", so that no identification is needed (RFC 6864 §4.1).
            let mut ip = [
                0x45,
                addresses.traffic_class,
                total_high,
                total_low,
                0,
                0,
                0x40,
                0,
                TTL,
                UDP,
                0,
                0,
                a,
                b,
                c,
                d,
                e,
                f,
                g,
                h,
            ];
            let check = !fold(sum(&ip));
            [ip[10], ip[11]] = check.to_ne_bytes();
            to.put(&IPV4)?;
            to.put(&ip)?;
            Some(sum(&[a, b, c, d, e, f, g, h, 0, UDP, high, low]))
        }
        (IpAddr::V6(local), IpAddr::V6(peer)) => {
            let class = addresses.traffic_class;
            to.put(&IPV6)?;
            to.put(&[0x60 | class >> 4, class << 4, 0, 0, high, low, UDP, TTL])?;
            to.put(&local.octets())?;
            to.put(&peer.octets())?;
            let ends = sum(&local.octets()).wrapping_add(sum(&peer.octets()));
            Some(ends.wrapping_add(sum(&[0, UDP, high, low])))
        }
        _ => None,
    }
}
