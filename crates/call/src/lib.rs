//! Floor 2: the only place where protocols meet. Turns the outputs of SIP, media, the call
//! distributor and the call flows into each other's inputs: one caller's journey, leg by leg.

pub mod admin;
pub mod directory;
pub mod record;
pub mod view;
