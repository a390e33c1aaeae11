//! One media thread's bridges in the kernel.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use aya::maps::{HashMap, MapData, MapError, PerCpuArray, PerCpuValues};
use base::Instant;
use media::relay::{Answer, Carried, Flow, Offload as Order, Pair};
use media::{Relay, Slot};

use super::layout::{self, Counts, Key, Place, Stream};
use super::streams::Streams;
use crate::sockets::Sockets;

/// What one thread keeps in the program's maps: places of its own for streams and counts, two per bridge.
pub(crate) struct Table {
    flows: HashMap<MapData, Key, layout::Flow>,
    counts: PerCpuArray<MapData, Counts>,
    streams: Streams,
    processors: usize,
    traffic_class: u8,
    /// Even places that nobody uses; the odd one after it belongs to it.
    free: Vec<u32>,
    /// By the lower slot of a bridge.
    bridges: Vec<Option<Bridge>>,
    used: u64,
}

/// A bridge in the kernel.
#[derive(Clone, Copy, Debug)]
struct Bridge {
    pair: Pair,
    keys: [Key; 2],
    place: u32,
}

/// The program's maps, which all threads share.
pub(super) struct Maps<'a> {
    pub(super) flows: &'a MapData,
    pub(super) counts: &'a MapData,
    pub(super) streams: &'a MapData,
    /// Places for streams in all.
    pub(super) length: usize,
}

impl Table {
    /// A table of the places `first..last` (in bridges), which no other thread has.
    pub(super) fn new(maps: &Maps<'_>, first: u32, last: u32, traffic_class: u8) -> Result<Self, MapError> {
        let again = |data: &MapData| -> Result<MapData, MapError> {
            let fd = data.fd().as_fd().try_clone_to_owned()?;
            MapData::from_fd(fd)
        };
        let streams = Streams::map(&AsRaw(maps.streams), maps.length)?;
        Ok(Table {
            flows: HashMap::try_from(aya::maps::Map::HashMap(again(maps.flows)?))?,
            counts: PerCpuArray::try_from(aya::maps::Map::PerCpuArray(again(maps.counts)?))?,
            streams,
            processors: aya::util::nr_cpus().map_err(|(_, error)| error)?,
            traffic_class,
            free: (first..last).rev().map(|bridge| bridge.saturating_mul(2)).collect(),
            bridges: Vec::new(),
            used: 0,
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
                    if self.begin(pair, &flows, locals) {
                        continue;
                    }
                    Answer::Refused(pair)
                }
                Order::Count(pair) => Answer::Carried(pair, self.count(pair)),
                Order::End(pair) => Answer::Ended(pair, self.end(pair)),
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
    pub(super) fn begin(&mut self, pair: Pair, flows: &[Flow; 2], locals: [Option<SocketAddr>; 2]) -> bool {
        let [Some(a), Some(b)] = locals else { return false };
        let Some(place) = self.free.pop() else { return false };
        let bridge = Bridge { pair, keys: [Key::new(a), Key::new(b)], place };
        if self.fill(&bridge, flows, [a, b]).is_err() {
            self.forget(&bridge);
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

    fn fill(&mut self, bridge: &Bridge, flows: &[Flow; 2], locals: [SocketAddr; 2]) -> Result<(), MapError> {
        let [a, b] = locals;
        let (even, odd) = (bridge.place, bridge.place.saturating_add(1));
        for (flow, stream) in flows.iter().zip([even, odd]) {
            self.streams.write(stream, Stream::new(&flow.position));
            let zero = PerCpuValues::try_from(vec![Counts::default(); self.processors])?;
            self.counts.set(stream, zero, 0)?;
        }
        let ways = [(a, b, even, odd), (b, a, odd, even)];
        for ((flow, key), (at, from, stream, back)) in flows.iter().zip(&bridge.keys).zip(ways) {
            let place = Place { stream, back, traffic_class: self.traffic_class };
            self.flows.insert(key, layout::Flow::new(flow, at, from, place), 0)?;
        }
        Ok(())
    }

    /// Takes a bridge's flows out: the next packet goes up.
    fn forget(&mut self, bridge: &Bridge) {
        for key in &bridge.keys {
            // Only a flow that is not there cannot be removed.
            let _ = self.flows.remove(key);
        }
        self.free.push(bridge.place);
    }

    fn find(&self, pair: Pair) -> Option<Bridge> {
        let bridge = self.bridges.get(pair[0].index()).copied().flatten();
        bridge.filter(|bridge| bridge.pair == pair)
    }

    pub(super) fn count(&self, pair: Pair) -> [Carried; 2] {
        let Some(bridge) = self.find(pair) else { return [Carried::default(); 2] };
        [bridge.place, bridge.place.saturating_add(1)].map(|index| self.count_one(index))
    }

    fn count_one(&self, index: u32) -> Carried {
        let counts = self.counts.get(&index, 0).map(|counts| Counts::sum(counts.iter()));
        // The place is inside the map, so this cannot fail.
        counts.unwrap_or_default().carried(&self.streams.read(index))
    }

    pub(super) fn end(&mut self, pair: Pair) -> [Carried; 2] {
        let Some(bridge) = self.find(pair) else { return [Carried::default(); 2] };
        self.forget(&bridge);
        let carried = self.count(pair);
        if let Some(entry) = self.bridges.get_mut(pair[0].index()) {
            *entry = None;
            self.used = self.used.saturating_sub(1);
        }
        carried
    }

    /// Takes all bridges out: their relay is gone.
    pub(crate) fn clear(&mut self) {
        for bridge in std::mem::take(&mut self.bridges).into_iter().flatten() {
            self.forget(&bridge);
        }
        self.used = 0;
    }
}

/// A map's descriptor as a number.
struct AsRaw<'a>(&'a MapData);

impl std::os::fd::AsRawFd for AsRaw<'_> {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.0.fd().as_fd())
    }
}
