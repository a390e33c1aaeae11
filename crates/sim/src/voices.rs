//! The media workers of the simulated world: they obey every command, speak no RTP, and keep book of
//! who hears whom. A prompt takes as long as it lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::{Duration, Instant, LegKey};
use media::{Command, Event};

use crate::fault::Fault;

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
    /// How long the peer may be silent.
    timeout: Option<Duration>,
    /// When the peer's silence is reported.
    silent_at: Option<Instant>,
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
    /// Which of their faults have happened.
    pub faults: BTreeSet<Fault>,
    /// Legs that could not be added or were lost with their worker: commands about them are ignored.
    gone: BTreeSet<LegKey>,
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
        if self.gone.contains(&leg) && !self.legs.contains_key(&leg) {
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
            Command::SetRemote { negotiated, timeout, .. } => {
                (voice.remote, voice.timeout, voice.silent_at) = (Some(negotiated), timeout, None);
            }
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
            self.faults.insert(Fault::PortTaken);
            self.gone.insert(leg);
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
            timeout: None,
            silent_at: None,
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
        let silences = self.legs.values().filter_map(|voice| voice.silent_at);
        ends.chain(longest).chain(silences).min()
    }

    /// Says of each leg whose peer should speak whether he is heard: `is_heard` by his host and our port.
    pub fn listen(&mut self, now: Instant, is_heard: impl Fn(IpAddr, u16) -> bool) {
        for voice in self.legs.values_mut() {
            let (Some(timeout), Some(remote)) = (voice.timeout, &voice.remote) else { continue };
            if is_heard(remote.remote.ip(), voice.port) {
                voice.silent_at = None;
            } else {
                voice.silent_at = voice.silent_at.or(Some(now + timeout));
            }
        }
    }

    /// A worker falls over; how many legs it had.
    pub fn kill(&mut self, worker: usize) -> usize {
        let lost: Vec<LegKey> =
            self.legs.iter().filter(|(_, voice)| voice.worker == worker).map(|(&leg, _)| leg).collect();
        for &leg in &lost {
            self.legs.remove(&leg);
            self.gone.insert(leg);
            self.events.push(Event::Removed { leg, stats: Box::default() });
        }
        lost.len()
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
        for (&leg, voice) in &mut self.legs {
            if voice.silent_at.is_some_and(|at| at <= now) {
                // Once.
                (voice.silent_at, voice.timeout) = (None, None);
                self.faults.insert(Fault::RtpLost);
                self.events.push(Event::Silent { leg });
            }
        }
    }

    /// Whether the two hear each other.
    pub fn joined(&self, a: LegKey, b: LegKey) -> bool {
        let hears = |leg: LegKey| self.legs.get(&leg).map(|voice| voice.hears.clone());
        hears(a) == Some(Hears::Leg(b)) && hears(b) == Some(Hears::Leg(a))
    }
}
