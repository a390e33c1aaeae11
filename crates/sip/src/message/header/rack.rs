//! `RAck` (RFC 3262 §7.2).

use super::super::lex::{self, Cursor};
use super::{super::BadHeader, CSeq, HeaderName};
use crate::message::Message;

/// Which provisional response a PRACK acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RAck<'a> {
    /// The response's `RSeq`.
    pub rseq: u32,
    /// The response's `CSeq`.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// Reads the whole value.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        let mut cursor = Cursor::new(text);
        let rseq = lex::decimal(cursor.take_while(|byte| byte.is_ascii_digit()));
        cursor.skip_ws();
        match (rseq, CSeq::parse(cursor.rest)) {
            (Some(rseq), Ok(cseq)) => Ok(RAck { rseq, cseq }),
            _ => Err(BadHeader(HeaderName::RAck)),
        }
    }
}

impl Message {
    /// `RAck`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn rack(&self) -> Result<Option<RAck<'_>>, BadHeader> {
        self.only(HeaderName::RAck)?.map(RAck::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts() {
        let cseq = CSeq { number: 1, method: b"INVITE" };
        assert_eq!(RAck::parse(b"776656 1 INVITE"), Ok(RAck { rseq: 776_656, cseq }));
        assert!(RAck::parse(b"776656 INVITE").is_err());
    }
}
