//! Header lines of ours, printed once and kept as bytes.

use bytes::Bytes;

use crate::endpoint::{Reason, ReasonProtocol};
use crate::transaction::template::decimal;

/// Whole header lines. A value with CR, LF or NUL is left out and remembered: nothing that came from
/// outside can begin a line of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    refused: bool,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Lines { bytes: Vec::with_capacity(256), refused: false }
    }

    /// `Name: value`.
    pub(crate) fn line(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.parts(name, &[value])
    }

    /// `Name: ` and the parts in a row.
    pub(crate) fn parts(&mut self, name: &str, parts: &[&[u8]]) -> &mut Self {
        if parts.iter().any(|part| !is_printable(part)) || !is_printable(name.as_bytes()) {
            self.refused = true;
            return self;
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// `Name: number`.
    pub(crate) fn number(&mut self, name: &str, value: u64) -> &mut Self {
        let mut digits = Vec::with_capacity(20);
        decimal(&mut digits, value);
        self.parts(name, &[&digits])
    }

    /// Lines that were printed before.
    pub(crate) fn raw(&mut self, lines: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(lines);
        self
    }

    /// `Reason` (RFC 3326).
    pub(crate) fn reason(&mut self, reason: Option<&Reason>) -> &mut Self {
        let Some(reason) = reason else { return self };
        let protocol: &[u8] = match reason.protocol {
            ReasonProtocol::Sip => b"SIP",
            ReasonProtocol::Q850 => b"Q.850",
        };
        let mut cause = Vec::with_capacity(5);
        decimal(&mut cause, u64::from(reason.cause));
        let text = quoted(&reason.text);
        if reason.text.is_empty() {
            self.parts("Reason", &[protocol, b";cause=", &cause])
        } else {
            self.parts("Reason", &[protocol, b";cause=", &cause, b";text=", text.as_bytes()])
        }
    }

    /// Whether a value was left out.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn finish(&self) -> Bytes {
        Bytes::copy_from_slice(&self.bytes)
    }
}

fn is_printable(value: &[u8]) -> bool {
    memchr::memchr3(b'\r', b'\n', 0, value).is_none()
}

/// A quoted string; control characters become spaces.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The user part of a SIP URI, everything that may not stand there escaped (RFC 3261 §25.1).
pub(crate) fn user_escaped(user: &str) -> String {
    let mut out = String::with_capacity(user.len());
    for byte in user.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'!'
            | b'~'
            | b'*'
            | b'\''
            | b'('
            | b')'
            | b'&'
            | b'='
            | b'+'
            | b'$'
            | b','
            | b'/' => out.push(char::from(byte)),
            byte => {
                let nibble = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0').to_ascii_uppercase();
                out.extend(['%', nibble(byte >> 4), nibble(byte & 15)]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_can_be_smuggled_in() {
        let mut lines = Lines::new();
        lines.line("X-A", b"fine").line("X-B", b"a\r\nVia: evil");
        assert!(lines.is_refused());
        assert_eq!(lines.as_bytes(), b"X-A: fine\r\n");
        assert_eq!(quoted("a\"b\r\nc"), "\"a\\\"b  c\"");
        assert_eq!(user_escaped("a b@c;d"), "a%20b%40c%3Bd");
    }
}
