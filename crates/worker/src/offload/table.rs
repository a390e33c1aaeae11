//! One media thread's bridges in the kernel.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use aya::maps::{Map, MapData, MapError, PerCpuArray, PerCpuValues};
use base::Instant;
use media::relay::{Answer, Carried, Flow, Offload as Order, Pair};
use media::{Relay, Slot};

use super::directory::Directory;
use super::layout::{self, Counts, Stream};
use super::places::Places;
use super::streams::Streams;
use crate::sockets::Sockets;

/// What one thread keeps in the program's maps: places of its own, two per bridge, each for a flow, its stream and its
/// counts.
pub(crate) struct Table {
    directory: Arc<Directory>,
    counts: PerCpuArray<MapData, Counts>,
    streams: Streams,
    processors: usize,
    traffic_class: u8,
    places: Places,
    /// By the lower slot of a bridge.
    bridges: Vec<Option<Bridge>>,
    used: u64,
    used_max: u64,
}

/// A bridge in the kernel.
#[derive(Clone, Copy, Debug)]
struct Bridge {
    pair: Pair,
    ports: [u16; 2],
    place: u32,
}

/// What of the program's maps the threads share, and what is to be done with them.
pub(super) struct Maps<'a> {
    pub(super) directory: &'a Arc<Directory>,
    pub(super) counts: &'a MapData,
    pub(super) streams: &'a MapData,
    /// Places for streams in all.
    pub(super) length: usize,
    pub(super) traffic_class: u8,
}

impl Table {
    /// A table of at most `calls_max` bridges at `places`, which no other thread has.
    pub(super) fn new(maps: &Maps<'_>, places: Places, calls_max: u32) -> Result<Self, MapError> {
        let counts = MapData::from_fd(maps.counts.fd().as_fd().try_clone_to_owned()?)?;
        Ok(Table {
            directory: Arc::clone(maps.directory),
            counts: PerCpuArray::try_from(Map::PerCpuArray(counts))?,
            streams: Streams::map(maps.streams, maps.length)?,
            processors: aya::util::nr_cpus().map_err(|(_, error)| error)?,
            traffic_class: maps.traffic_class,
            places,
            bridges: Vec::new(),
            used: 0,
            used_max: u64::from(calls_max),
        })
    }

    /// Bridges now.
    pub(crate) fn len(&self) -> u64 {
        self.used
    }

    /// Carries out what `relay` orders, and answers.
    pub(crate) fn carry_out(&mut self, now: Instant, relay: &mut Relay, sockets: &mut Sockets) {
        while let Some(order) = relay.poll_offload() {
            let answer = match order {
                Order::Begin(flows) => {
                    let pair = [flows[0].speaker, flows[1].speaker];
                    let locals = pair.map(|slot| sockets.local(slot));
                    if self.begin(now, pair, &flows, locals) {
                        continue;
                    }
                    Answer::Refused(pair)
                }
                Order::Count(pair) => Answer::Carried(pair, self.count(pair)),
                Order::End(pair) => Answer::Ended(pair, self.end(now, pair)),
            };
            relay.offloaded(now, answer, sockets);
        }
    }

    /// Tells `relay` how far the bridge of `slot` has come, if it is here: before a packet of its is handed in.
    pub(crate) fn tell(&mut self, now: Instant, slot: Slot, relay: &mut Relay, sockets: &mut Sockets) {
        if let Some(pair) = relay.carried_pair(slot) {
            relay.offloaded(now, Answer::Carried(pair, self.count(pair)), sockets);
        }
    }

    /// `false` if all places are taken, or the kernel refuses.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        pair: Pair,
        flows: &[Flow; 2],
        locals: [Option<SocketAddr>; 2],
    ) -> bool {
        let [Some(a), Some(b)] = locals else { return false };
        if self.used >= self.used_max {
            return false;
        }
        let Some(place) = self.places.take(now) else { return false };
        let bridge = Bridge { pair, ports: [a.port(), b.port()], place };
        if !self.fill(&bridge, flows, [a, b]) {
            self.forget(now, &bridge);
            return false;
        }
        let index = pair[0].index();
        if self.bridges.len() <= index {
            self.bridges.resize(index.saturating_add(1), None);
        }
        if let Some(entry) = self.bridges.get_mut(index) {
            *entry = Some(bridge);
            self.used = self.used.saturating_add(1);
        }
        true
    }

    /// Both flows are written before one is published: a flow's packets are sent the way that the other's came.
    fn fill(&mut self, bridge: &Bridge, flows: &[Flow; 2], locals: [SocketAddr; 2]) -> bool {
        let [a, b] = locals;
        for ((flow, (at, from)), place) in flows.iter().zip([(a, b), (b, a)]).zip(bridge.places()) {
            let Some(written) = layout::Flow::new(flow, at, from, self.traffic_class) else { return false };
            self.directory.write(place, written);
            self.streams.write(place, Stream::new(&flow.position));
            let zero = PerCpuValues::try_from(vec![Counts::default(); self.processors]);
            if zero.map_err(MapError::from).and_then(|zero| self.counts.set(place, zero, 0)).is_err() {
                return false;
            }
        }
        let mut flows = bridge.flows();
        flows.all(|(port, place)| self.directory.publish(port, place))
    }

    /// Takes a bridge's flows out: the next packet goes up.
    fn forget(&mut self, now: Instant, bridge: &Bridge) {
        for (port, place) in bridge.flows() {
            self.directory.withdraw(port, place);
        }
        self.places.give_back(now, bridge.place);
    }

    fn find(&self, pair: Pair) -> Option<Bridge> {
        let bridge = self.bridges.get(pair[0].index()).copied().flatten();
        bridge.filter(|bridge| bridge.pair == pair)
    }

    pub(super) fn count(&self, pair: Pair) -> [Carried; 2] {
        let Some(bridge) = self.find(pair) else { return [Carried::default(); 2] };
        bridge.places().map(|place| self.count_one(place))
    }

    fn count_one(&self, place: u32) -> Carried {
        let counts = self.counts.get(&place, 0).map(|counts| Counts::sum(counts.iter()));
        // The place is inside the map, so this cannot fail.
        counts.unwrap_or_default().carried(&self.streams.read(place))
    }

    pub(super) fn end(&mut self, now: Instant, pair: Pair) -> [Carried; 2] {
        let Some(bridge) = self.find(pair) else { return [Carried::default(); 2] };
        self.forget(now, &bridge);
        let carried = self.count(pair);
        if let Some(entry) = self.bridges.get_mut(pair[0].index()) {
            *entry = None;
            self.used = self.used.saturating_sub(1);
        }
        carried
    }

    /// Takes all bridges out: their relay is gone.
    pub(crate) fn clear(&mut self, now: Instant) {
        for bridge in std::mem::take(&mut self.bridges).into_iter().flatten() {
            self.forget(now, &bridge);
        }
        self.used = 0;
    }
}

impl Bridge {
    /// Of its flows.
    fn places(&self) -> [u32; 2] {
        [self.place, self.place.saturating_add(1)]
    }

    fn flows(&self) -> impl Iterator<Item = (u16, u32)> {
        self.ports.into_iter().zip(self.places())
    }
}
