//! `AES_CM_128_HMAC_SHA1_80` (RFC 3711 §4.1.1, §4.2.1).

use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128Enc, Block};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::derive::{Label, derive};
use super::{MasterKey, Place, Refused, report_word, split};

/// Bytes of a tag: 80 bits.
const TAG_BYTES: usize = 10;
/// Bytes behind a report: its index and a tag.
const REPORT_TAIL_BYTES: usize = 4 + TAG_BYTES;
/// Blocks of key stream made at once: a packet of 20 ms needs ten.
const BLOCKS: usize = 8;

/// The keys of RTP, or those of RTCP.
struct Keys {
    cipher: Aes128Enc,
    salt: [u8; 14],
    /// With the key taken in already: a tag begins with a copy.
    authentication: Hmac<Sha1>,
}

/// Session keys of one direction.
pub(super) struct AesCm {
    rtp: Keys,
    rtcp: Keys,
}

impl core::fmt::Debug for AesCm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AesCm(•••)")
    }
}

impl Keys {
    fn new(key: [u8; 16], salt: [u8; 14], authentication: &[u8; 20]) -> Self {
        let authentication = Hmac::new_from_slice(authentication);
        Keys {
            cipher: Aes128Enc::new(&Array(key)),
            salt,
            // HMAC takes keys of any length.
            authentication: authentication.unwrap_or_else(|_| Hmac::new(&Array::default())),
        }
    }

    /// XORs `text` with the key stream of a packet.
    #[inline]
    fn apply(&self, place: Place, text: &mut [u8]) {
        // IV = salt · 2^16 ⊕ SSRC · 2^64 ⊕ index · 2^16; the last 16 bits count blocks.
        let mut salt = [0; 16];
        for (place, byte) in salt.iter_mut().zip(self.salt) {
            *place = byte;
        }
        let mut iv = u128::from_be_bytes(salt);
        iv ^= (u128::from(place.ssrc) << 64) ^ (u128::from(place.index) << 16);
        let mut blocks = [Block::default(); BLOCKS];
        for chunk in text.chunks_mut(BLOCKS * 16) {
            for block in blocks.iter_mut().take(chunk.len().div_ceil(16)) {
                *block = Array(iv.to_be_bytes());
                iv = iv.wrapping_add(1);
            }
            let used = blocks.get_mut(..chunk.len().div_ceil(16)).unwrap_or_default();
            self.cipher.encrypt_blocks(used);
            for (bytes, block) in chunk.chunks_mut(16).zip(used) {
                for (byte, key) in bytes.iter_mut().zip(*block) {
                    *byte ^= key;
                }
            }
        }
    }

    /// The tag of `authenticated` and of `tail` behind it.
    #[inline]
    fn tag(&self, authenticated: &[u8], tail: &[u8]) -> [u8; TAG_BYTES] {
        let mut mac = self.authentication.clone();
        mac.update(authenticated);
        mac.update(tail);
        let whole: [u8; 20] = mac.finalize().into_bytes().into();
        let (tag, _) = whole.split_first_chunk::<TAG_BYTES>().unwrap_or((&[0; TAG_BYTES], &[]));
        *tag
    }
}

/// The roll-over counter: what is authenticated though it is not sent (RFC 3711 §4.2).
#[expect(clippy::cast_possible_truncation, reason = "an index has 48 bits")]
const fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

impl AesCm {
    pub(super) fn new(master: &MasterKey) -> Self {
        AesCm {
            rtp: Keys::new(
                derive(master, Label::RtpKey),
                derive(master, Label::RtpSalt),
                &derive(master, Label::RtpAuthentication),
            ),
            rtcp: Keys::new(
                derive(master, Label::RtcpKey),
                derive(master, Label::RtcpSalt),
                &derive(master, Label::RtcpAuthentication),
            ),
        }
    }

    #[inline]
    pub(super) fn protect(&self, place: Place, buffer: &mut [u8], length: usize) -> Result<usize, Refused> {
        let (packet, room) = split::<TAG_BYTES>(buffer, length)?;
        let text = packet.get_mut(place.header..).ok_or(Refused::Malformed)?;
        self.rtp.apply(place, text);
        *room = self.rtp.tag(packet, &roll_over(place.index));
        Ok(length.saturating_add(TAG_BYTES))
    }

    #[inline]
    pub(super) fn open(&self, place: Place, packet: &mut [u8]) -> Result<usize, Refused> {
        let (packet, tag) = packet.split_last_chunk_mut::<TAG_BYTES>().ok_or(Refused::Malformed)?;
        let expected = self.rtp.tag(packet, &roll_over(place.index));
        if !bool::from(expected.ct_eq(tag)) {
            return Err(Refused::Forged);
        }
        let length = packet.len();
        let text = packet.get_mut(place.header..).ok_or(Refused::Malformed)?;
        self.rtp.apply(place, text);
        Ok(length)
    }

    /// E flag and index of a protected report.
    pub(super) fn report_index(packet: &[u8]) -> Result<u32, Refused> {
        let tail = packet.last_chunk::<REPORT_TAIL_BYTES>().ok_or(Refused::Malformed)?;
        let [i0, i1, i2, i3, ..] = *tail;
        Ok(u32::from_be_bytes([i0, i1, i2, i3]))
    }

    pub(super) fn protect_report(
        &self,
        place: Place,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<usize, Refused> {
        let (packet, room) = split::<REPORT_TAIL_BYTES>(buffer, length)?;
        self.rtcp.apply(place, packet.get_mut(place.header..).ok_or(Refused::Malformed)?);
        let word = report_word(place.index);
        let tag = self.rtcp.tag(packet, &word);
        for (place, byte) in room.iter_mut().zip(word.into_iter().chain(tag)) {
            *place = byte;
        }
        Ok(length.saturating_add(REPORT_TAIL_BYTES))
    }

    pub(super) fn open_report(&self, place: Place, packet: &mut [u8]) -> Result<usize, Refused> {
        let (packet, tag) = packet.split_last_chunk_mut::<TAG_BYTES>().ok_or(Refused::Malformed)?;
        if !bool::from(self.rtcp.tag(packet, &[]).ct_eq(tag)) {
            return Err(Refused::Forged);
        }
        let (packet, _index) = packet.split_last_chunk_mut::<4>().ok_or(Refused::Malformed)?;
        let length = packet.len();
        self.rtcp.apply(place, packet.get_mut(place.header..).ok_or(Refused::Malformed)?);
        Ok(length)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::srtp::tests::bytes;

    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        // RFC 3711 §B.2: SSRC and index are 0.
        let key = bytes("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        let salt = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let keys = Keys::new(key, salt, &[0; 20]);
        // Long enough for the count to carry: blocks 0 to 2, then 0xFEFF to 0xFF01.
        let mut stream = vec![0; 0xFF02 * 16];
        keys.apply(Place { ssrc: 0, index: 0, header: 0 }, &mut stream);
        let first = "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB\
                     41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream[..48], bytes(first));
        let last = "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE\
                    6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[0xFEFF * 16..], bytes(last));
    }
}
