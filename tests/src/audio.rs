//! A telephone's ears and mouth: records the RTP that arrives, sends a signal every 20 ms, presses keys.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::g711::{self, Law};

/// Payload type of telephone events in the scenarios.
pub const EVENTS: u8 = 101;
/// Samples, and bytes, of one packet of 20 ms.
pub const PACKET: usize = 160;

/// A packet that arrived.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When.
    pub at: Instant,
    /// From where.
    pub from: SocketAddr,
    /// Payload type.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Source.
    pub ssrc: u32,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Packet {
    fn parse(from: SocketAddr, bytes: &[u8]) -> Option<Packet> {
        let (header, payload) = bytes.split_at_checked(12)?;
        // Version 2 without padding, extension or contributing sources is all that a phone gets here.
        (header[0] == 0x80).then(|| Packet {
            at: Instant::now(),
            from,
            payload_type: header[1] & 0x7f,
            marker: header[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            payload: payload.to_vec(),
        })
    }
}

/// What the mouth says.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// A sine, in Hz.
    Tone(f64),
    /// Noise that is known by its seed: [`noise`].
    Noise(u8),
    /// Nothing at all.
    Quiet,
}

/// The A-law bytes of packet number `packet` of a known noise: no two packets of any two noises are alike.
pub fn noise(seed: u8, packet: usize) -> Vec<u8> {
    let start = (u64::from(seed) << 32) + u64::try_from(packet * PACKET).unwrap();
    (start..).take(PACKET).map(scrambled).collect()
}

/// SplitMix64's finaliser.
fn scrambled(number: u64) -> u8 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()[0]
}

fn tone(law: Law, hz: f64, packet: usize) -> Vec<u8> {
    let sample = |n: usize| {
        let turn = f64::from(u32::try_from(n).unwrap()) * hz / 8000.0;
        law.encode(((turn * std::f64::consts::TAU).sin() * 8000.0) as i16)
    };
    (packet * PACKET..).take(PACKET).map(sample).collect()
}

#[derive(Default)]
struct State {
    heard: Vec<Packet>,
    /// Everything that came, RTP or not.
    datagrams: usize,
    signal: Option<Signal>,
    /// Where the mouth speaks to; whoever was heard first, if nobody says.
    remote: Option<SocketAddr>,
    keys: VecDeque<u8>,
    keys_pressed: usize,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
}

/// One RTP socket with its two threads.
pub struct Audio {
    socket: UdpSocket,
    shared: Arc<Shared>,
    law: Law,
    threads: Vec<JoinHandle<()>>,
}

/// So long without a packet is a pause of the speaker's.
const PAUSE: Duration = Duration::from_millis(100);

impl Audio {
    /// Binds an even port of `ip`; speaks A-law.
    pub fn bind(ip: Ipv4Addr) -> Audio {
        Audio::with_law(ip, Law::A)
    }

    /// The codec it speaks.
    pub fn law(&self) -> Law {
        self.law
    }

    /// Binds an even port of `ip`; speaks this codec.
    pub fn with_law(ip: Ipv4Addr, law: Law) -> Audio {
        let _here = crate::place::enter(ip);
        let ports = (40_000u16..41_000).step_by(2);
        let socket = ports.filter_map(|port| UdpSocket::bind((ip, port)).ok()).next().expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let ear = {
            let (socket, shared) = (socket.try_clone().unwrap(), Arc::clone(&shared));
            std::thread::spawn(move || listen(&socket, &shared))
        };
        let mouth = {
            let (socket, shared) = (socket.try_clone().unwrap(), Arc::clone(&shared));
            std::thread::spawn(move || speak(&socket, &shared, law))
        };
        Audio { socket, shared, law, threads: vec![ear, mouth] }
    }

    /// Its address, for SDP.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Speaks from now on: to `remote` if it is given, else to whoever is heard first.
    pub fn say(&self, signal: Signal) {
        self.state().signal = Some(signal);
    }

    /// Speaks to this address from now on.
    pub fn speak_to(&self, remote: SocketAddr) {
        self.state().remote = Some(remote);
    }

    /// Presses a key (RFC 4733) for 100 ms and waits until it was sent.
    pub fn press(&self, key: u8) {
        let mut state = self.state();
        state.keys.push_back(key);
        let all = state.keys_pressed + state.keys.len();
        drop(state);
        self.wait(&format!("the key {} to be sent", char::from(key)), crate::SOON, |state| {
            (state.keys_pressed >= all).then_some(())
        });
    }

    fn wait<T>(&self, what: &str, limit: Duration, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + limit;
        let mut state = self.state();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let heard = state.heard.len();
                drop(state);
                panic!("waited {} s in vain for {what}; {heard} packets heard", limit.as_secs());
            }
            (state, _) = self.shared.changed.wait_timeout(state, left.min(PAUSE)).unwrap();
        }
    }

    /// All packets so far.
    pub fn heard(&self) -> Vec<Packet> {
        self.state().heard.clone()
    }

    /// Datagrams of any kind so far.
    pub fn datagrams(&self) -> usize {
        self.state().datagrams
    }

    /// Forgets what was heard.
    pub fn forget(&self) {
        self.state().heard.clear();
    }

    /// Waits until something is heard; from where.
    pub fn wait_voice(&self) -> SocketAddr {
        self.wait("any RTP", crate::SOON, |state| state.heard.first().map(|packet| packet.from))
    }

    /// Waits until these bytes are heard without a gap; the packets' bytes must follow each other.
    pub fn wait_bytes(&self, what: &str, expected: &[u8]) -> usize {
        let (mut looked, mut seen) = (0, 0);
        self.wait(what, crate::SOON, |state| {
            let heard = state.heard.len();
            let paused = heard == core::mem::replace(&mut seen, heard);
            // Not again from the start for every packet, but for the last ones before a pause.
            if heard < looked + 5 && !(paused && heard > looked) {
                return None;
            }
            looked = heard;
            let all = voice(&state.heard);
            all.windows(expected.len()).position(|window| window == expected)
        })
    }

    /// Waits until a prompt of the switch was heard, sample for sample.
    pub fn wait_prompt(&self, language: &str, name: &str) -> usize {
        let samples = crate::voice::samples(language, name);
        let expected: Vec<u8> = samples.into_iter().map(|sample| self.law.encode(sample)).collect();
        self.wait_bytes(&format!("prompt {language}/{name}"), &expected)
    }

    /// Waits until a second of a tone is heard from now on.
    pub fn wait_tone(&self, hz: f64) {
        let start = self.state().heard.len();
        self.wait(&format!("a tone of {hz} Hz"), crate::SOON, |state| {
            let bytes = voice(&state.heard[start.min(state.heard.len())..]);
            let samples: Vec<i16> = bytes.iter().map(|&byte| self.law.decode(byte)).collect();
            let last = samples.get(samples.len().checked_sub(8000)?..)?;
            (g711::share_of(hz, last) > 0.9).then_some(())
        });
    }

    /// Waits until ten packets in a row of the known noise are heard, unchanged.
    pub fn wait_noise(&self, seed: u8) {
        let start = self.state().heard.len();
        self.wait(&format!("noise {seed}"), crate::SOON, |state| {
            let new = state.heard.get(start..)?;
            let numbers: Vec<usize> =
                new.iter().filter_map(|packet| noise_number(seed, &packet.payload)).collect();
            numbers.windows(10).any(|ten| ten.is_sorted() && ten[9] - ten[0] == 9).then_some(())
        });
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread of the kit that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// The number of the packet of [`noise`] that this payload is.
pub fn noise_number(seed: u8, payload: &[u8]) -> Option<usize> {
    (0..3000).find(|&number| payload.first() == noise(seed, number).first() && payload == noise(seed, number))
}

/// The G.711 bytes of the packets, in the order of their sequence numbers as they came.
pub fn voice(packets: &[Packet]) -> Vec<u8> {
    let voice = packets.iter().filter(|packet| matches!(packet.payload_type, 0 | 8));
    voice.flat_map(|packet| packet.payload.iter().copied()).collect()
}

fn listen(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 2048];
    while !shared.stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let mut state = shared.state.lock().unwrap();
        state.datagrams += 1;
        state.remote.get_or_insert(from);
        state.heard.extend(Packet::parse(from, &buffer[..length]));
        drop(state);
        shared.changed.notify_all();
    }
}

/// What the mouth is in the middle of.
struct Mouth {
    law: Law,
    sequence: u16,
    timestamp: u32,
    number: usize,
    /// Key under way and its packets sent.
    key: Option<(u8, u16)>,
}

fn speak(socket: &UdpSocket, shared: &Shared, law: Law) {
    let mut mouth = Mouth { law, sequence: 1000, timestamp: 4_000_000_000, number: 0, key: None };
    let mut next = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        next += Duration::from_millis(20);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let mut state = shared.state.lock().unwrap();
        let Some(remote) = state.remote else { continue };
        if mouth.key.is_none() {
            mouth.key = state.keys.pop_front().map(|key| (key, 0));
        }
        let signal = state.signal;
        let pressed = mouth.key.is_some();
        drop(state);
        for packet in mouth.packets(signal) {
            // The other side may have closed: an ICMP error is no fault of the test.
            let _ = socket.send_to(&packet, remote);
        }
        if pressed && mouth.key.is_none() {
            shared.state.lock().unwrap().keys_pressed += 1;
            shared.changed.notify_all();
        }
    }
}

impl Mouth {
    /// The packets of these 20 ms.
    fn packets(&mut self, signal: Option<Signal>) -> Vec<Vec<u8>> {
        self.number += 1;
        let packets = match (self.key, signal) {
            (Some((key, sent)), _) => self.key_packets(key, sent),
            (None, None | Some(Signal::Quiet)) => Vec::new(),
            (None, Some(Signal::Tone(hz))) => {
                vec![self.packet(self.law.payload_type(), false, &tone(self.law, hz, self.number))]
            }
            (None, Some(Signal::Noise(seed))) => {
                vec![self.packet(self.law.payload_type(), false, &noise(seed, self.number))]
            }
        };
        if self.key.is_none() {
            self.timestamp = self.timestamp.wrapping_add(160);
        }
        packets
    }

    /// RFC 4733 §2.5: one timestamp, growing duration, the end three times.
    fn key_packets(&mut self, key: u8, sent: u16) -> Vec<Vec<u8>> {
        let event = match key {
            b'0'..=b'9' => key - b'0',
            b'*' => 10,
            _ => 11,
        };
        let (last, duration) = (sent == 4, (sent + 1) * 160);
        let [high, low] = duration.to_be_bytes();
        let body = [event, if last { 0x8a } else { 0x0a }, high, low];
        let count = if last { 3 } else { 1 };
        let packets = (0..count).map(|_| self.packet(EVENTS, sent == 0, &body)).collect();
        self.key = (!last).then_some((key, sent + 1));
        if last {
            self.timestamp = self.timestamp.wrapping_add(u32::from(duration));
        }
        packets
    }

    fn packet(&mut self, payload_type: u8, marker: bool, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(0x1234_5678u32.to_be_bytes());
        packet.extend(payload);
        packet
    }
}
