//! INVITE, client side: sending it (RFC 3261 §13.2, RFC 3263).

use std::collections::VecDeque;

use base::{AgentKey, Instant, LegKey};
use bytes::Bytes;
use smallvec::SmallVec;

use super::leg::{Cancel, Leg, Outgoing, State, Way};
use super::print::{Lines, quoted, user_escaped};
use crate::dialog::Dialog;
use crate::endpoint::dispatch::ALLOW;
use crate::endpoint::{
    ApiError, Binding, Endpoint, Event, FailReason, Flow, Gateway, LegTimer, OutTarget, OutgoingInvite,
    Output, Peer, Protocol, Query, Target,
};
use crate::message::{Host, Method};
use crate::transaction::template::hex;
use crate::transaction::{Hop, Purpose, Template};

/// Whom an INVITE goes to, found out.
struct Callee {
    peer: Peer,
    /// Request-URI.
    uri: Bytes,
    /// URI of To.
    to: Bytes,
    from_host: String,
    /// Whether P-Asserted-Identity may be told.
    trusted: bool,
    symmetric: bool,
    way: CalleeWay,
}

enum CalleeWay {
    Flow(Flow),
    Gateway(Gateway),
}

/// A way to a next hop: known, or to be asked for.
pub(crate) enum Route {
    Known(Hop),
    Ask(u64),
}

impl Endpoint {
    /// Sends an INVITE as a new leg.
    ///
    /// # Errors
    /// [`ApiError`]: nothing was sent and no leg made.
    pub fn invite(&mut self, now: Instant, invite: OutgoingInvite) -> Result<LegKey, ApiError> {
        if self.legs.len() >= self.layer.config.limits.legs_max {
            self.layer.counters.dropped.legs_full += 1;
            return Err(ApiError::LegsFull);
        }
        let callee = self.callee(&invite.target)?;
        let leg = LegKey(self.next_leg);
        let tag = self.layer.rng.next_u64();
        let (dialog, template) = self.initial(&invite, &callee, tag)?;
        let route = match callee.way {
            CalleeWay::Flow(flow) => Route::Known(Hop::flow(flow)),
            CalleeWay::Gateway(gateway) => self.route(&gateway, Query::Invite(leg))?,
        };
        self.next_leg = self.next_leg.wrapping_add(1);
        let times = self.layer.config.times;
        let (way, limit) = match route {
            Route::Known(hop) => {
                let id = self.layer.request(now, template, Purpose::Invite(leg), hop, 0);
                (Way::Sent(id), times.ring_max)
            }
            Route::Ask(query) => (Way::Resolving { query, template }, times.t1.saturating_mul(64)),
        };
        let offerless = invite.sdp.is_none();
        let outgoing = Outgoing {
            way,
            cancel: Cancel::No,
            early: SmallVec::new(),
            progressed: false,
            offerless,
            raised_min_se: false,
        };
        let mut value = Leg::new(callee.peer, dialog, State::Outgoing(Box::new(outgoing)));
        value.sdp = invite.sdp;
        self.legs.insert(leg, Box::new(value));
        self.by_tag.insert(tag, leg);
        self.layer.counters.legs_begun += 1;
        self.set_leg_timer(leg, LegTimer::Unanswered, now + limit);
        Ok(leg)
    }

    fn callee(&self, target: &OutTarget) -> Result<Callee, ApiError> {
        let realm = self.layer.config.realm().to_owned();
        match target {
            OutTarget::Agent(agent) => {
                let binding = self.bindings(*agent).first().ok_or(ApiError::NotRegistered)?;
                Ok(self.callee_at(*agent, binding, realm))
            }
            OutTarget::Contact(agent, key) => {
                let mut bindings = self.bindings(*agent).iter();
                let binding = bindings.find(|b| b.key == *key).ok_or(ApiError::NotRegistered)?;
                Ok(self.callee_at(*agent, binding, realm))
            }
            OutTarget::Trunk(key, number) => {
                let trunk = self.trunk(*key).ok_or(ApiError::NoSuchTrunk)?;
                let gateway = trunk.gateway.clone().ok_or(ApiError::NoSuchTrunk)?;
                let host = gateway_host(&gateway);
                let uri: Bytes = format!("sip:{}@{host}", user_escaped(number.reveal())).into();
                Ok(Callee {
                    peer: Peer::Trunk(*key),
                    to: uri.clone(),
                    uri,
                    from_host: trunk.from_host.clone().unwrap_or(realm),
                    trusted: trunk.trusted_identity,
                    symmetric: trunk.symmetric,
                    way: CalleeWay::Gateway(gateway),
                })
            }
        }
    }

    fn callee_at(&self, agent: AgentKey, binding: &Binding, realm: String) -> Callee {
        let user = self.guard.username(agent).unwrap_or_default();
        Callee {
            peer: Peer::Agent(agent),
            uri: binding.uri.reveal().clone(),
            to: format!("sip:{}@{realm}", user_escaped(user)).into(),
            from_host: realm,
            trusted: true,
            symmetric: true,
            way: CalleeWay::Flow(binding.flow),
        }
    }

    /// The dialog before it exists, and the INVITE.
    fn initial(
        &mut self,
        invite: &OutgoingInvite,
        callee: &Callee,
        tag: u64,
    ) -> Result<(Dialog, Box<Template>), ApiError> {
        let mut call_id = Vec::with_capacity(32);
        hex(&mut call_id, self.layer.rng.next_u64());
        hex(&mut call_id, self.layer.rng.next_u64());
        let mut head = Lines::new();
        let from = from_value(invite, &callee.from_host, tag);
        head.number("Max-Forwards", u64::from(invite.max_forwards))
            .line("From", from.as_bytes())
            .line("Call-ID", &call_id);
        let mut to = Lines::new();
        to.parts("To", &[b"<", &callee.to, b">"]);
        let extra = self.invite_lines(invite, callee);
        if head.is_refused() || to.is_refused() || extra.is_refused() {
            return Err(ApiError::UnprintableHeader);
        }
        let cseq = 1 + self.layer.rng.next_u32() % 0x1_0000;
        let nowhere = Flow {
            protocol: Protocol::Udp,
            local: ([0, 0, 0, 0], 0).into(),
            remote: ([0, 0, 0, 0], 0).into(),
            connection: 0,
        };
        let dialog = Dialog {
            call_id: call_id.into(),
            local_tag: tag,
            remote_tag: Bytes::new(),
            local: from.into(),
            remote: Bytes::new(),
            local_cseq: cseq,
            remote_cseq: None,
            target: callee.uri.clone(),
            routes: SmallVec::new(),
            flow: nowhere,
            symmetric: callee.symmetric,
            is_ours: true,
        };
        let template = Template {
            method: Method::Invite,
            uri: callee.uri.clone(),
            head: head.finish(),
            to: to.finish(),
            cseq,
            auth: None,
            contact: true,
            extra: extra.finish(),
            content_type: "application/sdp",
            body: invite.sdp.clone().unwrap_or_default(),
        };
        Ok((dialog, Box::new(template)))
    }

    fn invite_lines(&self, invite: &OutgoingInvite, callee: &Callee) -> Lines {
        let config = &self.layer.config;
        let mut lines = Lines::new();
        lines.line("Allow", ALLOW.as_bytes());
        // Without an offer of ours a reliable provisional response would bring one that PRACK had to answer.
        lines.line(
            "Supported",
            if invite.sdp.is_some() { b"100rel, timer, replaces" } else { b"timer, replaces" },
        );
        if !config.times.session_expires.is_zero() {
            lines.number("Session-Expires", config.times.session_expires.as_secs());
            lines.number("Min-SE", self.session_min_s());
        }
        if let (Some(asserted), true) = (&invite.asserted, callee.trusted) {
            let uri = format!("<sip:{}@{}>", user_escaped(asserted.reveal()), callee.from_host);
            lines.line("P-Asserted-Identity", uri.as_bytes());
        }
        if invite.privacy {
            lines.line("Privacy", b"id");
        }
        if !config.product.is_empty() {
            lines.line("User-Agent", config.product.as_bytes());
        }
        for (name, value) in &invite.headers {
            lines.line(name, value.as_bytes());
        }
        lines
    }

    /// The way to a gateway: at once if it is an address, else by a question to the driver.
    pub(crate) fn route(&mut self, gateway: &Gateway, query: Query) -> Result<Route, ApiError> {
        if let Some(Host::Ip(ip)) = Host::parse(gateway.host.as_bytes()) {
            let target = Target {
                protocol: gateway.protocol.unwrap_or_default(),
                remote: (ip, gateway.port.unwrap_or(5060)).into(),
            };
            return self.hop(VecDeque::from([target])).map(Route::Known).ok_or(ApiError::NoListener);
        }
        let id = self.next_query;
        self.next_query = self.next_query.wrapping_add(1);
        self.queries.insert(id, query);
        self.layer.outputs.push_back(Output::Resolve {
            query: id,
            host: gateway.host.clone(),
            port: gateway.port,
            protocol: gateway.protocol,
        });
        Ok(Route::Ask(id))
    }

    /// The first target that a listener of ours reaches, and those after it.
    pub(crate) fn hop(&self, mut targets: VecDeque<Target>) -> Option<Hop> {
        while let Some(target) = targets.pop_front() {
            if let Some(listener) = self.layer.listener(target.protocol, target.remote.ip()) {
                let flow = Flow {
                    protocol: target.protocol,
                    local: listener.local,
                    remote: target.remote,
                    connection: 0,
                };
                return Some(Hop { flow, next: targets });
            }
        }
        None
    }

    /// The answer to a question for a name.
    pub(crate) fn resolved(&mut self, now: Instant, query: u64, targets: Vec<Target>) {
        let Some(wanted) = self.queries.remove(&query) else { return };
        let hop = self.hop(targets.into_iter().take(TARGETS_MAX).collect());
        match wanted {
            Query::Options(trunk) => match hop {
                Some(hop) => self.send_options(now, trunk, hop),
                None => self.layer.event(Event::OptionsAnswered { trunk, ok: false }),
            },
            Query::Invite(leg) => self.invite_resolved(now, leg, query, hop),
        }
    }

    fn invite_resolved(&mut self, now: Instant, leg: LegKey, query: u64, hop: Option<Hop>) {
        let Some(Leg { state: State::Outgoing(outgoing), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        let Way::Resolving { query: waiting, template } = &outgoing.way else { return };
        if *waiting != query {
            return;
        }
        let template = template.clone();
        match hop {
            Some(hop) => {
                let id = self.layer.request(now, template, Purpose::Invite(leg), hop, 0);
                outgoing.way = Way::Sent(id);
                let limit = self.layer.config.times.ring_max;
                self.set_leg_timer(leg, LegTimer::Unanswered, now + limit);
            }
            None => self.invite_failed(leg, 503, None, FailReason::Unresolved),
        }
    }

    /// Our INVITE ended without a call: the owner hears of it unless he cancelled.
    pub(crate) fn invite_failed(
        &mut self,
        leg: LegKey,
        code: u16,
        retry_after_s: Option<u32>,
        reason: FailReason,
    ) {
        let Some(Leg { state: State::Outgoing(outgoing), .. }) = self.legs.get(&leg).map(|leg| &**leg) else {
            return;
        };
        if outgoing.cancel == Cancel::No {
            self.layer.event(Event::Failed { leg, code, retry_after_s, reason });
        }
        self.release(leg);
    }

    /// It rang too long, or its name was never resolved.
    pub(crate) fn outgoing_unanswered(&mut self, now: Instant, leg: LegKey) {
        let Some(Leg { state: State::Outgoing(outgoing), .. }) =
            self.legs.get_mut(&leg).map(|leg| &mut **leg)
        else {
            return;
        };
        if let Way::Resolving { query, .. } = outgoing.way {
            self.queries.remove(&query);
            return self.invite_failed(leg, 503, None, FailReason::Unresolved);
        }
        if outgoing.cancel != Cancel::No {
            return;
        }
        self.layer.event(Event::Failed {
            leg,
            code: 408,
            retry_after_s: None,
            reason: FailReason::RangTooLong,
        });
        self.cancel(now, leg, None);
    }
}

/// Targets of one name that are tried.
const TARGETS_MAX: usize = 16;

pub(crate) fn gateway_host(gateway: &Gateway) -> String {
    let ip = Host::parse(gateway.host.as_bytes()).and_then(|host| host.ip());
    let host = match ip {
        Some(ip) if ip.is_ipv6() => format!("[{ip}]"),
        _ => gateway.host.clone(),
    };
    match gateway.port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// From with our tag; anonymous if the caller wants privacy (RFC 3323 §4.1.1.3).
fn from_value(invite: &OutgoingInvite, host: &str, tag: u64) -> String {
    if invite.privacy {
        return format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={tag:016x}");
    }
    let display = invite.from_display.as_ref().map(|name| quoted(name.reveal())).unwrap_or_default();
    let space = if display.is_empty() { "" } else { " " };
    let user = user_escaped(invite.from_user.reveal());
    let at = if user.is_empty() { "" } else { "@" };
    format!("{display}{space}<sip:{user}{at}{host}>;tag={tag:016x}")
}
