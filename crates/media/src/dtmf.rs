//! Telephone events (RFC 4733).

use core::fmt;

/// A key of a telephone: `0`-`9`, `*`, `#`, `A`-`D`. Masked in `Debug`: digits may be a PIN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(u8);

/// Keys in the order of their event codes (RFC 4733 table 3).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

impl Digit {
    /// The key printed on the telephone, as ASCII (`a`-`d` too).
    pub fn from_byte(byte: u8) -> Option<Digit> {
        let upper = byte.to_ascii_uppercase();
        KEYS.contains(&upper).then_some(Digit(upper))
    }

    /// The key of event code 0-15 (RFC 4733 table 3).
    pub fn from_event(code: u8) -> Option<Digit> {
        KEYS.get(usize::from(code)).copied().map(Digit)
    }

    /// The key as ASCII: `b'0'..=b'9'`, `b'*'`, `b'#'`, `b'A'..=b'D'`.
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Its event code, 0-15.
    pub const fn event(self) -> u8 {
        match self.0 {
            b'*' => 10,
            b'#' => 11,
            letter @ b'A'..=b'D' => letter - b'A' + 12,
            digit => digit - b'0',
        }
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(•)")
    }
}
