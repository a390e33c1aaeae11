//! re-INVITE and UPDATE, both ways, and when they meet.

use bytes::Bytes;
use sip::{Event, Method};

use crate::world::{A, ANSWER, B, OFFER, World};

fn reoffer(world: &mut World, node: usize, leg: base::LegKey) {
    world.with_endpoint(node, |endpoint, now| endpoint.reoffer(now, leg, Some(Bytes::from_static(OFFER))));
}

fn answer(world: &mut World, node: usize, leg: base::LegKey) {
    let sdp = Bytes::from_static(ANSWER);
    world.with_endpoint(node, |endpoint, now| endpoint.answer_reoffer(now, leg, Ok(Some(sdp))));
}

#[test]
fn an_offer_inside_the_call_is_answered_both_ways() {
    let mut world = World::new();
    let (a, b) = world.up();
    for (from, own, to, theirs) in [(A, a, B, b), (B, b, A, a)] {
        reoffer(&mut world, from, own);
        world.ms(50);
        let events = world.events(to);
        assert!(
            matches!(&events[..], [Event::Reoffered { leg, body: Some(_), method: Method::Invite }] if *leg == theirs),
            "{events:?}"
        );
        answer(&mut world, to, theirs);
        world.ms(50);
        let events = world.events(from);
        assert!(
            matches!(&events[..], [Event::ReofferAnswered { result: Ok(Some(body)), .. }] if body == ANSWER),
            "{events:?}"
        );
        assert_eq!(world.names(to), ["Acked"]);
    }
    world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, None));
    world.drained();
}

#[test]
fn a_refused_offer_leaves_the_call_up() {
    let mut world = World::new();
    let (a, b) = world.up();
    reoffer(&mut world, A, a);
    world.ms(50);
    world.with_endpoint(B, |endpoint, now| endpoint.answer_reoffer(now, b, Err(488)));
    world.ms(50);
    assert_eq!(world.names(A), ["ReofferAnswered 488"]);
    reoffer(&mut world, B, b);
    world.ms(50);
    assert_eq!(world.names(A), ["Reoffered"]);
}

#[test]
fn two_offers_that_meet_are_both_made_in_the_end() {
    let mut world = World::new();
    let (a, b) = world.up();
    reoffer(&mut world, A, a);
    reoffer(&mut world, B, b);
    let (mut a_answered, mut b_answered) = (false, false);
    for _ in 0..100 {
        world.ms(100);
        for (node, leg, done) in [(A, a, &mut a_answered), (B, b, &mut b_answered)] {
            for event in world.events(node) {
                match event {
                    Event::Reoffered { .. } => answer(&mut world, node, leg),
                    Event::ReofferAnswered { result, .. } => {
                        assert!(result.is_ok());
                        *done = true;
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(a_answered && b_answered);
    assert!(world.sent_by(A, " 491 ") + world.sent_by(B, " 491 ") >= 2);
}

#[test]
fn an_offer_waits_for_the_exchange_before_it() {
    let mut world = World::new();
    let (a, b) = world.up();
    reoffer(&mut world, A, a);
    reoffer(&mut world, A, a);
    world.ms(50);
    answer(&mut world, B, b);
    world.ms(100);
    answer(&mut world, B, b);
    world.ms(100);
    assert_eq!(world.names(A), ["ReofferAnswered", "ReofferAnswered"]);
    assert_eq!(world.names(B), ["Reoffered", "Acked", "Reoffered", "Acked"]);
    assert_eq!(world.sent_by(B, " 491 "), 0);
}

#[test]
fn asking_the_peer_to_offer() {
    let mut world = World::new();
    let (a, b) = world.up();
    world.with_endpoint(A, |endpoint, now| endpoint.reoffer(now, a, None));
    world.ms(50);
    assert!(matches!(&world.events(B)[..], [Event::Reoffered { body: None, .. }]));
    answer(&mut world, B, b);
    world.ms(50);
    assert_eq!(world.names(A), ["ReofferAnswered"]);
    world.with_endpoint(A, |endpoint, now| endpoint.acknowledge(now, a, Some(Bytes::from_static(OFFER))));
    world.ms(50);
    assert!(matches!(&world.events(B)[..], [Event::Acked { body: Some(_), .. }]));
}

#[test]
fn bye_while_an_offer_is_open() {
    let mut world = World::new();
    let (a, b) = world.up();
    reoffer(&mut world, A, a);
    world.ms(50);
    world.with_endpoint(B, |endpoint, now| endpoint.bye(now, b, None));
    world.ms(100);
    assert_eq!(world.names(A), ["ReofferAnswered 487", "Ended Peer", "Released"]);
    assert_eq!(world.names(B), ["Reoffered", "Released"]);
    world.drained();
}

#[test]
fn an_offer_to_a_peer_that_forgot_the_call_ends_it() {
    let mut world = World::new();
    let (a, _) = world.up();
    // The peer restarts.
    world.nodes[B].endpoint = sip::Endpoint::new(crate::world::config(2, 1), base::Seed([9, 9]));
    reoffer(&mut world, A, a);
    world.ms(100);
    assert_eq!(world.names(A), ["Ended PeerGone", "Released"]);
    world.drained();
}

#[test]
fn an_owner_who_never_answers_an_offer_refuses_it() {
    let mut world = World::new();
    let (a, _) = world.up();
    reoffer(&mut world, A, a);
    world.secs(20);
    assert_eq!(world.names(A), ["ReofferAnswered 500"]);
}
