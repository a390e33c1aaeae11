//! Our reading against that of another parser, on messages that both must accept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper fails the test")]

mod common;

use base::{Rng, Seed};
use rsip::prelude::*;
use sip::message::{HeaderName, Message, Method, Writer};

const MESSAGES: u64 = 20_000;

/// What both can say about a message.
#[derive(Debug, PartialEq)]
struct Reading {
    start: String,
    branch: Option<String>,
    transport: Option<String>,
    from: (String, Option<String>),
    to: (String, Option<String>),
    contact: Option<(String, Option<u16>)>,
    call_id: String,
    cseq: (u32, String),
    max_forwards: Option<u32>,
    headers: Vec<String>,
    body: Vec<u8>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn ours(message: &Message) -> Reading {
    let uri_tag =
        |address: sip::message::header::NameAddr<'_>| (text(address.uri_bytes), address.tag().map(text));
    let contact = message.contact().unwrap().map(|contact| {
        let uri = contact.uri().unwrap();
        (uri.host().unwrap().to_string(), uri.port())
    });
    let start = match message.start() {
        sip::message::Start::Request { method, uri } => format!("{method} {}", text(uri)),
        sip::message::Start::Response { code, .. } => code.to_string(),
    };
    let via = message.via_top().unwrap();
    Reading {
        start,
        branch: via.branch().map(text),
        transport: Some(text(via.transport)),
        from: uri_tag(message.from().unwrap()),
        to: uri_tag(message.to().unwrap()),
        contact,
        call_id: text(message.call_id()),
        cseq: (message.cseq_number(), message.cseq_method().to_string()),
        max_forwards: message.max_forwards().map(u32::from),
        headers: message
            .fields()
            .map(|field| format!("{}: {}", text(field.name_bytes), text(field.value)))
            .collect(),
        body: message.body().to_vec(),
    }
}

fn theirs(message: &rsip::SipMessage) -> Reading {
    let via = message.via_header().unwrap().typed().unwrap();
    let from = message.from_header().unwrap().typed().unwrap();
    let to = message.to_header().unwrap().typed().unwrap();
    let cseq = message.cseq_header().unwrap().typed().unwrap();
    let contact = message.contact_header().ok().map(|contact| contact.typed().unwrap().uri);
    let start = match message {
        rsip::SipMessage::Request(request) => format!("{} {}", request.method(), request.uri()),
        rsip::SipMessage::Response(response) => response.status_code().code().to_string(),
    };
    Reading {
        start,
        branch: via.branch().map(|branch| branch.value().to_owned()),
        transport: Some(via.transport.to_string()),
        from: (from.uri.to_string(), from.tag().map(|tag| tag.value().to_owned())),
        to: (to.uri.to_string(), to.tag().map(|tag| tag.value().to_owned())),
        contact: contact.map(|uri| (uri.host().to_string(), uri.port().map(|port| *port.value()))),
        call_id: message.call_id_header().unwrap().value().to_owned(),
        cseq: (cseq.seq, cseq.method.to_string()),
        max_forwards: message.max_forwards_header().ok().map(|header| header.num().unwrap()),
        headers: message.headers().iter().map(ToString::to_string).collect(),
        body: message.body().clone(),
    }
}

fn word(rng: &mut Rng) -> String {
    rng.token()[..1 + usize::try_from(rng.below(14)).unwrap()].to_owned()
}

fn choose<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    list[usize::try_from(rng.below(list.len() as u64)).unwrap()]
}

fn host(rng: &mut Rng) -> String {
    let port = if rng.below(2) == 0 { String::new() } else { format!(":{}", 1 + rng.below(65_535)) };
    match rng.below(3) {
        0 => format!("192.0.2.{}{port}", rng.below(256)),
        _ => format!("h{}.example.com{port}", word(rng)),
    }
}

fn uri(rng: &mut Rng) -> String {
    let scheme = choose(rng, &["sip", "sips"]);
    let params = choose(rng, &["", ";transport=UDP", ";lr", ";user=phone", ";x-own=1"]);
    format!("{scheme}:{}@{}{params}", word(rng), host(rng))
}

fn address(rng: &mut Rng) -> String {
    let display = choose(rng, &["", "Bob ", "\"Anna Maria\" "]);
    format!("{display}<{}>", uri(rng))
}

/// A message whose every part both parsers know.
fn generate(rng: &mut Rng) -> Vec<u8> {
    let method =
        choose(rng, &["INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "PRACK", "UPDATE"]);
    let start = match rng.below(3) {
        0 => format!(
            "SIP/2.0 {} {}",
            choose(rng, &["100", "180", "200", "401", "486", "503", "603"]),
            "Some Reason"
        ),
        _ => format!("{method} {} SIP/2.0", uri(rng)),
    };
    let mut lines = vec![start];
    for _ in 0..=rng.below(3) {
        let transport = choose(rng, &["UDP", "TCP", "TLS", "WS"]);
        lines.push(format!("Via: SIP/2.0/{transport} {};branch=z9hG4bK{}", host(rng), word(rng)));
    }
    lines.push(format!("From: {};tag={}", address(rng), word(rng)));
    let tag = if rng.below(2) == 0 { String::new() } else { format!(";tag={}", word(rng)) };
    lines.push(format!("To: {}{tag}", address(rng)));
    lines.push(format!("Call-ID: {}@{}", word(rng), word(rng)));
    lines.push(format!("CSeq: {} {method}", rng.below(1 << 31)));
    if rng.below(2) == 0 {
        lines.push(format!("Max-Forwards: {}", rng.below(256)));
    }
    if rng.below(2) == 0 {
        lines.push(format!("Contact: {}", address(rng)));
    }
    for name in ["User-Agent", "Subject", "X-Own", "Organization"] {
        if rng.below(2) == 0 {
            lines.push(format!("{name}: {}: {};x=\"{}\"", word(rng), word(rng), word(rng)));
        }
    }
    let body = if rng.below(2) == 0 { String::new() } else { format!("v=0\r\no={}\r\n", word(rng)) };
    lines.push(format!("Content-Length: {}", body.len()));
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

#[test]
fn both_read_the_same() {
    let mut rng = Rng::new(Seed([3261, 4475]));
    for _ in 0..MESSAGES {
        let bytes = generate(&mut rng);
        let our = common::parse(&bytes).unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()));
        let their = rsip::SipMessage::try_from(&bytes[..])
            .unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()));
        assert_eq!(ours(&our), theirs(&their), "{}", bytes.escape_ascii());
        // And each reads what the other prints.
        let printed = common::print(&our);
        assert_eq!(theirs(&rsip::SipMessage::try_from(&printed[..]).unwrap()), theirs(&their));
        let printed: Vec<u8> = their.into();
        assert_eq!(ours(&common::parse(&printed).unwrap()), ours(&our));
    }
}

#[test]
fn both_read_what_a_carrier_sends() {
    let message = common::parse(common::INVITE).unwrap();
    let other = rsip::SipMessage::try_from(common::INVITE).unwrap();
    assert_eq!(ours(&message), theirs(&other));
}

#[test]
fn the_other_parser_reads_our_requests_and_answers() {
    let mut writer = Writer::new();
    let invite = common::parse(common::INVITE).unwrap();
    let source = "203.0.113.5:5060".parse().unwrap();
    let mut draft = writer.answer(&invite, 180, b"Ringing", source, Some(b"ours"));
    let ringing = draft.header(HeaderName::Contact, "<sip:usher@198.51.100.20>").finish(b"").unwrap();
    let other = rsip::SipMessage::try_from(&ringing[..]).unwrap();
    assert_eq!(theirs(&other), ours(&common::parse(&ringing).unwrap()));
    assert_eq!(theirs(&other).to.1.as_deref(), Some("ours"));
    let mut draft = writer.request(&Method::Bye, b"sip:usher@198.51.100.20");
    draft
        .header(HeaderName::Via, "SIP/2.0/UDP 198.51.100.20;branch=z9hG4bK1;rport")
        .copy(&invite, HeaderName::From);
    draft.copy(&invite, HeaderName::To).copy(&invite, HeaderName::CallId).header(HeaderName::CSeq, "2 BYE");
    let bye = draft.finish(b"").unwrap();
    assert_eq!(theirs(&rsip::SipMessage::try_from(&bye[..]).unwrap()), ours(&common::parse(&bye).unwrap()));
}
