//! Floor 2: the only place where protocols meet. Turns the outputs of SIP, media, the call
//! distributor and the call flows into each other's inputs: one caller's journey, leg by leg.

pub mod admin;
pub mod bucket;
pub mod directory;
pub mod message;
pub mod numbers;
pub mod ports;
pub mod record;
pub mod settings;
pub mod switch;
pub mod view;

pub use message::{Input, Output};
pub use settings::Settings;
pub use switch::{Switch, Timer};
