//! Finds the session description in a body (RFC 5621, RFC 2046 §5.1).

use bytes::Bytes;

use super::header::ContentType;
use super::lex::{self, unquote};
use super::{BadHeader, HeaderName, Message};

/// Parts that are looked at; a body with more is malformed.
const PARTS_MAX: usize = 16;
/// Bytes of a boundary (RFC 2046 §5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;
/// Header lines of a part that are looked at.
const PART_HEADERS_MAX: usize = 32;

impl Message {
    /// The session description: the body if its type is `application/sdp`, or the first such part
    /// of a `multipart/mixed` or `multipart/alternative` body. `None` if there is none.
    ///
    /// # Errors
    /// [`BadHeader`] if `Content-Type` is malformed or the parts do not follow its boundary.
    pub fn sdp(&self) -> Result<Option<Bytes>, BadHeader> {
        if self.body().is_empty() {
            return Ok(None);
        }
        let Some(kind) = self.content_type()? else { return Ok(None) };
        if kind.is_sdp() {
            return Ok(Some(self.body().clone()));
        }
        if !kind.kind.eq_ignore_ascii_case(b"multipart") {
            return Ok(None);
        }
        let bad = BadHeader(HeaderName::ContentType);
        let boundary = kind.params.value(b"boundary").map(unquote).ok_or(bad)?;
        for part in Parts::new(self.body(), &boundary).ok_or(bad)? {
            let part = part?;
            if part.is_sdp() {
                return Ok(Some(self.body().slice_ref(part.body)));
            }
        }
        Ok(None)
    }
}

/// One part of a multipart body.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    head: &'a [u8],
    /// Its content.
    pub body: &'a [u8],
}

impl<'a> Part<'a> {
    /// The part's header `name`, its first line.
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.head.split(|byte| *byte == b'\n').take(PART_HEADERS_MAX).find_map(|line| {
            let (field, value) = lex::split_once(line, b':');
            (HeaderName::from_bytes(lex::trim(field)) == name).then(|| lex::trim(value.unwrap_or_default()))
        })
    }

    /// Whether its type is `application/sdp`.
    pub fn is_sdp(&self) -> bool {
        let kind = self.header(HeaderName::ContentType).map(ContentType::parse);
        kind.is_some_and(|kind| kind.is_ok_and(|kind| kind.is_sdp()))
    }
}

/// The parts of a multipart body. Ends after the closing boundary; an error ends it too.
#[derive(Clone)]
pub struct Parts<'a> {
    /// From the first byte after a boundary; `None` at the end.
    rest: Option<&'a [u8]>,
    boundary: &'a [u8],
    left: usize,
}

impl<'a> Parts<'a> {
    /// The parts of `body`; `None` if `boundary` cannot be one or is not in the body.
    pub fn new(body: &'a [u8], boundary: &'a [u8]) -> Option<Self> {
        let len = boundary.len();
        let legal = (1..=BOUNDARY_BYTES_MAX).contains(&len) && !boundary.iter().any(u8::is_ascii_control);
        // What stands before the first boundary is a preamble that nobody reads.
        let rest = if legal { split_at_boundary(body, boundary)?.1 } else { return None };
        Some(Parts { rest: Some(rest), boundary, left: PARTS_MAX })
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, BadHeader>;
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        if rest.starts_with(b"--") {
            return None;
        }
        let bad = Err(BadHeader(HeaderName::ContentType));
        // Only white space may follow a boundary on its line.
        let (padding, after) = lex::split_once(rest, b'\n');
        let Some(after) = after.filter(|_| padding.iter().all(|byte| lex::is_ws(*byte))) else {
            return Some(bad);
        };
        let Some((part, next)) = split_at_boundary(after, self.boundary) else { return Some(bad) };
        let Some(left) = self.left.checked_sub(1) else { return Some(bad) };
        (self.rest, self.left) = (Some(next), left);
        let Some((head, body)) = split_head(part) else { return Some(bad) };
        Some(Ok(Part { head, body }))
    }
}

/// What stands before the line `--boundary`, without the line end that belongs to the boundary,
/// and what follows the boundary.
fn split_at_boundary<'a>(text: &'a [u8], boundary: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let starts =
        core::iter::once(0).chain(memchr::memchr_iter(b'\n', text).filter_map(|at| at.checked_add(1)));
    for start in starts {
        let (before, line) = text.split_at_checked(start)?;
        let Some(after) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)) else {
            continue;
        };
        // A longer boundary may begin with this one.
        if after.first().is_none_or(|byte| lex::is_ws(*byte)) || after.starts_with(b"--") {
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            return Some((before.strip_suffix(b"\r").unwrap_or(before), after));
        }
    }
    None
}

/// A part's header lines and its content; a part may begin with its content after an empty line.
fn split_head(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = part;
    loop {
        let (line, after) = lex::split_once(rest, b'\n');
        if lex::trim(line).is_empty() {
            let head_len = part.len().checked_sub(rest.len())?;
            return Some((part.get(..head_len)?, after.unwrap_or_default()));
        }
        rest = after?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies<'a>(body: &'a [u8], boundary: &'a [u8]) -> Option<Result<Vec<&'a [u8]>, BadHeader>> {
        Some(Parts::new(body, boundary)?.map(|part| part.map(|part| part.body)).collect())
    }

    #[test]
    fn parts_preamble_and_epilogue() {
        let body = b"preamble\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--bb\r\n--b \r\n\r\nplain\r\n--b--\r\nepilogue";
        let parts = bodies(body, b"b").unwrap().unwrap();
        assert_eq!(parts, [&b"v=0\r\n\r\n--bb"[..], b"plain"]);
        assert!(Parts::new(body, b"b").unwrap().next().unwrap().unwrap().is_sdp());
    }

    /// No parts, no end, no boundary, a boundary too long: errors, quickly.
    #[test]
    fn broken_bodies() {
        assert_eq!(bodies(b"", b"b"), None);
        assert_eq!(bodies(b"--b", b""), None);
        assert_eq!(bodies(b"--b", &[b'b'; 71]), None);
        assert_eq!(bodies(b"no boundary", b"b"), None);
        assert_eq!(bodies(b"--b--", b"b"), Some(Ok(vec![])));
        for body in [
            &b"--b"[..],
            b"--b\r\n",
            b"--b\r\nA: b\r\n\r\nno end",
            b"--b\r\nno empty line\r\n--b--",
            b"--b x\r\n\r\n--b--",
        ] {
            assert!(bodies(body, b"b").unwrap().is_err(), "{}", body.escape_ascii());
        }
        let many = [&b"--b\r\n\r\nx\r\n".repeat(20)[..], b"--b--"].concat();
        assert!(bodies(&many, b"b").unwrap().is_err());
    }
}
