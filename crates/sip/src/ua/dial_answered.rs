//! INVITE, client side: what its responses mean (RFC 3261 §13.2.2), forks and races included.

use base::{Instant, LegKey};
use bytes::Bytes;

use super::leg::{Cancel, EARLY_MAX, Early, Leg, Outgoing, Session, State, UnsentAck, Way};
use super::print::Lines;
use super::read;
use crate::dialog::Dialog;
use crate::endpoint::{EndedBy, Endpoint, Event, FailReason, Flow, LegTimer};
use crate::message::{HeaderName, Message, Method};
use crate::transaction::{Hop, Purpose, Template};

impl Endpoint {
    pub(crate) fn invite_answered(
        &mut self,
        now: Instant,
        id: u64,
        leg: LegKey,
        code: u16,
        m: &Message,
        flow: Flow,
    ) {
        match code {
            100..200 => self.invite_provisional(now, leg, code, m, flow),
            200..300 => self.invite_accepted(now, id, leg, m, flow),
            _ => self.invite_refused(now, id, leg, code, m),
        }
    }

    fn invite_provisional(&mut self, now: Instant, leg: LegKey, code: u16, m: &Message, flow: Flow) {
        let Some(Leg { state: State::Outgoing(outgoing), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        outgoing.progressed = true;
        if matches!(outgoing.cancel, Cancel::Wanted(_)) {
            return self.send_cancel(now, leg);
        }
        if outgoing.cancel != Cancel::No || code == 100 {
            return;
        }
        if read::has_token(m, HeaderName::Require, "100rel")
            && let Some(rseq) = read::number(m, HeaderName::RSeq)
            && !self.acknowledge_provisional(now, leg, rseq, m, flow)
        {
            // Came before, or out of order (RFC 3262 §4).
            return;
        }
        self.layer.event(Event::Ringing { leg, code, body: read::sdp(m) });
    }

    /// The early dialog of a response's To tag, made if it is new. `None`: too many.
    pub(crate) fn early<'a>(
        layer: &crate::transaction::Layer,
        dialog: &Dialog,
        outgoing: &'a mut Outgoing,
        m: &Message,
        flow: Flow,
    ) -> Option<&'a mut Early> {
        let tag = m.to_tag()?;
        let found = outgoing.early.iter().position(|early| early.dialog.remote_tag == tag);
        let index = match found {
            Some(index) => index,
            None if outgoing.early.len() >= EARLY_MAX => return None,
            None => {
                let dialog = dialog.answered(layer, m, flow, m.cseq_number()).ok()?;
                outgoing.early.push(Early { dialog, rseq: 0, agreed: false });
                outgoing.early.len().checked_sub(1)?
            }
        };
        outgoing.early.get_mut(index)
    }

    fn invite_accepted(&mut self, now: Instant, id: u64, leg: LegKey, m: &Message, flow: Flow) {
        let tag = m.to_tag().unwrap_or_default();
        if self.layer.repeat_accept_ack(id, tag) {
            return;
        }
        let first = self.layer.is_first_2xx(id);
        let waiting =
            |leg: &Leg| leg.unsent_ack.as_ref().is_some_and(|ack| ack.transaction == id && ack.tag == tag);
        if self.legs.get(&leg).is_some_and(|leg| waiting(leg)) {
            // The owner has not answered its offer yet.
            return;
        }
        let ours = match self.legs.get(&leg).map(|leg| &**leg) {
            Some(Leg { state: State::Outgoing(outgoing), dialog, .. }) if first => dialog
                .answered(&self.layer, m, flow, m.cseq_number())
                .map(|dialog| (outgoing.confirm(dialog), outgoing.cancel.clone(), outgoing.offerless)),
            _ => return self.end_stray(now, id, m, flow),
        };
        match ours {
            // We cannot even send an ACK that arrives: end it as best we can.
            Err(_) => {
                self.end_stray(now, id, m, flow);
                self.invite_failed(leg, 502, None, FailReason::PeerMisbehaved);
            }
            Ok((dialog, Cancel::No, offerless)) => self.up(now, id, leg, m, flow, dialog, offerless),
            // It crossed our CANCEL: ACK and BYE (RFC 3261 §9.1, §15).
            Ok((mut dialog, ..)) => {
                let ack = dialog.request(Method::Ack, Some(m.cseq_number()));
                let ack_flow = dialog.flow;
                self.layer.acknowledge(id, Bytes::copy_from_slice(tag), &ack, ack_flow);
                if let Some(value) = self.legs.get_mut(&leg) {
                    value.dialog = dialog;
                }
                self.send_bye(now, leg, None);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one response, taken apart once")]
    fn up(
        &mut self,
        now: Instant,
        id: u64,
        leg: LegKey,
        m: &Message,
        flow: Flow,
        dialog: Dialog,
        offerless: bool,
    ) {
        let session = self.session_from_answer(&read::session_ask(m, false));
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.dialog = dialog;
        value.state = State::Up;
        value.peer_updates = read::has_token(m, HeaderName::Allow, "UPDATE");
        value.unsent_ack = Some(Box::new(UnsentAck {
            transaction: id,
            tag: Bytes::copy_from_slice(m.to_tag().unwrap_or_default()),
            cseq: m.cseq_number(),
        }));
        self.cancel_leg_timer(leg, LegTimer::Unanswered);
        self.cancel_leg_timer(leg, LegTimer::Linger);
        if offerless {
            let limit = self.layer.config.times.t1.saturating_mul(16);
            self.set_leg_timer(leg, LegTimer::ReofferUnanswered, now + limit);
        } else {
            self.send_ack(leg, None);
        }
        self.start_session(now, leg, session);
        self.layer.event(Event::Answered { leg, body: read::sdp(m), source: flow.remote });
    }

    /// Answers the offer that came in a 2xx, when our INVITE or re-INVITE had none: ACK carries it.
    pub fn acknowledge(&mut self, now: Instant, leg: LegKey, sdp: Option<Bytes>) {
        self.cancel_leg_timer(leg, LegTimer::ReofferUnanswered);
        self.send_ack(leg, sdp);
        self.next_reoffer(now, leg);
    }

    pub(crate) fn send_ack(&mut self, leg: LegKey, sdp: Option<Bytes>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let Some(unsent) = value.unsent_ack.take() else { return };
        let mut ack = value.dialog.request(Method::Ack, Some(unsent.cseq));
        // RFC 3261 §13.2.2.4: ACK carries the credentials of its INVITE.
        ack.auth = self.layer.client(unsent.transaction).and_then(|invite| invite.template.auth.clone());
        if let Some(sdp) = sdp {
            value.sdp = Some(sdp.clone());
            ack.body = sdp;
        }
        let hop = Hop::flow(value.dialog.flow);
        let flow = self.current_way(leg, hop).flow;
        self.layer.acknowledge(unsent.transaction, unsent.tag, &ack, flow);
    }

    /// A 2xx that no leg wants, of another branch of a fork or after the leg's end: ACK and BYE
    /// (RFC 3261 §13.2.2.4).
    fn end_stray(&mut self, now: Instant, id: u64, m: &Message, flow: Flow) {
        let Some(transaction) = self.layer.client(id) else { return };
        let Some(seed) = stray_dialog(&transaction.template, m, flow) else { return };
        let Ok(mut dialog) = seed.answered(&self.layer, m, flow, m.cseq_number()) else { return };
        let ack = dialog.request(Method::Ack, Some(m.cseq_number()));
        let tag = Bytes::copy_from_slice(m.to_tag().unwrap_or_default());
        self.layer.acknowledge(id, tag, &ack, dialog.flow);
        let bye = dialog.request(Method::Bye, None);
        self.layer.request(now, bye, Purpose::Stray, Hop::flow(dialog.flow), 0);
    }

    fn invite_refused(&mut self, now: Instant, id: u64, leg: LegKey, code: u16, m: &Message) {
        let Some(Leg { state: State::Outgoing(outgoing), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        if outgoing.cancel != Cancel::No {
            return self.release(leg);
        }
        let reason = match code {
            401 | 407 => {
                if self.retry_with_credentials(now, id, m) {
                    return;
                }
                FailReason::Credentials
            }
            422 if !outgoing.raised_min_se => {
                outgoing.raised_min_se = true;
                if self.retry_with_min_se(now, id, leg, m) {
                    return;
                }
                FailReason::Refused
            }
            // RFC 3263 §4.3: 503 means the next target.
            503 if self.try_next_target(now, id) => return,
            300..=399 => FailReason::Redirected,
            _ => FailReason::Refused,
        };
        self.invite_failed(leg, code, read::number(m, HeaderName::RetryAfter), reason);
    }

    /// 422: the same INVITE with the session timer the peer can bear (RFC 4028 §7.3).
    fn retry_with_min_se(&mut self, now: Instant, id: u64, leg: LegKey, m: &Message) -> bool {
        let Some(min_s) = read::number(m, HeaderName::MinSe).filter(|min| *min <= 86_400) else {
            return false;
        };
        let Some(transaction) = self.layer.client(id) else { return false };
        let mut template = transaction.template.clone();
        let (hop, challenges) = (transaction.hop.clone(), transaction.challenges);
        let expires = self.layer.config.times.session_expires.as_secs().max(u64::from(min_s));
        let mut lines = Lines::new();
        lines
            .raw(&without_session(&template.extra))
            .number("Session-Expires", expires)
            .number("Min-SE", u64::from(min_s));
        template.extra = lines.finish();
        template.cseq = template.cseq.wrapping_add(1);
        self.send_invite_again(now, leg, template, hop, challenges);
        true
    }

    /// Sends a leg's INVITE again as a new transaction.
    pub(crate) fn send_invite_again(
        &mut self,
        now: Instant,
        leg: LegKey,
        template: Box<Template>,
        hop: Hop,
        challenges: u8,
    ) {
        let cseq = template.cseq;
        let id = self.layer.request(now, template, Purpose::Invite(leg), hop, challenges);
        if let Some(value) = self.legs.get_mut(&leg) {
            value.dialog.local_cseq = value.dialog.local_cseq.max(cseq);
            if let State::Outgoing(outgoing) = &mut value.state {
                outgoing.way = Way::Sent(id);
                outgoing.progressed = false;
                outgoing.early.clear();
            }
        }
    }

    /// The session after the peer's 2xx, for the client side (RFC 4028 §7.2).
    fn session_from_answer(&self, ask: &super::leg::SessionAsk) -> Option<Session> {
        self.session_as_client(ask)
    }

    /// Our INVITE's transaction ended without a final response.
    pub(crate) fn invite_transaction_failed(&mut self, leg: LegKey, why: FailReason) {
        let code = if why == FailReason::Timeout { 408 } else { 503 };
        match self.legs.get(&leg).map(|leg| &leg.state) {
            Some(State::Outgoing(_)) => self.invite_failed(leg, code, None, why),
            Some(State::Over) => self.release(leg),
            _ => {}
        }
    }

    /// The owner never answered the peer's offer: an ACK without an answer, and the end.
    pub(crate) fn offer_unanswered(&mut self, now: Instant, leg: LegKey) {
        if self.legs.get(&leg).is_some_and(|leg| leg.unsent_ack.is_some()) {
            self.peer_gone(now, leg, EndedBy::PeerGone);
        } else {
            self.reoffer_unanswered(now, leg);
        }
    }
}

/// The extra lines of an INVITE without those of its session timer.
fn without_session(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"Session-Expires:") && !line.starts_with(b"Min-SE:") {
            out.extend_from_slice(line);
        }
    }
    out
}

/// What a dialog begins with, taken from the INVITE as it was sent.
fn stray_dialog(template: &Template, m: &Message, flow: Flow) -> Option<Dialog> {
    Some(Dialog {
        call_id: Bytes::copy_from_slice(m.call_id()),
        local_tag: m.from_tag().and_then(crate::transaction::template::unhex)?,
        remote_tag: Bytes::new(),
        local: Bytes::copy_from_slice(m.header(HeaderName::From)?),
        remote: Bytes::new(),
        local_cseq: template.cseq,
        remote_cseq: None,
        target: template.uri.clone(),
        routes: smallvec::SmallVec::new(),
        flow,
        symmetric: false,
        is_ours: true,
    })
}
