//! Opus (RFC 6716) in RTP (RFC 7587), by libopus: mono, at 8 or 16 kHz, in packets of 20 ms. A peer may send
//! any packet that the standard knows; its RTP clock is 48 kHz whatever is in it.

use opus::{Application, Bandwidth, Bitrate, Channels, Signal};

use super::{Codec, Decoder, Encoder, Info, Malformed};
use crate::dsp::Rate;

/// Opus's row. Its silence is a frame that holds none.
pub(super) const INFO: Info = Info {
    codec: Codec::Opus,
    name: "opus",
    payload_type: 111,
    is_static: false,
    clock_hz: 48_000,
    channels: 2,
    bytes_per_ms: None,
    silence: &[0xF8, 0xFF, 0xFE],
    rate: Rate::Wide,
    decoder,
    encoder,
};

/// What our descriptions say about what we like to hear: mono and no more than wideband, for that is what
/// the other side of a call can hear, and it is a third of the work to decode.
pub const FORMAT_PARAMETERS: &str =
    "minptime=10;useinbandfec=1;stereo=0;maxplaybackrate=16000;sprop-maxcapturerate=16000";

/// Bits per second at 8 and at 16 kHz (RFC 7587 §3.1.1: 8-12 and 16-20 kbit/s sound good; a little more
/// stands a second encoding).
const BITRATES: [i32; 2] = [14_000, 24_000];
/// Steps of effort, of 10: beyond this speech gets dearer, not better.
const COMPLEXITY: i32 = 5;
/// What a peer who can hear redundancy is expected to lose, until his reports say otherwise: percent.
const LOSS_PERCENT: i32 = 2;
/// The least that a peer's `maxaveragebitrate` is believed (RFC 7587 §6.1).
const BITRATE_MIN: u32 = 6_000;

/// What a peer's `a=fmtp` says (RFC 7587 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// Beyond this his ears end.
    pub max_playback_hz: u32,
    /// The most bits per second he wants.
    pub max_bitrate: u32,
    /// He makes use of redundancy for lost packets.
    pub fec: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { max_playback_hz: 48_000, max_bitrate: 510_000, fec: false }
    }
}

impl Parameters {
    /// From `a=fmtp`'s `name=value;…`. What is not understood is as if it were not there.
    pub fn parse(text: &str) -> Self {
        let mut parameters = Parameters::default();
        for (name, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
            let number = value.trim().parse::<u32>();
            match (name.trim(), number) {
                ("maxplaybackrate", Ok(hz)) if hz >= 8_000 => parameters.max_playback_hz = hz,
                ("maxaveragebitrate", Ok(bits)) => parameters.max_bitrate = bits.max(BITRATE_MIN),
                ("useinbandfec", Ok(flag)) => parameters.fec = flag == 1,
                _ => {}
            }
        }
        parameters
    }
}

/// Timestamp units of a packet, by its first bytes (RFC 6716 §3.1, §3.2); 0 if it is none.
pub fn units(payload: &[u8]) -> u32 {
    let Some((toc, rest)) = payload.split_first() else { return 0 };
    let config = toc >> 3;
    let frame: u32 = match (config, config % 4) {
        // SILK: 10, 20, 40, 60 ms.
        (0..12, 3) => 2_880,
        (0..12, size) => 480 << size,
        // Hybrid: 10, 20 ms.
        (12..16, size) => 480 << (size % 2),
        // CELT: 2.5, 5, 10, 20 ms.
        (_, size) => 120 << size,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first().copied().unwrap_or(0) & 0x3F),
    };
    // No packet is longer than 120 ms (RFC 6716 §3.2.5).
    frame.saturating_mul(frames).min(5_760)
}

#[derive(Debug)]
struct OpusDecoder {
    libopus: opus::Decoder,
    rate: Rate,
}

fn decoder(rate: Rate) -> Option<Box<dyn Decoder>> {
    let libopus = opus::Decoder::new(rate.hz(), Channels::Mono).ok()?;
    Some(Box::new(OpusDecoder { libopus, rate }))
}

impl Decoder for OpusDecoder {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, Malformed> {
        if payload.is_empty() {
            return Err(Malformed);
        }
        self.libopus.decode(payload, out, false).map_err(|_| Malformed)
    }

    fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) -> bool {
        // The packet behind the gap may carry a coarse copy of what was in it (RFC 6716 §2.1.7).
        let copied = next.filter(|next| !next.is_empty());
        let made = copied.is_some_and(|next| self.libopus.decode(next, out, true).is_ok());
        made || self.libopus.decode(&[], out, false).is_ok()
    }
}

#[derive(Debug)]
struct OpusEncoder {
    libopus: opus::Encoder,
    rate: Rate,
    fec: bool,
}

fn encoder(rate: Rate, parameters: &Parameters) -> Option<Box<dyn Encoder>> {
    // Who hears no more than 8 kHz is not sent more.
    let rate = if parameters.max_playback_hz < Rate::Wide.hz() { Rate::Narrow } else { rate };
    let mut libopus = opus::Encoder::new(rate.hz(), Channels::Mono, Application::Voip).ok()?;
    let [narrow, wide] = BITRATES;
    let (bits, bandwidth) = match rate {
        Rate::Narrow => (narrow, Bandwidth::Narrowband),
        Rate::Wide => (wide, Bandwidth::Wideband),
    };
    let bits = bits.min(i32::try_from(parameters.max_bitrate).unwrap_or(i32::MAX));
    let set = [
        libopus.set_signal(Signal::Voice),
        libopus.set_max_bandwidth(bandwidth),
        libopus.set_bitrate(Bitrate::Bits(bits)),
        libopus.set_complexity(COMPLEXITY),
        libopus.set_inband_fec(parameters.fec),
        libopus.set_packet_loss_perc(if parameters.fec { LOSS_PERCENT } else { 0 }),
    ];
    set.into_iter().all(|result| result.is_ok()).then(|| {
        let encoder: Box<dyn Encoder> = Box::new(OpusEncoder { libopus, rate, fec: parameters.fec });
        encoder
    })
}

impl Encoder for OpusEncoder {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        self.libopus.encode(samples, out).unwrap_or(0)
    }

    fn peer_loses(&mut self, share: f32) {
        if self.fec {
            let percent = (share.clamp(0.0, 0.3) * 100.0).round() as i32;
            // Refused settings leave the old ones.
            let _ = self.libopus.set_packet_loss_perc(percent.max(LOSS_PERCENT));
        }
    }
}
