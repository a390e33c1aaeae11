//! `Date` (RFC 3261 §20.17, RFC 1123 dates in GMT).

use super::super::lex::{self, Cursor};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// A date and time of day, in GMT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Date {
    /// Four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60 (a leap second).
    pub second: u8,
}

const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

impl Date {
    /// Reads `Sat, 13 Nov 2010 23:29:00 GMT`.
    ///
    /// # Errors
    /// [`BadHeader`], also for every zone but GMT.
    pub fn parse(text: &[u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::Date))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let letters = |cursor: &mut Cursor<'_>, table: &[&[u8]]| {
            let word = cursor.take_while(|byte| byte.is_ascii_alphabetic());
            table.iter().position(|entry| entry.eq_ignore_ascii_case(word))
        };
        let number = |cursor: &mut Cursor<'_>, digits: usize, max: u32| {
            let text = cursor.take_while(|byte| byte.is_ascii_digit());
            lex::decimal(text).filter(|value| text.len() == digits && *value <= max)
        };
        letters(&mut cursor, &DAYS)?;
        let mut whole = cursor.eat_spaced(b',');
        let day = number(&mut cursor, 2, 31).filter(|day| *day > 0)?;
        cursor.skip_ws();
        let month = letters(&mut cursor, &MONTHS)?.checked_add(1)?;
        cursor.skip_ws();
        let year = number(&mut cursor, 4, 9999)?;
        cursor.skip_ws();
        let hour = number(&mut cursor, 2, 23)?;
        whole &= cursor.eat(b':');
        let minute = number(&mut cursor, 2, 59)?;
        whole &= cursor.eat(b':');
        let second = number(&mut cursor, 2, 60)?;
        cursor.skip_ws();
        whole &= cursor.rest.eq_ignore_ascii_case(b"GMT");
        let small = |value: u32| u8::try_from(value).ok();
        whole.then_some(Date {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: small(day)?,
            hour: small(hour)?,
            minute: small(minute)?,
            second: small(second)?,
        })
    }
}

impl Message {
    /// `Date`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn date(&self) -> Result<Option<Date>, BadHeader> {
        self.only(HeaderName::Date)?.map(Date::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gmt() {
        let date = Date { year: 2010, month: 11, day: 13, hour: 23, minute: 29, second: 0 };
        assert_eq!(Date::parse(b"Sat, 13 Nov 2010 23:29:00 GMT"), Ok(date));
        for bad in [
            "Fri, 01 Jan 2010 16:00:00 EST",
            "Sat, 13 Nov 2010 24:29:00 GMT",
            "13 Nov 2010 23:29:00 GMT",
            "Sat, 13 Nov 10 23:29:00 GMT",
            "Sat, 00 Nov 2010 23:29:00 GMT",
            "",
        ] {
            assert!(Date::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
