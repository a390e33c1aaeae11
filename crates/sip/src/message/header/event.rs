//! `Event` (RFC 6665 §8.2.1).

use super::super::lex::{Cursor, Params};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// An event package.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// `refer`, `message-summary`, `dialog`, …
    pub package: &'a [u8],
    /// Its parameters, `id` among them.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Reads the whole value.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        let mut cursor = Cursor::new(text);
        match (cursor.token(), Params::parse(cursor.rest)) {
            (Some(package), Some(params)) => Ok(Event { package, params }),
            _ => Err(BadHeader(HeaderName::Event)),
        }
    }

    /// The subscription's `id`.
    pub fn id(&self) -> Option<&'a [u8]> {
        self.params.value(b"id")
    }
}

impl Message {
    /// `Event`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn event(&self) -> Result<Option<Event<'_>>, BadHeader> {
        self.only(HeaderName::Event)?.map(Event::parse).transpose()
    }
}
