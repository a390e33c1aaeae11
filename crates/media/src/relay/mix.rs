//! A mix: several legs, each of which hears all others and not itself. A supervisor is a leg of it that is
//! heard by nobody (listens), by one (whispers) or by all (barges in).
//!
//! All legs of a mix are decoded, added up and encoded at one instant of the 20 ms frame. At most
//! [`SPEAKERS_MAX`] are heard at once, the loudest: the noise of fifty open microphones is no conference.

use base::{Instant, LegKey, MixKey};

use super::command::Audience;
use super::ear::{Ear, Heard};
use super::jitter::Packet;
use super::mouth::Mouth;
use super::outgoing::Feed;
use super::secure::{self, Wire};
use super::{Channel, Counters, Place, Relay, Sink, Slot};
use crate::Codec;
use crate::codec::{FRAME_BYTES, FRAME_BYTES_MAX};
use crate::dsp::{FRAME_SAMPLES_MAX, Rate};
use crate::rtp::{self, Header};

/// Legs of one mix; more are refused.
pub const MIX_LEGS_MAX: usize = 64;
/// Legs that are heard at once by everybody.
pub const SPEAKERS_MAX: usize = 6;
/// The stream's source number of a mix; players count from 1.
pub(super) const MIXED: u32 = u32::MAX - 1;
/// How much of a leg's loudness is left after 20 ms: about a third of a second to fall silent.
const DECAY_16: u64 = 15;

/// One leg of a mix.
#[derive(Debug)]
struct Member {
    leg: u32,
    key: LegKey,
    heard_by: Audience,
    feed: Feed,
    ear: Ear,
    mouth: Option<Box<Mouth>>,
    /// What it says in this frame.
    samples: [i16; FRAME_SAMPLES_MAX],
    /// Its loudness of late: the sum of squares of a frame, falling slowly.
    loudness: u64,
    /// Whether it is one of the loudest in this frame.
    is_heard: bool,
}

/// Legs that hear each other.
#[derive(Debug)]
pub(super) struct Mix {
    pub(super) key: MixKey,
    members: Vec<Member>,
    rate: Rate,
    /// Place in the wheel.
    pub(super) ticks_at: u32,
}

impl Mix {
    pub(super) const fn new(key: MixKey) -> Self {
        Mix { key, members: Vec::new(), rate: Rate::Narrow, ticks_at: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.members.len() >= MIX_LEGS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A leg comes in, or is heard by others from now on.
    pub(super) fn join(&mut self, leg: u32, key: LegKey, heard_by: Audience) {
        if let Some(member) = self.members.iter_mut().find(|member| member.leg == leg) {
            member.heard_by = heard_by;
            return;
        }
        self.members.push(Member {
            leg,
            key,
            heard_by,
            feed: Feed::Nobody,
            ear: Ear::new(self.rate, FRAME_BYTES),
            mouth: None,
            samples: [0; FRAME_SAMPLES_MAX],
            loudness: 0,
            is_heard: false,
        });
    }

    pub(super) fn leave(&mut self, leg: u32) {
        self.members.retain(|member| member.leg != leg);
    }

    /// A voice packet of a member's.
    pub(super) fn packet(&mut self, leg: u32, feed: Feed, header: &Header, codec: Codec, payload: &[u8]) {
        let Some(member) = self.members.iter_mut().find(|member| member.leg == leg) else { return };
        if member.feed != feed {
            member.feed = feed;
            member.ear.clear();
        }
        let Header { sequence, timestamp, .. } = *header;
        member.ear.packet(Packet { sequence, timestamp, codec }, payload);
    }

    /// A member sends a telephone event: no voice is to be made up for it.
    pub(super) fn hush(&mut self, leg: u32) {
        if let Some(member) = self.members.iter_mut().find(|member| member.leg == leg) {
            member.ear.clear();
        }
    }

    /// Wideband is worth it where two can hear it of each other.
    fn settle_rate(&mut self, places: &[Place]) {
        let is_wide = |member: &&Member| {
            let agreed =
                places.get(member.leg as usize).and_then(|place| place.leg.as_ref()?.agreed.as_ref());
            agreed.is_some_and(|agreed| agreed.codec.info().rate == Rate::Wide)
        };
        let two = self.members.iter().filter(is_wide).nth(1).is_some();
        self.rate = if two { Rate::Wide } else { Rate::Narrow };
    }

    /// Takes 20 ms of everybody.
    fn listen(&mut self) {
        for member in &mut self.members {
            member.ear.set_rate(self.rate);
            let heard = member.ear.frame(&mut member.samples);
            let square = |&sample: &i16| u64::from(sample.unsigned_abs()).pow(2);
            let now = if heard == Heard::Nothing { 0 } else { member.samples.iter().map(square).sum() };
            member.loudness = now.max(member.loudness * DECAY_16 / 16);
        }
        self.choose();
    }

    /// The loudest of those whom everybody may hear; among equals who was heard before.
    fn choose(&mut self) {
        let is_public = |member: &Member| member.heard_by == Audience::Everybody && member.loudness > 0;
        if self.members.len() <= SPEAKERS_MAX {
            for member in &mut self.members {
                member.is_heard = is_public(member);
            }
            return;
        }
        // Six passes over at most 64 are less than sorting them.
        let mut chosen = [usize::MAX; SPEAKERS_MAX];
        for place in 0..SPEAKERS_MAX {
            let rank = |&(index, member): &(usize, &Member)| {
                (member.loudness.saturating_add(u64::from(member.is_heard)), usize::MAX - index)
            };
            let candidates = self.members.iter().enumerate();
            let candidates =
                candidates.filter(|(index, member)| is_public(member) && !chosen.contains(index));
            let Some((index, _)) = candidates.max_by_key(rank) else { break };
            if let Some(slot) = chosen.get_mut(place) {
                *slot = index;
            }
        }
        for (index, member) in self.members.iter_mut().enumerate() {
            member.is_heard = chosen.contains(&index);
        }
    }

    /// What everybody hears, before anybody is taken out of it.
    fn sum(&self) -> [i32; FRAME_SAMPLES_MAX] {
        let mut sum = [0i32; FRAME_SAMPLES_MAX];
        for member in self.members.iter().filter(|member| member.is_heard) {
            for (sum, &sample) in sum.iter_mut().zip(&member.samples) {
                // 64 samples of 16 bits fit.
                *sum += i32::from(sample);
            }
        }
        sum
    }

    /// What one member hears: all others, and who whispers to him.
    fn heard_by(&self, listener: &Member, sum: &[i32; FRAME_SAMPLES_MAX]) -> [i16; FRAME_SAMPLES_MAX] {
        let mut heard = *sum;
        if listener.is_heard {
            for (heard, &own) in heard.iter_mut().zip(&listener.samples) {
                *heard -= i32::from(own);
            }
        }
        let whispers = |member: &&Member| member.heard_by == Audience::Only(listener.key);
        for member in self.members.iter().filter(whispers) {
            for (heard, &sample) in heard.iter_mut().zip(&member.samples) {
                *heard += i32::from(sample);
            }
        }
        heard.map(|sample| sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
    }

    /// The frame that begins at `at`: everybody is heard, and everybody hears.
    pub(super) fn tick(
        &mut self,
        places: &mut [Place],
        at: Instant,
        counters: &mut Counters,
        out: &mut impl Sink,
    ) {
        self.settle_rate(places);
        self.listen();
        let sum = self.sum();
        for index in 0..self.members.len() {
            let Some(listener) = self.members.get(index) else { return };
            let heard = self.heard_by(listener, &sum);
            let rate = self.rate;
            if let Some(member) = self.members.get_mut(index) {
                member.say(places, at, heard.get(..rate.frame()).unwrap_or_default(), rate, counters, out);
            }
        }
    }
}

impl Member {
    /// Sends what the member hears, unless a prompt or keys keep it out.
    fn say(
        &mut self,
        places: &mut [Place],
        at: Instant,
        heard: &[i16],
        rate: Rate,
        counters: &mut Counters,
        out: &mut impl Sink,
    ) {
        let Some(place) = places.get_mut(self.leg as usize) else { return };
        let slot = Slot { index: self.leg, generation: place.generation };
        let Some(leg) = &mut place.leg else { return };
        if leg.is_busy() {
            return;
        }
        let Some(agreed) = &leg.agreed else { return };
        let Some(to) = agreed.voice_to() else { return };
        let Some(mouth) = Mouth::of(&mut self.mouth, agreed.codec, agreed.parameters, rate) else { return };
        let mut payload = [0; FRAME_BYTES_MAX];
        let payload = mouth.speak(heard, &mut payload);
        if payload.is_empty() {
            return;
        }
        let units = agreed.codec.frame_units();
        let header = leg.outgoing.local(at, MIXED, agreed.payload_type, units, payload.len());
        let wire = Wire { slot, channel: Channel::Rtp, to };
        counters.sent(secure::send(&mut leg.secure, wire, &rtp::write(&header), payload, out));
    }
}

impl Relay {
    /// Brings a leg into a mix, out of whatever it was in before.
    pub(super) fn join(&mut self, slot: Slot, key: MixKey, heard_by: Audience) {
        let is_there = self.leg_mut(slot).and_then(|leg| leg.mix).is_some_and(|mix| {
            self.mixes.get(mix as usize).and_then(Option::as_ref).is_some_and(|mix| mix.key == key)
        });
        let mix = match self.by_mix.get(&key) {
            Some(&mix) => mix,
            None => self.open_mix(key),
        };
        let is_full = self.mixes.get(mix as usize).and_then(Option::as_ref).is_none_or(Mix::is_full);
        if is_full && !is_there {
            self.counters.mixes_full = self.counters.mixes_full.saturating_add(1);
            return;
        }
        if !is_there {
            self.unbridge(slot);
        }
        let Some(leg) = self.leg_mut(slot) else { return };
        leg.mix = Some(mix);
        let leg_key = leg.key;
        if let Some(mix) = self.mixes.get_mut(mix as usize).and_then(Option::as_mut) {
            mix.join(slot.index, leg_key, heard_by);
        }
        if !is_there {
            self.end_recording(slot);
        }
        self.settle_ticks(slot.index);
    }

    fn open_mix(&mut self, key: MixKey) -> u32 {
        let index = self.mixes.iter().position(Option::is_none).unwrap_or_else(|| {
            self.mixes.push(None);
            self.mixes.len().saturating_sub(1)
        });
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let mut mix = Mix::new(key);
        mix.ticks_at = self.wheel.insert_mix(index);
        if let Some(place) = self.mixes.get_mut(index as usize) {
            *place = Some(mix);
        }
        self.by_mix.insert(key, index);
        index
    }

    /// Takes a leg out of its mix; the last one closes it.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Some(index) = self.leg_mut(slot).and_then(|leg| leg.mix.take()) else { return };
        if let Some(place) = self.mixes.get_mut(index as usize)
            && let Some(mix) = place
        {
            mix.leave(slot.index);
            if mix.is_empty() {
                let (key, at) = (mix.key, mix.ticks_at);
                *place = None;
                self.by_mix.remove(&key);
                if let Some(moved) = self.wheel.remove_mix(index, at)
                    && let Some(Some(mix)) = self.mixes.get_mut(moved as usize)
                {
                    mix.ticks_at = at;
                }
            }
        }
        self.settle_ticks(slot.index);
    }

    /// All mixes whose frame begins at `ms`.
    pub(super) fn tick_mixes(&mut self, ms: u64, out: &mut impl Sink) {
        let at = Instant::from_millis(ms);
        let mut place = 0;
        while let Some(index) = self.wheel.due_mix(ms, place) {
            if let Some(Some(mix)) = self.mixes.get_mut(index as usize) {
                mix.tick(&mut self.places, at, &mut self.counters, out);
            }
            place = place.saturating_add(1);
        }
    }
}
