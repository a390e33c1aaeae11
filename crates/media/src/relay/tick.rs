//! What leaves on our own account: prompts, music, keys, silence; reports; and what did not come.

use base::{Duration, Instant, LegKey};

use super::command::Event;
use super::leg::{Agreed, Leg};
use super::outgoing::Outgoing;
use super::secure::{self, Secure, Wire};
use super::wheel::PHASES;
use super::{Channel, Counters, Relay, Sink, Slot};
use crate::Codec;
use crate::codec::FRAME_BYTES_MAX;
use crate::dtmf::{Press, SenderTick};
use crate::rtcp::{self, SenderInfo};
use crate::rtp;

/// Frames between two visits of a leg's housekeeping: one second.
const ROUND_FRAMES: u64 = 50;
/// The stream's source number of idle silence; players count from 1.
const SILENCE: u32 = 0;
/// And that of a translation.
const TRANSLATED: u32 = u32::MAX;
/// A tick later than this is counted.
const LATE_MS: u64 = 20;

/// What a leg has sent the last of.
enum Ended {
    Prompts { token: u64 },
    Keys { dropped: usize },
}

impl Relay {
    /// Sends what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut impl Sink) {
        if self.counters.legs == 0 {
            return;
        }
        let Some(turn) = self.wheel.turn(now) else { return };
        let skipped = turn.skipped_ms / PHASES as u64;
        self.counters.skipped_ticks = self.counters.skipped_ticks.saturating_add(skipped);
        for ms in turn.first_ms..=turn.last_ms {
            if turn.last_ms.saturating_sub(ms) >= LATE_MS {
                self.counters.late_ticks = self.counters.late_ticks.saturating_add(1);
            }
            self.tick_list(ms, out);
            self.tick_mixes(ms, out);
            if ms.is_multiple_of(PHASES as u64) {
                self.keep_house(now, ms / PHASES as u64, out);
            }
        }
    }

    /// All legs whose frame begins at `ms`.
    fn tick_list(&mut self, ms: u64, out: &mut impl Sink) {
        let at = Instant::from_millis(ms);
        let mut scratch = [0; FRAME_BYTES_MAX];
        // No leg joins or leaves the list meanwhile: those that end are settled after it.
        let list = self.wheel.take(ms);
        for &index in &list {
            let Some(place) = self.places.get_mut(index as usize) else { continue };
            let slot = Slot { index, generation: place.generation };
            let Some(leg) = &mut place.leg else { continue };
            let ended = tick_leg(leg, slot, at, &mut scratch, &mut self.counters, out);
            if let Some(ended) = ended {
                let key = leg.key;
                self.tell_ended(key, &ended);
                self.ended.push(index);
            }
        }
        self.wheel.give_back(ms, list);
        while let Some(index) = self.ended.pop() {
            self.settle_ticks(index);
        }
    }

    #[cold]
    fn tell_ended(&mut self, leg: LegKey, ended: &Ended) {
        match *ended {
            Ended::Prompts { token } => self.emit(Event::PlayDone { leg, token }),
            Ended::Keys { dropped } => {
                self.emit(Event::DigitsSent { leg });
                let dropped = dropped as u64;
                self.counters.digits_dropped = self.counters.digits_dropped.saturating_add(dropped);
            }
        }
    }

    /// Keys whose end was lost; recordings at their end; and a fiftieth of the legs: reports and timeouts.
    fn keep_house(&mut self, now: Instant, frame: u64, out: &mut impl Sink) {
        self.end_keys(now);
        self.end_recordings(now);
        self.let_go(now);
        let first = frame % ROUND_FRAMES;
        let mut index = u32::try_from(first).unwrap_or(0);
        while (index as usize) < self.places.len() {
            self.visit(now, index, out);
            index = index.saturating_add(ROUND_FRAMES as u32);
        }
    }

    fn end_keys(&mut self, now: Instant) {
        let mut place = 0;
        while let Some(&slot) = self.keys_open.get(place) {
            let ended = self.leg_mut(slot).map(|leg| {
                let press = leg.keys_in.timeout(now);
                leg.counted.digits_in = leg.counted.digits_in.saturating_add(u64::from(press.is_some()));
                (leg.key, press, leg.keys_in.is_open())
            });
            if let Some((leg, Some(Press { digit, duration_ms }), _)) = ended {
                self.emit(Event::Digit { leg, digit, duration_ms });
            }
            if matches!(ended, Some((_, _, true))) {
                place = place.saturating_add(1);
            } else {
                self.keys_open.swap_remove(place);
            }
        }
    }

    fn visit(&mut self, now: Instant, index: u32, out: &mut impl Sink) {
        let Some(place) = self.places.get(index as usize) else { return };
        let slot = Slot { index, generation: place.generation };
        let Some(leg) = &place.leg else { return };
        if !leg.handover.is_carried() {
            self.look_after(now, slot, out);
            self.consider_offload(now, slot);
        } else if is_due(leg, now) || is_silent(leg, now) {
            // What is known here is old: the answer leads to `look_after`.
            self.ask_below(slot);
        }
    }

    /// Sends the leg's report when it is due, and tells when the peer is silent for too long.
    pub(super) fn look_after(&mut self, now: Instant, slot: Slot, out: &mut impl Sink) {
        // Spread over 2.5 to 7.5 s, so that reports of many calls do not meet (RFC 3550 §6.3.1).
        let interval = Duration::from_millis(2_500 + self.rng.below(5_000));
        let counters = &mut self.counters;
        let Some(place) = self.places.get_mut(slot.index()) else { return };
        let Some(leg) = place.leg.as_mut().filter(|_| place.generation == slot.generation) else { return };
        if is_due(leg, now) {
            leg.next_report = now + interval;
            if report(leg, slot, now, out) {
                counters.rtcp_out = counters.rtcp_out.saturating_add(1);
            }
        }
        if is_silent(leg, now) {
            leg.is_silent = true;
            let key = leg.key;
            self.emit(Event::Silent { leg: key });
        }
    }
}

/// Whether it is time for a report.
fn is_due(leg: &Leg, now: Instant) -> bool {
    leg.agreed.is_some() && now >= leg.next_report
}

/// Whether the peer just ran out of time. A held call is silent by right, in both directions.
fn is_silent(leg: &Leg, now: Instant) -> bool {
    let Some(Agreed { sends: true, receives: true, timeout: Some(timeout), .. }) = &leg.agreed else {
        return false;
    };
    let last = leg.incoming.as_ref().map_or(leg.quiet_since, |incoming| incoming.last().max(leg.quiet_since));
    !leg.is_silent && now - last >= *timeout
}

/// Sends a report; false if there is nowhere to send it to.
fn report(leg: &mut Leg, slot: Slot, now: Instant, out: &mut impl Sink) -> bool {
    let Some(agreed) = &leg.agreed else { return false };
    let (muxed, to) = (agreed.muxed, agreed.source.send_rtcp_to());
    let Some(to) = to else { return false };
    let (packets, octets) = leg.outgoing.sent();
    let sender = leg.outgoing.report_timestamp(now).map(|timestamp| SenderInfo {
        ntp: rtcp::ntp(now),
        timestamp,
        packets: packets as u32,
        octets: octets as u32,
    });
    let block = leg.report_block(now);
    let report = rtcp::write(leg.outgoing.ssrc(), sender.as_ref(), block.as_ref(), &leg.cname);
    let channel = if muxed { Channel::Rtp } else { Channel::Rtcp };
    secure::send_report(&mut leg.secure, Wire { slot, channel, to }, report.as_bytes(), out)
}

/// One leg's 20 ms that begin at `at`: keys first, then what plays, then silence.
#[inline]
fn tick_leg(
    leg: &mut Leg,
    slot: Slot,
    at: Instant,
    scratch: &mut [u8; FRAME_BYTES_MAX],
    counters: &mut Counters,
    out: &mut impl Sink,
) -> Option<Ended> {
    if leg.keys_out.is_active() {
        return tick_keys(leg, slot, at, counters, out);
    }
    let agreed = leg.agreed.as_ref()?;
    let codec = agreed.codec;
    let (kind, payload, ended) = match leg.player.next(codec, scratch) {
        // What plays is counted from 1, and goes round.
        Some(played) => (played.number.max(1), played.frame, played.done),
        None if leg.peer.is_some() => {
            translate(leg, slot, at, scratch, counters, out);
            return None;
        }
        None => (SILENCE, codec.info().silence, None),
    };
    let voice = Voice { at, kind, codec, payload };
    say(agreed, &mut leg.outgoing, &mut leg.secure, slot, &voice, counters, out);
    ended.map(|token| Ended::Prompts { token })
}

/// 20 ms of our own.
struct Voice<'a> {
    at: Instant,
    kind: u32,
    codec: Codec,
    payload: &'a [u8],
}

/// Sends it, if any voice may be sent.
#[inline]
fn say(
    agreed: &Agreed,
    outgoing: &mut Outgoing,
    secure: &mut Option<Box<Secure>>,
    slot: Slot,
    voice: &Voice<'_>,
    counters: &mut Counters,
    out: &mut impl Sink,
) {
    let Some(to) = agreed.voice_to() else { return };
    let &Voice { at, kind, codec, payload } = voice;
    let header = outgoing.local(at, kind, agreed.payload_type, codec.frame_units(), payload.len());
    let wire = Wire { slot, channel: Channel::Rtp, to };
    counters.sent(secure::send(secure, wire, &rtp::write(&header), payload, out));
}

/// Keys: what plays stands still meanwhile, and the first frame after the last key is silent.
#[cold]
fn tick_keys(
    leg: &mut Leg,
    slot: Slot,
    at: Instant,
    counters: &mut Counters,
    out: &mut impl Sink,
) -> Option<Ended> {
    let agreed = leg.agreed.as_ref()?;
    let Some(payload_type) = agreed.dtmf_payload_type else {
        // A re-negotiation took the events away.
        return Some(Ended::Keys { dropped: leg.keys_out.clear() });
    };
    let to = agreed.voice_to();
    let ended = match leg.keys_out.tick(leg.outgoing.local_timestamp(at), agreed.dtmf_clock_hz) {
        SenderTick::Packet(packet) => {
            leg.counted.digits_out = leg.counted.digits_out.saturating_add(u64::from(packet.marker));
            if let Some(to) = to {
                let octets = packet.payload.len();
                let header = leg.outgoing.event(packet.marker, payload_type, packet.timestamp, octets);
                let wire = Wire { slot, channel: Channel::Rtp, to };
                let header = rtp::write(&header);
                counters.sent(secure::send(&mut leg.secure, wire, &header, &packet.payload, out));
            }
            return None;
        }
        SenderTick::Done => Some(Ended::Keys { dropped: 0 }),
        SenderTick::Gap | SenderTick::Idle => None,
    };
    let codec = agreed.codec;
    let voice = Voice { at, kind: SILENCE, codec, payload: codec.info().silence };
    say(agreed, &mut leg.outgoing, &mut leg.secure, slot, &voice, counters, out);
    ended
}

/// What the other side says, in this side's codec.
fn translate(
    leg: &mut Leg,
    slot: Slot,
    at: Instant,
    scratch: &mut [u8; FRAME_BYTES_MAX],
    counters: &mut Counters,
    out: &mut impl Sink,
) {
    let (Some(agreed), Some(translation)) = (&leg.agreed, &mut leg.translation) else { return };
    let payload = translation.frame(at, agreed, scratch);
    if !payload.is_empty() {
        let voice = Voice { at, kind: TRANSLATED, codec: agreed.codec, payload };
        say(agreed, &mut leg.outgoing, &mut leg.secure, slot, &voice, counters, out);
    }
}
