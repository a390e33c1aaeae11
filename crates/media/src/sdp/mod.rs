//! SDP (RFC 8866) and its offer/answer model (RFC 3264), for one audio stream.
//!
//! [`parse`] takes any bytes and keeps what it does not know; [`Session::to_bytes`] prints.
//! [`offer`], [`reoffer`], [`answer`] and [`accept_answer`] agree on codec, addresses and direction.

mod negotiate;
mod parse;
mod print;
mod target;

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::Codec;
use crate::codec::opus::Parameters;

pub use negotiate::{accept_answer, answer, offer, reoffer};
pub use parse::parse;
pub use target::{TargetRefused, check_target};

/// Bytes that a session description may have.
pub const BYTES_MAX: usize = 64 * 1024;
/// `m=` lines that a session description may have.
pub const MEDIA_MAX: usize = 32;
/// `a=` lines that the session, or one medium, may have.
pub const ATTRIBUTES_MAX: usize = 256;
/// Formats that one `m=` line may name.
pub const FORMATS_MAX: usize = 64;
/// Payload type of telephone-event in our offers (what most of the world uses), and of that which has the
/// clock of Opus.
pub const DTMF_PAYLOAD_TYPE: u8 = 101;
const DTMF_48K_PAYLOAD_TYPE: u8 = 110;

/// A session description. What is of no use to us (times, bandwidths, keys) is not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// `o=`: who made it, and which version of it this is.
    pub origin: Origin,
    /// `c=` of the session, which a medium's own overrides.
    pub connection: Option<IpAddr>,
    /// Session-level `a=`.
    pub attributes: Vec<Attribute>,
    /// `m=` lines in their order, which an answer keeps.
    pub media: Vec<Media>,
}

/// `o=`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// `sess-id`, digits. Kept as text: some peers write more digits than 64 bits hold.
    pub session_id: String,
    /// `sess-version`, digits.
    pub version: String,
    /// The maker's address; a host name is read as "unspecified".
    pub address: IpAddr,
}

/// `a=name` or `a=name:value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// A token.
    pub name: String,
    /// After the colon.
    pub value: Option<String>,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Media {
    /// `audio`, `video`, …
    pub kind: String,
    /// 0 = refused or switched off.
    pub port: u16,
    /// `RTP/AVP`, …
    pub protocol: String,
    /// Payload types, or other words for other protocols.
    pub formats: Vec<String>,
    /// The medium's own `c=`.
    pub connection: Option<IpAddr>,
    /// The medium's `a=`.
    pub attributes: Vec<Attribute>,
}

/// Who may send (RFC 3264 §5.1), seen from the side that says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send, the peer listens.
    SendOnly,
    /// We listen, the peer sends.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// From the two questions.
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether we may send.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether we may hear something.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same, seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Direction::new(self.receives(), self.sends())
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Direction::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The attribute's name.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The direction of an attribute's name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|direction| direction.name() == name)
    }
}

/// What we bring to an offer or an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalMedia {
    /// Where we listen.
    pub address: IpAddr,
    /// RTP port; RTCP is the next one unless muxed.
    pub rtp_port: u16,
    /// `o=` session id: one per dialog, the same for its whole life.
    pub session_id: u64,
    /// `o=` version: count it up with every changed offer or answer of the dialog (RFC 3264 §8).
    pub version: u64,
    /// What we may speak, best first. An answer takes the first of these that the offer has.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone-event in our offers: [`DTMF_PAYLOAD_TYPE`] at first, later what the
    /// dialog already uses (RFC 3264 §8.3.2 forbids to give a number a new meaning).
    pub dtmf_payload_type: u8,
    /// What we are ready to do: `SendRecv`, or less while the other leg holds.
    pub direction: Direction,
    /// Whether our offers propose rtcp-mux. An answer agrees to it whenever it is offered.
    pub rtcp_mux: bool,
    /// Sockets of ours at which no peer may aim media: SIP listeners, the console.
    pub own: Arc<[SocketAddr]>,
}

impl LocalMedia {
    /// A first offer's or answer's media: both directions, usual numbers.
    pub fn new(address: IpAddr, rtp_port: u16, session_id: u64, codecs: Vec<Codec>) -> Self {
        LocalMedia {
            address,
            rtp_port,
            session_id,
            version: 1,
            codecs,
            dtmf_payload_type: DTMF_PAYLOAD_TYPE,
            direction: Direction::SendRecv,
            rtcp_mux: false,
            own: Arc::from([]),
        }
    }
}

/// What offer and answer agreed on, for [`crate::Command::SetRemote`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Negotiated {
    /// Where we send RTP. The unspecified address while the peer holds the RFC 2543 way (`c=0.0.0.0`).
    pub remote: SocketAddr,
    /// Where we send RTCP; equal to `remote` when muxed.
    pub remote_rtcp: SocketAddr,
    /// What we send.
    pub codec: Codec,
    /// The payload type under which we send it.
    pub payload_type: u8,
    /// What the peer may send us, by payload type; the first is what he will most likely use.
    pub accepted: Vec<(u8, Codec)>,
    /// The payload type under which we send telephone-event, if the peer takes it.
    pub dtmf_payload_type: Option<u8>,
    /// The payload type under which the peer sends telephone-event.
    pub dtmf_payload_type_in: Option<u8>,
    /// Timestamp units per second of telephone-event, both ways.
    pub dtmf_clock_hz: u32,
    /// What the peer says about the codec that we send, if it is one about which there is something to say.
    pub parameters: Parameters,
    /// Milliseconds per packet the peer asked for; 20 if he did not.
    pub ptime_ms: u16,
    /// Who may send, seen from us.
    pub direction: Direction,
    /// RTP and RTCP on one port.
    pub rtcp_mux: bool,
}

impl Negotiated {
    /// What two agree on that speak `codec` under its usual payload type and tell digits as telephone-event 101: frames of
    /// 20 ms both ways, RTCP at the next port (RFC 3550 §11). For who needs no offer to know.
    pub fn plain(remote: SocketAddr, codec: Codec) -> Negotiated {
        let info = codec.info();
        Negotiated {
            remote,
            remote_rtcp: SocketAddr::new(remote.ip(), remote.port().saturating_add(1)),
            codec,
            payload_type: info.payload_type,
            accepted: vec![(info.payload_type, codec)],
            dtmf_payload_type: Some(101),
            dtmf_payload_type_in: Some(101),
            dtmf_clock_hz: info.clock_hz,
            parameters: Parameters::default(),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            rtcp_mux: false,
        }
    }
}

/// Why bytes are no session description that we can work with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SdpError {
    /// Not SDP: the line (from 1) that broke the grammar.
    Malformed {
        /// Line number.
        line: u32,
    },
    /// Legal, and not for us: a host name or another network in `c=`.
    Unsupported {
        /// Line number.
        line: u32,
    },
    /// More than [`BYTES_MAX`], [`MEDIA_MAX`], [`ATTRIBUTES_MAX`] or [`FORMATS_MAX`].
    TooLarge,
}

/// Why two descriptions have no call in common: 488 (RFC 3261 §21.4.26).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incompatible {
    /// Unsupported: no audio over `RTP/AVP` in it.
    NoAudio,
    /// Unsupported: no codec of ours in it.
    NoCommonCodec,
    /// The peer refused our audio (port 0 in his answer).
    Refused,
    /// PeerMisbehaved: the answer's `m=` lines are not those of the offer (RFC 3264 §6).
    OtherMedia,
    /// PeerMisbehaved: he aims media at somebody who must not get any.
    Target(TargetRefused),
    /// Unsupported: his address is of a family in which we have no address.
    AddressFamily,
}
