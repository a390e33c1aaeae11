//! INVITE, server side (RFC 3261 §13.3, RFC 3262 §3).

use base::{Duration, Instant, LegKey, Pii};
use bytes::Bytes;

use super::leg::{Incoming, Leg, Reliability, Reoffer, State, Unacked};
use super::print::Lines;
use super::read;
use crate::dialog::Dialog;
use crate::endpoint::dispatch::{ALLOW, Claim};
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event, Invite, LegTimer, Peer, Rejection};
use crate::message::{HeaderName, Message};
use crate::transaction::Answer;

/// How often an INVITE that waits in a queue gets its provisional response again (RFC 3261 §13.3.1.1).
pub(crate) const STILL_TRYING: Duration = Duration::from_secs(60);

impl Endpoint {
    pub(crate) fn on_invite(&mut self, now: Instant, r: &Request<'_>, claim: Claim) {
        let urgent = claim == Claim::User && self.is_urgent(r);
        if self.layer.is_merged(r.merged(&self.layer), r.id) {
            self.layer.counters.dropped.merged += 1;
            return self.refuse(r, 482);
        }
        let peer = match claim {
            Claim::Proven(peer) => peer,
            Claim::User => match self.authenticate(now, r) {
                Some(agent) => Claim::proven(agent),
                None => return,
            },
        };
        if self.legs.len() >= self.layer.config.limits.legs_max && !urgent {
            self.layer.counters.dropped.legs_full += 1;
            return self.refuse_for_now(r);
        }
        if self.layer.room(r.source()).is_err() {
            return self.refuse_for_now(r);
        }
        let proved = Request { tag: Some(self.layer.rng.next_u64()), ..*r };
        let r = if claim == Claim::User { &proved } else { r };
        if self.draining && !urgent {
            self.layer.counters.dropped.draining += 1;
            return self.refuse_for_now(r);
        }
        let asked = read::session_ask(r.message, true);
        if let Some(min_s) = self.session_too_short(&asked) {
            let mut lines = Lines::new();
            lines.number("Min-SE", u64::from(min_s));
            return self.refuse_with(r, 422, &lines);
        }
        let Ok(replaces) = self.replaced(r.message) else { return self.refuse(r, 481) };
        self.begin_incoming(now, r, peer, replaces);
    }

    /// Whether the number dialled is one that must always be reached.
    fn is_urgent(&self, r: &Request<'_>) -> bool {
        let dialled = r.message.uri().and_then(|uri| uri.dialled());
        dialled.is_some_and(|dialled| self.layer.config.urgent.contains(&dialled))
    }

    fn begin_incoming(&mut self, now: Instant, r: &Request<'_>, peer: Peer, replaces: Option<LegKey>) {
        let tag = r.tag.unwrap_or_else(|| self.layer.rng.next_u64());
        let trunk = match peer {
            Peer::Trunk(key) => self.trunk(key),
            Peer::Agent(_) => None,
        };
        let symmetric = trunk.is_none_or(|trunk| trunk.symmetric);
        let trusted = trunk.is_some_and(|trunk| trunk.trusted_identity);
        let Ok(dialog) = Dialog::incoming(&self.layer, r.message, r.flow, tag, symmetric) else {
            return self.refuse(r, 400);
        };
        let body = read::sdp(r.message);
        let invite = describe(r, body.clone(), trusted, replaces);
        let leg = LegKey(self.next_leg);
        self.next_leg = self.next_leg.wrapping_add(1);
        let incoming = Incoming {
            transaction: r.id,
            cseq: r.message.cseq_number(),
            reliability: read::reliability(r.message),
            offered: body.is_some(),
            asked: read::session_ask(r.message, true),
            // RFC 3262 §3: between 1 and 2^31 - 1; small enough to count up from.
            rseq: 1 + self.layer.rng.next_u32() % 0x4000_0000,
            reliable: None,
            agreed: false,
            reoffered: false,
            queued_ring: None,
            queued_accept: None,
        };
        let mut value = Leg::new(peer, dialog, State::Incoming(Box::new(incoming)));
        value.peer_updates = read::has_token(r.message, HeaderName::Allow, "UPDATE");
        self.legs.insert(leg, Box::new(value));
        self.by_tag.insert(tag, leg);
        self.layer.counters.legs_begun += 1;
        let merged = r.merged(&self.layer);
        self.layer.serve_invite(now, r.id, r.reply, r.head(tag), leg, merged);
        let times = self.layer.config.times;
        self.set_leg_timer(leg, LegTimer::Unanswered, now + times.unanswered_max);
        self.set_leg_timer(leg, LegTimer::StillTrying, now + STILL_TRYING);
        self.layer.event(Event::Invited { leg, peer, invite: Box::new(invite) });
    }

    /// The leg that an INVITE replaces (RFC 3891 §3). `Err`: it names none of ours.
    fn replaced(&self, message: &Message) -> Result<Option<LegKey>, ()> {
        let Some(value) = message.header(HeaderName::Replaces) else { return Ok(None) };
        self.replaced_by(value).map(Some).ok_or(())
    }

    /// The leg that a Replaces value names.
    pub(crate) fn replaced_by(&self, value: &[u8]) -> Option<LegKey> {
        let (call_id, params) = read::with_params(value);
        let tag = params.value(b"to-tag").and_then(crate::transaction::template::unhex)?;
        let key = *self.by_tag.get(&tag)?;
        let leg = self.legs.get(&key)?;
        let same = leg.dialog.call_id == call_id && params.value(b"from-tag") == Some(&leg.dialog.remote_tag);
        same.then_some(key)
    }

    /// Sends a provisional response: 180 or 183, with early media if `sdp` is given. Reliable when the
    /// peer requires it, or supports it and `sdp` is given.
    pub fn ring(&mut self, now: Instant, leg: LegKey, code: u16, sdp: Option<Bytes>) {
        let Some(Leg { state: State::Incoming(incoming), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        let code = code.clamp(101, 199);
        if incoming.reliable.is_some() {
            incoming.queued_ring = Some((code, sdp));
            return;
        }
        let reliable = match incoming.reliability {
            Reliability::None => false,
            Reliability::Supported => sdp.is_some(),
            Reliability::Required => true,
        };
        let transaction = incoming.transaction;
        if reliable {
            return self.ring_reliably(now, leg, code, sdp);
        }
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes());
        let answer = Answer { code, lines: lines.as_bytes(), contact: true, sdp: sdp.as_ref() };
        self.layer.respond(now, transaction, &answer);
        self.set_leg_timer(leg, LegTimer::StillTrying, now + STILL_TRYING);
    }

    /// Sends 200. It is repeated until its ACK; without one the dialog ends after 64·T1.
    pub fn accept(&mut self, now: Instant, leg: LegKey, sdp: Option<Bytes>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let State::Incoming(incoming) = &mut value.state else { return };
        // RFC 3262 §3: no 2xx while a reliable response with a session description is unacknowledged.
        let unacknowledged = incoming.reliable.as_ref().is_some_and(|reliable| reliable.has_sdp);
        if unacknowledged || matches!(value.reoffer, Reoffer::Received { .. }) {
            incoming.queued_accept = Some(sdp);
            return;
        }
        // What was agreed since goes without saying.
        let sdp = sdp.filter(|_| !incoming.reoffered);
        let (transaction, cseq, asked) = (incoming.transaction, incoming.cseq, incoming.asked);
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes()).line("Supported", b"replaces, timer");
        let session = self.session_for_answer(&asked, &mut lines);
        let answer = Answer { code: 200, lines: lines.as_bytes(), contact: true, sdp: sdp.as_ref() };
        let Some((response, flow)) = self.layer.respond(now, transaction, &answer) else { return };
        let t1 = self.layer.config.times.t1;
        self.stop_incoming_timers(leg);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.state = State::Up;
        if sdp.is_some() {
            value.sdp = sdp;
        }
        value.unacked = Some(Box::new(Unacked { cseq, response, flow, interval: t1, first: true }));
        self.set_leg_timer(leg, LegTimer::Repeat2xx, now + t1);
        self.set_leg_timer(leg, LegTimer::NoAck, now + t1.saturating_mul(64));
        self.start_session(now, leg, session);
    }

    /// Refuses the INVITE. The leg is over.
    pub fn reject(&mut self, now: Instant, leg: LegKey, rejection: Rejection) {
        let Some(Leg { state: State::Incoming(incoming), .. }) = self.legs.get(&leg).map(|leg| &**leg) else {
            return;
        };
        let transaction = incoming.transaction;
        let mut lines = Lines::new();
        if let Some(seconds) = rejection.retry_after_s {
            lines.number("Retry-After", u64::from(seconds));
        }
        lines.reason(rejection.reason.as_ref());
        let code = rejection.code.clamp(300, 699);
        self.layer.respond(now, transaction, &Answer::with(code, lines.as_bytes()));
        self.release(leg);
    }

    fn stop_incoming_timers(&mut self, leg: LegKey) {
        let timers =
            [LegTimer::Unanswered, LegTimer::StillTrying, LegTimer::RepeatProvisional, LegTimer::NoPrack];
        for what in timers {
            self.cancel_leg_timer(leg, what);
        }
    }

    /// The INVITE of a leg dies without the owner's doing: it is answered with `code`, and he is told.
    pub(crate) fn incoming_dies(
        &mut self,
        now: Instant,
        leg: LegKey,
        code: u16,
        reason: Option<crate::endpoint::Reason>,
    ) {
        let Some(Leg { state: State::Incoming(incoming), .. }) = self.legs.get(&leg).map(|leg| &**leg) else {
            return;
        };
        let transaction = incoming.transaction;
        self.layer.respond(now, transaction, &Answer::code(code));
        self.layer.event(Event::Cancelled { leg, reason });
        self.release(leg);
    }

    /// A 2xx is repeated, or given up (RFC 3261 §13.3.1.4).
    pub(crate) fn repeat_2xx(&mut self, now: Instant, leg: LegKey) {
        let t2 = self.layer.config.times.t2;
        let Some(unacked) = self.legs.get_mut(&leg).and_then(|leg| leg.unacked.as_mut()) else { return };
        unacked.interval = unacked.interval.saturating_mul(2).min(t2);
        let (flow, response, interval) = (unacked.flow, unacked.response.clone(), unacked.interval);
        self.layer.resend(&flow, response);
        self.set_leg_timer(leg, LegTimer::Repeat2xx, now + interval);
    }
}

fn describe(r: &Request<'_>, body: Option<Bytes>, trusted: bool, replaces: Option<LegKey>) -> Invite {
    let m = r.message;
    let from = m.from().ok();
    let uri = m.uri();
    let body_is_sdp = body.is_some();
    let privacy =
        m.headers(HeaderName::Privacy).flat_map(|value| value.split(|byte| *byte == b';' || *byte == b','));
    let hides = |value: &[u8]| {
        let value = value.trim_ascii();
        [&b"id"[..], b"user", b"header"].iter().any(|word| value.eq_ignore_ascii_case(word))
    };
    let mut privacy = privacy;
    Invite {
        from_user: Pii::new(from.and_then(|from| from.uri().ok()?.dialled()).unwrap_or_default()),
        from_display: from.and_then(|from| from.display_text()).map(Pii::new),
        to_user: uri.and_then(|uri| uri.dialled()).unwrap_or_default(),
        to_host: uri.and_then(|uri| uri.host()).map(|host| host.to_string()).unwrap_or_default(),
        asserted: if trusted { read::user_of(m, HeaderName::PAssertedIdentity) } else { None },
        privacy: trusted && privacy.any(hides),
        diverted_from: if trusted { diverted_from(m) } else { None },
        call_id: String::from_utf8_lossy(m.call_id()).into_owned(),
        max_forwards: read::max_forwards(m).unwrap_or(70),
        body,
        body_is_sdp,
        reliable_provisionals: read::reliability(m) != Reliability::None,
        source: r.flow.remote,
        replaces,
    }
}

/// Diversion (RFC 5806), else the History-Info entry before the last (RFC 7044).
fn diverted_from(message: &Message) -> Option<Pii<String>> {
    read::user_of(message, HeaderName::Diversion).or_else(|| {
        let entries: Vec<_> =
            message.addresses(HeaderName::HistoryInfo).filter_map(Result::ok).take(32).collect();
        let before_last = entries.len().checked_sub(2)?;
        Some(Pii::new(entries.get(before_last)?.uri().ok()?.dialled()?))
    })
}
