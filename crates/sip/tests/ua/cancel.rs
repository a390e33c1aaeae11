//! CANCEL in every race.

use bytes::Bytes;
use sip::{Event, Reason, Rejection};

use crate::world::{A, ANSWER, B, World};

fn cancel(world: &mut World, leg: base::LegKey) {
    let reason = Some(Reason::completed_elsewhere());
    world.with_endpoint(A, |endpoint, now| endpoint.cancel(now, leg, reason));
}

#[test]
fn while_it_rings() {
    let mut world = World::new();
    let a = world.call();
    world.ms(50);
    let b = world.invited(B);
    world.with_endpoint(B, |endpoint, now| endpoint.ring(now, b, 180, None));
    world.ms(50);
    cancel(&mut world, a);
    world.ms(100);
    let events = world.events(B);
    assert!(matches!(
        &events[..],
        [Event::Cancelled { reason: Some(Reason { cause: 200, .. }), .. }, Event::Released { .. }]
    ));
    assert_eq!(world.names(A), ["Ringing 180", "Released"]);
    world.drained();
}

#[test]
fn before_anything_came_back_it_waits_for_a_provisional() {
    let mut world = World::new();
    let a = world.call();
    cancel(&mut world, a);
    assert_eq!(world.sent_by(A, "CANCEL"), 0);
    world.ms(200);
    assert_eq!(world.sent_by(A, "CANCEL sip"), 1);
    assert_eq!(world.names(B), ["Invited", "Cancelled", "Released"]);
    assert_eq!(world.names(A), ["Released"]);
    world.drained();
}

#[test]
fn a_200_that_crosses_it_gets_ack_and_bye() {
    let mut world = World::new();
    let a = world.call();
    world.ms(50);
    let b = world.invited(B);
    cancel(&mut world, a);
    world.accept(B, b);
    world.ms(200);
    assert_eq!(world.names(B), ["Acked", "Ended Peer", "Released"]);
    assert_eq!(world.names(A), ["Released"]);
    world.drained();
}

#[test]
fn a_refusal_that_crosses_it() {
    let mut world = World::new();
    let a = world.call();
    world.ms(50);
    let b = world.invited(B);
    cancel(&mut world, a);
    world.with_endpoint(B, |endpoint, now| endpoint.reject(now, b, Rejection::code(486)));
    world.ms(200);
    assert_eq!((world.names(A), world.names(B)), (vec!["Released".to_owned()], vec!["Released".to_owned()]));
    world.drained();
}

#[test]
fn nobody_there_at_all() {
    let mut world = World::new();
    world.link.loss = 100;
    let a = world.call();
    cancel(&mut world, a);
    world.secs(33);
    assert_eq!(world.names(A), ["Released"]);
    world.drained();
}

#[test]
fn the_487_is_lost_for_ever() {
    let mut world = World::new();
    let a = world.call();
    world.ms(50);
    world.lose.push("487");
    cancel(&mut world, a);
    world.secs(40);
    assert_eq!(world.names(A), ["Released"]);
    world.drained();
}

#[test]
fn after_the_answer_it_does_nothing() {
    let mut world = World::new();
    let (a, b) = world.up();
    cancel(&mut world, a);
    world.ms(100);
    assert_eq!(world.sent_by(A, "CANCEL"), 0);
    let _ = b;
    assert!(world.names(A).is_empty() && world.names(B).is_empty());
}

#[test]
fn while_a_reliable_provisional_waits() {
    let mut world = World::new();
    let a = world.call();
    world.ms(50);
    let b = world.invited(B);
    world.with_endpoint(B, |endpoint, now| endpoint.ring(now, b, 183, Some(Bytes::from_static(ANSWER))));
    world.lose.push("PRACK");
    world.ms(100);
    cancel(&mut world, a);
    world.ms(100);
    assert_eq!(world.names(B), ["Cancelled", "Released"]);
    world.drained();
}

#[test]
fn at_every_moment_of_the_call_all_ends_well() {
    // The CANCEL at 2 ms steps while the callee accepts at 100 ms: every order of arrival.
    for at in (0..220).step_by(2) {
        let mut world = World::new();
        world.link.jitter_ms = 15;
        world.seed(at);
        let a = world.call();
        let mut cancelled = false;
        let (mut accepted, mut b_names) = (None, Vec::new());
        for ms in 0..400 {
            if ms == at {
                cancel(&mut world, a);
                world.with_endpoint(A, |endpoint, now| endpoint.bye(now, a, None));
                cancelled = true;
            }
            if ms == 100 {
                let events = world.events(B);
                b_names.extend(events.iter().map(crate::world::name));
                accepted = events.iter().find_map(|event| match event {
                    Event::Invited { leg, .. } => Some(*leg),
                    _ => None,
                });
                if let Some(b) = accepted {
                    world.accept(B, b);
                }
            }
            world.ms(1);
        }
        assert!(cancelled && accepted.is_some());
        world.secs(40);
        let a_names = world.names(A);
        b_names.extend(world.names(B));
        assert_eq!(a_names.iter().filter(|name| *name == "Released").count(), 1, "{at}: {a_names:?}");
        assert_eq!(b_names.iter().filter(|name| *name == "Released").count(), 1, "{at}: {b_names:?}");
        world.drained();
    }
}
