//! What a measured packet looks like: an ordinary 20 ms G.711 packet whose payload says where it came
//! from and when. A relay that does not touch payloads delivers it unchanged.

/// Bytes of an RTP header without CSRC and extension (RFC 3550 §5.1).
pub const HEADER_BYTES: usize = 12;

/// Payload of 20 ms of G.711.
pub const PAYLOAD_BYTES: usize = 160;

const MAGIC: [u8; 4] = *b"UshL";
const PROBE_BYTES: usize = 24;

/// The part of a payload that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The stream that sent it.
    pub stream: u32,
    /// Its number in the stream's lap.
    pub number: u32,
    /// The measured interval it belongs to: what was sent before an interval began does not count.
    pub lap: u32,
    /// When it was sent, in nanoseconds of wall time.
    pub sent_nanos: u64,
}

impl Probe {
    /// Writes the probe into the first bytes of a payload.
    pub fn write(&self, payload: &mut [u8; PAYLOAD_BYTES]) {
        payload[..4].copy_from_slice(&MAGIC);
        payload[4..8].copy_from_slice(&self.stream.to_be_bytes());
        payload[8..12].copy_from_slice(&self.number.to_be_bytes());
        payload[12..16].copy_from_slice(&self.lap.to_be_bytes());
        payload[16..PROBE_BYTES].copy_from_slice(&self.sent_nanos.to_be_bytes());
    }

    /// The probe in `payload`, if it carries one.
    pub fn read(payload: &[u8]) -> Option<Probe> {
        let rest = payload.strip_prefix(&MAGIC)?;
        let (stream, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (lap, rest) = rest.split_first_chunk()?;
        let (sent_nanos, _) = rest.split_first_chunk()?;
        Some(Probe {
            stream: u32::from_be_bytes(*stream),
            number: u32::from_be_bytes(*number),
            lap: u32::from_be_bytes(*lap),
            sent_nanos: u64::from_be_bytes(*sent_nanos),
        })
    }
}

/// The fields of an RTP header that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
}

impl Header {
    pub(super) fn write(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = 0x80;
        bytes[1] = self.payload_type & 0x7f;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }

    /// Header and payload of a packet without CSRC and extension, which is what telephony sends.
    pub(super) fn read(packet: &[u8]) -> Option<(Header, &[u8])> {
        let (head, payload) = packet.split_first_chunk::<HEADER_BYTES>()?;
        let header = Header {
            payload_type: head[1] & 0x7f,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        };
        (head[0] == 0x80).then_some((header, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let probe = Probe { stream: 7, number: 8, lap: 1, sent_nanos: u64::MAX - 5 };
        let mut payload = [0xd5; PAYLOAD_BYTES];
        probe.write(&mut payload);
        let header = Header { payload_type: 8, sequence: 65_535, timestamp: 160, ssrc: 0xdead_beef };
        let packet = [&header.write()[..], &payload[..]].concat();
        let (read, rest) = Header::read(&packet).unwrap();
        assert_eq!((read, Probe::read(rest)), (header, Some(probe)));
        assert_eq!(Probe::read(&[0xd5; PAYLOAD_BYTES]), None);
        assert_eq!(Header::read(&[0x80; 11]), None);
    }
}
