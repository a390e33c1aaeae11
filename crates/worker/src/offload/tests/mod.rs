//! The program, run by the kernel on crafted frames. Needs root; says so where it cannot run.

mod chains;
pub(super) mod frame;
mod rights;

use std::net::SocketAddr;
use std::time::Instant as OsInstant;

use aya::programs::{TestRun, TestRunOptions};
use base::{Instant, LegKey, Seed};
use media::relay::{Flow, Pair, Position};
use media::rtp::Header;
use media::{Command, Relay, RelayConfig};

use super::{Offload, OffloadConfig, Table, Unavailable};
use frame::{Check, Frame};

/// What the program says.
const DROP: u32 = 1;
const PASS: u32 = 2;
const TX: u32 = 3;

const CARRIER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];
const AGENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xa1];
const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(super) const CLASS: u8 = 46 << 2;

/// A bridge of two legs in a loaded program that is attached to nothing.
pub(super) struct Rig {
    pub(super) offload: Offload,
    pub(super) table: Table,
    pub(super) pair: Pair,
    /// The legs' addresses and their peers'.
    pub(super) ours: [SocketAddr; 2],
    pub(super) peers: [SocketAddr; 2],
    epoch: OsInstant,
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The program with room for so many calls of so many threads, attached to nothing; or why the test cannot run here.
fn load(calls_max: u32, workers: usize, epoch: OsInstant) -> Option<Offload> {
    let config = OffloadConfig { interfaces: vec!["lo".into()], calls_max };
    match Offload::load(&config, workers, epoch, 46) {
        Ok(offload) => Some(offload),
        Err(why @ Unavailable::Rights) => {
            println!("skipped: {why}");
            None
        }
        Err(why) => panic!("{why}"),
    }
}

/// A bridge of two legs in it.
fn rig(peers: [&str; 2], ours: [&str; 2]) -> Option<Rig> {
    let epoch = OsInstant::now() - std::time::Duration::from_secs(100);
    let offload = load(2, 1, epoch)?;
    let table = offload.table(0).unwrap();
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    let [peers, ours] = [peers.map(address), ours.map(address)];
    let pair = [1, 2].map(|n| {
        let leg = LegKey(n);
        relay.handle(Instant::ZERO, Command::AddLeg { leg, port: 20_000, local: ours[0].ip() });
        relay.slot(leg).unwrap()
    });
    let mut rig = Rig { offload, table, pair, ours, peers, epoch };
    assert!(rig.begin());
    Some(rig)
}

const SHIFTS: [(u16, u32); 2] = [(40_000, 0x8000_1234), (7, 0xFFFF_0000)];

impl Rig {
    pub(super) fn v4() -> Option<Rig> {
        rig(["192.0.2.10:4000", "198.51.100.20:5000"], ["203.0.113.1:20000", "10.0.0.1:20002"])
    }

    pub(super) fn v6() -> Option<Rig> {
        rig(["[2001:db8:a::10]:4000", "[2001:db8:b::20]:5000"], ["[2001:db8::1]:20000", "[fd00::1]:20002"])
    }

    /// Hands the bridge over.
    fn begin(&mut self) -> bool {
        self.begin_at(self.now())
    }

    fn begin_at(&mut self, now: Instant) -> bool {
        let flows = self.flows();
        self.table.begin(now, self.pair, &flows, self.ours.map(Some))
    }

    /// Both streams are at number 999, and their timestamps are the time.
    fn flows(&self) -> [Flow; 2] {
        [0, 1].map(|n| Flow {
            speaker: self.pair[n],
            from: self.peers[n],
            ssrc_in: 0x1111 + n as u32,
            payload_type_in: 8,
            position: Position { highest: 999, seen: 0b1011, last: self.now(), ..Position::default() },
            listener: self.pair[1 - n],
            to: self.peers[1 - n],
            ssrc_out: 0xAAAA_0000 + n as u32,
            payload_type_out: 118,
            sequence_shift: SHIFTS[n].0,
            timestamp_shift: SHIFTS[n].1,
        })
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.epoch.elapsed().as_nanos() as u64)
    }

    fn now_units(&self) -> u32 {
        (self.epoch.elapsed().as_nanos() / 125_000) as u32
    }

    /// A frame of leg `n`'s peer.
    pub(super) fn frame(&self, n: usize, sequence: u16) -> Frame {
        let macs = [(OUR_MAC, CARRIER_MAC), (OUR_MAC, AGENT_MAC)][n];
        let timestamp = self.now_units();
        let rtp = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 0x1111 + n as u32 };
        Frame {
            macs,
            tag: None,
            from: self.peers[n],
            to: self.ours[n],
            ttl: 57,
            traffic_class: 0,
            check: Check::Whole,
            rtp,
            payload: (0..160).map(|byte| byte as u8).collect(),
        }
    }

    /// What must leave for the other peer when that frame comes in.
    fn expected(&self, n: usize, from: &Frame) -> Frame {
        let rtp = Header {
            payload_type: 118,
            sequence: from.rtp.sequence.wrapping_add(SHIFTS[n].0),
            timestamp: from.rtp.timestamp.wrapping_add(SHIFTS[n].1),
            ssrc: 0xAAAA_0000 + n as u32,
            marker: from.rtp.marker,
        };
        let check = if from.check == Check::None { Check::None } else { Check::Whole };
        Frame {
            macs: [(AGENT_MAC, OUR_MAC), (CARRIER_MAC, OUR_MAC)][n],
            from: self.ours[1 - n],
            to: self.peers[1 - n],
            ttl: from.ttl - 1,
            traffic_class: CLASS,
            check,
            rtp,
            ..from.clone()
        }
    }

    /// Gives the program a frame; what it decides and what it left of the frame.
    fn run(&mut self, bytes: &[u8]) -> (u32, Vec<u8>) {
        let mut out = vec![0; 4096];
        let options =
            TestRunOptions { data_in: Some(bytes), data_out: Some(&mut out), ..TestRunOptions::new() };
        let result = self.offload.program().test_run(options).unwrap();
        out.truncate(result.data_size_out as usize);
        (result.return_value, out)
    }

    pub(super) fn passes(&mut self, what: &str, bytes: &[u8]) {
        let (decided, out) = self.run(bytes);
        assert_eq!(decided, PASS, "{what}");
        assert!(out == bytes, "{what}: what goes up is as it came");
    }

    /// The ways to both peers are shown by a frame of each.
    fn show_ways(&mut self) {
        let frame = self.frame(0, 1000).bytes();
        self.passes("nobody knows the way to the agent", &frame);
        let back = self.frame(1, 1000);
        let (decided, out) = self.run(&back.bytes());
        assert_eq!((decided, out), (TX, self.expected(1, &back).bytes()));
    }
}

#[test]
fn voice_leaves_as_the_listeners_stream() {
    for rig in [Rig::v4(), Rig::v6()] {
        let Some(mut rig) = rig else { return };
        rig.show_ways();
        let mut last = 0;
        for sequence in 1000..1010 {
            let mut frame = rig.frame(0, sequence);
            frame.rtp.marker = sequence % 2 == 0;
            let (decided, out) = rig.run(&frame.bytes());
            assert_eq!(decided, TX);
            assert_eq!(out, rig.expected(0, &frame).bytes(), "{sequence}");
            last = frame.rtp.timestamp;
        }
        let [there, back] = rig.table.end(rig.now(), rig.pair);
        assert_eq!((there.packets, there.octets, there.late, there.duplicates), (10, 1600, 0, 0));
        assert_eq!((there.position.highest, there.position.timestamp), (1009, last));
        assert_eq!(there.position.seen, 0b1011 << 10 | 0x3FF);
        assert_eq!((back.packets, back.position.highest), (1, 1000));
        let frame = rig.frame(0, 1010).bytes();
        rig.passes("taken back", &frame);
    }
}

/// Every length, odd ones too, and numbers and times that wrap: the changed checksum is the whole one.
#[test]
fn checksums_are_whole_whatever_they_were() {
    for rig in [Rig::v4(), Rig::v6()] {
        let Some(mut rig) = rig else { return };
        rig.show_ways();
        let mut sequence = 1000;
        for check in [Check::Whole, Check::Partial, Check::None] {
            if check == Check::None && rig.ours[0].is_ipv6() {
                continue;
            }
            for length in (0..70).chain([160, 240, 1000, 1451, 1452]) {
                sequence += 1;
                let mut frame = rig.frame(0, sequence);
                frame.check = check;
                frame.payload = (0..length).map(|n| (n * 7 + length) as u8).collect();
                let (decided, out) = rig.run(&frame.bytes());
                assert_eq!(decided, TX);
                assert_eq!(out, rig.expected(0, &frame).bytes(), "{check:?} {length}");
            }
        }
    }
}

#[test]
fn tags_are_the_listeners_networks() {
    for rig in [Rig::v4(), Rig::v6()] {
        let Some(mut rig) = rig else { return };
        let mut sequence = 1000;
        for theirs in [None, Some((0x8100, 0xA064)), Some((0x88A8, 7))] {
            let mut shown = rig.frame(1, sequence);
            shown.tag = theirs;
            rig.run(&shown.bytes());
            for ours in [None, Some((0x8100, 200))] {
                sequence += 1;
                let mut frame = rig.frame(0, sequence);
                frame.tag = ours;
                let (decided, out) = rig.run(&frame.bytes());
                assert_eq!(decided, TX, "{ours:?} to {theirs:?}");
                let mut expected = rig.expected(0, &frame);
                expected.tag = theirs;
                assert_eq!(out, expected.bytes(), "{ours:?} to {theirs:?}");
            }
        }
    }
}

#[test]
fn what_is_not_the_bridges_voice_goes_up_untouched() {
    for rig in [Rig::v4(), Rig::v6()] {
        let Some(mut rig) = rig else { return };
        rig.show_ways();
        let plain = rig.frame(0, 1001);
        let wrong = |change: &dyn Fn(&mut Frame)| {
            let mut frame = plain.clone();
            change(&mut frame);
            frame.bytes()
        };
        let other_ip = if plain.from.is_ipv4() { "192.0.2.11" } else { "2001:db8:a::11" };
        let cases: [(&str, Vec<u8>); 10] = [
            ("a stranger's address", wrong(&|f| f.from.set_ip(other_ip.parse().unwrap()))),
            ("a stranger's port", wrong(&|f| f.from.set_port(4001))),
            ("another leg's port", wrong(&|f| f.to.set_port(20_004))),
            ("another stream", wrong(&|f| f.rtp.ssrc += 1)),
            ("a key", wrong(&|f| f.rtp.payload_type = 101)),
            ("RTCP", wrong(&|f| (f.rtp.payload_type, f.rtp.marker) = (72, true))),
            ("an expiring packet", wrong(&|f| f.ttl = 1)),
            ("a jump ahead", wrong(&|f| f.rtp.sequence += 3_000)),
            ("a jump back", wrong(&|f| f.rtp.sequence -= 66)),
            ("a jump in time", wrong(&|f| f.rtp.timestamp += 40_000)),
        ];
        for (what, bytes) in cases {
            rig.passes(what, &bytes);
        }
        let (ip, udp) = (plain.ip_at(), plain.udp_at());
        let broken = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = plain.bytes();
            change(&mut bytes);
            bytes
        };
        for (what, bytes) in [
            ("a CSRC", broken(&|b| b[udp + 8] = 0x81)),
            ("an extension", broken(&|b| b[udp + 8] = 0x90)),
            ("padding", broken(&|b| b[udp + 8] = 0xA0)),
            ("version 1", broken(&|b| b[udp + 8] = 0x40)),
            ("a datagram shorter than its packet", broken(&|b| b[udp + 5] -= 1)),
            ("a datagram longer than its packet", broken(&|b| b[udp + 5] += 1)),
            ("a group's frame", broken(&|b| b[0] |= 1)),
            ("a frame from a group", broken(&|b| b[6] |= 1)),
            ("ARP", broken(&|b| b[12..14].copy_from_slice(&[8, 6]))),
            ("two tags", broken(&|b| drop(b.splice(12..12, [0x81, 0, 0, 1, 0x81, 0, 0, 2])))),
            ("TCP", broken(&|b| b[if plain.from.is_ipv4() { ip + 9 } else { ip + 6 }] = 6)),
        ] {
            rig.passes(what, &bytes);
        }
        if plain.from.is_ipv4() {
            rig.passes("a first fragment", &broken(&|b| b[ip + 6] |= 0x20));
            rig.passes("a later fragment", &broken(&|b| b[ip + 7] = 1));
            rig.passes("options", &broken(&|b| b[ip] = 0x46));
        } else {
            rig.passes("no checksum", &broken(&|b| b[udp + 6..udp + 8].fill(0)));
            rig.passes("hop-by-hop options", &broken(&|b| b[ip + 6] = 0));
        }
        let whole = plain.bytes();
        let (decided, out) = rig.run(&whole);
        assert_eq!((decided, out), (TX, rig.expected(0, &plain).bytes()), "all of it changed nothing");
        // Trailing bytes, as short frames are filled up to 60, stay and are not counted.
        let next = rig.frame(0, 1002);
        let filled = [next.bytes(), vec![0xEE; 7]].concat();
        let (decided, out) = rig.run(&filled);
        assert_eq!((decided, out), (TX, [rig.expected(0, &next).bytes(), vec![0xEE; 7]].concat()));
        let [there, _] = rig.table.count(rig.pair);
        assert_eq!((there.packets, there.octets), (2, 320));
    }
}

/// An Ethernet header alone is the least that the kernel runs.
#[test]
fn cut_frames_go_up() {
    for rig in [Rig::v4(), Rig::v6()] {
        let Some(mut rig) = rig else { return };
        rig.show_ways();
        let whole = rig.frame(0, 1001).bytes();
        for length in (14..80).chain([whole.len() - 1]) {
            rig.passes("a cut frame", &whole[..length]);
        }
    }
}

#[test]
fn order_is_kept_as_in_user_space() {
    let Some(mut rig) = Rig::v4() else { return };
    rig.show_ways();
    let mut decided = |sequence: u16| {
        let bytes = rig.frame(0, sequence).bytes();
        rig.run(&bytes).0
    };
    // Of 996 to 999, number 997 did not come before the hand-over.
    for (sequence, verdict) in
        [(1000, TX), (1000, DROP), (1003, TX), (1001, TX), (1001, DROP), (999, DROP), (997, TX), (997, DROP)]
    {
        assert_eq!(decided(sequence), verdict, "{sequence}");
    }
    let [there, _] = rig.table.count(rig.pair);
    assert_eq!((there.packets, there.late, there.duplicates), (4, 2, 4));
    assert_eq!((there.position.highest, there.position.seen & 0xFF), (1003, 0b1111_1101));
}

#[test]
fn jitter_is_the_rfcs() {
    let Some(mut rig) = Rig::v4() else { return };
    rig.show_ways();
    // All at once, though a second apart by their timestamps.
    let mut jitter = 0.0;
    let began = rig.now_units();
    for sequence in 1000..1050 {
        let mut frame = rig.frame(0, sequence);
        frame.rtp.timestamp = began + u32::from(sequence - 1000) * 8000;
        assert_eq!(rig.run(&frame.bytes()).0, TX);
        if sequence > 1000 {
            jitter += (8000.0 - jitter) / 16.0;
        }
    }
    let [there, _] = rig.table.count(rig.pair);
    let measured = f64::from(there.position.jitter_16) / 16.0;
    // The machine may have been held up in between, by some milliseconds of 8 units each.
    assert!((measured - jitter).abs() < 600.0, "{measured} {jitter}");
    assert_eq!(there.position.jitter_16_max, there.position.jitter_16, "it only grew");
}

#[test]
fn a_full_table_refuses_and_has_room_again() {
    let Some(mut rig) = Rig::v4() else { return };
    let mut relay = Relay::new(RelayConfig::default(), Seed([3, 4]));
    let mut pair = |n: u64| {
        [n, n + 1].map(|n| {
            let leg = LegKey(n);
            relay.handle(Instant::ZERO, Command::AddLeg { leg, port: 20_000, local: rig.ours[0].ip() });
            relay.slot(leg).unwrap()
        })
    };
    let (first, second, third) = (
        rig.pair,
        {
            pair(1);
            pair(3)
        },
        pair(5),
    );
    let move_to = |rig: &mut Rig, pair: Pair, port: u16| {
        rig.pair = pair;
        for ours in &mut rig.ours {
            ours.set_port(ours.port() + port);
        }
    };
    move_to(&mut rig, second, 10);
    assert!(rig.begin());
    move_to(&mut rig, third, 10);
    assert!(!rig.begin(), "two places, two bridges");
    assert_eq!(rig.table.len(), 2);
    rig.table.end(rig.now(), first);
    assert!(rig.begin());
    rig.table.clear(rig.now());
    assert_eq!(rig.table.len(), 0);
    let frame = rig.frame(0, 1000).bytes();
    rig.passes("nothing is carried any more", &frame);
    assert!(rig.begin());
}

#[test]
fn what_cannot_be_is_said_in_plain_words() {
    let start = |interfaces: &[&str]| {
        let interfaces = interfaces.iter().map(|&name| name.to_owned()).collect();
        let config = OffloadConfig { interfaces, calls_max: 10 };
        Offload::start(&config, 1, OsInstant::now(), 46).map(|_| ())
    };
    assert_eq!(start(&[]).unwrap_err().to_string(), "media.offload_interfaces names no interface");
    match start(&["nosuch0"]) {
        Err(why @ Unavailable::Rights) => return println!("skipped: {why}"),
        other => assert_eq!(other.unwrap_err().to_string(), "there is no interface nosuch0"),
    }
    assert_eq!(start(&["lo"]).unwrap_err().to_string(), "the driver of lo does not run XDP programs itself");
}
