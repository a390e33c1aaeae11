//! `Refer-To` (RFC 3515 §2.1).

use super::{super::BadHeader, HeaderName, NameAddr};
use crate::message::Message;

impl Message {
    /// `Refer-To`: one address.
    ///
    /// # Errors
    /// [`BadHeader`] if it is missing, malformed, or stands several times (RFC 3515 §2.4.2: 400).
    pub fn refer_to(&self) -> Result<NameAddr<'_>, BadHeader> {
        self.one_address(HeaderName::ReferTo)?.ok_or(BadHeader(HeaderName::ReferTo))
    }
}
