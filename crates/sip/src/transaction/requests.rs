//! Client transactions: what the layer does with our requests and the responses of peers.

use std::collections::VecDeque;

use base::{Duration, Instant, LegKey, TrunkKey};
use bytes::Bytes;

use super::client::Client;
use super::invite_client::{Acked, FORKS_MAX, InviteClient};
use super::layer::Side;
use super::template::Companion;
use super::{Layer, Step, Template};
use crate::endpoint::counters::method_index;
use crate::endpoint::{FailReason, Flow, Letter, Target};
use crate::message::Method;

/// Why we send a request: who hears of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The INVITE that begins a leg.
    Invite(LegKey),
    /// re-INVITE.
    Reinvite(LegKey),
    /// UPDATE.
    Update(LegKey),
    /// BYE of a leg.
    Bye(LegKey),
    /// CANCEL of a leg's INVITE.
    Cancel(LegKey),
    /// PRACK, NOTIFY of a leg: the answer only matters if it ends the dialog.
    InDialog(LegKey),
    /// OPTIONS to a trunk.
    Options(TrunkKey),
    /// BYE of a branch of a fork that we do not keep.
    Stray,
}

/// Where a request goes, and where next if that fails.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) flow: Flow,
    pub(crate) next: VecDeque<Target>,
}

impl Hop {
    /// A way without alternatives.
    pub(crate) fn flow(flow: Flow) -> Self {
        Hop { flow, next: VecDeque::new() }
    }
}

/// A request of ours that waits for its end, or absorbs what comes after it.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    pub(crate) purpose: Purpose,
    pub(crate) template: Box<Template>,
    pub(crate) hop: Hop,
    pub(crate) challenges: u8,
    sent: Bytes,
    machine: Machine,
}

#[derive(Debug)]
enum Machine {
    Invite(InviteClient),
    Other(Client),
}

/// What the layer tells the user agent about a request of ours.
#[derive(Debug)]
pub(crate) enum Up {
    /// A response that is news.
    Response { id: u64, purpose: Purpose },
    /// No response, or no way: the transaction is taken out of the table.
    Failed { transaction: Box<ClientTransaction>, why: FailReason },
}

/// The lowest bit of a transaction's number tells a CANCEL from the INVITE whose branch it shares.
const CANCEL_BIT: u64 = 1;

impl Layer {
    /// Sends a request as a new transaction and returns its number.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        template: Box<Template>,
        purpose: Purpose,
        hop: Hop,
        challenges: u8,
    ) -> u64 {
        let id = self.rng.next_u64() & !CANCEL_BIT;
        let listener = self.listener_of(&hop.flow);
        let sent = template.print(&mut self.scratch, &listener, id);
        self.begin(
            now,
            id,
            ClientTransaction {
                purpose,
                machine: machine_for(&template.method, self.config.times.t1),
                template,
                hop,
                challenges,
                sent,
            },
        );
        id
    }

    /// Sends CANCEL for the INVITE transaction `id` (RFC 3261 §9.1).
    pub(crate) fn cancel_invite(&mut self, now: Instant, id: u64, reason: &[u8]) {
        let Some(transaction) = self.clients.get(&id) else { return };
        let (flow, purpose) = (transaction.hop.flow, transaction.purpose);
        let Purpose::Invite(leg) = purpose else { return };
        let listener = self.listener_of(&flow);
        let Some(transaction) = self.clients.get(&id) else { return };
        let sent = transaction.template.print_companion(
            &mut self.scratch,
            &listener,
            id,
            Companion::Cancel { reason },
        );
        let template = Box::new(Template {
            method: Method::Cancel,
            body: Bytes::new(),
            ..(*transaction.template).clone()
        });
        let machine = machine_for(&Method::Cancel, self.config.times.t1);
        let cancel = ClientTransaction {
            purpose: Purpose::Cancel(leg),
            template,
            hop: Hop::flow(flow),
            challenges: 0,
            sent,
            machine,
        };
        self.begin(now, id | CANCEL_BIT, cancel);
    }

    fn begin(&mut self, now: Instant, id: u64, transaction: ClientTransaction) {
        if let Some(count) = self.counters.requests_out.get_mut(method_index(&transaction.template.method)) {
            *count += 1;
        }
        let flow = transaction.hop.flow;
        let times = self.config.times;
        let (repeat, give_up) = match transaction.machine {
            Machine::Invite(_) => (Letter::A, Letter::B),
            Machine::Other(_) => (Letter::E, Letter::F),
        };
        if !flow.protocol.is_reliable() {
            self.set_client(repeat, id, now + times.t1);
        }
        self.set_client(give_up, id, now + times.t1.saturating_mul(64));
        self.by_remote.insert((flow.remote, Side::Client, id));
        self.transmit(&flow, transaction.sent.clone());
        self.clients.insert(id, transaction);
    }

    /// A response with the branch of number `branch`. `to` is its To line, for ACK.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        branch: u64,
        method: &Method,
        code: u16,
        to: &[u8],
    ) -> Option<Up> {
        let id = if *method == Method::Cancel { branch | CANCEL_BIT } else { branch & !CANCEL_BIT };
        let Some(transaction) = self.clients.get_mut(&id).filter(|t| t.template.method == *method) else {
            self.counters.dropped.stray_responses += 1;
            return None;
        };
        let purpose = transaction.purpose;
        let (step, is_invite) = match &mut transaction.machine {
            Machine::Invite(machine) => (machine.on_response(code), true),
            Machine::Other(machine) => (machine.on_response(code), false),
        };
        match (step, is_invite) {
            (Step::Up, true) => self.invite_progressed(now, id, code, to),
            (Step::Up, false) => self.request_progressed(now, id, code),
            (Step::RepeatOnce, _) => self.repeat_refusal_ack(id),
            _ => self.counters.retransmits_in += 1,
        }
        (step == Step::Up).then_some(Up::Response { id, purpose })
    }

    fn invite_progressed(&mut self, now: Instant, id: u64, code: u16, to: &[u8]) {
        self.cancel_client(&[Letter::A, Letter::B], id);
        let times = self.config.times;
        let Some(flow) = self.clients.get(&id).map(|t| t.hop.flow) else { return };
        match code {
            ..200 => {}
            200..300 => {
                // A repeated 2xx does not push timer M further (RFC 6026 §7.2).
                if self.by_remote.remove(&(flow.remote, Side::Client, id)) {
                    self.set_client(Letter::M, id, now + times.t1.saturating_mul(64));
                }
            }
            _ => {
                self.by_remote.remove(&(flow.remote, Side::Client, id));
                let listener = self.listener_of(&flow);
                let Some(transaction) = self.clients.get_mut(&id) else { return };
                let ack = transaction.template.print_companion(
                    &mut self.scratch,
                    &listener,
                    id,
                    Companion::Ack { to },
                );
                if let Machine::Invite(InviteClient::Completed { ack: stored }) = &mut transaction.machine {
                    *stored = ack.clone();
                }
                transaction.sent = Bytes::new();
                self.count_ack();
                self.transmit(&flow, ack);
                let wait =
                    if flow.protocol.is_reliable() { Duration::ZERO } else { times.t1.saturating_mul(64) };
                self.set_client(Letter::D, id, now + wait);
            }
        }
    }

    fn request_progressed(&mut self, now: Instant, id: u64, code: u16) {
        if code < 200 {
            return;
        }
        self.cancel_client(&[Letter::E, Letter::F], id);
        let t4 = self.config.times.t4;
        let Some(transaction) = self.clients.get_mut(&id) else { return };
        transaction.sent = Bytes::new();
        let flow = transaction.hop.flow;
        self.by_remote.remove(&(flow.remote, Side::Client, id));
        let wait = if flow.protocol.is_reliable() { Duration::ZERO } else { t4 };
        self.set_client(Letter::K, id, now + wait);
    }

    fn repeat_refusal_ack(&mut self, id: u64) {
        self.counters.retransmits_in += 1;
        let Some(transaction) = self.clients.get(&id) else { return };
        let Machine::Invite(InviteClient::Completed { ack }) = &transaction.machine else { return };
        let (flow, ack) = (transaction.hop.flow, ack.clone());
        self.resend(&flow, ack);
    }

    /// The 2xx with this To tag came before: its ACK is sent again. `false`: it is new.
    pub(crate) fn repeat_accept_ack(&mut self, id: u64, tag: &[u8]) -> bool {
        let Some(ClientTransaction { machine: Machine::Invite(InviteClient::Accepted { acks }), .. }) =
            self.clients.get(&id)
        else {
            return false;
        };
        let Some(Acked { ack, flow, .. }) = acks.iter().find(|acked| acked.tag == tag).cloned() else {
            return false;
        };
        self.counters.retransmits_in += 1;
        self.resend(&flow, ack);
        true
    }

    /// Sends the ACK of a 2xx and keeps it for the 2xx's repetitions.
    pub(crate) fn acknowledge(&mut self, id: u64, tag: Bytes, ack: &Template, flow: Flow) {
        let branch = self.rng.next_u64() & !CANCEL_BIT;
        let listener = self.listener_of(&flow);
        let bytes = ack.print(&mut self.scratch, &listener, branch);
        self.count_ack();
        self.transmit(&flow, bytes.clone());
        if let Some(ClientTransaction {
            machine: Machine::Invite(InviteClient::Accepted { acks }),
            sent,
            template,
            ..
        }) = self.clients.get_mut(&id)
        {
            *sent = Bytes::new();
            template.body = Bytes::new();
            if acks.len() < FORKS_MAX {
                acks.push(Acked { tag, ack: bytes, flow });
            }
        }
    }

    /// The first 2xx has not been acknowledged yet.
    pub(crate) fn is_first_2xx(&self, id: u64) -> bool {
        matches!(self.clients.get(&id), Some(ClientTransaction { machine: Machine::Invite(InviteClient::Accepted { acks }), .. }) if acks.is_empty())
    }

    fn count_ack(&mut self) {
        if let Some(count) = self.counters.requests_out.get_mut(method_index(&Method::Ack)) {
            *count += 1;
        }
    }

    /// A living client transaction.
    pub(crate) fn client(&self, id: u64) -> Option<&ClientTransaction> {
        self.clients.get(&id)
    }

    /// A client timer ran out.
    pub(crate) fn client_timer(&mut self, now: Instant, letter: Letter, id: u64) -> Option<Up> {
        let t2 = self.config.times.t2;
        let transaction = self.clients.get_mut(&id)?;
        let step = match &mut transaction.machine {
            Machine::Invite(machine) => machine.on_timer(letter),
            Machine::Other(machine) => machine.on_timer(letter, t2),
        };
        match step {
            Step::Repeat(wait) => {
                let (flow, sent) = (transaction.hop.flow, transaction.sent.clone());
                self.resend(&flow, sent);
                self.set_client(letter, id, now + wait);
                None
            }
            Step::TimedOut => {
                self.counters.timeouts += 1;
                self.fail(id, FailReason::Timeout)
            }
            Step::Done => {
                self.forget_client(id);
                None
            }
            Step::Nothing | Step::RepeatOnce | Step::Up => None,
        }
    }

    /// Takes a client transaction out of the table and reports it as failed.
    pub(crate) fn fail(&mut self, id: u64, why: FailReason) -> Option<Up> {
        let transaction = Box::new(self.forget_client(id)?);
        Some(Up::Failed { transaction, why })
    }

    /// Ends a client transaction.
    pub(crate) fn forget_client(&mut self, id: u64) -> Option<ClientTransaction> {
        let transaction = self.clients.remove(&id)?;
        let letters = match transaction.machine {
            Machine::Invite(_) => [Letter::A, Letter::B, Letter::D, Letter::M],
            Machine::Other(_) => [Letter::E, Letter::F, Letter::K, Letter::K],
        };
        self.cancel_client(&letters, id);
        self.by_remote.remove(&(transaction.hop.flow.remote, Side::Client, id));
        Some(transaction)
    }

    /// What hangs on the way to `flow.remote`: client transactions without a final response, and
    /// INVITEs that came over that stream.
    pub(crate) fn hanging_on(&self, flow: &Flow) -> (Vec<u64>, Vec<u64>) {
        let range = (flow.remote, Side::Client, 0)..=(flow.remote, Side::Server, u64::MAX);
        let (mut clients, mut servers) = (Vec::new(), Vec::new());
        for &(_, side, id) in self.by_remote.range(range) {
            match side {
                Side::Client if self.clients.get(&id).is_some_and(|t| t.hangs_on(flow)) => clients.push(id),
                Side::Server => servers.push(id),
                Side::Client => {}
            }
        }
        (clients, servers)
    }
}

impl ClientTransaction {
    /// Whether a failure of `flow` is a failure of this: over a stream always; of datagrams only what
    /// has heard nothing yet (an error that follows a response is about another datagram).
    fn hangs_on(&self, flow: &Flow) -> bool {
        let silent = matches!(
            self.machine,
            Machine::Invite(InviteClient::Calling { .. }) | Machine::Other(Client::Trying { .. })
        );
        self.hop.flow.protocol == flow.protocol && (silent || flow.protocol.is_reliable())
    }
}

fn machine_for(method: &Method, t1: Duration) -> Machine {
    match method {
        Method::Invite => Machine::Invite(InviteClient::Calling { interval: t1 }),
        _ => Machine::Other(Client::Trying { interval: t1 }),
    }
}
