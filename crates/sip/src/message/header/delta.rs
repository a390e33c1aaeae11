//! Headers that are one number: `Max-Forwards`, `Expires`, `Min-Expires`, `Min-SE`, `RSeq`.

use super::super::lex::{self, Cursor, Params};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

impl Message {
    /// `Max-Forwards` (RFC 3261 §20.22); the parser has checked that it is at most 255.
    pub fn max_forwards(&self) -> Option<u8> {
        lex::decimal(self.header(HeaderName::MaxForwards)?).and_then(|hops| u8::try_from(hops).ok())
    }

    /// `Expires`, seconds (RFC 3261 §20.19). Numbers beyond 2^32 count as 2^32 - 1.
    ///
    /// # Errors
    /// [`BadHeader`] if it is no number or stands several times.
    pub fn expires_s(&self) -> Result<Option<u32>, BadHeader> {
        self.seconds(HeaderName::Expires)
    }

    /// `Min-Expires`, seconds (RFC 3261 §20.23).
    ///
    /// # Errors
    /// As [`Message::expires_s`].
    pub fn min_expires_s(&self) -> Result<Option<u32>, BadHeader> {
        self.seconds(HeaderName::MinExpires)
    }

    /// `Min-SE`, seconds (RFC 4028 §5).
    ///
    /// # Errors
    /// As [`Message::expires_s`].
    pub fn min_se_s(&self) -> Result<Option<u32>, BadHeader> {
        let name = HeaderName::MinSe;
        let Some(value) = self.only(name)? else { return Ok(None) };
        let mut cursor = Cursor::new(value);
        let seconds = lex::delta_seconds(cursor.take_while(|byte| byte.is_ascii_digit()));
        match (seconds, Params::parse(cursor.rest)) {
            (Some(seconds), Some(_)) => Ok(Some(seconds)),
            _ => Err(BadHeader(name)),
        }
    }

    /// `RSeq` (RFC 3262 §7.1).
    ///
    /// # Errors
    /// [`BadHeader`] if it is no number from 1 to 2^32 - 1, or stands several times.
    pub fn rseq(&self) -> Result<Option<u32>, BadHeader> {
        let name = HeaderName::RSeq;
        let number = |value| lex::decimal(value).filter(|number| *number > 0).ok_or(BadHeader(name));
        self.only(name)?.map(number).transpose()
    }

    fn seconds(&self, name: HeaderName) -> Result<Option<u32>, BadHeader> {
        self.only(name)?.map(|value| lex::delta_seconds(value).ok_or(BadHeader(name))).transpose()
    }
}
