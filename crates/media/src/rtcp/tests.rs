#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")]

use base::{Duration, Instant, Rng, Seed};

use super::*;

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 0xAABB_CCDD,
    fraction_lost: 13,
    lost: -3,
    sequence: 0x0001_FFFE,
    jitter: 17,
    last_sr: 0xB705_2000,
    delay: 0x0005_4000,
};

const INFO: SenderInfo =
    SenderInfo { ntp: 0x0123_4567_89AB_CDEF, timestamp: 99, packets: 1_000, octets: 160_000 };

fn items(packet: &[u8]) -> Result<(u32, Vec<Item>), Malformed> {
    let mut all = Vec::new();
    read(packet, |item| all.push(item)).map(|sender| (sender, all))
}

#[test]
fn a_report_is_written_and_read_back() {
    let cname = b"0123456789abcdef";
    for sender in [None, Some(&INFO)] {
        for block in [None, Some(&BLOCK)] {
            let report = write(5, sender, block, cname);
            assert_eq!(report.as_bytes().len() % 4, 0);
            let (ssrc, found) = items(report.as_bytes()).unwrap();
            assert_eq!(ssrc, 5);
            let mut expected = Vec::new();
            expected.extend(sender.map(|&info| Item::Sender { ssrc: 5, info }));
            expected.extend(block.map(|&block| Item::Block { from: 5, block }));
            assert_eq!(found, expected);
            assert!(report.as_bytes().windows(18).any(|w| w[..2] == [1, 16] && &w[2..] == cname));
        }
    }
}

#[test]
fn round_trip_is_the_one_of_the_rfc() {
    // RFC 3550 figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000 → 6.125 s.
    let now = Instant::from_nanos((0xB710u64 * 1_000_000_000) + 500_000_000);
    let millis = round_trip_ms(now, &BLOCK).unwrap();
    assert!((millis - 6_125.0).abs() < 0.1, "{millis}");
    assert_eq!(round_trip_ms(now, &ReportBlock { last_sr: 0, ..BLOCK }), None);
    assert_eq!(round_trip_ms(Instant::from_secs(1), &BLOCK), None, "a report from the future");
    let late = Instant::FAR_FUTURE + Duration::from_secs(1);
    assert!(ntp(late) > 0, "no overflow after centuries");
}

#[test]
fn lies_are_malformed() {
    let good = write(5, Some(&INFO), Some(&BLOCK), b"0123456789abcdef");
    let good = good.as_bytes();
    // Four bytes once switched a relay's checks off: a report without its sender is none.
    assert_eq!(items(&[0x80, 201, 0, 0]), Err(Malformed));
    assert_eq!(items(&[]), Err(Malformed));
    assert_eq!(items(&good[..good.len() - 1]), Err(Malformed), "the last length exceeds the packet");
    assert_eq!(items(&good[52..]), Err(Malformed), "SDES first");
    let mut oversize = good.to_vec();
    oversize[2..4].copy_from_slice(&[0xFF, 0xFF]);
    assert_eq!(items(&oversize), Err(Malformed));
    let mut many = good.to_vec();
    many[0] = 0x9F;
    assert_eq!(items(&many), Err(Malformed), "31 blocks announced, one there");
}

#[test]
fn any_bytes_are_read_without_harm() {
    let mut rng = Rng::new(Seed([5, 6]));
    let good = write(5, Some(&INFO), Some(&BLOCK), b"0123456789abcdef");
    for _ in 0..200_000 {
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..=rng.below(6) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next_u32() as u8;
        }
        bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
        let mut count = 0;
        let _ = read(&bytes, |_| count += 1);
        assert!(count <= bytes.len() / 4);
    }
}
