//! A bridge between two codecs, one way: what the other side says is heard by an ear and said again.

use base::{Duration, Instant};

use super::ear::{Counted, Ear};
use super::jitter::Packet;
use super::leg::Agreed;
use super::mouth::Mouth;
use super::outgoing::Feed;
use crate::Codec;
use crate::codec::FRAME_BYTES_MAX;
use crate::dsp::FRAME_SAMPLES_MAX;
use crate::rtp::Header;

/// After a telephone event nothing is said for so long: whoever sends events sends no voice beside them, and
/// nothing is to be made up for it.
const HUSH: Duration = Duration::from_millis(60);

/// What one leg hears of the other.
#[derive(Debug)]
pub(super) struct Translation {
    feed: Feed,
    ear: Ear,
    mouth: Option<Box<Mouth>>,
    hushed_until: Instant,
}

impl Translation {
    /// From `codec` to what the listener speaks.
    pub(super) fn new(feed: Feed, codec: Codec, bytes: usize, agreed: &Agreed) -> Self {
        let rate = codec.info().rate.min(agreed.codec.info().rate);
        Translation { feed, ear: Ear::new(rate, bytes), mouth: None, hushed_until: Instant::ZERO }
    }

    /// A voice packet of the other side's.
    pub(super) fn packet(&mut self, feed: Feed, header: &Header, codec: Codec, payload: &[u8], to: Codec) {
        if self.feed != feed {
            self.feed = feed;
            self.ear.clear();
        }
        self.ear.set_rate(codec.info().rate.min(to.info().rate));
        let Header { sequence, timestamp, .. } = *header;
        self.ear.packet(Packet { sequence, timestamp, codec }, payload);
    }

    /// The other side sends a telephone event.
    pub(super) fn hush(&mut self, now: Instant) {
        self.hushed_until = now + HUSH;
        self.ear.clear();
    }

    /// Nobody listens for now: what comes meanwhile is not kept for later.
    pub(super) fn forget(&mut self) {
        self.ear.clear();
    }

    /// The payload of the next 20 ms; empty while there is nothing to be sent.
    pub(super) fn frame<'a>(
        &mut self,
        at: Instant,
        agreed: &Agreed,
        out: &'a mut [u8; FRAME_BYTES_MAX],
    ) -> &'a [u8] {
        if at < self.hushed_until {
            return &[];
        }
        let mut samples = [0; FRAME_SAMPLES_MAX];
        self.ear.frame(&mut samples);
        let rate = self.ear.rate();
        let Some(mouth) = Mouth::of(&mut self.mouth, agreed.codec, agreed.parameters, rate) else {
            return &[];
        };
        mouth.speak(samples.get(..rate.frame()).unwrap_or_default(), out)
    }

    /// The listener reported this share of packets lost.
    pub(super) fn peer_loses(&mut self, share: f32) {
        if let Some(mouth) = &mut self.mouth {
            mouth.peer_loses(share);
        }
    }

    /// What was made up, came late, or was shortened.
    pub(super) const fn counted(&self) -> Counted {
        self.ear.counted
    }
}
