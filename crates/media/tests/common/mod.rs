//! Phones around one relay, and a clock. Nothing here sleeps.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shared by several test programs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

pub mod talker;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{Duration, Instant, LegKey, Seed};
use media::relay::{Counters, LegStats, Timer};
use media::rtp::{self, Header};
use media::sdp::Negotiated;
use media::{Channel, Codec, Command, Event, Prompt, Relay, RelayConfig, Sink, Slot};

/// A packet that left the relay.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Instant,
    pub slot: Slot,
    pub channel: Channel,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Sent {
    pub fn header(&self) -> Header {
        rtp::parse(&self.bytes).unwrap().header
    }

    pub fn payload(&self) -> &[u8] {
        &self.bytes[12..]
    }
}

#[derive(Default)]
pub struct Wire {
    now: Instant,
    sent: Vec<Sent>,
}

impl Sink for Wire {
    fn send(&mut self, slot: Slot, channel: Channel, to: SocketAddr, header: &[u8], payload: &[u8]) {
        self.sent.push(Sent { at: self.now, slot, channel, to, bytes: [header, payload].concat() });
    }
}

pub struct World {
    pub now: Instant,
    pub relay: Relay,
    pub wire: Wire,
    pub events: Vec<Event>,
}

/// Leg `n`'s phone: its address and its stream.
#[derive(Clone, Debug)]
pub struct Phone {
    pub leg: LegKey,
    pub at: SocketAddr,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub payload_type: u8,
}

impl Phone {
    pub fn new(n: u64) -> Self {
        Phone {
            leg: LegKey(n),
            at: SocketAddr::from(([192, 0, 2, n as u8], 4_000 + 2 * n as u16)),
            ssrc: 0x1000 + n as u32,
            sequence: 65_530,
            timestamp: 0xFFFF_FF00,
            payload_type: 8,
        }
    }

    /// The next 20 ms of voice, every byte `fill`.
    pub fn voice(&mut self, fill: u8) -> Vec<u8> {
        let bytes = self.packet(self.payload_type, false, &[fill; 160]);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        bytes
    }

    pub fn packet(&self, payload_type: u8, marker: bool, payload: &[u8]) -> Vec<u8> {
        let (sequence, timestamp, ssrc) = (self.sequence, self.timestamp, self.ssrc);
        let header = Header { marker, payload_type, sequence, timestamp, ssrc };
        [&rtp::write(&header), payload].concat()
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        World::of(seed, RelayConfig::default())
    }

    pub fn of(seed: u64, config: RelayConfig) -> Self {
        let now = Instant::from_nanos(5_000_300_000);
        let relay = Relay::new(config, Seed([seed, 1]));
        World { now, relay, wire: Wire::default(), events: Vec::new() }
    }

    /// A relay with legs for these phones, each agreed on its phone's codec.
    pub fn with(phones: &[Phone]) -> Self {
        let mut world = World::new(7);
        for phone in phones {
            world.add(phone);
        }
        world
    }

    pub fn add(&mut self, phone: &Phone) {
        self.command(Command::AddLeg { leg: phone.leg, port: 30_000, local: IpAddr::from([192, 0, 2, 1]) });
        let codec = Codec::from_static(phone.payload_type).unwrap_or(Codec::Opus);
        self.agree(phone, Negotiated::plain(phone.at, codec));
    }

    pub fn agree(&mut self, phone: &Phone, negotiated: Negotiated) {
        let learn_from = vec![phone.at.ip()];
        let timeout = Some(Duration::from_secs(10));
        self.command(Command::SetRemote { leg: phone.leg, negotiated, learn_from, timeout });
    }

    pub fn bridge(&mut self, a: &Phone, b: &Phone) {
        self.command(Command::Bridge { a: a.leg, b: b.leg });
    }

    pub fn play(&mut self, phone: &Phone, token: u64, prompts: &[&Arc<Prompt>]) {
        let prompts = prompts.iter().map(|&prompt| Arc::clone(prompt)).collect();
        self.command(Command::Play { leg: phone.leg, token, prompts });
    }

    pub fn command(&mut self, command: Command) {
        self.relay.handle(self.now, command);
        self.collect();
    }

    fn collect(&mut self) {
        self.events.extend(core::iter::from_fn(|| self.relay.poll_output()));
    }

    /// A packet arrives on a leg's RTP port.
    pub fn arrives(&mut self, to: &Phone, from: SocketAddr, bytes: &[u8]) {
        self.arrives_on(to, Channel::Rtp, from, bytes);
    }

    pub fn arrives_on(&mut self, to: &Phone, channel: Channel, from: SocketAddr, bytes: &[u8]) {
        let slot = self.relay.slot(to.leg).unwrap();
        self.arrives_at(slot, channel, from, bytes);
    }

    pub fn arrives_at(&mut self, slot: Slot, channel: Channel, from: SocketAddr, bytes: &[u8]) {
        self.wire.now = self.now;
        let mut packet = bytes.to_vec();
        self.relay.receive(self.now, slot, channel, from, &mut packet, &mut self.wire);
        self.collect();
    }

    /// The phone speaks for 20 ms.
    pub fn speaks(&mut self, phone: &mut Phone, fill: u8) {
        let bytes = phone.voice(fill);
        self.arrives(&phone.clone(), phone.at, &bytes);
    }

    /// Time goes on, from deadline to deadline.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some((at, Timer::Tick)) = self.relay.poll_timeout().filter(|(at, _)| *at <= end) {
            assert!(
                at >= self.now || self.now - at < Duration::from_millis(1),
                "{at} is past at {}",
                self.now
            );
            self.now = self.now.max(at);
            self.wire.now = self.now;
            self.relay.handle_timeout(self.now, &mut self.wire);
            self.collect();
        }
        self.now = end;
    }

    /// The driver was held up: time jumps, then one call.
    pub fn stall(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.wire.now = self.now;
        self.relay.handle_timeout(self.now, &mut self.wire);
        self.collect();
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    /// Everything that left so far, and forgets it.
    pub fn take_sent(&mut self) -> Vec<Sent> {
        core::mem::take(&mut self.wire.sent)
    }

    /// The RTP that a phone received so far; forgets all.
    pub fn heard(&mut self, phone: &Phone) -> Vec<Sent> {
        let sent = self.take_sent();
        sent.into_iter().filter(|sent| sent.to == phone.at && sent.channel == Channel::Rtp).collect()
    }

    pub fn stats(&mut self, phone: &Phone) -> LegStats {
        self.command(Command::Report { leg: phone.leg });
        let found = self.events.iter().rposition(|event| matches!(event, Event::Stats { .. })).unwrap();
        match self.events.remove(found) {
            Event::Stats { stats, .. } => *stats,
            other => panic!("{other:?}"),
        }
    }

    pub fn counters(&self) -> Counters {
        *self.relay.counters()
    }

    pub fn digits(&mut self) -> String {
        let digit = |event: Event| match event {
            Event::Digit { digit, .. } => Some(char::from(digit.byte())),
            _ => None,
        };
        self.take_events().into_iter().filter_map(digit).collect()
    }
}

/// A prompt whose bytes all differ from their neighbours', `ms` long.
pub fn counting(ms: u32, start: i16) -> Arc<Prompt> {
    let samples: Vec<i16> = (0..ms * 8).map(|n| ((n * 263) as i16).wrapping_add(start)).collect();
    Arc::new(Prompt::from_samples_8k(&samples))
}

/// What a listener must never notice: one SSRC, numbers one by one, time that goes on as the clock does.
pub fn assert_no_jump(heard: &[Sent]) {
    for pair in heard.windows(2) {
        let (a, b) = (pair[0].header(), pair[1].header());
        assert_eq!(a.ssrc, b.ssrc);
        assert_eq!(b.sequence, a.sequence.wrapping_add(1), "numbers at {}", pair[1].at);
        let units = b.timestamp.wrapping_sub(a.timestamp);
        let is_event = pair[0].payload().len() == 4 || pair[1].payload().len() == 4;
        assert!((160..1 << 31).contains(&units) || is_event, "time stood still at {}: {units}", pair[1].at);
        let elapsed = ((pair[1].at - pair[0].at).as_micros() / 125) as u32;
        assert!(units <= elapsed + 8_000 || is_event, "time jumped at {}: {units} in {elapsed}", pair[1].at);
    }
}
