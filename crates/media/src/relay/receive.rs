//! A packet's way in, and through to the leg bridged to it. Nothing here allocates, except that an
//! event's queue may grow.

use core::net::SocketAddr;
use core::ops::Range;

use base::Instant;

use super::command::Event;
use super::incoming::{Incoming, Verdict};
use super::leg::{Leg, Payload, RepeatedEvent};
use super::outgoing::Feed;
use super::plain;
use super::recorder::Kept;
use super::secure::{self, Secure, Wire};
use super::source::Admission;
use super::translation::Translation;
use super::{Channel, Counters, Relay, Sink, Slot};
use crate::Codec;
use crate::codec::{Conversion, conversion};
use crate::dtmf::Press;
use crate::rtp::Header;
use crate::srtp::Refused;
use crate::{dtmf, rtcp, rtp};

/// Who listens to a peer.
#[derive(Clone, Copy)]
enum Listener {
    Leg(u32),
    Mix(u32),
}

/// A packet that the peer really sent, for whoever listens to him.
struct Passed {
    to: Listener,
    feed: Feed,
    /// His leg, and the clock of his events.
    from: Slot,
    event_clock_hz: u32,
    header: Header,
    payload: Range<usize>,
    kind: Payload,
    verdict: Verdict,
    /// It has a header without more, and no padding.
    is_plain: bool,
    /// Others of his are carried below.
    is_carried: bool,
}

/// Events of one packet.
#[derive(Default)]
struct Told {
    locked: Option<SocketAddr>,
    flowing: bool,
    presses: [Option<Press>; 2],
    opened_key: bool,
    recorded_all: bool,
}

impl Relay {
    /// A packet arrived on a leg's socket. Allocates nothing, never logs. `packet` may be changed.
    pub fn receive(
        &mut self,
        now: Instant,
        slot: Slot,
        channel: Channel,
        from: SocketAddr,
        packet: &mut [u8],
        out: &mut impl Sink,
    ) {
        if channel == Channel::Rtp && self.pass_plainly(now, slot, from, packet, out) {
            return;
        }
        self.receive_carefully(now, slot, channel, from, packet, out);
    }

    /// The same for whatever has not got a short way.
    #[inline(never)]
    fn receive_carefully(
        &mut self,
        now: Instant,
        slot: Slot,
        channel: Channel,
        from: SocketAddr,
        packet: &mut [u8],
        out: &mut impl Sink,
    ) {
        let is_report = match channel {
            Channel::Rtcp => true,
            Channel::Rtp => rtp::is_rtcp(packet),
        };
        if is_report {
            return self.receive_rtcp(now, slot, channel, from, packet);
        }
        let Some(passed) = self.admit(now, slot, from, packet) else { return };
        let (kind, is_carried) = (passed.kind, passed.is_carried);
        match passed.to {
            Listener::Leg(to) => self.pass(now, to, passed, packet, out),
            Listener::Mix(mix) => self.pass_to_mix(mix, &passed, packet),
        }
        if is_carried {
            self.came_up(now, slot, kind);
        }
    }

    /// Decides whether the packet is the peer's, and notes what it tells.
    #[inline]
    fn admit(&mut self, now: Instant, slot: Slot, from: SocketAddr, packet: &mut [u8]) -> Option<Passed> {
        let counters = &mut self.counters;
        let place = self.places.get_mut(slot.index())?;
        let leg = match &mut place.leg {
            Some(leg) if place.generation == slot.generation => leg,
            _ => {
                counters.no_leg = counters.no_leg.saturating_add(1);
                return None;
            }
        };
        let known = match leg.identify(now, from, packet) {
            Ok(known) => known,
            Err(why) => {
                leg.dropped(why, counters);
                return None;
            }
        };
        leg.plain = None;
        let mut told = Told { locked: known.locked.then_some(from), ..Told::default() };
        let verdict = leg.hear(now, &known);
        if verdict == Verdict::Stale {
            leg.dropped(Dropped::Stale, counters);
            if known.locked {
                self.tell(slot, told);
            }
            return None;
        }
        counters.packets_in = counters.packets_in.saturating_add(1);
        told.flowing = core::mem::take(&mut leg.awaits_flow);
        if known.kind == Payload::Dtmf {
            let was_open = leg.keys_in.is_open();
            let event = packet.get(known.payload.clone()).unwrap_or_default();
            told.presses = leg.keys_in.packet(now, known.header.timestamp, event);
            told.opened_key = !was_open && leg.keys_in.is_open();
        }
        if leg.recorder.is_some() && known.receives {
            match leg.keep(now, &known, packet) {
                Kept::Yes => {}
                Kept::Full => told.recorded_all = true,
                Kept::Untranslatable => counters.untranslatable = counters.untranslatable.saturating_add(1),
            }
        }
        let is_plain = known.payload == (rtp::HEADER_BYTES..packet.len());
        let is_carried = leg.handover.is_carried();
        let feed = Feed::Peer { leg: slot.index, generation: slot.generation, epoch: leg.epoch };
        let event_clock_hz = leg.agreed.as_ref().map_or(dtmf::CLOCK_HZ, |agreed| agreed.dtmf_clock_hz);
        let to = leg.peer.map(Listener::Leg).or(leg.mix.map(Listener::Mix)).filter(|_| known.receives);
        if told.flowing || known.locked || told.recorded_all || known.kind == Payload::Dtmf {
            self.tell(slot, told);
        }
        let Known { header, payload, kind, .. } = known;
        let from = slot;
        to.map(|to| Passed {
            to,
            feed,
            from,
            event_clock_hz,
            header,
            payload,
            kind,
            verdict,
            is_plain,
            is_carried,
        })
    }

    #[cold]
    fn tell(&mut self, slot: Slot, told: Told) {
        let Some(leg) = self.leg_mut(slot) else { return };
        let key = leg.key;
        let pressed = told.presses.iter().flatten().count() as u64;
        leg.counted.digits_in = leg.counted.digits_in.saturating_add(pressed);
        if told.opened_key && !self.keys_open.contains(&slot) {
            self.keys_open.push(slot);
        }
        if let Some(remote) = told.locked {
            // Who speaks to him must send elsewhere now.
            self.unsettle(slot);
            self.emit(Event::Locked { leg: key, remote });
        }
        if told.flowing {
            self.emit(Event::Flowing { leg: key });
        }
        for Press { digit, duration_ms } in told.presses.into_iter().flatten() {
            self.emit(Event::Digit { leg: key, digit, duration_ms });
        }
        if told.recorded_all {
            self.end_recording(slot);
        }
    }

    /// Sends the peer's packet on, in the listener's stream.
    #[inline]
    fn pass(&mut self, now: Instant, to: u32, passed: Passed, packet: &mut [u8], out: &mut impl Sink) {
        let counters = &mut self.counters;
        let Some(place) = self.places.get_mut(to as usize) else { return };
        let slot = Slot { index: to, generation: place.generation };
        let Some(leg) = &mut place.leg else { return };
        if leg.is_busy() {
            return leg.hear_nothing();
        }
        let Some(agreed) = &leg.agreed else { return };
        let Some(address) = agreed.voice_to() else {
            // A listener on hold: what he is not sent must not be missing afterwards.
            if passed.verdict == Verdict::Next {
                leg.outgoing.absorbed(passed.feed, passed.header.sequence);
            }
            return;
        };
        let wire = Wire { slot, channel: Channel::Rtp, to: address };
        let Some(payload) = packet.get_mut(passed.payload.clone()) else { return };
        let (payload_type, voice) = match passed.kind {
            Payload::Voice(codec) => {
                match conversion(codec, agreed.codec) {
                    Conversion::Same => {}
                    Conversion::Table(table) => plain::translate(table, payload),
                    Conversion::Decode => {
                        if leg.translate(&passed, codec, payload) {
                            self.settle_ticks(to);
                        }
                        return;
                    }
                }
                (Some(agreed.payload_type), Some(codec.units(payload)))
            }
            Payload::Dtmf if leg.repeats_events(passed.event_clock_hz) => {
                if let Some(sent) = leg.repeat_event(now, &passed, payload, wire, out) {
                    counters.sent(sent);
                }
                return;
            }
            Payload::Dtmf => (agreed.dtmf_payload_type, None),
            Payload::Unknown => (None, None),
        };
        let Passed { feed, header, verdict, .. } = &passed;
        let Some(payload_type) = payload_type else {
            // A listener who takes no events: `call` heard the key and can tell him otherwise.
            if *verdict == Verdict::Next {
                leg.outgoing.absorbed(*feed, header.sequence);
            }
            return;
        };
        let Some(mut header) = leg.outgoing.relayed(now, *feed, header, voice, payload.len()) else {
            counters.stale = counters.stale.saturating_add(1);
            return;
        };
        header.payload_type = payload_type;
        counters.sent(secure::send(&mut leg.secure, wire, &rtp::write(&header), payload, out));
        if leg.translation.is_some() && voice.is_some() {
            // The peer changed to a codec that needs no translation.
            leg.end_translation();
            self.settle_ticks(to);
        }
        if passed.is_plain && voice.is_some() {
            self.settle(now, passed.from, to, passed.header.payload_type);
        }
    }

    /// Hands the peer's packet to the mix that he is in.
    fn pass_to_mix(&mut self, mix: u32, passed: &Passed, packet: &[u8]) {
        let Some(Some(mix)) = self.mixes.get_mut(mix as usize) else { return };
        match passed.kind {
            Payload::Voice(codec) => {
                let payload = packet.get(passed.payload.clone()).unwrap_or_default();
                mix.packet(passed.from.index, passed.feed, &passed.header, codec, payload);
            }
            Payload::Dtmf => mix.hush(passed.from.index),
            Payload::Unknown => {}
        }
    }

    fn receive_rtcp(
        &mut self,
        now: Instant,
        slot: Slot,
        channel: Channel,
        from: SocketAddr,
        packet: &mut [u8],
    ) {
        let counters = &mut self.counters;
        let Some(place) = self.places.get_mut(slot.index()) else { return };
        let leg = match &mut place.leg {
            Some(leg) if place.generation == slot.generation => leg,
            _ => {
                counters.no_leg = counters.no_leg.saturating_add(1);
                return;
            }
        };
        match leg.identify_report(channel, from, packet) {
            Ok(packet) => {
                counters.rtcp_in = counters.rtcp_in.saturating_add(1);
                // Cannot fail: it was read whole before.
                let _ = rtcp::read(packet, |item| leg.reported(now, item));
            }
            Err(why) => leg.dropped(why, counters),
        }
    }
}

/// Why a packet goes no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dropped {
    Stranger,
    Malformed,
    WrongSsrc,
    Stale,
    Refused(Refused),
}

/// A packet of the peer's.
struct Known {
    header: Header,
    payload: Range<usize>,
    kind: Payload,
    /// It settled who the peer is.
    locked: bool,
    /// Whether we agreed to hear anything.
    receives: bool,
}

/// The packet as it was before it was protected, where keys were agreed on.
#[inline]
fn open<'a>(
    secure: &mut Option<Box<Secure>>,
    is_report: bool,
    packet: &'a mut [u8],
) -> Result<&'a [u8], Dropped> {
    let Some(secure) = secure else { return Ok(packet) };
    let length = secure.open(is_report, packet).map_err(Dropped::Refused)?;
    packet.get(..length).ok_or(Dropped::Malformed)
}

impl Leg {
    /// Prompts or keys are sent instead of the other side's voice.
    fn hear_nothing(&mut self) {
        if let Some(translation) = &mut self.translation {
            translation.forget();
        }
    }

    /// Lets a packet of the other side's be heard in this side's codec; true if that has just begun.
    fn translate(&mut self, passed: &Passed, codec: Codec, payload: &[u8]) -> bool {
        let Some(agreed) = &self.agreed else { return false };
        let begins = self.translation.is_none();
        let fresh = || Box::new(Translation::new(passed.feed, codec, payload.len(), agreed));
        let translation = self.translation.get_or_insert_with(fresh);
        translation.packet(passed.feed, &passed.header, codec, payload, agreed.codec);
        begins
    }

    /// Whether the other side's events cannot be passed on packet by packet: between clocks, and where our
    /// voice is not his packets.
    fn repeats_events(&self, clock_hz: u32) -> bool {
        self.translation.is_some()
            || self.agreed.as_ref().is_some_and(|agreed| {
                agreed.dtmf_clock_hz != clock_hz || agreed.codec.info().clock_hz != clock_hz
            })
    }

    /// Says an event of the other side's again, in this side's clock. `None`: nothing was to be sent.
    fn repeat_event(
        &mut self,
        now: Instant,
        passed: &Passed,
        payload: &[u8],
        wire: Wire,
        out: &mut impl Sink,
    ) -> Option<bool> {
        let agreed = self.agreed.as_ref()?;
        let payload_type = agreed.dtmf_payload_type?;
        if let Some(translation) = &mut self.translation {
            translation.hush(now);
        }
        if passed.verdict == Verdict::Late {
            // Later packets of the event said all of it, and more.
            return None;
        }
        let payload = dtmf::rescale(payload, passed.event_clock_hz, agreed.dtmf_clock_hz)?;
        let (feed, theirs) = (passed.feed, passed.header.timestamp);
        let known = self.repeated_event.filter(|event| event.feed == feed && event.theirs == theirs);
        let ours = known.map_or_else(|| self.outgoing.local_timestamp(now), |event| event.ours);
        self.repeated_event = Some(RepeatedEvent { feed, theirs, ours });
        let header = self.outgoing.event(known.is_none(), payload_type, ours, payload.len());
        Some(secure::send(&mut self.secure, wire, &rtp::write(&header), &payload, out))
    }

    /// Whose packet is it? The address first: a stranger costs no more than the comparison.
    #[inline]
    fn identify(&mut self, now: Instant, from: SocketAddr, packet: &mut [u8]) -> Result<Known, Dropped> {
        // Before signalling named anybody, everybody is a stranger.
        let agreed = self.agreed.as_mut().ok_or(Dropped::Stranger)?;
        if !agreed.source.may_be(from) {
            return Err(Dropped::Stranger);
        }
        // Nothing is learned from a packet before its tag fits.
        let packet = open(&mut self.secure, false, packet)?;
        let rtp::Packet { header, payload } = rtp::parse(packet).map_err(|_| Dropped::Malformed)?;
        let kind = match agreed.payloads.get(usize::from(header.payload_type)) {
            None | Some(Payload::Unknown) => return Err(Dropped::Malformed),
            Some(kind) => *kind,
        };
        let locked = match agreed.source.admit(now, from, header.ssrc) {
            Admission::Peer | Admission::PeerRenamed => false,
            Admission::PeerLocked => true,
            Admission::Stranger => return Err(Dropped::Stranger),
            Admission::WrongSsrc => return Err(Dropped::WrongSsrc),
        };
        Ok(Known { header, payload, kind, locked, receives: agreed.receives })
    }

    /// Notes a packet of the peer's: its place in his stream, or that he began another.
    #[inline]
    fn hear(&mut self, now: Instant, known: &Known) -> Verdict {
        let Known { header, payload, kind, .. } = known;
        let heard = &mut self.counted.heard;
        let clock_hz = match kind {
            Payload::Voice(codec) => Some(codec.info().clock_hz),
            Payload::Dtmf | Payload::Unknown => None,
        };
        let agreed = self.agreed.as_ref().map_or(dtmf::CLOCK_HZ, |agreed| agreed.codec.info().clock_hz);
        let verdict = match &mut self.incoming {
            Some(incoming) if incoming.ssrc() == header.ssrc => incoming.packet(now, header, clock_hz, heard),
            other => {
                if let Some(before) = other.replace(Incoming::new(now, header, clock_hz.unwrap_or(agreed))) {
                    before.ended(heard);
                }
                Verdict::Restart
            }
        };
        match verdict {
            Verdict::Stale => return verdict,
            Verdict::Restart => {
                self.epoch = self.epoch.wrapping_add(1);
                self.keys_in = self.keys_in.anew();
                self.handover.disturbed(now);
            }
            Verdict::Next | Verdict::Ahead | Verdict::Late => {}
        }
        self.counted.packets_in = self.counted.packets_in.saturating_add(1);
        self.counted.octets_in = self.counted.octets_in.saturating_add(payload.len() as u64);
        self.is_silent = false;
        verdict
    }

    /// Hands a packet of the peer's to the recording.
    #[cold]
    fn keep(&mut self, now: Instant, known: &Known, packet: &[u8]) -> Kept {
        let Known { header, payload, kind, .. } = known;
        let (Some(recorder), &Payload::Voice(codec)) = (&mut self.recorder, kind) else { return Kept::Yes };
        let voice = packet.get(payload.clone()).unwrap_or_default();
        recorder.voice(now, self.epoch, header.timestamp, codec, voice)
    }

    /// Whose report is it? Reports on the voice port are only for who agreed to that; the whole packet
    /// must be sound before any of it is believed.
    fn identify_report<'a>(
        &mut self,
        channel: Channel,
        from: SocketAddr,
        packet: &'a mut [u8],
    ) -> Result<&'a [u8], Dropped> {
        let agreed = self.agreed.as_mut().ok_or(Dropped::Stranger)?;
        if !agreed.source.may_report(from) {
            return Err(Dropped::Stranger);
        }
        if channel == Channel::Rtp && !agreed.muxed {
            return Err(Dropped::Malformed);
        }
        let packet = open(&mut self.secure, true, packet)?;
        let sender = rtcp::read(packet, |_| {}).map_err(|_| Dropped::Malformed)?;
        match agreed.source.admit_rtcp(from, sender) {
            Admission::Peer | Admission::PeerLocked | Admission::PeerRenamed => Ok(packet),
            Admission::Stranger => Err(Dropped::Stranger),
            Admission::WrongSsrc => Err(Dropped::WrongSsrc),
        }
    }

    /// Counts: all that a stranger gets.
    fn dropped(&mut self, why: Dropped, counters: &mut Counters) {
        let (mine, all) = match why {
            Dropped::Stranger => (Some(&mut self.counted.strangers), &mut counters.strangers),
            Dropped::Malformed => (Some(&mut self.counted.malformed), &mut counters.malformed),
            Dropped::WrongSsrc => (None, &mut counters.wrong_ssrc),
            Dropped::Stale => (None, &mut counters.stale),
            Dropped::Refused(Refused::Malformed) => {
                (Some(&mut self.counted.malformed), &mut counters.malformed)
            }
            Dropped::Refused(Refused::Replayed) => (None, &mut counters.replayed),
            Dropped::Refused(Refused::Forged | Refused::Exhausted | Refused::TooManyStreams) => {
                (None, &mut counters.forged)
            }
        };
        for count in mine.into_iter().chain([all]) {
            *count = count.saturating_add(1);
        }
    }
}
