//! RTP's fixed header (RFC 3550 §5.1) and where the payload lies.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::ops::Range;

/// Bytes of a header without CSRCs and extension: the only kind that we send.
pub const HEADER_BYTES: usize = 12;

/// The first byte of a header of version 2 with nothing more: no padding, extension or CSRCs.
pub const PLAIN_FLAGS: u8 = 0x80;

/// The fields of the fixed header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// For voice: the first packet after a pause.
    pub marker: bool,
    /// 0-127.
    pub payload_type: u8,
    /// Counts packets.
    pub sequence: u16,
    /// Counts samples.
    pub timestamp: u32,
    /// Names the stream.
    pub ssrc: u32,
}

/// The bytes are no RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// A parsed packet: header and the payload's place in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The header's fields.
    pub header: Header,
    /// Payload without CSRCs, extension and padding. Always inside the parsed bytes; may be empty.
    pub payload: Range<usize>,
}

/// Whether a packet on a muxed port is RTCP (RFC 5761 §4: packet types 192 to 223).
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet.get(1), Some(192..=223))
}

/// Checks version, CSRC count, extension and padding against the packet's length.
#[inline]
pub fn parse(packet: &[u8]) -> Result<Packet, Malformed> {
    let (header, start) = header(packet)?;
    let has_padding = packet.first().is_some_and(|flags| flags & 0x20 != 0);
    let end = if has_padding { end_of_payload(packet).ok_or(Malformed)? } else { packet.len() };
    if start <= end { Ok(Packet { header, payload: start..end }) } else { Err(Malformed) }
}

/// The header's fields and its bytes, CSRCs and extension included. What follows may be encrypted.
#[inline]
pub fn header(packet: &[u8]) -> Result<(Header, usize), Malformed> {
    let (&fixed, _) = packet.split_first_chunk::<HEADER_BYTES>().ok_or(Malformed)?;
    let [flags, ..] = fixed;
    if flags >> 6 != 2 {
        return Err(Malformed);
    }
    let header = read_fixed(&fixed);
    // Nearly every packet has neither CSRCs nor an extension.
    let bytes = if flags & 0x1F == 0 { HEADER_BYTES } else { long_header(flags, packet).ok_or(Malformed)? };
    if bytes <= packet.len() { Ok((header, bytes)) } else { Err(Malformed) }
}

/// The fields of a fixed header, whatever its flags say.
#[inline]
pub(crate) const fn read_fixed(bytes: &[u8; HEADER_BYTES]) -> Header {
    let [_, marker_and_type, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *bytes;
    Header {
        marker: marker_and_type & 0x80 != 0,
        payload_type: marker_and_type & 0x7F,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
    }
}

/// Bytes of a header with CSRCs or an extension.
fn long_header(flags: u8, packet: &[u8]) -> Option<usize> {
    let start = HEADER_BYTES.checked_add(usize::from(flags & 0x0F).checked_mul(4)?)?;
    if flags & 0x10 == 0 {
        return Some(start);
    }
    let words = packet.get(start.checked_add(2)?..)?.first_chunk::<2>()?;
    let extension = usize::from(u16::from_be_bytes(*words)).checked_mul(4)?;
    start.checked_add(4)?.checked_add(extension)
}

/// Where the payload ends and the padding begins, which counts itself in its last byte: 0 is a lie.
fn end_of_payload(packet: &[u8]) -> Option<usize> {
    let padding = usize::from(*packet.last()?);
    if padding == 0 { None } else { packet.len().checked_sub(padding) }
}

/// The header as it goes on the wire.
#[inline]
pub const fn write(header: &Header) -> [u8; HEADER_BYTES] {
    let [s0, s1] = header.sequence.to_be_bytes();
    let [t0, t1, t2, t3] = header.timestamp.to_be_bytes();
    let [c0, c1, c2, c3] = header.ssrc.to_be_bytes();
    let marker = if header.marker { 0x80 } else { 0 };
    [PLAIN_FLAGS, marker | (header.payload_type & 0x7F), s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { marker: true, payload_type: 8, sequence: 65_535, timestamp: 0xDEAD_BEEF, ssrc: 7 };

    fn packet(flags: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = write(&HEADER).to_vec();
        bytes[0] |= flags;
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn a_header_is_written_and_read_back() {
        let parsed = parse(&packet(0, &[1, 2, 3])).unwrap();
        assert_eq!(parsed, Packet { header: HEADER, payload: 12..15 });
    }

    #[test]
    fn csrc_extension_and_padding_are_no_payload() {
        let csrc = packet(0x02, &[0, 0, 0, 1, 0, 0, 0, 2, 42]);
        assert_eq!(parse(&csrc).unwrap().payload, 20..21);
        let extension = packet(0x10, &[0xBE, 0xDE, 0, 1, 9, 9, 9, 9, 42]);
        assert_eq!(parse(&extension).unwrap().payload, 20..21);
        let padding = packet(0x20, &[42, 0, 0, 3]);
        assert_eq!(parse(&padding).unwrap().payload, 12..13);
        assert_eq!(parse(&packet(0x20, &[0, 2])).unwrap().payload, 12..12);
    }

    #[test]
    fn lies_about_lengths_are_malformed() {
        for (flags, rest) in [
            (0x0F, &[0; 59][..]),               // 15 CSRCs do not fit
            (0x10, &[0xBE, 0xDE, 0][..]),       // half an extension header
            (0x10, &[0, 0, 0xFF, 0xFF, 1][..]), // extension longer than the packet
            (0x20, &[1, 2, 0][..]),             // padding of 0
            (0x20, &[1, 2, 16][..]),            // padding reaches into the header
        ] {
            assert_eq!(parse(&packet(flags, rest)), Err(Malformed), "{flags:#x}");
        }
        assert_eq!(parse(&[0x80; 11]), Err(Malformed));
        assert_eq!(parse(&[0x40; 40]), Err(Malformed), "version 1");
    }
}
