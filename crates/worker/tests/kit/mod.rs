//! A pool with phones around it, and patience with a limit.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a helper of tests: failing is its way to report"
)]

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base::LegKey;
use media::sdp::Negotiated;
use media::{Codec, Command, Event};
use worker::net::IoChoice;
use worker::{Pool, PoolConfig};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `test` with each way to the kernel that there is here.
pub(crate) fn for_each_io(test: impl Fn(IoChoice)) {
    for name in IoChoice::names().filter(|name| *name != "auto") {
        let io = name.parse::<IoChoice>().unwrap();
        match io.check() {
            Ok(()) => test(io),
            Err(error) => eprintln!("not tested: {error}"),
        }
    }
}

/// The usual pool, with `io`.
pub(crate) fn config(io: IoChoice) -> PoolConfig {
    PoolConfig { io, ..PoolConfig::default() }
}

pub(crate) struct Rig {
    pub(crate) pool: Pool,
    bell: Receiver<()>,
    seen: Vec<Event>,
}

impl Rig {
    pub(crate) fn new(config: &PoolConfig) -> Rig {
        let (ring, bell) = channel();
        let pool = Pool::start(config, move || ring.send(()).unwrap_or_default()).unwrap();
        Rig { pool, bell, seen: Vec::new() }
    }

    pub(crate) fn send(&self, command: Command) {
        self.pool.send(0, command).unwrap();
    }

    /// The first event, past or to come, for which `choose` has an answer.
    pub(crate) fn wait_for<T>(&mut self, what: &str, choose: impl Fn(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(event) = self.pool.try_recv() {
                self.seen.push(event);
            }
            let found = self.seen.iter().enumerate().find_map(|(at, event)| Some((at, choose(event)?)));
            if let Some((at, answer)) = found {
                self.seen.remove(at);
                return answer;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(self.bell.recv_timeout(left).is_ok(), "waited in vain for {what}; seen {:?}", self.seen);
        }
    }

    /// Adds a leg at `local` that speaks with `phone`, PCMA both ways.
    pub(crate) fn leg(&self, leg: u64, local: SocketAddr, phone: &Phone) -> LegKey {
        let key = LegKey(leg);
        self.send(Command::AddLeg { leg: key, port: local.port(), local: local.ip() });
        self.signal(key, phone.address);
        key
    }

    /// Signals that the peer of `leg` is at `remote`.
    pub(crate) fn signal(&self, leg: LegKey, remote: SocketAddr) {
        let learn_from = vec![remote.ip()];
        self.send(Command::SetRemote { leg, negotiated: negotiated(remote), learn_from, timeout: None });
    }

    /// Waits until the thread has carried out everything that was sent so far; `leg` is any leg.
    pub(crate) fn settle(&mut self, leg: LegKey) {
        self.send(Command::Report { leg });
        self.wait_for("Stats", |event| matches!(event, Event::Stats { .. }).then_some(()));
    }

    pub(crate) fn wait_for_locked(&mut self, key: LegKey) -> SocketAddr {
        self.wait_for("Locked", |event| match event {
            Event::Locked { leg, remote } if *leg == key => Some(*remote),
            _ => None,
        })
    }

    pub(crate) fn remove(&mut self, key: LegKey) -> media::LegStats {
        self.send(Command::RemoveLeg { leg: key });
        self.wait_for_removed(key)
    }

    pub(crate) fn wait_for_removed(&mut self, key: LegKey) -> media::LegStats {
        self.wait_for("Removed", |event| match event {
            Event::Removed { leg, stats } if *leg == key => Some(**stats),
            _ => None,
        })
    }
}

pub(crate) fn negotiated(remote: SocketAddr) -> Negotiated {
    Negotiated {
        dtmf_payload_type: None,
        dtmf_payload_type_in: None,
        ..Negotiated::plain(remote, Codec::Pcma)
    }
}

/// A telephone: a socket that sends and hears RTP.
pub(crate) struct Phone {
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
    sequence: u16,
}

/// What a phone hears in one packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) from: SocketAddr,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: Vec<u8>,
}

impl Phone {
    pub(crate) fn new(ip: &str) -> Phone {
        let ip: IpAddr = ip.parse().unwrap();
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        Phone { socket, address, sequence: 100 }
    }

    /// Says 20 ms of `byte`.
    pub(crate) fn say(&mut self, to: SocketAddr, byte: u8) {
        self.sequence = self.sequence.wrapping_add(1);
        let timestamp = u32::from(self.sequence) * 160;
        let mut packet = vec![0x80, 8];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(u32::from(self.address.port()).to_be_bytes());
        packet.extend([byte; 160]);
        self.socket.send_to(&packet, to).unwrap();
    }

    /// The next RTP packet; `None` after [`PATIENCE`].
    pub(crate) fn hear(&self) -> Option<Heard> {
        let mut bytes = [0; 2048];
        let (length, from) = match self.socket.recv_from(&mut bytes) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
            Err(error) => panic!("{error}"),
        };
        let packet = &bytes[..length];
        assert_eq!((packet[0] & 0xc0, packet[1] & 0x7f), (0x80, 8), "RTP with PCMA");
        Some(Heard {
            from,
            sequence: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: u32::from_be_bytes(packet[4..8].try_into().unwrap()),
            ssrc: u32::from_be_bytes(packet[8..12].try_into().unwrap()),
            payload: packet[12..].to_vec(),
        })
    }

    /// Listens until 20 ms of `byte` come; they are there, or the test fails.
    pub(crate) fn hear_byte(&self, byte: u8) -> Heard {
        let deadline = Instant::now() + PATIENCE;
        while let Some(heard) = self.hear() {
            if heard.payload == [byte; 160] {
                return heard;
            }
            assert!(Instant::now() < deadline, "{byte:#04x} was never heard");
        }
        panic!("nothing more is heard, least of all {byte:#04x}");
    }

    /// What waits at this moment.
    pub(crate) fn hear_rest(&self) -> Vec<Heard> {
        self.socket.set_nonblocking(true).unwrap();
        let heard = std::iter::from_fn(|| self.hear()).collect();
        self.socket.set_nonblocking(false).unwrap();
        heard
    }
}
