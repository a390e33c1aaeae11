//! What the user agent reads from messages beyond what the message layer gives.

use base::Pii;
use bytes::Bytes;

use super::leg::{Reliability, SessionAsk};
use crate::endpoint::{Reason, ReasonProtocol};
use crate::message::{HeaderName, List, Message, Params, unquote};

/// The comma-separated tokens of every field of a header.
pub(crate) fn tokens(message: &Message, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    message.headers(name).flat_map(List::new)
}

/// Whether a list header names `token`.
pub(crate) fn has_token(message: &Message, name: HeaderName, token: &str) -> bool {
    tokens(message, name).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

/// A number at the start of a header's value, before any parameter or comment.
pub(crate) fn number(message: &Message, name: HeaderName) -> Option<u32> {
    leading_number(message.header(name)?)
}

fn leading_number(value: &[u8]) -> Option<u32> {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let text = core::str::from_utf8(value.get(..digits)?).ok()?;
    Some(text.parse().unwrap_or(u32::MAX))
}

/// Max-Forwards.
pub(crate) fn max_forwards(message: &Message) -> Option<u8> {
    number(message, HeaderName::MaxForwards).map(|hops| u8::try_from(hops).unwrap_or(u8::MAX))
}

/// The value before its parameters, and the parameters.
pub(crate) fn with_params(value: &[u8]) -> (&[u8], Params<'_>) {
    let cut = memchr::memchr(b';', value).unwrap_or(value.len());
    let (text, params) = value.split_at_checked(cut).unwrap_or((value, &[]));
    (text.trim_ascii(), Params::parse(params).unwrap_or_default())
}

/// Content-Type without parameters, lower case.
pub(crate) fn content_type(message: &Message) -> String {
    let value = message.header(HeaderName::ContentType).unwrap_or_default();
    String::from_utf8_lossy(with_params(value).0).to_ascii_lowercase()
}

/// Whether we can read the body: session description, alone or in parts, or what may be ignored
/// (RFC 3204 `handling=optional`).
pub(crate) fn takes_body(message: &Message) -> bool {
    let encoded =
        tokens(message, HeaderName::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    if encoded {
        return false;
    }
    let kind = content_type(message);
    if kind == "application/sdp" || kind.starts_with("multipart/") {
        return true;
    }
    let disposition = message.header(HeaderName::ContentDisposition).unwrap_or_default();
    let handling = with_params(disposition).1.value(b"handling").unwrap_or_default();
    handling.eq_ignore_ascii_case(b"optional")
}

/// The session description of a message, alone or as a part.
pub(crate) fn sdp(message: &Message) -> Option<Bytes> {
    if message.body().is_empty() {
        return None;
    }
    if message.header(HeaderName::ContentType).is_none() {
        return Some(Bytes::copy_from_slice(message.body()));
    }
    message.sdp().ok()?.map(|sdp| Bytes::copy_from_slice(&sdp))
}

/// Session-Expires, Min-SE and whether the timer extension is known (RFC 4028).
pub(crate) fn session_ask(message: &Message, is_request: bool) -> SessionAsk {
    let value = message.header(HeaderName::SessionExpires);
    let expires_s = value.and_then(leading_number);
    let refresher = value.and_then(|value| with_params(value).1.value(b"refresher"));
    let sender: &[u8] = if is_request { b"uac" } else { b"uas" };
    SessionAsk {
        expires_s,
        min_s: number(message, HeaderName::MinSe),
        supported: has_token(message, HeaderName::Supported, "timer")
            || has_token(message, HeaderName::Require, "timer"),
        sender_refreshes: refresher.map(|who| who.eq_ignore_ascii_case(sender)),
    }
}

/// What the peer understands of reliable provisional responses.
pub(crate) fn reliability(message: &Message) -> Reliability {
    if has_token(message, HeaderName::Require, "100rel") {
        Reliability::Required
    } else if has_token(message, HeaderName::Supported, "100rel") {
        Reliability::Supported
    } else {
        Reliability::None
    }
}

/// RAck: response number, CSeq number, and whether its method is INVITE (RFC 3262 §7.2).
pub(crate) fn rack(message: &Message) -> Option<(u32, u32, bool)> {
    let text = core::str::from_utf8(message.header(HeaderName::RAck)?).ok()?;
    let mut words = text.split_ascii_whitespace();
    let rseq = words.next()?.parse().ok()?;
    let cseq = words.next()?.parse().ok()?;
    Some((rseq, cseq, words.next()? == "INVITE"))
}

/// The first Reason (RFC 3326) that we understand.
pub(crate) fn reason(message: &Message) -> Option<Reason> {
    message.headers(HeaderName::Reason).flat_map(List::new).find_map(|value| {
        let (name, params) = with_params(value);
        let protocol = if name.eq_ignore_ascii_case(b"SIP") {
            ReasonProtocol::Sip
        } else if name.eq_ignore_ascii_case(b"Q.850") {
            ReasonProtocol::Q850
        } else {
            return None;
        };
        let cause = core::str::from_utf8(params.value(b"cause")?).ok()?.parse().ok()?;
        let text = params.value(b"text").map(unquote).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).take(128).collect();
        Some(Reason { protocol, cause, text })
    })
}

/// The user of the first address of a header.
pub(crate) fn user_of(message: &Message, name: HeaderName) -> Option<Pii<String>> {
    let address = message.addresses(name).find_map(Result::ok)?;
    Some(Pii::new(address.uri().ok()?.dialled()?))
}
