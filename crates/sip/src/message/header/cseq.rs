//! `CSeq` (RFC 3261 §20.16).

use super::super::lex::{self, Cursor};
use super::{super::BadHeader, HeaderName};

/// A sequence number and the method it counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CSeq<'a> {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method, a token.
    pub method: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Reads the whole value.
    ///
    /// # Errors
    /// [`BadHeader`], also for numbers from 2^31.
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::CSeq))
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let number = lex::decimal(cursor.take_while(|byte| byte.is_ascii_digit()))?;
        let spaced = cursor.peek().is_some_and(lex::is_ws);
        cursor.skip_ws();
        let method = cursor.token()?;
        (number < 1 << 31 && spaced && cursor.is_empty()).then_some(CSeq { number, method })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_at_2_to_the_31() {
        assert_eq!(CSeq::parse(b"0009   INVITE").unwrap(), CSeq { number: 9, method: b"INVITE" });
        assert_eq!(CSeq::parse(b"2147483647 ACK").unwrap().number, (1 << 31) - 1);
        for bad in ["2147483648 ACK", "4294967297 ACK", "1ACK", "1", "ACK", "-1 ACK", "1 A B", "1 A,B"] {
            assert!(CSeq::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
