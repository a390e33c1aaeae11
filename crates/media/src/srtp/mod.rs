//! SRTP and SRTCP (RFC 3711, RFC 7714): packets are encrypted and authenticated in place.
//!
//! A [`Sender`] protects what one leg sends, a [`Receiver`] opens what its peer sends; each has one master
//! key. Nothing about a packet is believed before its tag fits: neither its place in the stream nor that its
//! stream exists. Nothing here allocates, but for a stream's first packet.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod aes_cm;
mod aes_gcm;
mod derive;
mod window;

use base::Pii;

use crate::{rtcp, rtp};
use aes_cm::AesCm;
use aes_gcm::AesGcm;
use window::Window;

/// Bytes that protecting a packet may add: the longest tag and the SRTCP index.
pub const OVERHEAD_MAX: usize = 16 + 4;
/// Streams that one peer may send under one key. A further one is refused until new keys come: forgetting an
/// old one would let its packets be replayed.
pub const STREAMS_MAX: usize = 32;
/// Packets of a stream under one key (RFC 3711 §9.2), and reports.
const RTP_INDEX_MAX: u64 = (1 << 48) - 1;
const RTCP_INDEX_MAX: u64 = (1 << 31) - 1;
/// Fixed header of the first report in a compound packet: never encrypted (RFC 3711 §3.4).
const REPORT_HEADER_BYTES: usize = 8;
/// The E flag: the report is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// How packets are protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suite {
    /// AES counter mode and HMAC-SHA1 with a tag of 80 bits (RFC 3711): what every telephone can.
    AesCm128HmacSha1_80,
    /// AES-GCM with a tag of 128 bits (RFC 7714): the cheaper one.
    AeadAes128Gcm,
}

/// Every suite, in our order of preference: its name in SDES and DTLS (RFC 4568 §6.2, RFC 7714 §14) and the
/// bytes of its salt. All keys have 16 bytes.
pub const SUITES: [(Suite, &str, usize); 2] = [
    (Suite::AeadAes128Gcm, "AEAD_AES_128_GCM", 12),
    (Suite::AesCm128HmacSha1_80, "AES_CM_128_HMAC_SHA1_80", 14),
];

/// A master key and its salt. Masked in `Debug`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MasterKey {
    suite: Suite,
    key: Pii<[u8; 16]>,
    /// The rest is zero where the suite's salt is shorter.
    salt: Pii<[u8; 14]>,
}

impl MasterKey {
    /// From the key followed by the salt, as SDES and DTLS-SRTP hand them over; `None` if the length is not
    /// the suite's.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<MasterKey> {
        let (_, _, salt_bytes) = SUITES.into_iter().find(|(other, ..)| *other == suite)?;
        let (key, rest) = key_and_salt.split_first_chunk::<16>()?;
        if rest.len() != salt_bytes {
            return None;
        }
        let mut salt = [0; 14];
        for (place, byte) in salt.iter_mut().zip(rest) {
            *place = *byte;
        }
        Some(MasterKey { suite, key: Pii::new(*key), salt: Pii::new(salt) })
    }

    /// What it is for.
    pub const fn suite(&self) -> Suite {
        self.suite
    }
}

/// What offer and answer agreed on, both ways.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// The peer's, under which he sends.
    pub receive: MasterKey,
    /// Ours.
    pub send: MasterKey,
}

/// Why a packet was not opened or protected. The packet's bytes are lost then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Malformed: too short, or no RTP/RTCP at all.
    Malformed,
    /// PeerMisbehaved: the tag does not fit. Somebody else wrote it, or it changed on the way.
    Forged,
    /// Its number was seen already, or is too old to know.
    Replayed,
    /// The key was used as often as it may be.
    Exhausted,
    /// More than [`STREAMS_MAX`] streams under one key.
    TooManyStreams,
}

/// Session keys of one direction.
#[derive(Debug)]
enum Cipher {
    AesCm(Box<AesCm>),
    AesGcm(Box<AesGcm>),
}

impl Cipher {
    fn new(master: &MasterKey) -> Cipher {
        match master.suite {
            Suite::AesCm128HmacSha1_80 => Cipher::AesCm(Box::new(AesCm::new(master))),
            Suite::AeadAes128Gcm => Cipher::AesGcm(Box::new(AesGcm::new(master))),
        }
    }
}

/// Where a packet is among its stream's: what the suites need beside its bytes.
#[derive(Clone, Copy, Debug)]
struct Place {
    ssrc: u32,
    /// Roll-over counter and sequence number (48 bits); for a report its own count (31 bits).
    index: u64,
    /// Bytes that stay readable.
    header: usize,
}

/// One stream under one key.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

/// Where in the stream a sequence number is, most likely (RFC 3711 appendix A). `None`: before its beginning.
fn estimate(window: Option<&Window>, sequence: u16) -> Option<u64> {
    let Some(highest) = window.and_then(Window::highest) else { return Some(u64::from(sequence)) };
    let (cycle, last) = (highest >> 16, highest & 0xFFFF);
    let number = u64::from(sequence);
    let cycle = if last < 1 << 15 {
        // Far ahead in the first half of a cycle is behind, in the cycle before.
        let is_before = number > last.saturating_add(1 << 15);
        cycle.checked_sub(u64::from(is_before))?
    } else {
        let is_after = last.saturating_sub(1 << 15) > number;
        cycle.saturating_add(u64::from(is_after))
    };
    Some((cycle << 16) | number)
}

fn place_of(packet: &[u8]) -> Result<(Place, u16), Refused> {
    let (header, bytes) = rtp::header(packet).map_err(|_| Refused::Malformed)?;
    Ok((Place { ssrc: header.ssrc, index: 0, header: bytes }, header.sequence))
}

fn report_place(packet: &[u8]) -> Result<Place, Refused> {
    let header = packet.first_chunk::<REPORT_HEADER_BYTES>().ok_or(Refused::Malformed)?;
    let [flags, _, _, _, s0, s1, s2, s3] = *header;
    if flags >> 6 != 2 || !rtp::is_rtcp(packet) {
        return Err(Refused::Malformed);
    }
    Ok(Place { ssrc: u32::from_be_bytes([s0, s1, s2, s3]), index: 0, header: REPORT_HEADER_BYTES })
}

/// Opens what a peer sends.
#[derive(Debug)]
pub struct Receiver {
    master: MasterKey,
    cipher: Cipher,
    streams: Vec<Stream>,
}

impl Receiver {
    /// For a peer who sends under this key.
    pub fn new(master: &MasterKey) -> Receiver {
        Receiver { master: master.clone(), cipher: Cipher::new(master), streams: Vec::new() }
    }

    /// The key it was made for.
    pub const fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Opens an RTP packet in place: the bytes of it that are left.
    #[inline]
    pub fn open(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let (mut place, sequence) = place_of(packet)?;
        let known = self.streams.iter_mut().find(|stream| stream.ssrc == place.ssrc);
        let window = known.as_deref().map(|stream| &stream.rtp);
        place.index = estimate(window, sequence).ok_or(Refused::Replayed)?;
        if window.is_some_and(|window| !window.is_new(place.index)) {
            return Err(Refused::Replayed);
        }
        if place.index > RTP_INDEX_MAX {
            return Err(Refused::Exhausted);
        }
        let opened = match &self.cipher {
            Cipher::AesCm(cipher) => cipher.open(place, packet),
            Cipher::AesGcm(cipher) => cipher.open(place, packet),
        }?;
        match known {
            Some(stream) => stream.rtp.note(place.index),
            None => self.meet(place.ssrc)?.rtp.note(place.index),
        }
        Ok(opened)
    }

    /// Opens a compound RTCP packet in place: the bytes of it that are left.
    pub fn open_report(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let mut place = report_place(packet)?;
        let word = match &self.cipher {
            Cipher::AesCm(_) => AesCm::report_index(packet),
            Cipher::AesGcm(_) => AesGcm::report_index(packet),
        }?;
        // We never agreed to readable reports (RFC 3711 §3.4, RFC 7714 §9.3).
        if word & ENCRYPTED == 0 {
            return Err(Refused::Forged);
        }
        place.index = u64::from(word & !ENCRYPTED);
        let known = self.streams.iter_mut().find(|stream| stream.ssrc == place.ssrc);
        if known.as_ref().is_some_and(|stream| !stream.rtcp.is_new(place.index)) {
            return Err(Refused::Replayed);
        }
        let opened = match &self.cipher {
            Cipher::AesCm(cipher) => cipher.open_report(place, packet),
            Cipher::AesGcm(cipher) => cipher.open_report(place, packet),
        }?;
        match known {
            Some(stream) => stream.rtcp.note(place.index),
            None => self.meet(place.ssrc)?.rtcp.note(place.index),
        }
        Ok(opened)
    }

    /// A stream that showed the key.
    #[cold]
    fn meet(&mut self, ssrc: u32) -> Result<&mut Stream, Refused> {
        if self.streams.len() >= STREAMS_MAX {
            return Err(Refused::TooManyStreams);
        }
        self.streams.push(Stream { ssrc, rtp: Window::default(), rtcp: Window::default() });
        self.streams.last_mut().ok_or(Refused::TooManyStreams)
    }
}

/// Protects what one leg sends: one stream.
#[derive(Debug)]
pub struct Sender {
    master: MasterKey,
    cipher: Cipher,
    sent: Window,
    next_report: u64,
}

impl Sender {
    /// For a leg that sends under this key.
    pub fn new(master: &MasterKey) -> Sender {
        Sender {
            master: master.clone(),
            cipher: Cipher::new(master),
            sent: Window::default(),
            next_report: 0,
        }
    }

    /// The key it was made for.
    pub const fn master(&self) -> &MasterKey {
        &self.master
    }

    /// Protects the RTP packet in the first `length` bytes of `buffer`, which has [`OVERHEAD_MAX`] bytes of
    /// room behind it: the new length. A number that was used already is refused: two packets under one
    /// number would tell the key stream.
    #[inline]
    pub fn protect(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, Refused> {
        let packet = buffer.get(..length).ok_or(Refused::Malformed)?;
        let (mut place, sequence) = place_of(packet)?;
        place.index = estimate(Some(&self.sent), sequence).ok_or(Refused::Replayed)?;
        if !self.sent.is_new(place.index) {
            return Err(Refused::Replayed);
        }
        if place.index > RTP_INDEX_MAX {
            return Err(Refused::Exhausted);
        }
        let protected = match &self.cipher {
            Cipher::AesCm(cipher) => cipher.protect(place, buffer, length),
            Cipher::AesGcm(cipher) => cipher.protect(place, buffer, length),
        }?;
        self.sent.note(place.index);
        Ok(protected)
    }

    /// The same for a compound RTCP packet.
    pub fn protect_report(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, Refused> {
        let packet = buffer.get(..length).ok_or(Refused::Malformed)?;
        let place = Place { index: self.next_report, ..report_place(packet)? };
        if place.index > RTCP_INDEX_MAX {
            return Err(Refused::Exhausted);
        }
        let protected = match &self.cipher {
            Cipher::AesCm(cipher) => cipher.protect_report(place, buffer, length),
            Cipher::AesGcm(cipher) => cipher.protect_report(place, buffer, length),
        }?;
        self.next_report = self.next_report.saturating_add(1);
        Ok(protected)
    }
}

/// Splits a buffer into its packet and the room behind it.
fn split<const ROOM: usize>(
    buffer: &mut [u8],
    length: usize,
) -> Result<(&mut [u8], &mut [u8; ROOM]), Refused> {
    let (packet, room) = buffer.split_at_mut_checked(length).ok_or(Refused::Malformed)?;
    Ok((packet, room.first_chunk_mut::<ROOM>().ok_or(Refused::Malformed)?))
}

/// The word that says which report of ours it is, and that it is encrypted.
#[expect(clippy::cast_possible_truncation, reason = "the index has 31 bits")]
const fn report_word(index: u64) -> [u8; 4] {
    (index as u32 | ENCRYPTED).to_be_bytes()
}

// RTCP's own reader decides what is inside an opened report; here only its first header counts.
const _: () = assert!(rtcp::REPORT_BYTES_MAX > REPORT_HEADER_BYTES);

#[cfg(test)]
mod tests;
