//! Session timers (RFC 4028).

use base::Duration;

use crate::world::{A, B, World, config, header};

fn short(world_a: u64, world_b: u64) -> World {
    let mut a = config(1, 2);
    let mut b = config(2, 1);
    a.times.session_expires = Duration::from_secs(world_a);
    b.times.session_expires = Duration::from_secs(world_b);
    World::with(a, b)
}

#[test]
fn whoever_refreshes_the_call_outlives_many_intervals() {
    for (a, b) in [(100, 100), (100, 0), (0, 100), (200, 100)] {
        let mut world = short(a, b);
        let (leg, _) = world.up();
        world.secs(1000);
        assert!(world.names(A).is_empty() && world.names(B).is_empty(), "{a} {b}");
        let refreshes = world.sent_by(A, "UPDATE sip") + world.sent_by(B, "UPDATE sip");
        assert!((10..=40).contains(&refreshes), "{a} {b}: {refreshes}");
        world.with_endpoint(A, |endpoint, now| endpoint.bye(now, leg, None));
        world.drained();
    }
}

#[test]
fn a_dead_peer_ends_the_call_on_both_sides() {
    let mut world = short(100, 100);
    world.up();
    world.link.loss = 100;
    world.secs(100);
    let (a, b) = (world.names(A), world.names(B));
    assert!(a[0].starts_with("Ended") && b[0].starts_with("Ended"), "{a:?} {b:?}");
    world.secs(40);
    world.drained();
}

#[test]
fn too_short_is_422_and_tried_again_with_what_the_peer_can_bear() {
    let mut a = config(1, 2);
    a.times.session_expires = Duration::from_secs(100);
    let mut b = config(2, 1);
    b.times.session_min = Duration::from_secs(300);
    let mut world = World::with(a, b);
    world.up();
    assert_eq!(world.sent_by(B, " 422 "), 1);
    assert_eq!(world.sent_by(A, "INVITE sip"), 2);
}

#[test]
fn a_peer_without_timers_is_refreshed_by_reinvite() {
    let mut world = short(0, 100);
    let phone = crate::world::address(2);
    world.nodes[B].address = crate::world::address(9);
    let invite = crate::refusals::invite("").replace("Supported: timer\n", "");
    world.inject(phone, A, &invite);
    let _ = header;
    let leg = world.invited(A);
    // A has no session timer of its own in this world; B's half is what counts.
    world.accept(A, leg);
    world.ms(50);
    let ok = world.received().pop().unwrap();
    assert!(header(&ok, "Session-Expires").is_empty());
}
