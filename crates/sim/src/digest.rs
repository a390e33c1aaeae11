//! The phones' side of digest authentication (RFC 2617 §3.2.2, MD5 with qop=auth): the oldest kind,
//! which every softphone still speaks.

use md5::{Digest as _, Md5};

use crate::text::Text;

fn hex(input: &str) -> String {
    Md5::digest(input.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The Authorization header that answers the first MD5 challenge of `challenge`.
pub fn authorization(
    challenge: &Text,
    method: &str,
    uri: &str,
    user: &str,
    password: &str,
    count: u32,
) -> Option<String> {
    let header = challenge
        .all("WWW-Authenticate")
        .find(|value| field(value, "algorithm").is_none_or(|a| a == "MD5"))?;
    let (realm, nonce) = (field(header, "realm")?, field(header, "nonce")?);
    let (nc, cnonce) = (format!("{count:08x}"), "0a4f113b");
    let ha1 = hex(&format!("{user}:{realm}:{password}"));
    let ha2 = hex(&format!("{method}:{uri}"));
    let response = hex(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"));
    Some(format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm=MD5, qop=auth, nc={nc}, cnonce=\"{cnonce}\""
    ))
}

fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let fields = header.strip_prefix("Digest ").unwrap_or(header);
    let found = fields.split(',').filter_map(|part| part.trim().split_once('=')).find(|(n, _)| *n == name);
    found.map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 2617 §3.5.
        let challenge = Text::default().with(
            "WWW-Authenticate",
            "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
        );
        let answer =
            authorization(&challenge, "GET", "/dir/index.html", "Mufasa", "Circle Of Life", 1).unwrap();
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
    }
}
