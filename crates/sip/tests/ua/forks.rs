//! One INVITE, several answers.

use sip::Event;

use crate::refusals::alone;
use crate::world::{A, World, header};

/// A response of a branch of a fork to the request `text`.
pub(crate) fn response(text: &str, status: &str, tag: &str, extra: &str) -> String {
    format!(
        "SIP/2.0 {status}\nVia: {}\nFrom: {}\nTo: {};tag={tag}\nCall-ID: {}\nCSeq: {}\nContact: <sip:{tag}@10.0.0.2:5060>\n{extra}Content-Length: 0\n\n",
        header(text, "Via"),
        header(text, "From"),
        header(text, "To"),
        header(text, "Call-ID"),
        header(text, "CSeq")
    )
}

fn called() -> (World, base::LegKey, String) {
    let mut world = alone();
    let leg = world.call();
    let invite = world.received().pop().unwrap();
    (world, leg, invite)
}

fn hand(world: &mut World, text: &str) {
    world.inject(crate::world::address(2), A, text);
}

#[test]
fn the_second_2xx_gets_ack_and_bye() {
    let (mut world, _, invite) = called();
    hand(&mut world, &response(&invite, "180 Ringing", "one", ""));
    hand(&mut world, &response(&invite, "180 Ringing", "two", ""));
    hand(&mut world, &response(&invite, "200 OK", "one", ""));
    assert_eq!(world.names(A), ["Ringing 180", "Ringing 180", "Answered"]);
    let sent = world.received();
    assert!(sent.len() == 1 && sent[0].starts_with("ACK sip:one@"));
    hand(&mut world, &response(&invite, "200 OK", "two", ""));
    let sent = world.received();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[0].starts_with("ACK sip:two@") && sent[1].starts_with("BYE sip:two@"));
    assert!(header(&sent[1], "To").ends_with("tag=two"));
    // Repetitions get their ACK again, and nothing else.
    hand(&mut world, &response(&invite, "200 OK", "two", ""));
    hand(&mut world, &response(&invite, "200 OK", "one", ""));
    let sent = world.received();
    assert!(
        sent[0].starts_with("ACK sip:two@") && sent.last().unwrap().starts_with("ACK sip:one@"),
        "{sent:?}"
    );
    assert!(world.names(A).is_empty());
}

#[test]
fn a_2xx_after_the_call_ended_still_gets_ack_and_bye() {
    let (mut world, leg, invite) = called();
    hand(&mut world, &response(&invite, "200 OK", "one", ""));
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, leg, None));
    let sent = world.received();
    let bye = sent.last().unwrap().clone();
    hand(&mut world, &response(&bye, "200 OK", "one", "").replace(";tag=one;tag=one", ";tag=one"));
    assert_eq!(world.names(A), ["Answered", "Released"]);
    hand(&mut world, &response(&invite, "200 OK", "three", ""));
    let sent = world.received();
    assert!(sent[0].starts_with("ACK sip:three@") && sent[1].starts_with("BYE sip:three@"), "{sent:?}");
}

#[test]
fn each_branch_has_its_own_prack() {
    let (mut world, _, invite) = called();
    let reliable = |rseq: u32| format!("Require: 100rel\nRSeq: {rseq}\n");
    hand(&mut world, &response(&invite, "183 Session Progress", "one", &reliable(5)));
    hand(&mut world, &response(&invite, "183 Session Progress", "two", &reliable(900)));
    // One is missing between: not acknowledged, not told.
    hand(&mut world, &response(&invite, "180 Ringing", "one", &reliable(7)));
    let sent: Vec<_> = world.received().into_iter().filter(|text| text.starts_with("PRACK")).collect();
    assert_eq!(sent.len(), 2);
    assert!(header(&sent[0], "RAck").starts_with("5 ") && header(&sent[1], "RAck").starts_with("900 "));
    assert!(sent[1].starts_with("PRACK sip:two@"));
    assert_ne!(header(&sent[0], "CSeq"), header(&sent[1], "CSeq"));
    assert_eq!(world.names(A), ["Ringing 183", "Ringing 183"]);
}

#[test]
fn a_response_with_two_vias_or_a_strange_branch_is_not_ours() {
    let (mut world, _, invite) = called();
    let answer = response(&invite, "200 OK", "one", "");
    hand(&mut world, &answer.replacen("Via:", "Via: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKx\nVia:", 1));
    hand(&mut world, &answer.replace("branch=z9hG4bK", "branch=z9hG4bK0"));
    assert!(world.names(A).is_empty());
    assert_eq!(world.nodes[A].endpoint.counters().dropped.stray_responses, 2);
}

#[test]
fn a_2xx_by_an_unreachable_contact_goes_back_to_its_source() {
    let (mut world, _, invite) = called();
    let answer = response(&invite, "200 OK", "one", "").replace("sip:one@10.0.0.2:5060", "sip:one@0.0.0.0");
    hand(&mut world, &answer);
    assert!(matches!(&world.events(A)[..], [Event::Answered { .. }]));
    world.ms(20);
    assert!(world.raw.iter().any(|(to, text)| *to == crate::world::address(2) && text.starts_with("ACK")));
}
