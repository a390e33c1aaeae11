//! The media workers of the simulated world: they obey every command, speak no RTP, and keep book of
//! who hears whom. A prompt takes as long as it lasts.

use std::collections::BTreeMap;

use base::{Duration, Instant, LegKey};
use media::{Command, Event};

/// What a leg hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hears {
    /// Silence.
    Nothing,
    /// Prompts, until then.
    Prompts {
        /// Of the `Play`.
        token: u64,
        /// When they end.
        until: Instant,
    },
    /// Music.
    Music,
    /// Another leg.
    Leg(LegKey),
}

/// One leg as its worker has it.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Worker.
    pub worker: usize,
    /// Port.
    pub port: u16,
    /// What it hears.
    pub hears: Hears,
    /// The bridge under a prompt.
    pub bridge: Option<LegKey>,
    /// Whether `SetRemote` came, and what it said.
    pub remote: Option<media::sdp::Negotiated>,
    /// Prompts begun.
    pub plays: u64,
    /// Keys sent to the peer.
    pub digits: Vec<u8>,
    /// The recording that goes on: its token, since when, until when at most.
    pub recording: Option<(u64, Instant, Instant)>,
}

/// Every leg of every worker.
#[derive(Debug, Default)]
pub struct Voices {
    /// Legs.
    pub legs: BTreeMap<LegKey, Voice>,
    /// Events that the switch has not heard yet.
    pub events: Vec<Event>,
    /// Ports that cannot be bound.
    pub broken_ports: Vec<u16>,
    /// Legs that could not be added: commands that were already on their way are ignored.
    unbound: Vec<LegKey>,
    /// Commands that made no sense: about a leg that is not there, or across workers.
    pub nonsense: Vec<String>,
}

impl Voices {
    /// Obeys.
    pub fn obey(&mut self, now: Instant, worker: usize, command: Command) {
        if let Command::AddLeg { leg, port, .. } = command {
            return self.add(worker, leg, port);
        }
        let leg = command.leg();
        if self.unbound.contains(&leg) && !self.legs.contains_key(&leg) {
            return;
        }
        if self.legs.get(&leg).is_none_or(|voice| voice.worker != worker) {
            return self.nonsense.push(format!("{now}: {leg} on worker {worker}"));
        }
        match command {
            Command::Bridge { a, b } => {
                self.end_recording(now, a);
                self.end_recording(now, b);
                self.part(a);
                self.part(b);
                self.join(a, b);
                self.join(b, a);
            }
            Command::Unbridge { leg } => self.part(leg),
            Command::StopRecord { leg } => self.end_recording(now, leg),
            Command::RemoveLeg { leg } => {
                self.end_recording(now, leg);
                self.part(leg);
                self.legs.remove(&leg);
                self.events.push(Event::Removed { leg, stats: Box::default() });
            }
            other => self.obey_one(now, leg, other),
        }
    }

    fn obey_one(&mut self, now: Instant, leg: LegKey, command: Command) {
        let Some(voice) = self.legs.get_mut(&leg) else { return };
        match command {
            Command::SetRemote { negotiated, .. } => voice.remote = Some(negotiated),
            Command::Play { token, prompts, .. } => {
                let ms: u64 = prompts.iter().map(|prompt| u64::from(prompt.duration_ms())).sum();
                voice.hears = Hears::Prompts { token, until: now + Duration::from_millis(ms) };
                voice.plays += 1;
            }
            Command::Music { .. } => voice.hears = Hears::Music,
            Command::Stop { .. } => voice.hears = voice.bridge.map_or(Hears::Nothing, Hears::Leg),
            Command::SendDigits { digits, .. } => {
                voice.digits.extend(digits.iter().map(|digit| digit.byte()))
            }
            Command::Record { token, length_max, .. } => {
                voice.recording = Some((token, now, now + length_max));
            }
            _ => {}
        }
    }

    /// Hands over what was recorded: an octet for each that the time had room for.
    fn end_recording(&mut self, now: Instant, leg: LegKey) {
        let Some(voice) = self.legs.get_mut(&leg) else { return };
        let Some((token, since, _)) = voice.recording.take() else { return };
        let length_ms = u32::try_from((now - since).as_millis()).unwrap_or(u32::MAX);
        let audio = vec![0xD5; length_ms as usize * 8].into_boxed_slice();
        let (codec, audio) = (media::Codec::Pcma, base::Pii::new(audio));
        self.events.push(Event::Recorded { leg, token, codec, audio, length_ms });
    }

    fn add(&mut self, worker: usize, leg: LegKey, port: u16) {
        if self.broken_ports.contains(&port) {
            self.unbound.push(leg);
            return self.events.push(Event::BindFailed { leg, why: media::relay::BindFailure::Port });
        }
        let taken = self.legs.values().any(|voice| voice.port == port);
        if taken || self.legs.contains_key(&leg) {
            self.nonsense.push(format!("{leg} on port {port} which is taken"));
        }
        let voice = Voice {
            worker,
            port,
            hears: Hears::Nothing,
            bridge: None,
            remote: None,
            plays: 0,
            digits: Vec::new(),
            recording: None,
        };
        self.legs.insert(leg, voice);
    }

    fn join(&mut self, leg: LegKey, to: LegKey) {
        if !self.legs.contains_key(&to) {
            self.nonsense.push(format!("{leg} joined to {to} which is not there"));
        }
        if let Some(voice) = self.legs.get_mut(&leg) {
            voice.bridge = Some(to);
            voice.hears = Hears::Leg(to);
        }
    }

    fn part(&mut self, leg: LegKey) {
        let other = self.legs.get(&leg).and_then(|voice| voice.bridge);
        for leg in [Some(leg), other].into_iter().flatten() {
            if let Some(voice) = self.legs.get_mut(&leg) {
                voice.bridge = None;
                if matches!(voice.hears, Hears::Leg(_)) {
                    voice.hears = Hears::Nothing;
                }
            }
        }
    }

    /// When the next prompt or recording ends.
    pub fn next(&self) -> Option<Instant> {
        let ends = self.legs.values().filter_map(|voice| match voice.hears {
            Hears::Prompts { until, .. } => Some(until),
            _ => None,
        });
        let longest = self.legs.values().filter_map(|voice| voice.recording.map(|(_, _, until)| until));
        ends.chain(longest).min()
    }

    /// Time passed.
    pub fn wake(&mut self, now: Instant) {
        for (&leg, voice) in &mut self.legs {
            if let Hears::Prompts { token, until } = voice.hears
                && until <= now
            {
                voice.hears = voice.bridge.map_or(Hears::Nothing, Hears::Leg);
                self.events.push(Event::PlayDone { leg, token });
            }
        }
        let is_full = |voice: &Voice| voice.recording.is_some_and(|(_, _, until)| until <= now);
        let full: Vec<LegKey> =
            self.legs.iter().filter(|(_, voice)| is_full(voice)).map(|(&leg, _)| leg).collect();
        for leg in full {
            self.end_recording(now, leg);
        }
    }

    /// Whether the two hear each other.
    pub fn joined(&self, a: LegKey, b: LegKey) -> bool {
        let hears = |leg: LegKey| self.legs.get(&leg).map(|voice| voice.hears.clone());
        hears(a) == Some(Hears::Leg(b)) && hears(b) == Some(Hears::Leg(a))
    }
}
