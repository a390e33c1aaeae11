//! When two URIs mean the same (RFC 3261 §19.1.4, RFC 3966 §4).

use super::{Scheme, Uri, is_visual_separator};
use crate::message::lex::{self, Params};

/// Parameters that, if only one URI has them, make the two different.
const MUST_MATCH: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

/// How many headers, and how many parameters, are compared: the cost is their product. URIs with more are
/// never equivalent.
const HEADERS_MAX: usize = 16;
const PARAMS_MAX: usize = 32;

pub(super) fn equivalent(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    match (a.scheme, b.scheme) {
        (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => sip(a, b),
        (Scheme::Tel, Scheme::Tel) => tel(a, b),
        (Scheme::Other, Scheme::Other) => a.text == b.text,
        _ => false,
    }
}

fn sip(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let hosts = match (&a.host, &b.host) {
        (Some(a), Some(b)) => a.is_same(b),
        _ => false,
    };
    // The port counts as written: without one is not the same as with the default one.
    hosts
        && a.port == b.port
        && same_escaped(a.user, b.user)
        && same_escaped(a.password, b.password)
        && params(a.params, b.params)
        && params(b.params, a.params)
        && headers(a, b)
}

/// User parts compare with case, after escapes.
fn same_escaped(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || lex::unescape(a) == lex::unescape(b),
        (None, None) => true,
        _ => false,
    }
}

/// One direction: every parameter of `a` fits `b`.
fn params(a: Params<'_>, b: Params<'_>) -> bool {
    within_limit(a)
        && a.iter().all(|param| match b.get(param.name) {
            Some(other) => match (param.value, other.value) {
                (Some(a), Some(b)) => lex::unescape(a).eq_ignore_ascii_case(&lex::unescape(b)),
                (None, None) => true,
                _ => false,
            },
            None => !MUST_MATCH.iter().any(|name| name.eq_ignore_ascii_case(param.name)),
        })
}

fn within_limit(params: Params<'_>) -> bool {
    params.iter().nth(PARAMS_MAX).is_none()
}

/// Headers are never ignored; their order is.
fn headers(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let count = a.header_iter().count();
    if count != b.header_iter().count() || count > HEADERS_MAX {
        return false;
    }
    a.header_iter().all(|(name, value)| {
        b.header_iter().any(|(other, other_value)| name.eq_ignore_ascii_case(&other) && value == other_value)
    })
}

fn tel(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let digits = |uri: &Uri<'_>| {
        let number = uri.user_unescaped().unwrap_or_default();
        number
            .iter()
            .filter(|byte| !is_visual_separator(**byte))
            .map(u8::to_ascii_lowercase)
            .collect::<Vec<_>>()
    };
    let all_in = |a: Params<'_>, b: Params<'_>| {
        within_limit(a)
            && a.iter()
                .all(|param| b.get(param.name).is_some_and(|other| same_case_blind(param.value, other.value)))
    };
    digits(a) == digits(b) && all_in(a.params, b.params) && all_in(b.params, a.params)
}

fn same_case_blind(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (None, None) => true,
        _ => false,
    }
}
