use super::*;

const INVITE: &[u8] = b"INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP pc:5070;rport;branch=z9hG4bK1;received=9.9.9.9, SIP/2.0/UDP x;branch=z9hG4bK2\r\nVia: SIP/2.0/TCP y;branch=z9hG4bK3\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: c1\r\nCSeq: 1 INVITE\r\nX-Trace: t1\r\nRoute: <sip:p;lr>\r\nl: 2\r\n\r\nhi";

fn message(text: &[u8]) -> Message {
    Message::parse(Bytes::copy_from_slice(text), &Limits::default()).unwrap()
}

#[test]
fn a_request_is_what_was_written() {
    let mut writer = Writer::new();
    let mut draft = writer.request(&Method::Invite, b"sip:*72%23@h");
    draft
        .header(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bK1")
        .header_fmt(HeaderName::CSeq, format_args!("{} INVITE", 7));
    draft.named(b"X-Own", "1");
    let bytes = draft.finish_with("application/sdp", b"v=0\r\n").unwrap();
    assert_eq!(
        &bytes[..],
        b"INVITE sip:*72%23@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCSeq: 7 INVITE\r\nX-Own: 1\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    );
}

#[test]
fn an_answer_repeats_the_request_and_tells_the_source() {
    let mut writer = Writer::new();
    let source: SocketAddr = "192.0.2.7:40000".parse().unwrap();
    let bytes = writer.answer(&message(INVITE), 180, b"Ringing", source, Some(b"t2")).finish(b"").unwrap();
    assert_eq!(
        &bytes[..],
        &b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP pc:5070;rport=40000;branch=z9hG4bK1;received=192.0.2.7, SIP/2.0/UDP x;branch=z9hG4bK2\r\nVia: SIP/2.0/TCP y;branch=z9hG4bK3\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=t2\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"[..]
    );
    let response = message(&bytes);
    assert_eq!((response.branch(), response.to_tag()), (Some(&b"z9hG4bK1"[..]), Some(&b"t2"[..])));
    assert_eq!(response.vias().count(), 3);
    assert_eq!(response.via_top().unwrap().received(), Some(source.ip()));
    assert_eq!(response.via_top().unwrap().rport(), Some(40000));
}

#[test]
fn a_via_that_tells_the_truth_stays_as_it_is() {
    let text = b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::1]:5060 ; branch=z9hG4bK1\r\nFrom: sip:a@h;tag=1\r\nTo: sip:b@h\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
    let bytes = |source: &str| {
        let source = source.parse().unwrap();
        let bytes = Writer::new().answer(&message(text), 200, b"OK", source, None).finish(b"").unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    assert!(
        bytes("[2001:db8::1]:6000").contains("\r\nVia: SIP/2.0/UDP [2001:db8::1]:5060 ; branch=z9hG4bK1\r\n")
    );
    assert!(
        bytes("[2001:db8::2]:6000").contains("[2001:db8::1]:5060;branch=z9hG4bK1;received=[2001:db8::2]\r\n")
    );
    // An IPv4 peer on a dual-stack socket is told its IPv4 address.
    assert!(bytes("[::ffff:192.0.2.1]:6000").contains(";received=192.0.2.1\r\n"));
}

#[test]
fn nothing_can_be_injected() {
    let evil = ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b"];
    let mut writer = Writer::new();
    for value in evil {
        let injected = Err(WriteError::ControlCharacter(HeaderName::Subject));
        assert_eq!(writer.response(200, b"OK").header(HeaderName::Subject, value).finish(b""), injected);
        let formatted = format_args!("{value}").to_string();
        let mut draft = writer.response(200, b"OK");
        assert_eq!(draft.header_fmt(HeaderName::Subject, format_args!("{formatted}")).finish(b""), injected);
        assert!(writer.request(&Method::Bye, value.as_bytes()).finish(b"").is_err());
        assert!(writer.response(200, value.as_bytes()).finish(b"").is_err());
        assert!(writer.response(200, b"OK").named(b"X-A", value).finish(b"").is_err());
        assert!(writer.response(200, b"OK").named(value.as_bytes(), "x").finish(b"").is_err());
    }
    for name in [&b"Via"[..], b"v", b"content-length", b"a:b", b""] {
        let refused = writer.response(200, b"OK").named(name, "x").finish(b"");
        assert_eq!(refused, Err(WriteError::BadName));
    }
    let doubled = writer.response(200, b"OK").header(HeaderName::ContentLength, "9").finish(b"");
    assert_eq!(doubled, Err(WriteError::BadName));
    let huge = writer.response(200, b"OK").finish(&vec![b'x'; Limits::BYTES_MAX]);
    assert_eq!(huge, Err(WriteError::TooLarge));
}

#[test]
fn an_error_does_not_stay_for_the_next_message() {
    let mut writer = Writer::new();
    assert!(writer.response(200, b"O\nK").finish(b"").is_err());
    assert_eq!(
        &writer.response(200, b"OK").finish(b"").unwrap()[..],
        b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn copies_keep_order_and_unknown_headers() {
    let mut writer = Writer::new();
    let request = message(INVITE);
    let mut draft = writer.request(&Method::Invite, b"sip:b@h");
    let bytes = draft.copy_all(&request, &[HeaderName::Route]).finish(request.body()).unwrap();
    let copy = message(&bytes);
    assert_eq!(copy.header_named(b"x-trace"), Some(&b"t1"[..]));
    assert_eq!(copy.header(HeaderName::Route), None);
    assert_eq!(copy.fields().count(), request.fields().count() - 1);
    assert_eq!(copy.body(), request.body());
}
