//! What is spoken, held against sentences written down by hand.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;

use ivr::say::{self, Date, Language, Saying};

/// The pieces as one reads them.
fn read(language: Language, saying: Saying<'_>) -> String {
    let known: BTreeSet<&str> = say::pieces(language).into_iter().collect();
    let pieces = say::speak(language, saying);
    assert!(pieces.iter().all(|piece| known.contains(piece)), "a piece is missing in the list: {pieces:?}");
    let words: Vec<&str> = pieces.iter().map(|piece| piece.strip_prefix("say-").unwrap()).collect();
    match language {
        Language::En => words.join(" "),
        Language::Zh => words.iter().map(|word| hanzi(word)).collect(),
    }
}

fn hanzi(word: &str) -> &'static str {
    const TABLE: &[(&str, &str)] = &[
        ("0", "零"),
        ("1", "一"),
        ("2", "二"),
        ("3", "三"),
        ("4", "四"),
        ("5", "五"),
        ("6", "六"),
        ("7", "七"),
        ("8", "八"),
        ("9", "九"),
        ("ten", "十"),
        ("liang", "两"),
        ("yao", "幺"),
        ("hundred", "百"),
        ("thousand", "千"),
        ("wan", "万"),
        ("yi", "亿"),
        ("minus", "负"),
        ("star", "星"),
        ("pound", "井"),
        ("yuan", "元"),
        ("jiao", "角"),
        ("fen", "分"),
        ("year", "年"),
        ("month", "月"),
        ("day", "日"),
        ("oclock", "点"),
        ("sharp", "整"),
        ("minute", "分"),
        ("about", "大约"),
        ("minutes", "分钟"),
        ("less-than-a-minute", "不到一分钟"),
        ("more-than-an-hour", "一个多小时"),
    ];
    TABLE.iter().find(|(name, _)| *name == word).unwrap().1
}

fn zh(saying: Saying<'_>) -> String {
    read(Language::Zh, saying)
}

fn en(saying: Saying<'_>) -> String {
    read(Language::En, saying)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn numbers_in_mandarin() {
    let table: &[(i64, &str)] = &[
        (0, "零"),
        (1, "一"),
        (2, "二"),
        (9, "九"),
        (10, "十"),
        (11, "十一"),
        (12, "十二"),
        (15, "十五"),
        (19, "十九"),
        (20, "二十"),
        (21, "二十一"),
        (22, "二十二"),
        (30, "三十"),
        (99, "九十九"),
        (100, "一百"),
        (101, "一百零一"),
        (102, "一百零二"),
        (109, "一百零九"),
        (110, "一百一十"),
        (111, "一百一十一"),
        (115, "一百一十五"),
        (120, "一百二十"),
        (200, "二百"),
        (202, "二百零二"),
        (212, "二百一十二"),
        (220, "二百二十"),
        (222, "二百二十二"),
        (305, "三百零五"),
        (310, "三百一十"),
        (500, "五百"),
        (999, "九百九十九"),
        (1000, "一千"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (1011, "一千零一十一"),
        (1100, "一千一百"),
        (1101, "一千一百零一"),
        (1110, "一千一百一十"),
        (1234, "一千二百三十四"),
        (2000, "两千"),
        (2002, "两千零二"),
        (2020, "两千零二十"),
        (2200, "两千二百"),
        (2222, "两千二百二十二"),
        (9999, "九千九百九十九"),
        (10_000, "一万"),
        (10_001, "一万零一"),
        (10_010, "一万零一十"),
        (10_015, "一万零一十五"),
        (10_100, "一万零一百"),
        (11_000, "一万一千"),
        (12_000, "一万二千"),
        (12_345, "一万二千三百四十五"),
        (20_000, "两万"),
        (20_002, "两万零二"),
        (22_000, "两万二千"),
        (22_222, "两万二千二百二十二"),
        (100_000, "十万"),
        (100_001, "十万零一"),
        (100_010, "十万零一十"),
        (100_100, "十万零一百"),
        (101_000, "十万一千"),
        (110_000, "十一万"),
        (120_000, "十二万"),
        (123_456, "十二万三千四百五十六"),
        (200_000, "二十万"),
        (1_000_000, "一百万"),
        (1_010_000, "一百零一万"),
        (1_000_001, "一百万零一"),
        (2_000_000, "二百万"),
        (10_000_000, "一千万"),
        (20_000_000, "两千万"),
        (20_005_000, "两千万五千"),
        (20_000_500, "两千万零五百"),
        (99_999_999, "九千九百九十九万九千九百九十九"),
        (100_000_000, "一亿"),
        (100_000_001, "一亿零一"),
        (100_005_000, "一亿零五千"),
        (100_050_000, "一亿零五万"),
        (110_000_000, "一亿一千万"),
        (101_000_000, "一亿零一百万"),
        (200_000_000, "两亿"),
        (1_000_000_000, "十亿"),
        (1_200_000_000, "十二亿"),
        (1_000_000_000_000, "一万亿"),
        (2_000_000_000_000, "两万亿"),
        (-5, "负五"),
        (-100_000, "负十万"),
        (i64::MAX, "九百二十二亿三千三百七十二万零三百六十八亿五千四百七十七万五千八百零七"),
        (i64::MIN, "负九百二十二亿三千三百七十二万零三百六十八亿五千四百七十七万五千八百零八"),
    ];
    for &(number, expected) in table {
        assert_eq!(zh(Saying::Number(number)), expected, "{number}");
    }
}

#[test]
fn numbers_in_english() {
    let table: &[(i64, &str)] = &[
        (0, "0"),
        (1, "1"),
        (10, "10"),
        (11, "11"),
        (19, "19"),
        (20, "20"),
        (21, "20 1"),
        (99, "90 9"),
        (100, "1 hundred"),
        (101, "1 hundred 1"),
        (110, "1 hundred 10"),
        (111, "1 hundred 11"),
        (120, "1 hundred 20"),
        (999, "9 hundred 90 9"),
        (1000, "1 thousand"),
        (1001, "1 thousand 1"),
        (1010, "1 thousand 10"),
        (1100, "1 thousand 1 hundred"),
        (1234, "1 thousand 2 hundred 30 4"),
        (10_000, "10 thousand"),
        (12_345, "12 thousand 3 hundred 40 5"),
        (100_000, "1 hundred thousand"),
        (100_001, "1 hundred thousand 1"),
        (1_000_000, "1 million"),
        (1_000_001, "1 million 1"),
        (20_005_000, "20 million 5 thousand"),
        (2_000_000_000, "2 billion"),
        (-7, "minus 7"),
        (
            i64::MAX,
            "9 quintillion 2 hundred 20 3 quadrillion 3 hundred 70 2 trillion 30 6 billion 8 hundred 50 4 million \
             7 hundred 70 5 thousand 8 hundred 7",
        ),
    ];
    for &(number, expected) in table {
        assert_eq!(en(Saying::Number(number)), expected, "{number}");
    }
}

#[test]
fn digits_are_spelled() {
    for (digits, expected) in [
        ("1024", "幺零二四"),
        ("10000", "幺零零零零"),
        ("13800138000", "幺三八零零幺三八零零零"),
        ("110", "幺幺零"),
        ("*10#", "星幺零井"),
        ("+86-1", "八六幺"),
        ("", ""),
        ("百", ""),
    ] {
        assert_eq!(zh(Saying::Digits(digits)), expected, "{digits}");
    }
    assert_eq!(en(Saying::Digits("1024")), "1 0 2 4");
    assert_eq!(en(Saying::Digits("*10#")), "star 1 0 pound");
}

#[test]
fn amounts() {
    let table: &[(i64, &str, &str)] = &[
        (0, "零元", "0 yuan"),
        (1, "一分", "1 fen"),
        (2, "两分", "2 fen"),
        (5, "五分", "5 fen"),
        (10, "一角", "10 fen"),
        (20, "两角", "20 fen"),
        (22, "两角二分", "20 2 fen"),
        (99, "九角九分", "90 9 fen"),
        (100, "一元", "1 yuan"),
        (200, "两元", "2 yuan"),
        (220, "两元二角", "2 yuan 20 fen"),
        (222, "两元二角二分", "2 yuan 20 2 fen"),
        (1000, "十元", "10 yuan"),
        (1200, "十二元", "12 yuan"),
        (1204, "十二元零四分", "12 yuan 4 fen"),
        (1230, "十二元三角", "12 yuan 30 fen"),
        (1234, "十二元三角四分", "12 yuan 30 4 fen"),
        (8860, "八十八元六角", "80 8 yuan 60 fen"),
        (10_000, "一百元", "1 hundred yuan"),
        (10_101, "一百零一元零一分", "1 hundred 1 yuan 1 fen"),
        (20_000, "二百元", "2 hundred yuan"),
        (200_000, "两千元", "2 thousand yuan"),
        (1_000_000, "一万元", "10 thousand yuan"),
        (-1234, "负十二元三角四分", "minus 12 yuan 30 4 fen"),
        (-2, "负两分", "minus 2 fen"),
    ];
    for &(fen, mandarin, english) in table {
        assert_eq!(zh(Saying::Amount { fen }), mandarin, "{fen}");
        assert_eq!(en(Saying::Amount { fen }), english, "{fen}");
    }
}

#[test]
fn dates() {
    let table: &[(u16, u8, u8, &str, &str)] = &[
        (2026, 1, 1, "二零二六年一月一日", "january 1st 20 20 6"),
        (2026, 2, 2, "二零二六年二月二日", "february 2nd 20 20 6"),
        (2026, 11, 22, "二零二六年十一月二十二日", "november 20 2nd 20 20 6"),
        (2026, 12, 10, "二零二六年十二月十日", "december 10th 20 20 6"),
        (2000, 2, 29, "二零零零年二月二十九日", "february 20 9th 2 thousand"),
        (2005, 10, 20, "二零零五年十月二十日", "october 20th 2 thousand 5"),
        (1999, 12, 31, "一九九九年十二月三十一日", "december 30 1st 19 90 9"),
        (1905, 5, 30, "一九零五年五月三十日", "may 30th 19 oh 5"),
        (1900, 6, 11, "一九零零年六月十一日", "june 11th 19 hundred"),
        (2100, 7, 13, "二一零零年七月十三日", "july 13th 20 1 hundred"),
        (0, 2, 29, "二月二十九日", "february 20 9th"),
        (0, 8, 8, "八月八日", "august 8th"),
        (2026, 2, 29, "", ""),
        (2026, 13, 1, "", ""),
        (2026, 0, 1, "", ""),
        (2026, 4, 31, "", ""),
        (2026, 4, 0, "", ""),
        (26, 4, 1, "", ""),
    ];
    for &(year, month, day, mandarin, english) in table {
        let date = Saying::Date(Date { year, month, day });
        assert_eq!((zh(date), en(date)), (mandarin.to_owned(), english.to_owned()), "{year}-{month}-{day}");
    }
}

#[test]
fn times() {
    let table: &[(u8, u8, &str, &str)] = &[
        (0, 0, "零点整", "12 am"),
        (0, 5, "零点零五分", "12 oh 5 am"),
        (2, 0, "两点整", "2 am"),
        (2, 2, "两点零二分", "2 oh 2 am"),
        (8, 30, "八点三十分", "8 30 am"),
        (10, 10, "十点十分", "10 10 am"),
        (12, 0, "十二点整", "12 pm"),
        (12, 15, "十二点十五分", "12 15 pm"),
        (14, 5, "十四点零五分", "2 oh 5 pm"),
        (20, 20, "二十点二十分", "8 20 pm"),
        (22, 22, "二十二点二十二分", "10 20 2 pm"),
        (23, 59, "二十三点五十九分", "11 50 9 pm"),
        (24, 0, "", ""),
        (12, 60, "", ""),
    ];
    for &(hour, minute, mandarin, english) in table {
        let time = Saying::Time { hour, minute };
        assert_eq!((zh(time), en(time)), (mandarin.to_owned(), english.to_owned()), "{hour}:{minute}");
    }
}

#[test]
fn waits_are_never_shorter_than_the_truth() {
    let table: &[(u64, &str, &str)] = &[
        (0, "不到一分钟", "less-than-a-minute"),
        (59, "不到一分钟", "less-than-a-minute"),
        (60, "大约一分钟", "about 1 minute"),
        (61, "大约两分钟", "about 2 minutes"),
        (120, "大约两分钟", "about 2 minutes"),
        (121, "大约三分钟", "about 3 minutes"),
        (600, "大约十分钟", "about 10 minutes"),
        (601, "大约十五分钟", "about 15 minutes"),
        (1200, "大约二十分钟", "about 20 minutes"),
        (1201, "大约二十五分钟", "about 20 5 minutes"),
        (1801, "大约四十分钟", "about 40 minutes"),
        (3600, "大约六十分钟", "about 60 minutes"),
        (3601, "一个多小时", "more-than-an-hour"),
        (u64::MAX, "一个多小时", "more-than-an-hour"),
    ];
    for &(seconds, mandarin, english) in table {
        let wait = Saying::Wait { seconds };
        assert_eq!((zh(wait), en(wait)), (mandarin.to_owned(), english.to_owned()), "{seconds} s");
    }
}

/// What the pieces say, read back by an independent reader of Mandarin numbers, is the number that was meant.
#[test]
fn a_hundred_thousand_mandarin_numbers_are_understood() {
    let understood = |text: &str| {
        let (mut total, mut group, mut digit) = (0u64, 0u64, 0u64);
        for character in text.chars() {
            match character {
                '零' => {}
                '两' => digit = 2,
                '十' => (group, digit) = (group + digit.max(1) * 10, 0),
                '百' => (group, digit) = (group + digit * 100, 0),
                '千' => (group, digit) = (group + digit * 1000, 0),
                '万' => (total, group, digit) = (total + (group + digit) * 10_000, 0, 0),
                '亿' => (total, group, digit) = ((total + group + digit) * 100_000_000, 0, 0),
                other => digit = "一二三四五六七八九".chars().position(|c| c == other).unwrap() as u64 + 1,
            }
        }
        total + group + digit
    };
    let spread = (0..50_000u64).map(|n| n * n * 37 % 1_000_000_000_000);
    for number in (0..50_000).chain(spread) {
        let spoken = zh(Saying::Number(i64::try_from(number).unwrap()));
        assert_eq!(understood(&spoken), number, "{spoken}");
        assert!(!spoken.contains("零零") && (number == 0 || !spoken.ends_with('零')), "{spoken}");
    }
}
