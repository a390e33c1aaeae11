//! What must not allocate does not: reading a message and what identifies it, passing a packet on,
//! recording one. The allocator counts for the thread that asks.
#![allow(unsafe_code, reason = "an allocator is unsafe by its trait; this one only counts and hands on")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::{Instant, LegKey, MixKey, Seed};
use bytes::{Bytes, BytesMut};
use media::codec::FRAME_BYTES_MAX;
use media::dsp::Rate;
use media::relay::Audience;
use media::sdp::Negotiated;
use media::srtp::{MasterKey, OVERHEAD_MAX, Receiver, SUITES, Sender};
use media::{Channel, Codec, Command, Relay, RelayConfig, Sink, Slot, rtp};
use sip::message::{Limits, Message};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes unchanged to the system's allocator, whose contract is the same; the counter is a
// plain thread-local number without a destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as asked of us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as asked of us.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as asked of us.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations made by `act`.
fn allocations<R>(act: impl FnOnce() -> R) -> u64 {
    let before = COUNT.get();
    black_box(act());
    COUNT.get() - before
}

const INVITE: &[u8] = include_bytes!("../../crates/sip/tests/common/invite.sip");

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(7)), 1);
}

#[test]
fn reading_a_message_and_what_identifies_it_allocates_nothing() {
    let bytes = Bytes::from_static(INVITE);
    let count = allocations(|| {
        let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
        let found =
            (message.branch().map(<[u8]>::len), message.from_tag().map(<[u8]>::len), message.to_tag());
        assert!(found.0.is_some() && found.1.is_some() && found.2.is_none());
        assert!(!message.call_id().is_empty());
        (message.cseq_number(), message.cseq_method() == message.method().unwrap())
    });
    assert_eq!(count, 0);
}

#[test]
fn a_datagrams_own_buffer_costs_one_more_for_sharing_it_at_most() {
    let mut buffer = BytesMut::with_capacity(2_048);
    buffer.extend_from_slice(INVITE);
    let bytes = buffer.freeze();
    let count = allocations(|| Message::parse(bytes, &Limits::default()).unwrap().cseq_number());
    assert!(count <= 1, "{count}");
}

struct Wire(u64);

impl Sink for Wire {
    fn send(&mut self, _: Slot, _: Channel, _: SocketAddr, _: &[u8], _: &[u8]) {
        self.0 += 1;
    }
}

fn phone(leg: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, leg as u8], 4_000))
}

/// Two bridged legs, or two alone.
fn relay(bridged: bool) -> Relay {
    let now = Instant::from_secs(1);
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    for n in [1, 2] {
        let (leg, remote) = (LegKey(n), phone(n));
        relay.handle(now, Command::AddLeg { leg, port: 30_000, local: IpAddr::from([192, 0, 2, 9]) });
        let negotiated = Negotiated::plain(remote, Codec::Pcma);
        relay.handle(
            now,
            Command::SetRemote { leg, negotiated, learn_from: vec![remote.ip()], timeout: None },
        );
    }
    if bridged {
        relay.handle(now, Command::Bridge { a: LegKey(1), b: LegKey(2) });
    }
    relay
}

/// Allocations of a thousand packets, after the first, which may tell that the peer is known.
fn of_packets(relay: &mut Relay, wire: &mut Wire) -> u64 {
    let slot = relay.slot(LegKey(1)).unwrap();
    let mut packet = |n: u16| {
        let timestamp = u32::from(n) * 160;
        let header = rtp::Header { marker: false, payload_type: 8, sequence: n, timestamp, ssrc: 7 };
        let mut bytes = [0x55; 172];
        bytes[..12].copy_from_slice(&rtp::write(&header));
        let now = Instant::from_secs(1) + Duration::from_millis(20 * u64::from(n));
        relay.receive(now, slot, Channel::Rtp, phone(1), &mut bytes, wire);
    };
    packet(0);
    allocations(|| (1..=1_000).for_each(packet))
}

#[test]
fn a_packet_passes_without_allocating() {
    let (mut relay, mut wire) = (relay(true), Wire(0));
    assert_eq!(of_packets(&mut relay, &mut wire), 0);
    assert_eq!(wire.0, 1_001);
}

/// A phone's packets: 20 ms of a tone each, in its codec.
fn voice(codec: Codec) -> Vec<Vec<u8>> {
    let mut encoder = (codec.info().encoder)(Rate::Narrow, &Default::default()).unwrap();
    let frame = encoder.rate().frame();
    let mut payload = [0; FRAME_BYTES_MAX];
    (0..200)
        .map(|n| {
            let sample = |k: usize| (f64::sin((n * frame + k) as f64 / 5.0) * 8_000.0) as i16;
            let samples: Vec<i16> = (0..frame).map(sample).collect();
            let length = encoder.encode(&samples, &mut payload);
            payload[..length].to_vec()
        })
        .collect()
}

/// Allocations of `frames` frames in which all legs talk, after as many to warm up.
fn of_talk(relay: &mut Relay, codecs: &[Codec], frames: u32) -> (u64, u64) {
    let said: Vec<_> = codecs.iter().map(|&codec| voice(codec)).collect();
    let mut wire = Wire(0);
    let mut now = Instant::from_secs(2);
    let mut talk = |from: u32| {
        for n in from..from + frames {
            for (leg, (&codec, said)) in (1u64..).zip(codecs.iter().zip(&said)) {
                // Each hundredth is lost: gaps are made up for without allocating too.
                if n % 100 == 99 {
                    continue;
                }
                let payload = &said[n as usize % said.len()];
                let mut packet = [0; 512];
                let header = rtp::Header {
                    marker: false,
                    payload_type: codec.info().payload_type,
                    sequence: n as u16,
                    timestamp: n * codec.frame_units(),
                    ssrc: 7,
                };
                packet[..12].copy_from_slice(&rtp::write(&header));
                packet[12..12 + payload.len()].copy_from_slice(payload);
                let slot = relay.slot(LegKey(leg)).unwrap();
                let packet = &mut packet[..12 + payload.len()];
                relay.receive(now, slot, Channel::Rtp, phone(leg), packet, &mut wire);
            }
            now += Duration::from_millis(20);
            relay.handle_timeout(now, &mut wire);
        }
    };
    talk(0);
    let count = allocations(|| talk(frames));
    (count, wire.0)
}

fn legs(codecs: &[Codec]) -> Relay {
    let mut relay = relay(false);
    for (n, &codec) in (1u64..).zip(codecs) {
        let (leg, remote) = (LegKey(n), phone(n));
        if n > 2 {
            let local = IpAddr::from([192, 0, 2, 9]);
            relay.handle(Instant::from_secs(1), Command::AddLeg { leg, port: 30_000, local });
        }
        let negotiated = Negotiated::plain(remote, codec);
        let learn_from = vec![remote.ip()];
        relay
            .handle(Instant::from_secs(1), Command::SetRemote { leg, negotiated, learn_from, timeout: None });
    }
    relay
}

#[test]
fn voice_is_translated_without_allocating() {
    for other in [Codec::Opus, Codec::G722] {
        let codecs = [other, Codec::Pcma];
        let mut relay = legs(&codecs);
        relay.handle(Instant::from_secs(2), Command::Bridge { a: LegKey(1), b: LegKey(2) });
        let (count, sent) = of_talk(&mut relay, &codecs, 500);
        assert_eq!(count, 0, "{other:?}");
        assert!(sent > 1_950, "{sent}");
    }
}

#[test]
fn voices_are_mixed_without_allocating() {
    let codecs = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    let mut relay = legs(&codecs);
    for n in 1..=4 {
        let join = Command::Join { leg: LegKey(n), mix: MixKey(1), heard_by: Audience::Everybody };
        relay.handle(Instant::from_secs(2), join);
    }
    let (count, sent) = of_talk(&mut relay, &codecs, 500);
    assert_eq!(count, 0);
    assert!(sent > 3_900, "{sent}");
}

#[test]
fn a_packet_is_protected_and_opened_without_allocating() {
    for (suite, _, salt) in SUITES {
        let master = MasterKey::new(suite, &vec![7; 16 + salt]).unwrap();
        let (mut sender, mut receiver) = (Sender::new(&master), Receiver::new(&master));
        let mut pass = |sequence: u16| {
            let header = rtp::Header { marker: false, payload_type: 8, sequence, timestamp: 0, ssrc: 7 };
            let mut packet = [0x55; 172 + OVERHEAD_MAX];
            packet[..12].copy_from_slice(&rtp::write(&header));
            let length = sender.protect(&mut packet, 172).unwrap();
            assert_eq!(receiver.open(&mut packet[..length]), Ok(172));
        };
        // The first packet makes the stream known.
        pass(0);
        assert_eq!(allocations(|| (1..=1_000).for_each(pass)), 0, "{suite:?}");
    }
}

#[test]
fn a_packet_is_recorded_without_allocating() {
    let (mut relay, mut wire) = (relay(false), Wire(0));
    let length_max = Duration::from_secs(60);
    relay.handle(Instant::from_secs(1), Command::Record { leg: LegKey(1), token: 1, length_max });
    assert_eq!(of_packets(&mut relay, &mut wire), 0);
    relay.handle(Instant::from_secs(30), Command::StopRecord { leg: LegKey(1) });
    let recorded = std::iter::from_fn(|| relay.poll_output()).find_map(|event| {
        if let media::Event::Recorded { length_ms, .. } = event { Some(length_ms) } else { None }
    });
    assert_eq!(recorded, Some(20_020));
}
