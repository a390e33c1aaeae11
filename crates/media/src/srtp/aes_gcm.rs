//! `AEAD_AES_128_GCM` (RFC 7714).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::derive::{Label, derive};
use super::{MasterKey, Place, Refused, report_word, split};

/// Bytes of a tag: 128 bits.
const TAG_BYTES: usize = 16;
/// Bytes behind a report: a tag and its index.
const REPORT_TAIL_BYTES: usize = TAG_BYTES + 4;
/// The longest RTP header: 15 CSRCs and an extension. What is longer is nobody's voice.
const HEADER_BYTES_MAX: usize = 256;

/// The keys of RTP, or those of RTCP.
struct Keys {
    /// `None` if the provider has no AES-GCM: then nothing is protected and nothing opens.
    cipher: Option<LessSafeKey>,
    salt: [u8; 12],
}

/// Session keys of one direction.
pub(super) struct AesGcm {
    rtp: Keys,
    rtcp: Keys,
}

impl core::fmt::Debug for AesGcm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AesGcm(•••)")
    }
}

/// The nonce: two zero bytes, SSRC and a count of 48 bits, all masked by the salt (RFC 7714 §8.1, §9.1).
#[inline]
fn nonce(salt: &[u8; 12], place: Place) -> Nonce {
    let mut nonce = [0; 12];
    let parts = place.ssrc.to_be_bytes().into_iter().chain(place.index.to_be_bytes().into_iter().skip(2));
    for (byte, part) in nonce.iter_mut().skip(2).zip(parts) {
        *byte = part;
    }
    for (byte, salt) in nonce.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    Nonce::assume_unique_for_key(nonce)
}

impl Keys {
    fn new(key: &[u8; 16], salt: [u8; 12]) -> Self {
        Keys { cipher: UnboundKey::new(&AES_128_GCM, key).ok().map(LessSafeKey::new), salt }
    }

    #[inline]
    fn seal(&self, place: Place, header: &[u8], text: &mut [u8]) -> Result<[u8; TAG_BYTES], Refused> {
        let cipher = self.cipher.as_ref().ok_or(Refused::Malformed)?;
        let tag = cipher.seal_in_place_separate_tag(nonce(&self.salt, place), Aad::from(header), text);
        let tag = tag.map_err(|_| Refused::Malformed)?;
        tag.as_ref().first_chunk::<TAG_BYTES>().copied().ok_or(Refused::Malformed)
    }

    /// Opens `text`, which ends in its tag: the bytes that are left.
    #[inline]
    fn open(&self, place: Place, header: &[u8], text: &mut [u8]) -> Result<usize, Refused> {
        let cipher = self.cipher.as_ref().ok_or(Refused::Malformed)?;
        let opened = cipher.open_in_place(nonce(&self.salt, place), Aad::from(header), text);
        opened.map(|plain| plain.len()).map_err(|_| Refused::Forged)
    }
}

/// A report's header and its index word: what is authenticated and stays readable (RFC 7714 §9.2).
fn report_header(header: &[u8], word: [u8; 4]) -> [u8; 12] {
    let mut out = [0; 12];
    for (place, byte) in out.iter_mut().zip(header.iter().copied().take(8).chain(word)) {
        *place = byte;
    }
    out
}

impl AesGcm {
    pub(super) fn new(master: &MasterKey) -> Self {
        AesGcm {
            rtp: Keys::new(&derive(master, Label::RtpKey), derive(master, Label::RtpSalt)),
            rtcp: Keys::new(&derive(master, Label::RtcpKey), derive(master, Label::RtcpSalt)),
        }
    }

    #[inline]
    pub(super) fn protect(&self, place: Place, buffer: &mut [u8], length: usize) -> Result<usize, Refused> {
        let (packet, room) = split::<TAG_BYTES>(buffer, length)?;
        let (header, text) = packet.split_at_mut_checked(place.header).ok_or(Refused::Malformed)?;
        if header.len() > HEADER_BYTES_MAX {
            return Err(Refused::Malformed);
        }
        *room = self.rtp.seal(place, header, text)?;
        Ok(length.saturating_add(TAG_BYTES))
    }

    #[inline]
    pub(super) fn open(&self, place: Place, packet: &mut [u8]) -> Result<usize, Refused> {
        let (header, text) = packet.split_at_mut_checked(place.header).ok_or(Refused::Malformed)?;
        if header.len() > HEADER_BYTES_MAX || text.len() < TAG_BYTES {
            return Err(Refused::Malformed);
        }
        Ok(header.len().saturating_add(self.rtp.open(place, header, text)?))
    }

    /// E flag and index of a protected report.
    pub(super) fn report_index(packet: &[u8]) -> Result<u32, Refused> {
        packet.last_chunk::<4>().map(|word| u32::from_be_bytes(*word)).ok_or(Refused::Malformed)
    }

    pub(super) fn protect_report(
        &self,
        place: Place,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<usize, Refused> {
        let (packet, room) = split::<REPORT_TAIL_BYTES>(buffer, length)?;
        let (header, text) = packet.split_at_mut_checked(place.header).ok_or(Refused::Malformed)?;
        let word = report_word(place.index);
        let tag = self.rtcp.seal(place, &report_header(header, word), text)?;
        for (place, byte) in room.iter_mut().zip(tag.into_iter().chain(word)) {
            *place = byte;
        }
        Ok(length.saturating_add(REPORT_TAIL_BYTES))
    }

    pub(super) fn open_report(&self, place: Place, packet: &mut [u8]) -> Result<usize, Refused> {
        let (packet, word) = packet.split_last_chunk_mut::<4>().ok_or(Refused::Malformed)?;
        let (header, text) = packet.split_at_mut_checked(place.header).ok_or(Refused::Malformed)?;
        if text.len() < TAG_BYTES {
            return Err(Refused::Malformed);
        }
        let opened = self.rtcp.open(place, &report_header(header, *word), text)?;
        Ok(header.len().saturating_add(opened))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::srtp::tests::bytes;

    /// The keys of RFC 7714 §16 and §17: session keys, not derived from anything.
    fn keys() -> AesGcm {
        let key = bytes("000102030405060708090A0B0C0D0E0F").try_into().unwrap();
        let keys = || Keys::new(&key, *b"Quid pro quo");
        AesGcm { rtp: keys(), rtcp: keys() }
    }

    #[test]
    fn a_packet_of_the_rfc() {
        // RFC 7714 §16.1.1.
        let plain = bytes(
            "8040F17B8041F8D35501A0B2\
             47616C6C696120657374206F6D6E697320646976697361\
             20696E207061727465732074726573",
        );
        let protected = bytes(
            "8040F17B8041F8D35501A0B2\
             F24DE3A3FB34DE6CACBA861C9D7E4BCABE633BD50D294E6F42A5F47A51C7D19B36DE3ADF8833\
             899D7F27BEB16A9152CF765EE4390CCE",
        );
        let place = Place { ssrc: 0x5501_A0B2, index: 0xF17B, header: 12 };
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + TAG_BYTES, 0);
        assert_eq!(keys().protect(place, &mut buffer, plain.len()), Ok(protected.len()));
        assert_eq!(buffer, protected);
        assert_eq!(keys().open(place, &mut buffer), Ok(plain.len()));
        assert_eq!(buffer[..plain.len()], plain);
    }

    #[test]
    fn a_report_of_the_rfc() {
        // RFC 7714 §17.1.
        let plain = bytes(
            "81C8000D4D617273\
             4E545031 4E545032 52545020 0000042A 0000E930 4C756E61\
             DEADBEEF DEADBEEF DEADBEEF DEADBEEF DEADBEEF",
        );
        let protected = bytes(
            "81C8000D4D617273\
             63E94885 DCDAB67C A727D766 2F6B7E99 7FF5C0F7 6C06F32D C676A5F1 730D6FDA 4CE09B46 86303DED\
             0BB9275B C84AA458 96CF4D2F C5ABF872 45D9EADE 800005D4",
        );
        let place = Place { ssrc: 0x4D61_7273, index: 0x5D4, header: 8 };
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + REPORT_TAIL_BYTES, 0);
        assert_eq!(keys().protect_report(place, &mut buffer, plain.len()), Ok(protected.len()));
        assert_eq!(buffer, protected);
        assert_eq!(AesGcm::report_index(&buffer), Ok(0x8000_05D4));
        assert_eq!(keys().open_report(place, &mut buffer), Ok(plain.len()));
        assert_eq!(buffer[..plain.len()], plain);
    }
}
