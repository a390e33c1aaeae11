//! A bad link: every call ends as it should, and nothing is left.

use base::LegKey;
use sip::Event;

use crate::world::{A, B, World};

/// Calls over a link that loses 10 %, doubles 5 % and reorders.
fn calls(seed: u64) {
    let mut world = World::new();
    world.seed(seed);
    world.link.loss = 10;
    world.link.duplicate = 5;
    world.link.jitter_ms = 60;
    let mut up_a: Vec<LegKey> = Vec::new();
    let (mut answered, mut acked, mut failed, mut ended, mut released) = (0, 0, 0, 0, [0, 0]);
    let count = 40;
    for step in 0..count + 300 {
        if step < count {
            world.call();
        }
        world.ms(200);
        for event in world.events(B) {
            match event {
                Event::Invited { leg, .. } => {
                    world.with_endpoint(B, |endpoint, now| endpoint.ring(now, leg, 180, None));
                    world.accept(B, leg);
                }
                Event::Acked { .. } => acked += 1,
                Event::Ended { .. } => ended += 1,
                Event::Released { .. } => released[1] += 1,
                _ => {}
            }
        }
        for event in world.events(A) {
            match event {
                Event::Answered { leg, .. } => {
                    answered += 1;
                    up_a.push(leg);
                }
                Event::Failed { .. } => failed += 1,
                Event::Released { .. } => released[0] += 1,
                _ => {}
            }
        }
        if step % 10 == 9 {
            for leg in up_a.drain(..) {
                world.with_endpoint(A, |endpoint, now| endpoint.bye(now, leg, None));
            }
        }
    }
    assert_eq!((answered, failed), (count, 0), "seed {seed}");
    // A BYE may overtake a lost ACK.
    assert!(acked >= count - 5, "seed {seed}: {acked}");
    assert_eq!(ended, count, "seed {seed}");
    assert_eq!(released, [count, count], "seed {seed}");
    world.drained();
}

#[test]
fn ten_per_cent_lost_and_all_calls_complete() {
    for seed in 0..20 {
        calls(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut world = World::new();
        world.link.loss = 20;
        world.link.jitter_ms = 30;
        for _ in 0..10 {
            world.call();
            world.ms(100);
        }
        world.secs(40);
        world.sent
    };
    assert_eq!(run(), run());
}
