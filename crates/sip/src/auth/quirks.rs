//! Phones that give up when a challenge names what they do not know, instead of taking the one they
//! know (RFC 8760 §2.4). Known by User-Agent, so that unknown and known users are still answered alike.

use crate::message::{HeaderName, Message};

/// Products that only understand MD5, by the beginning of their User-Agent.
const MD5_ONLY: [&[u8]; 3] = [
    // libre before 2.0 answers any other algorithm with "Function not implemented" (Debian 12 has 1.1).
    b"baresip v0.",
    b"baresip v1.",
    // SIPp before 3.7: "authentication must use MD5 or AKAv1-MD5" (Debian 12 has 3.6.1).
    b"SIPp v3.6",
];

/// Whether the sender must not be offered more than MD5.
pub(crate) fn takes_only_md5(m: &Message) -> bool {
    let product = m.header(HeaderName::UserAgent).unwrap_or_default();
    MD5_ONLY.iter().any(|quirky| product.starts_with(quirky))
}
