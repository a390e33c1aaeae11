//! Limits: each has its answer and its count, and live calls go on.

use crate::refusals::{alone, invite};
use crate::world::{A, B, World, address, config};

#[test]
fn a_flood_is_refused_then_ignored_and_leaves_nothing() {
    let mut world = alone();
    let mut answers = 0;
    for n in 0..500 {
        let text = invite("").replace("INVITE", "OPTIONS").replace("z9hG4bKone", &format!("z9hG4bK{n}"));
        let flow =
            sip::Flow { protocol: sip::Protocol::Udp, local: address(1), remote: address(66), connection: 0 };
        let text = text.replace('\n', "\r\n");
        world.with_endpoint(A, |endpoint, now| {
            endpoint.handle(now, sip::Input::Received { flow, bytes: text.into() })
        });
    }
    answers += world.received().len();
    let dropped = world.nodes[A].endpoint.counters().dropped;
    assert_eq!((dropped.unknown_source, dropped.rate_limited, dropped.flooded), (100, 100, 300));
    assert_eq!(answers, 200);
    assert_eq!(world.nodes[A].endpoint.transactions_len(), (0, 0));
}

#[test]
fn no_more_legs_than_allowed() {
    let mut b = config(2, 1);
    b.limits.legs_max = 2;
    let mut world = World::with(config(1, 2), b);
    for _ in 0..4 {
        world.call();
        world.ms(50);
    }
    assert_eq!(world.names(B), ["Invited", "Invited"]);
    assert_eq!(world.names(A), ["Failed 503", "Released", "Failed 503", "Released"]);
    assert_eq!(world.nodes[B].endpoint.counters().dropped.legs_full, 2);
}

#[test]
fn no_more_transactions_of_one_source_than_allowed() {
    let mut b = config(2, 1);
    b.limits.transactions_per_source_max = 2;
    let mut world = World::with(config(1, 2), b);
    for _ in 0..3 {
        world.call();
        world.ms(50);
    }
    assert_eq!(world.names(B), ["Invited", "Invited"]);
    assert_eq!(world.nodes[B].endpoint.counters().dropped.source_full, 1);
}

#[test]
fn draining_refuses_new_calls_and_keeps_the_old() {
    let mut world = World::new();
    let (a, _) = world.up();
    world.with_endpoint(B, |endpoint, _| endpoint.set_draining(true));
    world.call();
    world.ms(50);
    assert_eq!(world.names(A), ["Failed 503", "Released"]);
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, None));
    world.ms(50);
    assert_eq!(world.names(B), ["Ended Peer", "Released"]);
    world.drained();
}

#[test]
fn malformed_is_answered_where_it_can_be_and_counted() {
    let mut world = alone();
    world.inject(address(2), A, "not sip at all\n\n");
    assert!(world.received().is_empty());
    world.inject(address(2), A, &invite("").replace("CSeq: 7 INVITE", "CSeq: seven INVITE"));
    assert_eq!(world.status(), 400);
    let dropped = world.nodes[A].endpoint.counters().dropped;
    assert_eq!((dropped.malformed, dropped.malformed_answered), (2, 1));
}

#[test]
fn a_crowded_switch_serves_what_exists_and_refuses_what_is_new() {
    let mut world = World::new();
    let (a, _) = world.up();
    let flow =
        sip::Flow { protocol: sip::Protocol::Udp, local: address(2), remote: address(1), connection: 0 };
    let text = invite("").replace('\n', "\r\n");
    let before = world.nodes[B].endpoint.transactions_len();
    world.with_endpoint(B, |endpoint, now| {
        endpoint.handle(now, sip::Input::Crowded { flow, bytes: text.clone().into() });
    });
    assert_eq!(world.sent_by(B, " 503 "), 1);
    assert_eq!(world.nodes[B].endpoint.transactions_len(), before, "nothing is kept of it");
    assert_eq!(world.nodes[B].endpoint.counters().dropped.crowded, 1);

    // An INVITE that was let in is not refused when it comes again.
    let again = text.replace("z9hG4bKone", "z9hG4bKtwo").replace("Call-ID: ", "Call-ID: two-");
    for crowded in [false, true] {
        let bytes: bytes::Bytes = again.clone().into();
        world.with_endpoint(B, |endpoint, now| {
            let input = if crowded {
                sip::Input::Crowded { flow, bytes }
            } else {
                sip::Input::Received { flow, bytes }
            };
            endpoint.handle(now, input);
        });
    }
    assert_eq!(world.sent_by(B, " 503 "), 1);
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, None));
    world.ms(50);
    assert!(world.names(B).contains(&"Ended Peer".to_owned()), "{:?}", world.names(B));
}
