//! The arithmetic of digest authentication (RFC 7616 §3.4.1).

use md5::Md5;
use sha2::Sha256;

/// A hash that digest may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Md5,
}

impl Algorithm {
    /// In the order in which we offer them: the best first (RFC 8760 §2.3).
    pub(crate) const OFFERED: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Md5 => "MD5",
        }
    }

    /// The algorithm of a name; without one it is MD5 (RFC 7616 §3.3).
    pub(crate) fn from_name(name: Option<&[u8]>) -> Option<Self> {
        let Some(name) = name else { return Some(Algorithm::Md5) };
        Self::OFFERED.into_iter().find(|algorithm| algorithm.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The hash of the parts joined by colons, in lower-case hexadecimal.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Algorithm::Sha256 => hashed::<Sha256>(parts),
            Algorithm::Md5 => hashed::<Md5>(parts),
        }
    }
}

fn hashed<D: sha2::Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    let digits = hasher.finalize();
    let digits: &[u8] = digits.as_ref();
    let mut out = String::with_capacity(digits.len().saturating_mul(2));
    for byte in digits {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    out
}

/// Everything a response is computed from.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) username: &'a [u8],
    pub(crate) realm: &'a [u8],
    pub(crate) password: &'a [u8],
    pub(crate) method: &'a [u8],
    pub(crate) uri: &'a [u8],
    pub(crate) nonce: &'a [u8],
    /// nc and cnonce with `qop=auth`; `None` as RFC 2069 had it.
    pub(crate) auth: Option<(&'a [u8], &'a [u8])>,
}

/// The `response` parameter.
pub(crate) fn response(algorithm: Algorithm, parts: &Parts<'_>) -> String {
    let ha1 = algorithm.hash(&[parts.username, parts.realm, parts.password]);
    let ha2 = algorithm.hash(&[parts.method, parts.uri]);
    match parts.auth {
        Some((nc, cnonce)) => {
            algorithm.hash(&[ha1.as_bytes(), parts.nonce, nc, cnonce, b"auth", ha2.as_bytes()])
        }
        None => algorithm.hash(&[ha1.as_bytes(), parts.nonce, ha2.as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_rfcs_example() {
        let parts = Parts {
            username: b"Mufasa",
            realm: b"http-auth@example.org",
            password: b"Circle of Life",
            method: b"GET",
            uri: b"/dir/index.html",
            nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            auth: Some((b"00000001", b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        };
        assert_eq!(response(Algorithm::Md5, &parts), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            response(Algorithm::Sha256, &parts),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }
}
