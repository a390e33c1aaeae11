//! One leg: a dialog, from its first INVITE to its end, and what hangs on it.

use core::time::Duration;

use base::Instant;
use bytes::Bytes;
use smallvec::SmallVec;

use crate::dialog::Dialog;
use crate::endpoint::{Flow, Peer, Reason};
use crate::message::Message;
use crate::transaction::Template;

/// A leg.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) peer: Peer,
    pub(crate) dialog: Dialog,
    pub(crate) state: State,
    /// A 2xx of ours whose ACK has not come.
    pub(crate) unacked: Option<Box<Unacked>>,
    /// A 2xx of the peer whose ACK waits for our answer to its offer.
    pub(crate) unsent_ack: Option<Box<UnsentAck>>,
    pub(crate) reoffer: Reoffer,
    /// What to offer when the present exchange is over.
    pub(crate) queued_reoffer: Option<Option<Bytes>>,
    pub(crate) session: Option<Session>,
    pub(crate) refer: Option<ReferState>,
    /// Our last session description: what a refresh by re-INVITE repeats.
    pub(crate) sdp: Option<Bytes>,
    /// The peer allows UPDATE.
    pub(crate) peer_updates: bool,
    /// The owner said `bye` before the ACK came: BYE must wait for it (RFC 3261 §15).
    pub(crate) bye_after_ack: Option<Option<Reason>>,
}

/// How far a leg is.
#[derive(Debug)]
pub(crate) enum State {
    /// The peer's INVITE has no final response.
    Incoming(Box<Incoming>),
    /// Our INVITE has no final response.
    Outgoing(Box<Outgoing>),
    /// Confirmed.
    Up,
    /// The owner has been told, or knows: only the last messages are awaited.
    Over,
}

/// What the peer of an INVITE understands of reliable provisional responses (RFC 3262).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliability {
    None,
    Supported,
    Required,
}

/// Server side before the final response.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) transaction: u64,
    pub(crate) cseq: u32,
    pub(crate) reliability: Reliability,
    /// The INVITE held an offer.
    pub(crate) offered: bool,
    /// Session-Expires and Min-SE of the INVITE.
    pub(crate) asked: SessionAsk,
    pub(crate) rseq: u32,
    pub(crate) reliable: Option<Reliable>,
    /// Offer and answer were exchanged reliably: either side may offer anew (RFC 3262 §5, RFC 3311 §5.1).
    pub(crate) agreed: bool,
    /// The peer has done so: what our first answer said is out of date.
    pub(crate) reoffered: bool,
    /// `ring` came while a reliable response waited for its PRACK.
    pub(crate) queued_ring: Option<(u16, Option<Bytes>)>,
    /// `accept` came while a reliable response with a session description waited for its PRACK, or an
    /// offer of the peer's for our answer.
    pub(crate) queued_accept: Option<Option<Bytes>>,
}

/// A reliable provisional response that waits for its PRACK.
#[derive(Debug)]
pub(crate) struct Reliable {
    pub(crate) rseq: u32,
    pub(crate) bytes: Bytes,
    pub(crate) flow: Flow,
    pub(crate) interval: Duration,
    pub(crate) has_sdp: bool,
}

/// Client side before the final response.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) way: Way,
    pub(crate) cancel: Cancel,
    /// Early dialogs by To tag, for PRACK.
    pub(crate) early: SmallVec<[Early; 1]>,
    /// A provisional response came: CANCEL may be sent (RFC 3261 §9.1).
    pub(crate) progressed: bool,
    /// The INVITE had no offer.
    pub(crate) offerless: bool,
    /// 422 has been obeyed once.
    pub(crate) raised_min_se: bool,
}

/// Where our INVITE is.
#[derive(Debug)]
pub(crate) enum Way {
    /// Its target's name is being resolved.
    Resolving { query: u64, template: Box<Template> },
    /// It is in this transaction.
    Sent(u64),
}

/// Whether our INVITE is to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    No,
    /// As soon as a provisional response comes; with this Reason line.
    Wanted(Bytes),
    Sent,
}

/// One branch's early dialog.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) dialog: Dialog,
    pub(crate) rseq: u32,
    /// Our offer was answered in it by a reliable response: the peer may offer anew (RFC 3311 §5.1).
    pub(crate) agreed: bool,
}

/// Early dialogs of one INVITE that are remembered.
pub(crate) const EARLY_MAX: usize = 8;

/// A 2xx of ours.
#[derive(Debug)]
pub(crate) struct Unacked {
    pub(crate) cseq: u32,
    pub(crate) response: Bytes,
    pub(crate) flow: Flow,
    pub(crate) interval: Duration,
    /// It answered the INVITE that began the leg.
    pub(crate) first: bool,
}

/// A 2xx of the peer's.
#[derive(Debug)]
pub(crate) struct UnsentAck {
    pub(crate) transaction: u64,
    pub(crate) tag: Bytes,
    pub(crate) cseq: u32,
}

/// An exchange of offer and answer inside the dialog.
#[derive(Debug)]
pub(crate) enum Reoffer {
    Idle,
    /// Ours is out.
    Sent {
        body: Option<Bytes>,
        refresh: bool,
    },
    /// Ours got 491 and waits (RFC 3261 §14.1).
    Waiting {
        body: Option<Bytes>,
        refresh: bool,
    },
    /// The peer's waits for the owner.
    Received {
        transaction: u64,
        cseq: u32,
        invite: bool,
        asked: SessionAsk,
    },
}

/// What a request says of session timers (RFC 4028).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionAsk {
    pub(crate) expires_s: Option<u32>,
    pub(crate) min_s: Option<u32>,
    pub(crate) supported: bool,
    /// `Some(true)`: the sender of the request refreshes.
    pub(crate) sender_refreshes: Option<bool>,
}

/// A running session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) interval: Duration,
    pub(crate) we_refresh: bool,
    pub(crate) min_s: u32,
}

/// A REFER of the peer's (RFC 3515).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReferState {
    /// CSeq of the REFER: the subscription's `id`.
    pub(crate) cseq: u32,
    pub(crate) phase: ReferPhase,
    pub(crate) expires_at: Instant,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReferPhase {
    /// The owner has not decided; the transaction.
    Asked(u64),
    /// 202 sent, NOTIFYs follow.
    Accepted,
}

impl Leg {
    /// A leg at its beginning.
    pub(crate) fn new(peer: Peer, dialog: Dialog, state: State) -> Self {
        Leg {
            peer,
            dialog,
            state,
            unacked: None,
            unsent_ack: None,
            reoffer: Reoffer::Idle,
            queued_reoffer: None,
            session: None,
            refer: None,
            sdp: None,
            peer_updates: false,
            bye_after_ack: None,
        }
    }

    /// Whether a request within a dialog belongs to this leg: to its dialog, or, while our INVITE has no
    /// final response, to any of the early dialogs that it may have made.
    pub(crate) fn holds(&self, message: &Message) -> bool {
        match self.state {
            State::Outgoing(_) => message.call_id() == self.dialog.call_id,
            _ => self.dialog.matches(message),
        }
    }

    /// Whether the dialog is confirmed and lives.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }
}
