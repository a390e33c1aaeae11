//! A look at a message before it is read: enough to put it in its place when more come than can be served.
//! [`Glimpse`] looks at names of lines only; [`Parties`] reads three addresses and is asked only at load. Neither
//! judges: what they take a message for decides when it is read, never what it means.

use memchr::{memchr, memchr_iter, memmem};

use crate::message::Uri;
use crate::message::header::NameAddr;

/// What a message seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glimpse {
    /// An INVITE outside of any dialog: a new call.
    Call,
    /// A REGISTER.
    Registration,
    /// A CANCEL: a call is taken back that may not have begun yet.
    Withdrawal,
    /// Everything else: responses, and requests about what exists.
    Other,
}

impl Glimpse {
    /// What `message` seems to be.
    pub fn of(message: &[u8]) -> Glimpse {
        if message.starts_with(b"REGISTER ") {
            Glimpse::Registration
        } else if message.starts_with(b"CANCEL ") {
            Glimpse::Withdrawal
        } else if message.starts_with(b"INVITE ") && !has_to_tag(message) {
            Glimpse::Call
        } else {
            Glimpse::Other
        }
    }
}

/// Who a new call seems to be from and for. Numbers as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    /// The user part of the Request-URI.
    pub to: String,
    /// The user part of P-Asserted-Identity.
    pub asserted: Option<String>,
    /// The user part of From.
    pub from: String,
}

impl Parties {
    /// Of an INVITE.
    pub fn of(message: &[u8]) -> Parties {
        let user = |value: &[u8]| NameAddr::parse(value).ok()?.uri().ok()?.dialled();
        let uri = message.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        Parties {
            to: Uri::parse_lossy(uri).dialled().unwrap_or_default(),
            asserted: field(message, b"P-Asserted-Identity", b"").and_then(user),
            from: field(message, b"From", b"f").and_then(user).unwrap_or_default(),
        }
    }
}

fn has_to_tag(message: &[u8]) -> bool {
    field(message, b"To", b"t").is_some_and(|to| memmem::find(to, b"tag=").is_some())
}

/// The first line of a header, by its name or its compact name.
fn field<'a>(message: &'a [u8], name: &[u8], compact: &[u8]) -> Option<&'a [u8]> {
    for end in memchr_iter(b'\n', message) {
        let rest = message.get(end.checked_add(1)?..)?;
        match rest.first()? {
            b'\r' | b'\n' => return None,
            first if !first.eq_ignore_ascii_case(name.first()?) => continue,
            _ => {}
        }
        let line = rest.get(..memchr(b'\n', rest).unwrap_or(rest.len()))?;
        let (before, after) = line.split_at(memchr(b':', line).unwrap_or(line.len()));
        let before = before.trim_ascii();
        if before.eq_ignore_ascii_case(name) || before.eq_ignore_ascii_case(compact) {
            return Some(after.get(1..)?.trim_ascii());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:10000@switch SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
        From: \"A, tag=x\" <sip:+8613800000001@carrier>;tag=1\r\nTo: <sip:10000@switch>\r\n\
        Timestamp: 1\r\nP-Asserted-Identity: <tel:+86-138-0000-0002>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\nTo: x;tag=1";

    #[test]
    fn a_new_call_is_told_from_what_exists() {
        assert_eq!(Glimpse::of(INVITE.as_bytes()), Glimpse::Call);
        let again = INVITE.replace("<sip:10000@switch>\r\n", "<sip:10000@switch>;tag=9\r\n");
        assert_eq!(Glimpse::of(again.as_bytes()), Glimpse::Other);
        let compact = again.replace("To: ", "T : ");
        assert_eq!(Glimpse::of(compact.as_bytes()), Glimpse::Other);
        assert_eq!(Glimpse::of(b"REGISTER sip:x SIP/2.0\r\n\r\n"), Glimpse::Registration);
        assert_eq!(Glimpse::of(again.replace("INVITE", "CANCEL").as_bytes()), Glimpse::Withdrawal);
        for other in ["BYE sip:x SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", "", "\r\n", "INVITE"] {
            assert_eq!(Glimpse::of(other.as_bytes()), Glimpse::Other, "{other}");
        }
        assert_eq!(Glimpse::of(b"INVITE sip:x SIP/2.0"), Glimpse::Call, "no To: the reader will say so");
    }

    #[test]
    fn the_parties_are_read_as_the_switch_reads_them() {
        let parties = Parties::of(INVITE.as_bytes());
        assert_eq!(parties.to, "10000");
        assert_eq!(parties.from, "+8613800000001");
        assert_eq!(parties.asserted.as_deref(), Some("+8613800000002"));
        assert_eq!(Parties::of(b"INVITE"), Parties::default());
    }
}
