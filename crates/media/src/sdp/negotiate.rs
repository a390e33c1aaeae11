//! Offer and answer (RFC 3264).

use super::{Incompatible, LocalMedia, Negotiated, Session};

/// Our first offer in a dialog.
pub fn offer(_local: &LocalMedia) -> Session {
    Session {
        origin: super::Origin {
            session_id: String::new(),
            version: String::new(),
            address: core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED),
        },
        connection: None,
        attributes: Vec::new(),
        media: Vec::new(),
    }
}

/// A later offer in a dialog where `last` is the last description *we* sent: it keeps the number
/// and the order of the `m=` lines (RFC 3264 §8).
pub fn reoffer(local: &LocalMedia, _last: &Session) -> Session {
    offer(local)
}

/// Our answer to `offer`, and what is agreed by it.
pub fn answer(_local: &LocalMedia, _offer: &Session) -> Result<(Session, Negotiated), Incompatible> {
    Err(Incompatible::NoAudio)
}

/// What `answer` agrees to of `offer`, which we made with `local`.
pub fn accept_answer(
    _local: &LocalMedia,
    _offer: &Session,
    _answer: &Session,
) -> Result<Negotiated, Incompatible> {
    Err(Incompatible::NoAudio)
}
