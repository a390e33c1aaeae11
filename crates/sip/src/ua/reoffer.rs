//! re-INVITE and UPDATE, client side (RFC 3261 §14.1, RFC 3311): our offers and our refreshes.

use base::{Duration, Instant, LegKey};
use bytes::Bytes;

use super::leg::{Reoffer, UnsentAck};
use super::print::Lines;
use super::read;
use crate::endpoint::dispatch::ALLOW;
use crate::endpoint::{EndedBy, Endpoint, Event, Flow, LegTimer};
use crate::message::{HeaderName, Message, Method};
use crate::transaction::{Hop, Purpose};

impl Endpoint {
    /// Offers a new session description by re-INVITE; `None`: asks the peer to offer. Waits for its
    /// turn if another exchange runs; a newer one replaces one that waits.
    pub fn reoffer(&mut self, now: Instant, leg: LegKey, sdp: Option<Bytes>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        if value.is_up() {
            value.queued_reoffer = Some(sdp);
            self.next_reoffer(now, leg);
        }
    }

    /// Sends the offer that waits, if nothing else is under way.
    pub(crate) fn next_reoffer(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let idle =
            matches!(value.reoffer, Reoffer::Idle) && value.unacked.is_none() && value.unsent_ack.is_none();
        if !idle || !value.is_up() || value.bye_after_ack.is_some() {
            return;
        }
        if let Some(sdp) = value.queued_reoffer.take() {
            if sdp.is_some() {
                value.sdp.clone_from(&sdp);
            }
            self.send_reinvite(now, leg, sdp, false);
        }
    }

    pub(crate) fn send_reinvite(&mut self, now: Instant, leg: LegKey, sdp: Option<Bytes>, refresh: bool) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let mut template = value.dialog.request(Method::Invite, None);
        template.body = sdp.clone().unwrap_or_default();
        template.extra = self.session_lines(leg);
        self.send_exchange(now, leg, template, Purpose::Reinvite(leg), sdp, refresh);
    }

    /// A refresh without a session description (RFC 4028 §7.4).
    pub(crate) fn send_update(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let mut template = value.dialog.request(Method::Update, None);
        template.extra = self.session_lines(leg);
        self.send_exchange(now, leg, template, Purpose::Update(leg), None, true);
    }

    fn send_exchange(
        &mut self,
        now: Instant,
        leg: LegKey,
        template: Box<crate::transaction::Template>,
        purpose: Purpose,
        body: Option<Bytes>,
        refresh: bool,
    ) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.reoffer = Reoffer::Sent { body, refresh };
        let hop = Hop::flow(value.dialog.flow);
        let hop = self.current_way(leg, hop);
        self.layer.request(now, template, purpose, hop, 0);
    }

    fn session_lines(&self, leg: LegKey) -> Bytes {
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes()).line("Supported", b"replaces, timer");
        if let Some(session) = self.legs.get(&leg).and_then(|leg| leg.session) {
            let role = if session.we_refresh { "uac" } else { "uas" };
            let value = format!("{};refresher={role}", session.interval.as_secs());
            lines.line("Session-Expires", value.as_bytes());
            lines.number("Min-SE", u64::from(session.min_s));
        }
        lines.finish()
    }

    /// A response to our re-INVITE or UPDATE.
    pub(crate) fn reoffer_answered(
        &mut self,
        now: Instant,
        id: u64,
        leg: LegKey,
        code: u16,
        m: &Message,
        flow: Flow,
    ) {
        if code < 200 {
            return;
        }
        let invite = *m.cseq_method() == Method::Invite;
        if invite && code < 300 && self.layer.repeat_accept_ack(id, m.to_tag().unwrap_or_default()) {
            return;
        }
        let up = self.legs.get(&leg).is_some_and(|leg| leg.is_up());
        if code < 300 {
            return self.reoffer_accepted(now, id, leg, m, flow, invite);
        }
        if !up {
            return;
        }
        match code {
            401 | 407 if self.retry_with_credentials(now, id, m) => {}
            491 => self.reoffer_later(now, leg),
            // RFC 3261 §12.2.1.2: the dialog is gone.
            408 | 481 => self.peer_gone(now, leg, EndedBy::PeerGone),
            422 => self.refresh_too_short(now, leg, m),
            _ => self.reoffer_over(now, leg, Err(code)),
        }
    }

    fn reoffer_accepted(
        &mut self,
        now: Instant,
        id: u64,
        leg: LegKey,
        m: &Message,
        flow: Flow,
        invite: bool,
    ) {
        let ask = read::session_ask(m, false);
        let Some(value) = self.legs.get_mut(&leg) else {
            // The leg is gone but every 2xx to INVITE gets its ACK. Its BYE is on the way already.
            return;
        };
        value.dialog.refresh(&self.layer, m, flow);
        value.peer_updates |= read::has_token(m, HeaderName::Allow, "UPDATE");
        let offerless = matches!(&value.reoffer, Reoffer::Sent { body: None, refresh: false });
        if invite {
            let tag = Bytes::copy_from_slice(m.to_tag().unwrap_or_default());
            value.unsent_ack = Some(Box::new(UnsentAck { transaction: id, tag, cseq: m.cseq_number() }));
            if offerless && value.is_up() {
                self.await_answer(now, leg);
            } else {
                self.send_ack(leg, None);
            }
        }
        if self.legs.get(&leg).is_some_and(|leg| leg.is_up()) {
            let session = self.session_as_client(&ask);
            self.start_session(now, leg, session);
            self.reoffer_over(now, leg, Ok(read::sdp(m)));
        }
    }

    /// Our exchange is over: the owner hears of it unless it was a refresh of ours.
    fn reoffer_over(&mut self, now: Instant, leg: LegKey, result: Result<Option<Bytes>, u16>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let over = core::mem::replace(&mut value.reoffer, Reoffer::Idle);
        match over {
            Reoffer::Sent { refresh: false, .. } | Reoffer::Waiting { refresh: false, .. } => {
                self.layer.event(Event::ReofferAnswered { leg, result });
            }
            // A refusal too shows that the peer lives and knows the dialog.
            Reoffer::Sent { refresh: true, .. } if result.is_err() => self.restart_session(now, leg),
            _ => {}
        }
        self.next_reoffer(now, leg);
    }

    /// 491: again after a while that depends on who owns the Call-ID, so that the two do not meet
    /// again (RFC 3261 §14.1).
    fn reoffer_later(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let owner = value.dialog.is_ours;
        let Reoffer::Sent { body, refresh } = core::mem::replace(&mut value.reoffer, Reoffer::Idle) else {
            return;
        };
        value.reoffer = Reoffer::Waiting { body, refresh };
        let steps = if owner { 210 + self.layer.rng.below(191) } else { self.layer.rng.below(201) };
        let at = now + Duration::from_millis(steps.saturating_mul(10));
        self.set_leg_timer(leg, LegTimer::ReofferAgain, at);
    }

    /// The time after 491 is over. If the peer's own exchange came first, ours waits for its end.
    pub(crate) fn reoffer_again(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        if !matches!(value.reoffer, Reoffer::Waiting { .. }) {
            return;
        }
        let Reoffer::Waiting { body, refresh } = core::mem::replace(&mut value.reoffer, Reoffer::Idle) else {
            return;
        };
        if refresh {
            self.refresh_session(now, leg);
        } else if value.queued_reoffer.is_none() {
            self.reoffer(now, leg, body);
        } else {
            self.next_reoffer(now, leg);
        }
    }

    /// Our re-INVITE or UPDATE got no answer at all: so is the dialog (RFC 3261 §12.2.1.2).
    pub(crate) fn reoffer_failed(&mut self, now: Instant, leg: LegKey) {
        self.peer_gone(now, leg, EndedBy::PeerGone);
    }
}
