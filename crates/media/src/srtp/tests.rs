//! Whole packets: vectors by others, and what a receiver must survive.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests may panic")]

use super::derive::{Label, derive};
use super::*;
use crate::rtp::Header;

/// Hexadecimal digits, blanks between them as you like.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn aes_cm() -> MasterKey {
    let key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    MasterKey::new(Suite::AesCm128HmacSha1_80, &key).unwrap()
}

fn of(suite: Suite) -> MasterKey {
    let salt = SUITES.iter().find(|(other, ..)| *other == suite).unwrap().2;
    let key: Vec<u8> = (1..=16 + salt as u8).collect();
    MasterKey::new(suite, &key).unwrap()
}

fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc };
    [&rtp::write(&header)[..], &[0x55; 160]].concat()
}

fn protected(sender: &mut Sender, plain: &[u8]) -> Vec<u8> {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + OVERHEAD_MAX, 0);
    let length = sender.protect(&mut buffer, plain.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn report(sender: &mut Sender) -> (Vec<u8>, Vec<u8>) {
    let plain = rtcp::write(7, None, None, &[b'c'; rtcp::CNAME_BYTES]).as_bytes().to_vec();
    let mut buffer = plain.clone();
    buffer.resize(plain.len() + OVERHEAD_MAX, 0);
    let length = sender.protect_report(&mut buffer, plain.len()).unwrap();
    buffer.truncate(length);
    (plain, buffer)
}

#[test]
fn session_keys_are_those_of_the_rfc() {
    // RFC 3711 §B.3.
    let master = aes_cm();
    assert_eq!(derive::<16>(&master, Label::RtpKey)[..], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derive::<14>(&master, Label::RtpSalt)[..], bytes("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(
        derive::<94>(&master, Label::RtpAuthentication)[..],
        bytes(
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327A\
             D175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E47403576\
             6B68642C59BBFC2F34DB60DBDFB2"
        )
    );
}

#[test]
fn packets_are_those_of_another_implementation() {
    // What libsrtp's own tests hold it to (srtp_validate), under the keys of RFC 3711 §B.3.
    let plain = bytes("800F1234DECAFBADCAFEBABE ABABABABABABABABABABABABABABABAB");
    let theirs = bytes("800F1234DECAFBADCAFEBABE 4E55DC4CE79978D88CA4D215949D2402 B78D6ACC99EA179B8DBB");
    let mut sender = Sender::new(&aes_cm());
    assert_eq!(protected(&mut sender, &plain), theirs);
    let mut opened = theirs;
    let length = Receiver::new(&aes_cm()).open(&mut opened).unwrap();
    assert_eq!(opened[..length], plain);
}

#[test]
fn reports_are_those_of_another_implementation() {
    let plain = bytes("81C8000BCAFEBABE ABABABABABABABABABABABABABABABAB");
    let theirs = bytes("81C8000BCAFEBABE 7128035BE487B9BDBEF89041F977A5A8 80000001 993E08CD54D6C1230798");
    let mut opened = theirs.clone();
    let length = Receiver::new(&aes_cm()).open_report(&mut opened).unwrap();
    assert_eq!(opened[..length], plain);
    let mut sender = Sender::new(&aes_cm());
    sender.next_report = 1;
    let mut buffer = [&plain[..], &[0; OVERHEAD_MAX]].concat();
    let length = sender.protect_report(&mut buffer, plain.len()).unwrap();
    assert_eq!(buffer[..length], theirs);
    // And with the salt of 96 bits (srtp_validate_gcm).
    let key = bytes("000102030405060708090A0B0C0D0E0F A0A1A2A3A4A5A6A7A8A9AAAB");
    let key = MasterKey::new(Suite::AeadAes128Gcm, &key).unwrap();
    let mut theirs =
        bytes("81C8000BCAFEBABE C98B8B5DF0392A55852B6C21AC8E7025 C52C6FBEA2B3B446EA31123BA88CE61E 80000001");
    let length = Receiver::new(&key).open_report(&mut theirs).unwrap();
    assert_eq!(theirs[..length], plain);
}

#[test]
fn every_suite_carries_a_stream_over_three_roll_overs_with_loss_and_disorder() {
    for (suite, ..) in SUITES {
        let (mut sender, mut receiver) = (Sender::new(&of(suite)), Receiver::new(&of(suite)));
        let mut late = Vec::new();
        for n in 0..200_000u32 {
            let sequence = (30_000 + n) as u16;
            let plain = packet(7, sequence);
            let mut bytes = protected(&mut sender, &plain);
            assert_ne!(bytes[12..30], plain[12..30], "it is encrypted");
            match n % 50 {
                // Some are lost, some come seventeen packets late.
                3 => continue,
                4 => {
                    late.push((n, plain, bytes));
                    continue;
                }
                _ => {}
            }
            assert_eq!(receiver.open(&mut bytes), Ok(plain.len()), "{suite:?} {n}");
            assert_eq!(bytes[..plain.len()], plain);
            if let Some((_, plain, mut bytes)) = late.pop_if(|(sent, ..)| n - *sent == 17) {
                let copy = bytes.clone();
                assert_eq!(receiver.open(&mut bytes), Ok(plain.len()), "{suite:?} {n} late");
                assert_eq!(bytes[..plain.len()], plain);
                assert_eq!(receiver.open(&mut copy.clone()), Err(Refused::Replayed));
            }
        }
    }
}

#[test]
fn whatever_changed_on_the_way_is_forged() {
    for (suite, ..) in SUITES {
        let mut sender = Sender::new(&of(suite));
        let mut receiver = Receiver::new(&of(suite));
        let first = protected(&mut sender, &packet(7, 1));
        receiver.open(&mut first.clone()).unwrap();
        let second = protected(&mut sender, &packet(7, 2));
        for place in 0..second.len() {
            let mut changed = second.clone();
            changed[place] ^= 0x04;
            let refused = receiver.open(&mut changed).unwrap_err();
            assert!(matches!(refused, Refused::Forged | Refused::Malformed), "{suite:?} {place} {refused:?}");
        }
        for length in 0..second.len() {
            assert!(receiver.open(&mut second[..length].to_vec()).is_err(), "{suite:?} {length}");
        }
        // None of them taught the receiver anything.
        assert_eq!(receiver.streams.len(), 1);
        assert_eq!(receiver.open(&mut second.clone()), Ok(172));
        assert_eq!(receiver.open(&mut second.clone()), Err(Refused::Replayed));
        let (plain, protected) = report(&mut sender);
        for place in 0..protected.len() {
            let mut changed = protected.clone();
            changed[place] ^= 0x80;
            assert!(receiver.open_report(&mut changed).is_err(), "{suite:?} {place}");
        }
        for length in 0..protected.len() {
            assert!(receiver.open_report(&mut protected[..length].to_vec()).is_err(), "{suite:?} {length}");
        }
        assert_eq!(receiver.open_report(&mut protected.clone()), Ok(plain.len()));
        assert_eq!(receiver.open_report(&mut protected.clone()), Err(Refused::Replayed));
    }
}

#[test]
fn a_stranger_with_another_key_moves_nothing() {
    for (suite, ..) in SUITES {
        let mut receiver = Receiver::new(&of(suite));
        let mut key = of(suite);
        key.key = Pii::new([9; 16]);
        let mut stranger = Sender::new(&key);
        for n in 0..200 {
            let mut bytes = protected(&mut stranger, &packet(7, 40_000 + n));
            assert_eq!(receiver.open(&mut bytes), Err(Refused::Forged));
        }
        assert!(receiver.streams.is_empty());
        let mut sender = Sender::new(&of(suite));
        assert_eq!(receiver.open(&mut protected(&mut sender, &packet(7, 3))), Ok(172));
    }
}

#[test]
fn no_number_is_used_twice_for_sending_and_streams_are_limited() {
    let mut sender = Sender::new(&of(Suite::AeadAes128Gcm));
    protected(&mut sender, &packet(7, 9));
    let mut again = [&packet(7, 9)[..], &[0; OVERHEAD_MAX]].concat();
    assert_eq!(sender.protect(&mut again, 172), Err(Refused::Replayed));
    assert_eq!(sender.protect(&mut packet(7, 10), 172), Err(Refused::Malformed), "no room for the tag");
    let mut receiver = Receiver::new(&of(Suite::AeadAes128Gcm));
    for ssrc in 0..=STREAMS_MAX as u32 {
        let mut one = Sender::new(&of(Suite::AeadAes128Gcm));
        let opened = receiver.open(&mut protected(&mut one, &packet(ssrc, 1)));
        let expected = if ssrc < STREAMS_MAX as u32 { Ok(172) } else { Err(Refused::TooManyStreams) };
        assert_eq!(opened, expected);
    }
}

#[test]
fn keys_have_their_suites_length_and_are_never_printed() {
    for (suite, _, salt) in SUITES {
        for length in 0..40 {
            assert_eq!(MasterKey::new(suite, &vec![7; length]).is_some(), length == 16 + salt);
        }
        let key = of(suite);
        let text = format!("{key:?} {:?} {:?}", Sender::new(&key), Receiver::new(&key));
        assert!(!text.contains("1, 2, 3") && text.contains("•••"), "{text}");
    }
}
