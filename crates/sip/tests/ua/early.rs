//! Offers and other requests before the final response (RFC 3262 §5, RFC 3311 §5), and refusals that
//! must be repeated as they were.

use bytes::Bytes;
use sip::{Event, Method};

use crate::forks::response;
use crate::refusals::{alone, inside, invite, up};
use crate::world::{A, ANSWER, OFFER, World, address, header, status_of};

fn hand(world: &mut World, text: &str) {
    world.inject(address(2), A, text);
}

/// `text` with an offer as its body.
fn offering(text: &str) -> String {
    let sdp = core::str::from_utf8(OFFER).unwrap().replace("\r\n", "\n");
    let length = sdp.replace('\n', "\r\n").len();
    let typed = format!("Content-Type: application/sdp\nContent-Length: {length}\n\n");
    text.replace("Content-Length: 0\n\n", &typed) + &sdp
}

/// A request of the callee of A's INVITE, within the early dialog `tag`.
fn of_callee(text: &str, method: &str, cseq: u32, tag: &str) -> String {
    format!(
        "{method} sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKc{cseq};rport\n\
         From: {};tag={tag}\nTo: {}\nCall-ID: {}\nCSeq: {cseq} {method}\nContact: <sip:moved@10.0.0.2:5060>\n\
         Max-Forwards: 70\nContent-Length: 0\n\n",
        header(text, "To"),
        header(text, "From"),
        header(text, "Call-ID")
    )
}

/// A calls, the hand rings reliably; with a session description if `agreed`.
fn rings_reliably(agreed: bool) -> (World, base::LegKey, String) {
    let mut world = alone();
    let leg = world.call();
    let sent = world.received().pop().unwrap();
    let ringing = response(&sent, "183 Session Progress", "one", "Require: 100rel\nRSeq: 7\n");
    hand(&mut world, &if agreed { offering(&ringing) } else { ringing });
    let prack = world.received().pop().unwrap();
    assert!(prack.starts_with("PRACK sip:one@"), "{prack}");
    assert_eq!(world.names(A), ["Ringing 183"]);
    (world, leg, sent)
}

#[test]
fn a_callee_may_offer_anew_once_our_offer_is_answered() {
    let (mut world, leg, sent) = rings_reliably(true);
    hand(&mut world, &offering(&of_callee(&sent, "UPDATE", 1, "one")));
    let events = world.events(A);
    assert!(
        matches!(&events[..], [Event::Reoffered { method: Method::Update, body: Some(_), .. }]),
        "{events:?}"
    );
    // While it waits for us a further one must wait too (RFC 3311 §5.2).
    hand(&mut world, &offering(&of_callee(&sent, "UPDATE", 2, "one")));
    let refusal = world.received().pop().unwrap();
    assert_eq!(status_of(&refusal), 500);
    assert!(!header(&refusal, "Retry-After").is_empty());
    let sdp = Bytes::from_static(ANSWER);
    world.with_endpoint(A, |endpoint, now| endpoint.answer_reoffer(now, leg, Ok(Some(sdp))));
    let answer = world.received().pop().unwrap();
    assert!(status_of(&answer) == 200 && answer.contains("v=0"), "{answer}");
    // The target moved with it; the numbers of the early dialog go on in the confirmed one.
    hand(&mut world, &response(&sent, "200 OK", "one", ""));
    assert_eq!(world.names(A), ["Answered"]);
    hand(&mut world, &of_callee(&sent, "BYE", 1, "one").replace("z9hG4bKc1", "z9hG4bKbye"));
    assert_eq!(world.status(), 500, "an old number");
    hand(&mut world, &of_callee(&sent, "BYE", 3, "one"));
    assert_eq!(world.status(), 200);
    world.drained();
}

#[test]
fn an_update_that_comes_before_our_offer_is_answered() {
    let (mut world, _, sent) = rings_reliably(false);
    hand(&mut world, &offering(&of_callee(&sent, "UPDATE", 1, "one")));
    assert_eq!(world.status(), 491, "our offer waits for his answer");
    hand(&mut world, &of_callee(&sent, "UPDATE", 2, "one"));
    assert_eq!(world.status(), 200, "without an offer it only refreshes the target");
    hand(&mut world, &offering(&of_callee(&sent, "UPDATE", 3, "unheard-of")));
    assert_eq!(world.status(), 481);
    assert!(world.names(A).is_empty());
}

#[test]
fn what_overtakes_the_callees_2xx_does_not_end_the_call() {
    let mut world = alone();
    world.call();
    let sent = world.received().pop().unwrap();
    hand(&mut world, &response(&sent, "180 Ringing", "one", ""));
    let refer = of_callee(&sent, "REFER", 1, "one");
    hand(&mut world, &refer);
    let refusal = world.received().pop().unwrap();
    assert_eq!(status_of(&refusal), 500);
    assert_eq!(header(&refusal, "Retry-After"), "1");
    hand(&mut world, &of_callee(&sent, "INVITE", 2, "one"));
    assert_eq!(world.status(), 491);
    hand(&mut world, &response(&sent, "200 OK", "one", ""));
    assert_eq!(world.names(A), ["Ringing 180", "Answered"]);
    world.received();
    hand(&mut world, &refer);
    assert_eq!(world.status(), 500, "the same answer, though the call is up by now");
}

#[test]
fn a_callee_who_gave_up_waiting_for_our_ack_ends_the_ringing() {
    let (mut world, _, sent) = rings_reliably(true);
    hand(&mut world, &of_callee(&sent, "BYE", 1, "one"));
    let answers = world.received();
    assert!(answers.iter().any(|text| status_of(text) == 200), "{answers:?}");
    assert!(answers.iter().any(|text| text.starts_with("CANCEL")), "{answers:?}");
    assert_eq!(world.names(A), ["Failed 480"]);
    hand(&mut world, &response(&sent, "487 Request Terminated", "one", ""));
    world.drained();
}

/// The hand calls, A answers early and reliably; the hand's request `text` acknowledges it.
fn early_media() -> (World, base::LegKey, String, String) {
    let mut world = alone();
    hand(&mut world, &offering(&invite("Supported: 100rel\n")));
    let leg = world.invited(A);
    let sdp = Bytes::from_static(ANSWER);
    world.with_endpoint(A, |endpoint, now| endpoint.ring(now, leg, 183, Some(sdp)));
    let progress = world.received().pop().unwrap();
    let tag = header(&progress, "To").split("tag=").nth(1).unwrap().to_owned();
    // `inside` replaces the method everywhere: this one it must not find.
    let rack = format!("RAck: {} 7 inVITE\n", header(&progress, "RSeq"));
    (world, leg, tag, rack)
}

fn acknowledging(cseq: u32, tag: &str, rack: &str) -> String {
    inside("PRACK", cseq, tag, rack).replace("inVITE", "INVITE")
}

#[test]
fn a_prack_may_carry_a_new_offer() {
    let (mut world, leg, tag, rack) = early_media();
    hand(&mut world, &offering(&acknowledging(8, &tag, &rack)));
    let events = world.events(A);
    assert!(
        matches!(&events[..], [Event::Reoffered { method: Method::Prack, body: Some(_), .. }]),
        "{events:?}"
    );
    // The owner accepts meanwhile: the 2xx waits until his answer to the new offer is out.
    world.accept(A, leg);
    assert!(world.received().is_empty());
    let sdp = Bytes::from_static(ANSWER);
    world.with_endpoint(A, |endpoint, now| endpoint.answer_reoffer(now, leg, Ok(Some(sdp))));
    let sent = world.received();
    assert!(status_of(&sent[0]) == 200 && header(&sent[0], "CSeq") == "8 PRACK", "{sent:?}");
    assert!(sent[0].contains("v=0"), "the answer to its offer");
    assert!(status_of(&sent[1]) == 200 && header(&sent[1], "CSeq") == "7 INVITE", "{sent:?}");
    assert!(!sent[1].contains("v=0"), "all has been said: {}", sent[1]);
    hand(&mut world, &inside("ACK", 7, &tag, ""));
    hand(&mut world, &inside("BYE", 9, &tag, ""));
    world.drained();
}

#[test]
fn a_caller_may_offer_anew_by_update_after_early_media() {
    let (mut world, leg, tag, rack) = early_media();
    hand(&mut world, &offering(&inside("UPDATE", 8, &tag, "")));
    assert_eq!(world.status(), 500, "not before the PRACK");
    hand(&mut world, &acknowledging(9, &tag, &rack));
    assert_eq!(world.status(), 200);
    hand(&mut world, &offering(&inside("UPDATE", 10, &tag, "")));
    let events = world.events(A);
    assert!(matches!(&events[..], [Event::Reoffered { method: Method::Update, .. }]), "{events:?}");
    world.with_endpoint(A, |endpoint, now| endpoint.answer_reoffer(now, leg, Err(488)));
    assert_eq!(world.status(), 488);
    world.accept(A, leg);
    assert_eq!(world.status(), 200);
}

#[test]
fn a_refusal_within_a_dialog_is_repeated_as_it_was() {
    let mut world = alone();
    let (leg, tag) = up(&mut world);
    let refer = |cseq| inside("REFER", cseq, &tag, "Refer-To: <sip:8002@hotline.example>\n");
    hand(&mut world, &refer(8));
    hand(&mut world, &refer(9));
    assert_eq!(world.status(), 491, "one at a time");
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, leg, None));
    world.received();
    hand(&mut world, &refer(9));
    assert_eq!(world.status(), 491, "its repetition gets the same, not 481, nor 500 for its number");
}
