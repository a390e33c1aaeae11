//! `Via` (RFC 3261 §20.42, RFC 3581).

use core::net::IpAddr;

use super::super::lex::{self, Cursor, List, Params};
use super::super::uri::{Host, host};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// One hop.
#[derive(Clone, Copy)]
pub struct Via<'a> {
    text: &'a [u8],
    /// `UDP`, `TCP`, `TLS`, `WS`, … as written.
    pub transport: &'a [u8],
    /// The host of `sent-by`.
    pub host: Host<'a>,
    /// The port of `sent-by`, if written.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one hop of a `Via` value (no comma).
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        Self::read(text).ok_or(BadHeader(HeaderName::Via))
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        let sip = cursor.token()?.eq_ignore_ascii_case(b"SIP");
        let version = cursor.eat_spaced(b'/') && cursor.token()? == b"2.0";
        if !sip || !version || !cursor.eat_spaced(b'/') {
            return None;
        }
        let transport = cursor.token()?;
        let spaced = cursor.peek().is_some_and(lex::is_ws);
        cursor.skip_ws();
        let host = Host::take(&mut cursor)?;
        let port = if cursor.eat_spaced(b':') { Some(host::take_port(&mut cursor)?) } else { None };
        let params = Params::parse(cursor.rest)?;
        spaced.then_some(Via { text, transport, host, port, params })
    }

    /// The hop as received.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The transaction's branch. RFC 2543 peers send none, or one without the magic cookie.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.value(b"branch").filter(|branch| !branch.is_empty())
    }

    /// Whether the branch identifies the transaction alone (RFC 3261 §8.1.1.7).
    pub fn has_magic_cookie(&self) -> bool {
        let cookie = self.branch().and_then(|branch| branch.get(..7));
        cookie.is_some_and(|cookie| cookie.eq_ignore_ascii_case(b"z9hG4bK"))
    }

    /// Whether the sender asks for answers to the port it sent from (RFC 3581 §3).
    pub fn wants_rport(&self) -> bool {
        self.params.get(b"rport").is_some()
    }

    /// The `rport` that a server filled in.
    pub fn rport(&self) -> Option<u16> {
        lex::decimal(self.params.value(b"rport")?).and_then(|port| u16::try_from(port).ok())
    }

    /// The `received` address, IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.value(b"received")?;
        match Host::parse(value) {
            Some(Host::Ip(ip)) => Some(ip),
            _ => host::ipv6(value).map(IpAddr::V6),
        }
    }
}

impl Message {
    /// The topmost hop.
    ///
    /// # Errors
    /// Never for a message from [`Message::parse`], which has checked it.
    pub fn via_top(&self) -> Result<Via<'_>, BadHeader> {
        self.vias().next().unwrap_or(Err(BadHeader(HeaderName::Via)))
    }

    /// Every hop, from the top, over all fields and their commas.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, BadHeader>> {
        self.headers(HeaderName::Via).flat_map(List::new).map(Via::parse)
    }
}

impl core::fmt::Debug for Via<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Via({})", self.text.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_the_slashes_is_legal() {
        let via =
            Via::parse(b"SIP  / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8").unwrap();
        assert_eq!(via.transport, b"TCP");
        assert_eq!(via.host, Host::Name("spindle.example.com"));
        assert_eq!(via.branch(), Some(&b"z9hG4bK9ikj8"[..]));
        assert!(via.has_magic_cookie());
    }

    #[test]
    fn received_takes_both_forms_of_ipv6() {
        for text in ["received=[2001:db8::9:255]", "received=2001:db8::9:255"] {
            let value = format!("SIP/2.0/UDP [2001:db8::9:1]:6050;{text};rport=5062");
            let via = Via::parse(value.as_bytes()).unwrap();
            assert_eq!(via.received(), "2001:db8::9:255".parse().ok());
            assert_eq!((via.port, via.rport()), (Some(6050), Some(5062)));
        }
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP host;;",
            "SIP/3.0/UDP h",
            "SIP/2.0/UDP h:0",
            "SIP/2.0/UDPh:5",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP h x",
        ] {
            assert!(Via::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
