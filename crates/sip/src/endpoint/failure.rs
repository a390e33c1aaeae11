//! What becomes of our requests: their responses by purpose, timeouts, transport errors, the next
//! target, credentials.

use base::Instant;

use super::{EndedBy, Endpoint, Event, FailReason, Flow};
use crate::auth::client::{self, Asked};
use crate::message::Message;
use crate::transaction::{ClientTransaction, Hop, Purpose, Template};

impl Endpoint {
    /// A response that is news.
    pub(super) fn request_answered(
        &mut self,
        now: Instant,
        id: u64,
        purpose: Purpose,
        code: u16,
        m: &Message,
        flow: Flow,
    ) {
        match purpose {
            Purpose::Invite(leg) => self.invite_answered(now, id, leg, code, m, flow),
            Purpose::Reinvite(leg) => self.reoffer_answered(now, id, leg, code, m, flow),
            Purpose::Update(leg) if code >= 200 => self.reoffer_answered(now, id, leg, code, m, flow),
            Purpose::Bye(_) if matches!(code, 401 | 407) && self.retry_with_credentials(now, id, m) => {}
            Purpose::Bye(leg) if code >= 200 => self.release(leg),
            Purpose::InDialog(_) if matches!(code, 401 | 407) => {
                self.retry_with_credentials(now, id, m);
            }
            // RFC 5057: the peer's dialog is gone.
            Purpose::InDialog(leg) if matches!(code, 408 | 481) => {
                self.peer_gone(now, leg, EndedBy::PeerGone)
            }
            Purpose::Options(trunk) if code >= 200 => {
                let retried = (code == 503 && self.try_next_target(now, id))
                    || (matches!(code, 401 | 407) && self.retry_with_credentials(now, id, m));
                if !retried {
                    self.layer.event(Event::OptionsAnswered { trunk, ok: !matches!(code, 408 | 503) });
                }
            }
            _ => {}
        }
    }

    /// No response, or no way.
    pub(super) fn request_failed(&mut self, now: Instant, transaction: ClientTransaction, why: FailReason) {
        let purpose = transaction.purpose;
        match purpose {
            Purpose::Invite(leg) => {
                if !self.is_cancelled(leg) && self.send_to_next(now, transaction) {
                    return;
                }
                self.invite_transaction_failed(leg, why);
            }
            Purpose::Options(trunk) => {
                if !self.send_to_next(now, transaction) {
                    self.layer.event(Event::OptionsAnswered { trunk, ok: false });
                }
            }
            Purpose::Bye(leg) => self.release(leg),
            Purpose::Reinvite(leg) | Purpose::Update(leg) => self.reoffer_failed(now, leg),
            Purpose::Cancel(_) | Purpose::InDialog(_) | Purpose::Stray => {}
        }
    }

    /// The transaction's request goes to its next target with a new branch (RFC 3263 §4.3).
    pub(crate) fn try_next_target(&mut self, now: Instant, id: u64) -> bool {
        let Some(transaction) = self.layer.client(id) else { return false };
        let (template, hop) = (transaction.template.clone(), transaction.hop.clone());
        let (purpose, challenges) = (transaction.purpose, transaction.challenges);
        self.next_target(now, template, &hop, purpose, challenges)
    }

    fn send_to_next(&mut self, now: Instant, transaction: ClientTransaction) -> bool {
        let ClientTransaction { template, hop, purpose, challenges, .. } = transaction;
        self.next_target(now, template, &hop, purpose, challenges)
    }

    fn next_target(
        &mut self,
        now: Instant,
        mut template: Box<Template>,
        hop: &Hop,
        purpose: Purpose,
        challenges: u8,
    ) -> bool {
        let Some(next) = self.hop(hop.next.clone()) else { return false };
        self.layer.counters.failovers += 1;
        template.cseq = template.cseq.wrapping_add(1);
        self.send_again(now, template, next, purpose, challenges);
        true
    }

    fn send_again(
        &mut self,
        now: Instant,
        template: Box<Template>,
        hop: Hop,
        purpose: Purpose,
        challenges: u8,
    ) {
        match purpose {
            Purpose::Invite(leg) => self.send_invite_again(now, leg, template, hop, challenges),
            Purpose::Reinvite(leg) | Purpose::Update(leg) | Purpose::Bye(leg) | Purpose::InDialog(leg) => {
                if let Some(value) = self.legs.get_mut(&leg) {
                    value.dialog.local_cseq = value.dialog.local_cseq.max(template.cseq);
                }
                self.layer.request(now, template, purpose, hop, challenges);
            }
            _ => {
                self.layer.request(now, template, purpose, hop, challenges);
            }
        }
    }

    /// Answers a challenge: only of the trunk that the request was for, only for its realm, and not
    /// for ever (TRUST: no digest leak, no endless challenges).
    pub(crate) fn retry_with_credentials(&mut self, now: Instant, id: u64, m: &Message) -> bool {
        let Some(transaction) = self.layer.client(id) else { return false };
        let (purpose, challenges) = (transaction.purpose, transaction.challenges);
        let (mut template, hop) = (transaction.template.clone(), transaction.hop.clone());
        let config = std::sync::Arc::clone(&self.layer.config);
        let credentials = self.trunk_of(purpose).and_then(|trunk| {
            // To the gateway's own address, not to where a Contact pointed.
            let trunk = self.trunk(trunk)?;
            let known = trunk.sources.iter().any(|block| block.contains(hop.flow.remote.ip()));
            let first = matches!(purpose, Purpose::Invite(_) | Purpose::Options(_));
            trunk.credentials.clone().filter(|_| first || (known && self.began(purpose)))
        });
        let Some(credentials) = credentials.filter(|_| challenges < config.limits.challenges_max) else {
            self.layer.counters.dropped.challenges_refused += 1;
            return false;
        };
        let cnonce = self.layer.rng.token();
        let asked = Asked { method: template.method.as_bytes(), uri: &template.uri, cnonce: &cnonce };
        let Some(line) = client::answer(m, &credentials, &asked) else {
            self.layer.counters.dropped.challenges_refused += 1;
            return false;
        };
        template.auth = Some(line);
        template.cseq = template.cseq.wrapping_add(1) & 0x7fff_ffff;
        self.send_again(now, template, hop, purpose, challenges.saturating_add(1));
        true
    }

    /// Whether the dialog of a request is one that we began: who calls us has no claim to our hashes.
    fn began(&self, purpose: Purpose) -> bool {
        let leg = match purpose {
            Purpose::Reinvite(leg) | Purpose::Update(leg) | Purpose::Bye(leg) | Purpose::InDialog(leg) => leg,
            _ => return false,
        };
        self.legs.get(&leg).is_some_and(|leg| leg.dialog.is_ours)
    }

    fn trunk_of(&self, purpose: Purpose) -> Option<base::TrunkKey> {
        let leg = match purpose {
            Purpose::Options(trunk) => return Some(trunk),
            Purpose::Invite(leg)
            | Purpose::Reinvite(leg)
            | Purpose::Update(leg)
            | Purpose::Bye(leg)
            | Purpose::InDialog(leg) => leg,
            Purpose::Cancel(_) | Purpose::Stray => return None,
        };
        match self.legs.get(&leg)?.peer {
            super::Peer::Trunk(trunk) => Some(trunk),
            super::Peer::Agent(_) => None,
        }
    }

    fn is_cancelled(&self, leg: base::LegKey) -> bool {
        use crate::ua::leg::{Cancel, State};
        match self.legs.get(&leg).map(|leg| &leg.state) {
            Some(State::Outgoing(outgoing)) => outgoing.cancel != Cancel::No,
            _ => true,
        }
    }

    /// A stream ended, or a datagram could not be delivered: what waits on it fails now
    /// (RFC 3261 §17.1.4, §17.2.4).
    pub(super) fn way_failed(&mut self, now: Instant, flow: &Flow) {
        let (clients, servers) = self.layer.hanging_on(flow);
        for id in clients {
            if let Some(up) = self.layer.fail(id, FailReason::Transport) {
                self.on_failure(now, up);
            }
        }
        for id in servers {
            if let Some(leg) = self.layer.pending_invite(id)
                && self
                    .legs
                    .get(&leg)
                    .is_some_and(|leg| matches!(leg.state, crate::ua::leg::State::Incoming(_)))
            {
                self.incoming_dies(now, leg, 487, None);
            }
        }
        if flow.connection != 0 {
            self.registrar.stream_closed(flow);
        }
    }

    /// The way of a leg's next request: an agent's is his contact's present flow, which may be newer
    /// than the dialog's (a phone that reconnected).
    pub(crate) fn current_way(&self, leg: base::LegKey, hop: Hop) -> Hop {
        let Some(value) = self.legs.get(&leg) else { return hop };
        let super::Peer::Agent(agent) = value.peer else { return hop };
        if !hop.flow.protocol.is_reliable() {
            return hop;
        }
        let same = self.bindings(agent).iter().find(|binding| *binding.uri.reveal() == value.dialog.target);
        same.map_or(hop, |binding| Hop::flow(binding.flow))
    }
}
