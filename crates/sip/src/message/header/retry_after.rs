//! `Retry-After` (RFC 3261 §20.33).

use super::super::lex::{self, Cursor, Params};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// When to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryAfter {
    /// Seconds from now.
    pub seconds: u32,
    /// How long the server will then be there, seconds.
    pub duration_s: Option<u32>,
}

impl RetryAfter {
    /// Reads the whole value; a comment in parentheses is skipped.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &[u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::RetryAfter))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let seconds = lex::delta_seconds(cursor.take_while(|byte| byte.is_ascii_digit()))?;
        cursor.skip_ws();
        if cursor.eat(b'(') {
            cursor.take_while(|byte| byte != b')');
            if !cursor.eat(b')') {
                return None;
            }
        }
        let params = Params::parse(cursor.rest)?;
        let duration_s = match params.value(b"duration") {
            Some(value) => Some(lex::delta_seconds(value)?),
            None => None,
        };
        Some(RetryAfter { seconds, duration_s })
    }
}

impl Message {
    /// `Retry-After`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn retry_after(&self) -> Result<Option<RetryAfter>, BadHeader> {
        self.only(HeaderName::RetryAfter)?.map(RetryAfter::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_and_duration() {
        let after = RetryAfter::parse(b"18000 (in a meeting);duration=3600").unwrap();
        assert_eq!(after, RetryAfter { seconds: 18_000, duration_s: Some(3600) });
        assert!(RetryAfter::parse(b"soon").is_err());
        assert!(RetryAfter::parse(b"5 (open").is_err());
    }
}
