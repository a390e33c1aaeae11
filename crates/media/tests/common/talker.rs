//! Phones that say tones in any codec, and what of tones is in what they hear.

use media::codec::opus::Parameters;
use media::codec::{Decoder, Encoder, FRAME_BYTES_MAX, PACKET_SAMPLES_MAX};
use media::dsp::Rate;
use media::{Codec, sdp::Negotiated};

use super::{Phone, Sent, World};

pub struct Talker {
    pub phone: Phone,
    pub codec: Codec,
    hz: f64,
    level: f64,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    said: usize,
}

impl Talker {
    /// Phone `n`, which says a tone of `hz` at `level` of full scale.
    pub fn new(n: u64, codec: Codec, hz: f64, level: f64) -> Self {
        let phone = Phone { payload_type: codec.info().payload_type, ..Phone::new(n) };
        let encoder = (codec.info().encoder)(Rate::Wide, &Parameters::default()).unwrap();
        let decoder = (codec.info().decoder)(Rate::Wide).unwrap();
        Talker { phone, codec, hz, level, encoder, decoder, said: 0 }
    }

    pub fn negotiated(&self) -> Negotiated {
        Negotiated::plain(self.phone.at, self.codec)
    }

    /// The next 20 ms as a packet.
    pub fn packet(&mut self) -> Vec<u8> {
        let rate = self.encoder.rate();
        let turn = core::f64::consts::TAU * self.hz / f64::from(rate.hz());
        let sample = |n: usize| (turn * n as f64).sin() * self.level * 32_767.0;
        let samples: Vec<i16> = (self.said..self.said + rate.frame()).map(|n| sample(n) as i16).collect();
        self.said += rate.frame();
        let mut payload = [0; FRAME_BYTES_MAX];
        let length = self.encoder.encode(&samples, &mut payload);
        let packet = self.phone.packet(self.phone.payload_type, false, &payload[..length]);
        self.pauses();
        packet
    }

    /// 20 ms go by in its stream.
    pub fn pauses(&mut self) {
        self.phone.sequence = self.phone.sequence.wrapping_add(1);
        self.phone.timestamp = self.phone.timestamp.wrapping_add(self.codec.frame_units());
    }

    pub fn says(&mut self, world: &mut World) {
        let packet = self.packet();
        let phone = self.phone.clone();
        world.arrives(&phone, phone.at, &packet);
    }

    /// What it hears of the voice packets sent to it.
    pub fn hears(&mut self, sent: &[Sent]) -> Vec<i16> {
        let mut all = Vec::new();
        let mut samples = [0; PACKET_SAMPLES_MAX];
        for packet in sent.iter().filter(|sent| sent.header().payload_type == self.phone.payload_type) {
            let count = self.decoder.decode(packet.payload(), &mut samples).unwrap();
            all.extend_from_slice(&samples[..count]);
        }
        all
    }

    /// The level of each tone in what it hears, as a share of full scale.
    pub fn tones(&mut self, sent: &[Sent], hz: &[f64]) -> Vec<f64> {
        let heard = self.hears(sent);
        let rate = self.decoder.rate();
        hz.iter().map(|&hz| tone(&heard, hz, rate)).collect()
    }
}

/// The level of a tone, by correlation.
pub fn tone(samples: &[i16], hz: f64, rate: Rate) -> f64 {
    let turn = core::f64::consts::TAU * hz / f64::from(rate.hz());
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        sine += f64::from(sample) * (turn * n as f64).sin();
        cosine += f64::from(sample) * (turn * n as f64).cos();
    }
    f64::hypot(sine, cosine) * 2.0 / samples.len().max(1) as f64 / 32_767.0
}

/// A world of these talkers' legs.
pub fn world(talkers: &[&Talker]) -> World {
    let phones: Vec<Phone> = talkers.iter().map(|talker| talker.phone.clone()).collect();
    World::with(&phones)
}
