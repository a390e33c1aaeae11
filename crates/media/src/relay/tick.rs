//! What leaves on our own account: prompts, music, keys, silence; reports; and what did not come.

use base::{Duration, Instant};

use super::command::Event;
use super::leg::{Agreed, Leg};
use super::secure::{self, Wire};
use super::wheel::PHASES;
use super::{Channel, Counters, Relay, Sink, Slot};
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

/// What a tick of one leg leads to.
#[derive(Default)]
struct Ticked {
    play_done: Option<u64>,
    keys_done: bool,
    keys_dropped: usize,
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
        let mut place = 0;
        while let Some(index) = self.wheel.due(ms, place) {
            let counters = &mut self.counters;
            let ticked = self.places.get_mut(index as usize).and_then(|place| {
                let slot = Slot { index, generation: place.generation };
                let leg = place.leg.as_mut()?;
                Some((leg.key, tick_leg(leg, slot, at, &mut scratch, counters, out)))
            });
            let mut stays = true;
            if let Some((key, ticked)) = ticked {
                if let Some(token) = ticked.play_done {
                    self.emit(Event::PlayDone { leg: key, token });
                }
                if ticked.keys_done {
                    self.emit(Event::DigitsSent { leg: key });
                }
                self.counters.digits_dropped =
                    self.counters.digits_dropped.saturating_add(ticked.keys_dropped as u64);
                if ticked.play_done.is_some() || ticked.keys_done {
                    self.settle_ticks(index);
                    stays = self.wheel.due(ms, place) == Some(index);
                }
            }
            // A leg that left the list made room for another at the same place.
            place = place.saturating_add(usize::from(stays));
        }
    }

    /// Keys whose end was lost; recordings at their end; and a fiftieth of the legs: reports and timeouts.
    fn keep_house(&mut self, now: Instant, frame: u64, out: &mut impl Sink) {
        self.end_keys(now);
        self.end_recordings(now);
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
) -> Ticked {
    let mut ticked = Ticked::default();
    let Some(agreed) = &leg.agreed else { return ticked };
    let to = agreed.voice_to();
    let mut kind = SILENCE;
    let mut payload: &[u8] = agreed.codec.info().silence;
    if leg.keys_out.is_active() {
        let Some(payload_type) = agreed.dtmf_payload_type else {
            // A re-negotiation took the events away.
            ticked.keys_dropped = leg.keys_out.clear();
            ticked.keys_done = true;
            return ticked;
        };
        match leg.keys_out.tick(leg.outgoing.local_timestamp(at), agreed.dtmf_clock_hz) {
            SenderTick::Packet(packet) => {
                leg.counted.digits_out = leg.counted.digits_out.saturating_add(u64::from(packet.marker));
                if let Some(to) = to {
                    let octets = packet.payload.len();
                    let header = leg.outgoing.event(packet.marker, payload_type, packet.timestamp, octets);
                    let wire = Wire { slot, channel: Channel::Rtp, to };
                    let sent =
                        secure::send(&mut leg.secure, wire, &rtp::write(&header), &packet.payload, out);
                    counters.sent(sent);
                }
                return ticked;
            }
            SenderTick::Done => ticked.keys_done = true,
            SenderTick::Gap | SenderTick::Idle => {}
        }
    } else {
        kind = leg.player.started().max(1);
        match leg.player.next(agreed.codec, scratch) {
            Some(played) => {
                ticked.play_done = played.done;
                payload = played.frame;
            }
            None if leg.peer.is_some() => return translate(leg, slot, at, scratch, counters, out),
            None => kind = SILENCE,
        }
    }
    if let Some(to) = to {
        let units = agreed.codec.frame_units();
        let header = leg.outgoing.local(at, kind, agreed.payload_type, units, payload.len());
        let wire = Wire { slot, channel: Channel::Rtp, to };
        counters.sent(secure::send(&mut leg.secure, wire, &rtp::write(&header), payload, out));
    }
    ticked
}

/// What the other side says, in this side's codec.
fn translate(
    leg: &mut Leg,
    slot: Slot,
    at: Instant,
    scratch: &mut [u8; FRAME_BYTES_MAX],
    counters: &mut Counters,
    out: &mut impl Sink,
) -> Ticked {
    let (Some(agreed), Some(translation)) = (&leg.agreed, &mut leg.translation) else {
        return Ticked::default();
    };
    let payload = translation.frame(at, agreed, scratch);
    if let Some(to) = agreed.voice_to()
        && !payload.is_empty()
    {
        let units = agreed.codec.frame_units();
        let header = leg.outgoing.local(at, TRANSLATED, agreed.payload_type, units, payload.len());
        let wire = Wire { slot, channel: Channel::Rtp, to };
        counters.sent(secure::send(&mut leg.secure, wire, &rtp::write(&header), payload, out));
    }
    Ticked::default()
}
