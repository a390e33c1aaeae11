//! The world of the tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Instant, LegKey, Pii, Rng, Seed, TrunkKey};
use bytes::Bytes;
use sip::message::{Limits, Message};
use sip::{
    Endpoint, EndpointConfig, Event, Flow, Input, Listener, OutTarget, OutgoingInvite, Output, Protocol,
    Target, TrunkConfig,
};

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
pub(crate) const TRUNK: TrunkKey = TrunkKey(0);
pub(crate) const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n";
pub(crate) const ANSWER: &[u8] = b"v=0\r\no=- 2 2 IN IP4 10.0.0.2\r\ns=-\r\n";

/// What the link does to a datagram. Probabilities in per cent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    pub(crate) delay_ms: u64,
    pub(crate) jitter_ms: u64,
    pub(crate) loss: u64,
    pub(crate) duplicate: u64,
}

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
    pub(crate) events: Vec<Event>,
}

/// Something on its way.
struct Packet {
    flow: Flow,
    bytes: Bytes,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) link: Link,
    /// What was sent to addresses where no endpoint is.
    pub(crate) raw: Vec<(SocketAddr, String)>,
    /// Every message sent, first lines: who, what.
    pub(crate) sent: Vec<(usize, String)>,
    /// Messages whose first line and CSeq hold this are lost.
    pub(crate) lose: Vec<&'static str>,
    pub(crate) resolves: Vec<(usize, u64, String)>,
    flight: BTreeMap<(Instant, u64), Packet>,
    count: u64,
    rng: Rng,
}

pub(crate) fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 5060))
}

/// A switch at 10.0.0.`own` whose trunk 0 is 10.0.0.`peer`.
pub(crate) fn config(own: u8, peer: u8) -> EndpointConfig {
    EndpointConfig {
        listeners: [Protocol::Udp, Protocol::Tcp]
            .map(|protocol| Listener { protocol, local: address(own), advertised: None })
            .to_vec(),
        domains: vec!["hotline.example".to_owned()],
        product: String::new(),
        trunks: vec![TrunkConfig::plain(TRUNK, address(peer))],
        users: Vec::new(),
        ..EndpointConfig::default()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        World::with(config(1, 2), config(2, 1))
    }

    pub(crate) fn with(a: EndpointConfig, b: EndpointConfig) -> Self {
        let node = |config: EndpointConfig, seed: u64| Node {
            address: config.listeners[0].local,
            endpoint: Endpoint::new(config, Seed([seed, 7])),
            events: Vec::new(),
        };
        World {
            now: Instant::from_secs(1),
            nodes: vec![node(a, 1), node(b, 2)],
            link: Link { delay_ms: 10, ..Link::default() },
            raw: Vec::new(),
            sent: Vec::new(),
            lose: Vec::new(),
            resolves: Vec::new(),
            flight: BTreeMap::new(),
            count: 0,
            rng: Rng::new(Seed([42, 42])),
        }
    }

    pub(crate) fn seed(&mut self, seed: u64) {
        self.rng = Rng::new(Seed([seed, seed]));
    }

    /// Runs for a time.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.flush();
        loop {
            let timer =
                self.nodes.iter().filter_map(|node| node.endpoint.poll_timeout().map(|(at, _)| at)).min();
            let packet = self.flight.keys().next().map(|(at, _)| *at);
            let Some(next) = [timer, packet].into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let packet = entry.remove();
                self.deliver(packet);
            }
            for node in &mut self.nodes {
                node.endpoint.handle_timeout(self.now);
            }
            self.flush();
        }
        self.now = end;
    }

    pub(crate) fn ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    pub(crate) fn secs(&mut self, secs: u64) {
        self.run(Duration::from_secs(secs));
    }

    fn deliver(&mut self, packet: Packet) {
        let Some(node) = self.nodes.iter_mut().find(|node| node.address == packet.flow.local) else {
            self.raw.push((packet.flow.local, String::from_utf8_lossy(&packet.bytes).into_owned()));
            return;
        };
        node.endpoint.handle(self.now, Input::Received { flow: packet.flow, bytes: packet.bytes });
        self.flush();
    }

    /// Puts everything the endpoints want sent on the link.
    pub(crate) fn flush(&mut self) {
        for index in 0..self.nodes.len() {
            while let Some(output) = self.nodes[index].endpoint.poll_output() {
                match output {
                    Output::Event(event) => self.nodes[index].events.push(event),
                    Output::Resolve { query, host, .. } => self.resolves.push((index, query, host)),
                    Output::Send { protocol, remote, connection, bytes, .. } => {
                        let from = self.nodes[index].address;
                        let flow = Flow { protocol, local: remote, remote: from, connection };
                        self.post(index, flow, bytes);
                    }
                }
            }
        }
    }

    fn post(&mut self, from: usize, flow: Flow, bytes: Bytes) {
        if bytes.len() > 4 {
            // Everything we print must be readable; what repeats a malformed request need not be.
            let first = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
            let line = match Message::parse(bytes.clone(), &Limits::default()) {
                Ok(message) => format!("{first} | {} {}", message.cseq_number(), message.cseq_method()),
                Err(error) => {
                    assert!(
                        first.starts_with("SIP/2.0 400"),
                        "we print what cannot be read: {error} in {first}"
                    );
                    first
                }
            };
            let lost = self.lose.iter().any(|what| line.contains(what));
            self.sent.push((from, line));
            if lost {
                return;
            }
        }
        let reliable = flow.protocol.is_reliable();
        let copies = if !reliable && self.rng.below(100) < self.link.duplicate { 2 } else { 1 };
        for _ in 0..copies {
            if !reliable && self.rng.below(100) < self.link.loss {
                continue;
            }
            let jitter = if reliable { 0 } else { self.rng.below(self.link.jitter_ms + 1) };
            let at = self.now + Duration::from_millis(self.link.delay_ms + jitter);
            self.count += 1;
            self.flight.insert((at, self.count), Packet { flow, bytes: bytes.clone() });
        }
    }

    /// A message from an address without an endpoint.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: usize, text: &str) {
        self.inject_on(
            Flow { protocol: Protocol::Udp, local: self.nodes[to].address, remote: from, connection: 0 },
            to,
            text,
        );
    }

    pub(crate) fn inject_on(&mut self, flow: Flow, to: usize, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        self.nodes[to].endpoint.handle(self.now, Input::Received { flow, bytes: Bytes::from(text) });
        self.flush();
        self.ms(20);
    }

    /// What the address without an endpoint received since the last look.
    pub(crate) fn received(&mut self) -> Vec<String> {
        self.ms(20);
        core::mem::take(&mut self.raw)
            .into_iter()
            .map(|(_, text)| text)
            .filter(|text| text.len() > 4)
            .collect()
    }

    /// The status of the last response that arrived.
    pub(crate) fn status(&mut self) -> u16 {
        status_of(self.received().last().map_or("", String::as_str))
    }

    pub(crate) fn resolve(&mut self, node: usize, query: u64, targets: Vec<Target>) {
        self.nodes[node].endpoint.handle(self.now, Input::Resolved { query, targets });
        self.flush();
    }

    pub(crate) fn with_endpoint<T>(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Endpoint, Instant) -> T,
    ) -> T {
        let result = act(&mut self.nodes[node].endpoint, self.now);
        self.flush();
        result
    }

    /// The events of a node since the last look.
    pub(crate) fn events(&mut self, node: usize) -> Vec<Event> {
        self.flush();
        core::mem::take(&mut self.nodes[node].events)
    }

    /// The names of the events of a node since the last look.
    pub(crate) fn names(&mut self, node: usize) -> Vec<String> {
        self.events(node).iter().map(name).collect()
    }

    /// How often a line that holds `what` was sent by `node`.
    pub(crate) fn sent_by(&self, node: usize, what: &str) -> usize {
        self.sent.iter().filter(|(from, line)| *from == node && line.contains(what)).count()
    }

    /// A calls B over the trunk.
    pub(crate) fn call(&mut self) -> LegKey {
        self.call_with(|_| {})
    }

    pub(crate) fn call_with(&mut self, change: impl FnOnce(&mut OutgoingInvite)) -> LegKey {
        let target = OutTarget::Trunk(TRUNK, Pii::new("10000".to_owned()));
        let mut invite = OutgoingInvite::new(target, "13800138000", Some(Bytes::from_static(OFFER)));
        change(&mut invite);
        self.with_endpoint(A, |endpoint, now| endpoint.invite(now, invite)).unwrap()
    }

    /// B's leg of the newest call.
    pub(crate) fn invited(&mut self, node: usize) -> LegKey {
        let events = self.events(node);
        let leg = events.iter().rev().find_map(|event| match event {
            Event::Invited { leg, .. } => Some(*leg),
            _ => None,
        });
        leg.expect("invited")
    }

    pub(crate) fn accept(&mut self, node: usize, leg: LegKey) {
        self.with_endpoint(node, |endpoint, now| endpoint.accept(now, leg, Some(Bytes::from_static(ANSWER))));
    }

    /// A call that is up, with no events left: A's leg and B's.
    pub(crate) fn up(&mut self) -> (LegKey, LegKey) {
        let a = self.call();
        self.ms(50);
        let b = self.invited(B);
        self.accept(B, b);
        self.ms(100);
        assert_eq!(self.names(A).last().map(String::as_str), Some("Answered"));
        assert_eq!(self.names(B), ["Acked"]);
        (a, b)
    }

    /// Nothing is left anywhere once everything has timed out.
    pub(crate) fn drained(&mut self) {
        self.secs(200);
        for (index, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.endpoint.legs_len(), 0, "legs of {index}");
            assert_eq!(node.endpoint.transactions_len(), (0, 0), "transactions of {index}");
        }
    }
}

pub(crate) fn status_of(text: &str) -> u16 {
    text.strip_prefix("SIP/2.0 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

/// The value of a header line of a text.
pub(crate) fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase())));
    line.map_or("", |line| line.split_once(':').map_or("", |(_, value)| value.trim()))
}

pub(crate) fn name(event: &Event) -> String {
    match event {
        Event::Ringing { code, .. } => format!("Ringing {code}"),
        Event::Failed { code, .. } => format!("Failed {code}"),
        Event::Ended { by, .. } => format!("Ended {by:?}"),
        Event::ReofferAnswered { result: Err(code), .. } => format!("ReofferAnswered {code}"),
        Event::ReofferAnswered { .. } => "ReofferAnswered".to_owned(),
        Event::OptionsAnswered { ok, .. } => format!("OptionsAnswered {ok}"),
        other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
    }
}
