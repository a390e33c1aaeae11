//! `Subscription-State` (RFC 6665 §8.2.3).

use super::super::lex::{self, Cursor, Params};
use super::{super::BadHeader, HeaderName};
use crate::message::Message;

/// The state of a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Substate<'a> {
    /// It runs.
    Active,
    /// It waits for a decision.
    Pending,
    /// It is over.
    Terminated,
    /// An extension, which counts as running (RFC 6665 §4.1.3).
    Other(&'a [u8]),
}

/// The state and its parameters.
#[derive(Clone, Copy)]
pub struct SubscriptionState<'a> {
    /// The state.
    pub state: Substate<'a>,
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> SubscriptionState<'a> {
    /// Reads the whole value.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn parse(text: &'a [u8]) -> Result<Self, BadHeader> {
        let mut cursor = Cursor::new(text);
        let (Some(word), Some(params)) = (cursor.token(), Params::parse(cursor.rest)) else {
            return Err(BadHeader(HeaderName::SubscriptionState));
        };
        let state = match word.to_ascii_lowercase().as_slice() {
            b"active" => Substate::Active,
            b"pending" => Substate::Pending,
            b"terminated" => Substate::Terminated,
            _ => Substate::Other(word),
        };
        Ok(SubscriptionState { state, params })
    }

    /// Seconds until it ends.
    pub fn expires_s(&self) -> Option<u32> {
        lex::delta_seconds(self.params.value(b"expires")?)
    }

    /// Why it ended.
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.params.value(b"reason")
    }
}

impl Message {
    /// `Subscription-State`.
    ///
    /// # Errors
    /// [`BadHeader`] if it is malformed or stands several times.
    pub fn subscription_state(&self) -> Result<Option<SubscriptionState<'_>>, BadHeader> {
        self.only(HeaderName::SubscriptionState)?.map(SubscriptionState::parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_reason_and_time() {
        let state = SubscriptionState::parse(b"Terminated;reason=noresource").unwrap();
        assert_eq!((state.state, state.reason()), (Substate::Terminated, Some(&b"noresource"[..])));
        assert_eq!(SubscriptionState::parse(b"active;expires=60").unwrap().expires_s(), Some(60));
        assert!(SubscriptionState::parse(b";reason=x").is_err());
    }
}
