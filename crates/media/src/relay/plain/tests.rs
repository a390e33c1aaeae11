//! Two relays live the same life; one of them has no short way. Nobody can tell them apart.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{Duration, Instant, LegKey, MixKey, Rng, Seed};

use crate::relay::Audience;
use crate::rtp::{self, Header};
use crate::sdp::{Direction, Negotiated};
use crate::srtp::{Keys, MasterKey, SUITES};
use crate::{Channel, Codec, Command, Digit, Prompt, Relay, RelayConfig, Sink, Slot};

const LEGS: u64 = 4;

#[derive(Default)]
struct Wire(Vec<(u64, SocketAddr, Vec<u8>)>);

impl Sink for Wire {
    fn send(&mut self, slot: Slot, channel: Channel, to: SocketAddr, header: &[u8], payload: &[u8]) {
        let channel = u64::from(channel == Channel::Rtcp);
        self.0.push((slot.index() as u64 * 2 + channel, to, [header, payload].concat()));
    }
}

/// A relay, and what it said and sent.
struct Side {
    relay: Relay,
    wire: Wire,
    said: Vec<String>,
    has_short_way: bool,
    short: u32,
}

impl Side {
    fn new(has_short_way: bool) -> Side {
        let relay = Relay::new(RelayConfig::default(), Seed([3, 4]));
        Side { relay, wire: Wire::default(), said: Vec::new(), has_short_way, short: 0 }
    }

    fn command(&mut self, now: Instant, command: &Command) {
        self.relay.handle(now, command.clone());
        self.listen();
    }

    fn packet(&mut self, now: Instant, leg: u64, from: SocketAddr, bytes: &[u8]) {
        let Some(slot) = self.relay.slot(LegKey(leg)) else { return };
        if !self.has_short_way {
            self.relay.leg_mut(slot).unwrap().plain = None;
        }
        let was_plain = self.relay.leg_mut(slot).unwrap().plain.is_some();
        self.relay.receive(now, slot, Channel::Rtp, from, &mut bytes.to_vec(), &mut self.wire);
        self.short += u32::from(was_plain && self.relay.leg_mut(slot).is_some_and(|leg| leg.plain.is_some()));
        self.listen();
    }

    fn tick(&mut self, now: Instant) {
        self.relay.handle_timeout(now, &mut self.wire);
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(event) = self.relay.poll_output() {
            self.said.push(format!("{event:?}"));
        }
    }
}

/// Where it says it is.
fn home(leg: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, leg as u8], 4_000))
}

/// A telephone that does not always do as it should.
struct Phone {
    leg: u64,
    at: SocketAddr,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
}

impl Phone {
    fn new(leg: u64) -> Phone {
        Phone { leg, at: home(leg), ssrc: leg as u32, payload_type: 8, sequence: 65_500, timestamp: 7 }
    }

    fn next(&mut self, rng: &mut Rng) -> (SocketAddr, Vec<u8>) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        let mut header = Header {
            marker: false,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let mut payload = vec![rng.below(256) as u8; 160];
        let (mut from, mut flags) = (self.at, rtp::PLAIN_FLAGS);
        match rng.below(100) {
            0 => self.sequence = self.sequence.wrapping_add(rng.below(5) as u16),
            1 => header.sequence = header.sequence.wrapping_sub(rng.below(80) as u16),
            2 => self.sequence = rng.next_u32() as u16,
            3 => self.timestamp = rng.next_u32(),
            4 => self.ssrc = rng.next_u32(),
            5 => header.ssrc = rng.next_u32(),
            6 => from.set_port(4_001),
            7 => from.set_ip(IpAddr::from([198, 51, 100, 1])),
            8 => header.payload_type = [0, 8, 9, 101, 13][rng.below(5) as usize],
            9 | 10 => {
                header.payload_type = 101;
                payload = vec![rng.below(12) as u8, 0x80 * rng.below(2) as u8, 3, 32];
            }
            11 => (flags, payload[159]) = (0xA0, rng.below(200) as u8),
            12 => flags = 0x81,
            13 => payload.truncate(rng.below(160) as usize),
            14 => header.marker = true,
            // Moved behind a NAT, or back: believed after the next signalling.
            16 => {
                self.at =
                    [home(self.leg), SocketAddr::from(([198, 51, 100, 1], 5_000))][rng.below(2) as usize]
            }
            15 => self.payload_type = [0, 8][rng.below(2) as usize],
            _ => {}
        }
        let mut bytes = [&rtp::write(&header), payload.as_slice()].concat();
        bytes[0] = flags;
        (from, bytes)
    }
}

fn command(rng: &mut Rng, prompt: &Arc<Prompt>) -> Command {
    let leg = LegKey(1 + rng.below(LEGS));
    let other = LegKey(1 + rng.below(LEGS));
    match rng.below(18) {
        0 => Command::Play { leg, token: 1, prompts: vec![Arc::clone(prompt)] },
        1 => Command::Music { leg, music: Arc::clone(prompt) },
        2 => Command::Stop { leg },
        3 => Command::SendDigits { leg, digits: vec![Digit::from_byte(b'5').unwrap()] },
        4 => Command::Record { leg, token: 2, length_max: Duration::from_millis(200) },
        5 => Command::StopRecord { leg },
        6 => Command::Unbridge { leg },
        7 => Command::Join { leg, mix: MixKey(1), heard_by: Audience::Everybody },
        8 => Command::Leave { leg },
        9 => Command::Report { leg },
        10 | 11 => remote(rng, leg),
        12 if rng.below(8) == 0 => Command::RemoveLeg { leg },
        13 => Command::AddLeg { leg, port: 30_000, local: IpAddr::from([192, 0, 2, 254]) },
        14 => {
            let (suite, _, salt_bytes) = SUITES[0];
            let key = || MasterKey::new(suite, &vec![7; 16 + salt_bytes]);
            let keys = Keys { receive: key().unwrap(), send: key().unwrap() };
            Command::Secure { leg, keys: (rng.below(4) == 0).then(|| Box::new(keys)) }
        }
        _ => Command::Bridge { a: leg, b: other },
    }
}

fn remote(rng: &mut Rng, leg: LegKey) -> Command {
    let remote = home(leg.0);
    let codec = [Codec::Pcma, Codec::Pcma, Codec::Pcmu, Codec::G722][rng.below(4) as usize];
    let accepted = [Codec::Pcma, Codec::Pcmu, codec].map(|codec| (codec.info().payload_type, codec));
    let direction = [Direction::SendRecv, Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly];
    let negotiated = Negotiated {
        remote,
        remote_rtcp: SocketAddr::new(remote.ip(), 4_009),
        codec,
        payload_type: codec.info().payload_type,
        accepted: accepted.to_vec(),
        dtmf_payload_type: Some(96),
        dtmf_payload_type_in: Some(101),
        dtmf_clock_hz: 8_000,
        parameters: Default::default(),
        ptime_ms: 20,
        direction: direction[rng.below(4) as usize],
        rtcp_mux: rng.below(2) == 0,
    };
    let learn_from = vec![remote.ip(), IpAddr::from([198, 51, 100, 1])];
    Command::SetRemote { leg, negotiated, learn_from, timeout: Some(Duration::from_secs(1)) }
}

#[test]
fn both_ways_do_the_same() {
    let prompt = Arc::new(Prompt::from_samples_8k(&[900; 1_000]));
    let mut went_short = 0;
    for seed in 0..24 {
        let mut rng = Rng::new(Seed([seed, 9]));
        let mut sides = [Side::new(true), Side::new(false)];
        let mut phones: Vec<Phone> = (1..=LEGS).map(Phone::new).collect();
        let mut now = Instant::from_secs(10);
        for leg in 1..=LEGS {
            let add =
                Command::AddLeg { leg: LegKey(leg), port: 30_000, local: IpAddr::from([192, 0, 2, 254]) };
            for command in [add, remote(&mut rng, LegKey(leg))] {
                sides.iter_mut().for_each(|side| side.command(now, &command));
            }
        }
        for _ in 0..3_000 {
            now += Duration::from_millis(20 + 300 * u64::from(rng.below(100) == 0));
            for phone in &mut phones {
                let (from, bytes) = phone.next(&mut rng);
                sides.iter_mut().for_each(|side| side.packet(now, phone.leg, from, &bytes));
            }
            if rng.below(30) == 0 {
                let command = command(&mut rng, &prompt);
                sides.iter_mut().for_each(|side| side.command(now, &command));
            }
            sides.iter_mut().for_each(|side| side.tick(now));
        }
        for leg in 1..=LEGS {
            sides.iter_mut().for_each(|side| side.command(now, &Command::Report { leg: LegKey(leg) }));
        }
        let [short, careful] = sides;
        let [one, other] = [&short, &careful].map(|side| &side.wire.0);
        let differs = one.iter().zip(other).position(|(one, other)| one != other);
        assert_eq!((differs, one.len()), (None, other.len()), "seed {seed}");
        assert_eq!(short.said, careful.said, "seed {seed}");
        assert_eq!(short.relay.counters(), careful.relay.counters(), "seed {seed}");
        assert_eq!(careful.short, 0);
        went_short += short.short;
    }
    assert!(went_short > 10_000, "{went_short} packets went the short way");
}
