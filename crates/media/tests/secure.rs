//! SRTP on a leg: what a stranger without the key cannot do, and what the peer hears.
#![allow(clippy::unwrap_used, reason = "a test program may panic")]

mod common;

use common::{Phone, World};
use media::sdp::Negotiated;
use media::srtp::{Keys, MasterKey, OVERHEAD_MAX, Receiver, SUITES, Sender, Suite};
use media::{Channel, Codec, Command, Event, rtcp};

fn key(suite: Suite, first: u8) -> MasterKey {
    let bytes = SUITES.iter().find(|(other, ..)| *other == suite).unwrap().2 + 16;
    MasterKey::new(suite, &(first..).take(bytes).collect::<Vec<u8>>()).unwrap()
}

fn keys(suite: Suite) -> Keys {
    Keys { receive: key(suite, 1), send: key(suite, 100) }
}

fn protect(sender: &mut Sender, plain: &[u8]) -> Vec<u8> {
    let mut buffer = [plain, &[0; OVERHEAD_MAX]].concat();
    let length = sender.protect(&mut buffer, plain.len()).unwrap();
    buffer.truncate(length);
    buffer
}

/// A world in which the first phone speaks SRTP and the second does not.
fn world(suite: Suite, a: &Phone, b: &Phone) -> World {
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.command(Command::Secure { leg: a.leg, keys: Some(Box::new(keys(suite))) });
    world.bridge(a, b);
    world
}

#[test]
fn each_side_hears_the_other_and_only_one_of_them_in_the_clear() {
    for (suite, ..) in SUITES {
        let (mut a, mut b) = (Phone::new(1), Phone::new(2));
        let mut world = world(suite, &a, &b);
        let mut sender = Sender::new(&key(suite, 1));
        let mut receiver = Receiver::new(&key(suite, 100));
        for n in 0..100u8 {
            let from = a.at;
            let bytes = protect(&mut sender, &a.voice(n));
            world.arrives(&a, from, &bytes);
            let heard = world.heard(&b);
            assert_eq!(heard.len(), 1, "{suite:?} {n}");
            assert_eq!(heard[0].payload(), [n; 160]);
            world.speaks(&mut b, n);
            let heard = world.heard(&a);
            assert_eq!(heard.len(), 1);
            let mut bytes = heard[0].bytes.clone();
            assert_ne!(bytes[12..172], [n; 160], "nothing readable leaves");
            let length = receiver.open(&mut bytes).unwrap();
            assert_eq!(bytes[12..length], [n; 160]);
            world.run(20);
        }
        let stats = world.stats(&a);
        assert_eq!((stats.packets_in, stats.packets_out), (100, 100));
    }
}

#[test]
fn prompts_keys_and_reports_leave_protected_and_reports_come_in() {
    let (suite, a, b) = (Suite::AeadAes128Gcm, Phone::new(1), Phone::new(2));
    let mut world = world(suite, &a, &b);
    world.play(&a, 1, &[&common::counting(200, 0)]);
    world.run(200);
    let digits = vec![media::Digit::from_byte(b'5').unwrap()];
    world.command(Command::SendDigits { leg: a.leg, digits });
    world.run(6_000);
    let mut receiver = Receiver::new(&key(suite, 100));
    let (mut voice, mut events, mut reports) = (0, 0, 0);
    for sent in world.take_sent().into_iter().filter(|sent| sent.to.ip() == a.at.ip()) {
        let mut bytes = sent.bytes;
        match sent.channel {
            Channel::Rtp => match receiver.open(&mut bytes).unwrap() {
                16 => events += 1,
                172 => voice += 1,
                other => panic!("{other} bytes"),
            },
            Channel::Rtcp => {
                let length = receiver.open_report(&mut bytes).unwrap();
                rtcp::read(&bytes[..length], |_| {}).unwrap();
                reports += 1;
            }
        }
    }
    assert!(voice >= 10 && events == 7 && reports >= 1, "{voice} {events} {reports}");

    // And a report of his.
    let mut sender = Sender::new(&key(suite, 1));
    let mut first = a.clone();
    let bytes = protect(&mut sender, &first.voice(1));
    world.arrives(&a, a.at, &bytes);
    let plain = rtcp::write(a.ssrc, None, None, &[b'c'; 16]);
    let rtcp_at = std::net::SocketAddr::new(a.at.ip(), a.at.port() + 1);
    world.arrives_on(&a, Channel::Rtcp, rtcp_at, plain.as_bytes());
    assert_eq!((world.counters().rtcp_in, world.counters().forged), (0, 1), "a readable one is nobody's");
    let mut buffer = [plain.as_bytes(), &[0; OVERHEAD_MAX]].concat();
    let length = sender.protect_report(&mut buffer, plain.as_bytes().len()).unwrap();
    world.arrives_on(&a, Channel::Rtcp, rtcp_at, &buffer[..length]);
    assert_eq!(world.counters().rtcp_in, 1);
}

#[test]
fn nobody_is_learned_before_his_tag_fits() {
    for (suite, ..) in SUITES {
        let (mut a, b) = (Phone::new(1), Phone::new(2));
        let mut world = world(suite, &a, &b);
        // The telephone is behind a NAT: its description names a private address, its host signalled.
        let private =
            Negotiated { remote: ([10, 0, 0, 1], 4_000).into(), ..Negotiated::plain(a.at, Codec::Pcma) };
        world.agree(&a, private);
        world.take_events();
        // Somebody at that host speaks first: in the clear, then under a key that he made up.
        let from = a.at;
        let mut wrong = Sender::new(&key(suite, 50));
        let mut stranger = a.clone();
        for n in 0..100 {
            let plain = stranger.voice(n);
            world.arrives(&a, from, &plain);
            world.arrives(&a, from, &protect(&mut wrong, &plain));
        }
        assert_eq!(world.counters().forged, 200);
        let locked = |event: &Event| matches!(event, Event::Locked { .. } | Event::Flowing { .. });
        assert!(!world.take_events().iter().any(locked));
        assert!(world.heard(&b).is_empty());
        let mut sender = Sender::new(&key(suite, 1));
        let bytes = protect(&mut sender, &a.voice(7));
        world.arrives(&a, from, &bytes);
        assert_eq!(world.take_events().iter().filter(|event| locked(event)).count(), 2);
        assert_eq!(world.heard(&b).len(), 1);
        // Once more the same packet, a hundred times: it is counted, and the call goes on.
        for _ in 0..100 {
            world.arrives(&a, from, &bytes);
        }
        assert_eq!(world.counters().replayed, 100);
        let bytes = protect(&mut sender, &a.voice(8));
        world.arrives(&a, from, &bytes);
        assert_eq!(world.heard(&b).len(), 1);
    }
}

#[test]
fn the_same_keys_again_go_on_and_other_keys_begin_anew() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (mut a, b) = (Phone::new(1), Phone::new(2));
    let mut world = world(suite, &a, &b);
    let from = a.at;
    let mut sender = Sender::new(&key(suite, 1));
    let first = protect(&mut sender, &a.voice(1));
    world.arrives(&a, from, &first);
    let secure = |keys| Command::Secure { leg: b.leg, keys };
    world.command(secure(None));
    world.command(Command::Secure { leg: a.leg, keys: Some(Box::new(keys(suite))) });
    world.arrives(&a, from, &first);
    assert_eq!(world.counters().replayed, 1, "a re-INVITE does not reopen the past");
    let other = Keys { receive: key(suite, 30), send: key(suite, 60) };
    world.command(Command::Secure { leg: a.leg, keys: Some(Box::new(other)) });
    let bytes = protect(&mut sender, &a.voice(2));
    world.arrives(&a, from, &bytes);
    assert_eq!(world.counters().forged, 1);
    let mut sender = Sender::new(&key(suite, 30));
    world.take_sent();
    let bytes = protect(&mut sender, &a.voice(3));
    world.arrives(&a, from, &bytes);
    assert_eq!(world.heard(&b)[0].payload(), [3; 160]);
}
