//! Twenty thousand listeners who came at different times do not all hear their packets at the same moment.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test program may panic")]

mod common;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{Duration, Instant, LegKey, Rng, Seed};
use common::{Phone, counting};
use media::sdp::Negotiated;
use media::{Channel, Codec, Command, Prompt, Relay, RelayConfig, Sink, Slot};

const LISTENERS: u64 = 20_000;

/// Counts voice packets by the millisecond of the frame in which they leave.
#[derive(Default)]
struct Phases {
    ms: usize,
    packets: [u32; 20],
}

impl Sink for Phases {
    fn send(&mut self, _: Slot, channel: Channel, _: SocketAddr, _: &[u8], _: &[u8]) {
        self.packets[self.ms] += u32::from(channel == Channel::Rtp);
    }
}

impl Phases {
    /// The fullest millisecond over the mean of all.
    fn bunching(&self) -> f64 {
        let (all, most) = (self.packets.iter().sum::<u32>(), *self.packets.iter().max().unwrap());
        f64::from(most) * 20.0 / f64::from(all)
    }
}

/// Lets `relay` send for 100 ms, driven each millisecond as a media thread does.
fn run(relay: &mut Relay, now: &mut Instant) -> Phases {
    let mut phases = Phases::default();
    for _ in 0..100 {
        *now = Instant::from_millis(now.as_millis() + 1);
        phases.ms = (now.as_millis() % 20) as usize;
        relay.handle_timeout(*now, &mut phases);
    }
    phases
}

fn listen(relay: &mut Relay, now: Instant, n: u64, music: &Arc<Prompt>) {
    let phone = Phone::new(n);
    let (leg, learn_from) = (phone.leg, vec![phone.at.ip()]);
    relay.handle(now, Command::AddLeg { leg, port: 30_000, local: IpAddr::from([192, 0, 2, 1]) });
    let negotiated = Negotiated::plain(phone.at, Codec::Pcma);
    relay.handle(now, Command::SetRemote { leg, negotiated, learn_from, timeout: None });
    relay.handle(now, Command::Music { leg, music: Arc::clone(music) });
}

#[test]
fn twenty_thousand_starts_are_spread_over_the_frame() {
    let mut relay = Relay::new(RelayConfig::default(), Seed([1, 2]));
    let mut rng = Rng::new(Seed([3, 4]));
    let music = Arc::new(counting(1_000, 7));
    let mut now = Instant::from_secs(5);
    for n in 0..LISTENERS {
        // They come as callers do, on average one each 25 µs, in bursts and lulls.
        now += Duration::from_micros(rng.below(50));
        listen(&mut relay, now, n, &music);
        relay.handle_timeout(now, &mut Phases::default());
    }
    let all = run(&mut relay, &mut now);
    assert_eq!(all.packets.iter().sum::<u32>(), LISTENERS as u32 * 5, "each is served five times");
    assert!(all.bunching() <= 1.01, "{:.3} {:?}", all.bunching(), all.packets);
    // Half of them leave, whoever it is; the others stay where they are.
    for n in 0..LISTENERS {
        if rng.below(2) == 0 {
            relay.handle(now, Command::RemoveLeg { leg: LegKey(n) });
        }
    }
    let rest = run(&mut relay, &mut now);
    assert!(rest.bunching() <= 1.2, "{:.3} {:?}", rest.bunching(), rest.packets);
    // Others come into their places.
    for n in 0..LISTENERS {
        if relay.slot(LegKey(n)).is_none() {
            listen(&mut relay, now, n, &music);
        }
    }
    let again = run(&mut relay, &mut now);
    assert!(again.bunching() <= 1.01, "{:.3} {:?}", again.bunching(), again.packets);
}
