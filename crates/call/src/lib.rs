//! Floor 2: the only place where protocols meet. Turns the outputs of SIP, media, the call
//! distributor and the call flows into each other's inputs: one caller's journey, leg by leg.

pub mod admin;
mod audio;
pub mod backlog;
pub mod bucket;
pub mod callback;
mod core;
mod counters;
mod dial;
pub mod directory;
pub mod explain;
mod info;
pub mod intake;
mod invariants;
mod journey;
mod ledger;
mod leg;
pub mod local;
pub mod message;
mod mishap;
pub mod numbers;
pub mod ports;
mod promises;
pub mod record;
mod served;
pub mod settings;
mod snapshot;
pub mod switch;
mod trunks;
pub mod view;
mod worth;

pub use invariants::{Remains, Violation};
pub use journey::feature::CONFIRMATIONS;
pub use local::Local;
pub use message::{Input, Output};
pub use settings::Settings;
pub use switch::{Switch, Timer};
