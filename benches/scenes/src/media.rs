//! One packet through the relay, one 20 ms of prompts for a thousand legs, one recorded packet.

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{Instant, LegKey, Seed};
use media::rtp::{self, Header};
use media::sdp::Negotiated;
use media::{Channel, Codec, Command, Prompt, Relay, RelayConfig, Sink, Slot};

/// Counts; the sockets' cost is measured elsewhere.
#[derive(Debug, Default)]
pub struct Wire(
    /// Packets sent so far.
    pub u64,
);

impl Sink for Wire {
    fn send(&mut self, _: Slot, _: Channel, to: SocketAddr, header: &[u8], payload: &[u8]) {
        black_box((to, header, payload));
        self.0 += 1;
    }
}

/// Where the peer of a leg is.
pub fn phone(leg: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, (leg % 250) as u8], 4_000 + leg as u16))
}

/// Adds a leg whose peer speaks `codec`; who is silent for 10 s ends it.
pub fn leg(relay: &mut Relay, now: Instant, leg: u64, codec: Codec) {
    let (key, at) = (LegKey(leg), phone(leg));
    let local = IpAddr::from([192, 0, 2, 254]);
    relay.handle(now, Command::AddLeg { leg: key, port: 30_000, local });
    let negotiated = Negotiated::plain(at, codec);
    let timeout = Some(Duration::from_secs(10));
    relay.handle(now, Command::SetRemote { leg: key, negotiated, learn_from: vec![at.ip()], timeout });
}

/// The peer of one leg speaks, packet after packet.
#[derive(Debug)]
pub struct Talk {
    relay: Relay,
    slot: Slot,
    wire: Wire,
    now: Instant,
    sequence: u16,
    timestamp: u32,
    records: bool,
}

impl Talk {
    /// To a listener who takes `listener`, or into a recording.
    pub fn new(listener: Codec, records: bool) -> Talk {
        let now = Instant::from_secs(1);
        let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
        leg(&mut relay, now, 1, Codec::Pcma);
        leg(&mut relay, now, 2, listener);
        if !records {
            relay.handle(now, Command::Bridge { a: LegKey(1), b: LegKey(2) });
        }
        let slot = relay.slot(LegKey(1)).expect("it was added");
        Talk { relay, slot, wire: Wire::default(), now, sequence: 0, timestamp: 0, records }
    }

    /// One packet of 20 ms.
    pub fn packet(&mut self) {
        // A recording lasts 5,000 packets; then another begins.
        if self.records && self.sequence.is_multiple_of(5_000) {
            while self.relay.poll_output().is_some() {}
            let length_max = Duration::from_secs(100);
            self.relay.handle(self.now, Command::Record { leg: LegKey(1), token: 1, length_max });
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        self.now += Duration::from_millis(20);
        let Talk { sequence, timestamp, .. } = *self;
        let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 7 };
        let mut packet = [0x55; 172];
        packet[..12].copy_from_slice(&rtp::write(&header));
        let packet = black_box(&mut packet);
        self.relay.receive(self.now, self.slot, Channel::Rtp, phone(1), packet, &mut self.wire);
    }

    /// That packets went where they should.
    pub fn check(&self) {
        let counters = self.relay.counters();
        assert!(self.records || self.wire.0 > 100, "packets went through");
        assert_eq!((counters.strangers, counters.malformed, counters.stale), (0, 0, 0));
    }
}

/// Legs that hear music.
#[derive(Debug)]
pub struct Listeners {
    relay: Relay,
    wire: Wire,
    now: Instant,
}

impl Listeners {
    /// So many of them.
    pub fn new(legs: u64) -> Listeners {
        let now = Instant::from_secs(1);
        let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
        let music = Arc::new(Prompt::from_samples_8k(&vec![1_000; 80_000]));
        for n in 1..=legs {
            leg(&mut relay, now, n, Codec::Pcma);
            relay.handle(now, Command::Music { leg: LegKey(n), music: Arc::clone(&music) });
        }
        Listeners { relay, wire: Wire::default(), now }
    }

    /// 20 ms for everybody.
    pub fn tick(&mut self) {
        let end = self.now + Duration::from_millis(20);
        while let Some((at, _)) = self.relay.poll_timeout().filter(|(at, _)| *at <= end) {
            self.relay.handle_timeout(at, &mut self.wire);
        }
        self.now = end;
    }

    /// Packets sent so far.
    pub const fn heard(&self) -> u64 {
        self.wire.0
    }
}
