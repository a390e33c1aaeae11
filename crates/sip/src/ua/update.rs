//! UPDATE, server side (RFC 3311): with an offer it is the owner's to answer, without one it is a
//! refresh.

use base::{Instant, LegKey};

use super::leg::{Reoffer, State};
use super::print::Lines;
use super::read;
use crate::endpoint::dispatch::ALLOW;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event};
use crate::message::Method;
use crate::transaction::Answer;

impl Endpoint {
    pub(crate) fn on_update(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let asked = read::session_ask(r.message, true);
        let body = read::sdp(r.message);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let tag = value.dialog.local_tag;
        if body.is_none() {
            if let Some(min_s) = self.session_too_short(&asked) {
                let mut lines = Lines::new();
                lines.number("Min-SE", u64::from(min_s));
                return self.refuse_with(r, 422, &lines);
            }
            return self.refreshed(now, r, leg, tag);
        }
        let early = match &value.state {
            State::Incoming(incoming) => {
                incoming.agreed && !matches!(value.reoffer, Reoffer::Received { .. })
            }
            _ => false,
        };
        if !early && !self.can_reoffer(r, leg, &asked) {
            return;
        }
        if self.layer.room(r.source()).is_err() {
            return self.refuse_for_now(r);
        }
        if early {
            return self.reoffered_early(now, r, leg);
        }
        self.yield_to_peer(leg);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.dialog.refresh(&self.layer, r.message, r.flow);
        let cseq = r.message.cseq_number();
        value.reoffer = Reoffer::Received { transaction: r.id, cseq, invite: false, asked };
        self.layer.serve(now, r.id, r.reply, r.head(tag), Some(leg));
        self.await_answer(now, leg);
        self.layer.event(Event::Reoffered { leg, body, method: Method::Update });
    }

    fn refreshed(&mut self, now: Instant, r: &Request<'_>, leg: LegKey, tag: u64) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.dialog.refresh(&self.layer, r.message, r.flow);
        let up = value.is_up();
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes()).line("Supported", b"replaces, timer");
        let session =
            if up { self.session_for_answer(&read::session_ask(r.message, true), &mut lines) } else { None };
        let answer = Answer { code: 200, lines: lines.as_bytes(), contact: true, sdp: None };
        if self.answer(now, r, tag, &answer) && up {
            self.start_session(now, leg, session);
        }
    }
}
