//! URIs: `sip:`, `sips:`, `tel:`, and others kept as they are (RFC 3261 §19.1, RFC 3966).

mod compare;
pub(crate) mod host;

use core::fmt;
use std::borrow::Cow;

use super::lex::{self, Cursor, Params};
pub use host::Host;

/// The text is no URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadUri;

impl fmt::Display for BadUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed URI")
    }
}

impl core::error::Error for BadUri {}

/// What a URI's scheme is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other; a request for it is answered 416.
    Other,
}

/// A URI, borrowed. Escapes stay as they are: printing [`Uri::as_bytes`] gives what was received.
#[derive(Clone, Copy)]
pub struct Uri<'a> {
    text: &'a [u8],
    scheme: Scheme,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: Option<Host<'a>>,
    port: Option<u16>,
    params: Params<'a>,
    headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a whole URI: no white space, no `<`, `>`, `"`, no broken escapes, nothing left over.
    ///
    /// # Errors
    /// [`BadUri`]. A scheme we do not know is no error.
    pub fn parse(text: &'a [u8]) -> Result<Self, BadUri> {
        Self::read(text).ok_or(BadUri)
    }

    /// Like [`Uri::parse`]; text that is no URI becomes one of unknown scheme.
    pub fn parse_lossy(text: &'a [u8]) -> Self {
        Self::read(text).unwrap_or(Self::opaque(text, Scheme::Other))
    }

    const fn opaque(text: &'a [u8], scheme: Scheme) -> Self {
        Uri {
            text,
            scheme,
            user: None,
            password: None,
            host: None,
            port: None,
            params: Params::EMPTY,
            headers: None,
        }
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        if !lex::is_uri_text(text) {
            return None;
        }
        let (scheme, rest) = lex::split_once(text, b':');
        let rest = rest.filter(|rest| !rest.is_empty())?;
        match scheme {
            [b's' | b'S', b'i' | b'I', b'p' | b'P'] => Self::read_sip(text, Scheme::Sip, rest),
            [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S'] => Self::read_sip(text, Scheme::Sips, rest),
            [b't' | b'T', b'e' | b'E', b'l' | b'L'] => Self::read_tel(text, rest),
            [first, others @ ..] => {
                let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                let named = first.is_ascii_alphabetic() && others.iter().all(inner);
                named.then_some(Self::opaque(text, Scheme::Other))
            }
            [] => None,
        }
    }

    fn read_sip(text: &'a [u8], scheme: Scheme, rest: &'a [u8]) -> Option<Self> {
        let mut uri = Self::opaque(text, scheme);
        // "@" may stand unescaped nowhere but before the host: two of them would let two readers
        // see two hosts.
        let (before, after) = lex::split_once(rest, b'@');
        let hostport = match after {
            None => before,
            Some(after) if memchr::memchr(b'@', after).is_some() => return None,
            Some(after) => {
                let (user, password) = lex::split_once(before, b':');
                if user.is_empty() || !escapes_are_whole(before) {
                    return None;
                }
                (uri.user, uri.password) = (Some(user), password);
                after
            }
        };
        let mut cursor = Cursor::new(hostport);
        uri.host = Some(Host::take(&mut cursor)?);
        if cursor.eat(b':') {
            uri.port = Some(host::take_port(&mut cursor)?);
        }
        let (params, headers) = lex::split_once(cursor.rest, b'?');
        if !escapes_are_whole(cursor.rest) {
            return None;
        }
        uri.params = Params::parse_uri(params)?;
        uri.headers = headers;
        Some(uri)
    }

    /// RFC 3966: a global number begins with `+`, a local one may hold `*`, `#` and hex letters.
    fn read_tel(text: &'a [u8], rest: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(rest);
        let number = cursor.take_while(|byte| byte != b';');
        let digit = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#');
        let legal = |byte: &u8| digit(byte) || is_visual_separator(*byte) || matches!(byte, b'+' | b'%');
        if !number.iter().all(legal) || !number.iter().any(digit) || !escapes_are_whole(rest) {
            return None;
        }
        let mut uri = Self::opaque(text, Scheme::Tel);
        uri.user = Some(number);
        uri.params = Params::parse_uri(cursor.rest)?;
        Some(uri)
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The URI as received.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The user part as received, escapes and all; of a `tel:` URI, its number.
    pub const fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The user part with its escapes decoded: for comparison, never for printing into a URI.
    pub fn user_unescaped(&self) -> Option<Cow<'a, [u8]>> {
        self.user.map(lex::unescape)
    }

    /// What was dialled: the user part decoded, without parameters of its own
    /// (`sip:+1201;phone-context=x@host`), and without visual separators if it is a telephone
    /// number (`tel:`, `user=phone`, or only digits and separators). `None` without a user part or
    /// if it is no UTF-8.
    pub fn dialled(&self) -> Option<String> {
        let user = self.user_unescaped()?;
        let (number, _) = lex::split_once(&user, b';');
        let phone = |byte: &u8| {
            byte.is_ascii_digit() || is_visual_separator(*byte) || matches!(byte, b'+' | b'*' | b'#')
        };
        let is_number = self.scheme == Scheme::Tel
            || self.params.value(b"user").is_some_and(|value| value.eq_ignore_ascii_case(b"phone"))
            || (number.iter().all(phone) && number.iter().any(u8::is_ascii_digit));
        let kept = number.iter().copied().filter(|byte| !(is_number && is_visual_separator(*byte)));
        String::from_utf8(kept.collect()).ok().filter(|text| !text.is_empty())
    }

    /// The password: deprecated, kept for printing and comparing.
    pub const fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host of a `sip:` or `sips:` URI.
    pub const fn host(&self) -> Option<Host<'a>> {
        self.host
    }

    /// The port, if one is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.params.value(b"transport")
    }

    /// Whether the URI, in a `Route`, names a loose router (RFC 3261 §19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.get(b"lr").is_some()
    }

    /// The headers after `?`, raw (`name=value&name=value`).
    pub const fn headers(&self) -> Option<&'a [u8]> {
        self.headers
    }

    /// The value of header `name` in the URI, decoded.
    pub fn header(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.header_iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The headers after `?`, names and values decoded.
    pub fn header_iter(&self) -> impl Iterator<Item = (Cow<'a, [u8]>, Cow<'a, [u8]>)> + use<'a> {
        self.headers.unwrap_or_default().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(
            |pair| {
                let (name, value) = lex::split_once(pair, b'=');
                (lex::unescape(name), lex::unescape(value.unwrap_or_default()))
            },
        )
    }

    /// A copy that owns its bytes.
    pub fn to_owned(&self) -> UriBuf {
        UriBuf { text: self.text.into() }
    }
}

/// `-`, `.`, `(`, `)` in a telephone number mean nothing (RFC 3966 §3).
const fn is_visual_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// Whether every `%` begins an escape.
fn escapes_are_whole(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).all(|at| text.get(at..).and_then(lex::escape).is_some())
}

/// Equivalence by RFC 3261 §19.1.4, RFC 3966 §4; other schemes byte for byte.
impl PartialEq for Uri<'_> {
    fn eq(&self, other: &Self) -> bool {
        compare::equivalent(self, other)
    }
}

/// The user part is about a person: masked.
impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Uri");
        f.field("scheme", &self.scheme).field("host", &self.host).field("port", &self.port);
        f.finish_non_exhaustive()
    }
}

/// A URI that owns its bytes.
#[derive(Clone)]
pub struct UriBuf {
    text: Box<[u8]>,
}

impl UriBuf {
    /// Reads a whole URI.
    ///
    /// # Errors
    /// [`BadUri`], as [`Uri::parse`].
    pub fn parse(text: &[u8]) -> Result<UriBuf, BadUri> {
        Uri::parse(text).map(|uri| uri.to_owned())
    }

    /// The view of it.
    pub fn as_uri(&self) -> Uri<'_> {
        Uri::parse_lossy(&self.text)
    }

    /// The URI as it is printed.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

impl PartialEq for UriBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_uri() == other.as_uri()
    }
}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_uri().fmt(f)
    }
}

#[cfg(test)]
mod tests;
