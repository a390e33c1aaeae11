//! A network of datagrams: it delays, loses, doubles, reorders and cuts off as told, by a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use base::{Duration, Instant, Rng};

use crate::fault::Fault;

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Shortest way.
    pub delay: Duration,
    /// What may be added to it, evenly: more than the distance of two packets reorders them.
    pub jitter: Duration,
    /// Share of packets lost.
    pub loss: f64,
    /// Share of packets that arrive twice.
    pub doubled: f64,
}

impl Weather {
    /// One millisecond, nothing lost.
    pub const FINE: Weather =
        Weather { delay: Duration::from_millis(1), jitter: Duration::ZERO, loss: 0.0, doubled: 0.0 };
    /// Ten of a hundred lost, five doubled, up to 40 ms out of order.
    pub const STORM: Weather = Weather {
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(40),
        loss: 0.10,
        doubled: 0.05,
    };
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
}

/// Packets on their way.
#[derive(Debug)]
pub struct Net {
    /// How bad it is now.
    pub weather: Weather,
    /// Hosts that nothing reaches and from which nothing comes.
    pub cut: BTreeSet<IpAddr>,
    /// Which of its faults have happened.
    pub faults: BTreeSet<Fault>,
    flying: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    /// The latest arrival of what is on its way, for telling whether something overtakes it.
    latest: Instant,
    rng: Rng,
}

impl Net {
    /// An empty network.
    pub fn new(weather: Weather, rng: Rng) -> Self {
        Net {
            weather,
            cut: BTreeSet::new(),
            faults: BTreeSet::new(),
            flying: BTreeMap::new(),
            sent: 0,
            latest: Instant::ZERO,
            rng,
        }
    }

    /// Puts a packet on its way, or loses it.
    pub fn send(&mut self, now: Instant, packet: Packet) {
        if self.is_cut(&packet) {
            return;
        }
        if self.rng.unit() < self.weather.loss {
            self.faults.insert(Fault::Loss);
            return;
        }
        if self.rng.unit() < self.weather.doubled {
            self.faults.insert(Fault::Doubled);
            self.fly(now, packet.clone());
        }
        self.fly(now, packet);
    }

    fn fly(&mut self, now: Instant, packet: Packet) {
        let jitter_ns = u64::try_from(self.weather.jitter.as_nanos()).unwrap_or(u64::MAX);
        let extra = Duration::from_nanos(self.rng.below(jitter_ns.max(1)));
        let at = now + self.weather.delay + extra;
        if at < self.latest {
            self.faults.insert(Fault::Reordered);
        }
        if at - now >= Duration::from_millis(100) {
            self.faults.insert(Fault::Delay);
        }
        self.latest = self.latest.max(at);
        self.sent += 1;
        self.flying.insert((at, self.sent), packet);
    }

    fn is_cut(&self, packet: &Packet) -> bool {
        self.cut.contains(&packet.from.ip()) || self.cut.contains(&packet.to.ip())
    }

    /// When the next packet arrives.
    pub fn next(&self) -> Option<Instant> {
        self.flying.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next packet that has arrived by `now`.
    pub fn arrive(&mut self, now: Instant) -> Option<Packet> {
        loop {
            let entry = self.flying.first_entry().filter(|entry| entry.key().0 <= now)?;
            let packet = entry.remove();
            if !self.is_cut(&packet) {
                return Some(packet);
            }
        }
    }
}
