//! [`Session`] to bytes.

use bytes::Bytes;

use super::Session;

impl Session {
    /// The description as it goes into a body.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::new()
    }
}
