//! Samples to a peer's codec, 20 ms at a time.

use crate::Codec;
use crate::codec::opus::Parameters;
use crate::codec::{Encoder, FRAME_BYTES_MAX};
use crate::dsp::resample::{Doubler, Halver};
use crate::dsp::{FRAME_SAMPLES_MAX, Rate};

/// One peer's encoder.
#[derive(Debug)]
pub(super) struct Mouth {
    codec: Codec,
    parameters: Parameters,
    /// Of the samples it is given.
    rate: Rate,
    encoder: Box<dyn Encoder>,
    resampler: Resampler,
}

/// From the rate given to the encoder's.
#[derive(Clone, Debug)]
pub(super) enum Resampler {
    None,
    Halver(Box<Halver>),
    Doubler(Box<Doubler>),
}

impl Resampler {
    pub(super) fn between(from: Rate, to: Rate) -> Self {
        match (from, to) {
            (Rate::Wide, Rate::Narrow) => Resampler::Halver(Box::default()),
            (Rate::Narrow, Rate::Wide) => Resampler::Doubler(Box::default()),
            _ => Resampler::None,
        }
    }

    /// Converts a frame: how many samples `out` has then.
    pub(super) fn convert(&mut self, frame: &[i16], out: &mut [i16]) -> usize {
        match self {
            Resampler::None => {
                let count = frame.len().min(out.len());
                for (place, sample) in out.iter_mut().zip(frame) {
                    *place = *sample;
                }
                count
            }
            Resampler::Halver(halver) => halver.halve(frame, out),
            Resampler::Doubler(doubler) => doubler.double(frame, out),
        }
    }
}

impl Mouth {
    /// For samples at `rate`; `None` if there is no memory.
    fn new(codec: Codec, parameters: Parameters, rate: Rate) -> Option<Self> {
        let encoder = (codec.info().encoder)(rate, &parameters)?;
        let resampler = Resampler::between(rate, encoder.rate());
        Some(Mouth { codec, parameters, rate, encoder, resampler })
    }

    /// The mouth in `place`, made anew if it speaks something else.
    pub(super) fn of(
        place: &mut Option<Box<Mouth>>,
        codec: Codec,
        parameters: Parameters,
        rate: Rate,
    ) -> Option<&mut Mouth> {
        let fits =
            |mouth: &Mouth| mouth.codec == codec && mouth.parameters == parameters && mouth.rate == rate;
        if !place.as_deref().is_some_and(fits) {
            *place = Mouth::new(codec, parameters, rate).map(Box::new);
        }
        place.as_deref_mut()
    }

    /// The payload of 20 ms, at the beginning of `out`.
    pub(super) fn speak<'a>(&mut self, frame: &[i16], out: &'a mut [u8; FRAME_BYTES_MAX]) -> &'a [u8] {
        let mut converted = [0; FRAME_SAMPLES_MAX];
        let samples = match &self.resampler {
            Resampler::None => frame,
            _ => {
                let count = self.resampler.convert(frame, &mut converted);
                converted.get(..count).unwrap_or_default()
            }
        };
        let count = self.encoder.encode(samples, out);
        out.get(..count).unwrap_or_default()
    }

    /// The peer reported this share of packets lost.
    pub(super) fn peer_loses(&mut self, share: f32) {
        self.encoder.peer_loses(share);
    }
}
