//! The way of nearly every packet: the next voice packet of a settled peer to the listener that he is bridged
//! to, both of them plain telephones. It is decided once what such a packet looks like and what becomes
//! of it, when one has gone the careful way of `receive`; from then on a packet is compared, counted,
//! renumbered and sent, and asks nobody whether there is a key, a recording, a mix or a translation.
//!
//! What changes that decision takes it away ([`Relay::unsettle`]), and the next packet goes the careful way:
//! a command about either leg, a peer who is locked, a packet of any other kind. Both ways do the same to a
//! packet; tests hold one against the other.

use core::net::SocketAddr;

use base::Instant;

use super::leg::{Leg, Payload};
use super::outgoing::Feed;
use super::{Channel, Relay, Sink, Slot};
use crate::Codec;
use crate::codec::{Conversion, conversion};
use crate::rtp::{self, HEADER_BYTES};

/// What a packet of the peer's looks like that may go the short way, and where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    /// The peer, who is locked, and his stream.
    pub(super) from: SocketAddr,
    pub(super) ssrc: u32,
    /// What he calls the voice, and what it is.
    pub(super) payload_type_in: u8,
    pub(super) codec: Codec,
    /// What turns its bytes into the listener's, if they differ.
    pub(super) table: Option<&'static [u8; 256]>,
    /// The listener's place, address, and name for the voice.
    pub(super) listener: u32,
    pub(super) to: SocketAddr,
    pub(super) payload_type_out: u8,
    /// What the peer is to the listener's stream.
    pub(super) feed: Feed,
}

impl Plain {
    /// The packet's sequence number and timestamp, if it is one of these.
    #[inline]
    fn matches(&self, from: SocketAddr, packet: &[u8]) -> Option<(u16, u32)> {
        let &[flags, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = packet.first_chunk::<HEADER_BYTES>()?;
        let is_one = flags == rtp::PLAIN_FLAGS
            && kind & 0x7F == self.payload_type_in
            && u32::from_be_bytes([c0, c1, c2, c3]) == self.ssrc
            && from == self.from;
        is_one.then_some((u16::from_be_bytes([s0, s1]), u32::from_be_bytes([t0, t1, t2, t3])))
    }
}

impl Relay {
    /// Passes a packet on the short way; false, and nothing is done, if it is none for it.
    #[inline]
    pub(super) fn pass_plainly(
        &mut self,
        now: Instant,
        slot: Slot,
        from: SocketAddr,
        packet: &mut [u8],
        out: &mut impl Sink,
    ) -> bool {
        let Some(place) = self.places.get_mut(slot.index()) else { return false };
        if place.generation != slot.generation {
            return false;
        }
        let Some(Leg { plain: Some(plain), incoming: Some(incoming), counted, is_silent, agreed, .. }) =
            &mut place.leg
        else {
            return false;
        };
        let Some((sequence, timestamp)) = plain.matches(from, packet) else { return false };
        if !incoming.next(now, sequence, timestamp, &mut counted.heard) {
            return false;
        }
        if let Some(agreed) = agreed {
            agreed.source.heard(now);
        }
        let octets = packet.len().saturating_sub(HEADER_BYTES);
        counted.packets_in = counted.packets_in.saturating_add(1);
        counted.octets_in = counted.octets_in.saturating_add(octets as u64);
        *is_silent = false;
        self.counters.packets_in = self.counters.packets_in.saturating_add(1);
        let plain = *plain;
        self.send_plainly(now, &plain, packet, out);
        true
    }

    /// Sends such a packet on, in the listener's stream.
    #[inline]
    fn send_plainly(&mut self, now: Instant, plain: &Plain, packet: &mut [u8], out: &mut impl Sink) {
        let Some(place) = self.places.get_mut(plain.listener as usize) else { return };
        let slot = Slot { index: plain.listener, generation: place.generation };
        let Some(leg) = &mut place.leg else { return };
        let Some((header, payload)) = packet.split_first_chunk_mut::<HEADER_BYTES>() else { return };
        if let Some(table) = plain.table {
            translate(table, payload);
        }
        let (theirs, units) = (rtp::read_fixed(header), plain.codec.units(payload));
        let Some(mut ours) = leg.outgoing.relayed(now, plain.feed, &theirs, Some(units), payload.len())
        else {
            self.counters.stale = self.counters.stale.saturating_add(1);
            return;
        };
        ours.payload_type = plain.payload_type_out;
        *header = rtp::write(&ours);
        self.counters.sent(true);
        out.send(slot, Channel::Rtp, plain.to, packet, &[]);
    }

    /// A voice packet of `speaker`'s peer went the careful way to `listener` and was as plain as can be: lets
    /// those like it go the short way, if nothing else is asked of them.
    pub(super) fn settle(&mut self, now: Instant, speaker: Slot, listener: u32, payload_type_in: u8) {
        let leg = |index: u32| self.places.get(index as usize).and_then(|place| place.leg.as_ref());
        let (Some(from), Some(to)) = (leg(speaker.index), leg(listener)) else { return };
        let plain = plain(speaker, from, payload_type_in, listener, to);
        let Some(leg) = self.leg_mut(speaker) else { return };
        leg.plain = plain;
        if leg.plain.is_some() {
            self.may_go_soon(now, speaker);
        }
    }

    /// Something changes about a leg: packets from and to it go the careful way again.
    pub(super) fn unsettle(&mut self, slot: Slot) {
        let Some(leg) = self.leg_mut(slot) else { return };
        leg.plain = None;
        if let Some(peer) = leg.peer
            && let Some(peer) = self.at_mut(peer)
        {
            peer.plain = None;
        }
    }
}

/// Every byte as the other of the two G.711s says it.
#[inline]
pub(super) fn translate(table: &[u8; 256], payload: &mut [u8]) {
    for byte in payload {
        // A table of 256 holds every byte.
        *byte = table.get(usize::from(*byte)).copied().unwrap_or_default();
    }
}

/// The short way from one leg to the other, if there is one.
fn plain(speaker: Slot, from: &Leg, payload_type_in: u8, listener: u32, to: &Leg) -> Option<Plain> {
    let is_kept = from.recorder.is_some() || from.handover.is_carried() || from.awaits_flow;
    let is_special = from.secure.is_some() || to.secure.is_some() || to.translation.is_some();
    let is_theirs = from.peer == Some(listener) && to.peer == Some(speaker.index);
    // With a marker, one of these would look like a report (RFC 5761 §4).
    let is_report = (64..96).contains(&payload_type_in);
    if is_kept || is_special || !is_theirs || is_report || to.is_busy() {
        return None;
    }
    let (theirs, ours) = (from.agreed.as_ref().filter(|agreed| agreed.receives)?, to.agreed.as_ref()?);
    let (address, ssrc) = theirs.source.locked()?;
    let Payload::Voice(codec) = *theirs.payloads.get(usize::from(payload_type_in))? else { return None };
    let table = match conversion(codec, ours.codec) {
        Conversion::Same => None,
        Conversion::Table(table) => Some(table),
        Conversion::Decode => return None,
    };
    from.incoming.as_ref().filter(|incoming| incoming.is(ssrc, codec.info().clock_hz))?;
    Some(Plain {
        from: address,
        ssrc,
        payload_type_in,
        codec,
        table,
        listener,
        to: ours.voice_to()?,
        payload_type_out: ours.payload_type,
        feed: Feed::Peer { leg: speaker.index, generation: speaker.generation, epoch: from.epoch },
    })
}

#[cfg(test)]
mod tests;
