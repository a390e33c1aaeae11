//! Contacts of agents (RFC 3261 §10): what is registered, by whom, until when, and how it is reached.

use core::net::SocketAddr;

use base::{AgentKey, Instant, Pii, Seed, SeededMap};
use bytes::Bytes;

use crate::endpoint::{Binding, BindingKey, Flow};
use crate::message::Uri;

/// One change that a REGISTER asks for.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) uri: Bytes,
    /// 0 removes.
    pub(crate) expires_s: u32,
    pub(crate) q_milli: u16,
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// An older REGISTER of the same registration (RFC 3261 §10.3 step 7).
    OutOfOrder,
    /// Too many contacts.
    Full,
}

/// What a REGISTER did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Contacts that were added or refreshed, with their ends.
    pub(crate) set: Vec<(BindingKey, Instant)>,
    /// Contacts that are gone.
    pub(crate) removed: Vec<BindingKey>,
    /// The agent had none before and has one now.
    pub(crate) first: bool,
    /// The agent had one before and has none now.
    pub(crate) last: bool,
}

/// A REGISTER, understood.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) call_id: Bytes,
    pub(crate) cseq: u32,
    pub(crate) flow: Flow,
    pub(crate) product: Option<String>,
}

#[derive(Debug, Default)]
struct Record {
    /// Best first.
    bindings: Vec<Binding>,
    /// Call-ID and CSeq that last changed each binding, in the same order of keys.
    orders: Vec<(BindingKey, Bytes, u32)>,
    /// The last CSeq of each Call-ID that removed something, so that a late REGISTER revives nothing.
    gone: Vec<(Bytes, u32)>,
}

/// Call-IDs of removed contacts that are remembered for one agent.
const GONE_MAX: usize = 8;

/// Contacts by agent.
#[derive(Debug)]
pub(crate) struct Registrar {
    records: SeededMap<AgentKey, Record>,
    by_key: SeededMap<u64, AgentKey>,
    by_address: SeededMap<SocketAddr, u32>,
    next_key: u64,
}

impl Registrar {
    pub(crate) fn new(seed: Seed) -> Self {
        Registrar {
            records: SeededMap::with_hasher(seed),
            by_key: SeededMap::with_hasher(seed),
            by_address: SeededMap::with_hasher(seed),
            next_key: 1,
        }
    }

    /// An agent's contacts, best first.
    pub(crate) fn bindings(&self, agent: AgentKey) -> &[Binding] {
        self.records.get(&agent).map_or(&[], |record| &record.bindings)
    }

    /// Whether a registered phone is at this address.
    pub(crate) fn is_registered_at(&self, remote: SocketAddr) -> bool {
        self.by_address.contains_key(&remote)
    }

    /// Agents with contacts.
    pub(crate) fn agents(&self) -> Vec<AgentKey> {
        let mut agents: Vec<_> =
            self.records.iter().filter(|(_, r)| !r.bindings.is_empty()).map(|(a, _)| *a).collect();
        agents.sort_unstable();
        agents
    }

    /// Every contact, in the order of keys.
    pub(crate) fn all(&self) -> Vec<&Binding> {
        let mut all: Vec<_> = self.records.values().flat_map(|record| &record.bindings).collect();
        all.sort_unstable_by_key(|binding| binding.key);
        all
    }

    /// Applies a REGISTER: all of its changes, or none (RFC 3261 §10.3 step 7).
    pub(crate) fn apply(
        &mut self,
        now: Instant,
        agent: AgentKey,
        registration: &Registration,
        changes: &[Change],
        contacts_max: usize,
    ) -> Result<Outcome, Refused> {
        let record = self.records.entry(agent).or_default();
        record.check_order(registration, changes)?;
        let new = changes
            .iter()
            .filter(|change| change.expires_s > 0 && record.find(&change.uri).is_none())
            .count();
        if record.bindings.len().saturating_add(new) > contacts_max {
            return Err(Refused::Full);
        }
        let had = !record.bindings.is_empty();
        let mut outcome = Outcome::default();
        for change in changes {
            if change.expires_s == 0 {
                self.remove_uri(agent, &change.uri, registration, &mut outcome);
            } else {
                self.put(now, agent, change, registration, &mut outcome);
            }
        }
        let has = !self.bindings(agent).is_empty();
        outcome.first = !had && has;
        outcome.last = had && !has;
        Ok(outcome)
    }

    /// `Contact: *` with Expires 0: removes everything.
    pub(crate) fn clear(
        &mut self,
        now: Instant,
        agent: AgentKey,
        registration: &Registration,
    ) -> Result<Outcome, Refused> {
        let changes: Vec<_> = self
            .bindings(agent)
            .iter()
            .map(|binding| Change { uri: binding.uri.reveal().clone(), expires_s: 0, q_milli: 0 })
            .collect();
        self.apply(now, agent, registration, &changes, usize::MAX)
    }

    fn put(
        &mut self,
        now: Instant,
        agent: AgentKey,
        change: &Change,
        registration: &Registration,
        outcome: &mut Outcome,
    ) {
        let record = self.records.entry(agent).or_default();
        let found = record.find(&change.uri);
        let key = found.map_or_else(
            || {
                let key = BindingKey(self.next_key);
                self.next_key = self.next_key.wrapping_add(1);
                key
            },
            |binding| binding.key,
        );
        let old = record.take(key);
        let expires_at = now + core::time::Duration::from_secs(u64::from(change.expires_s));
        let binding = Binding {
            key,
            uri: Pii::new(change.uri.clone()),
            flow: registration.flow,
            expires_at,
            q_milli: change.q_milli,
            product: registration.product.clone(),
        };
        // Best first: higher q, then the newer.
        let at = record.bindings.iter().position(|other| other.q_milli <= change.q_milli);
        record.bindings.insert(at.unwrap_or(record.bindings.len()), binding);
        record.orders.push((key, registration.call_id.clone(), registration.cseq));
        self.by_key.insert(key.0, agent);
        if let Some(old) = old {
            self.left(old.flow.remote);
        }
        *self.by_address.entry(registration.flow.remote).or_insert(0) += 1;
        outcome.set.push((key, expires_at));
    }

    fn remove_uri(
        &mut self,
        agent: AgentKey,
        uri: &[u8],
        registration: &Registration,
        outcome: &mut Outcome,
    ) {
        let Some(record) = self.records.get_mut(&agent) else { return };
        let Some(key) = record.find(uri).map(|binding| binding.key) else { return };
        record.gone.retain(|(call_id, _)| *call_id != registration.call_id);
        if record.gone.len() >= GONE_MAX {
            record.gone.remove(0);
        }
        record.gone.push((registration.call_id.clone(), registration.cseq));
        if let Some(old) = record.take(key) {
            self.by_key.remove(&key.0);
            self.left(old.flow.remote);
            outcome.removed.push(key);
        }
    }

    /// A contact's time is over: whose it was, and whether it was his last.
    pub(crate) fn expire(&mut self, key: BindingKey) -> Option<(AgentKey, bool)> {
        let agent = self.by_key.remove(&key.0)?;
        let record = self.records.get_mut(&agent)?;
        let old = record.take(key)?;
        let last = record.bindings.is_empty();
        self.left(old.flow.remote);
        Some((agent, last))
    }

    /// A stream ended. Its contacts stay, for the phone may come back before they expire; requests for
    /// them then open a stream to where the phone listens, which fails at once behind a translator.
    pub(crate) fn stream_closed(&mut self, flow: &Flow) {
        if !self.is_registered_at(flow.remote) {
            return;
        }
        let mut moved = Vec::new();
        for binding in self.records.values_mut().flat_map(|record| &mut record.bindings) {
            if binding.flow == *flow {
                binding.flow.connection = 0;
                if let Some(remote) = listens_at(binding) {
                    binding.flow.remote = remote;
                    moved.push(remote);
                }
            }
        }
        for remote in moved {
            self.left(flow.remote);
            *self.by_address.entry(remote).or_insert(0) += 1;
        }
    }

    fn left(&mut self, remote: SocketAddr) {
        if let Some(count) = self.by_address.get_mut(&remote) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&remote);
            }
        }
    }
}

/// A contact whose stream is gone: called where the phone listens, see [`Registrar::stream_closed`].
pub(crate) fn without_stream(mut binding: Binding) -> Binding {
    binding.flow.connection = 0;
    if binding.flow.protocol.is_reliable()
        && let Some(remote) = listens_at(&binding)
    {
        binding.flow.remote = remote;
    }
    binding
}

/// Where the phone of a contact takes connections: the stream came from a port that nobody listens on. Only
/// an address that registered is believed: a Contact must not lead our connections anywhere else.
fn listens_at(binding: &Binding) -> Option<SocketAddr> {
    let uri: &[u8] = binding.uri.reveal();
    let uri = Uri::parse_lossy(uri);
    let ip = uri.host()?.ip()?;
    // RFC 3261 §19.1.2: without a port it is 5060.
    (ip == binding.flow.remote.ip()).then(|| SocketAddr::new(ip, uri.port().unwrap_or(5060)))
}

impl Record {
    /// The binding of a URI, compared as RFC 3261 §19.1.4 says.
    fn find(&self, uri: &[u8]) -> Option<&Binding> {
        let wanted = Uri::parse_lossy(uri);
        self.bindings.iter().find(|binding| {
            let have: &[u8] = binding.uri.reveal();
            have == uri || Uri::parse_lossy(have) == wanted
        })
    }

    fn take(&mut self, key: BindingKey) -> Option<Binding> {
        self.orders.retain(|(other, ..)| *other != key);
        let at = self.bindings.iter().position(|binding| binding.key == key)?;
        Some(self.bindings.remove(at))
    }

    /// A REGISTER with a Call-ID we know must have a higher CSeq than the last that changed the same
    /// contact (RFC 3261 §10.3 step 7), or that removed any.
    fn check_order(&self, registration: &Registration, changes: &[Change]) -> Result<(), Refused> {
        let late = |call_id: &Bytes, cseq: u32| *call_id == registration.call_id && registration.cseq <= cseq;
        if self.gone.iter().any(|(call_id, cseq)| late(call_id, *cseq)) {
            return Err(Refused::OutOfOrder);
        }
        for change in changes {
            let Some(key) = self.find(&change.uri).map(|binding| binding.key) else { continue };
            if self.orders.iter().any(|(other, call_id, cseq)| *other == key && late(call_id, *cseq)) {
                return Err(Refused::OutOfOrder);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Protocol;

    const AGENT: AgentKey = AgentKey(7);

    /// A phone at 10.0.0.9:40000 registers `contact` over a stream, which then ends.
    fn after_the_stream(contact: &'static str) -> (Registrar, Flow) {
        let flow = Flow {
            protocol: Protocol::Tcp,
            local: ([10, 0, 0, 1], 5060).into(),
            remote: ([10, 0, 0, 9], 40_000).into(),
            connection: 5,
        };
        let mut registrar = Registrar::new(Seed::default());
        let registration = Registration { call_id: Bytes::from_static(b"a"), cseq: 1, flow, product: None };
        let change = Change { uri: Bytes::from_static(contact.as_bytes()), expires_s: 60, q_milli: 1000 };
        registrar.apply(Instant::ZERO, AGENT, &registration, &[change], 1).unwrap();
        registrar.stream_closed(&flow);
        (registrar, flow)
    }

    #[test]
    fn when_its_stream_has_ended_a_phone_is_called_where_it_listens() {
        let (mut registrar, flow) = after_the_stream("sip:1001@10.0.0.9:5070;transport=tcp");
        let now_at: SocketAddr = ([10, 0, 0, 9], 5070).into();
        let [binding] = registrar.bindings(AGENT) else { panic!("one contact") };
        assert_eq!((binding.flow.remote, binding.flow.connection), (now_at, 0));
        assert!(registrar.is_registered_at(now_at) && !registrar.is_registered_at(flow.remote));
        let key = registrar.bindings(AGENT)[0].key;
        assert_eq!(registrar.expire(key), Some((AGENT, true)));
        assert!(!registrar.is_registered_at(now_at), "the addresses are counted right");
    }

    #[test]
    fn a_contact_elsewhere_leads_no_connection_there() {
        for contact in ["sip:1001@192.168.1.9;transport=tcp", "sip:1001@phone.example;transport=tcp"] {
            let (registrar, flow) = after_the_stream(contact);
            assert_eq!(registrar.bindings(AGENT)[0].flow.remote, flow.remote, "{contact}");
            assert!(registrar.is_registered_at(flow.remote));
        }
    }
}
