//! BYE, both sides (RFC 3261 §15).

use base::{Instant, LegKey};

use super::leg::{ReferPhase, Reoffer, State};
use super::print::Lines;
use super::read;
use crate::endpoint::request::Request;
use crate::endpoint::{EndedBy, Endpoint, Event, LegTimer, Reason};
use crate::message::Method;
use crate::transaction::{Answer, Hop, Purpose};

impl Endpoint {
    pub(crate) fn on_bye(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let reason = read::reason(r.message);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let tag = value.dialog.local_tag;
        let state = core::mem::replace(&mut value.state, State::Over);
        self.answer(now, r, tag, &Answer::code(200));
        self.settle_pending(now, leg);
        match state {
            // The caller ends his early dialog: like CANCEL (RFC 3261 §15).
            State::Incoming(incoming) => {
                self.layer.respond(now, incoming.transaction, &Answer::code(487));
                self.layer.event(Event::Cancelled { leg, reason });
                self.release(leg);
            }
            State::Up => {
                let leaving = self.legs.get(&leg).is_some_and(|leg| leg.bye_after_ack.is_some());
                if !leaving {
                    self.layer.event(Event::Ended { leg, by: EndedBy::Peer, reason });
                }
                self.release(leg);
            }
            // Both said BYE at once: ours is answered by the peer, or times out. (An INVITE of ours that
            // has no answer takes no BYE: `in_dialog` refuses it.)
            State::Outgoing(_) | State::Over => {}
        }
    }

    /// Ends a confirmed dialog. `Released` follows.
    pub fn bye(&mut self, now: Instant, leg: LegKey, reason: Option<Reason>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        if !value.is_up() {
            return;
        }
        if value.unacked.as_ref().is_some_and(|unacked| unacked.first) {
            // RFC 3261 §15: the callee's BYE waits for the ACK.
            value.bye_after_ack = Some(reason);
            return;
        }
        self.send_bye(now, leg, reason.as_ref());
    }

    pub(crate) fn send_bye(&mut self, now: Instant, leg: LegKey, reason: Option<&Reason>) {
        self.settle_before_bye(now, leg);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.state = State::Over;
        value.bye_after_ack = None;
        let mut template = value.dialog.request(Method::Bye, None);
        let mut lines = Lines::new();
        lines.reason(reason);
        template.extra = lines.finish();
        let hop = Hop::flow(value.dialog.flow);
        let hop = self.current_way(leg, hop);
        for what in LegTimer::ALL {
            self.cancel_leg_timer(leg, what);
        }
        self.layer.request(now, template, Purpose::Bye(leg), hop, 0);
    }

    /// Nothing may be left open when a dialog ends: an ACK that waits for the owner is sent empty, a
    /// pending re-INVITE of the peer's is answered.
    fn settle_before_bye(&mut self, now: Instant, leg: LegKey) {
        if self.legs.get(&leg).is_some_and(|leg| leg.unsent_ack.is_some()) {
            self.send_ack(leg, None);
        }
        self.settle_pending(now, leg);
    }

    /// Requests of the peer's that wait for the owner are answered 487 when the dialog ends
    /// (RFC 3261 §15.1.2).
    fn settle_pending(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let reoffer = match core::mem::replace(&mut value.reoffer, Reoffer::Idle) {
            Reoffer::Received { transaction, .. } => Some(transaction),
            _ => None,
        };
        let refer = match value.refer.take().map(|refer| refer.phase) {
            Some(ReferPhase::Asked(transaction)) => Some(transaction),
            _ => None,
        };
        for transaction in reoffer.into_iter().chain(refer) {
            self.layer.respond(now, transaction, &Answer::code(487));
        }
    }

    /// The dialog is dead on the peer's side: the owner is told once, and BYE is sent all the same
    /// (RFC 3261 §12.2.1.2).
    pub(crate) fn peer_gone(&mut self, now: Instant, leg: LegKey, by: EndedBy) {
        let Some(value) = self.legs.get(&leg) else { return };
        if !value.is_up() {
            return;
        }
        if value.bye_after_ack.is_none() {
            self.layer.event(Event::Ended { leg, by, reason: None });
        }
        self.send_bye(now, leg, None);
    }
}
