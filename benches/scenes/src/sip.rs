//! The message layer; a transaction's life; a call's messages.

use std::collections::VecDeque;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Instant, LegKey, Pii, Seed, TrunkKey};
use bytes::Bytes;
use sip::glimpse::{Glimpse, Parties};
use sip::message::header::Contacts;
use sip::message::{Limits, Message, Writer};
use sip::{
    Endpoint, EndpointConfig, Event, Flow, Input, Listener, OutTarget, OutgoingInvite, Output, Protocol,
    TrunkConfig,
};

/// A carrier's INVITE.
pub const INVITE: &[u8] = include_bytes!("../../../crates/sip/tests/common/invite.sip");
const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n";

/// What a switch must know of every request: transaction, dialog, where to answer, what to dial.
pub fn parsed(bytes: &Bytes) -> usize {
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    message.branch().unwrap().len()
        + message.call_id().len()
        + message.from_tag().unwrap().len()
        + message.to_tag().map_or(0, <[u8]>::len)
        + message.cseq_number() as usize
        + message.uri_bytes().unwrap().len()
}

/// The same and the typed Via, From, To and Contact with their URIs.
pub fn parsed_typed(bytes: &Bytes) {
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    let via = message.vias().next().unwrap().unwrap();
    let from = message.from().unwrap();
    let to = message.to().unwrap();
    let Contacts::List(mut contacts) = message.contacts().unwrap() else { panic!("not `*`") };
    let contact = contacts.next().unwrap().unwrap();
    let uris = (from.uri().unwrap(), to.uri().unwrap(), contact.uri().unwrap());
    black_box((via.branch(), from, to, uris, message.cseq_number(), message.call_id()));
}

/// The same message printed again; its length.
pub fn printed(writer: &mut Writer, message: &Message) -> usize {
    let (method, uri) = (message.method().unwrap(), message.uri_bytes().unwrap());
    writer.request(method, uri).copy_all(message, &[]).finish(message.body()).unwrap().len()
}

/// What is seen of an INVITE when there are too many.
pub fn glimpsed(bytes: &[u8]) -> usize {
    assert_eq!(Glimpse::of(bytes), Glimpse::Call);
    let parties = Parties::of(bytes);
    parties.to.len() + parties.from.len()
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

/// A switch whose trunk asks whether it is there.
#[derive(Debug)]
pub struct Asked {
    switch: Endpoint,
    now: Instant,
    count: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Asked { switch: endpoint(1, 2), now: Instant::from_secs(1), count: 0 }
    }
}

impl Asked {
    /// OPTIONS: parsed, a server transaction made, 200 printed, the transaction ended by timer J.
    pub fn options(&mut self) {
        self.count += 1;
        let count = self.count;
        let flow = Flow { protocol: Protocol::Udp, local: address(1), remote: address(2), connection: 0 };
        let request = format!(
            "OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{count:016x}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:carrier@10.0.0.2>;tag=a\r\nTo: <sip:10.0.0.1>\r\n\
             Call-ID: {count:016x}@10.0.0.2\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        self.switch.handle(self.now, Input::Received { flow, bytes: Bytes::from(request) });
        let mut answers = 0;
        while let Some(output) = self.switch.poll_output() {
            answers += usize::from(matches!(output, Output::Send { .. }));
        }
        assert_eq!(answers, 1);
        self.now += Duration::from_secs(33);
        self.switch.handle_timeout(self.now);
    }

    /// That nothing is left of any request.
    pub fn check(&self) {
        assert_eq!(self.switch.transactions_len(), (0, 0));
    }
}

/// A switch with more calls than it can begin.
#[derive(Debug)]
pub struct Crowd {
    switch: Endpoint,
    count: u64,
}

impl Default for Crowd {
    fn default() -> Self {
        Crowd { switch: endpoint(1, 2), count: 0 }
    }
}

impl Crowd {
    /// An INVITE that is looked at to know what it is worth, and refused with 503.
    pub fn refuse(&mut self) {
        self.count += 1;
        let flow = Flow { protocol: Protocol::Udp, local: address(1), remote: address(2), connection: 0 };
        black_box(glimpsed(INVITE));
        let bytes = Bytes::from_static(INVITE);
        self.switch.handle(Instant::from_secs(1), Input::Crowded { flow, bytes });
        let mut answers = 0;
        while let Some(output) = self.switch.poll_output() {
            answers += usize::from(matches!(output, Output::Send { .. }));
        }
        assert_eq!(answers, 1);
    }

    /// That all were refused and nothing is kept of them.
    pub fn check(&self) {
        assert_eq!(self.switch.counters().dropped.crowded, self.count);
        assert_eq!(self.switch.transactions_len(), (0, 0));
    }
}

/// Two switches on a wire without length.
#[derive(Debug)]
pub struct Pair {
    nodes: [Endpoint; 2],
    events: [VecDeque<Event>; 2],
    now: Instant,
}

impl Default for Pair {
    fn default() -> Self {
        Pair {
            nodes: [endpoint(1, 2), endpoint(2, 1)],
            events: [VecDeque::new(), VecDeque::new()],
            now: Instant::from_secs(1),
        }
    }
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
    pub fn call(&mut self) {
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
    /// That nothing is left of any call.
    pub fn check(&self) {
        let left = |node: &Endpoint| (node.legs_len(), node.transactions_len());
        assert_eq!(self.nodes.each_ref().map(left), [(0, (0, 0)); 2]);
    }
}
