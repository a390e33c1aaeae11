//! Frames by other means than ours beside those written here; the program on crafted frames; a socket on a veth in a network
//! of its own. Need root, and say so where they cannot run.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use super::frame::{Addresses, write};
use super::legs::Legs;
use super::xsk::{CHUNK, Xsk};
use super::{NoTransmit, Transmit};
use crate::net::{Sent, interface_index};
use crate::offload::layout::Way;
use crate::offload::tests::frame::{Check, Frame};
use crate::offload::tests::{CLASS, Rig};

/// The frame as it must be: without identification, with a TTL of 64.
fn expected(frame: &Frame) -> Vec<u8> {
    let mut frame = frame.clone();
    frame.ttl = 64;
    let mut bytes = frame.bytes();
    if frame.from.is_ipv4() {
        let ip = frame.ip_at();
        // The other writer numbers its frames; without the number the sum is smaller by as much.
        let check = u16::from_be_bytes([bytes[ip + 10], bytes[ip + 11]]);
        let sum = u32::from(check) + 0x1234;
        let sum = ((sum & 0xffff) + (sum >> 16)) as u16;
        bytes[ip + 4..ip + 6].fill(0);
        bytes[ip + 10..ip + 12].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

impl Rig {
    fn legs(&self) -> Legs {
        Legs::map(self.offload.legs().unwrap()).unwrap()
    }

    /// A frame of leg `n`'s peer, none of whose legs is bridged.
    fn spoken(&mut self, n: usize) -> Frame {
        self.table.end(self.now(), self.pair);
        self.frame(n, 7)
    }
}

fn send(way: &Way, from: &Frame, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; CHUNK];
    let addresses = Addresses { local: from.to, peer: from.from, traffic_class: CLASS };
    let header = media::rtp::write(&from.rtp);
    let length = write(&mut out, way, &addresses, &header, payload).unwrap();
    out[..length].to_vec()
}

#[test]
fn a_frame_is_what_the_kernel_would_have_made_of_the_datagram() {
    for rig in [Rig::v4(), Rig::v6()] {
        let Some(mut rig) = rig else { return };
        let mut spoken = rig.spoken(0);
        let legs = rig.legs();
        for tag in [None, Some((0x8100, 0xA064)), Some((0x88A8, 7))] {
            assert!(legs.watch(spoken.to, spoken.from));
            spoken.tag = tag;
            rig.passes("a leg's own voice", &spoken.bytes());
            let way = legs.way(spoken.to.port()).unwrap();
            for length in (0..70).chain([160, 240, 1400]) {
                let payload: Vec<u8> = (0..length).map(|n| (n * 7 + length) as u8).collect();
                let there = Frame {
                    macs: (spoken.macs.1, spoken.macs.0),
                    from: spoken.to,
                    to: spoken.from,
                    traffic_class: CLASS,
                    check: Check::Whole,
                    payload: payload.clone(),
                    ..spoken.clone()
                };
                assert_eq!(send(&way, &spoken, &payload), expected(&there), "{tag:?} {length}");
            }
            legs.forget(spoken.to.port());
        }
    }
}

#[test]
fn a_sum_of_nothing_is_written_as_its_other_self() {
    let Some(mut rig) = Rig::v4() else { return };
    let spoken = rig.spoken(0);
    let legs = rig.legs();
    legs.watch(spoken.to, spoken.from);
    rig.passes("a leg's own voice", &spoken.bytes());
    let way = legs.way(spoken.to.port()).unwrap();
    let checks: Vec<u16> = (0..=u16::MAX)
        .map(|word| {
            let frame = send(&way, &spoken, &word.to_be_bytes());
            u16::from_be_bytes([frame[14 + 20 + 6], frame[14 + 20 + 7]])
        })
        .collect();
    assert!(checks.iter().all(|check| *check != 0) && checks.contains(&0xffff));
}

#[test]
fn what_does_not_fit_or_has_two_families_is_no_frame() {
    let addresses = |local: &str, peer: &str| Addresses {
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        traffic_class: 0,
    };
    let same = addresses("10.0.0.1:1000", "10.0.0.2:2000");
    let length = 14 + 20 + 8 + 2;
    let way = Way::default();
    assert_eq!(write(&mut vec![0; length], &way, &same, &[1], &[2]), Some(length));
    assert_eq!(write(&mut vec![0; length - 1], &way, &same, &[1], &[2]), None);
    let two = addresses("10.0.0.1:1000", "[fd00::2]:2000");
    assert_eq!(write(&mut [0; CHUNK], &way, &two, &[1], &[2]), None);
}

#[test]
fn only_the_peer_shows_the_way_and_only_while_he_is_watched() {
    for rig in [Rig::v4(), Rig::v6()] {
        let Some(mut rig) = rig else { return };
        let spoken = rig.spoken(0);
        let legs = rig.legs();
        let port = spoken.to.port();
        rig.passes("not watched yet", &spoken.bytes());
        assert!(legs.watch(spoken.to, spoken.from));
        let elsewhere = SocketAddr::new(rig.ours[1].ip(), port);
        assert!(!legs.watch(elsewhere, spoken.from), "the port's entry is taken");
        let mut others = vec![spoken.clone(); 5];
        others[0].from.set_port(spoken.from.port() + 1);
        others[1].from.set_ip(rig.peers[1].ip());
        others[2].to = elsewhere;
        others[3].macs.0[0] |= 1;
        others[4].macs.1[0] |= 1;
        for (n, other) in others.iter().enumerate() {
            rig.passes("another's", &other.bytes());
            assert!(legs.way(port).is_none(), "{n}");
        }
        rig.passes("the peer's", &spoken.bytes());
        assert!(legs.way(port).is_some());
        // A router took over.
        let mut moved = spoken.clone();
        moved.macs.1 = [2, 0, 0, 0, 0, 0x77];
        rig.passes("the peer's, by another router", &moved.bytes());
        let frame = send(&legs.way(port).unwrap(), &spoken, &[]);
        assert_eq!(frame[..12], [moved.macs.1, moved.macs.0].concat());
        legs.forget(port);
        assert!(legs.watch(elsewhere, spoken.from), "free again");
        assert!(legs.way(port).is_none(), "and without the way of the leg before");
    }
}

#[test]
fn every_port_has_an_entry() {
    let Some(mut rig) = Rig::v4() else { return };
    let mut spoken = rig.spoken(0);
    let legs = rig.legs();
    for port in [1, 0x100, 0x1234, u16::MAX] {
        spoken.to.set_port(port);
        assert!(legs.watch(spoken.to, spoken.from));
        rig.passes("the peer's", &spoken.bytes());
        assert!(legs.way(port).is_some(), "{port}");
    }
}

/// A pair of virtual cards in a network of this thread's own, and a socket that sees what arrives at the second.
struct Wire {
    ear: OwnedFd,
}

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(done.success(), "ip {arguments}");
}

impl Wire {
    /// Runs `test` with it, or says why it cannot be.
    fn lay(test: impl FnOnce(Wire) + Send + 'static) {
        let thread = std::thread::spawn(|| {
            // SAFETY: takes no pointers; it concerns this thread only, which ends with the test.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
                return println!("skipped: {}", io::Error::last_os_error());
            }
            ip("link add near0 type veth peer name far0");
            ip("link set near0 up");
            ip("link set far0 up");
            // SAFETY: takes no pointers.
            let ear = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(0x88B5u16.to_be())) };
            assert!(ear >= 0, "{}", io::Error::last_os_error());
            let room = 8 << 20;
            // SAFETY: the kernel reads four bytes from `room`.
            unsafe {
                let (option, value) = (libc::SO_RCVBUFFORCE, (&raw const room).cast());
                assert_eq!(libc::setsockopt(ear, libc::SOL_SOCKET, option, value, 4), 0);
            }
            // SAFETY: opened just now, and nobody else owns it.
            test(Wire { ear: unsafe { OwnedFd::from_raw_fd(ear) } });
        });
        thread.join().unwrap();
    }

    fn near() -> u32 {
        interface_index("near0").unwrap()
    }

    /// The numbers of the frames that arrived, until the last of them is `last`, or a second has passed.
    fn heard(&self, last: u32) -> Vec<u32> {
        let mut numbers = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(1);
        while numbers.last() != Some(&last) && Instant::now() < deadline {
            let mut frame = [0u8; 64];
            // SAFETY: the kernel writes at most 64 bytes to `frame`, which outlives the call.
            let got = unsafe {
                libc::recv(self.ear.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), libc::MSG_DONTWAIT)
            };
            if got == 60 {
                numbers.push(u32::from_be_bytes([frame[14], frame[15], frame[16], frame[17]]));
            }
        }
        numbers
    }
}

/// A frame of an experimental type (IEEE 802, 88B5) with a number.
fn push(xsk: &mut Xsk, number: u32) -> bool {
    xsk.push(4, |room| {
        room[..60].fill(0);
        room[..6].fill(0xff);
        room[6] = 2;
        room[12..14].copy_from_slice(&[0x88, 0xB5]);
        room[14..18].copy_from_slice(&number.to_be_bytes());
        Some(60)
    })
}

#[test]
fn frames_arrive_in_order_and_their_room_comes_back() {
    Wire::lay(|wire| {
        let mut xsk = Xsk::open(Wire::near(), 0).unwrap();
        let mut number = 0;
        // More than there is room for, in bursts that end in the middle of the kernel's batches, and one above all room.
        for burst in [1, 31, 33, 64, 700, 1024, 1500] {
            let first = number;
            for _ in 0..burst {
                assert!(push(&mut xsk, number), "{number}");
                number += 1;
            }
            xsk.flush();
            assert_eq!(wire.heard(number - 1), (first..number).collect::<Vec<_>>());
            let Sent { packets, bytes, failed, calls, .. } = xsk.tally();
            assert_eq!((packets, bytes, failed), (burst as u64, burst as u64 * 4, 0));
            assert!(calls <= burst as u64 / 32 + 2, "{burst}: {calls} calls");
        }
        // A frame that is not to be takes no room.
        for _ in 0..3000 {
            assert!(!xsk.push(1, |_| None));
        }
        assert!(push(&mut xsk, number));
    });
}

#[test]
fn a_card_that_is_down_loses_frames_and_nothing_else() {
    Wire::lay(|wire| {
        let mut xsk = Xsk::open(Wire::near(), 0).unwrap();
        ip("link set near0 down");
        let taken = (0..3000).filter(|number| push(&mut xsk, *number)).count();
        xsk.flush();
        let Sent { packets, failed, .. } = xsk.tally();
        assert_eq!((taken, packets, failed), (1024, 0, 1024), "the rest goes by socket");
        assert!(!push(&mut xsk, 0), "still down");
        ip("link set near0 up");
        // The kernel passes over what was withdrawn, and says so with its next look.
        xsk.flush();
        xsk.flush();
        for number in 3000..3010 {
            assert!(push(&mut xsk, number));
        }
        xsk.flush();
        assert_eq!(wire.heard(3009), (3000..3010).collect::<Vec<_>>(), "and nothing of before");
        ip("link delete near0");
        assert!(push(&mut xsk, 3010), "nobody knows yet");
        xsk.flush();
        assert!(!push(&mut xsk, 3011), "the card is gone");
        assert_eq!(xsk.tally().failed, 1);
    });
}

/// The kernel remembers how far it has seen the ring filled: what it has seen and not sent must not come back as another
/// frame's place.
#[test]
fn a_card_that_goes_down_amid_a_burst_sends_nothing_twice() {
    Wire::lay(|wire| {
        let mut xsk = Xsk::open(Wire::near(), 0).unwrap();
        for number in 0..64 {
            assert!(push(&mut xsk, number));
        }
        assert!(xsk.kick());
        assert_eq!(wire.heard(31), (0..32).collect::<Vec<_>>());
        ip("link set near0 down");
        xsk.flush();
        let Sent { packets, failed, .. } = xsk.tally();
        assert_eq!((packets, failed), (32, 32));
        ip("link set near0 up");
        for number in 64..69 {
            assert!(push(&mut xsk, number));
        }
        xsk.flush();
        xsk.flush();
        assert_eq!(wire.heard(u32::MAX), (64..69).collect::<Vec<_>>());
        let Sent { packets, failed, .. } = xsk.tally();
        assert_eq!((packets, failed), (5, 0));
        // Every place is there once: as many frames as ever fit, and each is its own.
        for number in 1000..2024 {
            assert!(push(&mut xsk, number), "{number}");
        }
        xsk.flush();
        assert_eq!(wire.heard(2023), (1000..2024).collect::<Vec<_>>());
    });
}

#[test]
fn what_cannot_be_opened_is_said_in_plain_words() {
    let Some(rig) = Rig::v4() else { return };
    Wire::lay(move |_| {
        let (near, nowhere) = (Wire::near(), 4_000_000);
        let first = Xsk::open(near, 0).unwrap();
        let says = |ifindex, worker| {
            let error = Xsk::open(ifindex, worker as u32).unwrap_err();
            NoTransmit { interface: "near0".into(), worker, error }.to_string()
        };
        let begins = |worker| format!("media thread {worker} sends by sockets on near0: ");
        assert_eq!(says(near, 9), begins(9) + "the card has no queue 9");
        assert_eq!(says(near, 0), begins(0) + "another program has queue 0");
        assert_eq!(says(nowhere, 0), begins(0) + "No such device (os error 19)");
        drop(first);
        // The kernel lets go of it a moment later; a switch that was started again waits for that.
        let map = rig.offload.legs().unwrap();
        let (transmit, refusals) = Transmit::open(map, &[("near0".into(), near)], 0, CLASS).unwrap();
        assert!(refusals.is_empty() && transmit.cards.len() == 1, "{refusals:?}");
    });
}

#[test]
fn without_a_card_or_a_way_everything_goes_by_socket() {
    let Some(mut rig) = Rig::v4() else { return };
    let spoken = rig.spoken(0);
    let (local, peer) = (spoken.to, spoken.from);
    let map = rig.offload.legs().unwrap();
    let (mut none, refusals) = Transmit::open(map, &[], 0, CLASS).unwrap();
    assert!(refusals.is_empty() && !none.watch(local, peer));
    let interfaces = [("lo".to_owned(), interface_index("lo").unwrap())];
    let (mut transmit, refusals) = Transmit::open(map, &interfaces, 0, CLASS).unwrap();
    assert!(refusals.is_empty(), "{refusals:?}");
    assert!(transmit.watch(local, peer));
    assert!(!transmit.send(local, peer, &[0; 12], &[0; 160]), "he has not spoken");
    // A frame of a run without a card came from interface 1 (lo), or one that is not open here.
    rig.passes("the peer's", &spoken.bytes());
    let ours = rig.legs().way(local.port()).unwrap().ifindex() == interfaces[0].1;
    assert_eq!(transmit.send(local, peer, &[0; 12], &[0; 160]), ours);
    assert!(!transmit.send(local, peer, &[0; 12], &[0; 1480]), "longer than any card's frame");
    transmit.forget(local);
}
