//! A request before it is bound to a branch and a transport, so that it can be sent again: to the
//! next target, with credentials, or after a refusal, each time as a new transaction.

use bytes::Bytes;

use crate::endpoint::{Listener, Protocol};
use crate::message::Method;

/// What stays the same when a request is sent again. All `Bytes` that end up in the head are whole
/// lines with their CRLF, printed by [`crate::ua::print::Lines`], which lets no CR or LF in.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) method: Method,
    pub(crate) uri: Bytes,
    /// Route, Max-Forwards, From, Call-ID: what ACK and CANCEL share with their INVITE.
    pub(crate) head: Bytes,
    /// The To line.
    pub(crate) to: Bytes,
    pub(crate) cseq: u32,
    /// Authorization or Proxy-Authorization line.
    pub(crate) auth: Option<Bytes>,
    /// Whether a Contact of ours is needed.
    pub(crate) contact: bool,
    /// All other lines.
    pub(crate) extra: Bytes,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

/// The magic cookie of RFC 3261 §8.1.1.7.
pub(crate) const COOKIE: &[u8] = b"z9hG4bK";

impl Template {
    /// The request as it goes to the wire through `listener` with the branch of `token`.
    pub(crate) fn print(&self, scratch: &mut Vec<u8>, listener: &Listener, token: u64) -> Bytes {
        scratch.clear();
        let out = scratch;
        self.start(out, self.method.as_bytes(), listener, token);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.to);
        self.cseq_line(out, self.method.as_bytes());
        if self.contact {
            contact_line(out, listener);
        }
        if let Some(auth) = &self.auth {
            out.extend_from_slice(auth);
        }
        out.extend_from_slice(&self.extra);
        if !self.body.is_empty() {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(self.content_type.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"Content-Length: ");
        decimal(out, self.body.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
        Bytes::copy_from_slice(out)
    }

    /// ACK for a final response other than 2xx, or CANCEL: same branch, head, Request-URI and CSeq
    /// number (RFC 3261 §17.1.1.3, §9.1). `to` is the To line of the response, for ACK.
    pub(crate) fn print_companion(
        &self,
        scratch: &mut Vec<u8>,
        listener: &Listener,
        token: u64,
        companion: Companion<'_>,
    ) -> Bytes {
        scratch.clear();
        let out = scratch;
        let (method, to, extra): (&[u8], &[u8], &[u8]) = match companion {
            Companion::Ack { to } => (b"ACK", to, b""),
            Companion::Cancel { reason } => (b"CANCEL", &self.to, reason),
        };
        self.start(out, method, listener, token);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(to);
        self.cseq_line(out, method);
        out.extend_from_slice(extra);
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        Bytes::copy_from_slice(out)
    }

    fn start(&self, out: &mut Vec<u8>, method: &[u8], listener: &Listener, token: u64) {
        out.extend_from_slice(method);
        out.push(b' ');
        out.extend_from_slice(&self.uri);
        out.extend_from_slice(b" SIP/2.0\r\nVia: SIP/2.0/");
        out.extend_from_slice(listener.protocol.as_via().as_bytes());
        out.push(b' ');
        address(out, listener);
        out.extend_from_slice(b";rport;branch=");
        out.extend_from_slice(COOKIE);
        hex(out, token);
        out.extend_from_slice(b"\r\n");
    }

    fn cseq_line(&self, out: &mut Vec<u8>, method: &[u8]) {
        out.extend_from_slice(b"CSeq: ");
        decimal(out, u64::from(self.cseq));
        out.push(b' ');
        out.extend_from_slice(method);
        out.extend_from_slice(b"\r\n");
    }
}

/// A request that lives in the shadow of its INVITE.
pub(crate) enum Companion<'a> {
    /// With the To line of the response.
    Ack { to: &'a [u8] },
    /// With a Reason line or nothing.
    Cancel { reason: &'a [u8] },
}

/// `Contact: <sip:ADDRESS>` of `listener`.
pub(crate) fn contact_line(out: &mut Vec<u8>, listener: &Listener) {
    out.extend_from_slice(b"Contact: <sip:");
    address(out, listener);
    if listener.protocol != Protocol::Udp {
        out.extend_from_slice(b";transport=");
        out.extend_from_slice(listener.protocol.as_param().as_bytes());
    }
    out.extend_from_slice(b">\r\n");
}

fn address(out: &mut Vec<u8>, listener: &Listener) {
    use std::io::Write as _;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{}", listener.sent_by());
}

/// A number in decimal.
pub(crate) fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        // A digit fits a byte.
        *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    if let Some(tail) = digits.get(digits.len().saturating_sub(used)..) {
        out.extend_from_slice(tail);
    }
}

/// A number as 16 hexadecimal digits.
pub(crate) fn hex(out: &mut Vec<u8>, value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for shift in (0..16u32).rev() {
        let nibble = (value >> (shift * 4)) & 15;
        out.push(DIGITS.get(nibble as usize).copied().unwrap_or(b'0'));
    }
}

/// The number that 16 hexadecimal digits (lower case, as we print them) stand for.
pub(crate) fn unhex(text: &[u8]) -> Option<u64> {
    if text.len() != 16 {
        return None;
    }
    text.iter().try_fold(0u64, |value, &byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_and_parse() {
        for value in [0, 7, 10, 4_294_967_295, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
            out.clear();
            hex(&mut out, value);
            assert_eq!(unhex(&out), Some(value));
        }
        assert_eq!(unhex(b"0123"), None);
        assert_eq!(unhex(b"000000000000000G"), None);
    }
}
