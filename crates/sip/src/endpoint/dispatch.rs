//! From bytes to the handler of their kind. Gate first, state second.

use core::net::IpAddr;

use base::{AgentKey, Instant};
use bytes::Bytes;

use super::counters::method_index;
use super::gate::Admission;
use super::request::Request;
use super::{Endpoint, Flow, Peer, TrunkConfig};
use crate::message::header::NameAddr;
use crate::message::{Answerable, HeaderName, Host, Message, Method, ParseError};
use crate::transaction::template::{COOKIE, unhex};
use crate::transaction::{Answer, Up};
use crate::ua::leg::State;
use crate::ua::print::Lines;
use crate::ua::read;

impl Endpoint {
    pub(super) fn received(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            // A keep-alive (RFC 5626 §3.5.1).
            return;
        }
        match Message::parse(bytes, &self.layer.config.limits.message) {
            Ok(message) if message.is_request() => self.on_request(now, &message, flow),
            Ok(message) => self.on_response(now, &message, flow),
            Err(error) => self.malformed(now, flow, &error),
        }
    }

    /// Answers what cannot be read, if it can be answered, without keeping anything.
    fn malformed(&mut self, now: Instant, flow: Flow, error: &ParseError) {
        self.layer.counters.dropped.malformed += 1;
        let Some(answer) = &error.answer else { return };
        let limits = self.layer.config.limits;
        let trunk = self.trunk_at(flow.remote.ip()).is_some();
        if self.gate.admit(now, flow.remote.ip(), trunk, &limits) != Admission::Welcome {
            self.layer.counters.dropped.rate_limited += 1;
            return;
        }
        self.layer.counters.dropped.malformed_answered += 1;
        let tag = self.layer.keyed(("stateless tag", answer.call_id.as_deref(), flow.remote.ip()));
        let head = answerable_head(answer, tag);
        self.layer.respond_stateless(&flow, &head, &Answer::code(error.status()));
    }

    fn on_request(&mut self, now: Instant, message: &Message, flow: Flow) {
        let Some(mut request) = Request::new(&self.layer, now, message, flow) else { return };
        if let Some(count) = self.layer.counters.requests_in.get_mut(method_index(request.method)) {
            *count += 1;
        }
        if *request.method == Method::Ack {
            return self.on_ack(now, &request);
        }
        if self.layer.absorb(now, request.id) {
            return;
        }
        match request.method {
            Method::Cancel => self.on_cancel(now, &request),
            _ if message.to_tag().is_some() => self.in_dialog(now, &mut request),
            _ => self.out_of_dialog(now, &request),
        }
    }

    fn in_dialog(&mut self, now: Instant, r: &mut Request<'_>) {
        let found = r.message.to_tag().and_then(unhex).and_then(|tag| self.by_tag.get(&tag).copied());
        let Some(key) = found.filter(|key| self.legs.get(key).is_some_and(|leg| leg.holds(r.message))) else {
            // Strangers pay for the answer.
            if self.admitted(now, r) {
                self.refuse(r, 481);
            }
            return;
        };
        let Some(leg) = self.legs.get_mut(&key) else { return };
        r.tag = Some(leg.dialog.local_tag);
        let r = &*r;
        if matches!(leg.state, State::Outgoing(_)) {
            return self.in_early_dialog(now, r, key);
        }
        let knows = !matches!(
            r.method,
            Method::Other(_) | Method::Register | Method::Publish | Method::Message | Method::Subscribe
        );
        if !leg.dialog.in_order(r.message.cseq_number()) {
            // RFC 3261 §12.2.2.
            return self.refuse(r, 500);
        }
        if !knows {
            return self.refuse_method(r);
        }
        if !self.requirements_met(r) {
            return;
        }
        match r.method {
            Method::Invite => self.on_reinvite(now, r, key),
            Method::Bye => self.on_bye(now, r, key),
            Method::Update => self.on_update(now, r, key),
            Method::Prack => self.on_prack(now, r, key),
            Method::Info => self.on_info(now, r, key),
            Method::Refer => self.on_refer(now, r, key),
            Method::Options => self.answer_options(r),
            // We subscribe to nothing (RFC 6665 §4.1.3).
            _ => self.refuse(r, 481),
        }
    }

    fn out_of_dialog(&mut self, now: Instant, r: &Request<'_>) {
        if !self.admitted(now, r) {
            return;
        }
        if self.crowded {
            self.layer.counters.dropped.crowded += 1;
            return self.refuse_for_now(r);
        }
        let known = self.trunk_at(r.source()).is_some() || self.registrar.is_registered_at(r.flow.remote);
        if !known && self.guard.is_silenced(now, r.source()) {
            self.layer.counters.dropped.guesses_silenced += 1;
            return;
        }
        match r.method {
            Method::Register => return self.on_register(now, r),
            Method::Bye | Method::Prack | Method::Update | Method::Info | Method::Notify => {
                return self.refuse(r, 481);
            }
            _ => {}
        }
        let Some(caller) = self.who(r) else {
            self.layer.counters.dropped.unknown_source += 1;
            return self.refuse(r, 403);
        };
        match r.method {
            Method::Invite if !self.requirements_met(r) => {}
            Method::Invite => self.on_invite(now, r, caller),
            Method::Options => self.answer_options(r),
            Method::Refer => self.refuse(r, 403),
            _ => self.refuse_method(r),
        }
    }

    /// Whether the source's rate allows another request; else it has been answered or ignored.
    fn admitted(&mut self, now: Instant, r: &Request<'_>) -> bool {
        let limits = self.layer.config.limits;
        let trunk = self.trunk_at(r.source()).is_some();
        match self.gate.admit(now, r.source(), trunk, &limits) {
            Admission::Welcome => true,
            Admission::Busy => {
                self.layer.counters.dropped.rate_limited += 1;
                self.refuse_for_now(r);
                false
            }
            Admission::Flooded => {
                self.layer.counters.dropped.flooded += 1;
                false
            }
        }
    }

    /// Who seems to ask: a trunk by its address, or someone who says he is ours and must prove it.
    fn who(&self, r: &Request<'_>) -> Option<Claim> {
        let from = r.message.from().ok()?.uri().ok()?;
        let ours = from.host().is_some_and(|host| self.is_ours(host, r.flow.local.ip()));
        // A phone is a phone, even at an address of a trunk: it is registered there, or says that it is
        // a user of ours. To claim that only costs it a password.
        let user = ours && from.user_unescaped().is_some_and(|user| self.guard.knows(&user));
        if user || self.registrar.is_registered_at(r.flow.remote) {
            return Some(Claim::User);
        }
        match self.trunk_at(r.source()) {
            Some(trunk) => Some(Claim::Proven(Peer::Trunk(trunk.key))),
            None => ours.then_some(Claim::User),
        }
    }

    /// Whether a host is one of our domains or addresses.
    pub(crate) fn is_ours(&self, host: Host<'_>, local: IpAddr) -> bool {
        let config = &self.layer.config;
        let ours = |ip: IpAddr| {
            ip == local || config.listeners.iter().any(|l| l.local.ip() == ip || l.sent_by().ip() == ip)
        };
        host.ip().is_some_and(ours)
            || config
                .domains
                .iter()
                .any(|domain| Host::parse(domain.as_bytes()).is_some_and(|d| d.is_same(&host)))
    }

    /// The trunk whose source blocks hold `ip`: the longest prefix wins.
    pub(crate) fn trunk_at(&self, ip: IpAddr) -> Option<&TrunkConfig> {
        let prefix = |trunk: &TrunkConfig| {
            trunk.sources.iter().filter(|block| block.contains(ip)).map(|block| block.prefix).max()
        };
        let trunks = self.layer.config.trunks.iter().filter_map(|trunk| Some((prefix(trunk)?, trunk)));
        // Of equals the first configured.
        trunks.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, trunk)| trunk)
    }

    /// Require and Content-Type (RFC 3261 §8.2.2.3, §8.2.3), Max-Forwards. `false`: refused.
    fn requirements_met(&mut self, r: &Request<'_>) -> bool {
        let mut lines = Lines::new();
        for option in read::tokens(r.message, HeaderName::Require) {
            if !SUPPORTED.iter().any(|ours| ours.as_bytes().eq_ignore_ascii_case(option)) {
                lines.line("Unsupported", option);
            }
        }
        if !lines.as_bytes().is_empty() {
            self.refuse_with(r, 420, &lines);
            return false;
        }
        if read::max_forwards(r.message) == Some(0)
            && *r.method == Method::Invite
            && r.message.to_tag().is_none()
        {
            self.refuse(r, 483);
            return false;
        }
        let session = matches!(r.method, Method::Invite | Method::Update | Method::Prack);
        if session && !r.message.body().is_empty() && !read::takes_body(r.message) {
            lines.line("Accept", ACCEPT.as_bytes());
            self.refuse_with(r, 415, &lines);
            return false;
        }
        true
    }

    /// Refuses. Strangers without keeping anything (RFC 3261 §8.2.7), the tag is the same each time;
    /// within a dialog, and who has proved himself, with state: a repetition must get the same answer
    /// (RFC 3261 §17.2) though the dialog has moved on, or the nonce has been used.
    pub(crate) fn refuse_with(&mut self, r: &Request<'_>, code: u16, lines: &Lines) {
        if let Some(tag) = r.tag
            && self.layer.full(r.source()).is_none()
        {
            let invite = *r.method == Method::Invite;
            self.layer.serve_quietly(r.id, r.reply, r.source(), r.head(tag), invite);
            self.layer.respond(r.at, r.id, &Answer::with(code, lines.as_bytes()));
            return;
        }
        let tag = self.layer.keyed(("stateless tag", r.message.call_id(), r.message.from_tag(), r.source()));
        let head = r.head(tag);
        self.layer.respond_stateless(&r.reply, &head, &Answer::with(code, lines.as_bytes()));
    }

    /// Refuses with a status and nothing else.
    pub(crate) fn refuse(&mut self, r: &Request<'_>, code: u16) {
        self.refuse_with(r, code, &Lines::new());
    }

    /// 503 with Retry-After.
    pub(crate) fn refuse_for_now(&mut self, r: &Request<'_>) {
        let mut lines = Lines::new();
        lines.number("Retry-After", u64::from(self.layer.config.times.retry_after_s));
        self.refuse_with(r, 503, &lines);
    }

    fn refuse_method(&mut self, r: &Request<'_>) {
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes());
        self.refuse_with(r, 405, &lines);
    }

    /// Answers a request with state, so that its repetition is absorbed. `false`: no room, it got 503.
    pub(crate) fn answer(&mut self, now: Instant, r: &Request<'_>, tag: u64, answer: &Answer<'_>) -> bool {
        if self.layer.room(r.source()).is_err() {
            self.refuse_for_now(r);
            return false;
        }
        self.layer.serve(now, r.id, r.reply, r.head(tag), None);
        self.layer.respond(now, r.id, answer);
        true
    }

    fn on_response(&mut self, now: Instant, message: &Message, flow: Flow) {
        let Some(code) = message.status() else { return };
        if let Some(count) = self.layer.counters.responses_in.get_mut(usize::from(code / 100)) {
            *count += 1;
        }
        let branch = message.branch().and_then(|branch| branch.strip_prefix(COOKIE)).and_then(unhex);
        // RFC 3261 §8.1.3.3: more than one Via, and it is not for us.
        let Some(branch) = branch.filter(|_| message.vias().count() == 1) else {
            self.layer.counters.dropped.stray_responses += 1;
            return;
        };
        let mut to = Lines::new();
        to.line("To", message.header(HeaderName::To).unwrap_or_default());
        let up = self.layer.on_response(now, branch, message.cseq_method(), code, to.as_bytes());
        if let Some(Up::Response { id, purpose }) = up {
            self.request_answered(now, id, purpose, code, message, flow);
        }
    }
}

/// What a source claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Proven(Peer),
    /// One of our users: digest will tell.
    User,
}

impl Claim {
    /// The agent that digest proved.
    pub(crate) fn proven(agent: AgentKey) -> Peer {
        Peer::Agent(agent)
    }
}

/// Methods we take.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY";
/// Bodies we take.
pub(crate) const ACCEPT: &str = "application/sdp";
/// Extensions we know.
pub(crate) const SUPPORTED: [&str; 3] = ["100rel", "timer", "replaces"];

/// What can be repeated of a request that cannot be read, with a tag of ours in To if it has none.
fn answerable_head(answer: &Answerable, tag: u64) -> Vec<u8> {
    let mut lines = Lines::new();
    for via in &answer.vias {
        lines.line("Via", via);
    }
    if let Some(from) = &answer.from {
        lines.line("From", from);
    }
    if let Some(to) = &answer.to {
        let tagged = NameAddr::parse(to).is_ok_and(|to| to.tag().is_none());
        let tag = if tagged { format!(";tag={tag:016x}") } else { String::new() };
        lines.parts("To", &[to, tag.as_bytes()]);
    }
    for (name, value) in [("Call-ID", &answer.call_id), ("CSeq", &answer.cseq)] {
        if let Some(value) = value {
            lines.line(name, value);
        }
    }
    lines.as_bytes().to_vec()
}
