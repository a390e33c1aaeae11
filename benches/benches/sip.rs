//! The message layer beside another parser on the same bytes; a transaction's life; a call's messages.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that goes wrong must stop"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Instant, LegKey, Pii, Seed, TrunkKey};
use benches::{CpuTime, config};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rsip::prelude::*;
use sip::message::header::Contacts;
use sip::message::{Limits, Message, Writer};
use sip::{
    Endpoint, EndpointConfig, Event, Flow, Input, Listener, OutTarget, OutgoingInvite, Output, Protocol,
    TrunkConfig,
};

const INVITE: &[u8] = include_bytes!("../../crates/sip/tests/common/invite.sip");
const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n";

/// What a switch must know of every request: transaction, dialog, where to answer, what to dial.
fn parsed(bytes: &Bytes) -> usize {
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    message.branch().unwrap().len()
        + message.call_id().len()
        + message.from_tag().unwrap().len()
        + message.to_tag().map_or(0, <[u8]>::len)
        + message.cseq_number() as usize
        + message.uri_bytes().unwrap().len()
}

/// The same and the typed Via, From, To and Contact with their URIs.
fn parsed_typed(bytes: &Bytes) {
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    let via = message.vias().next().unwrap().unwrap();
    let from = message.from().unwrap();
    let to = message.to().unwrap();
    let Contacts::List(mut contacts) = message.contacts().unwrap() else { panic!("not `*`") };
    let contact = contacts.next().unwrap().unwrap();
    let uris = (from.uri().unwrap(), to.uri().unwrap(), contact.uri().unwrap());
    black_box((via.branch(), from, to, uris, message.cseq_number(), message.call_id()));
}

fn parsed_by_rsip(bytes: &[u8]) {
    let message = rsip::SipMessage::try_from(bytes).unwrap();
    let via = message.via_header().unwrap().typed().unwrap();
    let from = message.from_header().unwrap().typed().unwrap();
    let to = message.to_header().unwrap().typed().unwrap();
    let contact = message.contact_header().unwrap().typed().unwrap();
    let cseq = message.cseq_header().unwrap().typed().unwrap();
    black_box((via.branch(), from, to, contact, cseq, message.call_id_header().unwrap()));
}

fn printed(writer: &mut Writer, message: &Message) -> usize {
    let (method, uri) = (message.method().unwrap(), message.uri_bytes().unwrap());
    writer.request(method, uri).copy_all(message, &[]).finish(message.body()).unwrap().len()
}

fn messages(criterion: &mut Criterion<CpuTime>) {
    let bytes = Bytes::from_static(INVITE);
    let mut group = criterion.benchmark_group("invite_1223_bytes");
    group.throughput(Throughput::Bytes(INVITE.len() as u64));
    group.bench_function("parse", |b| b.iter(|| parsed(black_box(&bytes))));
    group.bench_function("parse_and_type", |b| b.iter(|| parsed_typed(black_box(&bytes))));
    group.bench_function("parse_and_type_by_rsip", |b| b.iter(|| parsed_by_rsip(black_box(INVITE))));
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    let mut writer = Writer::new();
    group.bench_function("print", |b| b.iter(|| printed(&mut writer, black_box(&message))));
    let other = rsip::SipMessage::try_from(INVITE).unwrap();
    group.bench_function("print_by_rsip", |b| b.iter(|| black_box(&other).to_string().len()));
    group.finish();
}

const TRUNK: TrunkKey = TrunkKey(0);

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 5060))
}

fn endpoint(own: u8, peer: u8) -> Endpoint {
    let listener = Listener { protocol: Protocol::Udp, local: address(own), advertised: None };
    let config = EndpointConfig {
        listeners: vec![listener],
        domains: vec!["hotline.example".to_owned()],
        trunks: vec![TrunkConfig::plain(TRUNK, address(peer))],
        ..EndpointConfig::default()
    };
    Endpoint::new(config, Seed([u64::from(own), 7]))
}

/// OPTIONS from a trunk: parsed, a server transaction made, 200 printed, the transaction ended by timer J.
fn transaction(criterion: &mut Criterion<CpuTime>) {
    let mut switch = endpoint(1, 2);
    let mut now = Instant::from_secs(1);
    let flow = Flow { protocol: Protocol::Udp, local: address(1), remote: address(2), connection: 0 };
    let mut count = 0u64;
    criterion.bench_function("sip/options_transaction_life", |b| {
        b.iter(|| {
            count += 1;
            let request = format!(
                "OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{count:016x}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:carrier@10.0.0.2>;tag=a\r\nTo: <sip:10.0.0.1>\r\n\
                 Call-ID: {count:016x}@10.0.0.2\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            );
            switch.handle(now, Input::Received { flow, bytes: Bytes::from(request) });
            let mut answers = 0;
            while let Some(output) = switch.poll_output() {
                answers += usize::from(matches!(output, Output::Send { .. }));
            }
            assert_eq!(answers, 1);
            now += Duration::from_secs(33);
            switch.handle_timeout(now);
        });
    });
    assert_eq!(switch.transactions_len(), (0, 0));
}

/// Two switches on a wire without length.
struct Pair {
    nodes: [Endpoint; 2],
    events: [VecDeque<Event>; 2],
    now: Instant,
}

impl Pair {
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for index in 0..2 {
                while let Some(output) = self.nodes[index].poll_output() {
                    quiet = false;
                    match output {
                        Output::Event(event) => self.events[index].push_back(event),
                        Output::Send { protocol, remote, connection, bytes, .. } => {
                            let (local, remote) = (remote, address(index as u8 + 1));
                            let flow = Flow { protocol, local, remote, connection };
                            self.nodes[1 - index].handle(self.now, Input::Received { flow, bytes });
                        }
                        Output::Resolve { .. } => {}
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn invited(&mut self) -> LegKey {
        loop {
            if let Event::Invited { leg, .. } = self.events[1].pop_front().expect("an INVITE") {
                return leg;
            }
        }
    }

    /// INVITE, 100, 180, 200, ACK, BYE, 200 on both sides, and every timer to its end.
    fn call(&mut self) {
        let target = OutTarget::Trunk(TRUNK, Pii::new("10000".to_owned()));
        let invite = OutgoingInvite::new(target, "13800138000", Some(Bytes::from_static(OFFER)));
        let a = self.nodes[0].invite(self.now, invite).unwrap();
        self.settle();
        let b = self.invited();
        self.nodes[1].ring(self.now, b, 180, None);
        self.settle();
        self.nodes[1].accept(self.now, b, Some(Bytes::from_static(OFFER)));
        self.settle();
        self.nodes[0].bye(self.now, a, None);
        self.settle();
        self.now += Duration::from_secs(65);
        for node in &mut self.nodes {
            node.handle_timeout(self.now);
        }
        self.settle();
        self.events.iter_mut().for_each(VecDeque::clear);
    }
}

fn call(criterion: &mut Criterion<CpuTime>) {
    let mut pair = Pair {
        nodes: [endpoint(1, 2), endpoint(2, 1)],
        events: [VecDeque::new(), VecDeque::new()],
        now: Instant::from_secs(1),
    };
    criterion.bench_function("sip/call_both_ends", |b| b.iter(|| pair.call()));
    assert_eq!(pair.nodes.map(|node| (node.legs_len(), node.transactions_len())), [(0, (0, 0)); 2]);
}

criterion_group! { name = benches; config = config(); targets = messages, transaction, call }
criterion_main!(benches);
