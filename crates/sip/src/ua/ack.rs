//! ACK, server side.

use base::{Instant, LegKey};

use super::read;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event, LegTimer};
use crate::transaction::template::unhex;

impl Endpoint {
    /// Either for a refusal of ours (then the transaction takes it), or for a 2xx.
    pub(crate) fn on_ack(&mut self, now: Instant, r: &Request<'_>) {
        if self.layer.absorb_ack(now, r.id) {
            return;
        }
        let found = r.message.to_tag().and_then(unhex).and_then(|tag| self.by_tag.get(&tag).copied());
        let Some(leg) = found else {
            self.layer.counters.dropped.stray_acks += 1;
            return;
        };
        let cseq = r.message.cseq_number();
        let Some(value) = self.legs.get_mut(&leg).filter(|leg| leg.dialog.matches(r.message)) else {
            self.layer.counters.dropped.stray_acks += 1;
            return;
        };
        if value.unacked.as_ref().is_none_or(|unacked| unacked.cseq != cseq) {
            // Repeated.
            self.layer.counters.retransmits_in += 1;
            return;
        }
        value.unacked = None;
        let leaving = value.bye_after_ack.take();
        self.cancel_leg_timer(leg, LegTimer::Repeat2xx);
        self.cancel_leg_timer(leg, LegTimer::NoAck);
        if let Some(reason) = leaving {
            return self.send_bye(now, leg, reason.as_ref());
        }
        self.layer.event(Event::Acked { leg, body: read::sdp(r.message) });
        self.next_reoffer(now, leg);
    }

    /// The ACK for our 2xx never came (RFC 3261 §13.3.1.4).
    pub(crate) fn ack_never_came(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.unacked = None;
        let told = value.bye_after_ack.take().is_some() || !value.is_up();
        self.cancel_leg_timer(leg, LegTimer::Repeat2xx);
        if !told {
            self.layer.event(Event::Ended { leg, by: crate::endpoint::EndedBy::NoAck, reason: None });
        }
        self.send_bye(now, leg, None);
    }
}
