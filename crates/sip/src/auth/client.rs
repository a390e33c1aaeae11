//! Answering a trunk's challenge.

use bytes::Bytes;

use super::digest::{Algorithm, Parts, response};
use crate::endpoint::Credentials;
use crate::message::{HeaderName, Message, unquote};
use crate::ua::print::Lines;

/// The request that is challenged.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) uri: &'a [u8],
    pub(crate) cnonce: &'a str,
}

/// The credentials line for the best challenge of our realm in a 401 or 407. `None`: there is none
/// that we can or may answer.
pub(crate) fn answer(m: &Message, credentials: &Credentials, asked: &Asked<'_>) -> Option<Bytes> {
    let proxy = m.status() == Some(407);
    let (header, name) = if proxy {
        (HeaderName::ProxyAuthenticate, "Proxy-Authorization")
    } else {
        (HeaderName::WwwAuthenticate, "Authorization")
    };
    let challenges = m.credentials(header).filter_map(Result::ok).filter(|c| c.is_digest()).take(8);
    let fitting = challenges.filter_map(|challenge| {
        let params = challenge.params?;
        let realm = params.get("realm")?;
        let algorithm = Algorithm::from_name(params.get("algorithm").as_deref())?;
        let qop = params.get("qop");
        let auth = match &qop {
            Some(list) => {
                if !list.split(|byte| *byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(b"auth"))
                {
                    return None;
                }
                true
            }
            None => false,
        };
        (*realm == *credentials.realm.as_bytes()).then_some((algorithm, params, auth))
    });
    // RFC 8760 §2.4: the topmost that we understand; ours prefers the stronger.
    let (algorithm, params, auth) = fitting.min_by_key(|(algorithm, ..)| *algorithm != Algorithm::Sha256)?;
    let raw_nonce = params.raw("nonce")?;
    let nonce = unquote(raw_nonce);
    let parts = Parts {
        username: credentials.username.as_bytes(),
        realm: credentials.realm.as_bytes(),
        password: credentials.password.reveal().as_bytes(),
        method: asked.method,
        uri: asked.uri,
        nonce: &nonce,
        auth: auth.then_some((b"00000001", asked.cnonce.as_bytes())),
    };
    let digest = response(algorithm, &parts);
    let quote = |text: &str| crate::ua::print::quoted(text);
    let mut value = format!(
        "Digest username={}, realm={}, nonce=",
        quote(&credentials.username),
        quote(&credentials.realm)
    )
    .into_bytes();
    value.extend_from_slice(raw_nonce);
    value.extend_from_slice(b", uri=\"");
    value.extend_from_slice(asked.uri);
    value.extend_from_slice(format!("\", response=\"{digest}\", algorithm={}", algorithm.name()).as_bytes());
    if auth {
        value.extend_from_slice(format!(", qop=auth, nc=00000001, cnonce=\"{}\"", asked.cnonce).as_bytes());
    }
    if let Some(opaque) = params.raw("opaque") {
        value.extend_from_slice(b", opaque=");
        value.extend_from_slice(opaque);
    }
    let mut lines = Lines::new();
    lines.line(name, &value);
    (!lines.is_refused()).then(|| lines.finish())
}
