//! What the owner can ask of the endpoint, as values.

use core::net::SocketAddr;

use base::{AgentKey, Instant, Pii, TrunkKey};
use bytes::Bytes;

use super::event::Reason;
use super::io::Flow;

/// An INVITE to send.
#[derive(Clone, Debug)]
pub struct OutgoingInvite {
    /// Whom to call.
    pub target: OutTarget,
    /// User of From.
    pub from_user: Pii<String>,
    /// Display name of From.
    pub from_display: Option<Pii<String>>,
    /// P-Asserted-Identity user; sent to trunks whose identity is trusted, and to agents.
    pub asserted: Option<Pii<String>>,
    /// Whether Privacy: id is asked for (then From is anonymous, RFC 3323).
    pub privacy: bool,
    /// The offer; `None`: the peer shall offer.
    pub sdp: Option<Bytes>,
    /// Max-Forwards: that of the INVITE this one follows from, less one; else 70.
    pub max_forwards: u8,
    /// Header fields to add, name and value. A value with CR or LF is [`ApiError::UnprintableHeader`].
    pub headers: Vec<(&'static str, String)>,
}

impl OutgoingInvite {
    /// An INVITE with nothing but the necessary.
    pub fn new(target: OutTarget, from_user: impl Into<String>, sdp: Option<Bytes>) -> Self {
        OutgoingInvite {
            target,
            from_user: Pii::new(from_user.into()),
            from_display: None,
            asserted: None,
            privacy: false,
            sdp,
            max_forwards: 70,
            headers: Vec::new(),
        }
    }
}

/// Whom to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutTarget {
    /// An agent's best contact (highest q, then newest). To ring all of them, one leg for each of
    /// [`super::Endpoint::bindings`].
    Agent(AgentKey),
    /// One contact of an agent.
    Contact(AgentKey, BindingKey),
    /// A number behind a trunk.
    Trunk(TrunkKey, Pii<String>),
}

/// A registered contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingKey(pub u64);

/// One registered contact of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its key.
    pub key: BindingKey,
    /// Contact URI as registered.
    pub uri: Pii<Bytes>,
    /// The way its requests go: the registration's.
    pub flow: Flow,
    /// When it ends.
    pub expires_at: Instant,
    /// Preference in thousandths, 0-1000.
    pub q_milli: u16,
    /// User-Agent of the phone.
    pub product: Option<String>,
}

impl Binding {
    /// The phone's address.
    pub fn remote(&self) -> SocketAddr {
        self.flow.remote
    }
}

/// A refusal of an INVITE, re-INVITE or UPDATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Status, 400-699.
    pub code: u16,
    /// Retry-After, seconds.
    pub retry_after_s: Option<u32>,
    /// Reason header.
    pub reason: Option<Reason>,
}

impl Rejection {
    /// A refusal with a status and nothing else.
    pub const fn code(code: u16) -> Self {
        Rejection { code, retry_after_s: None, reason: None }
    }
}

/// The owner asked for what cannot be: `ApiMisuse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// No such leg, or it is not in a state for this.
    NoSuchLeg,
    /// No such trunk, or it has no gateway.
    NoSuchTrunk,
    /// The agent has no contact.
    NotRegistered,
    /// `legs_max` is reached.
    LegsFull,
    /// No listener can reach the target.
    NoListener,
    /// A header holds CR, LF or NUL.
    UnprintableHeader,
    /// Draining: no new calls.
    Draining,
}

impl ApiError {
    /// Whether it is ours to bear: a table is full, and what was asked for may succeed later.
    pub const fn is_shortage(self) -> bool {
        matches!(self, ApiError::LegsFull)
    }
}

impl core::fmt::Display for ApiError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            ApiError::NoSuchLeg => "no such leg, or not in a state for this",
            ApiError::NoSuchTrunk => "no such trunk, or it has no gateway",
            ApiError::NotRegistered => "the agent has no contact",
            ApiError::LegsFull => "too many legs",
            ApiError::NoListener => "no listener reaches the target",
            ApiError::UnprintableHeader => "a header value holds CR, LF or NUL",
            ApiError::Draining => "draining: no new calls",
        })
    }
}

impl core::error::Error for ApiError {}
