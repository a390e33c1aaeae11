//! `Contact` (RFC 3261 §20.10).

use super::{super::BadHeader, HeaderName, NameAddr};
use crate::message::Message;

/// What the `Contact` fields of a message say together.
#[derive(Clone, Debug)]
pub enum Contacts<A> {
    /// `*`: every binding (only to remove them all, RFC 3261 §10.2.2).
    All,
    /// A list, perhaps empty.
    List(A),
}

impl Message {
    /// The contacts over all fields and their commas.
    ///
    /// # Errors
    /// [`BadHeader`] if `*` stands beside anything else.
    pub fn contacts(
        &self,
    ) -> Result<Contacts<impl Iterator<Item = Result<NameAddr<'_>, BadHeader>> + Clone>, BadHeader> {
        let mut fields = self.headers(HeaderName::Contact);
        if fields.clone().any(|value| value == b"*") {
            let alone = fields.next().is_some() && fields.next().is_none();
            return if alone { Ok(Contacts::All) } else { Err(BadHeader(HeaderName::Contact)) };
        }
        Ok(Contacts::List(self.addresses(HeaderName::Contact)))
    }

    /// The one contact of a request or response that makes or refreshes a dialog's target.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed, `*`, or not alone (RFC 3261 §8.1.1.8).
    pub fn contact(&self) -> Result<Option<NameAddr<'_>>, BadHeader> {
        let mut contacts = self.addresses(HeaderName::Contact);
        match (contacts.next(), contacts.next()) {
            (contact, None) => contact.transpose(),
            _ => Err(BadHeader(HeaderName::Contact)),
        }
    }
}
