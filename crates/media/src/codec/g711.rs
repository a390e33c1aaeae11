//! What both laws of G.711 share: a byte is a sample.

use super::{Decoder, Encoder, Malformed};
use crate::dsp::Rate;

/// A decoder by table.
#[derive(Clone, Copy, Debug)]
pub(super) struct LawDecoder(pub(super) &'static [i16; 256]);

impl Decoder for LawDecoder {
    fn rate(&self) -> Rate {
        Rate::Narrow
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, Malformed> {
        if payload.len() > out.len() {
            return Err(Malformed);
        }
        for (sample, &byte) in out.iter_mut().zip(payload) {
            // A table of 256 holds every byte.
            *sample = self.0.get(usize::from(byte)).copied().unwrap_or_default();
        }
        Ok(payload.len())
    }
}

/// An encoder by a law's function.
#[derive(Clone, Copy, Debug)]
pub(super) struct LawEncoder(pub(super) fn(i16) -> u8);

impl Encoder for LawEncoder {
    fn rate(&self) -> Rate {
        Rate::Narrow
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        for (byte, &sample) in out.iter_mut().zip(samples) {
            *byte = (self.0)(sample);
        }
        samples.len().min(out.len())
    }
}
