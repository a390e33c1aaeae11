//! Keys of the things that pass between crates. A key is copied freely and means nothing by itself.

use core::fmt;
use core::str::FromStr;

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident($repr:ty) $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $repr);

        impl $name {
            /// The key as an index into a table.
            #[allow(clippy::cast_possible_truncation)]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = core::num::ParseIntError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                <$repr>::from_str_radix(s.strip_prefix($prefix).unwrap_or(s), 16).map($name)
            }
        }
    )*};
}

keys! {
    /// One caller's whole interaction: menu, queue, agent, referral, survey. One call record.
    /// Unique for ever in one store: see [`CallKey::first`].
    CallKey(u64) "c";
    /// One SIP dialog and its media, inside one call.
    LegKey(u64) "l";
    /// Legs that hear each other.
    MixKey(u64) "m";
    /// A person who answers calls.
    AgentKey(u32) "a";
    /// A queue of the call distributor.
    QueueKey(u16) "q";
    /// A customer tier; 0 is the most valuable.
    TierKey(u8) "t";
    /// A skill.
    SkillKey(u16) "s";
    /// A carrier's trunk.
    TrunkKey(u16) "k";
    /// One loaded prompt.
    PromptKey(u32) "p";
    /// A promise to call a customer back.
    CallbackKey(u64) "b";
    /// A customer, recognised again without saying who: a keyed hash of his number.
    CustomerKey(u64) "u";
}

impl CallKey {
    /// The first key of a process that started at `unix_ms`: 2^20 calls per millisecond of uptime
    /// can be numbered upwards from it before it meets the keys of a later start.
    pub const fn first(unix_ms: u64) -> Self {
        CallKey(unix_ms << 20)
    }

    /// The key after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        CallKey(self.0.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_print_and_parse_back() {
        let key = CallKey::first(1_800_000_000_000).next();
        assert_eq!(key.to_string().parse::<CallKey>(), Ok(key));
        assert_eq!(AgentKey(26).to_string(), "a1a");
        assert!("zz".parse::<AgentKey>().is_err());
    }

    #[test]
    fn call_keys_fit_a_signed_64_bit_column() {
        assert!(i64::try_from(CallKey::first(4_000_000_000_000).0).is_ok());
    }
}
