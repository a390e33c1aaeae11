//! A network of datagrams: it delays, loses, doubles and reorders as told, by a seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Instant, Rng};

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
    flying: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    rng: Rng,
}

impl Net {
    /// An empty network.
    pub fn new(weather: Weather, rng: Rng) -> Self {
        Net { weather, flying: BTreeMap::new(), sent: 0, rng }
    }

    /// Puts a packet on its way, or loses it.
    pub fn send(&mut self, now: Instant, packet: Packet) {
        if self.rng.unit() < self.weather.loss {
            return;
        }
        if self.rng.unit() < self.weather.doubled {
            self.fly(now, packet.clone());
        }
        self.fly(now, packet);
    }

    fn fly(&mut self, now: Instant, packet: Packet) {
        let jitter_ns = u64::try_from(self.weather.jitter.as_nanos()).unwrap_or(u64::MAX);
        let extra = Duration::from_nanos(self.rng.below(jitter_ns.max(1)));
        self.sent += 1;
        self.flying.insert((now + self.weather.delay + extra, self.sent), packet);
    }

    /// When the next packet arrives.
    pub fn next(&self) -> Option<Instant> {
        self.flying.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next packet that has arrived by `now`.
    pub fn arrive(&mut self, now: Instant) -> Option<Packet> {
        let entry = self.flying.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}
