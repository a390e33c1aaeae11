//! Mandarin.
//!
//! Rules of spoken numbers: groups of four digits (万, 亿); zeros between digits are one 零, zeros at a group's end are silent;
//! 十 without 一 only at the head of the number; 两 at the head before 千, 万, 亿 and before what is counted (两元, 两点,
//! 两分钟), else 二; 幺 for one in phone and agent numbers.

use super::{Date, Piece, Saying, wait_minutes};

const DIGITS: [Piece; 10] =
    ["say-0", "say-1", "say-2", "say-3", "say-4", "say-5", "say-6", "say-7", "say-8", "say-9"];
const ZERO: Piece = "say-0";
const TEN: Piece = "say-ten";
const LIANG: Piece = "say-liang";
const YAO: Piece = "say-yao";

/// Pieces that are not digits.
const OTHERS: &[Piece] = &[
    TEN,
    LIANG,
    YAO,
    "say-hundred",
    "say-thousand",
    "say-wan",
    "say-yi",
    "say-minus",
    "say-star",
    "say-pound",
    "say-yuan",
    "say-jiao",
    "say-fen",
    "say-year",
    "say-month",
    "say-day",
    "say-oclock",
    "say-sharp",
    "say-minute",
    "say-about",
    "say-minutes",
    "say-less-than-a-minute",
    "say-more-than-an-hour",
];

pub(super) fn pieces() -> Vec<Piece> {
    DIGITS.iter().chain(OTHERS).copied().collect()
}

pub(super) fn speak(saying: Saying<'_>) -> Vec<Piece> {
    let mut out = Vec::new();
    match saying {
        Saying::Number(number) => signed(number, &mut out),
        Saying::Digits(text) => out.extend(text.bytes().filter_map(spelled)),
        Saying::Amount { fen } => amount(fen, &mut out),
        Saying::Date(day) => date(day, &mut out),
        Saying::Time { hour, minute } => time(hour, minute, &mut out),
        Saying::Wait { seconds } => wait(seconds, &mut out),
    }
    out
}

fn digit(value: u64) -> Piece {
    usize::try_from(value).ok().and_then(|value| DIGITS.get(value)).copied().unwrap_or(ZERO)
}

fn spelled(byte: u8) -> Option<Piece> {
    match byte {
        b'1' => Some(YAO),
        b'0'..=b'9' => Some(digit(u64::from(byte - b'0'))),
        b'*' => Some("say-star"),
        b'#' => Some("say-pound"),
        _ => None,
    }
}

fn signed(number: i64, out: &mut Vec<Piece>) {
    if number < 0 {
        out.push("say-minus");
    }
    whole(number.unsigned_abs(), out);
}

fn whole(number: u64, out: &mut Vec<Piece>) {
    if number == 0 {
        out.push(ZERO);
    } else {
        positive(number, true, out);
    }
}

/// `head`: nothing of the number was spoken before.
fn positive(number: u64, head: bool, out: &mut Vec<Piece>) {
    for (scale, unit) in [(100_000_000, "say-yi"), (10_000, "say-wan")] {
        if number >= scale {
            let (high, low) = (number / scale, number % scale);
            if high == 2 && head {
                out.push(LIANG);
            } else {
                positive(high, head, out);
            }
            out.push(unit);
            if low > 0 {
                if low < scale / 10 {
                    out.push(ZERO);
                }
                positive(low, false, out);
            }
            return;
        }
    }
    group(number, head, out);
}

/// 1-9999.
fn group(number: u64, head: bool, out: &mut Vec<Piece>) {
    let mut head = head;
    let mut rest = number;
    let mut gap = false;
    for (scale, unit) in
        [(1000, Some("say-thousand")), (100, Some("say-hundred")), (10, Some(TEN)), (1, None)]
    {
        let value = rest / scale;
        rest %= scale;
        if value == 0 {
            gap |= number >= scale;
            continue;
        }
        if core::mem::take(&mut gap) {
            out.push(ZERO);
        }
        match (value, scale) {
            (1, 10) if head => {}
            (2, 1000) if head => out.push(LIANG),
            _ => out.push(digit(value)),
        }
        out.extend(unit);
        head = false;
    }
}

/// A number before what it counts: a lone 2 is 两.
fn counted(number: u64, unit: Piece, out: &mut Vec<Piece>) {
    if number == 2 {
        out.push(LIANG);
    } else {
        whole(number, out);
    }
    out.push(unit);
}

/// `say-fen` is the coin, `say-minute` the minute of the clock: the same word, but a recording may differ.
fn amount(fen: i64, out: &mut Vec<Piece>) {
    if fen < 0 {
        out.push("say-minus");
    }
    let fen = fen.unsigned_abs();
    let (yuan, jiao, fen) = (fen / 100, fen / 10 % 10, fen % 10);
    let head = out.len();
    if yuan > 0 || (jiao == 0 && fen == 0) {
        counted(yuan, "say-yuan", out);
    }
    for (count, unit) in [(jiao, "say-jiao"), (fen, "say-fen")] {
        if count == 0 {
            continue;
        }
        if out.len() == head {
            counted(count, unit, out);
        } else {
            // 十二元零四分
            if unit == "say-fen" && jiao == 0 {
                out.push(ZERO);
            }
            out.extend([digit(count), unit]);
        }
    }
}

fn date(day: Date, out: &mut Vec<Piece>) {
    if !day.is_real() {
        return;
    }
    if day.year > 0 {
        // A year is spelled with 一, not 幺.
        out.extend(day.year.to_string().bytes().map(|byte| digit(u64::from(byte.wrapping_sub(b'0')))));
        out.push("say-year");
    }
    whole(u64::from(day.month), out);
    out.push("say-month");
    whole(u64::from(day.day), out);
    out.push("say-day");
}

fn time(hour: u8, minute: u8, out: &mut Vec<Piece>) {
    if hour > 23 || minute > 59 {
        return;
    }
    counted(u64::from(hour), "say-oclock", out);
    if minute == 0 {
        out.push("say-sharp");
        return;
    }
    if minute < 10 {
        out.push(ZERO);
    }
    whole(u64::from(minute), out);
    out.push("say-minute");
}

fn wait(seconds: u64, out: &mut Vec<Piece>) {
    match wait_minutes(seconds) {
        0 => out.push("say-less-than-a-minute"),
        minutes @ 1..=60 => {
            out.push("say-about");
            counted(minutes, "say-minutes", out);
        }
        _ => out.push("say-more-than-an-hour"),
    }
}
