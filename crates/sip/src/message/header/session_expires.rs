//! `Session-Expires` (RFC 4028 §4).

use super::super::lex::{self, Cursor, Params};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// Who refreshes the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refresher {
    /// The sender of the request.
    Uac,
    /// Its receiver.
    Uas,
}

/// A session's interval and who refreshes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionExpires {
    /// Seconds.
    pub interval_s: u32,
    /// `None` if the other side may choose.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads the whole value.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &[u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::SessionExpires))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let interval_s = lex::delta_seconds(cursor.take_while(|byte| byte.is_ascii_digit()))?;
        let refresher = match Params::parse(cursor.rest)?.value(b"refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            Some(_) => return None,
        };
        Some(SessionExpires { interval_s, refresher })
    }
}

impl Message {
    /// `Session-Expires`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, BadHeader> {
        self.only(HeaderName::SessionExpires)?.map(SessionExpires::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_refreshers() {
        let expires = SessionExpires::parse(b"1800 ;refresher=UAC").unwrap();
        assert_eq!(expires, SessionExpires { interval_s: 1800, refresher: Some(Refresher::Uac) });
        assert_eq!(SessionExpires::parse(b"90").unwrap().refresher, None);
        assert!(SessionExpires::parse(b"90;refresher=me").is_err());
        assert!(SessionExpires::parse(b"-90").is_err());
    }
}
