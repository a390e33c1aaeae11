//! What a telephone says and hears: a tone whose packets tell who speaks and when, digits by RFC 4733,
//! and an ear that counts.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::Rng;
use tokio::time::Instant;
use usher_load::rtp::{HEADER_BYTES, PAYLOAD_BYTES, Probe, realtime_nanos};

use super::sdp;
use super::wire::Wire;

/// A packet of voice.
pub(super) const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: u32 = 160;
/// The other person has stopped speaking when nothing of him came for so long.
const SILENCE: Duration = Duration::from_millis(500);
/// Packets of one digit: 100 ms of tone, then its end three times (RFC 4733 §2.5.1.4).
const DIGIT_PACKETS: u32 = 8;
const DIGIT_ENDS: u32 = 3;
/// Frames of voice after a digit, before the next.
const DIGIT_GAP: u32 = 4;

/// What changed in the ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Another telephone of this program is heard for the first time.
    Starts,
    /// It is heard no more.
    Ends,
}

/// What was heard in one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// Packets of any voice: prompts, music, people.
    pub(super) packets: u64,
    /// Packets that never came, by sequence number.
    pub(super) lost: u64,
    /// Packets of the other person.
    pub(super) person_packets: u64,
    /// Who it was.
    pub(super) person: Option<u32>,
    /// From mouth to ear, in microseconds.
    pub(super) delays_us: Vec<u64>,
    sequence: Option<(u32, u16)>,
    last: Option<Instant>,
}

/// The voice of one call.
pub(super) struct Voice {
    /// Number of this voice among all.
    pub(super) id: u32,
    pub(super) heard: Heard,
    wire: Wire,
    remote: Option<SocketAddr>,
    digits_type: u8,
    frame: [u8; PAYLOAD_BYTES],
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    number: u32,
    keys: VecDeque<u8>,
    key: Option<Key>,
    next: Instant,
}

/// A digit on its way.
struct Key {
    event: u8,
    timestamp: u32,
    packet: u32,
}

impl Key {
    fn new(key: u8, timestamp: u32) -> Option<Key> {
        let event = match key {
            b'0'..=b'9' => key - b'0',
            b'*' => 10,
            b'#' => 11,
            _ => return None,
        };
        Some(Key { event, timestamp, packet: 0 })
    }
}

impl Voice {
    /// A voice of `hertz` (a multiple of 50, so that each packet holds whole waves) at `address`.
    pub(super) fn open(address: IpAddr, id: u32, hertz: u32, rng: &mut Rng) -> io::Result<Voice> {
        Ok(Voice {
            id,
            heard: Heard::default(),
            wire: Wire::open(address)?,
            remote: None,
            digits_type: sdp::DIGITS,
            frame: tone(hertz),
            ssrc: rng.next_u32(),
            sequence: rng.next_u32().to_le_bytes()[0].into(),
            timestamp: rng.next_u32(),
            number: 0,
            keys: VecDeque::new(),
            key: None,
            next: Instant::now(),
        })
    }

    pub(super) fn here(&self) -> SocketAddr {
        self.wire.here()
    }

    /// Speaks from now on to where the SDP in `body` says, if there is one.
    pub(super) fn speak_as_told(&mut self, body: &[u8]) {
        let told = std::str::from_utf8(body).ok().and_then(sdp::remote);
        let Some((remote, digits_type)) = told else { return };
        if self.remote.is_none() {
            self.next = Instant::now();
        }
        self.remote = Some(remote);
        self.digits_type = digits_type.unwrap_or(sdp::DIGITS);
    }

    /// Presses keys, one after the other.
    pub(super) fn press(&mut self, keys: &str) {
        self.keys.extend(keys.bytes());
    }

    /// When [`Voice::tick`] is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.remote.map(|_| self.next)
    }

    /// The next datagram.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wire.receive(buffer).await
    }

    /// Sends the packet that is due.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Change> {
        let remote = self.remote?;
        if now < self.next {
            return None;
        }
        let mut packet = [0; HEADER_BYTES + PAYLOAD_BYTES];
        if self.key.is_none() {
            self.key = self.keys.pop_front().and_then(|key| Key::new(key, self.timestamp));
        }
        let length =
            if self.key.is_some() { self.write_key(&mut packet) } else { self.write_voice(&mut packet) };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES);
        self.wire.send(packet.get(..length).unwrap_or_default(), remote);
        self.next += FRAME;
        if now.saturating_duration_since(self.next) > Duration::from_millis(200) {
            self.next = now + FRAME;
        }
        self.heard.falls_silent(now)
    }

    fn write_key(&mut self, packet: &mut [u8]) -> usize {
        let Some(key) = &mut self.key else { return 0 };
        if key.packet >= DIGIT_PACKETS {
            key.packet += 1;
            if key.packet >= DIGIT_PACKETS + DIGIT_GAP {
                self.key = None;
            }
            return self.write_voice(packet);
        }
        let toning = DIGIT_PACKETS - DIGIT_ENDS;
        let duration = (key.packet.min(toning - 1) + 1) * FRAME_SAMPLES;
        let end = if key.packet >= toning { 0x80 } else { 0 };
        let [.., high, low] = duration.to_be_bytes();
        let marker = if key.packet == 0 { 0x80 } else { 0 };
        let (event, timestamp) = (key.event, key.timestamp);
        key.packet += 1;
        self.write_header(packet, marker | self.digits_type, timestamp);
        if let Some(payload) = packet.get_mut(HEADER_BYTES..HEADER_BYTES + 4) {
            payload.copy_from_slice(&[event, end | 10, high, low]);
        }
        HEADER_BYTES + 4
    }

    fn write_voice(&mut self, packet: &mut [u8]) -> usize {
        let marker = if self.number == 0 { 0x80 } else { 0 };
        self.write_header(packet, marker | 8, self.timestamp);
        let mut payload = self.frame;
        Probe { stream: self.id, number: self.number, lap: 0, sent_nanos: realtime_nanos() }
            .write(&mut payload);
        self.number = self.number.wrapping_add(1);
        if let Some(room) = packet.get_mut(HEADER_BYTES..) {
            room.copy_from_slice(&payload);
        }
        HEADER_BYTES + PAYLOAD_BYTES
    }

    fn write_header(&self, packet: &mut [u8], marked_type: u8, timestamp: u32) {
        if let Some(header) = packet.first_chunk_mut::<HEADER_BYTES>() {
            header[0] = 0x80;
            header[1] = marked_type;
            header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
            header[4..8].copy_from_slice(&timestamp.to_be_bytes());
            header[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        }
    }
}

impl Heard {
    /// Takes in one packet.
    pub(super) fn packet(&mut self, packet: &[u8]) -> Option<Change> {
        let (header, payload) = packet.split_first_chunk::<HEADER_BYTES>()?;
        if header[0] >> 6 != 2 {
            return None;
        }
        let sequence = u16::from_be_bytes([header[2], header[3]]);
        let ssrc = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        self.count_loss(ssrc, sequence);
        if header[1] & 0x7f != 8 {
            return None;
        }
        self.packets += 1;
        let probe = Probe::read(payload)?;
        self.person_packets += 1;
        let first = self.last.is_none();
        self.last = Some(Instant::now());
        self.person = Some(probe.stream);
        // One in ten is enough to know the delay.
        if probe.number.is_multiple_of(10) {
            self.delays_us.push(realtime_nanos().saturating_sub(probe.sent_nanos) / 1000);
        }
        first.then_some(Change::Starts)
    }

    /// A gap counts as lost; a packet that comes late after all takes one back.
    fn count_loss(&mut self, ssrc: u32, sequence: u16) {
        match self.sequence {
            Some((same, highest)) if same == ssrc => {
                let ahead = sequence.wrapping_sub(highest);
                if (1..0x8000).contains(&ahead) {
                    self.lost += u64::from(ahead) - 1;
                    self.sequence = Some((ssrc, sequence));
                } else if ahead != 0 {
                    self.lost = self.lost.saturating_sub(1);
                }
            }
            _ => self.sequence = Some((ssrc, sequence)),
        }
    }

    fn falls_silent(&mut self, now: Instant) -> Option<Change> {
        self.last.take_if(|last| now.saturating_duration_since(*last) > SILENCE)?;
        Some(Change::Ends)
    }
}

/// 20 ms of a sine in G.711 A-law.
fn tone(hertz: u32) -> [u8; PAYLOAD_BYTES] {
    let mut frame = [0; PAYLOAD_BYTES];
    for (n, byte) in (0_u32..).zip(&mut frame) {
        let angle = f64::from(n * hertz) / 8000.0 * std::f64::consts::TAU;
        #[expect(clippy::cast_possible_truncation, reason = "within ±6000")]
        let sample = (angle.sin() * 6000.0) as i16;
        *byte = media::codec::pcma::encode(sample);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice_packet(sequence: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 8];
        packet.extend(sequence.to_be_bytes());
        packet.extend([0; 8]);
        packet.extend([0xd5; 160]);
        packet
    }

    #[test]
    fn gaps_are_lost_and_late_packets_are_not() {
        let mut heard = Heard::default();
        for sequence in [65_534, 65_535, 1, 4, 3] {
            heard.packet(&voice_packet(sequence));
        }
        assert_eq!((heard.packets, heard.lost), (5, 2));
    }

    #[test]
    fn a_person_starts_and_ends() {
        let mut payload = tone(800);
        Probe { stream: 7, number: 0, lap: 0, sent_nanos: realtime_nanos() }.write(&mut payload);
        let mut packet = voice_packet(1);
        packet[12..].copy_from_slice(&payload);
        let mut heard = Heard::default();
        assert_eq!(heard.packet(&packet), Some(Change::Starts));
        assert_eq!(heard.packet(&packet), None);
        let now = Instant::now();
        assert_eq!(heard.falls_silent(now), None);
        assert_eq!(heard.falls_silent(now + Duration::from_secs(1)), Some(Change::Ends));
        assert_eq!(heard.person, Some(7));
    }
}
