//! `name-addr` and `addr-spec` with parameters: `From`, `To`, `Contact`, `Route`, `Record-Route`,
//! `P-Asserted-Identity`, `Diversion` and the like (RFC 3261 §20.10, §25.1).

use core::fmt;
use std::borrow::Cow;

use super::super::lex::{self, Cursor, List, Params, unquote};
use super::super::uri::{BadUri, Uri};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// A display name, a URI and parameters.
#[derive(Clone, Copy)]
pub struct NameAddr<'a> {
    text: &'a [u8],
    display: &'a [u8],
    /// The URI as written.
    pub uri_bytes: &'a [u8],
    /// The parameters of the header, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address (no list). The URI is cut out, not read: see [`NameAddr::uri`].
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn parse(text: &'a [u8]) -> Result<Self, BadAddress> {
        Self::read(text).ok_or(BadAddress)
    }

    fn read(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(lex::trim(text));
        let text = cursor.rest;
        let mut display: &[u8] = &[];
        if cursor.peek() == Some(b'"') {
            display = cursor.quoted()?;
            cursor.skip_ws();
            if cursor.peek() != Some(b'<') {
                return None;
            }
        } else if memchr::memchr(b'<', cursor.rest).is_some() {
            // Tokens and white space; bytes above ASCII are let pass: phones send them unquoted.
            let wordy = |byte: u8| lex::is_token_byte(byte) || lex::is_ws(byte) || byte >= 0x80;
            display = lex::trim(cursor.take_while(wordy));
        }
        if cursor.eat(b'<') {
            let uri_bytes = cursor.take_while(lex::is_uri_byte);
            let whole = cursor.eat(b'>') && has_scheme(uri_bytes);
            let params = Params::parse(cursor.rest)?;
            return whole.then_some(NameAddr { text, display, uri_bytes, params });
        }
        // Without brackets the URI ends at ";", and may hold no comma or "?" (RFC 3261 §20.10).
        let uri_bytes = cursor.take_while(|byte| byte != b';' && !lex::is_ws(byte));
        if !has_scheme(uri_bytes)
            || !lex::is_uri_text(uri_bytes)
            || memchr::memchr2(b',', b'?', uri_bytes).is_some()
        {
            return None;
        }
        Some(NameAddr { text, display, uri_bytes, params: Params::parse(cursor.rest)? })
    }

    /// The address as received, with its parameters.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The URI.
    ///
    /// # Errors
    /// [`BadUri`].
    pub fn uri(&self) -> Result<Uri<'a>, BadUri> {
        Uri::parse(self.uri_bytes)
    }

    /// The display name without quotes, as text for people: control characters (which would reach
    /// a terminal) and bytes that are no UTF-8 are replaced. `None` if there is none.
    pub fn display_text(&self) -> Option<String> {
        let name = unquote(self.display);
        let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        (!name.is_empty()).then(|| String::from_utf8_lossy(&name).chars().map(clean).collect())
    }

    /// The display name, its quotes resolved; any bytes, perhaps none.
    pub fn display(&self) -> Cow<'a, [u8]> {
        unquote(self.display)
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value(b"tag").filter(|tag| !tag.is_empty())
    }

    /// The `q` parameter in thousandths: 1000 without one, `None` if it is malformed.
    pub fn q_milli(&self) -> Option<u16> {
        let Some(text) = self.params.value(b"q") else { return Some(1000) };
        let (whole, decimals) = lex::split_once(text, b'.');
        let decimals = decimals.unwrap_or_default();
        if decimals.len() > 3 || !matches!(whole, b"0" | b"1") {
            return None;
        }
        let mut milli = if whole == b"1" { 1000_u32 } else { 0 };
        let mut weight = 100_u32;
        for byte in decimals {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
            milli = milli.saturating_add(u32::from(digit).saturating_mul(weight));
            weight /= 10;
        }
        u16::try_from(milli).ok().filter(|milli| *milli <= 1000)
    }

    /// The `expires` parameter, seconds.
    pub fn expires_s(&self) -> Option<u32> {
        lex::delta_seconds(self.params.value(b"expires")?)
    }
}

/// Whether `text` begins as a URI does.
fn has_scheme(text: &[u8]) -> bool {
    matches!(memchr::memchr(b':', text), Some(1..))
}

/// The text is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAddress;

/// People are masked; the parameters too, which may name them.
impl fmt::Debug for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameAddr").field("uri", &self.uri()).finish_non_exhaustive()
    }
}

/// The addresses of every field of one header, commas split.
#[derive(Clone)]
pub struct NameAddrs<I> {
    pub(super) name: HeaderName,
    pub(super) elements: I,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for NameAddrs<I> {
    type Item = Result<NameAddr<'a>, BadHeader>;
    fn next(&mut self) -> Option<Self::Item> {
        let element = self.elements.next()?;
        Some(NameAddr::parse(element).map_err(|_| BadHeader(self.name)))
    }
}

impl Message {
    /// `From`. The parser has checked it.
    ///
    /// # Errors
    /// Never for a message from [`Message::parse`].
    pub fn from(&self) -> Result<NameAddr<'_>, BadHeader> {
        self.one_address(HeaderName::From)?.ok_or(BadHeader(HeaderName::From))
    }

    /// `To`. The parser has checked it.
    ///
    /// # Errors
    /// Never for a message from [`Message::parse`].
    pub fn to(&self) -> Result<NameAddr<'_>, BadHeader> {
        self.one_address(HeaderName::To)?.ok_or(BadHeader(HeaderName::To))
    }

    /// The addresses of header `name` from the top: `Route`, `Record-Route`, `Path`,
    /// `P-Asserted-Identity`, `Diversion`, ….
    pub fn addresses(&self, name: HeaderName) -> NameAddrs<impl Iterator<Item = &[u8]> + Clone> {
        NameAddrs { name, elements: self.headers(name).flat_map(List::new) }
    }

    /// `Route`, from the top.
    pub fn routes(&self) -> NameAddrs<impl Iterator<Item = &[u8]> + Clone> {
        self.addresses(HeaderName::Route)
    }

    /// `Record-Route`, from the top.
    pub fn record_routes(&self) -> NameAddrs<impl Iterator<Item = &[u8]> + Clone> {
        self.addresses(HeaderName::RecordRoute)
    }

    /// The single address of header `name`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn one_address(&self, name: HeaderName) -> Result<Option<NameAddr<'_>>, BadHeader> {
        let value = self.only(name)?;
        value.map(|value| NameAddr::parse(value).map_err(|_| BadHeader(name))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_and_parameters() {
        let address = NameAddr::parse(br#""A \" <x>, ;" <sip:a@b;lr>;tag=1"#).unwrap();
        assert_eq!(address.display_text().as_deref(), Some("A \" <x>, ;"));
        assert_eq!(address.uri_bytes, b"sip:a@b;lr");
        assert_eq!(address.tag(), Some(&b"1"[..]));
        let address = NameAddr::parse(b"J Rosenberg<sip:a@b>").unwrap();
        assert_eq!(address.display_text().as_deref(), Some("J Rosenberg"));
        // Without brackets the parameters are the header's.
        let address = NameAddr::parse(b"sip:a@b ; tag = 1918").unwrap();
        assert_eq!((address.uri_bytes, address.tag()), (&b"sip:a@b"[..], Some(&b"1918"[..])));
        assert_eq!(NameAddr::parse(b"<sip:a@b>").unwrap().display_text(), None);
    }

    #[test]
    fn control_characters_of_a_display_name_reach_nobody() {
        let address = NameAddr::parse(b"\"\x1b[2J\\\x07\" <sip:a@b>").unwrap();
        assert_eq!(address.display_text().as_deref(), Some("\u{fffd}[2J\u{fffd}"));
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "<sip:a@b",
            "\"A <sip:a@b>",
            "A, B <sip:a@b>",
            "< sip:a@b >",
            "sip:a@b?x=y",
            "sip:a@b,c",
            "<>",
            "<a>",
            "<:a>",
            "a",
            "\"A\" sip:a@b",
            "<sip:a@b>x",
            "<sip:a@b>;;",
            "<sip:a@b>;tag=a b",
        ] {
            assert!(NameAddr::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn preference() {
        let q = |text: &str| NameAddr::parse(text.as_bytes()).unwrap().q_milli();
        assert_eq!(q("<sip:a>"), Some(1000));
        assert_eq!(q("<sip:a>;q=0.33"), Some(330));
        assert_eq!(q("<sip:a>;q=1.000"), Some(1000));
        assert_eq!((q("<sip:a>;q=1.1"), q("<sip:a>;q=0.1234"), q("<sip:a>;q=-1")), (None, None, None));
    }
}
