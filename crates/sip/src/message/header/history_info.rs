//! `History-Info` (RFC 7044).

use super::super::lex::List;
use super::{super::BadHeader, HeaderName, NameAddr};
use crate::message::Message;

/// One stop of a request on its way.
#[derive(Clone, Copy, Debug)]
pub struct HistoryEntry<'a> {
    /// Whom the request was for then.
    pub target: NameAddr<'a>,
    /// Its place in the tree of retargetings, such as `1.2`.
    pub index: &'a [u8],
}

impl<'a> HistoryEntry<'a> {
    /// Reads one entry (no list).
    ///
    /// # Errors
    /// [`BadHeader`] without an address in brackets or an index of digits and dots.
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        let bad = BadHeader(HeaderName::HistoryInfo);
        let target = NameAddr::parse(text).map_err(|_| bad)?;
        let index = target.params.value(b"index").unwrap_or_default();
        let dotted = index
            .split(|byte| *byte == b'.')
            .all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
        if dotted { Ok(HistoryEntry { target, index }) } else { Err(bad) }
    }

    /// Whether the request was diverted here from another target (`mp` or `rc`, RFC 7044 §5).
    pub fn is_retargeted(&self) -> bool {
        self.target.params.get(b"mp").is_some() || self.target.params.get(b"rc").is_some()
    }
}

impl Message {
    /// The history over all fields and their commas, oldest first.
    pub fn history(&self) -> impl Iterator<Item = Result<HistoryEntry<'_>, BadHeader>> {
        self.headers(HeaderName::HistoryInfo).flat_map(List::new).map(HistoryEntry::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_reason() {
        let entry = HistoryEntry::parse(b"<sip:b@x?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1").unwrap();
        assert_eq!((entry.index, entry.is_retargeted()), (&b"1.1"[..], true));
        let reason = entry.target.uri().unwrap().header(b"reason").unwrap();
        assert_eq!(reason.as_ref(), b"SIP;cause=302");
        assert!(HistoryEntry::parse(b"<sip:b@x>").is_err());
        assert!(HistoryEntry::parse(b"<sip:b@x>;index=1..2").is_err());
    }
}
