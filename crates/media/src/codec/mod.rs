//! The codecs we speak: one file each and one row in [`TABLE`].
//!
//! All of them have an RTP clock of 8 kHz and 8 bytes per millisecond (G.722 too: RFC 3551 §4.5.2
//! keeps the clock of an old mistake), so 20 ms are 160 bytes and 160 timestamp units.

pub mod g722;
pub mod pcma;
pub mod pcmu;

/// RTP timestamp units per second, of every codec in the table.
pub const RTP_CLOCK_HZ: u32 = 8_000;
/// Milliseconds of audio in a packet that we make ourselves.
pub const FRAME_MS: u32 = 20;
/// Payload bytes, and timestamp units, of a packet that we make ourselves.
pub const FRAME_BYTES: usize = 160;

/// A codec that a leg can speak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    /// G.711 A-law: Europe, China, most carriers.
    Pcma,
    /// G.711 µ-law: North America, Japan.
    Pcmu,
    /// G.722 at 64 kbit/s: wideband. Passed through and played, never transcoded.
    G722,
}

/// What distinguishes one codec from another.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Which.
    pub codec: Codec,
    /// Encoding name in `a=rtpmap` (RFC 3551), compared without regard to case.
    pub name: &'static str,
    /// Static payload type (RFC 3551 table 4).
    pub payload_type: u8,
    /// 20 ms that sound like nothing.
    pub silence: &'static [u8; FRAME_BYTES],
}

/// Every codec, in our order of preference.
pub static TABLE: [Info; 3] = [pcma::INFO, pcmu::INFO, g722::INFO];

impl Codec {
    /// The codec's row.
    pub const fn info(self) -> &'static Info {
        match self {
            Codec::Pcma => &TABLE[0],
            Codec::Pcmu => &TABLE[1],
            Codec::G722 => &TABLE[2],
        }
    }

    /// The codec that owns a static payload type.
    pub fn from_static(payload_type: u8) -> Option<Codec> {
        TABLE.iter().find(|info| info.payload_type == payload_type).map(|info| info.codec)
    }

    /// The codec of an `a=rtpmap` encoding, e.g. `pcma` at 8000 Hz.
    pub fn from_rtpmap(name: &str, clock_hz: u32) -> Option<Codec> {
        let same = |info: &&Info| info.name.eq_ignore_ascii_case(name) && clock_hz == RTP_CLOCK_HZ;
        TABLE.iter().find(same).map(|info| info.codec)
    }
}

/// How a payload of one codec becomes a payload of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversion {
    /// It already is.
    Same,
    /// Byte by byte through a table.
    Table(&'static [u8; 256]),
    /// Not by us: the legs should have been given a common codec.
    Impossible,
}

/// The way from `from` to `to`.
pub const fn conversion(from: Codec, to: Codec) -> Conversion {
    match (from, to) {
        (Codec::Pcma, Codec::Pcma) | (Codec::Pcmu, Codec::Pcmu) | (Codec::G722, Codec::G722) => {
            Conversion::Same
        }
        (Codec::Pcma, Codec::Pcmu) => Conversion::Table(&pcma::TO_PCMU),
        (Codec::Pcmu, Codec::Pcma) => Conversion::Table(&pcmu::TO_PCMA),
        (Codec::G722, _) | (_, Codec::G722) => Conversion::Impossible,
    }
}

#[cfg(test)]
mod tests;
