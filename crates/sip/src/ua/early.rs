//! Offers before the final response: requests of the callee while our INVITE has none (RFC 3261 §12.1,
//! RFC 3311 §5.2), and of the caller while we have sent none.

use base::{Instant, LegKey};

use super::leg::{Cancel, Early, Leg, Outgoing, Reoffer, SessionAsk, State};
use super::print::Lines;
use super::read;
use crate::dialog::Dialog;
use crate::endpoint::dispatch::ALLOW;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event, FailReason};
use crate::message::Method;
use crate::transaction::Answer;

impl Outgoing {
    fn early_of(&mut self, tag: Option<&[u8]>) -> Option<&mut Early> {
        self.early.iter_mut().find(|early| Some(&early.dialog.remote_tag[..]) == tag)
    }

    /// The dialog of a 2xx, which goes on where its early dialog was.
    pub(crate) fn confirm(&self, mut dialog: Dialog) -> Dialog {
        let early = self.early.iter().find(|early| early.dialog.remote_tag == dialog.remote_tag);
        dialog.remote_cseq = early.and_then(|early| early.dialog.remote_cseq);
        dialog
    }
}

impl Endpoint {
    pub(crate) fn in_early_dialog(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        match r.method {
            Method::Update => self.on_early_update(now, r, leg),
            Method::Options => self.answer_options(r),
            // His 2xx has not reached us: our INVITE is in progress (RFC 3261 §14.2).
            Method::Invite => self.refuse(r, 491),
            Method::Bye => self.on_early_bye(now, r, leg),
            // His 2xx may be behind this: 481 would end the dialog that it makes (RFC 5057 §5.1).
            _ => {
                let mut lines = Lines::new();
                lines.number("Retry-After", 1);
                self.refuse_with(r, 500, &lines);
            }
        }
    }

    /// A callee may end what he thinks is up when no ACK came for his 2xx, which we never saw
    /// (RFC 3261 §13.3.1.4). With no other branch left our INVITE will not be answered.
    fn on_early_bye(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let Some(Leg { state: State::Outgoing(outgoing), dialog, .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        let (tag, before) = (dialog.local_tag, outgoing.early.len());
        outgoing.early.retain(|early| Some(&early.dialog.remote_tag[..]) != r.message.from_tag());
        let (known, left) = (outgoing.early.len() < before, !outgoing.early.is_empty());
        let cancelled = outgoing.cancel != Cancel::No;
        if !known {
            return self.refuse(r, 481);
        }
        self.answer(now, r, tag, &Answer::code(200));
        if !left && !cancelled {
            let reason = FailReason::PeerMisbehaved;
            self.layer.event(Event::Failed { leg, code: 480, retry_after_s: None, reason });
            self.cancel(now, leg, None);
        }
    }

    fn on_early_update(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let Some(Leg { state: State::Outgoing(outgoing), reoffer, dialog, .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        let tag = dialog.local_tag;
        let Some(early) = outgoing.early_of(r.message.from_tag()) else { return self.refuse(r, 481) };
        if !early.dialog.in_order(r.message.cseq_number()) {
            return self.refuse(r, 500);
        }
        let body = read::sdp(r.message);
        let busy = matches!(reoffer, Reoffer::Received { .. });
        if body.is_some() && (!early.agreed || busy) {
            let mut lines = Lines::new();
            if early.agreed {
                // RFC 3311 §5.2: his own offer before this one waits for our answer.
                lines.number("Retry-After", self.layer.rng.below(11));
                return self.refuse_with(r, 500, &lines);
            }
            // Ours waits for his answer.
            return self.refuse(r, 491);
        }
        early.dialog.refresh(&self.layer, r.message, r.flow);
        if body.is_none() {
            let mut lines = Lines::new();
            lines.line("Allow", ALLOW.as_bytes()).line("Supported", b"replaces, timer");
            let answer = Answer { code: 200, lines: lines.as_bytes(), contact: true, sdp: None };
            self.answer(now, r, tag, &answer);
            return;
        }
        if self.layer.room(r.source()).is_err() {
            return self.refuse_for_now(r);
        }
        let cseq = r.message.cseq_number();
        let asked = SessionAsk::default();
        *reoffer = Reoffer::Received { transaction: r.id, cseq, invite: false, asked };
        self.layer.serve(now, r.id, r.reply, r.head(tag), Some(leg));
        self.await_answer(now, leg);
        self.layer.event(Event::Reoffered { leg, body, method: Method::Update });
    }

    /// The caller offers anew, by UPDATE or PRACK, before our final response. What must be so has been
    /// checked.
    pub(super) fn reoffered_early(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let State::Incoming(incoming) = &mut value.state else { return };
        incoming.reoffered = true;
        let tag = value.dialog.local_tag;
        value.dialog.refresh(&self.layer, r.message, r.flow);
        let (cseq, asked) = (r.message.cseq_number(), SessionAsk::default());
        value.reoffer = Reoffer::Received { transaction: r.id, cseq, invite: false, asked };
        self.layer.serve(now, r.id, r.reply, r.head(tag), Some(leg));
        self.await_answer(now, leg);
        let (body, method) = (read::sdp(r.message), r.method.clone());
        self.layer.event(Event::Reoffered { leg, body, method });
    }
}
