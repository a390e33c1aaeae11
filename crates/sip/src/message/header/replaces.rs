//! `Replaces` (RFC 3891).

use super::super::lex::{self, Cursor, Params};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// The dialog that a new INVITE takes the place of, as its receiver sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// `Call-ID`.
    pub call_id: &'a [u8],
    /// The receiver's own tag.
    pub to_tag: &'a [u8],
    /// The other side's tag.
    pub from_tag: &'a [u8],
    /// Only if the dialog is not confirmed yet.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads the whole value, from a header or decoded from a URI.
    ///
    /// # Errors
    /// [`BadHeader`] if a tag is missing or given twice (RFC 3891 §3).
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::Replaces))
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(lex::trim(text));
        let call_id = lex::trim_end(cursor.take_while(|byte| byte != b';'));
        let params = Params::parse(cursor.rest)?;
        let one = |name: &[u8]| {
            let mut found = params.iter().filter(|param| param.name.eq_ignore_ascii_case(name));
            let value = found.next()?.value.filter(|tag| lex::is_token(tag))?;
            found.next().is_none().then_some(value)
        };
        let whole = !call_id.is_empty() && !call_id.iter().any(|byte| lex::is_ws(*byte));
        let early_only = params.get(b"early-only").is_some();
        whole.then_some(Replaces {
            call_id,
            to_tag: one(b"to-tag")?,
            from_tag: one(b"from-tag")?,
            early_only,
        })
    }
}

impl core::fmt::Debug for Replaces<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Replaces").field("early_only", &self.early_only).finish_non_exhaustive()
    }
}

impl Message {
    /// `Replaces`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn replaces(&self) -> Result<Option<Replaces<'_>>, BadHeader> {
        self.only(HeaderName::Replaces)?.map(Replaces::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tags_once() {
        let replaces =
            Replaces::parse(b"98732@sip.x.com ;from-tag=r33th4x0r ;to-tag=ff87ff;early-only").unwrap();
        assert_eq!((replaces.call_id, replaces.to_tag), (&b"98732@sip.x.com"[..], &b"ff87ff"[..]));
        assert!(replaces.early_only);
        assert!(Replaces::parse(b"a@b;to-tag=1").is_err());
        assert!(Replaces::parse(b"a@b;to-tag=1;to-tag=2;from-tag=3").is_err());
        assert!(Replaces::parse(b";to-tag=1;from-tag=3").is_err());
    }
}
