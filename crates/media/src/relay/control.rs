//! Obeying commands.

use core::net::IpAddr;
use core::time::Duration;

use base::{Instant, LegKey};

use super::command::{BindFailure, Command, Event};
use super::leg::{Agreed, Leg};
use super::secure::Secure;
use super::{DIGITS_MAX, Place, Relay, Slot};
use crate::dtmf;
use crate::sdp::Negotiated;

impl Relay {
    pub(super) fn obey(&mut self, now: Instant, command: Command) {
        let key = command.leg();
        if let Command::AddLeg { .. } = command {
            return self.add(now, key);
        }
        let Some(slot) = self.slot(key) else { return self.ignored() };
        self.unsettle(slot);
        match command {
            Command::AddLeg { .. } => {}
            Command::SetRemote { negotiated, learn_from, timeout, .. } => {
                self.set_remote(now, slot, &negotiated, &learn_from, timeout);
            }
            Command::Secure { keys, .. } => {
                if let Some(leg) = self.leg_mut(slot) {
                    let before = leg.secure.take();
                    leg.secure = keys.map(|keys| Secure::agree(before, &keys));
                }
            }
            Command::Bridge { b, .. } => match self.slot(b) {
                Some(other) if other != slot => {
                    self.unsettle(other);
                    self.bridge(now, slot, other);
                }
                _ => self.ignored(),
            },
            Command::Unbridge { .. } => self.unbridge(slot),
            Command::Join { mix, heard_by, .. } => self.join(slot, mix, heard_by),
            Command::Leave { .. } => self.leave(slot),
            Command::RemoveLeg { .. } => self.remove(slot),
            Command::Record { token, length_max, .. } => self.record(now, slot, token, length_max),
            Command::StopRecord { .. } => self.end_recording(slot),
            Command::Report { .. } if self.carried_pair(slot).is_some() => self.report_below(slot),
            Command::Report { leg } => {
                if let Some(stats) = self.leg_mut(slot).map(|found| Box::new(found.stats())) {
                    self.emit(Event::Stats { leg, stats });
                }
            }
            command @ (Command::Play { .. }
            | Command::Music { .. }
            | Command::Stop { .. }
            | Command::SendDigits { .. }) => self.play(slot, command),
        }
    }

    const fn ignored(&mut self) {
        self.counters.commands_ignored = self.counters.commands_ignored.saturating_add(1);
    }

    fn add(&mut self, now: Instant, key: LegKey) {
        let refuse = |why| Event::BindFailed { leg: key, why };
        if self.by_key.contains_key(&key) {
            self.ignored();
            return self.emit(refuse(BindFailure::Duplicate));
        }
        if self.by_key.len() >= self.config.legs_max {
            self.counters.legs_refused = self.counters.legs_refused.saturating_add(1);
            return self.emit(refuse(BindFailure::TooManyLegs));
        }
        if self.counters.legs == 0 {
            self.wheel.start(now);
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, leg: None });
            u32::try_from(self.places.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        let leg = Leg::new(key, now, &mut self.rng);
        let Some(place) = self.places.get_mut(index as usize) else { return };
        place.leg = Some(leg);
        self.by_key.insert(key, Slot { index, generation: place.generation });
        self.counters.legs = self.by_key.len() as u64;
    }

    fn remove(&mut self, slot: Slot) {
        self.unbridge(slot);
        self.leave(slot);
        self.end_recording(slot);
        let Some(leg) = self.places.get_mut(slot.index()).and_then(|place| {
            place.generation = place.generation.wrapping_add(1);
            place.leg.take()
        }) else {
            return;
        };
        self.free.push(slot.index);
        self.by_key.remove(&leg.key);
        self.counters.legs = self.by_key.len() as u64;
        if let Some(at) = leg.ticks_at {
            self.take_from_wheel(slot.index, at);
        }
        self.keys_open.retain(|open| *open != slot);
        self.emit(Event::Removed { leg: leg.key, stats: Box::new(leg.stats()) });
    }

    fn set_remote(
        &mut self,
        now: Instant,
        slot: Slot,
        negotiated: &Negotiated,
        learn_from: &[IpAddr],
        timeout: Option<Duration>,
    ) {
        // The first report comes early, so that short calls have numbers (RFC 3550 §6.2).
        let first_report = Duration::from_millis(1_500 + self.rng.below(1_500));
        let Some(leg) = self.leg_mut(slot) else { return };
        if leg.agreed.is_none() {
            leg.next_report = now + first_report;
        }
        let before = leg.agreed.as_ref().map(|agreed| (agreed.codec, agreed.dtmf_clock_hz));
        if before != Some((negotiated.codec, negotiated.dtmf_clock_hz)) {
            leg.outgoing.set_clock(now, negotiated.codec.info().clock_hz);
            leg.keys_in = dtmf::Receiver::new(negotiated.dtmf_clock_hz);
            leg.end_translation();
        }
        leg.agreed = Some(Agreed::new(leg.agreed.as_ref(), negotiated, learn_from, timeout));
        leg.handover.resignalled(now);
        leg.awaits_flow = true;
        leg.is_silent = false;
        leg.quiet_since = now;
        self.settle_ticks(slot.index);
    }

    fn bridge(&mut self, now: Instant, a: Slot, b: Slot) {
        for one in [a, b] {
            self.unbridge(one);
            self.leave(one);
        }
        for (one, other) in [(a, b), (b, a)] {
            self.end_recording(one);
            let Some(leg) = self.leg_mut(one) else { continue };
            leg.peer = Some(other.index);
            leg.player.stop();
            leg.handover.disturbed(now);
            // What the other said while they were parted must not be missing afterwards.
            leg.outgoing.rest();
            leg.awaits_flow = true;
            self.settle_ticks(one.index);
        }
    }

    pub(super) fn unbridge(&mut self, slot: Slot) {
        let Some(other) = self.leg_mut(slot).and_then(|leg| leg.peer.take()) else { return };
        for index in [slot.index, other] {
            if let Some(leg) = self.at_mut(index) {
                leg.peer = None;
                leg.end_translation();
            }
        }
        self.settle_ticks(slot.index);
        self.settle_ticks(other);
    }

    fn play(&mut self, slot: Slot, command: Command) {
        let Some(leg) = self.leg_mut(slot) else { return };
        let mut event = None;
        let mut dropped = 0;
        match command {
            Command::Play { leg: key, token, prompts } => {
                let done = leg.player.play(token, prompts);
                event = done.map(|token| Event::PlayDone { leg: key, token });
            }
            Command::Music { music, .. } => leg.player.music(music),
            Command::Stop { .. } => leg.player.stop(),
            Command::SendDigits { leg: key, digits } => {
                // Before the peer is known, nobody knows whether he will take them: keep them.
                let deaf = leg.agreed.as_ref().is_some_and(|agreed| agreed.dtmf_payload_type.is_none());
                dropped = if deaf { digits.len() } else { leg.keys_out.push(&digits, DIGITS_MAX) };
                event = (!leg.keys_out.is_active()).then_some(Event::DigitsSent { leg: key });
            }
            _ => {}
        }
        self.counters.digits_dropped = self.counters.digits_dropped.saturating_add(dropped as u64);
        if let Some(event) = event {
            self.emit(event);
        }
        self.settle_ticks(slot.index);
    }

    /// Puts a leg into the wheel or takes it out, as it needs now.
    pub(super) fn settle_ticks(&mut self, index: u32) {
        let Some(leg) = self.at_mut(index) else { return };
        match (leg.wants_ticks(), leg.ticks_at) {
            (true, None) => {
                let at = self.wheel.insert(index);
                if let Some(leg) = self.at_mut(index) {
                    leg.ticks_at = Some(at);
                }
            }
            (false, Some(at)) => {
                leg.ticks_at = None;
                self.take_from_wheel(index, at);
            }
            _ => {}
        }
    }

    fn take_from_wheel(&mut self, index: u32, at: u32) {
        if let Some(moved) = self.wheel.remove(index, at)
            && let Some(leg) = self.at_mut(moved)
        {
            leg.ticks_at = Some(at);
        }
    }
}
