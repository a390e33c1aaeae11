//! REGISTER (RFC 3261 §10.3), digest for all users' requests, and keep-alives of their contacts.

use std::collections::BTreeSet;

use base::{AgentKey, Instant};
use bytes::Bytes;

use super::print::Lines;
use super::read;
use crate::auth::Verdict;
use crate::endpoint::request::Request;
use crate::endpoint::{Binding, BindingKey, Endpoint, Event, Output, Protocol, Timer};
use crate::message::header::Contacts;
use crate::message::{HeaderName, Message};
use crate::registrar::{Change, Outcome, Refused, Registration};
use crate::transaction::Answer;

/// What the Contacts of a REGISTER ask for.
enum Wish {
    /// Nothing: list what there is.
    Query,
    /// `*`.
    RemoveAll,
    Changes(Vec<Change>),
    /// 400.
    Malformed,
    /// 423 with the smallest time.
    TooBrief(u64),
}

impl Endpoint {
    /// The agent whose credentials a request bears; else it has been answered, or must hear nothing.
    pub(crate) fn authenticate(&mut self, now: Instant, r: &Request<'_>) -> Option<AgentKey> {
        let verdict = self.guard.judge(now, r.message, r.method.as_bytes(), r.source());
        let dropped = &mut self.layer.counters.dropped;
        let stale = match verdict {
            Verdict::Proven(agent) => return Some(agent),
            Verdict::Challenge => false,
            Verdict::Stale => true,
            // A replay gets a fresh nonce: who knows the secret comes back with it.
            Verdict::Replayed => {
                dropped.auth_replayed += 1;
                true
            }
            Verdict::Wrong => {
                dropped.auth_failed += 1;
                false
            }
        };
        let salt = self.layer.rng.next_u64();
        let lines = self.guard.challenge(now, r.message, r.source(), stale, salt);
        self.refuse_with(r, 401, &lines);
        None
    }

    pub(crate) fn on_register(&mut self, now: Instant, r: &Request<'_>) {
        if !self.requirements_met_for_register(r) {
            return;
        }
        let Some(agent) = self.authenticate(now, r) else { return };
        let r = &Request { tag: Some(self.layer.rng.next_u64()), ..*r };
        let to = r.message.to().ok().and_then(|to| to.uri().ok());
        let user = to.and_then(|to| to.user_unescaped()).map(|user| user.into_owned());
        // RFC 3261 §10.3 step 4: only one's own address of record.
        if user.as_deref() != self.guard.username(agent).map(str::as_bytes) {
            return self.refuse(r, 403);
        }
        let registration = Registration {
            call_id: Bytes::copy_from_slice(r.message.call_id()),
            cseq: r.message.cseq_number(),
            flow: r.flow,
            product: product(r.message),
        };
        let contacts_max = self.layer.config.limits.contacts_per_user_max;
        let result = match self.wish(r.message) {
            Wish::Malformed => return self.refuse(r, 400),
            Wish::TooBrief(min_s) => {
                let mut lines = Lines::new();
                lines.number("Min-Expires", min_s);
                return self.refuse_with(r, 423, &lines);
            }
            Wish::Query => Ok(Outcome::default()),
            Wish::RemoveAll => self.registrar.clear(now, agent, &registration),
            Wish::Changes(changes) => self.registrar.apply(now, agent, &registration, &changes, contacts_max),
        };
        match result {
            Ok(outcome) => self.registered(now, r, agent, &outcome),
            Err(Refused::OutOfOrder) => self.refuse(r, 500),
            Err(Refused::Full) => {
                self.layer.counters.dropped.contacts_full += 1;
                self.refuse(r, 403);
            }
        }
    }

    fn requirements_met_for_register(&mut self, r: &Request<'_>) -> bool {
        let mut lines = Lines::new();
        for option in read::tokens(r.message, HeaderName::Require) {
            lines.line("Unsupported", option);
        }
        let met = lines.as_bytes().is_empty();
        if !met {
            self.refuse_with(r, 420, &lines);
        }
        met
    }

    fn registered(&mut self, now: Instant, r: &Request<'_>, agent: AgentKey, outcome: &Outcome) {
        for key in &outcome.removed {
            self.layer.timers.cancel(Timer::Binding(key.0));
        }
        for (key, at) in &outcome.set {
            self.layer.timers.set(Timer::Binding(key.0), *at);
        }
        // Before the 200: whoever keeps contacts over a restart has this one when the phone is told so.
        let changed = !outcome.set.is_empty() || !outcome.removed.is_empty();
        if changed && !outcome.last {
            self.layer.event(Event::Registered { agent, first: outcome.first });
        }
        if outcome.last {
            self.layer.event(Event::Unregistered { agent });
        }
        let mut lines = Lines::new();
        for binding in self.registrar.bindings(agent) {
            let left = binding.expires_at.since(now).as_secs();
            let q = format!(">;q={}.{:03};expires={left}", binding.q_milli / 1000, binding.q_milli % 1000);
            lines.parts("Contact", &[b"<", binding.uri.reveal(), q.as_bytes()]);
        }
        let tag = self.layer.rng.next_u64();
        self.answer(now, r, tag, &Answer::with(200, lines.as_bytes()));
    }

    fn wish(&self, m: &Message) -> Wish {
        let times = self.layer.config.times;
        let overall = read::number(m, HeaderName::Expires);
        let contacts = match m.contacts() {
            Err(_) => return Wish::Malformed,
            // RFC 3261 §10.2.2: only with Expires 0.
            Ok(Contacts::All) if overall == Some(0) => return Wish::RemoveAll,
            Ok(Contacts::All) => return Wish::Malformed,
            Ok(Contacts::List(contacts)) => contacts,
        };
        let (min_s, max_s) = (times.registration_min.as_secs(), times.registration_max.as_secs());
        let mut changes = Vec::new();
        for contact in contacts {
            let Ok(contact) = contact else { return Wish::Malformed };
            let Some(q_milli) = contact.q_milli() else { return Wish::Malformed };
            if contact.uri().ok().and_then(|uri| uri.host()).is_none() {
                return Wish::Malformed;
            }
            let asked =
                contact.expires_s().or(overall).map_or(times.registration_default.as_secs(), u64::from);
            if asked > 0 && asked < min_s {
                return Wish::TooBrief(min_s);
            }
            let expires_s = u32::try_from(asked.min(max_s)).unwrap_or(u32::MAX);
            changes.push(Change { uri: Bytes::copy_from_slice(contact.uri_bytes), expires_s, q_milli });
        }
        if changes.is_empty() { Wish::Query } else { Wish::Changes(changes) }
    }

    /// A contact was not refreshed.
    pub(crate) fn binding_expired(&mut self, _now: Instant, key: BindingKey) {
        if let Some((agent, true)) = self.registrar.expire(key) {
            self.layer.event(Event::Unregistered { agent });
        }
    }

    /// Contacts of users that are no longer configured end.
    pub(crate) fn drop_strangers(&mut self, _now: Instant) {
        for agent in self.registrar.agents() {
            if self.guard.username(agent).is_some() {
                continue;
            }
            let keys: Vec<_> = self.registrar.bindings(agent).iter().map(|binding| binding.key).collect();
            for key in keys {
                self.layer.timers.cancel(Timer::Binding(key.0));
                self.registrar.expire(key);
            }
            self.layer.event(Event::Unregistered { agent });
        }
    }

    /// Four bytes to each UDP contact keep the door of its address translator open (RFC 5626 §3.5.1
    /// has them from the phone; many phones send none).
    pub(crate) fn keep_alive(&mut self, now: Instant) {
        let interval = self.layer.config.times.keepalive;
        if interval.is_zero() {
            return;
        }
        let flows = self.registrar.all().into_iter().map(|binding| binding.flow);
        let udp: BTreeSet<_> =
            flows.filter(|f| f.protocol == Protocol::Udp).map(|f| (f.remote, f.local)).collect();
        for (remote, local) in udp {
            self.layer.outputs.push_back(Output::Send {
                protocol: Protocol::Udp,
                local: Some(local),
                remote,
                connection: 0,
                bytes: Bytes::from_static(b"\r\n\r\n"),
            });
        }
        self.layer.timers.set(Timer::Keepalive, now + interval);
    }

    /// Takes back a contact that an earlier process had: it is rung again without a new REGISTER. Its key is not
    /// looked at. `false`: it is over, its agent is gone, or he has too many.
    pub fn restore(&mut self, now: Instant, agent: AgentKey, contact: Binding) -> bool {
        let left_s = contact.expires_at.since(now).as_secs();
        if left_s == 0 || self.guard.username(agent).is_none() {
            return false;
        }
        let contact = crate::registrar::without_stream(contact);
        let registration = Registration {
            // No REGISTER has it: the phone's next one counts as a new registration.
            call_id: Bytes::new(),
            cseq: 0,
            flow: contact.flow,
            product: contact.product,
        };
        let change = Change {
            uri: contact.uri.reveal().clone(),
            expires_s: u32::try_from(left_s).unwrap_or(u32::MAX),
            q_milli: contact.q_milli,
        };
        let contacts_max = self.layer.config.limits.contacts_per_user_max;
        let Ok(outcome) = self.registrar.apply(now, agent, &registration, &[change], contacts_max) else {
            return false;
        };
        for (key, at) in &outcome.set {
            self.layer.timers.set(Timer::Binding(key.0), *at);
        }
        self.layer.event(Event::Registered { agent, first: outcome.first });
        true
    }

    /// Contacts to be kept over a restart, in the order of keys.
    pub fn registrations(&self) -> Vec<(AgentKey, Binding)> {
        let agents = self.registrar.agents().into_iter();
        agents
            .flat_map(|agent| self.bindings(agent).iter().map(move |binding| (agent, binding.clone())))
            .collect()
    }
}

fn product(m: &Message) -> Option<String> {
    let value = m.header(HeaderName::UserAgent)?;
    Some(String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).take(64).collect())
}
