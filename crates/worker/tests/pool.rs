//! Real sockets on loopback, real threads, every way to the kernel; every wait is for an event and has a
//! limit.

#![expect(clippy::unwrap_used, reason = "helpers of tests: failing is their way to report")]

mod kit;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base::{LegKey, MixKey};
use kit::{PATIENCE, Phone, Rig, config, for_each_io};
use media::codec::pcma;
use media::relay::{Audience, BindFailure};
use media::{Codec, Command, Event, Prompt};
use worker::PoolConfig;
use worker::net::IoChoice;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn voices_pass(io: IoChoice, coalesce_us: u32, local_a: &str, local_b: &str) {
    let (local_a, local_b) = (address(local_a), address(local_b));
    let mut rig = Rig::new(&PoolConfig { coalesce_us, ..config(io) });
    let ip = local_a.ip().to_string();
    let (mut phone_a, mut phone_b) = (Phone::new(&ip), Phone::new(&ip));
    let a = rig.leg(1, local_a, &phone_a);
    let b = rig.leg(2, local_b, &phone_b);
    rig.send(Command::Bridge { a, b });
    rig.settle(a);
    phone_a.say(local_a, 0x11);
    phone_b.say(local_b, 0x22);
    assert_eq!(rig.wait_for_locked(a), phone_a.address);
    assert_eq!(rig.wait_for_locked(b), phone_b.address);
    let mut last = None;
    for word in 0x30..0x60 {
        phone_a.say(local_a, word);
        phone_b.say(local_b, word + 0x40);
        let heard = phone_b.hear_byte(word);
        assert_eq!(phone_a.hear_byte(word + 0x40).from, local_a);
        assert_eq!(heard.from, local_b);
        if let Some(last) = last.replace((heard.ssrc, heard.sequence)) {
            assert_eq!((heard.ssrc, heard.sequence), (last.0, last.1.wrapping_add(1)), "one unbroken voice");
        }
    }
    let stats = rig.remove(a);
    assert_eq!((stats.packets_in, stats.lost, stats.strangers), (49, 0, 0));
    let total = rig.pool.total();
    assert!(total.packets_in >= 98 && total.packets_out >= 96, "{total:?}");
    assert_eq!((total.legs, total.panics, total.drops_failed), (1, 0, 0));
}

#[test]
fn voices_pass_both_ways_woken_per_packet() {
    for_each_io(|io| {
        voices_pass(io, 0, "127.0.10.1:20000", "127.0.10.1:20002");
    });
}

#[test]
fn voices_pass_both_ways_once_a_millisecond() {
    for_each_io(|io| {
        voices_pass(io, 1000, "127.0.10.2:20000", "127.0.10.2:20002");
    });
}

#[test]
fn voices_pass_over_ipv6() {
    for_each_io(|io| {
        voices_pass(io, 1000, "[::1]:20000", "[::1]:20002");
    });
}

/// A prompt of one second in which every byte is known.
fn counting_prompt() -> Prompt {
    let samples: Vec<i16> = (0..8000i32).map(|n| ((n * 37) % 16_000 - 8_000) as i16).collect();
    Prompt::from_samples_8k(&samples)
}

#[test]
fn a_prompt_arrives_whole_and_in_its_own_time() {
    for_each_io(|io| {
        let local = address("127.0.10.3:20000");
        let mut rig = Rig::new(&config(io));
        let phone = Phone::new("127.0.10.3");
        let leg = rig.leg(1, local, &phone);
        let prompt = Arc::new(counting_prompt());
        let audio = prompt.audio(Codec::Pcma).to_vec();
        rig.send(Command::Play { leg, token: 7, prompts: vec![prompt] });
        let mut heard = phone.hear().unwrap();
        while heard.payload != audio[..160] {
            heard = phone.hear().unwrap();
        }
        let (began, first) = (Instant::now(), heard.timestamp);
        for (number, frame) in audio.chunks(160).enumerate().skip(1) {
            let next = phone.hear().unwrap();
            assert_eq!(next.payload, frame, "frame {number}");
            assert_eq!(next.timestamp, first.wrapping_add(160 * number as u32));
            assert_eq!(next.sequence, heard.sequence.wrapping_add(1));
            heard = next;
        }
        let took = began.elapsed();
        assert!(took > Duration::from_millis(49 * 20 - 30), "50 frames in {took:?}");
        rig.wait_for("PlayDone", |event| matches!(event, Event::PlayDone { token: 7, .. }).then_some(()));
    });
}

#[test]
fn three_in_a_mix_hear_the_others_and_a_listener_is_not_heard() {
    let mut rig = Rig::new(&PoolConfig::default());
    let locals = [20_000, 20_002, 20_004].map(|port| SocketAddr::new([127, 0, 10, 40].into(), port));
    let mut phones = [0; 3].map(|_| Phone::new("127.0.10.40"));
    for (n, (local, phone)) in (1u64..).zip(locals.iter().zip(&phones)) {
        let leg = rig.leg(n, *local, phone);
        let heard_by = if n == 3 { Audience::Nobody } else { Audience::Everybody };
        rig.send(Command::Join { leg, mix: MixKey(1), heard_by });
    }
    rig.settle(LegKey(3));
    let levels = [0x95, 0xA0, 0x81];
    for _ in 0..9 {
        for (phone, (local, level)) in phones.iter_mut().zip(locals.iter().zip(levels)) {
            phone.say(*local, level);
        }
    }
    let sum = pcma::encode(pcma::decode(levels[0]) + pcma::decode(levels[1]));
    assert!(!levels.contains(&sum));
    phones[2].hear_byte(sum);
    phones[0].hear_byte(levels[1]);
    phones[1].hear_byte(levels[0]);
}

#[test]
fn a_stranger_is_neither_heard_nor_spoken_to() {
    for_each_io(|io| {
        let (local_a, local_b) = (address("127.0.10.4:20000"), address("127.0.10.4:20002"));
        let mut rig = Rig::new(&PoolConfig { connect_locked: false, ..config(io) });
        let (mut phone_a, mut phone_b) = (Phone::new("127.0.10.4"), Phone::new("127.0.10.4"));
        let mut stranger = Phone::new("127.0.66.6");
        let a = rig.leg(1, local_a, &phone_a);
        let b = rig.leg(2, local_b, &phone_b);
        rig.send(Command::Bridge { a, b });
        rig.settle(a);
        // The stranger speaks first.
        for _ in 0..5 {
            stranger.say(local_a, 0x66);
        }
        phone_a.say(local_a, 0x11);
        phone_b.say(local_b, 0x22);
        assert_eq!(rig.wait_for_locked(a), phone_a.address);
        rig.wait_for_locked(b);
        // And again, and somebody else on the peer's own host.
        let mut neighbour = Phone::new("127.0.10.4");
        for _ in 0..5 {
            stranger.say(local_a, 0x66);
            neighbour.say(local_a, 0x67);
        }
        phone_a.say(local_a, 0x12);
        let mut before = Vec::new();
        while before.last().is_none_or(|heard: &kit::Heard| heard.payload != [0x12; 160]) {
            before.push(phone_b.hear().unwrap());
        }
        assert!(before.iter().all(|heard| !matches!(heard.payload[0], 0x66 | 0x67)));
        assert_eq!(stranger.hear_rest(), []);
        assert_eq!(neighbour.hear_rest(), []);
        assert_eq!(rig.remove(a).strangers, 15);
        assert_eq!(rig.pool.total().drops_stranger, 15);
    });
}

#[test]
fn the_kernel_keeps_strangers_out_once_the_peer_is_known() {
    for_each_io(|io| {
        let (local_a, local_b) = (address("127.0.10.5:20000"), address("127.0.10.5:20002"));
        let mut rig = Rig::new(&config(io));
        let (mut phone_a, mut phone_b) = (Phone::new("127.0.10.5"), Phone::new("127.0.10.5"));
        let mut stranger = Phone::new("127.0.66.7");
        let (a, b) = (rig.leg(1, local_a, &phone_a), rig.leg(2, local_b, &phone_b));
        rig.send(Command::Bridge { a, b });
        rig.settle(a);
        phone_a.say(local_a, 0x11);
        phone_b.say(local_b, 0x22);
        rig.wait_for_locked(a);
        rig.wait_for_locked(b);
        for _ in 0..5 {
            stranger.say(local_a, 0x66);
        }
        phone_a.say(local_a, 0x12);
        phone_b.hear_byte(0x12);
        // New signalling: the peer has moved to another port, and is found there.
        let mut moved = Phone::new("127.0.10.5");
        rig.signal(a, moved.address);
        rig.settle(a);
        moved.say(local_a, 0x13);
        assert_eq!(rig.wait_for_locked(a), moved.address);
        phone_b.hear_byte(0x13);
        phone_b.say(local_b, 0x24);
        moved.hear_byte(0x24);
        assert_eq!(rig.remove(a).strangers, 0, "they were dropped before they were seen");
    });
}

#[test]
fn a_removed_leg_is_silent_and_its_ports_are_free() {
    for_each_io(|io| {
        let (local, other) = (address("127.0.10.6:20000"), address("127.0.10.6:20010"));
        let mut rig = Rig::new(&config(io));
        let (mut phone, mut witness) = (Phone::new("127.0.10.6"), Phone::new("127.0.10.6"));
        let free = |port| UdpSocket::bind(SocketAddr::new(local.ip(), port)).is_ok();
        let leg = rig.leg(1, local, &phone);
        let witness_leg = rig.leg(2, other, &witness);
        let prompt = Arc::new(counting_prompt());
        rig.send(Command::Music { leg, music: Arc::clone(&prompt) });
        rig.send(Command::Music { leg: witness_leg, music: prompt });
        rig.settle(leg);
        rig.settle(witness_leg);
        assert!(!free(20_010) && free(20_011), "there is nothing for RTCP to report yet");
        phone.say(local, 0x11);
        witness.say(other, 0x22);
        rig.wait_for_locked(witness_leg);
        for _ in 0..5 {
            phone.hear().unwrap();
        }
        let stats = rig.remove(leg);
        assert!(stats.packets_in == 1 && stats.packets_out >= 5, "{stats:?}");
        phone.hear_rest();
        // While the witness hears five more packets, the phone hears none.
        witness.hear_rest();
        for _ in 0..5 {
            witness.hear().unwrap();
        }
        assert_eq!(phone.hear_rest(), []);
        assert!(free(20_000) && free(20_001));
        assert!(!free(20_010) && !free(20_011));
        // The same key and port may come back.
        rig.leg(1, local, &phone);
        rig.settle(leg);
        phone.say(local, 0x12);
        rig.wait_for_locked(LegKey(1));
    });
}

#[test]
fn a_leg_that_cannot_be_says_why() {
    for_each_io(|io| {
        let local = address("127.0.10.7:20000");
        let mut rig = Rig::new(&PoolConfig { legs_max: 1, ..config(io) });
        let why = |rig: &mut Rig, key: u64| {
            rig.wait_for("BindFailed", move |event| match event {
                Event::BindFailed { leg, why } if *leg == LegKey(key) => Some(*why),
                _ => None,
            })
        };
        let add = |rig: &Rig, leg: u64, port: u16| {
            rig.send(Command::AddLeg { leg: LegKey(leg), port, local: local.ip() });
        };
        let _taken = UdpSocket::bind(local).unwrap();
        add(&rig, 1, 20_000);
        assert_eq!(why(&mut rig, 1), BindFailure::Port);
        add(&rig, 2, 20_002);
        add(&rig, 2, 20_004);
        assert_eq!(why(&mut rig, 2), BindFailure::Duplicate);
        add(&rig, 3, 20_006);
        assert_eq!(why(&mut rig, 3), BindFailure::TooManyLegs);
        assert!(UdpSocket::bind(address("127.0.10.7:20006")).is_ok(), "nothing stays bound");
        assert_eq!(rig.pool.total().binds_failed, 3);
        assert!(rig.remove(LegKey(2)).packets_in == 0);
    });
}

/// A reader who does not read holds the commands up, not the events that he must have.
#[test]
fn full_rings_give_commands_back_and_lose_no_ending() {
    for_each_io(|io| {
        let local = address("127.0.10.8:20000");
        let _taken = UdpSocket::bind(local).unwrap();
        let config = PoolConfig { commands_max: 4, events_max: 8, ..config(io) };
        let mut rig = Rig::new(&config);
        let deadline = Instant::now() + PATIENCE;
        let mut accepted = 0;
        loop {
            let command = Command::AddLeg { leg: LegKey(accepted), port: 20_000, local: local.ip() };
            match rig.pool.send(0, command) {
                Ok(()) => accepted += 1,
                Err(full) => {
                    assert!(matches!(*full.0, Command::AddLeg { leg, .. } if leg == LegKey(accepted)));
                    // The ring of 8 events, one held back, and 4 commands: full for good.
                    if accepted == 13 {
                        break;
                    }
                }
            }
            assert!(Instant::now() < deadline && accepted <= 13, "{accepted} accepted");
            std::thread::yield_now();
        }
        assert!(rig.pool.total().commands_full > 0);
        for key in 0..accepted {
            rig.wait_for("BindFailed", |event| (event.leg() == LegKey(key)).then_some(()));
        }
        assert_eq!(rig.pool.total().events_lost, 0);
    });
}

#[test]
fn a_dropped_pool_leaves_no_socket_open() {
    for_each_io(|io| {
        let local = address("127.0.10.9:20000");
        let mut rig = Rig::new(&PoolConfig { workers: 2, pin: vec![0], ..config(io) });
        assert_eq!(rig.pool.workers(), 2);
        let mut phone = Phone::new("127.0.10.9");
        let leg = rig.leg(1, local, &phone);
        rig.settle(leg);
        phone.say(local, 0x11);
        rig.wait_for_locked(leg);
        drop(rig);
        assert!(UdpSocket::bind(local).is_ok());
    });
}

/// A stranger who sends as fast as he can gets a few packets looked at per round; others are heard in time.
#[test]
fn a_flood_at_one_leg_does_not_hold_up_another() {
    for_each_io(|io| {
        let (flooded, local_a, local_b) =
            (address("127.0.10.10:20000"), address("127.0.10.10:20002"), address("127.0.10.10:20004"));
        let mut rig = Rig::new(&config(io));
        let (nobody, mut phone_a) = (Phone::new("127.0.10.10"), Phone::new("127.0.10.10"));
        let phone_b = Phone::new("127.0.10.10");
        rig.leg(3, flooded, &nobody);
        let (a, b) = (rig.leg(1, local_a, &phone_a), rig.leg(2, local_b, &phone_b));
        rig.send(Command::Bridge { a, b });
        rig.settle(a);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let flood = std::thread::spawn(move || {
            let stranger = UdpSocket::bind("127.0.66.8:0").unwrap();
            while !asked.load(Ordering::Relaxed) {
                stranger.send_to(&[0x80; 172], flooded).unwrap();
            }
        });
        phone_a.say(local_a, 0x11);
        rig.wait_for_locked(a);
        while rig.pool.total().rounds_flooded == 0 {
            std::thread::yield_now();
        }
        for word in 0x30..0x60 {
            phone_a.say(local_a, word);
            phone_b.hear_byte(word);
        }
        stop.store(true, Ordering::Relaxed);
        flood.join().unwrap();
        assert_eq!(rig.remove(a).lost, 0);
        let stats = rig.remove(LegKey(3));
        assert!(stats.packets_in == 0 && stats.strangers > 0, "{stats:?}");
    });
}
