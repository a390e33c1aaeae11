//! The host and port of a URI or `Via`.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::message::lex::{self, Cursor};

/// Longest text of an IPv6 address, with three colons where two belong and room to spare.
const IPV6_TEXT_MAX: usize = 48;

/// A host: an address or a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Host<'a> {
    /// An IPv4 or (in brackets) IPv6 address.
    Ip(IpAddr),
    /// A name: letters, digits, `-`, `.`, `_`.
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// Reads a whole host.
    pub fn parse(text: &'a [u8]) -> Option<Host<'a>> {
        let mut cursor = Cursor::new(text);
        Self::take(&mut cursor).filter(|_| cursor.is_empty())
    }

    /// Takes a host from the front.
    pub(crate) fn take(cursor: &mut Cursor<'a>) -> Option<Host<'a>> {
        if cursor.eat(b'[') {
            let text = cursor.take_while(|byte| byte != b']');
            return if cursor.eat(b']') { Some(Host::Ip(ipv6(text)?.into())) } else { None };
        }
        let text = core::str::from_utf8(cursor.take_while(lex::is_host_byte))
            .ok()
            .filter(|text| !text.is_empty())?;
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            // Digits and dots that are no address could not be a name either: RFC 3261's
            // top label begins with a letter.
            return text.parse::<Ipv4Addr>().ok().map(|ip| Host::Ip(ip.into()));
        }
        Some(Host::Name(text))
    }

    /// The address, if it is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Ip(ip) => Some(*ip),
            Host::Name(_) => None,
        }
    }

    /// Whether both are the same host: names without case.
    pub fn is_same(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Host::Ip(a), Host::Ip(b)) => a == b,
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

/// As printed in a URI or `Via`: IPv6 in brackets.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes a port: 1 to 65535.
pub(crate) fn take_port(cursor: &mut Cursor<'_>) -> Option<u16> {
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    lex::decimal(digits).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
}

/// An IPv6 address without brackets. Three colons, which the grammar of RFC 3261 produced by
/// mistake, are taken for two (RFC 5118 §4.10).
pub(crate) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let text = core::str::from_utf8(text).ok().filter(|text| text.len() <= IPV6_TEXT_MAX)?;
    let repaired = || {
        let (before, after) = text.split_once(":::")?;
        let mut fixed = String::with_capacity(text.len());
        fixed.push_str(before);
        fixed.push_str("::");
        fixed.push_str(after);
        fixed.parse().ok()
    };
    text.parse().ok().or_else(repaired)
}
