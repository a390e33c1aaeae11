//! The basic call.

use base::{Duration, Pii};
use bytes::Bytes;
use sip::{Event, Peer, Reason, Rejection};

use crate::world::{A, ANSWER, B, OFFER, TRUNK, World, config};

#[test]
fn a_call_rings_is_answered_and_ends() {
    let mut world = World::new();
    let a = world.call_with(|invite| {
        invite.max_forwards = 42;
        invite.asserted = Some(Pii::new("13900139000".to_owned()));
        invite.from_display = Some(Pii::new("A \"B\" C".to_owned()));
    });
    world.ms(50);
    let events = world.events(B);
    let [Event::Invited { leg: b, peer, invite }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*peer, Peer::Trunk(TRUNK));
    assert_eq!((invite.from_user.reveal().as_str(), invite.to_user.as_str()), ("13800138000", "10000"));
    assert_eq!(invite.asserted.as_ref().unwrap().reveal(), "13900139000");
    assert_eq!(invite.from_display.as_ref().unwrap().reveal(), "A \"B\" C");
    assert_eq!((invite.max_forwards, invite.body_is_sdp, invite.reliable_provisionals), (42, true, true));
    assert_eq!(invite.body.as_deref(), Some(OFFER));
    let b = *b;

    world.with_endpoint(B, |endpoint, now| endpoint.ring(now, b, 180, None));
    world.ms(50);
    assert_eq!(world.names(A), ["Ringing 180"]);
    world.accept(B, b);
    world.ms(50);
    let events = world.events(A);
    assert!(
        matches!(&events[..], [Event::Answered { leg, body: Some(body), .. }] if *leg == a && body == ANSWER)
    );
    assert_eq!(world.names(B), ["Acked"]);

    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, Some(Reason::q850(16, "Normal"))));
    world.ms(50);
    let events = world.events(B);
    assert!(
        matches!(
            &events[..],
            [Event::Ended { reason: Some(Reason { cause: 16, .. }), .. }, Event::Released { .. }]
        ),
        "{events:?}"
    );
    assert_eq!(world.names(A), ["Released"]);
    world.drained();
    // INVITE, ACK, BYE once each: nothing was repeated on a good link.
    assert_eq!(world.nodes[A].endpoint.counters().retransmits_out, 0);
    assert_eq!(world.nodes[B].endpoint.counters().retransmits_out, 0);
}

#[test]
fn the_called_side_may_end_it_too() {
    let mut world = World::new();
    let (_, b) = world.up();
    world.with_endpoint(B, |endpoint, now| endpoint.bye(now, b, None));
    world.ms(50);
    assert_eq!(world.names(A), ["Ended Peer", "Released"]);
    assert_eq!(world.names(B), ["Released"]);
    world.drained();
}

#[test]
fn both_say_bye_at_once() {
    let mut world = World::new();
    let (a, b) = world.up();
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, None));
    world.with_endpoint(B, |endpoint, now| endpoint.bye(now, b, None));
    world.ms(100);
    assert_eq!(world.names(A), ["Released"]);
    assert_eq!(world.names(B), ["Released"]);
    world.drained();
}

#[test]
fn a_refusal_reaches_the_caller_with_its_status() {
    let mut world = World::new();
    world.call();
    world.ms(50);
    let b = world.invited(B);
    let rejection =
        Rejection { code: 486, retry_after_s: Some(7), reason: Some(Reason::q850(17, "User busy")) };
    world.with_endpoint(B, |endpoint, now| endpoint.reject(now, b, rejection));
    world.ms(50);
    let events = world.events(A);
    assert!(matches!(events[0], Event::Failed { code: 486, retry_after_s: Some(7), .. }), "{events:?}");
    assert!(matches!(events[1], Event::Released { .. }));
    assert_eq!(world.names(B), ["Released"]);
    world.drained();
}

#[test]
fn late_offer_the_2xx_offers_and_the_ack_answers() {
    let mut world = World::new();
    let a = world.call_with(|invite| invite.sdp = None);
    world.ms(50);
    let b = world.invited(B);
    world.with_endpoint(B, |endpoint, now| endpoint.accept(now, b, Some(Bytes::from_static(OFFER))));
    world.ms(50);
    let events = world.events(A);
    assert!(matches!(&events[..], [Event::Answered { body: Some(body), .. }] if body == OFFER));
    world.with_endpoint(A, |endpoint, now| endpoint.acknowledge(now, a, Some(Bytes::from_static(ANSWER))));
    world.ms(600);
    let events = world.events(B);
    assert!(matches!(&events[..], [Event::Acked { body: Some(body), .. }] if body == ANSWER), "{events:?}");
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, None));
    world.drained();
}

#[test]
fn a_2xx_is_repeated_until_its_ack_and_then_the_call_ends() {
    let mut world = World::new();
    world.call();
    world.ms(50);
    let b = world.invited(B);
    world.lose.push("ACK sip");
    world.accept(B, b);
    world.secs(31);
    // T1 doubling up to T2: 0.5 1.5 3.5 7.5 11.5 … 31.5 s.
    assert_eq!(world.sent_by(B, "200 OK | "), 1 + 9);
    assert!(world.names(B).is_empty());
    world.secs(2);
    assert_eq!(world.names(B), ["Ended NoAck", "Released"]);
    assert_eq!(world.names(A), ["Answered", "Ended Peer", "Released"]);
    world.drained();
}

#[test]
fn bye_before_the_ack_waits_for_it() {
    let mut world = World::new();
    world.call();
    world.ms(50);
    let b = world.invited(B);
    world.lose.push("ACK sip");
    world.accept(B, b);
    world.ms(100);
    world.with_endpoint(B, |endpoint, now| endpoint.bye(now, b, None));
    world.ms(100);
    assert_eq!(world.sent_by(B, "BYE"), 0);
    world.lose.clear();
    world.secs(2);
    assert_eq!(world.sent_by(B, "BYE"), 1);
    assert_eq!(world.names(B), ["Released"]);
    world.drained();
}

#[test]
fn nobody_answers_timer_b() {
    let mut world = World::new();
    world.link.loss = 100;
    world.call();
    world.secs(31);
    assert!(world.names(A).is_empty());
    // Timer A: 0 0.5 1.5 3.5 7.5 15.5 31.5.
    assert_eq!(world.sent_by(A, "INVITE"), 6);
    world.secs(2);
    assert_eq!(world.names(A), ["Failed 408", "Released"]);
    world.drained();
}

#[test]
fn a_refusal_is_repeated_by_timer_g_until_its_ack() {
    let mut world = World::new();
    world.call();
    world.ms(50);
    let b = world.invited(B);
    world.lose.push("ACK sip");
    world.with_endpoint(B, |endpoint, now| endpoint.reject(now, b, Rejection::code(486)));
    world.secs(10);
    // 0 0.5 1.5 3.5 7.5.
    assert_eq!(world.sent_by(B, "486"), 5);
    assert_eq!(world.sent_by(A, "ACK"), 5);
    assert_eq!(world.names(A), ["Failed 486", "Released"]);
    world.lose.clear();
    world.secs(5);
    assert_eq!(world.sent_by(B, "486"), 6);
    world.drained();
}

#[test]
fn an_invite_nobody_decides_on_ends_by_itself() {
    let mut world = World::new();
    world.call();
    world.secs(179);
    let _ = world.invited(B);
    world.secs(3);
    let names = world.names(B);
    assert_eq!(names, ["Cancelled", "Released"]);
    assert!(world.names(A).iter().any(|name| name.starts_with("Failed")));
    world.drained();
}

#[test]
fn reliable_provisional_is_repeated_until_prack() {
    let mut world = World::new();
    world.call();
    world.ms(50);
    let b = world.invited(B);
    world.lose.push("PRACK sip");
    let sdp = Bytes::from_static(ANSWER);
    world.with_endpoint(B, |endpoint, now| endpoint.ring(now, b, 183, Some(sdp.clone())));
    // A 2xx must wait for the PRACK (RFC 3262 §3).
    world.with_endpoint(B, |endpoint, now| endpoint.accept(now, b, Some(sdp)));
    world.ms(1000);
    assert_eq!(world.names(A), ["Ringing 183"], "once, however often it came");
    assert_eq!(world.sent_by(B, "183"), 2);
    assert_eq!(world.sent_by(B, "200 OK"), 0);
    world.lose.clear();
    world.secs(2);
    assert_eq!(world.names(A), ["Answered"]);
    assert_eq!(world.names(B), ["Acked"]);
}

#[test]
fn a_prack_that_never_comes_ends_the_invite() {
    let mut world = World::new();
    world.call();
    world.ms(50);
    let b = world.invited(B);
    world.lose.push("PRACK sip");
    world.with_endpoint(B, |endpoint, now| endpoint.ring(now, b, 183, Some(Bytes::from_static(ANSWER))));
    world.secs(33);
    assert_eq!(world.names(B), ["Cancelled", "Released"]);
    assert_eq!(world.names(A).last().map(String::as_str), Some("Released"));
    world.drained();
}

#[test]
fn provisionals_queue_behind_a_reliable_one() {
    let mut world = World::new();
    world.call();
    world.ms(50);
    let b = world.invited(B);
    world.with_endpoint(B, |endpoint, now| {
        endpoint.ring(now, b, 183, Some(Bytes::from_static(ANSWER)));
        endpoint.ring(now, b, 180, None);
    });
    world.ms(100);
    assert_eq!(world.names(A), ["Ringing 183", "Ringing 180"]);
}

#[test]
fn a_call_that_is_answered_at_once_gets_no_100_and_one_that_waits_gets_it() {
    let mut b = config(2, 1);
    b.times.trying_after = Duration::from_millis(100);
    let mut world = World::with(config(1, 2), b);
    world.call();
    world.ms(15);
    let leg = world.invited(B);
    world.accept(B, leg);
    world.ms(300);
    assert_eq!(world.sent_by(B, " 100 "), 0);
    world.call();
    world.ms(105);
    assert_eq!(world.sent_by(B, " 100 "), 0);
    world.ms(300);
    assert_eq!(world.sent_by(B, " 100 "), 1);
    assert_eq!(world.sent_by(A, "INVITE sip:"), 2, "it kept A from repeating his INVITE");

    // An INVITE that is repeated before gets it at once.
    let mut b = config(2, 1);
    b.times.trying_after = Duration::from_millis(600);
    let mut world = World::with(config(1, 2), b);
    world.call();
    world.ms(550);
    assert_eq!((world.sent_by(A, "INVITE sip:"), world.sent_by(B, " 100 ")), (2, 1));
}

#[test]
fn what_only_forgets_waits_for_company() {
    let mut b = config(2, 1);
    b.times.forget_grid = Duration::from_millis(250);
    let mut world = World::with(config(1, 2), b);
    for _ in 0..3 {
        let (a, _) = world.up();
        world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, None));
        world.ms(77);
        world.events(A);
        world.events(B);
    }
    assert_eq!(world.nodes[B].endpoint.transactions_len(), (6, 0), "three INVITEs, three BYEs");
    while world.nodes[B].endpoint.transactions_len() != (0, 0) {
        let (at, _) = world.nodes[B].endpoint.poll_timeout().unwrap();
        assert_eq!(at.as_nanos() % 250_000_000, 0);
        world.run(at.since(world.now));
    }
    world.drained();
}
