//! What carriers and phones really send, case by case: messages that other parsers reject, cut, or
//! take for something else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper fails the test")]

mod common;

use common::{answer, framed, look, parse, print, same};
use sip::message::header::{Contacts, NameAddr};
use sip::message::{Defect, HeaderName, Host, Limits, Message, Method, Scheme, Uri, Writer};

/// A request with `line` as its Request-Line and `more` (header lines, then perhaps a body).
fn request(line: &str, more: &str) -> Vec<u8> {
    let (headers, body) = more.split_once("\n\n").unwrap_or((more, ""));
    let method = line.split(' ').next().unwrap();
    let head = format!(
        "{line}\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:a@h>;tag=1\nTo: <sip:b@h>\nCall-ID: c1\nCSeq: 1 {method}\n{headers}"
    );
    format!("{}\r\n\r\n{body}", head.trim_end().replace('\n', "\r\n")).into_bytes()
}

fn invite(more: &str) -> Vec<u8> {
    request("INVITE sip:b@h SIP/2.0", more)
}

fn read(text: &[u8]) -> Message {
    let message = parse(text).unwrap_or_else(|error| panic!("{error}: {}", text.escape_ascii()));
    look(&message);
    assert!(same(&message, &parse(&print(&message)).unwrap()), "{}", text.escape_ascii());
    message
}

fn defect(text: &[u8]) -> Defect {
    parse(text).expect_err("malformed").defect
}

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text.as_bytes()).unwrap()
}

// ---- one test for each row of the conformance table ----

#[test]
fn folded_headers_and_space_before_the_colon() {
    let message = read(&invite("Subject :  one\n\ttwo\n  three\nX-Long:\n first"));
    assert_eq!(message.header(HeaderName::Subject), Some(&b"one  \ttwo    three"[..]));
    assert_eq!(message.header_named(b"x-long"), Some(&b"first"[..]));
}

#[test]
fn compact_names() {
    let text = b"INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: c1\r\nCSeq: 1 INVITE\r\nm: <sip:a@h>\r\nk: timer\r\nc: application/sdp\r\nl: 3\r\n\r\nv=0";
    let message = read(text);
    assert_eq!((message.call_id(), message.branch()), (&b"c1"[..], Some(&b"z9hG4bK1"[..])));
    assert!(message.contact().unwrap().is_some() && message.offers("timer"));
    assert_eq!(message.sdp().unwrap().as_deref(), Some(&b"v=0"[..]));
}

#[test]
fn tel_request_uri() {
    let message = read(&request("INVITE tel:+86-400-820-8820;phone-context=x SIP/2.0", ""));
    assert_eq!(message.uri().unwrap().scheme(), Scheme::Tel);
    assert_eq!(message.uri().unwrap().dialled().as_deref(), Some("+864008208820"));
}

#[test]
fn ipv6_in_uri_and_via() {
    let text =
        invite("Contact: <sip:a@[::1]:5061;transport=tls>\nVia: SIP/2.0/UDP [::1]:5062;branch=z9hG4bK2");
    let message = read(&text);
    let contact = message.contact().unwrap().unwrap().uri().unwrap();
    assert_eq!((contact.host(), contact.port()), (Some(Host::Ip("::1".parse().unwrap())), Some(5061)));
    assert!(print(&message).windows(12).any(|part| part == b" [::1]:5062;"), "brackets stay");
    assert!(print(&message).windows(13).any(|part| part == b"transport=tls"), "as written");
}

#[test]
fn unknown_methods_can_be_answered_405() {
    let message = read(&request("FROBNICATE sip:b@h SIP/2.0", ""));
    assert_eq!(message.method(), Some(&Method::from_bytes(b"FROBNICATE").unwrap()));
    let source = "192.0.2.1:5060".parse().unwrap();
    let answer =
        Writer::new().answer(&message, 405, b"Method Not Allowed", source, Some(b"t")).finish(b"").unwrap();
    assert_eq!(parse(&answer).unwrap().cseq_method().as_bytes(), b"FROBNICATE");
}

#[test]
fn a_latin_1_byte_costs_nothing_else() {
    let mut text = invite("Organization: M@nchen\nRoute: <sip:p;lr>\nContent-Type: application/sdp\n\nv=0");
    let at = text.iter().rposition(|byte| *byte == b'@').unwrap();
    text[at] = 0xfc;
    let message = read(&text);
    assert_eq!(message.header(HeaderName::Organization), Some(&b"M\xfcnchen"[..]));
    assert_eq!(message.routes().count(), 1);
    assert_eq!(&message.body()[..], b"v=0");
    // Also in a display name, quoted or not.
    let address = NameAddr::parse(b"J\xf6rg <sip:a@b>").unwrap();
    assert_eq!(address.display_text().as_deref(), Some("J\u{fffd}rg"));
}

#[test]
fn a_datagram_without_content_length_keeps_its_body() {
    assert_eq!(&read(&invite("Content-Type: application/sdp\n\nv=0\r\n")).body()[..], b"v=0\r\n");
}

#[test]
fn a_content_length_beyond_the_datagram() {
    assert_eq!(defect(&invite("Content-Length: 5\n\nv=0")), Defect::Truncated);
}

#[test]
fn a_content_length_that_is_negative_doubled_or_huge() {
    for value in ["-1", "+1", "1 2", "0x1", "", "3,3", "18446744073709551615", "4294967296"] {
        assert_eq!(
            defect(&invite(&format!("Content-Length: {value}\n\nv=0"))),
            Defect::ContentLength,
            "{value}"
        );
    }
    assert_eq!(defect(&invite("Content-Length: 4294967295\n\nv=0")), Defect::Truncated);
    let doubled = Defect::Repeated(HeaderName::ContentLength);
    assert_eq!(defect(&invite("Content-Length: 3\nl: 3\n\nv=0")), doubled);
}

#[test]
fn a_display_name_full_of_delimiters() {
    let mut text = invite("");
    let from = text.windows(9).position(|part| part == b"<sip:a@h>").unwrap();
    text.splice(from..from + 9, *br#""A \" <x>, ;" <sip:a@b>"#);
    let message = read(&text);
    let from = message.from().unwrap();
    assert_eq!((from.uri_bytes, from.tag()), (&b"sip:a@b"[..], Some(&b"1"[..])));
    assert_eq!(from.display().as_ref(), b"A \" <x>, ;");
}

#[test]
fn contact_lists_with_commas_in_quotes_and_brackets() {
    let message = read(&invite("Contact: \"Bell, A\" <sip:a,b@h>;q=0.5, <sip:c@h>\nm: sip:d@h;expires=5"));
    let Contacts::List(contacts) = message.contacts().unwrap() else { panic!("no star") };
    let uris: Vec<_> = contacts.map(|contact| contact.unwrap().uri_bytes.to_vec()).collect();
    assert_eq!(uris, [&b"sip:a,b@h"[..], b"sip:c@h", b"sip:d@h"]);
    assert!(message.contact().is_err(), "a dialog has one target");
}

#[test]
fn via_lists() {
    let message = read(&invite("Via: SIP/2.0/TCP x;branch=z9hG4bK2 , SIP/2.0/TLS y:5061;branch=z9hG4bK3"));
    let hosts: Vec<_> = message.vias().map(|via| via.unwrap().host.to_string()).collect();
    assert_eq!(hosts, ["h", "x", "y"]);
    assert_eq!(message.branch(), Some(&b"z9hG4bK1"[..]));
}

#[test]
fn escapes_in_a_user_part_are_printed_as_received() {
    let text = request("INVITE sip:*72%23138;x=%2523?@h SIP/2.0", "Contact: <sip:a?b@x>");
    let message = read(&text);
    assert_eq!(message.uri_bytes(), Some(&b"sip:*72%23138;x=%2523?@h"[..]));
    assert_eq!(message.uri().unwrap().dialled().as_deref(), Some("*72#138"));
    assert_eq!(message.contact().unwrap().unwrap().uri().unwrap().user(), Some(&b"a?b"[..]));
    assert!(print(&message).starts_with(b"INVITE sip:*72%23138;x=%2523?@h SIP/2.0\r\n"));
}

#[test]
fn lf_only_line_ends() {
    let text: Vec<u8> = invite("Subject: a\n\nbody").into_iter().filter(|byte| *byte != b'\r').collect();
    assert_eq!(&read(&text).body()[..], b"body");
}

#[test]
fn other_versions_get_505() {
    for version in ["SIP/7.0", "SIP/1.0", "sip/2.1", "SIP/2.00"] {
        let (code, response) = answer(&request(&format!("OPTIONS sip:b@h {version}"), "")).unwrap();
        assert_eq!((code, response.call_id()), (505, &b"c1"[..]), "{version}");
    }
    assert_eq!(defect(&request("OPTIONS sip:b@h HTTP/1.1", "")), Defect::StartLine);
    read(&request("OPTIONS sip:b@h sip/2.0", ""));
}

#[test]
fn a_binary_body_goes_through_unchanged() {
    let body: Vec<u8> = (0..=255).chain(*b"\r\n\r\n").collect();
    let mut text = invite(&format!("Content-Type: application/isup\nContent-Length: {}", body.len()));
    text.extend_from_slice(&body);
    let message = read(&text);
    assert_eq!(message.body()[..], body);
    assert!(print(&message).ends_with(&body));
}

// ---- what broke other parsers ----

#[test]
fn a_cseq_beyond_31_bits_or_with_a_long_method() {
    for number in ["2147483648", "4294967295", "4294967297", "18446744073709551617"] {
        let text = String::from_utf8(invite("")).unwrap().replace("CSeq: 1", &format!("CSeq: {number}"));
        assert_eq!(defect(text.as_bytes()), Defect::Header(HeaderName::CSeq), "{number}");
    }
    let long = "A".repeat(5000);
    let message = read(&request(&format!("{long} sip:b@h SIP/2.0"), ""));
    assert_eq!(message.cseq_method().as_bytes().len(), 5000);
}

/// The stream framer and the parser read the same length, or both refuse.
#[test]
fn one_boundary_for_framer_and_parser() {
    for header in ["Content-Length: 4", "Content-Length : 4", "l:4", "CONTENT-LENGTH:\n 4", "l\t:\t0004"] {
        let text = invite(&format!("{header}\n\nbodyOPTIONS sip:evil SIP/2.0\r\n"));
        let cut = framed(&text).expect(header);
        assert!(text[..cut].ends_with(b"\r\n\r\nbody"), "{header}");
        assert_eq!(&read(&text).body()[..], b"body");
    }
    for header in ["l: 4\nContent-Length: 4", "l: -4", "l: 18446744073709551620", "X: y"] {
        assert_eq!(framed(&invite(&format!("{header}\n\nbody"))), None, "{header}");
    }
}

#[test]
fn a_carriage_return_inside_a_line_is_refused() {
    for more in ["Subject: a\rb", "Subject: a\rX-Trusted: 1", "A\r: b"] {
        assert_eq!(defect(&invite(more)), Defect::BareCr, "{}", more.escape_debug());
    }
}

#[test]
fn a_space_hides_no_header() {
    let message = read(&invite("P-Asserted-Identity : <sip:boss@h>\nP-Asserted-Identity\t: <sip:x@h>"));
    assert_eq!(message.headers(HeaderName::PAssertedIdentity).count(), 2);
    for line in ["P-Asserted -Identity: <sip:a@h>", ": x", "nothing", "X(y): z", "\u{e4}: z"] {
        assert_eq!(defect(&invite(line)), Defect::HeaderLine, "{line}");
    }
}

#[test]
fn what_must_be_single_is_not_repeated() {
    for (name, line) in [
        (HeaderName::From, "f: <sip:x@h>;tag=2"),
        (HeaderName::To, "To: <sip:b@h>;tag="),
        (HeaderName::CallId, "i: c2"),
        (HeaderName::CSeq, "CSeq: 2 INVITE"),
        (HeaderName::MaxForwards, "Max-Forwards: 70\nMax-Forwards: 0"),
    ] {
        assert_eq!(defect(&invite(line)), Defect::Repeated(name));
    }
    let message = read(&invite("Expires: 5\nExpires: 6\nContent-Type: a/b\nc: application/sdp\n\nx"));
    assert!(message.expires_s().is_err() && message.content_type().is_err() && message.sdp().is_err());
}

#[test]
fn empty_tags_and_broken_vias_from_fuzzing() {
    let text = String::from_utf8(invite("")).unwrap();
    for (from, to, name) in [
        ("To: <sip:b@h>", "To: <sip:b@h>;tag=", HeaderName::To),
        ("To: <sip:b@h>", "To: <sip:b@h>;tag", HeaderName::To),
        ("To: <sip:b@h>", "To: ", HeaderName::To),
        ("From: <sip:a@h>;tag=1", "From: ;tag=1", HeaderName::From),
        ("From: <sip:a@h>;tag=1", "From: <sip:a@h>;tag=\"1\"", HeaderName::From),
        ("Via: SIP/2.0/UDP h;", "Via: SIP/2.0/UDP ;", HeaderName::Via),
        ("Via: SIP/2.0/UDP h;", "Via: ,,,;", HeaderName::Via),
        ("Via: SIP/2.0/UDP h;", "Via: SIP/2.0/UDP h:123456;", HeaderName::Via),
        ("Call-ID: c1", "Call-ID: ", HeaderName::CallId),
        ("Call-ID: c1", "Call-ID: c 1", HeaderName::CallId),
    ] {
        let broken = text.replace(from, to);
        assert_eq!(defect(broken.as_bytes()), Defect::Header(name), "{to}");
        assert!(answer(broken.as_bytes()).is_some());
    }
}

#[test]
fn long_values_are_kept_or_refused_but_never_cut() {
    let tag = "t".repeat(7000);
    let text = String::from_utf8(invite("")).unwrap();
    let message = read(text.replace(";tag=1", &format!(";tag={tag}")).as_bytes());
    assert_eq!(message.from_tag(), Some(tag.as_bytes()));
    let limits = Limits::default();
    let long = "x".repeat(limits.header_bytes_max + 1);
    for line in
        [format!("Message-Account: {long}"), format!("X-A: {long}"), "X: y\n".repeat(limits.headers_max)]
    {
        let (code, response) = answer(&invite(&line)).expect("413");
        assert_eq!((code, response.call_id()), (413, &b"c1"[..]));
    }
    let (code, _) =
        answer(&request(&format!("INVITE sip:{}@h SIP/2.0", "b".repeat(limits.uri_bytes_max)), "")).unwrap();
    assert_eq!(code, 414);
    let whole = vec![b'a'; limits.message_bytes_max + 1];
    assert_eq!(defect(&whole), Defect::TooLarge);
    let head = invite(&format!("X: {}\n", "y".repeat(8000)).repeat(4));
    assert_eq!(defect(&head), Defect::TooLarge);
}

#[test]
fn headers_that_stopped_other_servers() {
    let accepts = "Accept: a/b\n".repeat(50);
    let more = format!(
        "{accepts}Identity: no-semicolon\nWarning:\nWarning: \nAuthorization: Digest realm=\"other\"\nContact: <sip:[>\nRecord-Route: <sip:a@>"
    );
    let message = read(&invite(&more));
    assert_eq!(message.headers(HeaderName::Accept).count(), 50);
    assert!(message.contact().unwrap().unwrap().uri().is_err());
    assert!(message.record_routes().next().unwrap().unwrap().uri().is_err());
    let credentials = message.credentials(HeaderName::Authorization).next().unwrap().unwrap();
    assert_eq!(credentials.params.unwrap().get("realm").as_deref(), Some(&b"other"[..]));
}

#[test]
fn multipart_bodies_without_parts_end_or_boundary() {
    let body = |kind: &str, body: &str| read(&invite(&format!("Content-Type: {kind}\n\n{body}"))).sdp();
    let sdp = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\ncontent-type : Application/SDP\r\n\r\nv=0\r\n--b--\r\n";
    assert_eq!(body("multipart/mixed;boundary=b", sdp).unwrap().as_deref(), Some(&b"v=0"[..]));
    assert_eq!(body("multipart/mixed; boundary=\"b\"", sdp).unwrap().as_deref(), Some(&b"v=0"[..]));
    assert!(body("multipart/mixed", sdp).is_err());
    assert!(body("multipart/mixed;boundary=c", sdp).is_err());
    assert!(body("multipart/mixed;boundary=b", "--b\r\n").is_err());
    assert!(body(&format!("multipart/mixed;boundary={}", "b".repeat(200)), sdp).is_err());
    assert_eq!(body("multipart/mixed;boundary=b", "--b--"), Ok(None));
    assert_eq!(body("text/plain", "v=0"), Ok(None));
}

#[test]
fn escaped_line_ends_stay_escaped() {
    let message = read(&invite("Contact: <sip:a@h;p=%0d%0aZ>"));
    assert!(print(&message).windows(8).any(|part| part == b"%0d%0aZ>"));
    let contact = message.contact().unwrap().unwrap().uri().unwrap();
    assert_eq!(contact.params().value(b"p"), Some(&b"%0d%0aZ"[..]));
    // Decoded, it is refused by the writer.
    let decoded = uri("sip:a%0d%0aX%3a%20y@h").user_unescaped().unwrap().into_owned();
    assert!(Writer::new().response(200, b"OK").header(HeaderName::Subject, decoded).finish(b"").is_err());
}

#[test]
fn acks_responses_and_strangers_are_not_answered() {
    let ack = request("ACK sip:b@h SIP/2.0", "Max-Forwards: x");
    assert!(parse(&ack).unwrap_err().answer.is_none());
    let text = String::from_utf8(invite("Max-Forwards: x")).unwrap();
    assert!(parse(text.as_bytes()).unwrap_err().answer.is_some());
    assert!(
        parse(text.replace("INVITE sip:b@h SIP/2.0", "SIP/2.0 200 OK").as_bytes())
            .unwrap_err()
            .answer
            .is_none()
    );
    assert!(parse(text.replace("Via", "X").as_bytes()).unwrap_err().answer.is_none());
    for noise in [&b""[..], b"\r\n\r\n", b"\0\0\0\0", b"hello", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        assert!(parse(noise).unwrap_err().answer.is_none(), "{}", noise.escape_ascii());
    }
    assert_eq!(defect(b"\r\n\r\n"), Defect::Empty);
}

#[test]
fn nobody_is_named_in_a_log() {
    let message = parse(common::INVITE).unwrap();
    let shown = format!("{message:?} {:?} {:?}", message.from(), message.answerable());
    assert!(!shown.contains("138001"), "{shown}");
    let error = parse(&common::INVITE[..900]).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("138001"));
}
