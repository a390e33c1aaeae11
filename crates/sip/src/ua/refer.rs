//! REFER from a peer (RFC 3515): the owner decides, NOTIFYs tell how it goes.

use base::{Duration, Instant, LegKey};
use bytes::Bytes;

use super::leg::{ReferPhase, ReferState};
use super::print::Lines;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event, LegTimer, ReferTarget};
use crate::message::{HeaderName, Message, Method, reason_phrase, unescape};
use crate::transaction::{Answer, Hop, Purpose};

/// How long a refer's subscription lives.
const SUBSCRIPTION: Duration = Duration::from_secs(180);

impl Endpoint {
    pub(crate) fn on_refer(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let Some(target) = self.refer_target(r.message) else { return self.refuse(r, 400) };
        if target.replaces.is_none() && asks_to_replace(r.message) {
            // The call to be replaced is none of ours, or over.
            return self.refuse(r, 404);
        }
        let referred_by = crate::ua::read::user_of(r.message, HeaderName::ReferredBy);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        if !value.is_up() {
            return self.refuse(r, 481);
        }
        if value.refer.is_some() {
            return self.refuse(r, 491);
        }
        let tag = value.dialog.local_tag;
        if self.layer.room(r.source()).is_err() {
            return self.refuse_for_now(r);
        }
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let expires_at = now + SUBSCRIPTION;
        value.refer =
            Some(ReferState { cseq: r.message.cseq_number(), phase: ReferPhase::Asked(r.id), expires_at });
        self.layer.serve(now, r.id, r.reply, r.head(tag), Some(leg));
        // A non-INVITE request must be answered before its sender's timer F.
        let limit = self.layer.config.times.t1.saturating_mul(32);
        self.set_leg_timer(leg, LegTimer::ReferExpires, now + limit);
        self.layer.event(Event::Referred { leg, target, referred_by });
    }

    /// Exactly one Refer-To (RFC 3515 §2.4.2) with a user.
    fn refer_target(&self, m: &Message) -> Option<ReferTarget> {
        let address = m.one_address(HeaderName::ReferTo).ok()??;
        let uri = address.uri().ok()?;
        let replaces = uri.header(b"Replaces").map(|value| unescape(&value).into_owned());
        Some(ReferTarget {
            user: uri.dialled()?,
            host: uri.host().map(|host| host.to_string()).unwrap_or_default(),
            replaces: replaces.and_then(|value| self.replaced_by(&value)),
        })
    }

    /// Takes the REFER: 202, and a first NOTIFY. Tell its outcome with [`Endpoint::refer_result`].
    pub fn accept_refer(&mut self, now: Instant, leg: LegKey) {
        let Some(refer) = self.legs.get_mut(&leg).and_then(|leg| leg.refer.as_mut()) else { return };
        let ReferPhase::Asked(transaction) = refer.phase else { return };
        refer.phase = ReferPhase::Accepted;
        let expires_at = refer.expires_at;
        self.layer.respond(now, transaction, &Answer { code: 202, contact: true, ..Answer::default() });
        self.set_leg_timer(leg, LegTimer::ReferExpires, expires_at);
        self.notify(now, leg, 100);
    }

    /// Refuses the REFER with a status.
    pub fn refuse_refer(&mut self, now: Instant, leg: LegKey, code: u16) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let Some(ReferState { phase: ReferPhase::Asked(transaction), .. }) = value.refer else { return };
        value.refer = None;
        self.cancel_leg_timer(leg, LegTimer::ReferExpires);
        self.layer.respond(now, transaction, &Answer::code(code.clamp(400, 699)));
    }

    /// How the referred call goes: 1xx keeps the subscription, a final status ends it.
    pub fn refer_result(&mut self, now: Instant, leg: LegKey, code: u16) {
        self.notify(now, leg, code.clamp(100, 699));
    }

    fn notify(&mut self, now: Instant, leg: LegKey, code: u16) {
        let Some(value) = self.legs.get_mut(&leg).filter(|leg| leg.is_up()) else { return };
        let Some(ReferState { cseq, phase: ReferPhase::Accepted, expires_at }) = value.refer else { return };
        let mut lines = Lines::new();
        lines.line("Event", format!("refer;id={cseq}").as_bytes());
        if code < 200 {
            let seconds = expires_at.since(now).as_secs();
            lines.line("Subscription-State", format!("active;expires={seconds}").as_bytes());
        } else {
            value.refer = None;
            lines.line("Subscription-State", b"terminated;reason=noresource");
        }
        let mut template = value.dialog.request(Method::Notify, None);
        template.extra = lines.finish();
        template.content_type = "message/sipfrag;version=2.0";
        template.body = Bytes::from(format!("SIP/2.0 {code} {}\r\n", reason_phrase(code)));
        let hop = Hop::flow(value.dialog.flow);
        let hop = self.current_way(leg, hop);
        self.layer.request(now, template, Purpose::InDialog(leg), hop, 0);
        if code >= 200 {
            self.cancel_leg_timer(leg, LegTimer::ReferExpires);
        }
    }

    /// The owner never decided, or never told the end.
    pub(crate) fn refer_expired(&mut self, now: Instant, leg: LegKey) {
        match self.legs.get(&leg).and_then(|leg| leg.refer).map(|refer| refer.phase) {
            Some(ReferPhase::Asked(_)) => self.refuse_refer(now, leg, 500),
            Some(ReferPhase::Accepted) => self.notify(now, leg, 408),
            None => {}
        }
    }
}

/// Whether Refer-To wants a call replaced (RFC 3891 §3), whichever that is.
fn asks_to_replace(m: &Message) -> bool {
    let address = m.one_address(HeaderName::ReferTo).ok().flatten();
    address.and_then(|address| address.uri().ok()).is_some_and(|uri| uri.header(b"Replaces").is_some())
}
