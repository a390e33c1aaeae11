//! Session timers (RFC 4028): a dialog whose peer is gone does not live for ever.

use base::{Duration, Instant, LegKey};

use super::leg::{Reoffer, Session, SessionAsk};
use super::print::Lines;
use super::read;
use crate::endpoint::{EndedBy, Endpoint, LegTimer};
use crate::message::{HeaderName, Message};

/// The smallest Min-SE there is (RFC 4028 §4).
const MIN_SE: u64 = 90;

impl Endpoint {
    /// Our Min-SE, seconds.
    pub(crate) fn session_min_s(&self) -> u64 {
        self.layer.config.times.session_min.as_secs().max(MIN_SE)
    }

    /// The Min-SE that a request falls short of: it gets 422 (RFC 4028 §9). Only who knows the
    /// extension can be told.
    pub(crate) fn session_too_short(&self, ask: &SessionAsk) -> Option<u32> {
        let min_s = u32::try_from(self.session_min_s()).unwrap_or(u32::MAX);
        ask.expires_s.filter(|expires| ask.supported && *expires < min_s).map(|_| min_s)
    }

    /// Server side: what our 2xx says (RFC 4028 §9, table 2), and the session that follows.
    pub(crate) fn session_for_answer(&self, ask: &SessionAsk, lines: &mut Lines) -> Option<Session> {
        let ours = self.layer.config.times.session_expires.as_secs();
        let min_s = self.session_min_s().max(u64::from(ask.min_s.unwrap_or(0)));
        let interval = match ask.expires_s {
            Some(asked) => {
                let asked = u64::from(asked);
                if ours == 0 { asked.max(min_s) } else { asked.min(ours).max(min_s) }
            }
            None if ours == 0 => return None,
            None => ours.max(min_s),
        };
        // Who cannot refresh is refreshed; who can and does not say gets us as the refresher.
        let peer_refreshes = ask.supported && ask.sender_refreshes == Some(true);
        let role = if peer_refreshes { "uac" } else { "uas" };
        if peer_refreshes {
            lines.line("Require", b"timer");
        }
        lines.line("Session-Expires", format!("{interval};refresher={role}").as_bytes());
        let min_s = u32::try_from(min_s).unwrap_or(u32::MAX);
        Some(Session { interval: Duration::from_secs(interval), we_refresh: !peer_refreshes, min_s })
    }

    /// Client side: what the peer's 2xx says (RFC 4028 §7.2). Without Session-Expires in it the peer
    /// knows nothing of timers, and we refresh for both.
    pub(crate) fn session_as_client(&self, ask: &SessionAsk) -> Option<Session> {
        let ours = self.layer.config.times.session_expires;
        let min_s = u32::try_from(self.session_min_s()).unwrap_or(u32::MAX);
        match ask.expires_s {
            Some(seconds) => {
                let interval = Duration::from_secs(u64::from(seconds).max(MIN_SE));
                Some(Session { interval, we_refresh: ask.sender_refreshes != Some(true), min_s })
            }
            None if ours.is_zero() => None,
            None => Some(Session { interval: ours, we_refresh: true, min_s }),
        }
    }

    /// A session begins or was refreshed.
    pub(crate) fn start_session(&mut self, now: Instant, leg: LegKey, session: Option<Session>) {
        let Some(value) = self.legs.get_mut(&leg) else { return };
        value.session = session;
        self.restart_session(now, leg);
    }

    pub(crate) fn restart_session(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get(&leg) else { return };
        let Some(Session { interval, we_refresh, .. }) = value.session else {
            self.cancel_leg_timer(leg, LegTimer::Refresh);
            self.cancel_leg_timer(leg, LegTimer::SessionExpires);
            return;
        };
        if we_refresh {
            self.set_leg_timer(leg, LegTimer::Refresh, now + interval / 2);
        } else {
            self.cancel_leg_timer(leg, LegTimer::Refresh);
        }
        // RFC 4028 §10: BYE goes out before the expiry, by 32 s or a third of the interval.
        let early = Duration::from_secs(32).min(interval / 3);
        self.set_leg_timer(leg, LegTimer::SessionExpires, now + interval.saturating_sub(early));
    }

    /// Half the interval is over and we refresh: UPDATE if the peer takes it, else re-INVITE with what
    /// we offered last.
    pub(crate) fn refresh_session(&mut self, now: Instant, leg: LegKey) {
        let Some(value) = self.legs.get(&leg) else { return };
        if !value.is_up() {
            return;
        }
        let busy =
            !matches!(value.reoffer, Reoffer::Idle) || value.unacked.is_some() || value.unsent_ack.is_some();
        if busy {
            // The exchange under way may be the refresh; if not, soon again.
            return self.set_leg_timer(leg, LegTimer::Refresh, now + Duration::from_secs(5));
        }
        match (value.peer_updates, value.sdp.clone()) {
            (false, Some(sdp)) => self.send_reinvite(now, leg, Some(sdp), true),
            _ => self.send_update(now, leg),
        }
    }

    /// No refresh came in time.
    pub(crate) fn session_expired(&mut self, now: Instant, leg: LegKey) {
        self.peer_gone(now, leg, EndedBy::SessionTimer);
    }

    /// 422 to our refresh: again with the interval the peer can bear (RFC 4028 §7.4).
    pub(crate) fn refresh_too_short(&mut self, now: Instant, leg: LegKey, m: &Message) {
        let min_s = read::number(m, HeaderName::MinSe).unwrap_or(0).min(86_400);
        let Some(value) = self.legs.get_mut(&leg) else { return };
        let raised = match &mut value.session {
            Some(session) if min_s > session.min_s => {
                session.min_s = min_s;
                session.interval = session.interval.max(Duration::from_secs(u64::from(min_s)));
                true
            }
            _ => false,
        };
        let sent = core::mem::replace(&mut value.reoffer, Reoffer::Idle);
        match sent {
            Reoffer::Sent { body, refresh: false } if raised => self.send_reinvite(now, leg, body, false),
            Reoffer::Sent { refresh: true, .. } if raised => self.refresh_session(now, leg),
            Reoffer::Sent { refresh: false, .. } => {
                self.layer.event(crate::endpoint::Event::ReofferAnswered { leg, result: Err(422) });
                self.next_reoffer(now, leg);
            }
            _ => {}
        }
    }
}
