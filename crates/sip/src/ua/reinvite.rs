//! re-INVITE, server side (RFC 3261 §14.2), and the owner's answer to it or to UPDATE.

use base::{Instant, LegKey};
use bytes::Bytes;

use super::leg::{Reoffer, SessionAsk, State, Unacked};
use super::print::Lines;
use super::read;
use crate::endpoint::dispatch::ALLOW;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event, LegTimer};
use crate::message::{HeaderName, Method};
use crate::transaction::Answer;

impl Endpoint {
    /// Whether a new offer of the peer's can be taken now. `false`: it has been refused.
    pub(super) fn can_reoffer(&mut self, r: &Request<'_>, leg: LegKey, asked: &SessionAsk) -> bool {
        let Some(value) = self.legs.get(&leg) else { return false };
        let mut lines = Lines::new();
        let busy = match (&value.state, &value.reoffer) {
            (State::Over, _) => Some(481),
            (State::Incoming(_) | State::Outgoing(_), _) | (_, Reoffer::Received { .. }) => Some(500),
            (_, Reoffer::Sent { .. }) => Some(491),
            _ if value.unacked.is_some() || value.unsent_ack.is_some() => Some(491),
            _ => None,
        };
        match busy {
            // RFC 3261 §14.2: Retry-After between 0 and 10 s.
            Some(500) => {
                lines.number("Retry-After", self.layer.rng.below(11));
                self.refuse_with(r, 500, &lines);
                false
            }
            Some(code) => {
                self.refuse(r, code);
                false
            }
            None => match self.session_too_short(asked) {
                Some(min_s) => {
                    lines.number("Min-SE", u64::from(min_s));
                    self.refuse_with(r, 422, &lines);
                    false
                }
                None => true,
            },
        }
    }

    pub(crate) fn on_reinvite(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let asked = read::session_ask(r.message, true);
        if !self.can_reoffer(r, leg, &asked) {
            return;
        }
        if self.layer.room(r.source()).is_err() {
            return self.refuse_for_now(r);
        }
        let merged = r.merged(&self.layer);
        let body = read::sdp(r.message);
        self.yield_to_peer(leg);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.dialog.refresh(&self.layer, r.message, r.flow);
        value.peer_updates |= read::has_token(r.message, HeaderName::Allow, "UPDATE");
        let cseq = r.message.cseq_number();
        value.reoffer = Reoffer::Received { transaction: r.id, cseq, invite: true, asked };
        let tag = value.dialog.local_tag;
        self.layer.serve_invite(now, r.id, r.reply, r.head(tag), leg, merged);
        self.await_answer(now, leg);
        self.layer.event(Event::Reoffered { leg, body, method: Method::Invite });
    }

    /// The peer's exchange comes before ours that waits after 491: ours takes its turn afterwards.
    pub(super) fn yield_to_peer(&mut self, leg: LegKey) {
        self.cancel_leg_timer(leg, LegTimer::ReofferAgain);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        if let Reoffer::Waiting { body, refresh: false } =
            core::mem::replace(&mut value.reoffer, Reoffer::Idle)
        {
            value.queued_reoffer.get_or_insert(body);
        }
    }

    pub(super) fn await_answer(&mut self, now: Instant, leg: LegKey) {
        let limit = self.layer.config.times.t1.saturating_mul(32);
        self.set_leg_timer(leg, LegTimer::ReofferUnanswered, now + limit);
    }

    /// Answers [`Event::Reoffered`]: a session description (the answer, or the offer that was asked
    /// for), or a status of refusal.
    pub fn answer_reoffer(&mut self, now: Instant, leg: LegKey, result: Result<Option<Bytes>, u16>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let Reoffer::Received { transaction, cseq, invite, asked, .. } = value.reoffer else { return };
        value.reoffer = Reoffer::Idle;
        let up = value.is_up();
        self.cancel_leg_timer(leg, LegTimer::ReofferUnanswered);
        let sdp = match result {
            Ok(sdp) => sdp,
            Err(code) => {
                self.layer.respond(now, transaction, &Answer::code(code.clamp(400, 699)));
                return self.after_reoffer(now, leg);
            }
        };
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes()).line("Supported", b"replaces, timer");
        let session = if up { self.session_for_answer(&asked, &mut lines) } else { None };
        let answer = Answer { code: 200, lines: lines.as_bytes(), contact: true, sdp: sdp.as_ref() };
        let sent = self.layer.respond(now, transaction, &answer);
        let t1 = self.layer.config.times.t1;
        let Some(value) = self.legs.get_mut(&leg) else { return };
        if sdp.is_some() {
            value.sdp = sdp;
        }
        if let (true, Some((response, flow))) = (invite, sent) {
            value.unacked = Some(Box::new(Unacked { cseq, response, flow, interval: t1, first: false }));
            self.set_leg_timer(leg, LegTimer::Repeat2xx, now + t1);
            self.set_leg_timer(leg, LegTimer::NoAck, now + t1.saturating_mul(64));
        }
        if up {
            self.start_session(now, leg, session);
        }
        if !invite {
            self.after_reoffer(now, leg);
        }
    }

    /// The peer's exchange is over: what waited for its end goes on.
    fn after_reoffer(&mut self, now: Instant, leg: LegKey) {
        self.after_prack(now, leg);
        self.next_reoffer(now, leg);
    }

    /// The owner never answered the peer's offer.
    pub(super) fn reoffer_unanswered(&mut self, now: Instant, leg: LegKey) {
        self.answer_reoffer(now, leg, Err(500));
    }

    /// The peer took its re-INVITE back.
    pub(super) fn reoffer_withdrawn(&mut self, now: Instant, leg: LegKey, id: u64) {
        let Some(value) = self.legs.get(&leg) else { return };
        if matches!(value.reoffer, Reoffer::Received { transaction, .. } if transaction == id) {
            self.answer_reoffer(now, leg, Err(487));
        }
    }
}
