//! Oracles: they see what anybody outside could see (bytes on the wire, call records, the event
//! stream, which media ports are open) and know what must hold whatever goes wrong.

mod queue;
mod record;
mod stuck;
mod wire;

pub use queue::QueueOracle;
pub use record::check as check_record;
pub use stuck::StuckOracle;
pub use wire::WireOracle;

/// What an oracle found wrong, in words.
pub type Finding = String;
