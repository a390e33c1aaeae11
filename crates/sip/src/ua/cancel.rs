//! CANCEL, both sides (RFC 3261 §9).

use base::{Instant, LegKey};

use super::leg::{Cancel, Leg, State, Way};
use super::print::Lines;
use super::read;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, LegTimer, Reason};
use crate::transaction::Answer;

impl Endpoint {
    pub(crate) fn on_cancel(&mut self, now: Instant, r: &Request<'_>) {
        if !self.layer.is_invite(r.invite_id) {
            return self.refuse(r, 481);
        }
        let pending = self.layer.pending_invite(r.invite_id);
        let tag = pending.and_then(|leg| self.legs.get(&leg)).map(|leg| leg.dialog.local_tag);
        let tag = tag.unwrap_or_else(|| self.layer.keyed(("cancel", r.message.call_id())));
        self.answer(now, r, tag, &Answer::code(200));
        let Some(leg) = pending else { return };
        match self.legs.get(&leg).map(|leg| &leg.state) {
            Some(State::Incoming(_)) => self.incoming_dies(now, leg, 487, read::reason(r.message)),
            // CANCEL of a re-INVITE: that fails, the dialog stays.
            Some(_) => self.reoffer_withdrawn(now, leg, r.invite_id),
            None => {}
        }
    }

    /// Takes our INVITE back. `Released` follows; a 2xx that crosses the CANCEL gets ACK and BYE.
    pub fn cancel(&mut self, now: Instant, leg: LegKey, reason: Option<Reason>) {
        let Some(Leg { state: State::Outgoing(outgoing), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        if outgoing.cancel != Cancel::No {
            return;
        }
        let mut lines = Lines::new();
        lines.reason(reason.as_ref());
        outgoing.cancel = Cancel::Wanted(lines.finish());
        match outgoing.way {
            Way::Resolving { query, .. } => {
                self.queries.remove(&query);
                self.release(leg);
            }
            Way::Sent(_) if outgoing.progressed => self.send_cancel(now, leg),
            // RFC 3261 §9.1: not before a provisional response.
            Way::Sent(_) => {}
        }
    }

    /// Sends the CANCEL that is wanted.
    pub(crate) fn send_cancel(&mut self, now: Instant, leg: LegKey) {
        let Some(Leg { state: State::Outgoing(outgoing), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        let Cancel::Wanted(reason) = core::mem::replace(&mut outgoing.cancel, Cancel::Sent) else { return };
        let Way::Sent(transaction) = outgoing.way else { return };
        self.layer.cancel_invite(now, transaction, &reason);
        self.cancel_leg_timer(leg, LegTimer::Unanswered);
        // RFC 3261 §9.1: no final response within 64·T1, and the INVITE counts as cancelled.
        let life = self.layer.config.times.t1.saturating_mul(64);
        self.set_leg_timer(leg, LegTimer::Linger, now + life);
    }

    /// The peer never answered an INVITE that was cancelled.
    pub(crate) fn cancel_unanswered(&mut self, leg: LegKey) {
        if let Some(Leg { state: State::Outgoing(outgoing), .. }) = self.legs.get(&leg).map(|leg| &**leg)
            && let Way::Sent(transaction) = outgoing.way
        {
            self.layer.forget_client(transaction);
        }
        self.release(leg);
    }
}
