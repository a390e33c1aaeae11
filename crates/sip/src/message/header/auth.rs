//! `Authorization`, `WWW-Authenticate` and the like (RFC 3261 §20.7, §25.1; RFC 8760).

use std::borrow::Cow;

use super::super::lex::{self, Cursor, List, unquote};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// The parameters of a challenge or of credentials: `name=value, name="value"`.
#[derive(Clone, Copy)]
pub struct AuthParams<'a> {
    text: &'a [u8],
}

impl<'a> AuthParams<'a> {
    /// The most parameters we read; digest uses at most eleven.
    const COUNT_MAX: usize = 32;

    /// Checks that every parameter has a name and a value, and none of ours stands twice.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let params = AuthParams { text };
        let mut count = 0_usize;
        for part in List::new(text) {
            let (name, value) = Self::part(part)?;
            count = count.checked_add(1).filter(|count| *count <= Self::COUNT_MAX)?;
            let same = params.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
            if same > 1 || !well_quoted(value) {
                return None;
            }
        }
        Some(params)
    }

    fn part(part: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let (name, value) = lex::split_once(part, b'=');
        let (name, value) = (lex::trim_end(name), lex::trim(value?));
        lex::is_token(name).then_some((name, value))
    }

    /// Names and raw values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        List::new(self.text).filter_map(Self::part)
    }

    /// The value of `name` (without case), its quotes resolved.
    pub fn get(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.raw(name).map(unquote)
    }

    /// The value of `name` (without case) as written: a digest's `uri` and `nonce` are hashed so.
    pub fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

/// A quoted string and nothing after it, or no quote at all.
fn well_quoted(value: &[u8]) -> bool {
    let mut cursor = Cursor::new(value);
    match cursor.peek() {
        Some(b'"') => cursor.quoted().is_some() && cursor.is_empty(),
        _ => !value.iter().any(|byte| matches!(byte, b'"' | b' ' | b'\t')),
    }
}

/// `Authorization` and `Proxy-Authorization`.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// `Digest`, `Basic`, …
    pub scheme: &'a [u8],
    /// `None` for a scheme other than digest whose content has another form (`Basic QWxh…`).
    pub params: Option<AuthParams<'a>>,
}

/// `WWW-Authenticate` and `Proxy-Authenticate`.
pub type Challenge<'a> = Credentials<'a>;

impl<'a> Credentials<'a> {
    /// Reads the whole value of header `name`.
    ///
    /// # Errors
    /// [`BadHeader`] without a scheme, or if a digest's parameters are malformed or repeated.
    pub fn parse(text: &'a [u8], name: HeaderName) -> Result<Self, BadHeader> {
        let mut cursor = Cursor::new(text);
        let scheme = cursor.token().ok_or(BadHeader(name))?;
        let spaced = cursor.peek().is_none_or(lex::is_ws);
        let credentials = Credentials { scheme, params: AuthParams::parse(cursor.rest) };
        let bad = !spaced || (credentials.is_digest() && credentials.params.is_none());
        if bad { Err(BadHeader(name)) } else { Ok(credentials) }
    }

    /// Whether the scheme is `Digest`.
    pub const fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"Digest")
    }
}

/// Credentials never reach a log.
impl core::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Message {
    /// The credentials or challenges in the fields of header `name`, one each: their commas
    /// separate parameters.
    pub fn credentials(&self, name: HeaderName) -> impl Iterator<Item = Result<Credentials<'_>, BadHeader>> {
        self.headers(name).map(move |value| Credentials::parse(value, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Credentials<'_>, BadHeader> {
        Credentials::parse(text.as_bytes(), HeaderName::Authorization)
    }

    #[test]
    fn digest_parameters() {
        let text =
            r#"Digest username="b\"ob", realm="a, b" ,nonce="x=",uri="sip:a,b@c",qop=auth,nc=00000001"#;
        let params = parse(text).unwrap().params.unwrap();
        assert_eq!(params.get("USERNAME").as_deref(), Some(&b"b\"ob"[..]));
        assert_eq!(params.get("realm").as_deref(), Some(&b"a, b"[..]));
        assert_eq!(params.get("nonce").as_deref(), Some(&b"x="[..]));
        assert_eq!(params.raw("uri"), Some(&b"\"sip:a,b@c\""[..]));
        assert_eq!(params.get("nc").as_deref(), Some(&b"00000001"[..]));
        assert_eq!(params.get("opaque"), None);
    }

    #[test]
    fn other_schemes_are_named_and_broken_digests_refused() {
        assert!(!parse("NoOneKnowsThisScheme opaque-data=here").unwrap().is_digest());
        assert!(parse("Basic QWxhZGRpbjpvcGVu==").unwrap().params.is_some());
        for bad in [
            "",
            "Digest username",
            "Digest username=\"x",
            "Digest a=1, a=2",
            "Digest =x",
            "Digest a=\"1\"2",
            "Digest a=b c",
            "Digest,a=b",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let many = format!("Digest {}", (0..40).map(|i| format!("p{i}=1,")).collect::<String>());
        assert!(parse(&many).is_err());
    }
}
