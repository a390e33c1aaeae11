//! What the test files of the message layer share.
#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use sip::message::header::{Contacts, NameAddr};
use sip::message::{
    Answerable, HeaderName, Limits, Message, ParseError, Start, UriBuf, Writer, frame, reason_phrase,
};

/// An INVITE as a carrier sends it: 1.26 kB, 17 headers and a session description.
pub(crate) const INVITE: &[u8] = include_bytes!("invite.sip");

pub(crate) const REGISTER: &[u8] = b"REGISTER sip:switch.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKnashds7;rport\r\nMax-Forwards: 70\r\nFrom: Agent 7 <sip:1007@switch.example.com>;tag=456248\r\nTo: <sip:1007@switch.example.com>\r\nCall-ID: 843817637684230@998sdasdh09\r\nCSeq: 1827 REGISTER\r\nContact: \"Desk, 7\" <sip:1007@10.1.2.3:5060;transport=udp>;q=0.7;expires=3600, sip:1007@10.9.9.9\r\nAuthorization: Digest username=\"1007\", realm=\"switch.example.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\", uri=\"sip:switch.example.com\", response=\"7587245234b3434cc3412213e5f113a5\", algorithm=SHA-256, cnonce=\"0a4f113b\", qop=auth, nc=00000001\r\nExpires: 7200\r\nContent-Length: 0\r\n\r\n";

pub(crate) const UNAUTHORIZED: &[u8] = b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKnashds7;rport=5060;received=10.1.2.3\r\nFrom: Agent 7 <sip:1007@switch.example.com>;tag=456248\r\nTo: <sip:1007@switch.example.com>;tag=1410948204\r\nCall-ID: 843817637684230@998sdasdh09\r\nCSeq: 1827 REGISTER\r\nWWW-Authenticate: Digest realm=\"switch.example.com\", qop=\"auth,auth-int\", nonce=\"ea9c8e88df84f1cec4341ae6cbe5a359\", opaque=\"\", stale=FALSE, algorithm=SHA-256\r\nRetry-After: 5 (busy);duration=60\r\nWarning: 399 switch \"x\"\r\nContent-Length: 0\r\n\r\n";

pub(crate) const NOTIFY: &[u8] = b"NOTIFY sip:ua@10.0.0.1 SIP/2.0\nv: SIP/2.0/TCP [2001:db8::9:1]:6050;branch=z9hG4bKn1\nf: \"A \\\" <x>, ;\" <sip:a@b>;tag=f1\nt: <tel:+1-201-555-0123;phone-context=x>;tag=t1\ni: n1\nCSeq: 5 NOTIFY\no: refer;id=93809824\nSubscription-State: terminated;reason=noresource\nRAck: 776656 5 INVITE\nRSeq: 9\nReplaces: 425928@x;to-tag=7743;from-tag=6472;early-only\nr: <sip:c@d?Replaces=1%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>\nb: <sip:e@f>;cid=\"1@x\"\nx: 1800;refresher=uas\nMin-SE: 90\nReason: Q.850;cause=16;text=\"ok\", SIP;cause=200\nDiversion: <sip:g@h>;reason=unconditional\nHistory-Info: <sip:i@j>;index=1, <sip:k@l?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1\nPrivacy: id;header\nP-Asserted-Identity: \"M\" <sip:m@n>, <tel:+1>\nDate: Sat, 13 Nov 2010 23:29:00 GMT\nRequire: 100rel, timer\nAllow: INVITE, ACK\nk: replaces\nc: multipart/mixed;boundary=\"b\"\n\n--b\nContent-Type: application/sdp\n\nv=0\n--b\n\nplain\n--b--\n";

pub(crate) fn parse(text: &[u8]) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text), &Limits::default())
}

/// Prints what was read, with our spelling of header names.
pub(crate) fn print(message: &Message) -> Bytes {
    let mut writer = Writer::new();
    let mut draft = match message.start() {
        Start::Request { method, uri } => writer.request(method, uri),
        Start::Response { code, reason } => writer.response(code, reason),
    };
    draft.copy_all(message, &[]).finish(message.body()).expect("what was read can be printed")
}

/// Whether both say the same: first line, headers but `Content-Length` in order, body.
pub(crate) fn same(a: &Message, b: &Message) -> bool {
    let start = |message: &Message| match message.start() {
        Start::Request { method, uri } => (0, method.as_bytes().to_vec(), uri.to_vec()),
        Start::Response { code, reason } => (code, Vec::new(), reason.to_vec()),
    };
    let fields = |message: &Message| {
        let kept = message.fields().filter(|field| field.name != HeaderName::ContentLength);
        kept.map(|field| {
            let other = if field.name == HeaderName::Other { field.name_bytes } else { b"" };
            (field.name, other.to_vec(), field.value.to_vec())
        })
        .collect::<Vec<_>>()
    };
    start(a) == start(b) && fields(a) == fields(b) && a.body() == b.body()
}

/// Calls every typed view; counts those that found something well-formed.
pub(crate) fn look(message: &Message) -> usize {
    let mut found = 0;
    let mut saw = |yes: bool| found += usize::from(yes);
    saw(message.branch().is_some() && message.from_tag().is_some() && message.to_tag().is_some());
    saw(message
        .vias()
        .map(|via| via.map(|via| (via.received(), via.rport(), via.has_magic_cookie())))
        .all(|via| via.is_ok()));
    saw(message.uri().is_some_and(|uri| uri.dialled().is_some() && uri == uri.to_owned().as_uri()));
    let addresses = [
        HeaderName::From,
        HeaderName::To,
        HeaderName::Contact,
        HeaderName::Route,
        HeaderName::RecordRoute,
        HeaderName::PAssertedIdentity,
        HeaderName::Diversion,
        HeaderName::ReferTo,
        HeaderName::ReferredBy,
    ];
    for name in addresses {
        message.addresses(name).flatten().for_each(|address| saw(look_at_address(&address)));
    }
    saw(matches!(message.contacts(), Ok(Contacts::All)) || message.contact().is_ok());
    saw(message.max_forwards().is_some());
    saw(message.expires_s().is_ok() && message.min_expires_s().is_ok() && message.min_se_s().is_ok());
    saw(message.session_expires().is_ok() && message.rseq().is_ok() && message.rack().is_ok());
    saw(message
        .reasons()
        .all(|reason| reason.is_ok_and(|reason| reason.cause().is_some() && reason.text().is_some())));
    saw(message.retry_after().is_ok() && message.date().is_ok() && message.privacy().is_none());
    saw(message.history().flatten().any(|entry| entry.is_retargeted()));
    saw(message.refer_to().is_ok() && message.referred_by().is_ok() && message.replaces().is_ok());
    saw(message.event().is_ok() && message.subscription_state().is_ok() && message.content_type().is_ok());
    saw(message.required().count() > 0
        && message.offers("100rel")
        && message.allows(&sip::message::Method::Ack).is_some());
    for name in [HeaderName::Authorization, HeaderName::WwwAuthenticate] {
        for credentials in message.credentials(name).flatten() {
            saw(credentials
                .params
                .is_some_and(|params| params.get("nonce").is_some() && params.iter().count() > 3));
        }
    }
    saw(message.sdp().is_ok_and(|sdp| sdp.is_some()));
    saw(!format!("{message:?}").is_empty());
    found
}

fn look_at_address(address: &NameAddr<'_>) -> bool {
    let Ok(uri) = address.uri() else { return false };
    let same = UriBuf::parse(uri.as_bytes()).expect("read before").as_uri() == uri;
    same && address.display_text().is_none_or(|text| !text.is_empty())
        && (uri.dialled(), address.tag(), address.q_milli(), address.expires_s(), uri.header_iter().count())
            != (None, None, None, None, 0)
}

/// Answers as the switch would, and checks that the answer is a message.
pub(crate) fn answer(text: &[u8]) -> Option<(u16, Message)> {
    let error = parse(text).err()?;
    let request: Box<Answerable> = error.answer.clone()?;
    let mut writer = Writer::new();
    let source = "192.0.2.99:5099".parse().expect("an address");
    let code = error.status();
    let mut draft =
        writer.answer_malformed(&request, code, error.defect.reason().as_bytes(), source, Some(b"ours"));
    let bytes = draft.finish(b"").expect("an answer can always be printed");
    assert!(bytes.starts_with(format!("SIP/2.0 {code} ").as_bytes()));
    // Some answers repeat what is malformed; those that are messages can be looked at.
    Some((code, parse(&bytes).ok().or_else(|| parse(&stand_in(code)).ok())?))
}

fn stand_in(code: u16) -> Vec<u8> {
    format!("SIP/2.0 {code} {}\r\nVia: SIP/2.0/UDP h\r\nFrom: sip:a\r\nTo: sip:b\r\nCall-ID: c\r\nCSeq: 1 X\r\n\r\n", reason_phrase(code)).into_bytes()
}

/// What a stream would cut from the front of `text`.
pub(crate) fn framed(text: &[u8]) -> Option<usize> {
    match frame::frame(text, 0, &Limits::default()) {
        Ok(frame::Frame::Message { bytes }) => Some(bytes),
        _ => None,
    }
}
