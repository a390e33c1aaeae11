//! Floor 0: the words every other crate speaks.
//!
//! Time is an argument ([`Instant`]), deadlines are values ([`Timers`]), things have keys
//! ([`keys`]), tables keyed by a peer's bytes are seeded ([`SeededMap`]), randomness comes from a
//! seed ([`Rng`]), and what is private is masked ([`Pii`]). No logic, no I/O, no clock.

mod finding;
mod instant;
pub mod keys;
mod map;
mod parted;
mod pii;
mod rng;
mod timers;

pub use core::time::Duration;
pub use finding::Finding;
pub use instant::{Instant, UnixMillis, WallClock};
pub use keys::{
    AgentKey, CallKey, CallbackKey, CustomerKey, LegKey, MixKey, PromptKey, QueueKey, SkillKey, TierKey,
    TrunkKey,
};
pub use map::{Seed, SeededMap, SeededSet};
pub use parted::PartedMap;
pub use pii::Pii;
pub use rng::Rng;
pub use timers::Timers;
