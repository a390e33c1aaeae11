//! Packets of a stream that is decoded, waiting for their turn. A ring by sequence number: what is too far
//! ahead of its beginning finds no place in it.

use crate::Codec;
use crate::codec::PAYLOAD_BYTES_MAX;

/// Packets that may wait: 640 ms of 20 ms each.
pub(super) const PACKETS_MAX: u16 = 32;

/// One packet that waits.
#[derive(Clone, Debug, Default)]
struct Place {
    /// `None`: nothing waits here.
    packet: Option<Packet>,
    /// Keeps its room when the packet is gone.
    payload: Vec<u8>,
}

/// What is known of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Packet {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) codec: Codec,
}

/// The ring.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    places: Vec<Place>,
    count: u16,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Put {
    Waits,
    /// It is there already, or too long to be voice.
    Refused,
}

impl Ring {
    /// With room for packets of `bytes`; longer ones make more when they come.
    pub(super) fn new(bytes: usize) -> Self {
        let place = |_| Place { packet: None, payload: Vec::with_capacity(bytes) };
        Ring { places: (0..PACKETS_MAX).map(place).collect(), count: 0 }
    }

    fn place(&self, sequence: u16) -> Option<&Place> {
        self.places.get(usize::from(sequence % PACKETS_MAX))
    }

    /// Keeps a packet. Whoever was at its place is too old to matter.
    pub(super) fn put(&mut self, packet: Packet, payload: &[u8]) -> Put {
        let Some(place) = self.places.get_mut(usize::from(packet.sequence % PACKETS_MAX)) else {
            return Put::Refused;
        };
        if place.packet.is_some_and(|other| other.sequence == packet.sequence)
            || payload.len() > PAYLOAD_BYTES_MAX
        {
            return Put::Refused;
        }
        if place.packet.replace(packet).is_none() {
            self.count = self.count.saturating_add(1);
        }
        place.payload.clear();
        place.payload.extend_from_slice(payload);
        Put::Waits
    }

    /// The packet of that number, if it waits.
    pub(super) fn get(&self, sequence: u16) -> Option<(Packet, &[u8])> {
        let place = self.place(sequence)?;
        let packet = place.packet.filter(|packet| packet.sequence == sequence)?;
        Some((packet, &place.payload))
    }

    /// Its turn is over.
    pub(super) fn forget(&mut self, sequence: u16) {
        let place = self.places.get_mut(usize::from(sequence % PACKETS_MAX));
        if place.is_some_and(|place| place.packet.take_if(|packet| packet.sequence == sequence).is_some()) {
            self.count = self.count.saturating_sub(1);
        }
    }

    /// The first packet that waits from `sequence` on.
    pub(super) fn first_from(&self, sequence: u16) -> Option<Packet> {
        if self.count == 0 {
            return None;
        }
        (0..PACKETS_MAX).find_map(|n| Some(self.get(sequence.wrapping_add(n))?.0))
    }

    /// All that wait, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = Packet> {
        self.places.iter().filter_map(|place| place.packet)
    }

    pub(super) fn clear(&mut self) {
        for place in &mut self.places {
            place.packet = None;
        }
        self.count = 0;
    }
}
