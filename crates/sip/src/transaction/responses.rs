//! Server transactions: what the layer does with requests of peers and our responses to them.

use base::{Duration, Instant, LegKey};
use bytes::Bytes;

use super::layer::Side;
use super::server::Server;
use super::template::{contact_line, decimal};
use super::{Layer, Step, invite_server::InviteServer};
use crate::endpoint::{Flow, Letter};
use crate::message::reason_phrase;

/// A request of a peer that is being, or has been, answered.
#[derive(Debug)]
pub(crate) struct ServerTransaction {
    /// Where responses go (RFC 3261 §18.2.2, RFC 3581).
    flow: Flow,
    /// Whose limit it counts against.
    source: core::net::IpAddr,
    /// The leg an INVITE or UPDATE belongs to.
    pub(crate) leg: Option<LegKey>,
    /// Via, From, To with our tag, Call-ID, CSeq, Record-Route: printed once, needed until the final response.
    head: Bytes,
    machine: Machine,
    merged: Option<u64>,
}

#[derive(Debug)]
enum Machine {
    Invite(InviteServer),
    Other(Server),
}

/// A response, apart from what its transaction knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer<'a> {
    pub(crate) code: u16,
    /// Whole lines with CRLF.
    pub(crate) lines: &'a [u8],
    /// Whether a Contact of ours belongs in it.
    pub(crate) contact: bool,
    pub(crate) sdp: Option<&'a Bytes>,
}

impl<'a> Answer<'a> {
    /// A status and nothing else.
    pub(crate) fn code(code: u16) -> Self {
        Answer { code, ..Answer::default() }
    }

    /// A status and lines.
    pub(crate) fn with(code: u16, lines: &'a [u8]) -> Self {
        Answer { code, lines, ..Answer::default() }
    }
}

impl Layer {
    /// The request came before: answers it again. `false`: it is new.
    pub(crate) fn absorb(&mut self, now: Instant, id: u64) -> bool {
        let Some(transaction) = self.servers.get(&id) else { return false };
        self.counters.retransmits_in += 1;
        let step = match &transaction.machine {
            Machine::Invite(machine) => machine.on_invite(),
            Machine::Other(machine) => machine.on_request(),
        };
        if step == Step::RepeatOnce && !self.try_on(now, id) {
            self.repeat_response(id);
        }
        true
    }

    /// ACK with the branch of its INVITE (RFC 3261 §17.2.3). `false`: it acknowledges no refusal of ours.
    pub(crate) fn absorb_ack(&mut self, now: Instant, id: u64) -> bool {
        let Some(transaction) = self.servers.get_mut(&id) else { return false };
        let Machine::Invite(machine) = &mut transaction.machine else { return false };
        if matches!(machine, InviteServer::Accepted) {
            return false;
        }
        let reliable = transaction.flow.protocol.is_reliable();
        if machine.on_ack() == Step::Up {
            self.cancel_server(&[Letter::G, Letter::H], id);
            if reliable {
                self.forget_server(id);
            } else {
                let at = now + self.config.times.t4;
                self.set_server(Letter::I, id, at);
            }
        }
        true
    }

    /// Whether another INVITE than `id` has what merged requests share.
    pub(crate) fn is_merged(&self, merged: u64, id: u64) -> bool {
        self.merged.get(&merged).is_some_and(|other| *other != id)
    }

    /// Begins an INVITE server transaction. 100 goes out at once, or where the configuration says so, only if
    /// nothing else did by then: a message less for a call that is answered at once.
    pub(crate) fn serve_invite(
        &mut self,
        now: Instant,
        id: u64,
        flow: Flow,
        head: Bytes,
        leg: LegKey,
        merged: u64,
    ) {
        let machine = Machine::Invite(InviteServer::Proceeding(Bytes::new()));
        self.merged.insert(merged, id);
        self.insert_server(
            id,
            ServerTransaction {
                flow,
                source: flow.remote.ip(),
                leg: Some(leg),
                head,
                machine,
                merged: Some(merged),
            },
        );
        let wait = self.config.times.trying_after;
        if wait.is_zero() {
            self.try_on(now, id);
        } else {
            self.set_server(Letter::Trying, id, now + wait);
        }
    }

    /// Sends 100 if nothing else was sent yet. `false`: something was.
    fn try_on(&mut self, now: Instant, id: u64) -> bool {
        let waits = matches!(
            self.servers.get(&id),
            Some(ServerTransaction { machine: Machine::Invite(InviteServer::Proceeding(last)), .. }) if last.is_empty()
        );
        waits && self.respond(now, id, &Answer::code(100)).is_some()
    }

    /// Begins a non-INVITE server transaction that is answered later. If it never is, it is forgotten when
    /// its sender has given up (timer F).
    pub(crate) fn serve(&mut self, now: Instant, id: u64, flow: Flow, head: Bytes, leg: Option<LegKey>) {
        let source = flow.remote.ip();
        let machine = Machine::Other(Server::Trying);
        self.insert_server(id, ServerTransaction { flow, source, leg, head, machine, merged: None });
        self.set_server(Letter::J, id, now + self.config.times.t1.saturating_mul(64));
    }

    /// Begins a server transaction for a request that is refused at once: no 100 goes before the refusal.
    pub(crate) fn serve_quietly(
        &mut self,
        id: u64,
        flow: Flow,
        source: core::net::IpAddr,
        head: Bytes,
        invite: bool,
    ) {
        let machine = if invite {
            Machine::Invite(InviteServer::Proceeding(Bytes::new()))
        } else {
            Machine::Other(Server::Trying)
        };
        self.insert_server(id, ServerTransaction { flow, source, leg: None, head, machine, merged: None });
    }

    fn insert_server(&mut self, id: u64, transaction: ServerTransaction) {
        self.count_source(transaction.source);
        if transaction.flow.protocol.is_reliable() {
            self.by_remote.insert((transaction.flow.remote, Side::Server, id));
        }
        self.servers.insert(id, transaction);
    }

    /// The INVITE transaction `id`, if it has no final response yet: its leg.
    pub(crate) fn pending_invite(&self, id: u64) -> Option<LegKey> {
        match self.servers.get(&id)? {
            ServerTransaction { machine: Machine::Invite(InviteServer::Proceeding(_)), leg, .. } => *leg,
            _ => None,
        }
    }

    /// Whether `id` is an INVITE transaction in any state.
    pub(crate) fn is_invite(&self, id: u64) -> bool {
        matches!(self.servers.get(&id), Some(ServerTransaction { machine: Machine::Invite(_), .. }))
    }

    /// Sends a response; a final one moves the machine on. Returns the printed response and its way.
    pub(crate) fn respond(&mut self, now: Instant, id: u64, answer: &Answer<'_>) -> Option<(Bytes, Flow)> {
        let transaction = self.servers.get(&id)?;
        let (flow, head) = (transaction.flow, transaction.head.clone());
        let bytes = self.print_response(&flow, &head, answer);
        let times = self.config.times;
        let life = times.t1.saturating_mul(64);
        let reliable = flow.protocol.is_reliable();
        let transaction = self.servers.get_mut(&id)?;
        let mut set: [(Letter, Option<Duration>); 2] = [(Letter::G, None), (Letter::H, None)];
        let awaits_trying = matches!(
            &transaction.machine,
            Machine::Invite(InviteServer::Proceeding(last)) if last.is_empty() && !times.trying_after.is_zero()
        );
        match (&mut transaction.machine, answer.code) {
            (Machine::Invite(InviteServer::Proceeding(last)), ..200) => *last = bytes.clone(),
            (Machine::Invite(machine @ InviteServer::Proceeding(_)), 200..300) => {
                *machine = InviteServer::Accepted;
                set = [(Letter::L, Some(life)), (Letter::G, None)];
            }
            (Machine::Invite(machine @ InviteServer::Proceeding(_)), _) => {
                *machine = InviteServer::Completed { response: bytes.clone(), interval: times.t1 };
                set = [(Letter::G, (!reliable).then_some(times.t1)), (Letter::H, Some(life))];
            }
            (Machine::Other(machine @ Server::Trying), 200..) => {
                *machine = Server::Completed(bytes.clone());
                set = [(Letter::J, Some(if reliable { Duration::ZERO } else { life })), (Letter::G, None)];
            }
            _ => return None,
        }
        if answer.code >= 200 {
            transaction.head = Bytes::new();
        }
        if awaits_trying {
            self.cancel_server(&[Letter::Trying], id);
        }
        for (letter, wait) in set {
            if let Some(wait) = wait {
                self.set_server(letter, id, now + wait);
            }
        }
        self.transmit(&flow, bytes.clone());
        Some((bytes, flow))
    }

    /// Sends a provisional response again or for the first time without storing it elsewhere.
    pub(crate) fn resend(&mut self, flow: &Flow, bytes: Bytes) {
        self.counters.retransmits_out += 1;
        self.transmit(flow, bytes);
    }

    /// Answers without keeping anything (RFC 3261 §8.2.7): refusals at the gate.
    pub(crate) fn respond_stateless(&mut self, flow: &Flow, head: &[u8], answer: &Answer<'_>) {
        let bytes = self.print_response(flow, head, answer);
        self.transmit(flow, bytes);
    }

    /// Prints a response.
    pub(crate) fn print_response(&mut self, flow: &Flow, head: &[u8], answer: &Answer<'_>) -> Bytes {
        if let Some(count) = self.counters.responses_out.get_mut(usize::from(answer.code / 100)) {
            *count += 1;
        }
        let listener = answer.contact.then(|| self.listener_of(flow));
        let mut out = core::mem::take(&mut self.scratch);
        out.clear();
        out.extend_from_slice(b"SIP/2.0 ");
        decimal(&mut out, u64::from(answer.code));
        out.push(b' ');
        out.extend_from_slice(reason_phrase(answer.code).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(head);
        if let Some(listener) = &listener {
            contact_line(&mut out, listener);
        }
        out.extend_from_slice(answer.lines);
        if !self.config.product.is_empty() && answer.code >= 200 {
            out.extend_from_slice(b"Server: ");
            out.extend_from_slice(self.config.product.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        let body: &[u8] = answer.sdp.map_or(b"", |sdp| sdp);
        if !body.is_empty() {
            out.extend_from_slice(b"Content-Type: application/sdp\r\n");
        }
        out.extend_from_slice(b"Content-Length: ");
        decimal(&mut out, body.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
        let bytes = Bytes::copy_from_slice(&out);
        self.scratch = out;
        bytes
    }

    pub(crate) fn repeat_response(&mut self, id: u64) {
        let Some(transaction) = self.servers.get(&id) else { return };
        let flow = transaction.flow;
        let bytes = match &transaction.machine {
            Machine::Invite(InviteServer::Proceeding(bytes))
            | Machine::Invite(InviteServer::Completed { response: bytes, .. })
            | Machine::Other(Server::Completed(bytes)) => bytes.clone(),
            _ => return,
        };
        self.resend(&flow, bytes);
    }

    /// A server timer ran out.
    pub(crate) fn server_timer(&mut self, now: Instant, letter: Letter, id: u64) {
        let t2 = self.config.times.t2;
        let Some(transaction) = self.servers.get_mut(&id) else { return };
        let step = match (&mut transaction.machine, letter) {
            (Machine::Invite(machine), _) => machine.on_timer(letter, t2),
            (Machine::Other(_), Letter::J) => Step::Done,
            _ => Step::Nothing,
        };
        match step {
            Step::Repeat(wait) => {
                self.repeat_response(id);
                self.set_server(letter, id, now + wait);
            }
            Step::Done | Step::TimedOut => self.forget_server(id),
            Step::RepeatOnce => {
                self.try_on(now, id);
            }
            Step::Nothing | Step::Up => {}
        }
    }

    /// Ends a server transaction.
    pub(crate) fn forget_server(&mut self, id: u64) {
        let Some(transaction) = self.servers.remove(&id) else { return };
        self.cancel_server(&[Letter::G, Letter::H, Letter::I, Letter::J, Letter::L, Letter::Trying], id);
        self.by_remote.remove(&(transaction.flow.remote, Side::Server, id));
        self.uncount_source(transaction.source);
        if let Some(merged) = transaction.merged {
            self.merged.remove(&merged);
        }
    }
}
