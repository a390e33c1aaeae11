//! A recording in a codec whose packets are whole: Opus.

use std::sync::Arc;

use crate::Codec;
use crate::codec::FRAME_BYTES_MAX;
use crate::codec::opus::Parameters;
use crate::dsp::{FRAME_SAMPLES_MAX, Rate};

/// Packets of 20 ms, one after the other. Cloning shares them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Packets {
    bytes: Arc<[u8]>,
    /// Where each packet ends in `bytes`.
    ends: Arc<[u32]>,
}

impl Packets {
    /// Encodes samples at 16 kHz; the last packet is filled up with silence. Nothing if the encoder cannot.
    pub(super) fn encode(codec: Codec, wide: &[i16]) -> Packets {
        let Some(mut encoder) = (codec.info().encoder)(Rate::Wide, &Parameters::default()) else {
            return Packets::default();
        };
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let mut out = [0; FRAME_BYTES_MAX];
        for chunk in wide.chunks(FRAME_SAMPLES_MAX) {
            let mut frame = [0; FRAME_SAMPLES_MAX];
            for (place, sample) in frame.iter_mut().zip(chunk) {
                *place = *sample;
            }
            let length = encoder.encode(&frame, &mut out);
            bytes.extend_from_slice(out.get(..length).unwrap_or_default());
            ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        Packets { bytes: bytes.into(), ends: ends.into() }
    }

    /// The packet that begins `frame` times 20 ms from the start.
    pub fn get(&self, frame: usize) -> Option<&[u8]> {
        let end = *self.ends.get(frame)? as usize;
        let start =
            frame.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize);
        self.bytes.get(start..end).filter(|packet| !packet.is_empty())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}
