#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")]

use base::{Rng, Seed};

use super::*;

fn digits(keys: &str) -> Vec<Digit> {
    keys.bytes().map(|key| Digit::from_byte(key).unwrap()).collect()
}

fn text(presses: &[Press]) -> String {
    presses.iter().map(|press| char::from(press.digit.byte())).collect()
}

/// Sends `keys` through `lose` (per packet number: how many copies arrive) and returns the presses.
fn through(keys: &str, mut copies: impl FnMut(usize) -> u64) -> Vec<Press> {
    let (mut sender, mut receiver) = (Sender::default(), Receiver::default());
    assert_eq!(sender.push(&digits(keys), 10_000), 0);
    let (mut presses, mut count, mut tick) = (Vec::new(), 0, 0u32);
    loop {
        let now = Instant::from_millis(u64::from(tick) * 20);
        match sender.tick(tick.wrapping_mul(160).wrapping_sub(3_000), CLOCK_HZ) {
            SenderTick::Packet(packet) => {
                for _ in 0..copies(count) {
                    presses.extend(
                        receiver.packet(now, packet.timestamp, &packet.payload).into_iter().flatten(),
                    );
                }
                count += 1;
            }
            SenderTick::Gap => {}
            SenderTick::Done | SenderTick::Idle => break,
        }
        presses.extend(receiver.timeout(now));
        tick += 1;
    }
    presses.extend(receiver.timeout(Instant::from_secs(100_000)));
    presses
}

#[test]
fn every_key_has_its_event_code() {
    for (code, key) in b"0123456789*#ABCD".iter().enumerate() {
        let digit = Digit::from_byte(*key).unwrap();
        assert_eq!((usize::from(digit.event()), Digit::from_event(digit.event())), (code, Some(digit)));
    }
    assert_eq!(Digit::from_byte(b'b'), Digit::from_byte(b'B'));
    assert_eq!((Digit::from_byte(b'E'), Digit::from_event(16)), (None, None));
    assert_eq!(format!("{:?}", digits("12")), "[Digit(•), Digit(•)]", "a PIN is not printed");
}

#[test]
fn a_key_is_seven_packets_of_one_timestamp() {
    let mut sender = Sender::default();
    sender.push(&digits("5"), 10);
    let ticks: Vec<SenderTick> = (0..10).map(|tick| sender.tick(1_000 + tick * 160, CLOCK_HZ)).collect();
    let packet = |marker, end: u8, duration: u16| {
        let [d0, d1] = duration.to_be_bytes();
        SenderTick::Packet(EventPacket { marker, timestamp: 1_000, payload: [5, end | 10, d0, d1] })
    };
    let expected = [
        packet(true, 0, 160),
        packet(false, 0, 320),
        packet(false, 0, 480),
        packet(false, 0, 640),
        packet(false, 0x80, 800),
        packet(false, 0x80, 800),
        packet(false, 0x80, 800),
        SenderTick::Gap,
        SenderTick::Gap,
        SenderTick::Done,
    ];
    assert_eq!(ticks, expected);
    assert_eq!(sender.tick(9_000, CLOCK_HZ), SenderTick::Idle);
}

#[test]
fn each_press_is_heard_once() {
    let presses = through("1123*#A0", |_| 1);
    assert_eq!(text(&presses), "1123*#A0");
    assert!(presses.iter().all(|press| press.duration_ms == 100));
    assert_eq!(text(&through("1123*#A0", |_| 3)), "1123*#A0", "every packet three times");
    assert_eq!(text(&through("77", |n| u64::from(n % 7 == 0))), "77", "only the first packets arrive");
    assert_eq!(text(&through("77", |n| u64::from(n % 7 == 6))), "77", "only the last ones do");
}

#[test]
fn five_percent_loss_costs_no_digit() {
    let keys: String = (0..10_000).map(|n| char::from(b"0123456789*#ABCD"[n * 7 % 16])).collect();
    let mut rng = Rng::new(Seed([4, 7]));
    let presses = through(&keys, |_| match rng.below(100) {
        0..5 => 0,
        5..10 => 2,
        _ => 1,
    });
    assert_eq!(text(&presses), keys);
}

#[test]
fn a_long_event_in_segments_is_one_press() {
    let mut receiver = Receiver::default();
    let mut now = Instant::ZERO;
    let mut presses = Vec::new();
    // 20 s: two full segments and an end (RFC 4733 §2.5.1.3).
    for (start, end) in [(0u32, false), (0xFFFF, false), (2 * 0xFFFF, true)] {
        for step in 1..=409u32 {
            now += Duration::from_millis(20);
            let duration = (step * 160).min(0xFFFF);
            let flags = if end && step == 409 { 0x80 } else { 0 };
            let [.., d0, d1] = duration.to_be_bytes();
            presses.extend(receiver.packet(now, start, &[9, flags, d0, d1]).into_iter().flatten());
        }
    }
    assert_eq!(text(&presses), "9");
    assert_eq!(presses[0].duration_ms, (2 * 0xFFFF + 409 * 160u32).div_ceil(8));
}

#[test]
fn what_comes_late_is_no_new_press() {
    let mut receiver = Receiver::default();
    let ms = Instant::from_millis;
    assert_eq!(receiver.packet(ms(0), 160, &[1, 0x80, 3, 32])[1].map(|p| p.duration_ms), Some(100));
    assert_eq!(receiver.packet(ms(20), 160, &[1, 0, 1, 64]), [None; 2], "an update after the end");
    assert_eq!(receiver.packet(ms(30), 0, &[7, 0x80, 1, 64]), [None; 2], "an event from before");
    assert_eq!(receiver.packet(ms(900), 7_000, &[1, 0]), [None; 2], "too short");
    assert_eq!(receiver.packet(ms(900), 7_000, &[16, 0x80, 1, 0]), [None; 2], "a hook flash is no key");
}
