//! What the endpoint tells its owner.

use core::net::SocketAddr;

use base::{AgentKey, LegKey, Pii, TrunkKey};
use bytes::Bytes;

use crate::message::Method;

/// Who a request was proved to come from: a trunk by its source address, an agent by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// A carrier.
    Trunk(TrunkKey),
    /// A person's phone.
    Agent(AgentKey),
}

/// What happened.
///
/// A leg has at most one terminal event: `Cancelled`, `Failed` or `Ended`; none if its owner ended it
/// with `reject`, `cancel` or `bye`. [`Event::Released`] is always the last event of a leg.
#[derive(Clone, Debug)]
pub enum Event {
    /// A peer calls: a new leg, server side. 100 Trying has been sent.
    Invited {
        /// The new leg.
        leg: LegKey,
        /// Who calls.
        peer: Peer,
        /// What he asks.
        invite: Box<Invite>,
    },
    /// The caller gave up before our final answer (487 has been sent), or his transaction died.
    Cancelled {
        /// The leg.
        leg: LegKey,
        /// His Reason header (RFC 3326), if any.
        reason: Option<Reason>,
    },
    /// Our INVITE is being presented: a provisional response other than 100. PRACK is done inside.
    Ringing {
        /// The leg.
        leg: LegKey,
        /// 180, 181, 182, 183 or 199.
        code: u16,
        /// Early session description.
        body: Option<Bytes>,
    },
    /// Our INVITE got its 2xx. ACK has been sent; other branches of a fork are ended inside.
    Answered {
        /// The leg.
        leg: LegKey,
        /// Session description of the answer (or the offer, if our INVITE had none).
        body: Option<Bytes>,
        /// Where the answer came from.
        source: SocketAddr,
    },
    /// Our INVITE ended without a call, after every target was tried.
    Failed {
        /// The leg.
        leg: LegKey,
        /// Status: as received, 408 after a timeout, 503 after a transport error.
        code: u16,
        /// Retry-After, seconds.
        retry_after_s: Option<u32>,
        /// Why.
        reason: FailReason,
    },
    /// ACK for our 2xx.
    Acked {
        /// The leg.
        leg: LegKey,
        /// The answer, when the offer was in our 2xx.
        body: Option<Bytes>,
    },
    /// PRACK carried the answer to the offer in our reliable provisional response (RFC 3262 §5).
    EarlyAnswer {
        /// The leg.
        leg: LegKey,
        /// The answer.
        body: Bytes,
    },
    /// re-INVITE or UPDATE from the peer: answer it with `answer_reoffer`. A refresh without a
    /// session description is answered inside if it is UPDATE; a re-INVITE without one asks for an offer.
    Reoffered {
        /// The leg.
        leg: LegKey,
        /// The new offer; `None`: make one.
        body: Option<Bytes>,
        /// INVITE or UPDATE.
        method: Method,
    },
    /// Our re-INVITE was answered, or refused with a status. 491 is retried inside.
    ReofferAnswered {
        /// The leg.
        leg: LegKey,
        /// The answer, or the status of the refusal.
        result: Result<Option<Bytes>, u16>,
    },
    /// The dialog is over.
    Ended {
        /// The leg.
        leg: LegKey,
        /// Who or what ended it.
        by: EndedBy,
        /// The peer's Reason header, if any.
        reason: Option<Reason>,
    },
    /// INFO arrived and was answered with 200.
    Info {
        /// The leg.
        leg: LegKey,
        /// Content-Type without parameters, lower case.
        content_type: String,
        /// Its body: digits are private.
        body: Pii<Bytes>,
    },
    /// The peer asks to be connected elsewhere (RFC 3515). Answer with `accept_refer` or `refuse_refer`.
    Referred {
        /// The leg.
        leg: LegKey,
        /// Where to.
        target: ReferTarget,
        /// Referred-By's URI.
        referred_by: Option<Pii<String>>,
    },
    /// An agent's phone registered or refreshed.
    Registered {
        /// Whose phone.
        agent: AgentKey,
        /// Whether he had no contact before.
        first: bool,
    },
    /// An agent's last contact is gone.
    Unregistered {
        /// Whose phone.
        agent: AgentKey,
    },
    /// A trunk answered our OPTIONS, or failed to.
    OptionsAnswered {
        /// The trunk.
        trunk: TrunkKey,
        /// Whether it serves calls.
        ok: bool,
    },
    /// Nothing about the leg is left. Always the leg's last event.
    Released {
        /// The leg.
        leg: LegKey,
    },
}

/// What a caller asks.
#[derive(Clone, Debug)]
pub struct Invite {
    /// User of From (or the number of a `tel:` From).
    pub from_user: Pii<String>,
    /// Display name of From.
    pub from_display: Option<Pii<String>>,
    /// The number dialled: user of the Request-URI, `tel:` understood, visual separators removed.
    pub to_user: String,
    /// Host of the Request-URI; empty for `tel:`.
    pub to_host: String,
    /// User of P-Asserted-Identity; only from trunks whose identity is trusted.
    pub asserted: Option<Pii<String>>,
    /// Privacy asks to hide the caller (`id`, `user` or `header`).
    pub privacy: bool,
    /// User of the first Diversion, or of the first History-Info entry before the last; trusted trunks only.
    pub diverted_from: Option<Pii<String>>,
    /// Call-ID.
    pub call_id: String,
    /// Max-Forwards as received: 70 if absent. An INVITE that follows from this one carries one less.
    pub max_forwards: u8,
    /// The session description, found in a multipart body too.
    pub body: Option<Bytes>,
    /// Whether `body` is `application/sdp`.
    pub body_is_sdp: bool,
    /// Whether the peer takes reliable provisional responses (RFC 3262).
    pub reliable_provisionals: bool,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// The call this one replaces (RFC 3891).
    pub replaces: Option<LegKey>,
}

/// A reason (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Q.850 cause or SIP status.
    pub protocol: ReasonProtocol,
    /// The cause.
    pub cause: u16,
    /// Its text.
    pub text: String,
}

impl Reason {
    /// A SIP reason.
    pub fn sip(cause: u16, text: &str) -> Self {
        Reason { protocol: ReasonProtocol::Sip, cause, text: text.to_owned() }
    }

    /// A Q.850 reason.
    pub fn q850(cause: u16, text: &str) -> Self {
        Reason { protocol: ReasonProtocol::Q850, cause, text: text.to_owned() }
    }

    /// "Call completed elsewhere": the phone shows no missed call.
    pub fn completed_elsewhere() -> Self {
        Reason::sip(200, "Call completed elsewhere")
    }
}

/// Whose causes a [`Reason`] speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonProtocol {
    /// `SIP`.
    Sip,
    /// `Q.850`.
    Q850,
}

/// Why an INVITE of ours failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailReason {
    /// The peer refused with the status.
    Refused,
    /// The peer sent us elsewhere (3xx), which is not followed.
    Redirected,
    /// No answer within the transaction's time.
    Timeout,
    /// It rang too long.
    RangTooLong,
    /// Nothing could be sent.
    Transport,
    /// The name has no address.
    Unresolved,
    /// The peer wants credentials that we do not have or that it does not accept.
    Credentials,
    /// The answer could not be used.
    PeerMisbehaved,
}

/// What ended a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The peer's BYE.
    Peer,
    /// The session timer ran out (RFC 4028).
    SessionTimer,
    /// Our 2xx was never acknowledged.
    NoAck,
    /// The peer knows nothing of the dialog (481), or is silent (408), or its stream ended.
    PeerGone,
}

/// Where a REFER points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferTarget {
    /// User or telephone number.
    pub user: String,
    /// Host; empty for `tel:`.
    pub host: String,
    /// The leg that the new call shall replace (attended transfer).
    pub replaces: Option<LegKey>,
}
