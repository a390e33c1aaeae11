//! PRACK and reliable provisional responses, both sides (RFC 3262).

use base::{Instant, LegKey};
use bytes::Bytes;

use super::leg::{Incoming, Leg, Reliable, State};
use super::print::Lines;
use super::read;
use crate::endpoint::dispatch::ALLOW;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event, Flow, LegTimer};
use crate::message::{Message, Method};
use crate::transaction::{Answer, Hop, Purpose};

impl Endpoint {
    /// Sends a provisional response that must be acknowledged (RFC 3262 §3).
    pub(super) fn ring_reliably(&mut self, now: Instant, leg: LegKey, code: u16, sdp: Option<Bytes>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let State::Incoming(incoming) = &mut value.state else { return };
        incoming.rseq = incoming.rseq.wrapping_add(1);
        let (rseq, transaction) = (incoming.rseq, incoming.transaction);
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes()).line("Require", b"100rel").number("RSeq", u64::from(rseq));
        let answer = Answer { code, lines: lines.as_bytes(), contact: true, sdp: sdp.as_ref() };
        let Some((bytes, flow)) = self.layer.respond(now, transaction, &answer) else { return };
        let t1 = self.layer.config.times.t1;
        incoming.reliable = Some(Reliable { rseq, bytes, flow, interval: t1, has_sdp: sdp.is_some() });
        if sdp.is_some() {
            value.sdp = sdp;
        }
        self.set_leg_timer(leg, LegTimer::RepeatProvisional, now + t1);
        self.set_leg_timer(leg, LegTimer::NoPrack, now + t1.saturating_mul(64));
    }

    /// The reliable response goes out again.
    pub(crate) fn repeat_provisional(&mut self, now: Instant, leg: LegKey) {
        let Some(Leg { state: State::Incoming(incoming), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        let Some(reliable) = &mut incoming.reliable else { return };
        reliable.interval = reliable.interval.saturating_mul(2);
        let (flow, bytes, interval) = (reliable.flow, reliable.bytes.clone(), reliable.interval);
        self.layer.resend(&flow, bytes);
        self.set_leg_timer(leg, LegTimer::RepeatProvisional, now + interval);
    }

    pub(crate) fn on_prack(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let rack = read::rack(r.message);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let tag = value.dialog.local_tag;
        let taken = match &mut value.state {
            State::Incoming(incoming) => take_acknowledged(incoming, rack),
            _ => None,
        };
        let Some((reliable, offered)) = taken else { return self.refuse(r, 481) };
        self.cancel_leg_timer(leg, LegTimer::RepeatProvisional);
        self.cancel_leg_timer(leg, LegTimer::NoPrack);
        let body = read::sdp(r.message);
        let expects_answer = reliable.has_sdp && !offered;
        let agreed = self.agrees(leg, reliable.has_sdp && (offered || body.is_some()));
        match body {
            None => {
                self.answer(now, r, tag, &Answer::code(200));
            }
            Some(body) if expects_answer => {
                self.answer(now, r, tag, &Answer::code(200));
                self.layer.event(Event::EarlyAnswer { leg, body });
            }
            // A new offer, to be answered in our 2xx (RFC 3262 §5).
            Some(_) if agreed && self.layer.room(r.source()).is_ok() => {
                return self.reoffered_early(now, r, leg);
            }
            // An offer while another waits for its answer.
            Some(_) => {
                self.answer(now, r, tag, &Answer::code(488));
            }
        }
        self.after_prack(now, leg);
    }

    /// Whether offer and answer have been exchanged reliably before our final response; `now` they are.
    fn agrees(&mut self, leg: LegKey, now: bool) -> bool {
        match self.legs.get_mut(&leg).map(|leg| &mut leg.state) {
            Some(State::Incoming(incoming)) => {
                incoming.agreed |= now;
                incoming.agreed
            }
            _ => false,
        }
    }

    pub(super) fn after_prack(&mut self, now: Instant, leg: LegKey) {
        let Some(Leg { state: State::Incoming(incoming), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        let (ring, accept) = (incoming.queued_ring.take(), incoming.queued_accept.take());
        if let Some(sdp) = accept {
            return self.accept(now, leg, sdp);
        }
        if let Some((code, sdp)) = ring {
            self.ring(now, leg, code, sdp);
        }
    }

    /// Client side: sends PRACK for a reliable provisional response. `false`: it came before, or one
    /// before it is missing (RFC 3262 §4).
    pub(super) fn acknowledge_provisional(
        &mut self,
        now: Instant,
        leg: LegKey,
        rseq: u32,
        m: &Message,
        flow: Flow,
    ) -> bool {
        let Some(value) = self.legs.get_mut(&leg) else { return false };
        let Leg { state: State::Outgoing(outgoing), dialog, .. } = &mut **value else { return false };
        let offerless = outgoing.offerless;
        let Some(early) = Self::early(&self.layer, dialog, outgoing, m, flow) else { return false };
        if early.rseq != 0 && rseq != early.rseq.wrapping_add(1) {
            return false;
        }
        early.rseq = rseq;
        early.agreed |= !offerless && read::sdp(m).is_some();
        // All early dialogs of a leg count in one row: rising in each.
        early.dialog.local_cseq = dialog.local_cseq;
        let mut prack = early.dialog.request(Method::Prack, None);
        dialog.local_cseq = early.dialog.local_cseq;
        let rack = format!("{rseq} {} INVITE", m.cseq_number());
        let mut lines = Lines::new();
        lines.line("RAck", rack.as_bytes());
        prack.extra = lines.finish();
        let way = early.dialog.flow;
        self.layer.request(now, prack, Purpose::InDialog(leg), Hop::flow(way), 0);
        true
    }
}

/// The reliable response that a RAck acknowledges, and whether the INVITE held an offer.
fn take_acknowledged(incoming: &mut Incoming, rack: Option<(u32, u32, bool)>) -> Option<(Reliable, bool)> {
    let (rseq, cseq, invite) = rack?;
    let fits = |reliable: &Reliable| invite && reliable.rseq == rseq && incoming.cseq == cseq;
    if !incoming.reliable.as_ref().is_some_and(fits) {
        return None;
    }
    Some((incoming.reliable.take()?, incoming.offered))
}
