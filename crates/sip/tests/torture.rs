//! Every message of RFC 4475 and RFC 5118, with what becomes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper fails the test")]

mod common;

use common::{answer, look, parse, print, same};
use sip::message::{Defect, HeaderName, Scheme};
use sipx_testkit::{rfc4475, rfc5118};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// Accepted; printed again it says the same.
    Read,
    /// Refused with this status, and can be answered.
    Answered(u16, Defect),
    /// Refused without an answer: a response, or a request that does not say whom to answer.
    Silent(Defect),
}

use Outcome::{Answered, Read, Silent};

const RFC4475: &[(&str, Outcome)] = &[
    // §3.1.1 valid
    ("wsinv", Read),
    ("intmeth", Read),
    ("esc01", Read),
    ("escnull", Read),
    ("esc02", Read),
    ("lwsdisp", Read),
    ("longreq", Read),
    ("dblreq", Read), // the octets after Content-Length are ignored
    ("semiuri", Read),
    ("transports", Read),
    ("mpart01", Read),
    ("unreason", Read),
    ("noreason", Read),
    // §3.1.2 invalid
    ("badinv01", Answered(400, Defect::Header(HeaderName::Via))),
    ("clerr", Answered(400, Defect::Truncated)),
    ("ncl", Answered(400, Defect::ContentLength)),
    ("scalar02", Answered(400, Defect::Header(HeaderName::CSeq))),
    ("scalarlg", Silent(Defect::Header(HeaderName::CSeq))),
    ("quotbal", Answered(400, Defect::Header(HeaderName::To))),
    ("ltgtruri", Answered(400, Defect::RequestUri)),
    ("lwsruri", Answered(400, Defect::StartLine)),
    ("lwsstart", Answered(400, Defect::StartLine)),
    ("trws", Answered(400, Defect::StartLine)),
    ("escruri", Answered(400, Defect::RequestUri)),
    ("baddate", Read), // only the Date is malformed, and nothing depends on it: allowed by the RFC
    ("regbadct", Read), // the Contact is malformed: the registrar answers 400, see below
    ("badaspec", Answered(400, Defect::Header(HeaderName::To))),
    ("baddn", Answered(400, Defect::Unterminated)), // the archive's file lacks the empty line too
    ("badvers", Answered(505, Defect::Version)),
    ("mismatch01", Answered(400, Defect::CSeqMethod)),
    ("mismatch02", Answered(400, Defect::CSeqMethod)),
    ("bigcode", Silent(Defect::StartLine)),
    // §3.2-3.4 valid for the parser; the user agent decides
    ("badbranch", Read),
    ("insuf", Answered(400, Defect::Missing(HeaderName::From))),
    ("unkscm", Read),
    ("novelsc", Read),
    ("unksm2", Read),
    ("bext01", Read),
    ("invut", Read),
    ("regaut01", Read),
    ("multi01", Answered(400, Defect::Repeated(HeaderName::CSeq))),
    ("mcl01", Answered(400, Defect::Repeated(HeaderName::ContentLength))),
    ("bcast", Read),
    ("zeromf", Read),
    ("cparam01", Read),
    ("cparam02", Read),
    ("regescrt", Read),
    ("sdp01", Read),
    ("inv2543", Read),
    // In the archive, in no section: no version, no Via.
    ("test", Silent(Defect::HeaderLine)),
];

const RFC5118: &[(&str, Outcome)] = &[
    ("ipv6-good", Read),
    ("ipv6-bad", Answered(400, Defect::RequestUri)),
    ("port-ambiguous", Read), // "5070" is the address's last group
    ("port-unambiguous", Read),
    ("via-received-param-with-delim", Read),
    ("via-received-param-no-delim", Read),
    ("ipv6-in-sdp", Read),
    ("mult-ip-in-header", Read),
    ("mult-ip-in-sdp", Read),
    ("ipv4-mapped-ipv6", Read),
    ("ipv6-bug-abnf-3-colons", Read), // three colons are taken for two
    ("ipv6-correct-abnf-2-colons", Read),
];

fn outcome(text: &[u8]) -> Outcome {
    match parse(text) {
        Err(error) if error.answer.is_some() => Answered(error.status(), error.defect),
        Err(error) => Silent(error.defect),
        Ok(message) => {
            look(&message);
            let again = parse(&print(&message)).expect("what we print, we read");
            assert!(same(&message, &again), "it says something else when printed");
            assert_eq!(print(&again), print(&message));
            Read
        }
    }
}

/// The same with LF at the ends of the head's lines.
fn with_lf(text: &[u8]) -> Vec<u8> {
    let head = text.windows(4).position(|end| end == b"\r\n\r\n").map_or(text.len(), |at| at + 4);
    let lf = text[..head].iter().filter(|byte| **byte != b'\r');
    lf.chain(&text[head..]).copied().collect()
}

fn message(name: &str) -> sip::message::Message {
    parse(rfc4475::case(name).unwrap().bytes).unwrap()
}

#[test]
fn every_message_of_rfc_4475() {
    assert_eq!(RFC4475.len(), rfc4475::CASES.len());
    for (name, expected) in RFC4475 {
        let bytes = rfc4475::case(name).unwrap().bytes;
        assert_eq!(outcome(bytes), *expected, "{name}");
        assert_eq!(outcome(&with_lf(bytes)), *expected, "{name} with LF");
    }
}

#[test]
fn every_message_of_rfc_5118() {
    assert_eq!(RFC5118.len(), rfc5118::CASES.len());
    for (name, expected) in RFC5118 {
        assert_eq!(outcome(&rfc5118::case(name).unwrap().wire()), *expected, "{name}");
    }
}

#[test]
fn answers_to_refused_requests_have_what_the_request_had() {
    for (name, expected) in RFC4475 {
        if let Answered(status, _) = expected {
            let (code, _) = answer(rfc4475::case(name).unwrap().bytes).expect(name);
            assert_eq!(code, *status, "{name}");
        }
    }
    let (_, response) = answer(rfc4475::case("mismatch01").unwrap().bytes).unwrap();
    assert_eq!(response.call_id(), b"mismatch01.dj0234sxdfl3");
    assert_eq!(response.to_tag(), Some(&b"ours"[..]));
}

#[test]
fn the_short_tortuous_invite() {
    let message = message("wsinv");
    assert_eq!(message.from_tag(), Some(&b"98asjd8"[..]));
    assert_eq!(message.to_tag(), Some(&b"1918181833n"[..]));
    assert_eq!((message.cseq_number(), message.max_forwards()), (9, Some(68)));
    assert_eq!(message.branch(), Some(&b"390skdjuw"[..]));
    let branches: Vec<_> = message.vias().map(|via| via.unwrap().branch().unwrap()).collect();
    assert_eq!(branches, [&b"390skdjuw"[..], b"z9hG4bK9ikj8", b"z9hG4bK30239"]);
    assert_eq!(message.from().unwrap().display_text().as_deref(), Some("J Rosenberg \\\""));
    assert!(message.routes().next().unwrap().unwrap().uri().unwrap().is_loose());
    let contact = message.contact().unwrap().unwrap();
    assert_eq!(contact.q_milli(), Some(330));
    assert_eq!(contact.params.value(b"newparam"), Some(&b"newvalue"[..]));
    assert_eq!(message.sdp().unwrap().unwrap().len(), 150);
    assert_eq!(message.header(HeaderName::Subject), Some(&b""[..]));
}

#[test]
fn unusual_characters_are_kept() {
    let wide = message("intmeth");
    assert_eq!(wide.method().unwrap().as_bytes(), &b"!interesting-Method0123456789_*+`.%indeed'~"[..]);
    assert_eq!(wide.to().unwrap().display_text().as_deref(), Some("BEL:\u{fffd} NUL:\u{fffd} DEL:\u{fffd}"));
    // The escaped name is not the header it spells when decoded (RFC 4475 §3.1.1.5).
    let escaped = message("esc02");
    assert_eq!(escaped.method().unwrap().as_bytes(), b"RE%47IST%45R");
    assert_eq!(escaped.headers(HeaderName::Contact).count(), 2);
    assert_eq!(message("escnull").to().unwrap().uri().unwrap().user(), Some(&b"null-%00-null"[..]));
    let semicolon = message("semiuri");
    assert_eq!(semicolon.uri().unwrap().user(), Some(&b"user;par=u%40example.net"[..]));
    assert_eq!(message("noreason").status(), Some(100));
}

#[test]
fn what_the_user_agent_decides_by() {
    for name in ["unkscm", "novelsc"] {
        assert_eq!(message(name).uri().unwrap().scheme(), Scheme::Other, "{name}");
    }
    assert!(message("unksm2").to().unwrap().uri().is_ok_and(|uri| uri.scheme() == Scheme::Other));
    assert_eq!(message("bext01").required().count(), 2);
    assert!(!message("invut").content_type().unwrap().unwrap().is_sdp());
    assert!(!message("regaut01").credentials(HeaderName::Authorization).next().unwrap().unwrap().is_digest());
    assert_eq!(message("zeromf").max_forwards(), Some(0));
    assert!(message("baddate").date().is_err());
    assert!(message("regbadct").contact().is_err());
    assert_eq!(message("cparam01").contact().unwrap().unwrap().params.iter().count(), 1);
    assert_eq!(message("cparam02").contact().unwrap().unwrap().params.iter().count(), 0);
    assert_eq!(message("inv2543").branch(), None);
    assert!(message("regescrt").contact().unwrap().unwrap().uri().unwrap().header(b"route").is_some());
}

#[test]
fn addresses_of_version_6() {
    let message = |name: &str| parse(&rfc5118::case(name).unwrap().wire()).unwrap();
    assert_eq!(message("port-ambiguous").uri().unwrap().port(), None);
    assert_eq!(message("port-unambiguous").uri().unwrap().port(), Some(5070));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        assert_eq!(message(name).via_top().unwrap().received(), "2001:db8::9:255".parse().ok(), "{name}");
    }
    let both = ["ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons"]
        .map(|name| message(name).uri().unwrap().host().unwrap().ip());
    assert_eq!(both[0], both[1]);
    let kinds: Vec<_> =
        message("mult-ip-in-header").vias().map(|via| via.unwrap().host.to_string()).collect();
    assert_eq!(kinds, ["[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"]);
}
