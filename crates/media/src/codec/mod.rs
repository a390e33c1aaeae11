//! The codecs we speak: one file each and one row in [`TABLE`].
//!
//! G.711 and G.722 have an RTP clock of 8 kHz and 8 bytes per millisecond (G.722 too: RFC 3551 §4.5.2
//! keeps the clock of an old mistake), so 20 ms are 160 bytes and 160 timestamp units. Opus has packets of
//! any length and a clock of 48 kHz (RFC 7587 §4.1).

mod g711;
pub mod g722;
pub mod opus;
pub mod pcma;
pub mod pcmu;

use core::fmt;

use crate::dsp::Rate;

/// Milliseconds of audio in a packet that we make ourselves.
pub const FRAME_MS: u32 = 20;
/// Payload bytes of a packet that we make ourselves, in a codec of 8 bytes per millisecond.
pub const FRAME_BYTES: usize = 160;
/// Payload bytes of a packet that we make ourselves, at most, in any codec.
pub const FRAME_BYTES_MAX: usize = 320;
/// Payload bytes that a packet of a peer's may have to be decoded. 160 ms of G.711: more is nobody's voice.
pub const PAYLOAD_BYTES_MAX: usize = 1_280;
/// Samples that such a packet can hold: G.722's, which has two in a byte. Opus's longest has fewer (120 ms).
pub const PACKET_SAMPLES_MAX: usize = 2 * PAYLOAD_BYTES_MAX;

/// A codec that a leg can speak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    /// G.711 A-law: Europe, China, most carriers.
    Pcma,
    /// G.711 µ-law: North America, Japan.
    Pcmu,
    /// G.722 at 64 kbit/s: wideband.
    G722,
    /// Opus: browsers and softphones.
    Opus,
}

/// What distinguishes one codec from another.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Which.
    pub codec: Codec,
    /// Encoding name in `a=rtpmap` (RFC 3551, RFC 7587), compared without regard to case.
    pub name: &'static str,
    /// Payload type: the static one (RFC 3551 table 4), or the dynamic one that our first offers use.
    pub payload_type: u8,
    /// Whether the number means this codec without an `a=rtpmap`.
    pub is_static: bool,
    /// RTP timestamp units per second.
    pub clock_hz: u32,
    /// Channels in `a=rtpmap`, where it must name them (RFC 7587 §7); 1 is not written.
    pub channels: u8,
    /// Bytes per millisecond, where audio may be cut between any two bytes; `None`: packets are whole.
    pub bytes_per_ms: Option<usize>,
    /// 20 ms that sound like nothing.
    pub silence: &'static [u8],
    /// The rate of what it can carry.
    pub rate: Rate,
    /// A decoder from silence that makes samples at the rate asked for, if it can; or at its own. `None` if
    /// there is no memory.
    pub decoder: fn(Rate) -> Option<Box<dyn Decoder>>,
    /// An encoder from silence that takes samples at the rate asked for, if it can; or at its own.
    pub encoder: fn(Rate, &opus::Parameters) -> Option<Box<dyn Encoder>>,
}

/// A payload that is not what its payload type says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// One stream's decoder. Does not allocate.
pub trait Decoder: Send + fmt::Debug {
    /// Of the samples it makes.
    fn rate(&self) -> Rate;

    /// The samples of a packet's payload: how many, at the beginning of `out`, which has room for
    /// [`PACKET_SAMPLES_MAX`].
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, Malformed>;

    /// Fills `out` with what a lost packet may have sounded like. `next` is the packet right behind the gap,
    /// if it is there. False: it does not know how.
    fn conceal(&mut self, _next: Option<&[u8]>, _out: &mut [i16]) -> bool {
        false
    }
}

/// One stream's encoder. Does not allocate.
pub trait Encoder: Send + fmt::Debug {
    /// Of the samples it takes.
    fn rate(&self) -> Rate;

    /// The payload of 20 ms of samples: how many bytes, at the beginning of `out`, which has room for
    /// [`FRAME_BYTES_MAX`]. 0: nothing is to be sent.
    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize;

    /// The peer reported this share of packets lost.
    fn peer_loses(&mut self, _share: f32) {}
}

/// Every codec, in our order of preference.
pub static TABLE: [Info; 4] = [pcma::INFO, pcmu::INFO, g722::INFO, opus::INFO];

impl Codec {
    /// The codec's row.
    pub const fn info(self) -> &'static Info {
        match self {
            Codec::Pcma => &TABLE[0],
            Codec::Pcmu => &TABLE[1],
            Codec::G722 => &TABLE[2],
            Codec::Opus => &TABLE[3],
        }
    }

    /// The codec that owns a static payload type.
    pub fn from_static(payload_type: u8) -> Option<Codec> {
        let owns = |info: &&Info| info.is_static && info.payload_type == payload_type;
        TABLE.iter().find(owns).map(|info| info.codec)
    }

    /// The codec of a name, in letters of any case.
    pub fn from_name(name: &str) -> Option<Codec> {
        TABLE.iter().find(|info| info.name.eq_ignore_ascii_case(name)).map(|info| info.codec)
    }

    /// The codec of an `a=rtpmap` encoding, e.g. `pcma` at 8000 Hz.
    pub fn from_rtpmap(name: &str, clock_hz: u32) -> Option<Codec> {
        Codec::from_name(name).filter(|codec| codec.info().clock_hz == clock_hz)
    }

    /// Timestamp units of 20 ms.
    pub const fn frame_units(self) -> u32 {
        self.info().clock_hz / (1_000 / FRAME_MS)
    }

    /// Timestamp units of a payload.
    pub fn units(self, payload: &[u8]) -> u32 {
        match self {
            Codec::Opus => opus::units(payload),
            Codec::Pcma | Codec::Pcmu | Codec::G722 => u32::try_from(payload.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether `other` is said in the same bytes, or in bytes that a table turns into them.
    pub fn is_twin(self, other: Codec) -> bool {
        conversion(self, other) != Conversion::Decode
    }
}

/// How a payload of one codec becomes a payload of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversion {
    /// It already is.
    Same,
    /// Byte by byte through a table.
    Table(&'static [u8; 256]),
    /// Through samples.
    Decode,
}

/// The way from `from` to `to`.
pub const fn conversion(from: Codec, to: Codec) -> Conversion {
    match (from, to) {
        (Codec::Pcma, Codec::Pcma)
        | (Codec::Pcmu, Codec::Pcmu)
        | (Codec::G722, Codec::G722)
        | (Codec::Opus, Codec::Opus) => Conversion::Same,
        (Codec::Pcma, Codec::Pcmu) => Conversion::Table(&pcma::TO_PCMU),
        (Codec::Pcmu, Codec::Pcma) => Conversion::Table(&pcmu::TO_PCMA),
        (Codec::G722 | Codec::Opus, _) | (_, Codec::G722 | Codec::Opus) => Conversion::Decode,
    }
}

#[cfg(test)]
mod tests;
