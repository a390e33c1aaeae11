//! `Content-Type` (RFC 3261 §20.15).

use super::super::lex::{Cursor, Params};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// A media type with parameters.
#[derive(Clone, Copy)]
pub struct ContentType<'a> {
    /// `application`, `multipart`, …
    pub kind: &'a [u8],
    /// `sdp`, `mixed`, …
    pub subtype: &'a [u8],
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// Reads the whole value.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::ContentType))
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let kind = cursor.token()?;
        let subtype = if cursor.eat_spaced(b'/') { cursor.token()? } else { return None };
        Some(ContentType { kind, subtype, params: Params::parse(cursor.rest)? })
    }

    /// Whether the type is `kind/subtype`, without case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// Whether it is `application/sdp`.
    pub fn is_sdp(&self) -> bool {
        self.is("application", "sdp")
    }
}

impl Message {
    /// `Content-Type`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn content_type(&self) -> Result<Option<ContentType<'_>>, BadHeader> {
        self.only(HeaderName::ContentType)?.map(ContentType::parse).transpose()
    }
}
