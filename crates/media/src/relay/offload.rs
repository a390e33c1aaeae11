//! Bridges that somebody below carries on: the kernel, which rewrites an established plain bridge's packets
//! before they reach a socket. The relay stays the owner: it decides which bridge goes ([`Offload::Begin`]),
//! asks how far its streams have come ([`Offload::Count`]), and takes it back ([`Offload::End`]) before it
//! obeys a command that the kernel knows nothing of, or when the peer sends what the kernel does not carry.
//!
//! Neither hand-over loses or doubles a number: the kernel maps a peer's numbers to the listener's by the
//! same two shifts as `outgoing` does, so it makes no difference who carries a packet.

use core::net::SocketAddr;
use core::time::Duration;

use base::Instant;

use super::command::{Command, Event};
use super::leg::{Leg, Payload};
use super::outgoing::Shifts;
use super::stats::Counters;
use super::{Relay, Sink, Slot};

/// How long a bridge must have been undisturbed before it goes: five packets of each side that went the short
/// way one after the other. Two would prove a stream (RFC 3550 A.1, MIN_SEQUENTIAL); the others are for what
/// signalling still orders in the moment of an answer, each of which would call the bridge back.
const STEADY: Duration = Duration::from_millis(100);
/// Bridges that go per frame of 20 ms, one after the other: each costs a few system calls, and nobody's voice
/// may wait for many.
const GOING_MAX: u32 = 64;
/// A bridge that came back does not go again before this time.
const RETURNED: Duration = Duration::from_millis(500);
/// A peer who was not heard for so long does not flow.
const FLOWING: Duration = Duration::from_millis(100);
/// Voice that still comes up so soon after the hand-over was under way, or the kernel does not yet know the
/// way to the listener.
const GRACE: Duration = Duration::from_millis(200);
/// A bridge that stayed below for so long was worth it.
const WORTH: Duration = Duration::from_secs(10);
/// Doublings of [`RETURNED`] at most, for a bridge that keeps coming back.
const TRIES_MAX: u32 = 7;

/// How far a stream has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// The highest sequence number.
    pub highest: u16,
    /// Bit n = packet `highest - n` came.
    pub seen: u64,
    /// The timestamp of `highest`.
    pub timestamp: u32,
    /// Payload octets of `highest`.
    pub octets: u16,
    /// Arrival less timestamp of the last packet, in timestamp units (RFC 3550 A.8). An instant in
    /// timestamp units is its nanoseconds / 125,000.
    pub transit: u32,
    /// 16 times the jitter.
    pub jitter_16: u32,
    /// The largest it was.
    pub jitter_16_max: u32,
    /// When the last packet came.
    pub last: Instant,
}

/// One direction of a bridge: what to carry and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// The leg whose peer speaks.
    pub speaker: Slot,
    /// Where he speaks from. Everybody else is a stranger.
    pub from: SocketAddr,
    /// His stream; others go up.
    pub ssrc_in: u32,
    /// The voice he speaks; the rest goes up.
    pub payload_type_in: u8,
    /// Where he has come to.
    pub position: Position,
    /// The leg whose peer listens.
    pub listener: Slot,
    /// Where he listens.
    pub to: SocketAddr,
    /// His stream.
    pub ssrc_out: u32,
    /// What he calls the voice.
    pub payload_type_out: u8,
    /// Added to sequence numbers.
    pub sequence_shift: u16,
    /// Added to timestamps.
    pub timestamp_shift: u32,
}

/// What was carried of one direction since [`Offload::Begin`], and where the stream is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Carried {
    /// Packets passed on.
    pub packets: u64,
    /// Their payload octets.
    pub octets: u64,
    /// Of them, those that came after a later one.
    pub late: u64,
    /// Packets dropped because they came twice.
    pub duplicates: u64,
    /// Times the peer fell silent for more than 200 ms in between.
    pub gaps: u64,
    /// Where the stream is; as at the beginning while nothing was carried.
    pub position: Position,
}

/// The two legs of a bridge, in the order of their first order.
pub type Pair = [Slot; 2];

/// What the driver must do below, at once and in order, and answer by [`Relay::offloaded`] before it
/// hands in anything else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Offload {
    /// Carry both directions of a bridge; [`Answer::Refused`] if that is not possible, else no answer.
    Begin(Box<[Flow; 2]>),
    /// Say how far both directions have come: [`Answer::Carried`].
    Count(Pair),
    /// Stop, then say how far both directions have come: [`Answer::Ended`].
    End(Pair),
}

/// What the driver says about a bridge. All counts are since [`Offload::Begin`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// How far it has come. Allowed unasked.
    Carried(Pair, [Carried; 2]),
    /// How far it came; from now on packets come up.
    Ended(Pair, [Carried; 2]),
    /// There is no room for it below.
    Refused(Pair),
}

/// One leg's side of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handover {
    /// Not before.
    after: Instant,
    /// Times it came back soon.
    tries: u32,
    carrying: Option<Carrying>,
    /// It is among those that go soon.
    is_going: bool,
    /// [`Event::Stats`] is to follow the next counts.
    wants_stats: bool,
}

/// What the leg's peer says is carried below.
#[derive(Clone, Copy, Debug)]
struct Carrying {
    since: Instant,
    /// As of the last answer.
    counted: Carried,
    /// The listener's stream was shifted so when it began.
    shifts: Shifts,
    /// [`Offload::End`] is under way.
    is_ending: bool,
}

impl Handover {
    pub(super) const fn new(now: Instant) -> Self {
        Handover { after: now, tries: 0, carrying: None, is_going: false, wants_stats: false }
    }

    /// Something changed: let it settle.
    pub(super) fn disturbed(&mut self, now: Instant) {
        self.after = self.after.max(now + STEADY);
    }

    /// New signalling: what went wrong before says nothing.
    pub(super) fn resignalled(&mut self, now: Instant) {
        self.tries = 0;
        self.after = now + STEADY;
    }

    pub(super) const fn is_carried(&self) -> bool {
        self.carrying.is_some()
    }

    /// Its packets come here again.
    fn returned(&mut self, now: Instant) {
        let Some(carrying) = self.carrying.take() else { return };
        let was_worth = now - carrying.since >= WORTH;
        self.tries = if was_worth { 0 } else { self.tries.saturating_add(1).min(TRIES_MAX) };
        self.after = now + RETURNED.saturating_mul(1 << self.tries);
    }
}

impl Relay {
    /// What the driver must do below; see [`Offload`]. To be asked after each call that may change
    /// anything. Without [`super::RelayConfig::offload`] there never is anything.
    pub fn poll_offload(&mut self) -> Option<Offload> {
        self.offloads.pop_front()
    }

    /// Whether the packets of this leg's peer are carried below, and the bridge's two legs.
    #[inline]
    pub fn carried_pair(&self, slot: Slot) -> Option<Pair> {
        let place = self.places.get(slot.index()).filter(|place| place.generation == slot.generation)?;
        let leg = place.leg.as_ref().filter(|leg| leg.handover.is_carried())?;
        Some(self.pair(slot.index, leg.peer?))
    }

    /// The driver's answer to an [`Offload`].
    pub fn offloaded(&mut self, now: Instant, answer: Answer, out: &mut impl Sink) {
        match answer {
            Answer::Carried(pair, carried) => {
                self.merge(pair, &carried);
                for slot in pair {
                    self.tell_stats(slot);
                    self.look_after(now, slot, out);
                }
            }
            Answer::Ended(pair, carried) => {
                self.merge(pair, &carried);
                for slot in pair {
                    self.tell_stats(slot);
                }
                self.returned(now, pair);
                self.ending = self.ending.saturating_sub(1);
                self.obey_deferred(now);
            }
            Answer::Refused(pair) => {
                self.returned(now, pair);
                self.counters.offloads_refused = self.counters.offloads_refused.saturating_add(1);
            }
        }
    }

    /// The packets of both legs come here again.
    fn returned(&mut self, now: Instant, pair: Pair) {
        for slot in pair {
            if let Some(leg) = self.leg_mut(slot) {
                leg.handover.returned(now);
            }
        }
    }

    /// Whether `command` must wait until a bridge has come back; if so it is kept. While one waits all do:
    /// commands are obeyed in their order.
    pub(super) fn defers(&mut self, command: &Command) -> bool {
        let (first, second) = match command {
            Command::Bridge { a, b } => (*a, Some(*b)),
            Command::SetRemote { leg, .. }
            | Command::Secure { leg, .. }
            | Command::Unbridge { leg }
            | Command::Join { leg, .. }
            | Command::Play { leg, .. }
            | Command::Music { leg, .. }
            | Command::SendDigits { leg, .. }
            | Command::Record { leg, .. }
            | Command::RemoveLeg { leg } => (*leg, None),
            // Nothing of theirs is going on while the bridge is below; and `Report` waits by itself.
            Command::AddLeg { .. }
            | Command::Leave { .. }
            | Command::Stop { .. }
            | Command::StopRecord { .. }
            | Command::Report { .. } => return self.ending > 0,
        };
        for key in [Some(first), second].into_iter().flatten() {
            if let Some(slot) = self.slot(key) {
                self.take_back(slot);
            }
        }
        self.ending > 0
    }

    fn obey_deferred(&mut self, now: Instant) {
        while self.ending == 0
            && let Some(command) = self.deferred.pop_front()
        {
            // It was examined when it came, but a command before it may have changed what it meets.
            if self.defers(&command) {
                self.deferred.push_front(command);
                return;
            }
            self.obey(now, command);
        }
    }

    /// Orders the bridge of `slot` back, if it is below and not coming back already.
    pub(super) fn take_back(&mut self, slot: Slot) {
        let Some(pair) = self.carried_pair(slot) else { return };
        let mut is_new = false;
        for slot in pair {
            if let Some(carrying) = self.leg_mut(slot).and_then(|leg| leg.handover.carrying.as_mut()) {
                is_new |= !core::mem::replace(&mut carrying.is_ending, true);
            }
        }
        if is_new {
            self.ending = self.ending.saturating_add(1);
            self.counters.offloads_ended = self.counters.offloads_ended.saturating_add(1);
            self.offloads.push_back(Offload::End(pair));
        }
    }

    /// A packet of the peer's came up though his bridge is below.
    #[cold]
    pub(super) fn came_up(&mut self, now: Instant, slot: Slot, kind: Payload) {
        let Some(leg) = self.leg_mut(slot) else { return };
        let (Some(carrying), Some(peer)) = (leg.handover.carrying, leg.peer) else { return };
        let is_expected = now - carrying.since < GRACE && matches!(kind, Payload::Voice(_));
        let shifts = self.at_mut(peer).map(|listener| listener.outgoing.shifts());
        if !is_expected || shifts != Some(carrying.shifts) {
            self.take_back(slot);
        }
    }

    /// Wishes to know how far the leg's bridge has come.
    pub(super) fn ask_below(&mut self, slot: Slot) {
        if let Some(pair) = self.carried_pair(slot) {
            self.offloads.push_back(Offload::Count(pair));
        }
    }

    /// Answers `Report` when the counts are known.
    pub(super) fn report_below(&mut self, slot: Slot) {
        if let Some(leg) = self.leg_mut(slot) {
            leg.handover.wants_stats = true;
        }
        self.ask_below(slot);
    }

    fn tell_stats(&mut self, slot: Slot) {
        let Some(leg) = self.leg_mut(slot) else { return };
        if core::mem::take(&mut leg.handover.wants_stats) {
            let (leg, stats) = (leg.key, Box::new(leg.stats()));
            self.emit(Event::Stats { leg, stats });
        }
    }

    /// The leg's peer has just begun to speak as the kernel could carry him: lets his bridge go once it has
    /// been steady. One that has lately come back waits for a look at it, which comes once a second.
    pub(super) fn may_go_soon(&mut self, now: Instant, slot: Slot) {
        if !self.config.offload {
            return;
        }
        let Some(leg) = self.leg_mut(slot) else { return };
        let due = now + STEADY;
        if leg.handover.after <= due && !core::mem::replace(&mut leg.handover.is_going, true) {
            self.going.push_back((due, slot));
        }
    }

    /// Hands over those that have been steady. They stand in the order of their times.
    pub(super) fn let_go(&mut self, now: Instant) {
        for _ in 0..GOING_MAX {
            let Some((_, slot)) = self.going.pop_front_if(|(due, _)| *due <= now) else { return };
            let Some(leg) = self.leg_mut(slot) else { continue };
            leg.handover.is_going = false;
            if leg.handover.after > now {
                // Disturbed meanwhile.
                self.may_go_soon(now, slot);
            } else {
                self.consider_offload(now, slot);
            }
        }
    }

    /// Hands the leg's bridge over, if it may go.
    pub(super) fn consider_offload(&mut self, now: Instant, slot: Slot) {
        if !self.config.offload {
            return;
        }
        let place = |index: u32| self.places.get(index as usize).and_then(|place| place.leg.as_ref());
        let Some(peer) = place(slot.index).and_then(|leg| leg.peer) else { return };
        let pair = self.pair(slot.index, peer);
        let flows = (|| {
            let [a, b] = pair;
            let (one, other) = (place(a.index)?, place(b.index)?);
            Some([flow(now, (a, one), (b, other))?, flow(now, (b, other), (a, one))?])
        })();
        let Some(flows) = flows else { return };
        for flow in flows {
            if let Some(leg) = self.leg_mut(flow.speaker) {
                leg.plain = None;
                leg.handover.carrying = Some(Carrying {
                    since: now,
                    counted: Carried { position: flow.position, ..Carried::default() },
                    shifts: Shifts { sequence: flow.sequence_shift, timestamp: flow.timestamp_shift },
                    is_ending: false,
                });
            }
        }
        self.counters.offloads = self.counters.offloads.saturating_add(1);
        self.offloads.push_back(Offload::Begin(Box::new(flows)));
    }

    /// Notes what was carried since the last answer, as if it had come here.
    fn merge(&mut self, pair: Pair, carried: &[Carried; 2]) {
        let [a, b] = pair;
        for ((speaker, listener), carried) in [(a, b), (b, a)].into_iter().zip(carried) {
            let Some(place) = self.places.get_mut(speaker.index()) else { continue };
            let Some(leg) = place.leg.as_mut().filter(|_| place.generation == speaker.generation) else {
                continue;
            };
            let Some(news) = leg.carried(carried, &mut self.counters) else { continue };
            if let Some(listener) = self.leg_mut(listener) {
                listener.outgoing.carried(&carried.position, news.packets, news.octets);
            }
        }
    }

    /// Two legs in the order of their places.
    fn pair(&self, one: u32, other: u32) -> Pair {
        let slot = |index: u32| Slot {
            index,
            generation: self.places.get(index as usize).map_or(0, |place| place.generation),
        };
        [slot(one.min(other)), slot(one.max(other))]
    }
}

impl Leg {
    /// Takes over what was carried of the peer's stream since the last time; `None` if nothing was.
    fn carried(&mut self, carried: &Carried, counters: &mut Counters) -> Option<Carried> {
        let carrying = self.handover.carrying.as_mut()?;
        let before = core::mem::replace(&mut carrying.counted, *carried);
        let news = Carried {
            packets: carried.packets.saturating_sub(before.packets),
            octets: carried.octets.saturating_sub(before.octets),
            late: carried.late.saturating_sub(before.late),
            duplicates: carried.duplicates.saturating_sub(before.duplicates),
            gaps: carried.gaps.saturating_sub(before.gaps),
            position: carried.position,
        };
        let heard = &mut self.counted.heard;
        heard.late = heard.late.saturating_add(news.late);
        heard.duplicate = heard.duplicate.saturating_add(news.duplicates);
        heard.gaps = heard.gaps.saturating_add(news.gaps);
        let jitter_us = (news.position.jitter_16_max >> 4).saturating_mul(125);
        heard.jitter_us_max = heard.jitter_us_max.max(jitter_us);
        counters.stale = counters.stale.saturating_add(news.duplicates);
        if news.packets == 0 {
            return None;
        }
        self.is_silent = false;
        self.counted.packets_in = self.counted.packets_in.saturating_add(news.packets);
        self.counted.octets_in = self.counted.octets_in.saturating_add(news.octets);
        for count in [&mut counters.packets_in, &mut counters.packets_out, &mut counters.packets_offloaded] {
            *count = count.saturating_add(news.packets);
        }
        if let Some(incoming) = &mut self.incoming {
            incoming.carried(&news.position, news.packets);
        }
        if let Some(agreed) = &mut self.agreed {
            agreed.source.heard(news.position.last);
        }
        Some(news)
    }
}

/// One direction of a bridge as the kernel can carry it on from here; `None` if it must stay.
fn flow(now: Instant, speaker: (Slot, &Leg), listener: (Slot, &Leg)) -> Option<Flow> {
    let ((speaker, from), (listener, to)) = (speaker, listener);
    if now < from.handover.after || from.keys_in.is_open() {
        return None;
    }
    // Only what goes the short way here is simple enough for below.
    let plain = from.plain.filter(|plain| plain.listener == listener.index)?;
    let incoming = from.incoming.as_ref().filter(|incoming| now - incoming.last() <= FLOWING)?;
    // `Position` counts jitter in units of 8 kHz.
    let is_same = plain.table.is_none() && plain.codec.info().clock_hz == crate::dtmf::CLOCK_HZ;
    if !is_same || plain.from.is_ipv4() != plain.to.is_ipv4() {
        return None;
    }
    let shifts = to.outgoing.shifts_of(plain.feed)?;
    Some(Flow {
        speaker,
        from: plain.from,
        ssrc_in: plain.ssrc,
        payload_type_in: plain.payload_type_in,
        position: incoming.position(),
        listener,
        to: plain.to,
        ssrc_out: to.outgoing.ssrc(),
        payload_type_out: plain.payload_type_out,
        sequence_shift: shifts.sequence,
        timestamp_shift: shifts.timestamp,
    })
}
