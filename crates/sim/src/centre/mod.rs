//! A call centre on paper around the very [`acd::Engine`] that serves the switch: callers who come, wait, give up,
//! talk; agents who answer at once. No SIP, no sockets, no clock: a day of calls takes a moment.
//!
//! A [`Scenario`] says who comes, who answers and what was promised; a [`Run`] lives it and gives an [`Outcome`].
//! The attributes of the n-th caller (tier, patience, handle time, …) come from streams of their own, so that two
//! policies meet the very same callers and differ by what they do alone.

mod callers;
mod outcome;
mod run;
mod scenario;
mod spread;

pub use callers::{Callers, Visitor};
pub use outcome::{Bin, Outcome, Series, TierOutcome, Waits};
pub use run::{Broken, Run};
pub use scenario::{Callback, Group, Load, Reason, Scenario, Tier, reserve_max};
pub use spread::{Shape, Spread};
