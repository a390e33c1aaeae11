//! OPTIONS: answered to who asks, sent to trunks.

use base::{Instant, TrunkKey};

use super::print::Lines;
use crate::endpoint::dispatch::{ACCEPT, ALLOW, SUPPORTED};
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event, Query, Timer};
use crate::message::Method;
use crate::transaction::template::hex;
use crate::transaction::{Hop, Purpose, Template};
use crate::ua::dial::Route;

impl Endpoint {
    /// Kept nowhere: a repeated OPTIONS gets the same answer anew (RFC 3261 §11.2).
    pub(crate) fn answer_options(&mut self, r: &Request<'_>) {
        if self.draining {
            return self.refuse_for_now(r);
        }
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes()).line("Accept", ACCEPT.as_bytes());
        lines.line("Supported", SUPPORTED.join(", ").as_bytes());
        self.refuse_with(r, 200, &lines);
    }

    /// The interval is over: OPTIONS to a trunk's gateway.
    pub(crate) fn ask_options(&mut self, now: Instant, trunk: TrunkKey) {
        let Some(config) = self.trunk(trunk) else { return };
        let (Some(gateway), Some(interval)) = (config.gateway.clone(), config.options_interval) else {
            return;
        };
        self.layer.timers.set(Timer::Options(trunk), now + interval);
        match self.route(&gateway, Query::Options(trunk)) {
            Ok(Route::Known(hop)) => self.send_options(now, trunk, hop),
            Ok(Route::Ask(_)) => {}
            Err(_) => self.layer.event(Event::OptionsAnswered { trunk, ok: false }),
        }
    }

    pub(crate) fn send_options(&mut self, now: Instant, trunk: TrunkKey, hop: Hop) {
        let Some(config) = self.trunk(trunk) else { return };
        let host = config.gateway.as_ref().map(crate::ua::dial::gateway_host).unwrap_or_default();
        let from = config.from_host.clone().unwrap_or_else(|| self.layer.config.realm().to_owned());
        let mut tag = Vec::new();
        hex(&mut tag, self.layer.rng.next_u64());
        let mut call_id = Vec::new();
        hex(&mut call_id, self.layer.rng.next_u64());
        let uri = format!("sip:{host}");
        let (mut head, mut to, mut extra) = (Lines::new(), Lines::new(), Lines::new());
        head.line("Max-Forwards", b"70").parts("From", &[b"<sip:", from.as_bytes(), b">;tag=", &tag]);
        head.line("Call-ID", &call_id);
        to.parts("To", &[b"<", uri.as_bytes(), b">"]);
        extra.line("Accept", ACCEPT.as_bytes());
        let template = Template {
            method: Method::Options,
            uri: uri.into(),
            head: head.finish(),
            to: to.finish(),
            cseq: 1,
            auth: None,
            contact: true,
            extra: extra.finish(),
            content_type: "",
            body: bytes::Bytes::new(),
        };
        self.layer.request(now, Box::new(template), Purpose::Options(trunk), hop, 0);
    }
}
