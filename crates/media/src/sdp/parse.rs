//! Bytes to [`Session`].

use super::{SdpError, Session};

/// Parses a session description. Lines may end in CRLF, LF or CR.
pub fn parse(_bytes: &[u8]) -> Result<Session, SdpError> {
    Err(SdpError::TooLarge)
}
