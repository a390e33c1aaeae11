//! Caller numbers, digits and names never reach a log: wrap them.

use core::fmt;

/// A value about a person. `Debug` and `Display` print a mask; [`Pii::reveal`] says aloud, where it
/// is called, that the value leaves its wrapper (into a SIP header, a record, never a log).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Pii(value)
    }

    /// The value, for use where it is needed.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value, unwrapped.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Self {
        Pii(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_printed() {
        let number = Pii::new("13800138000".to_owned());
        assert_eq!(format!("{number} {number:?}"), "••• •••");
        assert_eq!(number.reveal(), "13800138000");
    }
}
