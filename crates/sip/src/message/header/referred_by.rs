//! `Referred-By` (RFC 3892).

use super::{super::BadHeader, HeaderName, NameAddr};
use crate::message::Message;

/// Who sent someone here.
#[derive(Clone, Copy, Debug)]
pub struct ReferredBy<'a> {
    /// His address.
    pub referrer: NameAddr<'a>,
    /// The body part that proves it, if any.
    pub cid: Option<&'a [u8]>,
}

impl Message {
    /// `Referred-By`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn referred_by(&self) -> Result<Option<ReferredBy<'_>>, BadHeader> {
        let referrer = self.one_address(HeaderName::ReferredBy)?;
        Ok(referrer.map(|referrer| ReferredBy { referrer, cid: referrer.params.value(b"cid") }))
    }
}
