//! `Privacy` (RFC 3323 §4.2, RFC 3325 §9.3).

use super::HeaderName;
use crate::message::Message;

/// What the caller wants hidden.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Privacy {
    /// `id`: the asserted identity.
    pub id: bool,
    /// `header`: headers that tell where he is.
    pub header: bool,
    /// `user`: his name and number.
    pub user: bool,
    /// `session`: the media address.
    pub session: bool,
    /// `critical`: refuse the call rather than show him.
    pub critical: bool,
}

impl Privacy {
    /// Whether nothing is asked for.
    pub fn is_none(&self) -> bool {
        *self == Privacy::default()
    }
}

impl Message {
    /// What all `Privacy` fields ask for together; unknown wishes are skipped. Some peers write
    /// commas where the grammar has semicolons.
    pub fn privacy(&self) -> Privacy {
        let mut privacy = Privacy::default();
        let values = self.headers(HeaderName::Privacy);
        for wish in values.flat_map(|value| value.split(|byte| matches!(byte, b';' | b','))) {
            match wish.trim_ascii().to_ascii_lowercase().as_slice() {
                b"id" => privacy.id = true,
                b"header" => privacy.header = true,
                b"user" => privacy.user = true,
                b"session" => privacy.session = true,
                b"critical" => privacy.critical = true,
                _ => {}
            }
        }
        privacy
    }
}
