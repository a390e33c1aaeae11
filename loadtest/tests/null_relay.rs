//! The generator against the null relay: what is measured is what happened. The sleeps are the measured
//! intervals: what is tested here paces itself by the real clock.

#![expect(clippy::unwrap_used, reason = "helpers of tests: failing is their way to report")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use usher_load::null_relay::{Calls, NullRelay};
use usher_load::rig::Rig;
use usher_load::rtp::{Expect, Generator, GeneratorConfig, Report, Stream};
use worker::net::{Socket, SocketOptions};

/// How long the streams are measured: 20 packets each.
const MEASURED: Duration = Duration::from_millis(400);

fn rig(last: u8) -> Rig {
    let address = IpAddr::from([127, 0, 30, last]);
    Rig { calls: 5, address, relay_base: 20_000, generator_base: 21_000 }
}

fn stream(rig: &Rig, leg: u16, expect: Expect) -> Stream {
    let socket = Socket::bind(rig.generator(leg), &SocketOptions::default()).unwrap();
    let (id, remote) = (u32::from(leg), rig.relay(leg));
    Stream { id, socket, remote, payload_type: 8, ssrc: id, sends: true, expect }
}

/// The streams of `rig` through a relay, each expecting what `expect` says.
fn relayed(rig: &Rig, calls: Calls, expect: impl Fn(u16) -> Expect) -> Report {
    let relay = NullRelay::bind(rig, Duration::from_millis(1)).unwrap();
    let moved = relay.moved();
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let thread = std::thread::spawn(move || relay.run(calls, &asked));
    let mut generator = Generator::start(&GeneratorConfig::default()).unwrap();
    rig.legs().for_each(|leg| generator.add(stream(rig, leg, expect(leg))).unwrap());
    sleep(Duration::from_millis(100));
    generator.measure();
    sleep(MEASURED);
    let report = generator.finish();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap().unwrap();
    assert_eq!(moved.packets_in.load(Ordering::Relaxed), moved.packets_out.load(Ordering::Relaxed));
    report
}

#[test]
fn everything_arrives_once_and_in_time() {
    arrives_once_and_in_time(&rig(1), Calls::Epoll);
    arrives_once_and_in_time(&rig(4), Calls::Uring);
}

fn arrives_once_and_in_time(rig: &Rig, calls: Calls) {
    let report = relayed(rig, calls, |leg| Expect::Stream(u32::from(Rig::other(leg))));
    assert!(report.sent >= 10 * 10, "{report}");
    assert_eq!((report.received, report.lost), (report.sent, 0), "{report}");
    assert_eq!((report.duplicates, report.reordered, report.bleed, report.sequence_jumps), (0, 0, 0, 0));
    assert!(report.latency.p50_us > 1.0, "{report}");
    assert!(report.by_stream.iter().all(|stream| stream.source_changes == 0 && stream.received > 0));
}

#[test]
fn a_voice_in_the_wrong_ear_is_found() {
    // Each leg expects its own echo, and gets the other's voice.
    let report = relayed(&rig(2), Calls::Epoll, |leg| Expect::Stream(u32::from(leg)));
    assert_eq!((report.received, report.bleed), (0, report.sent), "{report}");
    assert_eq!(report.lost, report.sent);
}

#[test]
fn packets_to_nobody_are_lost() {
    let rig = rig(3);
    let generator = Generator::start(&GeneratorConfig::default()).unwrap();
    let nobody: SocketAddr = rig.relay(9);
    generator.add(Stream { remote: nobody, ..stream(&rig, 0, Expect::Stream(1)) }).unwrap();
    generator.add(Stream { remote: nobody, ..stream(&rig, 1, Expect::Stream(0)) }).unwrap();
    sleep(MEASURED);
    let gone = generator.remove(1).unwrap();
    assert!(gone.sent >= 10);
    assert!(generator.remove(1).is_none());
    let report = generator.finish();
    assert_eq!((report.received, report.lost), (0, report.sent), "{report}");
    assert!((report.worst_stream_loss - 1.0).abs() < f64::EPSILON);
}
