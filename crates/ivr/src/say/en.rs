//! English, with American numbers ("one hundred one") and a twelve-hour clock.

use super::{Date, Piece, Saying, wait_minutes};

const SMALL: [Piece; 20] = [
    "say-0", "say-1", "say-2", "say-3", "say-4", "say-5", "say-6", "say-7", "say-8", "say-9", "say-10",
    "say-11", "say-12", "say-13", "say-14", "say-15", "say-16", "say-17", "say-18", "say-19",
];
const TENS: [Piece; 10] =
    ["say-0", "say-10", "say-20", "say-30", "say-40", "say-50", "say-60", "say-70", "say-80", "say-90"];
const ORDINALS: [Piece; 20] = [
    "say-20th", "say-1st", "say-2nd", "say-3rd", "say-4th", "say-5th", "say-6th", "say-7th", "say-8th",
    "say-9th", "say-10th", "say-11th", "say-12th", "say-13th", "say-14th", "say-15th", "say-16th",
    "say-17th", "say-18th", "say-19th",
];
const MONTHS: [Piece; 12] = [
    "say-january",
    "say-february",
    "say-march",
    "say-april",
    "say-may",
    "say-june",
    "say-july",
    "say-august",
    "say-september",
    "say-october",
    "say-november",
    "say-december",
];
const SCALES: [(u64, Piece); 6] = [
    (1_000_000_000_000_000_000, "say-quintillion"),
    (1_000_000_000_000_000, "say-quadrillion"),
    (1_000_000_000_000, "say-trillion"),
    (1_000_000_000, "say-billion"),
    (1_000_000, "say-million"),
    (1000, "say-thousand"),
];
const OTHERS: &[Piece] = &[
    "say-hundred",
    "say-minus",
    "say-star",
    "say-pound",
    "say-oh",
    "say-30th",
    "say-yuan",
    "say-fen",
    "say-am",
    "say-pm",
    "say-about",
    "say-minute",
    "say-minutes",
    "say-less-than-a-minute",
    "say-more-than-an-hour",
];

pub(super) fn pieces() -> Vec<Piece> {
    let tens = TENS.iter().skip(2);
    let scales = SCALES.iter().map(|(_, piece)| piece);
    SMALL.iter().chain(tens).chain(&ORDINALS).chain(&MONTHS).chain(scales).chain(OTHERS).copied().collect()
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

fn pick(table: &[Piece], index: u64) -> Option<Piece> {
    table.get(usize::try_from(index).ok()?).copied()
}

fn spelled(byte: u8) -> Option<Piece> {
    match byte {
        b'0'..=b'9' => pick(&SMALL, u64::from(byte - b'0')),
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
        out.push("say-0");
        return;
    }
    let mut rest = number;
    for (scale, piece) in SCALES {
        if rest >= scale {
            below_thousand(rest / scale, out);
            out.push(piece);
            rest %= scale;
        }
    }
    below_thousand(rest, out);
}

/// Nothing for 0.
fn below_thousand(number: u64, out: &mut Vec<Piece>) {
    if number >= 100 {
        out.extend(pick(&SMALL, number / 100));
        out.push("say-hundred");
    }
    below_hundred(number % 100, out);
}

fn below_hundred(number: u64, out: &mut Vec<Piece>) {
    if number >= 20 {
        out.extend(pick(&TENS, number / 10));
    }
    let rest = if number >= 20 { number % 10 } else { number };
    if rest > 0 {
        out.extend(pick(&SMALL, rest));
    }
}

fn amount(fen: i64, out: &mut Vec<Piece>) {
    if fen < 0 {
        out.push("say-minus");
    }
    let (yuan, fen) = (fen.unsigned_abs() / 100, fen.unsigned_abs() % 100);
    if yuan > 0 || fen == 0 {
        whole(yuan, out);
        out.push("say-yuan");
    }
    if fen > 0 {
        whole(fen, out);
        out.push("say-fen");
    }
}

/// "November twenty second, twenty twenty six".
fn date(day: Date, out: &mut Vec<Piece>) {
    if !day.is_real() {
        return;
    }
    out.extend(pick(&MONTHS, u64::from(day.month).wrapping_sub(1)));
    match u64::from(day.day) {
        day @ 1..=20 => out.extend(pick(&ORDINALS, day % 20)),
        30 => out.push("say-30th"),
        day => {
            out.extend(pick(&TENS, day / 10));
            out.extend(pick(&ORDINALS, day % 10));
        }
    }
    if day.year > 0 {
        year(u64::from(day.year), out);
    }
}

fn year(year: u64, out: &mut Vec<Piece>) {
    let (century, rest) = (year / 100, year % 100);
    if century % 10 == 0 && rest < 10 {
        return whole(year, out);
    }
    whole(century, out);
    match rest {
        0 => out.push("say-hundred"),
        1..=9 => {
            out.push("say-oh");
            below_hundred(rest, out);
        }
        _ => below_hundred(rest, out),
    }
}

fn time(hour: u8, minute: u8, out: &mut Vec<Piece>) {
    if hour > 23 || minute > 59 {
        return;
    }
    let twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
    whole(u64::from(twelve), out);
    if minute > 0 {
        if minute < 10 {
            out.push("say-oh");
        }
        below_hundred(u64::from(minute), out);
    }
    out.push(if hour < 12 { "say-am" } else { "say-pm" });
}

fn wait(seconds: u64, out: &mut Vec<Piece>) {
    match wait_minutes(seconds) {
        0 => out.push("say-less-than-a-minute"),
        1 => out.extend(["say-about", "say-1", "say-minute"]),
        minutes @ 2..=60 => {
            out.push("say-about");
            whole(minutes, out);
            out.push("say-minutes");
        }
        _ => out.push("say-more-than-an-hour"),
    }
}
