//! What strangers and the mistaken get: written by hand, from an address without an endpoint.

use sip::Event;

use crate::world::{A, World, address, header, status_of};

/// An INVITE from the trunk's address, with extra header lines.
pub(crate) fn invite(extra: &str) -> String {
    format!(
        "INVITE sip:10000@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKone;rport\n\
         From: <sip:139@carrier.example>;tag=f1\nTo: <sip:10000@10.0.0.1>\nCall-ID: c1\nCSeq: 7 INVITE\n\
         Contact: <sip:139@10.0.0.2:5060>\nMax-Forwards: 70\nSupported: timer\n{extra}Content-Length: 0\n\n"
    )
}

/// The world with A alone; the trunk's address is the hand's.
pub(crate) fn alone() -> World {
    let mut world = World::new();
    world.nodes.pop();
    world
}

#[test]
fn the_table_of_refusals() {
    let cases: [(&str, String, u16, &str); 16] = [
        ("unknown method", invite("").replace("INVITE", "DANCE"), 405, "Allow"),
        ("subscribe", invite("").replace("INVITE", "SUBSCRIBE"), 405, "Allow"),
        ("message", invite("").replace("INVITE", "MESSAGE"), 405, "Allow"),
        ("unknown extension", invite("Require: 100rel, teleport\n"), 420, "Unsupported"),
        ("no hops left", invite("").replace("Max-Forwards: 70", "Max-Forwards: 0"), 483, ""),
        (
            "no dialog: BYE",
            invite("")
                .replace("INVITE", "BYE")
                .replace("To: <sip:10000@10.0.0.1>", "To: <sip:x@y>;tag=0123456789abcdef"),
            481,
            "",
        ),
        (
            "no dialog: re-INVITE",
            invite("").replace("To: <sip:10000@10.0.0.1>", "To: <sip:x@y>;tag=0123456789abcdef"),
            481,
            "",
        ),
        ("no dialog: UPDATE", invite("").replace("INVITE", "UPDATE"), 481, ""),
        ("NOTIFY for nothing", invite("").replace("INVITE", "NOTIFY"), 481, ""),
        ("CANCEL for nothing", invite("").replace("INVITE", "CANCEL"), 481, ""),
        (
            "strange body",
            invite("Content-Type: text/plain\n").replace("Content-Length: 0\n\n", "Content-Length: 2\n\nhi"),
            415,
            "Accept",
        ),
        (
            "encoded body",
            invite("Content-Type: application/sdp\nContent-Encoding: gzip\n")
                .replace("Content-Length: 0\n\n", "Content-Length: 2\n\nhi"),
            415,
            "Accept",
        ),
        ("session too short", invite("Session-Expires: 60\n"), 422, "Min-SE"),
        ("version", invite("").replace(" SIP/2.0\nVia", " SIP/3.0\nVia"), 505, ""),
        ("no Contact", invite("").replace("Contact: <sip:139@10.0.0.2:5060>\n", ""), 400, ""),
        ("REFER outside", invite("Refer-To: <sip:1@2>\n").replace("INVITE", "REFER"), 403, ""),
    ];
    for (what, text, code, needs) in cases {
        let mut world = alone();
        world.inject(address(2), A, &text);
        let answer = world.received().pop().unwrap_or_default();
        assert_eq!(status_of(&answer), code, "{what}: {answer}");
        assert!(needs.is_empty() || !header(&answer, needs).is_empty(), "{what}: {answer}");
        assert!(header(&answer, "To").contains(";tag="), "{what}: {answer}");
        assert!(world.names(A).is_empty(), "{what}");
        assert_eq!(world.nodes[A].endpoint.transactions_len(), (0, 0), "{what}");
    }
}

#[test]
fn a_stranger_gets_403_and_is_counted() {
    let mut world = alone();
    world.inject(address(66), A, &invite(""));
    assert_eq!(world.status(), 403);
    assert_eq!(world.nodes[A].endpoint.counters().dropped.unknown_source, 1);
    // Who says he is ours must prove it.
    world.inject(address(66), A, &invite("").replace("carrier.example", "hotline.example"));
    let answer = world.received().pop().unwrap();
    assert_eq!(status_of(&answer), 401);
    assert!(answer.contains("algorithm=SHA-256") && answer.contains("algorithm=MD5"));
    assert_eq!(world.nodes[A].endpoint.transactions_len(), (0, 0), "gate first, state second");
}

#[test]
fn options_is_answered_and_503_while_draining() {
    let mut world = alone();
    let options = invite("").replace("INVITE", "OPTIONS");
    world.inject(address(2), A, &options);
    let answer = world.received().pop().unwrap();
    assert_eq!(status_of(&answer), 200);
    assert!(header(&answer, "Allow").contains("UPDATE") && header(&answer, "Accept") == "application/sdp");
    world.with_endpoint(A, |endpoint, _| endpoint.set_draining(true));
    world.inject(address(2), A, &options);
    assert_eq!(world.status(), 503);
    world.inject(address(2), A, &invite(""));
    let answer = world.received().pop().unwrap();
    assert_eq!((status_of(&answer), header(&answer, "Retry-After")), (503, "5"));
}

#[test]
fn answers_go_to_the_source_with_received_and_rport() {
    let mut world = alone();
    let source = "10.0.0.2:40000".parse().unwrap();
    world.inject(source, A, &invite("").replace("INVITE", "OPTIONS"));
    world.ms(20);
    let (to, answer) = world.raw.pop().unwrap();
    assert_eq!(to, source);
    assert!(header(&answer, "Via").contains(";received=10.0.0.2;rport=40000"), "{answer}");
    // Without rport: to the port of sent-by (RFC 3261 §18.2.2).
    world.inject(source, A, &invite("").replace("INVITE", "OPTIONS").replace(";rport", ""));
    world.ms(20);
    assert_eq!(world.raw.pop().unwrap().0, address(2));
}

#[test]
fn a_second_sender_with_the_same_branch_is_another_transaction() {
    let mut world = alone();
    world.inject(address(2), A, &invite(""));
    assert_eq!(world.received().len(), 1);
    world.inject(address(3), A, &invite(""));
    assert_eq!(world.status(), 403, "it gets an answer of its own");
    world.inject(address(2), A, &invite(""));
    assert_eq!(world.status(), 100, "the first still has its transaction");
}

#[test]
fn a_merged_request_is_482() {
    let mut world = alone();
    world.inject(address(2), A, &invite(""));
    let _ = world.received();
    world.inject(address(2), A, &invite("").replace("z9hG4bKone", "z9hG4bKtwo"));
    assert_eq!(world.status(), 482);
    assert_eq!(world.names(A), ["Invited"]);
}

#[test]
fn without_the_magic_cookie_transactions_match_all_the_same() {
    let mut world = alone();
    let old = invite("").replace("branch=z9hG4bKone", "branch=1");
    world.inject(address(2), A, &old);
    world.inject(address(2), A, &old);
    assert_eq!(world.names(A), ["Invited"]);
    let cancel = old.replace("INVITE sip", "CANCEL sip").replace("7 INVITE", "7 CANCEL");
    world.inject(address(2), A, &cancel);
    assert_eq!(world.names(A), ["Cancelled", "Released"]);
}

/// A call that the hand is in: A's leg and A's tag.
pub(crate) fn up(world: &mut World) -> (base::LegKey, String) {
    world.inject(address(2), A, &invite("Record-Route: <sip:10.0.0.2;lr>\n"));
    let leg = world.invited(A);
    world.accept(A, leg);
    let ok = world.received().pop().unwrap();
    assert_eq!(header(&ok, "Record-Route"), "<sip:10.0.0.2;lr>");
    let tag = header(&ok, "To").split("tag=").nth(1).unwrap().to_owned();
    world.inject(address(2), A, &inside("ACK", 7, &tag, ""));
    assert_eq!(world.names(A), ["Acked"]);
    (leg, tag)
}

/// A request of the hand inside its dialog.
pub(crate) fn inside(method: &str, cseq: u32, tag: &str, extra: &str) -> String {
    invite(extra)
        .replace("INVITE", method)
        .replace("CSeq: 7", &format!("CSeq: {cseq}"))
        .replace("z9hG4bKone", &format!("z9hG4bK{method}{cseq}"))
        .replace("To: <sip:10000@10.0.0.1>", &format!("To: <sip:10000@10.0.0.1>;tag={tag}"))
}

#[test]
fn an_old_cseq_is_500_and_the_call_lives() {
    let mut world = alone();
    let (_, tag) = up(&mut world);
    world.inject(address(2), A, &inside("BYE", 5, &tag, ""));
    assert_eq!(world.status(), 500);
    world.inject(address(2), A, &inside("DANCE", 8, &tag, ""));
    assert_eq!(world.status(), 405);
    assert!(world.names(A).is_empty());
    world.inject(address(2), A, &inside("BYE", 9, &tag, ""));
    assert_eq!(world.status(), 200);
    world.inject(address(2), A, &inside("BYE", 9, &tag, ""));
    assert_eq!(world.status(), 200, "its repetition gets the same");
    assert_eq!(world.names(A), ["Ended Peer", "Released"]);
    world.inject(address(2), A, &inside("INVITE", 10, &tag, ""));
    assert_eq!(world.status(), 481, "nothing lives after BYE");
}

#[test]
fn a_stranger_who_knows_the_call_id_but_not_the_tags_is_481() {
    let mut world = alone();
    let (_, tag) = up(&mut world);
    world.inject(address(2), A, &inside("BYE", 8, &tag, "").replace("tag=f1", "tag=f2"));
    assert_eq!(world.status(), 481);
    world.inject(address(2), A, &inside("BYE", 8, &tag, "").replace("Call-ID: c1", "Call-ID: c2"));
    assert_eq!(world.status(), 481);
    assert!(world.names(A).is_empty());
}

#[test]
fn info_carries_digits_and_refer_is_decided_by_the_owner() {
    let mut world = alone();
    let (leg, tag) = up(&mut world);
    let body = "Content-Type: application/dtmf-relay\n";
    let info =
        inside("INFO", 8, &tag, body).replace("Content-Length: 0\n\n", "Content-Length: 8\n\nSignal=5");
    world.inject(address(2), A, &info);
    assert_eq!(world.status(), 200);
    let events = world.events(A);
    let [Event::Info { content_type, body, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((content_type.as_str(), &body.reveal()[..]), ("application/dtmf-relay", &b"Signal=5"[..]));
    assert!(!format!("{events:?}").contains("Signal"), "digits are private");

    world.inject(address(2), A, &inside("REFER", 9, &tag, "Refer-To: <sip:8002@hotline.example>\n"));
    let events = world.events(A);
    assert!(matches!(&events[..], [Event::Referred { target, .. }] if target.user == "8002"), "{events:?}");
    world.with_endpoint(A, |endpoint, now| endpoint.accept_refer(now, leg));
    let sent = world.received();
    assert_eq!(status_of(&sent[0]), 202);
    assert!(sent[1].starts_with("NOTIFY") && sent[1].ends_with("SIP/2.0 100 Trying\r\n"), "{}", sent[1]);
    assert!(header(&sent[1], "Subscription-State").starts_with("active"));
    assert_eq!(header(&sent[1], "Event"), "refer;id=9");
    assert_eq!(header(&sent[1], "Route"), "<sip:10.0.0.2;lr>");
    world.with_endpoint(A, |endpoint, now| endpoint.refer_result(now, leg, 200));
    let sent = world.received();
    let last = sent.last().unwrap();
    assert!(
        last.ends_with("SIP/2.0 200 OK\r\n") && header(last, "Subscription-State").starts_with("terminated")
    );
}

#[test]
fn identity_headers_count_only_from_trusted_trunks() {
    let extra = "P-Asserted-Identity: <tel:+8613700137000>\nPrivacy: id\nDiversion: <sip:400@x>;reason=unconditional\n";
    for trusted in [true, false] {
        let mut config = crate::world::config(1, 2);
        config.trunks[0].trusted_identity = trusted;
        let mut world = World::with(config, crate::world::config(2, 1));
        world.nodes.pop();
        world.inject(address(2), A, &invite(extra));
        let events = world.events(A);
        let [Event::Invited { invite, .. }] = &events[..] else { panic!("{events:?}") };
        let asserted = invite.asserted.as_ref().map(|number| number.reveal().as_str());
        assert_eq!(asserted, trusted.then_some("+8613700137000"));
        assert_eq!(invite.privacy, trusted);
        assert_eq!(
            invite.diverted_from.as_ref().map(|number| number.reveal().as_str()),
            trusted.then_some("400")
        );
        assert!(!format!("{invite:?}").contains("137"), "{invite:?}");
    }
}
