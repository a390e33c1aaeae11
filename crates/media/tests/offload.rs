//! Bridges that are carried below the relay, and how they come back: no number lost, none doubled.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

mod common;

use base::Duration;
use common::{Phone, World, assert_no_jump, counting};
use media::relay::{Answer, Carried, Flow, Offload, Pair};
use media::rtp::{self, Header};
use media::sdp::{Direction, Negotiated};
use media::srtp::{Keys, MasterKey, Suite};
use media::{Channel, Codec, Command, Digit, Event, RelayConfig, Sink};

/// What is below, as the relay's orders made it: it passes on as told.
#[derive(Default)]
struct Below {
    bridge: Option<(Pair, [Flow; 2], [Carried; 2])>,
    orders: Vec<&'static str>,
    refuses: bool,
}

/// Two phones in a bridge, and what is below.
struct House {
    world: World,
    below: Below,
    a: Phone,
    b: Phone,
}

impl House {
    fn new() -> House {
        House::with(Phone::new(1), Phone::new(2))
    }

    fn with(a: Phone, b: Phone) -> House {
        let mut world = World::of(7, RelayConfig { offload: true, ..RelayConfig::default() });
        world.add(&a);
        world.add(&b);
        world.bridge(&a, &b);
        House { world, below: Below::default(), a, b }
    }

    /// A bridge that has gone below.
    fn carried() -> House {
        let mut house = House::new();
        house.talk(100);
        assert_eq!(house.below.orders, ["begin"]);
        assert!(house.below.bridge.is_some());
        house
    }

    fn carry_out(&mut self) {
        while let Some(order) = self.world.relay.poll_offload() {
            let answer = match order {
                Offload::Begin(flows) => {
                    self.below.orders.push("begin");
                    let pair = [flows[0].speaker, flows[1].speaker];
                    if self.below.refuses {
                        Some(Answer::Refused(pair))
                    } else {
                        let carried =
                            flows.map(|flow| Carried { position: flow.position, ..Carried::default() });
                        assert!(self.below.bridge.replace((pair, *flows, carried)).is_none());
                        None
                    }
                }
                Offload::Count(pair) => {
                    self.below.orders.push("count");
                    let (known, _, carried) = self.below.bridge.unwrap();
                    assert_eq!(known, pair);
                    Some(Answer::Carried(pair, carried))
                }
                Offload::End(pair) => {
                    self.below.orders.push("end");
                    let (known, _, carried) = self.below.bridge.take().unwrap();
                    assert_eq!(known, pair);
                    Some(Answer::Ended(pair, carried))
                }
            };
            if let Some(answer) = answer {
                self.answer(answer);
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        let World { relay, wire, now, .. } = &mut self.world;
        relay.offloaded(*now, answer, wire);
        self.world.events.extend(core::iter::from_fn(|| self.world.relay.poll_output()));
    }

    fn command(&mut self, command: Command) {
        self.world.command(command);
        self.carry_out();
        self.world.events.extend(core::iter::from_fn(|| self.world.relay.poll_output()));
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.world.run(1);
            self.carry_out();
        }
    }

    /// A frame comes: below takes it if it is a flow's, else it goes up.
    fn arrives(&mut self, to: &Phone, bytes: &[u8]) {
        let slot = self.world.relay.slot(to.leg).unwrap();
        if let Some((pair, flows, carried)) = &mut self.below.bridge {
            let n = usize::from(pair[1] == slot);
            let header = rtp::parse(bytes).unwrap().header;
            let (flow, carried) = (&flows[n], &mut carried[n]);
            if (header.ssrc, header.payload_type) == (flow.ssrc_in, flow.payload_type_in) {
                carry(flow, carried, &header, self.world.now, bytes, &mut self.world.wire);
                return;
            }
            let answer = Answer::Carried(*pair, [carried_of(&self.below, 0), carried_of(&self.below, 1)]);
            self.answer(answer);
        }
        self.world.arrives(to, to.at, bytes);
        self.carry_out();
    }

    /// Both speak for `frames` frames.
    fn talk(&mut self, frames: usize) {
        for _ in 0..frames {
            let (a, b) = (self.a.voice(0x11), self.b.voice(0x22));
            self.arrives(&self.a.clone(), &a);
            self.arrives(&self.b.clone(), &b);
            self.run(20);
        }
    }
}

fn carried_of(below: &Below, n: usize) -> Carried {
    below.bridge.map(|(_, _, carried)| carried[n]).unwrap()
}

fn carry(
    flow: &Flow,
    carried: &mut Carried,
    header: &Header,
    now: base::Instant,
    bytes: &[u8],
    wire: &mut common::Wire,
) {
    let position = &mut carried.position;
    let ahead = header.sequence.wrapping_sub(position.highest);
    position.seen = position.seen << ahead | 1;
    position.highest = header.sequence;
    position.timestamp = header.timestamp;
    position.octets = bytes.len() as u16 - 12;
    position.transit = ((now.as_nanos() / 125_000) as u32).wrapping_sub(header.timestamp);
    position.last = now;
    carried.packets += 1;
    carried.octets += bytes.len() as u64 - 12;
    let out = Header {
        payload_type: flow.payload_type_out,
        sequence: header.sequence.wrapping_add(flow.sequence_shift),
        timestamp: header.timestamp.wrapping_add(flow.timestamp_shift),
        ssrc: flow.ssrc_out,
        ..*header
    };
    wire.send(flow.listener, Channel::Rtp, flow.to, &rtp::write(&out), &bytes[12..]);
}

#[test]
fn nobody_hears_a_bridge_go_and_come_back() {
    let mut house = House::new();
    let prompt = counting(400, 9);
    house.talk(70);
    assert_eq!(house.below.orders, ["begin"], "after half a second, at the next look");
    house.talk(200);
    house.command(Command::Play { leg: house.a.leg, token: 1, prompts: vec![prompt] });
    assert_eq!(house.below.orders.last(), Some(&"end"));
    house.talk(100);
    assert!(house.below.bridge.is_some(), "it goes again when the prompt has ended");
    house.talk(50);
    house.command(Command::Unbridge { leg: house.b.leg });
    house.run(200);
    let sent = house.world.take_sent();
    for phone in [&house.a, &house.b] {
        let heard: Vec<_> =
            sent.iter().filter(|s| s.to == phone.at && s.channel == Channel::Rtp).cloned().collect();
        assert!(heard.len() >= 410, "{}", heard.len());
        assert_no_jump(&heard);
    }
    assert!(house.world.take_events().iter().any(|e| matches!(e, Event::PlayDone { token: 1, .. })));
    let stats = house.world.stats(&house.a);
    assert_eq!((stats.packets_in, stats.octets_in, stats.lost, stats.duplicate), (420, 420 * 160, 0, 0));
    assert!(stats.packets_out >= 420 && stats.jitter_ms_max < 1.0, "{stats:?}");
    let counters = house.world.counters();
    assert_eq!((counters.offloads, counters.offloads_ended, counters.offloads_refused), (2, 2, 0));
    assert!(counters.packets_offloaded > 500 && counters.packets_in == 840, "{counters:?}");
}

/// What the kernel could not do stays here, however long it is steady.
#[test]
fn a_bridge_goes_after_five_packets_of_each_side() {
    let mut house = House::new();
    house.talk(5);
    assert!(house.below.orders.is_empty(), "four or five packets, not more");
    house.talk(2);
    assert_eq!(house.below.orders, ["begin"]);
    // Every word of signalling begins the count anew; who has come back waits for longer.
    let a = house.a.leg;
    let negotiated = Negotiated::plain(house.a.at, Codec::Pcma);
    let again = Command::SetRemote { leg: a, negotiated, learn_from: vec![house.a.at.ip()], timeout: None };
    let mut house = House::new();
    for _ in 0..10 {
        house.command(again.clone());
        house.talk(4);
        assert!(house.below.orders.is_empty());
    }
    house.talk(7);
    assert_eq!(house.below.orders, ["begin"]);
    house.command(again);
    house.talk(24);
    assert_eq!(house.below.orders, ["begin", "end"]);
    house.talk(60);
    assert_eq!(house.below.orders, ["begin", "end", "begin"]);
}

#[test]
fn many_bridges_go_one_frame_after_the_other() {
    let mut world = World::of(7, RelayConfig { offload: true, ..RelayConfig::default() });
    let mut phones: Vec<Phone> = (1..=200).map(Phone::new).collect();
    for pair in phones.chunks(2) {
        pair.iter().for_each(|phone| world.add(phone));
        world.bridge(&pair[0], &pair[1]);
    }
    let mut gone = Vec::new();
    for _ in 0..10 {
        for phone in &mut phones {
            let bytes = phone.voice(1);
            world.arrives(phone, phone.at, &bytes);
        }
        world.run(20);
        gone.push(std::iter::from_fn(|| world.relay.poll_offload()).count());
    }
    // Both legs of a bridge are asked, one after the other.
    assert!(gone.iter().all(|gone| *gone <= 64), "{gone:?}");
    assert_eq!(gone.iter().sum::<usize>(), 100, "{gone:?}");
}

#[test]
fn what_is_not_plain_does_not_go() {
    let stays = |what: &str, mut house: House| {
        house.talk(150);
        assert!(house.below.orders.is_empty(), "{what}");
    };
    let mut other = Phone::new(2);
    other.payload_type = 0;
    stays("A-law to µ-law", House::with(Phone::new(1), other));

    let mut recorded = House::new();
    let length_max = Duration::from_secs(60);
    recorded.command(Command::Record { leg: recorded.a.leg, token: 1, length_max });
    stays("a recording", recorded);

    let mut prompted = House::new();
    prompted.command(Command::Music { leg: prompted.b.leg, music: counting(100, 3) });
    stays("music", prompted);

    let mut held = House::new();
    let agreed = Negotiated { direction: Direction::RecvOnly, ..Negotiated::plain(held.b.at, Codec::Pcma) };
    held.world.agree(&held.b.clone(), agreed);
    stays("a call on hold", held);

    for side in 0..2 {
        let mut secure = House::new();
        let leg = [secure.a.leg, secure.b.leg][side];
        let key =
            |first: u8| MasterKey::new(Suite::AesCm128HmacSha1_80, &(first..first + 30).collect::<Vec<u8>>());
        let keys = Keys { receive: key(1).unwrap(), send: key(100).unwrap() };
        secure.command(Command::Secure { leg, keys: Some(Box::new(keys)) });
        secure.talk(150);
        assert!(secure.below.orders.is_empty(), "SRTP on one side");
    }

    let mut mute = House::new();
    mute.run(10);
    for _ in 0..150 {
        let voice = mute.a.voice(1);
        mute.arrives(&mute.a.clone(), &voice);
        mute.run(20);
    }
    assert!(mute.below.orders.is_empty(), "one side alone");

    let mut marked = House::new();
    for _ in 0..150 {
        for phone in [marked.a.clone(), marked.b.clone()] {
            // One CSRC.
            let mut packet = phone.packet(8, false, &[7; 164]);
            packet[0] |= 1;
            marked.arrives(&phone, &packet);
        }
        marked.a.voice(0);
        marked.b.voice(0);
        marked.run(20);
    }
    assert!(marked.below.orders.is_empty(), "headers with a CSRC");

    let mut off = House::new();
    off.world = World::with(&[off.a.clone(), off.b.clone()]);
    off.world.bridge(&off.a, &off.b);
    stays("a relay without anything below", off);
}

#[test]
fn a_key_brings_the_bridge_back_and_is_heard() {
    let mut house = House::carried();
    let at = house.a.clone();
    for n in 0..5u8 {
        let event = [5, if n >= 3 { 0x8A } else { 0x0A }, 3, 0xC0];
        let packet = house.a.packet(101, n == 0, &event);
        house.a.sequence = house.a.sequence.wrapping_add(1);
        house.arrives(&at, &packet);
        house.run(20);
    }
    assert_eq!(house.below.orders[1..], ["end"]);
    assert_eq!(house.world.digits(), "5");
    house.a.timestamp = house.a.timestamp.wrapping_add(5 * 160);
    house.talk(100);
    assert!(house.below.bridge.is_some());
    let heard = house.world.heard(&house.b);
    assert_eq!(heard.iter().filter(|sent| sent.header().payload_type == 101).count(), 5);
    assert_no_jump(&heard);
}

/// A listener who takes no events: the numbers that the key used up are not missing afterwards.
#[test]
fn a_key_that_is_not_passed_on_leaves_no_gap() {
    let (a, b) = (Phone::new(1), Phone::new(2));
    let mut house = House::with(a, b);
    let agreed = Negotiated { dtmf_payload_type: None, ..Negotiated::plain(house.b.at, Codec::Pcma) };
    house.world.agree(&house.b.clone(), agreed);
    house.talk(100);
    let at = house.a.clone();
    for n in 0..3u8 {
        let packet = house.a.packet(101, n == 0, &[5, 0x8A, 3, 0xC0]);
        house.a.sequence = house.a.sequence.wrapping_add(1);
        house.arrives(&at, &packet);
    }
    house.a.timestamp = house.a.timestamp.wrapping_add(160);
    house.run(20);
    house.talk(100);
    assert_eq!(house.below.orders, ["begin", "end", "begin"]);
    assert_no_jump(&house.world.heard(&house.b));
}

#[test]
fn commands_wait_for_the_bridge_and_keep_their_order() {
    let mut house = House::carried();
    // Nothing is answered yet.
    house
        .world
        .command(Command::SendDigits { leg: house.b.leg, digits: vec![Digit::from_byte(b'1').unwrap()] });
    house.world.command(Command::Record { leg: house.a.leg, token: 9, length_max: Duration::from_secs(5) });
    house.world.command(Command::StopRecord { leg: house.a.leg });
    house.world.command(Command::RemoveLeg { leg: house.b.leg });
    assert!(
        house
            .world
            .take_events()
            .iter()
            .all(|event| matches!(event, Event::Locked { .. } | Event::Flowing { .. }))
    );
    house.carry_out();
    assert_eq!(house.below.orders, ["begin", "end"], "one order for all of them");
    let told: Vec<_> = house
        .world
        .take_events()
        .iter()
        .filter_map(|event| match event {
            Event::Recorded { token, .. } => Some(*token),
            Event::Removed { stats, .. } => Some(stats.packets_in),
            _ => None,
        })
        .collect();
    assert_eq!(told, [9, 100], "what was carried is in the last word");
}

#[test]
fn new_signalling_takes_the_bridge_back_first() {
    let mut house = House::carried();
    let sequence = |house: &mut House| house.world.heard(&house.b.clone()).last().unwrap().header().sequence;
    let before = sequence(&mut house);
    let agreed = Negotiated::plain(house.a.at, Codec::Pcma);
    let learn_from = vec![house.a.at.ip()];
    house.command(Command::SetRemote { leg: house.a.leg, negotiated: agreed, learn_from, timeout: None });
    assert_eq!(house.below.orders, ["begin", "end"]);
    let voice = house.a.voice(0x31);
    house.arrives(&house.a.clone(), &voice);
    assert_eq!(sequence(&mut house), before.wrapping_add(1));
    house.talk(100);
    assert!(house.below.bridge.is_some());
}

#[test]
fn reports_and_silence_are_of_what_was_carried() {
    let mut house = House::carried();
    house.world.take_sent();
    house.talk(400);
    assert!(house.below.orders.contains(&"count"));
    let sent = house.world.take_sent();
    let reports: Vec<_> = sent.iter().filter(|sent| sent.channel == Channel::Rtcp).collect();
    assert!(reports.len() >= 2, "{}", reports.len());
    let mut packets = 0;
    for report in &reports {
        rtp_report(&report.bytes, &mut packets);
    }
    assert!(packets > 300, "a sender's report counts what the kernel sent: {packets}");
    assert!(!house.world.take_events().iter().any(|event| matches!(event, Event::Silent { .. })));
    assert_eq!(house.world.counters().offloads_ended, 0);
    // The agent's phone goes away.
    for _ in 0..600 {
        let voice = house.a.voice(0x11);
        house.arrives(&house.a.clone(), &voice);
        house.run(20);
    }
    let silent: Vec<_> = house
        .world
        .take_events()
        .iter()
        .filter(|e| matches!(e, Event::Silent { .. }))
        .map(Event::leg)
        .collect();
    assert_eq!(silent, [house.b.leg]);
}

/// The largest packet count of the sender reports in a compound packet.
fn rtp_report(bytes: &[u8], packets: &mut u32) {
    media::rtcp::read(bytes, |item| {
        if let media::rtcp::Item::Sender { info, .. } = item {
            *packets = (*packets).max(info.packets);
        }
    })
    .unwrap();
}

#[test]
fn no_room_below_is_asked_for_less_and_less_often() {
    let mut house = House::new();
    house.below.refuses = true;
    house.talk(50 * 30);
    let asked = house.below.orders.len();
    assert!((3..=7).contains(&asked), "{asked} times in 30 s");
    assert_eq!(house.world.counters().offloads_refused, asked as u64);
    house.below.refuses = false;
    house.talk(50 * 40);
    assert!(house.below.bridge.is_some());
    assert_no_jump(&house.world.heard(&house.b));
}

/// A packet on its way up in the moment of the hand-over is relayed here and nothing else happens; later
/// ones mean that below does not take them.
#[test]
fn voice_that_still_comes_up() {
    let mut house = House::new();
    while house.below.bridge.is_none() {
        house.talk(1);
    }
    let straggler = house.a.voice(0x33);
    house.world.arrives(&house.a.clone(), house.a.at, &straggler);
    house.carry_out();
    house.talk(20);
    assert_eq!(house.below.orders, ["begin"]);
    let lost = house.a.voice(0x34);
    house.world.arrives(&house.a.clone(), house.a.at, &lost);
    house.carry_out();
    assert_eq!(house.below.orders, ["begin", "end"]);
    house.talk(60);
    let heard = house.world.heard(&house.b);
    assert_no_jump(&heard);
    let stats = house.world.stats(&house.a);
    assert_eq!((stats.lost, stats.duplicate, stats.packets_in), (0, 0, heard.len() as u64));
}

/// The carrier's gateway starts another stream.
#[test]
fn another_stream_is_found_again() {
    let mut house = House::carried();
    house.run(150);
    house.a.ssrc += 1;
    house.a.sequence = 5;
    house.a.timestamp = 77;
    house.talk(200);
    assert_eq!(house.below.orders, ["begin", "end", "begin"]);
    let (_, flows, _) = house.below.bridge.unwrap();
    assert!(flows.iter().any(|flow| flow.ssrc_in == house.a.ssrc));
    assert_no_jump(&house.world.heard(&house.b));
}

#[test]
fn a_stranger_moves_nothing() {
    let mut house = House::carried();
    let stranger = Phone::new(9);
    let to = house.a.clone();
    for _ in 0..20 {
        let packet = stranger.packet(8, false, &[0x66; 160]);
        house.world.arrives(&to, stranger.at, &packet);
        house.carry_out();
        house.talk(1);
    }
    assert_eq!(house.below.orders, ["begin"]);
    house.command(Command::Report { leg: to.leg });
    let strangers = house.world.take_events().into_iter().find_map(|event| match event {
        Event::Stats { stats, .. } => Some((stats.strangers, stats.packets_in)),
        _ => None,
    });
    assert_eq!(strangers, Some((20, 120)), "and a report knows what was carried");
}
