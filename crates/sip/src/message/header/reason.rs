//! `Reason` (RFC 3326).

use std::borrow::Cow;

use super::super::lex::{self, Cursor, List, Params, unquote};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// Why a request was sent.
#[derive(Clone, Copy)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850`, …
    pub protocol: &'a [u8],
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    /// Reads one reason (no list).
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::Reason))
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let protocol = cursor.token()?;
        Some(Reason { protocol, params: Params::parse(cursor.rest)? })
    }

    /// The cause: a SIP status, a Q.850 cause.
    pub fn cause(&self) -> Option<u32> {
        lex::decimal(self.params.value(b"cause")?)
    }

    /// The text, its quotes resolved.
    pub fn text(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value(b"text").map(unquote)
    }

    /// Whether the protocol is `name`, without case.
    pub const fn is(&self, name: &str) -> bool {
        self.protocol.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl Message {
    /// The reasons over all fields and their commas.
    pub fn reasons(&self) -> impl Iterator<Item = Result<Reason<'_>, BadHeader>> {
        self.headers(HeaderName::Reason).flat_map(List::new).map(Reason::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_and_text() {
        let reason = Reason::parse(br#"Q.850 ;cause=16 ;text="Normal, clearing""#).unwrap();
        assert!(reason.is("q.850"));
        assert_eq!(reason.cause(), Some(16));
        assert_eq!(reason.text().as_deref(), Some(&b"Normal, clearing"[..]));
        assert!(Reason::parse(b";cause=16").is_err());
    }
}
