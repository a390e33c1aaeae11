//! Two phones, a relay between them, and a clock.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

mod common;

use base::{Duration, Instant, LegKey, Rng, Seed};
use common::{Phone, World, assert_no_jump, counting};
use media::relay::BindFailure;
use media::sdp::{Direction, Negotiated};
use media::{Channel, Codec, Command, Event, Relay, RelayConfig, rtcp};

#[test]
fn bridged_phones_hear_each_other() {
    let (mut a, mut b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    for n in 0..100 {
        world.speaks(&mut a, n);
        world.speaks(&mut b, 200 - n);
        world.run(20);
    }
    let sent = world.take_sent();
    for (phone, first, step) in [(&b, 0u8, 1i16), (&a, 200, -1)] {
        let heard: Vec<_> =
            sent.iter().filter(|sent| sent.to == phone.at && sent.channel == Channel::Rtp).cloned().collect();
        assert_eq!(heard.len(), 100);
        assert!(heard[0].header().marker && !heard[1].header().marker);
        assert_no_jump(&heard);
        for (n, sent) in heard.iter().enumerate() {
            let expected = (i16::from(first) + step * n as i16) as u8;
            assert_eq!((sent.header().payload_type, sent.payload()), (8, &[expected; 160][..]));
        }
    }
    let stats = world.stats(&a);
    assert_eq!(
        (stats.packets_in, stats.octets_in, stats.packets_out, stats.octets_out),
        (100, 16_000, 100, 16_000)
    );
    assert_eq!((stats.lost, stats.late, stats.duplicate, stats.strangers, stats.gaps), (0, 0, 0, 0, 0));
}

#[test]
fn the_first_packets_are_told_once() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    for _ in 0..5 {
        world.speaks(&mut a, 1);
    }
    let events = world.take_events();
    assert!(
        matches!(events[..], [Event::Locked { leg, remote }, Event::Flowing { leg: same }]
        if leg == a.leg && same == a.leg && remote == a.at),
        "{events:?}"
    );
    world.bridge(&a, &b);
    world.speaks(&mut a, 1);
    world.speaks(&mut a, 1);
    assert!(matches!(world.take_events()[..], [Event::Flowing { .. }]), "once more after the bridge");
}

#[test]
fn the_two_laws_are_converted_in_place() {
    let (mut a, mut b) = (Phone::new(10), Phone { payload_type: 0, ..Phone::new(11) });
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    world.speaks(&mut a, 0x2A);
    world.speaks(&mut b, 0x80);
    let sent = world.take_sent();
    assert_eq!((sent[0].to, sent[0].header().payload_type, sent[0].payload()[0]), (b.at, 0, 0x00));
    assert_eq!((sent[1].to, sent[1].header().payload_type, sent[1].payload()[0]), (a.at, 8, 0xAA));
}

#[test]
fn whoever_feeds_the_stream_the_listener_hears_no_jump() {
    for seed in 0..40 {
        let mut rng = Rng::new(Seed([seed, 3]));
        let mut phones: Vec<Phone> = (10..14).map(Phone::new).collect();
        for phone in &mut phones {
            (phone.sequence, phone.timestamp) = (rng.next_u32() as u16, rng.next_u32());
        }
        let mut world = World::with(&phones);
        let prompt = counting(330, 5);
        for step in 0..600u64 {
            let other = phones[1 + rng.below(3) as usize].clone();
            match rng.below(30) {
                0 => world.bridge(&phones[0], &other),
                1 => world.command(Command::Unbridge { leg: phones[0].leg }),
                2 => world.play(&phones[0], step, &[&prompt, &prompt]),
                3 => world.command(Command::Music { leg: phones[0].leg, music: prompt.clone() }),
                4 => world.command(Command::Stop { leg: phones[0].leg }),
                5 => world.command(Command::SendDigits {
                    leg: phones[0].leg,
                    digits: vec![media::Digit::from_byte(b'5').unwrap()],
                }),
                6 => world.agree(&phones[0], Negotiated::plain(phones[0].at, Codec::Pcma)),
                7 => {
                    // A phone starts another stream.
                    let phone = &mut phones[1 + rng.below(3) as usize];
                    (phone.sequence, phone.timestamp) = (rng.next_u32() as u16, rng.next_u32());
                    phone.ssrc += 1;
                    world.run(120);
                }
                _ => {}
            }
            for phone in &mut phones[1..] {
                // A clock that runs 0.5 % fast.
                phone.timestamp = phone.timestamp.wrapping_add(u32::from(step % 200 == 0) * 160);
                world.speaks(phone, step as u8);
            }
            world.run(20);
        }
        let heard = world.heard(&phones[0]);
        assert!(heard.len() > 400, "{}", heard.len());
        assert_no_jump(&heard);
    }
}

#[test]
fn loss_and_reordering_pass_through_as_they_are() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    let packets: Vec<Vec<u8>> = (0..10).map(|n| a.voice(n)).collect();
    // 3 is lost, 5 and 6 change places, 7 comes twice.
    for n in [0, 1, 2, 4, 6, 5, 7, 7, 8, 9] {
        world.arrives(&a, a.at, &packets[n]);
        world.run(20);
    }
    let heard = world.heard(&b);
    let first = heard[0].header();
    let order: Vec<u16> =
        heard.iter().map(|sent| sent.header().sequence.wrapping_sub(first.sequence)).collect();
    assert_eq!(order, [0, 1, 2, 4, 6, 5, 7, 8, 9]);
    for sent in &heard {
        let n = u32::from(sent.payload()[0]);
        assert_eq!(sent.header().timestamp.wrapping_sub(first.timestamp), n * 160);
    }
    let stats = world.stats(&a);
    assert_eq!((stats.lost, stats.late, stats.duplicate), (1, 1, 1));
}

#[test]
fn what_is_late_from_before_a_source_change_is_dropped() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.run(100);
    world.bridge(&a, &b);
    let packets: Vec<Vec<u8>> = (0..4).map(|n| a.voice(n)).collect();
    // The first three overtake each other while the source changes from silence to voice.
    for n in [2, 0, 1, 3] {
        world.arrives(&a, a.at, &packets[n]);
    }
    let heard = world.heard(&b);
    assert_no_jump(&heard);
    assert_eq!(heard[5..].iter().map(|sent| sent.payload()[0]).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(world.counters().stale, 2);
}

#[test]
fn an_hour_of_talk_wraps_every_number() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    let mut heard = Vec::new();
    for n in 0..180_000u32 {
        // Every 50th packet overtakes the one before it.
        let (first, second) = (a.voice(1), a.voice(2));
        let pair = if n % 50 == 49 { [&second, &first] } else { [&first, &second] };
        for bytes in pair {
            world.arrives(&a, a.at, bytes);
        }
        world.now += Duration::from_millis(40);
        let sent = world.take_sent();
        assert_eq!(sent.len(), 2, "at packet {n}");
        heard.push(sent[1 - usize::from(n % 50 == 49)].clone());
    }
    for pair in heard.windows(2) {
        assert_eq!(pair[1].header().sequence.wrapping_sub(pair[0].header().sequence), 2);
        assert_eq!(pair[1].header().timestamp.wrapping_sub(pair[0].header().timestamp), 320);
    }
    assert_eq!((world.stats(&a).lost, world.stats(&a).late), (0, 3_600));
}

#[test]
fn a_timestamp_that_jumps_does_not_reach_the_listener() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    for n in 0..60u8 {
        if n % 20 == 19 {
            a.timestamp = a.timestamp.wrapping_sub(1_000_000_000);
        }
        world.speaks(&mut a, n);
        world.run(20);
    }
    let heard = world.heard(&b);
    assert_eq!((heard.len(), heard.iter().filter(|sent| sent.header().marker).count()), (60, 4));
    assert_no_jump(&heard);
}

#[test]
fn a_stranger_neither_hears_nor_is_heard() {
    let (mut a, mut b) = (Phone::new(10), Phone::new(11));
    let mut stranger = Phone { at: "203.0.113.66:5555".parse().unwrap(), ..Phone::new(12) };
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    let mut spray = |world: &mut World| {
        for leg in [&a, &b].map(Phone::clone) {
            stranger.ssrc = leg.ssrc;
            let voice = stranger.voice(0x66);
            world.arrives(&leg, stranger.at, &voice);
            // And what a browser, a fool and a liar would send.
            for bytes in [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[], &[0x80, 201, 0, 0], &[0x80; 500]] {
                world.arrives(&leg, stranger.at, bytes);
                world.arrives_on(&leg, Channel::Rtcp, stranger.at, bytes);
            }
        }
    };
    spray(&mut world);
    assert!(world.take_sent().is_empty(), "he speaks first");
    assert!(world.take_events().is_empty());
    world.speaks(&mut a.clone(), 1);
    world.speaks(&mut b.clone(), 2);
    spray(&mut world);
    world.run(200);
    let sent = world.take_sent();
    assert!(sent.iter().all(|sent| sent.to != "203.0.113.66:5555".parse().unwrap()));
    assert!(sent.iter().all(|sent| !sent.payload().contains(&0x66)));
    assert_eq!(sent.len(), 2);
    assert_eq!((world.stats(&a).strangers, world.counters().strangers), (18, 36));

    let slot = world.relay.slot(a.leg).unwrap();
    world.command(Command::RemoveLeg { leg: a.leg });
    world.take_events();
    let voice = a.voice(3);
    world.arrives_at(slot, Channel::Rtp, a.at, &voice);
    world.speaks(&mut b, 4);
    world.run(3_000);
    assert!(world.take_sent().iter().all(|sent| sent.to.ip() != a.at.ip()), "nothing after the end");
    assert_eq!(world.counters().no_leg, 1);
}

#[test]
fn before_signalling_everybody_is_a_stranger() {
    let mut a = Phone::new(10);
    let mut world = World::new(1);
    world.command(Command::AddLeg { leg: a.leg, port: 30_000, local: a.at.ip() });
    world.speaks(&mut a, 1);
    world.run(2_000);
    assert!(world.take_events().is_empty() && world.take_sent().is_empty());
    assert_eq!(world.counters().strangers, 1);
}

#[test]
fn a_held_phone_is_sent_nothing_and_music_when_asked_to() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    let mut hold = Negotiated::plain(b.at, Codec::Pcma);
    hold.direction = Direction::RecvOnly;
    world.agree(&b, hold);
    world.speaks(&mut a, 1);
    world.run(100);
    assert!(world.heard(&b).is_empty());
    let mut hold = Negotiated::plain(a.at, Codec::Pcma);
    hold.direction = Direction::SendOnly;
    world.agree(&a, hold);
    world.command(Command::Music { leg: a.leg, music: counting(500, 0) });
    world.run(1_000);
    assert_eq!(world.heard(&a).len(), 50, "music while bridged");
    world.take_sent();
    world.agree(&b, Negotiated::plain(b.at, Codec::Pcma));
    world.speaks(&mut a, 1);
    assert!(world.heard(&b).is_empty(), "who agreed to be silent is not passed on");
    let mut hold = Negotiated::plain(b.at, Codec::Pcma);
    hold.direction = Direction::RecvOnly;
    world.agree(&b, hold);
    world.run(20_000);
    assert!(
        !world.take_events().iter().any(|event| matches!(event, Event::Silent { .. })),
        "silent by right"
    );
    let mut hold = Negotiated::plain(b.at, Codec::Pcma);
    hold.remote = "0.0.0.0:4000".parse().unwrap();
    world.agree(&b, hold);
    world.take_sent();
    world.command(Command::Unbridge { leg: b.leg });
    world.run(5_000);
    let unspecified = world.take_sent().iter().filter(|sent| sent.to.ip().is_unspecified()).count();
    assert_eq!(unspecified, 0, "c=0.0.0.0 gets nothing at all");
}

#[test]
fn silence_of_the_peer_is_told_once_until_he_speaks_again() {
    let mut a = Phone::new(10);
    let mut world = World::with(core::slice::from_ref(&a));
    let silent = |world: &mut World| {
        world.take_events().iter().filter(|event| matches!(event, Event::Silent { .. })).count()
    };
    world.run(9_900);
    assert_eq!(silent(&mut world), 0);
    world.run(1_200);
    assert_eq!(silent(&mut world), 1);
    world.run(30_000);
    assert_eq!(silent(&mut world), 0);
    world.speaks(&mut a, 1);
    world.run(11_100);
    assert_eq!(silent(&mut world), 1);
}

#[test]
fn keys_pass_to_the_other_phone_in_its_numbers_and_are_told() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    let mut other = Negotiated::plain(b.at, Codec::Pcma);
    other.dtmf_payload_type = Some(96);
    world.agree(&b, other);
    world.bridge(&a, &b);
    world.speaks(&mut a, 1);
    for (n, end) in [0u8, 0, 0x80, 0x80, 0x80].into_iter().enumerate() {
        let packet = a.packet(101, n == 0, &[7, end | 10, 0, 160]);
        world.arrives(&a, a.at, &packet);
        a.sequence = a.sequence.wrapping_add(1);
        world.run(20);
    }
    a.timestamp = a.timestamp.wrapping_add(800);
    world.speaks(&mut a, 2);
    let heard = world.heard(&b);
    let types: Vec<u8> = heard.iter().map(|sent| sent.header().payload_type).collect();
    assert_eq!(types, [8, 96, 96, 96, 96, 96, 8]);
    assert_no_jump(&heard);
    assert_eq!(world.digits(), "7");
    assert_eq!(world.stats(&a).digits_in, 1);

    // A phone without telephone-event hears no gap in the numbers.
    let mut deaf = Negotiated::plain(b.at, Codec::Pcma);
    deaf.dtmf_payload_type = None;
    world.agree(&b, deaf);
    for end in [0u8, 0x80] {
        let packet = a.packet(101, false, &[8, end | 10, 0, 160]);
        world.arrives(&a, a.at, &packet);
        a.sequence = a.sequence.wrapping_add(1);
        world.run(20);
    }
    a.timestamp = a.timestamp.wrapping_add(320);
    world.speaks(&mut a, 3);
    let next = world.heard(&b);
    assert_eq!(next.len(), 1);
    assert_no_jump(&[heard.last().unwrap().clone(), next[0].clone()]);
    assert_eq!(world.digits(), "8");
}

#[test]
fn keys_are_sent_and_one_whose_end_is_lost_ends_by_time() {
    let (a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.run(100);
    world.take_sent();
    let digits = b"12#".iter().map(|&key| media::Digit::from_byte(key).unwrap()).collect();
    world.command(Command::SendDigits { leg: a.leg, digits });
    world.run(700);
    let heard = world.heard(&a);
    assert_no_jump(&heard);
    assert_eq!(heard.iter().filter(|sent| sent.header().payload_type == 101).count(), 21);
    assert!(matches!(world.take_events()[..], [Event::DigitsSent { .. }]));
    assert_eq!(world.stats(&a).digits_out, 3);
    // The other leg of the relay receives the same packets, without any end bit.
    for sent in heard.iter().filter(|sent| sent.header().payload_type == 101) {
        let mut bytes = sent.bytes.clone();
        if bytes[13] & 0x80 == 0 {
            bytes[8..12].copy_from_slice(&b.ssrc.to_be_bytes());
            world.arrives(&b, b.at, &bytes);
        }
        world.run(5);
    }
    world.run(400);
    assert_eq!(world.digits(), "12#");
}

#[test]
fn reports_carry_what_was_measured() {
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    let rtcp_at = (a.at.ip(), a.at.port() + 1).into();
    let mut theirs = None;
    for n in 0..400u32 {
        if n % 10 == 9 {
            a.voice(0);
        } else {
            world.speaks(&mut a, 1);
        }
        if n == 60 {
            let info = rtcp::SenderInfo { ntp: 0x1234_5678_9ABC_DEF0, timestamp: 1, packets: 2, octets: 3 };
            let report = rtcp::write(a.ssrc, Some(&info), None, b"0123456789abcdef");
            world.arrives_on(&a, Channel::Rtcp, rtcp_at, report.as_bytes());
        }
        world.run(20);
        for sent in world.take_sent().iter().filter(|sent| sent.to == rtcp_at) {
            assert_eq!(sent.channel, Channel::Rtcp);
            let mut blocks = Vec::new();
            rtcp::read(&sent.bytes, |item| blocks.push(item)).unwrap();
            theirs = blocks.into_iter().find_map(|item| match item {
                rtcp::Item::Block { block, .. } => Some((world.now, block)),
                _ => None,
            });
        }
    }
    let (at, block) = theirs.unwrap();
    assert_eq!(block.ssrc, a.ssrc);
    assert!((20..=30).contains(&block.fraction_lost), "every tenth: {}", block.fraction_lost);
    assert_eq!(block.last_sr, 0x5678_9ABC);
    assert!(block.delay > 0 && u64::from(block.delay) < 65_536 * 8 && at > Instant::ZERO);
    let stats = world.stats(&a);
    assert_eq!((stats.lost, world.counters().rtcp_in), (39, 1));
}

#[test]
fn a_peers_report_gives_round_trip_and_his_loss() {
    let a = Phone::new(10);
    let mut world = World::with(core::slice::from_ref(&a));
    let rtcp_at = (a.at.ip(), a.at.port() + 1).into();
    let report = loop {
        world.run(20);
        if let Some(sent) = world.take_sent().into_iter().find(|sent| sent.to == rtcp_at) {
            break sent;
        }
    };
    let mut ours = None;
    let ssrc = rtcp::read(&report.bytes, |item| {
        if let rtcp::Item::Sender { info, .. } = item {
            ours = Some(info);
        }
    })
    .unwrap();
    let info = ours.unwrap();
    assert_eq!(u64::from(info.packets), world.stats(&a).packets_out);
    // 40 ms to him, 250 ms until he reports, 40 ms back: 80 ms round trip.
    world.run(330 - 20);
    let block = rtcp::ReportBlock {
        ssrc,
        fraction_lost: 64,
        lost: 1,
        sequence: 1,
        jitter: 1,
        last_sr: rtcp::ntp_middle(info.ntp),
        delay: 65_536 / 4,
    };
    let answer = rtcp::write(a.ssrc, None, Some(&block), b"0123456789abcdef");
    world.now = report.at + Duration::from_millis(330);
    world.arrives_on(&a, Channel::Rtcp, rtcp_at, answer.as_bytes());
    let stats = world.stats(&a);
    assert!((stats.round_trip_ms.unwrap() - 80.0).abs() < 0.1, "{stats:?}");
    assert_eq!(stats.peer_loss, Some(0.25));
}

#[test]
fn muxed_reports_share_the_port_only_where_agreed() {
    let a = Phone::new(10);
    let mut world = World::with(core::slice::from_ref(&a));
    let report = rtcp::write(a.ssrc, None, None, b"0123456789abcdef");
    world.arrives(&a, a.at, report.as_bytes());
    assert_eq!((world.counters().rtcp_in, world.counters().malformed), (0, 1));
    let mut muxed = Negotiated::plain(a.at, Codec::Pcma);
    (muxed.rtcp_mux, muxed.remote_rtcp) = (true, a.at);
    world.agree(&a, muxed);
    world.arrives(&a, a.at, report.as_bytes());
    assert_eq!(world.counters().rtcp_in, 1);
    world.run(4_000);
    assert!(world.heard(&a).iter().any(|sent| media::rtp::is_rtcp(&sent.bytes)));
}

#[test]
fn places_are_used_again_and_limits_hold() {
    let mut relay = Relay::new(RelayConfig { legs_max: 2, ..RelayConfig::default() }, Seed([1, 1]));
    let add = |leg| Command::AddLeg { leg: LegKey(leg), port: 4_000, local: [127, 0, 0, 1].into() };
    for leg in [1, 2, 3, 2] {
        relay.handle(Instant::ZERO, add(leg));
    }
    let why = |event: Option<Event>| match event {
        Some(Event::BindFailed { leg, why }) => (leg.0, why),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(relay.poll_output()), (3, BindFailure::TooManyLegs));
    assert_eq!(why(relay.poll_output()), (2, BindFailure::Duplicate));
    let old = relay.slot(LegKey(1)).unwrap();
    relay.handle(Instant::ZERO, Command::RemoveLeg { leg: LegKey(1) });
    assert!(matches!(relay.poll_output(), Some(Event::Removed { .. })));
    relay.handle(Instant::ZERO, add(4));
    let new = relay.slot(LegKey(4)).unwrap();
    assert_eq!((old.index() == new.index(), old == new), (true, false));
    relay.handle(Instant::ZERO, Command::Stop { leg: LegKey(1) });
    assert_eq!((relay.counters().commands_ignored, relay.counters().legs_refused), (2, 1));
    for leg in [2, 4] {
        relay.handle(Instant::ZERO, Command::RemoveLeg { leg: LegKey(leg) });
    }
    assert!(relay.poll_timeout().is_none(), "nothing to wake up for");
}

#[test]
fn any_packet_from_the_peer_is_taken_without_harm() {
    let mut rng = Rng::new(Seed([9, 9]));
    let (mut a, b) = (Phone::new(10), Phone::new(11));
    let mut world = World::with(&[a.clone(), b.clone()]);
    world.bridge(&a, &b);
    let report = rtcp::write(a.ssrc, None, None, b"0123456789abcdef");
    for n in 0..120_000u32 {
        let mut bytes = match n % 3 {
            0 => a.voice(1),
            1 => a.packet(101, false, &[5, 0, 1, 64]),
            _ => report.as_bytes().to_vec(),
        };
        for _ in 0..rng.below(5) {
            let at = rng.below(bytes.len().min(24) as u64) as usize;
            bytes[at] = rng.next_u32() as u8;
        }
        bytes.truncate(rng.below(bytes.len() as u64 * 4) as usize + 1);
        let channel = if rng.below(3) == 0 { Channel::Rtcp } else { Channel::Rtp };
        let from = if channel == Channel::Rtcp { (a.at.ip(), a.at.port() + 1).into() } else { a.at };
        world.arrives_on(&a, channel, from, &bytes);
        if n % 100 == 0 {
            world.run(20);
            assert!(world.take_sent().iter().all(|sent| sent.to != a.at || sent.bytes.len() >= 12));
            world.take_events();
        }
    }
}

/// Parted for a second and joined again, or not to be spoken to for a second: what was not sent is not missing.
#[test]
fn a_pause_in_the_bridge_is_no_loss() {
    let (mut a, mut b) = (Phone::new(1), Phone::new(2));
    let mut world = World::with(&[a.clone(), b.clone()]);
    let mut talk = |world: &mut World, frames: usize| {
        for _ in 0..frames {
            world.speaks(&mut a, 1);
            world.speaks(&mut b, 2);
            world.run(20);
        }
    };
    let (caller, agent) = (Phone::new(1), Phone::new(2));
    world.bridge(&caller, &agent);
    talk(&mut world, 10);
    world.command(Command::Unbridge { leg: caller.leg });
    talk(&mut world, 50);
    world.bridge(&caller, &agent);
    talk(&mut world, 10);
    let held = Negotiated { direction: Direction::RecvOnly, ..Negotiated::plain(agent.at, Codec::Pcma) };
    world.agree(&agent, held);
    talk(&mut world, 50);
    world.agree(&agent, Negotiated::plain(agent.at, Codec::Pcma));
    talk(&mut world, 10);
    let sequences: Vec<u16> = world.heard(&agent).iter().map(|sent| sent.header().sequence).collect();
    assert!(sequences.len() >= 80, "{}", sequences.len());
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{sequences:?}");
}
