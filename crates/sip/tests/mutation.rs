//! The production parser under seeded mutations: no panic, nothing slow, and what is accepted means
//! the same after it was printed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper fails the test")]
#![expect(clippy::disallowed_types, reason = "the test measures how long an input takes")]

mod common;

use std::time::{Duration, Instant};

use base::{Rng, Seed};
use common::{framed, look, parse, print, same};
use sip::message::{Message, Uri};
use sipx_testkit::{rfc4475, rfc5118};

const INPUTS: u64 = 1_000_000;
const SLOWEST: Duration = Duration::from_millis(1);
const INPUT_BYTES_MAX: usize = 60_000;

/// What parsers have stumbled over: delimiters, numbers at their edges, headers that must be single.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\r\n\r\n",
    b"\0",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"=",
    b"?",
    b"@",
    b"%",
    b"%00",
    b"%0d%0a",
    b"[",
    b"]",
    b"::",
    b" ",
    b"\t",
    b"\xff",
    b"\xc3",
    b"*",
    b"/",
    b"SIP/2.0",
    b"SIP/7.0",
    b"18446744073709551615",
    b"4294967296",
    b"2147483648",
    b"-1",
    b"0",
    b"Content-Length: 5\r\n",
    b"l : 99\r\n",
    b"CSeq: 1 INVITE\r\n",
    b"Via: SIP/2.0/UDP h\r\n",
    b"Contact: *\r\n",
    b";tag=",
    b";branch=",
    b"tel:",
    b"sip:",
    b"--b\r\n",
    b"--b--",
    b"multipart/mixed;boundary=b",
    b"Digest a=1,",
];

fn seeds() -> Vec<Vec<u8>> {
    let own = [common::INVITE, common::REGISTER, common::UNAUTHORIZED, common::NOTIFY];
    let rfc4475 = rfc4475::CASES.iter().map(|case| case.bytes.to_vec());
    let rfc5118 = rfc5118::CASES.iter().map(|case| case.wire().to_vec());
    own.iter().map(|seed| seed.to_vec()).chain(rfc4475).chain(rfc5118).collect()
}

fn pick(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(len as u64)).unwrap()
}

/// A range of `text` of at most `max` bytes.
fn piece(rng: &mut Rng, text: &[u8], max: usize) -> std::ops::Range<usize> {
    let start = pick(rng, text.len() + 1);
    start..(start + pick(rng, max)).min(text.len())
}

fn mutate(rng: &mut Rng, seeds: &[Vec<u8>], text: &mut Vec<u8>) {
    let at = pick(rng, text.len() + 1);
    match rng.below(9) {
        0 | 1 => drop(text.splice(at..at, PIECES[pick(rng, PIECES.len())].iter().copied())),
        2 => {
            let range = piece(rng, text, 12);
            drop(text.splice(range, PIECES[pick(rng, PIECES.len())].iter().copied()));
        }
        3 => drop(text.drain(piece(rng, text, 40))),
        4 => text.get_mut(at).into_iter().for_each(|byte| *byte = (rng.next_u32() & 0xff) as u8),
        5 => text.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << rng.below(8)),
        6 => {
            let copy = text[piece(rng, text, 200)].to_vec();
            drop(text.splice(at..at, copy));
        }
        7 => {
            let other = &seeds[pick(rng, seeds.len())];
            let copy = other[piece(rng, other, 300)].to_vec();
            drop(text.splice(at..at, copy));
        }
        _ if rng.below(20) == 0 => {
            // Much of the same, to find what costs the square of its length.
            let copy = text[piece(rng, text, 40)].repeat(1 + pick(rng, 1500));
            drop(text.splice(at..at, copy));
        }
        _ if rng.below(8) == 0 => text.truncate(at),
        _ => text.extend_from_slice(PIECES[pick(rng, PIECES.len())]),
    }
    text.truncate(INPUT_BYTES_MAX);
}

/// Removes the `Content-Length` lines.
fn drop_lengths(text: &mut Vec<u8>) {
    for name in [&b"\nContent-Length"[..], b"\nl:"] {
        while let Some(at) = text.windows(name.len()).position(|part| part.eq_ignore_ascii_case(name)) {
            let len = text[at + 1..].iter().position(|byte| *byte == b'\n').unwrap_or(0);
            text.drain(at + 1..=at + 1 + len);
        }
    }
}

/// Everything the switch may do with one input.
fn run(text: &[u8]) -> Option<Message> {
    let _ = (framed(text), Uri::parse(text).is_ok());
    match parse(text) {
        Err(error) => {
            let _ = (error.to_string(), error.answer.map(|answer| answer.vias.len()));
            None
        }
        Ok(message) => {
            look(&message);
            Some(message)
        }
    }
}

/// Parsed, printed, parsed, printed: the same, and the same bytes.
fn check_stable(message: &Message, text: &[u8]) {
    let printed = print(message);
    let again =
        parse(&printed).unwrap_or_else(|error| panic!("{error} after print: {}", text.escape_ascii()));
    assert!(same(message, &again), "changed by printing: {}", text.escape_ascii());
    assert_eq!(print(&again), printed, "{}", text.escape_ascii());
}

/// The best of a few runs: another program on the machine may have had the processor.
fn best_time(text: &[u8], first: Duration) -> Duration {
    let again = (0..5).map(|_| {
        let start = Instant::now();
        run(text);
        start.elapsed()
    });
    again.fold(first, Duration::min)
}

#[test]
fn a_million_mutations() {
    let seeds = seeds();
    let mut rng = Rng::new(Seed([0x5349_5020, 0x322e_3000]));
    let (mut accepted, mut slowest) = (0_u64, Duration::ZERO);
    for _ in 0..INPUTS {
        let mut text = seeds[pick(&mut rng, seeds.len())].clone();
        // Of a datagram, Content-Length may be missing: else nearly every change would be one of length.
        if rng.below(4) > 0 {
            drop_lengths(&mut text);
        }
        for _ in 0..=rng.below(4) {
            mutate(&mut rng, &seeds, &mut text);
        }
        let start = Instant::now();
        let message = run(&text);
        let mut took = start.elapsed();
        if took > SLOWEST / 10 {
            took = best_time(&text, took);
            assert!(
                took <= SLOWEST,
                "{took:?} for {} bytes: {}",
                text.len(),
                text[..600.min(text.len())].escape_ascii()
            );
        }
        slowest = slowest.max(took);
        if let Some(message) = message {
            accepted += 1;
            check_stable(&message, &text);
        }
    }
    println!("{accepted} of {INPUTS} accepted, slowest {slowest:?}");
    assert!(accepted > INPUTS / 10, "the mutations are too wild to test anything: {accepted}");
}

/// Inputs made to cost as much as the limits allow.
#[test]
fn the_worst_that_the_limits_allow() {
    let base = |more: &str| {
        format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{more}\r\n"
        )
    };
    let wide = |piece: &str| piece.repeat(7900 / piece.len());
    let cases = [
        base(&format!("Contact: <sip:a@b{}>\r\n", wide(";a"))),
        base(&format!("Contact: <sip:a@b{}>\r\n", wide(";abc=%41"))),
        base(&format!("Contact: <sip:a@b?{}>\r\n", wide("a=b&"))),
        base(&format!("Contact: <tel:1{}>\r\n", wide(";a"))),
        base(&format!("Contact: {}\r\n", wide("<sip:a>,"))),
        base(&format!("Contact: {}\r\n", wide("\"")).repeat(2)),
        base(&format!("Via: {}\r\n", wide("SIP/2.0/UDP h,")).repeat(2)),
        base(&format!("Authorization: Digest {}\r\n", wide("a=1,"))),
        base(&format!("Subject: {}\r\n", wide("\r\n "))),
        base(&"X:\r\n".repeat(122)),
        base(&format!("Content-Type: multipart/mixed;boundary=b\r\n\r\n{}", "\r\n--b\r\n".repeat(7000))),
        base(&format!("Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n{}", "a:\n".repeat(15_000))),
        "\r\n".repeat(30_000),
        format!("INVITE {}", ":".repeat(60_000)),
    ];
    for text in cases {
        let took = best_time(text.as_bytes(), Duration::MAX);
        assert!(took <= SLOWEST, "{took:?}: {}", text[..300].escape_debug());
    }
}
