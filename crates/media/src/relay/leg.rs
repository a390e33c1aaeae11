//! One leg: what signalling agreed, what comes in, what goes out.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use base::{Instant, LegKey, Rng};

use super::incoming::{Heard, Incoming};
use super::offload::Handover;
use super::outgoing::{Feed, Outgoing};
use super::plain::Plain;
use super::player::Player;
use super::recorder::Recorder;
use super::secure::Secure;
use super::source::Source;
use super::stats::LegStats;
use super::translation::Translation;
use crate::codec::opus::Parameters;
use crate::rtcp::{CNAME_BYTES, Item, ReportBlock, round_trip_ms};
use crate::sdp::Negotiated;
use crate::{Codec, dtmf};

/// What a payload type that the peer sends means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Payload {
    Unknown,
    Voice(Codec),
    Dtmf,
}

/// What signalling agreed on.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    pub(super) codec: Codec,
    pub(super) payload_type: u8,
    pub(super) parameters: Parameters,
    pub(super) dtmf_payload_type: Option<u8>,
    pub(super) dtmf_clock_hz: u32,
    pub(super) sends: bool,
    pub(super) receives: bool,
    pub(super) muxed: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) source: Source,
    /// By payload type.
    pub(super) payloads: [Payload; 128],
}

impl Agreed {
    pub(super) fn new(
        before: Option<&Agreed>,
        negotiated: &Negotiated,
        learn_from: &[IpAddr],
        timeout: Option<Duration>,
    ) -> Self {
        let mut payloads = [Payload::Unknown; 128];
        let dtmf = negotiated.dtmf_payload_type_in.map(|number| (number, Payload::Dtmf));
        let voice = negotiated.accepted.iter().map(|&(number, codec)| (number, Payload::Voice(codec)));
        for (number, meaning) in voice.chain(dtmf) {
            if let Some(place) = payloads.get_mut(usize::from(number)) {
                *place = meaning;
            }
        }
        Agreed {
            codec: negotiated.codec,
            payload_type: negotiated.payload_type,
            parameters: negotiated.parameters,
            dtmf_payload_type: negotiated.dtmf_payload_type,
            dtmf_clock_hz: negotiated.dtmf_clock_hz,
            sends: negotiated.direction.sends(),
            receives: negotiated.direction.receives(),
            muxed: negotiated.rtcp_mux,
            timeout,
            source: Source::new(
                before.map(|before| &before.source),
                negotiated.remote,
                negotiated.remote_rtcp,
                negotiated.rtcp_mux,
                learn_from,
            ),
            payloads,
        }
    }

    /// Where voice goes, if any may.
    #[inline]
    pub(super) fn voice_to(&self) -> Option<SocketAddr> {
        if self.sends { self.source.send_to() } else { None }
    }
}

/// One leg of a relay.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) key: LegKey,
    /// The short way of the peer's packets, while nothing special is asked of them.
    pub(super) plain: Option<Plain>,
    /// `None` before the first `SetRemote`.
    pub(super) agreed: Option<Agreed>,
    /// SRTP, if agreed on.
    pub(super) secure: Option<Box<Secure>>,
    /// The leg bridged to, by its place.
    pub(super) peer: Option<u32>,
    /// What it hears of that leg, where the two speak different codecs.
    pub(super) translation: Option<Box<Translation>>,
    /// The mix that it is in, by its place. Never beside a peer.
    pub(super) mix: Option<u32>,
    /// The other side's telephone event that is being said again under another clock.
    pub(super) repeated_event: Option<RepeatedEvent>,
    pub(super) incoming: Option<Incoming>,
    /// Counts the peer's streams.
    pub(super) epoch: u32,
    pub(super) outgoing: Outgoing,
    pub(super) player: Player,
    pub(super) keys_out: dtmf::Sender,
    pub(super) keys_in: dtmf::Receiver,
    pub(super) recorder: Option<Box<Recorder>>,
    /// `Flowing` is still to be told.
    pub(super) awaits_flow: bool,
    /// `Silent` was told.
    pub(super) is_silent: bool,
    /// Since when silence counts.
    pub(super) quiet_since: Instant,
    pub(super) next_report: Instant,
    /// Place in the wheel's list, while it ticks.
    pub(super) ticks_at: Option<u32>,
    pub(super) cname: [u8; CNAME_BYTES],
    pub(super) counted: Counted,
    pub(super) handover: Handover,
}

/// A telephone event of another leg's.
#[derive(Clone, Copy, Debug)]
pub(super) struct RepeatedEvent {
    /// Whose, and when it began there.
    pub(super) feed: Feed,
    pub(super) theirs: u32,
    /// When it began here.
    pub(super) ours: u32,
}

/// What is counted and kept when the peer's stream changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) packets_in: u64,
    pub(super) octets_in: u64,
    pub(super) strangers: u64,
    pub(super) malformed: u64,
    pub(super) digits_in: u64,
    pub(super) digits_out: u64,
    pub(super) heard: Heard,
    pub(super) round_trip_ms: Option<f32>,
    pub(super) peer_loss: Option<f32>,
    pub(super) concealed: u64,
    pub(super) too_late: u64,
}

impl Leg {
    pub(super) fn new(key: LegKey, now: Instant, rng: &mut Rng) -> Self {
        let mut cname = [0; CNAME_BYTES];
        for (place, byte) in cname.iter_mut().zip(rng.token().bytes()) {
            *place = byte;
        }
        let numbers = rng.next_u64().to_be_bytes();
        let [s0, s1, t0, t1, t2, t3, ..] = numbers;
        Leg {
            key,
            plain: None,
            agreed: None,
            secure: None,
            peer: None,
            translation: None,
            mix: None,
            repeated_event: None,
            incoming: None,
            epoch: 0,
            // Sequence numbers start in the lower half, as RFC 3711 §3.3.1 advises.
            outgoing: Outgoing::new(
                rng.next_u32(),
                u16::from_be_bytes([s0 & 0x7F, s1]),
                u32::from_be_bytes([t0, t1, t2, t3]),
            ),
            player: Player::default(),
            keys_out: dtmf::Sender::default(),
            keys_in: dtmf::Receiver::default(),
            recorder: None,
            awaits_flow: false,
            is_silent: false,
            quiet_since: now,
            next_report: now,
            ticks_at: None,
            cname,
            counted: Counted::default(),
            handover: Handover::new(now),
        }
    }

    /// Whether the leg sends by the wheel: prompts, keys, what is translated, or silence while it is alone.
    pub(super) fn wants_ticks(&self) -> bool {
        let is_alone = self.peer.is_none() && self.mix.is_none();
        self.agreed.is_some() && (is_alone || self.is_busy() || self.translation.is_some())
    }

    /// Lets nothing be translated any more; what was made up counts on.
    pub(super) fn end_translation(&mut self) {
        self.repeated_event = None;
        if let Some(translation) = self.translation.take() {
            let super::ear::Counted { concealed, late, .. } = translation.counted();
            self.counted.concealed = self.counted.concealed.saturating_add(concealed);
            self.counted.too_late = self.counted.too_late.saturating_add(late);
        }
    }

    /// Whether prompts or keys keep the bridged voice out.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        self.player.is_playing() || self.keys_out.is_active()
    }

    /// Notes what the peer's report says. The SSRC of the stream that ends, if one does, is not ours to judge:
    /// calls end by signalling.
    pub(super) fn reported(&mut self, now: Instant, item: Item) {
        match item {
            Item::Sender { ssrc, info } => {
                if let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.ssrc() == ssrc) {
                    incoming.sender_report(now, crate::rtcp::ntp_middle(info.ntp));
                }
            }
            Item::Block { block, .. } if block.ssrc == self.outgoing.ssrc() => {
                let share = f32::from(block.fraction_lost) / 256.0;
                self.counted.peer_loss = Some(share);
                if let Some(translation) = &mut self.translation {
                    translation.peer_loses(share);
                }
                self.counted.round_trip_ms = round_trip_ms(now, &block).or(self.counted.round_trip_ms);
            }
            Item::Block { .. } | Item::Bye { .. } => {}
        }
    }

    /// What the peer hears about his stream.
    pub(super) fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        self.incoming.as_mut().map(|incoming| incoming.report(now))
    }

    /// The whole leg in numbers.
    pub(super) fn stats(&self) -> LegStats {
        let counted = &self.counted;
        let (packets_out, octets_out) = self.outgoing.sent();
        let incoming = self.incoming.as_ref();
        let translated =
            self.translation.as_ref().map(|translation| translation.counted()).unwrap_or_default();
        let lost = incoming.map_or(0, |incoming| u64::from(incoming.lost().unsigned_abs()));
        let jitter_us_max =
            counted.heard.jitter_us_max.max(incoming.map_or(0, |incoming| incoming.jitter_us_max()));
        LegStats {
            packets_in: counted.packets_in,
            octets_in: counted.octets_in,
            packets_out,
            octets_out,
            lost: counted.heard.lost.saturating_add(lost),
            late: counted.heard.late,
            duplicate: counted.heard.duplicate,
            jitter_ms: incoming.map_or(0.0, |incoming| incoming.jitter_us() as f32 / 1_000.0),
            jitter_ms_max: jitter_us_max as f32 / 1_000.0,
            round_trip_ms: counted.round_trip_ms,
            peer_loss: counted.peer_loss,
            strangers: counted.strangers,
            malformed: counted.malformed,
            digits_in: counted.digits_in,
            digits_out: counted.digits_out,
            gaps: counted.heard.gaps,
            concealed: counted.concealed.saturating_add(translated.concealed),
            too_late: counted.too_late.saturating_add(translated.late),
        }
    }
}
