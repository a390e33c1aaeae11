//! Character classes and small readers of the SIP grammar (RFC 3261 §25.1), on bytes.

use std::borrow::Cow;

/// What a byte may be part of, as bits of [`CLASSES`].
const TOKEN: u8 = 1;
const URI: u8 = 2;
const LIST_MARK: u8 = 4;
const PARAM_VALUE: u8 = 8;
const HOST: u8 = 16;
static CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "made at compile time")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut index: usize = 0;
    while index < classes.len() {
        let byte = index as u8;
        let punctuation =
            matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        let token = if byte.is_ascii_alphanumeric() || punctuation { TOKEN } else { 0 };
        let uri = if matches!(byte, 0..=b' ' | b'<' | b'>' | b'"' | 0x7f) { 0 } else { URI };
        let mark = if matches!(byte, b'"' | b'<' | b'>' | b',') { LIST_MARK } else { 0 };
        let value = if matches!(byte, 0..=b' ' | b';' | b',' | b'"') { 0 } else { PARAM_VALUE };
        let host = if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') { HOST } else { 0 };
        classes[index] = token | uri | mark | value | host;
        index = index.wrapping_add(1);
    }
    classes
}

#[inline]
fn is(class: u8, byte: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & class != 0)
}

/// `token` characters.
#[inline]
pub(crate) fn is_token_byte(byte: u8) -> bool {
    is(TOKEN, byte)
}

/// What may stand in a URI: no white space, control character, quote or angle bracket.
#[inline]
pub(crate) fn is_uri_byte(byte: u8) -> bool {
    is(URI, byte)
}

/// Letters, digits, `-`, `.` and `_`.
#[inline]
pub(crate) fn is_host_byte(byte: u8) -> bool {
    is(HOST, byte)
}

/// Whether `text` holds only what may stand in a URI.
#[inline]
pub(crate) fn is_uri_text(text: &[u8]) -> bool {
    text.iter().all(|&byte| is_uri_byte(byte))
}

/// Whether `text` is a non-empty `token`.
#[inline]
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Whether two names are the same, without case. Nearly everybody writes names as the standards do, so that is looked at
/// first, many bytes at a time.
#[inline]
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    a == b || a.eq_ignore_ascii_case(b)
}

/// White space between the parts of a value. Folds are spaces already when a value is read.
#[inline]
pub(crate) const fn is_ws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `text` without white space at both ends.
#[inline]
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_ws(*first)
    {
        text = rest;
    }
    trim_end(text)
}

/// `text` without white space at its end.
#[inline]
pub(crate) fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text
        && is_ws(*last)
    {
        text = rest;
    }
    text
}

/// A decimal number of at most ten digits that fits `u32`; nothing but digits.
#[inline]
pub(crate) fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let mut value: u32 = 0;
    for &byte in text {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value = value.checked_mul(10)?.checked_add(u32::from(digit))?;
    }
    Some(value)
}

/// A value that is a decimal number and, as RFC 3261 §25.1 writes `delta-seconds`, may be larger
/// than we can hold: then it is the largest we can (RFC 3261 §20.19 allows as much).
pub(crate) fn delta_seconds(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| decimal(text).unwrap_or(u32::MAX))
}

/// The two parts of `text` around the first `separator`; the second is `None` without one.
#[inline]
pub(crate) fn split_once(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, text).and_then(|at| text.split_at_checked(at)) {
        Some((before, after)) => (before, after.get(1..)),
        None => (text, None),
    }
}

/// The value of a hexadecimal digit.
const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

/// Reads `%HH` at the start of `text`: the byte and what follows.
pub(crate) fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'%', high, low, rest @ ..] => Some(((hex(*high)? << 4) | hex(*low)?, rest)),
        _ => None,
    }
}

/// `text` with `%HH` decoded. What is not an escape stays.
pub fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, next) = escape(rest).unwrap_or((*first, after));
        out.push(byte);
        rest = next;
    }
    Cow::Owned(out)
}

/// The content of a `quoted-string`, its quoted pairs resolved; anything else unchanged.
pub fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = text else { return Cow::Borrowed(text) };
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
    }
    Cow::Owned(out)
}

/// Reads a value from its front.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Cursor { rest }
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn skip_ws(&mut self) {
        while let [first, rest @ ..] = self.rest
            && is_ws(*first)
        {
            self.rest = rest;
        }
    }

    /// Takes `byte` if it is next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes `byte` with white space around it (`SEMI`, `EQUAL`, `SLASH`, … of the grammar).
    #[inline]
    pub(crate) fn eat_spaced(&mut self, byte: u8) -> bool {
        self.skip_ws();
        let eaten = self.eat(byte);
        self.skip_ws();
        eaten
    }

    /// Takes bytes as long as `class` holds.
    #[inline]
    pub(crate) fn take_while(&mut self, class: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().take_while(|byte| class(**byte)).count();
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Takes a non-empty token.
    #[inline]
    pub(crate) fn token(&mut self) -> Option<&'a [u8]> {
        let token = self.take_while(is_token_byte);
        (!token.is_empty()).then_some(token)
    }

    /// Takes a `quoted-string` with its quotes, if one is next; `None` if it has no end.
    pub(crate) fn quoted(&mut self) -> Option<&'a [u8]> {
        let whole = self.rest;
        let mut from = 1;
        if self.peek() != Some(b'"') {
            return None;
        }
        loop {
            let at = memchr::memchr2(b'"', b'\\', whole.get(from..)?)?.checked_add(from)?;
            // A quoted pair hides the next byte, whatever it is.
            if whole.get(at) == Some(&b'\\') {
                from = at.checked_add(2)?;
                continue;
            }
            let (taken, rest) = whole.split_at_checked(at.checked_add(1)?)?;
            self.rest = rest;
            return Some(taken);
        }
    }
}

/// Splits a value at commas that are neither quoted nor inside `<…>`. Empty elements are skipped.
#[derive(Clone)]
pub struct List<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> List<'a> {
    /// The elements of `value`.
    pub const fn new(value: &'a [u8]) -> Self {
        List { rest: Some(value) }
    }

    /// The bytes up to the next separating comma and those after it.
    fn cut(text: &'a [u8]) -> (&'a [u8], Option<&'a [u8]>) {
        if memchr::memchr(b',', text).is_none() {
            return (text, None);
        }
        let mut cursor = Cursor::new(text);
        let mut bracketed = false;
        loop {
            cursor.take_while(|byte| !is(LIST_MARK, byte));
            match cursor.peek() {
                Some(b'"') if !bracketed => {
                    // Without an end the quote swallows the rest: the element is malformed.
                    if cursor.quoted().is_none() {
                        return (text, None);
                    }
                    continue;
                }
                Some(b',') if !bracketed => break,
                Some(b'<') => bracketed = true,
                Some(b'>') => bracketed = false,
                None => return (text, None),
                _ => {}
            }
            cursor.rest = cursor.rest.get(1..).unwrap_or(&[]);
        }
        let len = text.len().saturating_sub(cursor.rest.len());
        (text.get(..len).unwrap_or(text), cursor.rest.get(1..))
    }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (element, rest) = Self::cut(self.rest?);
            self.rest = rest;
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// Parameters: `;name=value;name`. Names compare without case; values keep their quotes.
#[derive(Clone, Copy, Default)]
pub struct Params<'a> {
    text: &'a [u8],
}

/// One parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name as written.
    pub name: &'a [u8],
    /// What stands after `=`, quotes included; `None` without `=`.
    pub value: Option<&'a [u8]>,
}

impl<'a> Params<'a> {
    /// No parameters.
    pub const EMPTY: Params<'static> = Params { text: &[] };

    /// Header parameters: everything left must be `;name[=value]` with token names. A lone `;` at
    /// the end is let pass: some phones send it.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(text);
        cursor.skip_ws();
        let whole = cursor.rest;
        while !cursor.is_empty() {
            if !cursor.eat_spaced(b';') {
                return None;
            }
            if cursor.is_empty() {
                break;
            }
            cursor.token()?;
            if cursor.eat_spaced(b'=') {
                if cursor.peek() == Some(b'"') {
                    cursor.quoted()?;
                } else {
                    cursor.take_while(|byte| is(PARAM_VALUE, byte));
                }
                cursor.skip_ws();
            }
        }
        Some(Params { text: whole })
    }

    /// URI parameters: like header parameters but without white space and quotes.
    pub(crate) fn parse_uri(text: &'a [u8]) -> Option<Self> {
        let params = Params { text };
        let named = params.iter().all(|param| !param.name.is_empty());
        ((text.is_empty() || text.first() == Some(&b';')) && named).then_some(params)
    }

    /// The parameters in order.
    pub fn iter(&self) -> ParamIter<'a> {
        ParamIter { cursor: Cursor::new(self.text) }
    }

    /// The first parameter called `name` (without case).
    pub fn get(&self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|param| is_same(param.name, name))
    }

    /// The value of parameter `name`; `None` if it is absent or has none.
    pub fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.get(name)?.value
    }

    /// The parameters as written, from the first `;`.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }
}

/// Iterates over [`Params`].
#[derive(Clone)]
pub struct ParamIter<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = Param<'a>;
    fn next(&mut self) -> Option<Param<'a>> {
        let cursor = &mut self.cursor;
        if !cursor.eat_spaced(b';') || cursor.is_empty() {
            return None;
        }
        let name = trim_end(cursor.take_while(|byte| !matches!(byte, b';' | b'=')));
        if !cursor.eat(b'=') {
            return Some(Param { name, value: None });
        }
        cursor.skip_ws();
        let value = match cursor.peek() {
            Some(b'"') => cursor.quoted().unwrap_or_default(),
            _ => trim_end(cursor.take_while(|byte| byte != b';')),
        };
        Some(Param { name, value: Some(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let value = br#""A, \"B" <sip:a,b@c;x=1>;q=1 , <sip:d@e>,,sip:f@g"#;
        let parts: Vec<_> = List::new(value).collect();
        assert_eq!(parts, [&br#""A, \"B" <sip:a,b@c;x=1>;q=1"#[..], b"<sip:d@e>", b"sip:f@g"]);
        assert_eq!(List::new(b"\"open, <x>").count(), 1);
        assert_eq!(List::new(b" , ").count(), 0);
    }

    #[test]
    fn parameters_with_space_quotes_and_a_lone_semicolon() {
        let params = Params::parse(b" ; Tag = a1 ;x=\"q;\\\" ,\"; lr;").unwrap();
        assert_eq!(params.value(b"tag"), Some(&b"a1"[..]));
        assert_eq!(params.value(b"x"), Some(&b"\"q;\\\" ,\""[..]));
        assert!(params.get(b"LR").is_some_and(|param| param.value.is_none()));
        for bad in [&b";;"[..], b"x", b";a=b c", b";a=\"x", b"; =1", b";a,b"] {
            assert!(Params::parse(bad).is_none(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert_eq!(decimal(b"4294967295"), Some(u32::MAX));
        assert_eq!(decimal(b"4294967296"), None);
        assert_eq!(decimal(b"-1"), None);
        assert_eq!(delta_seconds(b"99999999999999999999"), Some(u32::MAX));
    }

    #[test]
    fn escapes_and_quoted_pairs() {
        assert_eq!(unescape(b"a%23%zz%4").as_ref(), b"a#%zz%4");
        assert_eq!(unquote(br#""a \" \\""#).as_ref(), br#"a " \"#);
        assert_eq!(unquote(b"plain").as_ref(), b"plain");
    }
}
