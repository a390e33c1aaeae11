//! What a leg does when one of its deadlines comes.

use base::{Instant, LegKey};

use super::invite::STILL_TRYING;
use super::leg::{Leg, State};
use crate::endpoint::{Endpoint, LegTimer};

impl Endpoint {
    pub(crate) fn leg_timer(&mut self, now: Instant, what: LegTimer, leg: LegKey) {
        match what {
            LegTimer::Repeat2xx => self.repeat_2xx(now, leg),
            LegTimer::NoAck => self.ack_never_came(now, leg),
            LegTimer::RepeatProvisional => self.repeat_provisional(now, leg),
            // RFC 3262 §3: the INVITE is refused with a 5xx.
            LegTimer::NoPrack => self.incoming_dies(now, leg, 504, None),
            LegTimer::Unanswered => match self.legs.get(&leg).map(|leg| &leg.state) {
                Some(State::Incoming(_)) => self.incoming_dies(now, leg, 504, None),
                _ => self.outgoing_unanswered(now, leg),
            },
            LegTimer::StillTrying => self.still_trying(now, leg),
            LegTimer::Refresh => self.refresh_session(now, leg),
            LegTimer::SessionExpires => self.session_expired(now, leg),
            LegTimer::ReofferAgain => self.reoffer_again(now, leg),
            LegTimer::ReofferUnanswered => self.offer_unanswered(now, leg),
            LegTimer::ReferExpires => self.refer_expired(now, leg),
            LegTimer::Linger => self.cancel_unanswered(leg),
        }
    }

    /// A call that waits long keeps its INVITE alive through proxies (RFC 3261 §13.3.1.1).
    fn still_trying(&mut self, now: Instant, leg: LegKey) {
        let Some(Leg { state: State::Incoming(incoming), .. }) = self.legs.get(&leg).map(|leg| &**leg) else {
            return;
        };
        let transaction = incoming.transaction;
        self.layer.repeat_response(transaction);
        self.set_leg_timer(leg, LegTimer::StillTrying, now + STILL_TRYING);
    }
}
