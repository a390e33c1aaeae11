//! A promised call back as the store keeps it: everything that the promise needs to be kept after a restart, in words,
//! because keys mean nothing to the next process.

use base::{CallKey, CallbackKey, Pii, TierKey, UnixMillis};
use serde::{Deserialize, Serialize};

/// A callback that a caller has been promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// The promise; unique for ever in one store.
    #[serde(with = "number")]
    pub key: CallbackKey,
    /// The call in which it was given.
    #[serde(with = "number")]
    pub call: CallKey,
    /// The number to call, canonical.
    #[serde(with = "revealed")]
    pub number: Pii<String>,
    /// The caller's tier.
    #[serde(with = "number")]
    pub tier: TierKey,
    /// Its name.
    pub tier_name: String,
    /// Name of the queue whose agents call.
    pub queue: String,
    /// When it was given.
    #[serde(with = "number")]
    pub promised: UnixMillis,
    /// His place in line: when he took his place in the queue, or `promised`.
    #[serde(with = "number")]
    pub since: UnixMillis,
    /// Never before this: a promised hour, or the next attempt.
    pub not_before: Option<u64>,
    /// Attempts made.
    pub attempts: u8,
    /// What else he is served by.
    pub terms: Terms,
}

/// What a called-back customer is served by, besides his tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Terms {
    /// `callback`, `complaint` or `visit`.
    pub kind: String,
    /// The language he is spoken to.
    pub language: String,
    /// Favoured within the tier.
    pub senior: bool,
    /// Whether his wish goes ahead of others of his tier as a complaint.
    pub complaint: bool,
    /// Skills asked for, with their least levels.
    pub skills: Vec<(String, u8)>,
    /// Numbers of account manager A and his stand-in B.
    pub managers: [Option<String>; 2],
}

/// What became of a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackChange {
    /// Which.
    #[serde(with = "number")]
    pub key: CallbackKey,
    /// When.
    #[serde(with = "number")]
    pub at: UnixMillis,
    /// Its state now.
    pub state: State,
    /// Attempts made.
    pub attempts: u8,
    /// The next attempt is not before this, ms since 1970.
    pub not_before: Option<u64>,
}

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $open:literal;)*) => {
        /// What a promise is at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum State { $($(#[$doc])* $variant,)* }

        impl State {
            /// Every state.
            pub const ALL: &'static [State] = &[$(State::$variant,)*];

            /// The word as stored and shown.
            pub const fn word(self) -> &'static str {
                match self { $(State::$variant => $word,)* }
            }

            /// Whether the promise is still to be kept.
            pub const fn is_open(self) -> bool {
                match self { $(State::$variant => $open,)* }
            }

            /// The state of a stored word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(State::$variant),)* _ => None }
            }
        }
    };
}

states! {
    /// Not before its hour, or the next attempt.
    Scheduled = "scheduled", true;
    /// Waits for agents to be free.
    Waiting = "waiting", true;
    /// The customer is being called.
    Dialling = "dialling", true;
    /// He took the call and waits for an agent, or talks with one.
    Reached = "reached", true;
    /// He talked with an agent.
    Kept = "kept", false;
    /// He called by himself and had the promised place.
    CalledAgain = "called-again", false;
    /// He could not be reached in all attempts.
    NotReached = "not-reached", false;
    /// It was taken back.
    Cancelled = "cancelled", false;
    /// He had such a promise already.
    Double = "double", false;
    /// Not taken on: too many promises, or its queue is gone.
    Refused = "refused", false;
    /// Somebody noted that it was done by hand.
    Done = "done", false;
}

/// Keys and times as plain numbers.
mod number {
    use serde::{Deserialize, Deserializer, Serializer};

    /// What is a number inside.
    pub(super) trait Number: Copy {
        fn get(self) -> u64;
        fn of(value: u64) -> Self;
    }

    macro_rules! numbers {
        ($($name:ty),*) => {$(
            impl Number for $name {
                fn get(self) -> u64 {
                    self.0.into()
                }
                fn of(value: u64) -> Self {
                    Self(value.try_into().unwrap_or_default())
                }
            }
        )*};
    }
    numbers!(base::CallbackKey, base::CallKey, base::TierKey, base::UnixMillis);

    pub(super) fn serialize<T: Number, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(value.get())
    }

    pub(super) fn deserialize<'de, T: Number, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        u64::deserialize(from).map(T::of)
    }
}

/// A number that is written down on purpose.
mod revealed {
    use base::Pii;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Pii<String>, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(value.reveal())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Pii<String>, D::Error> {
        String::deserialize(from).map(Pii::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again_and_equal_their_json() {
        for &state in State::ALL {
            assert_eq!(State::from_word(state.word()), Some(state));
        }
    }
}
