//! Floor 4: HTTP. Health, metrics for Prometheus, the API under `/api/v1` with OpenAPI and bearer
//! tokens, and the event stream. It reads snapshots and asks the switch by messages: signalling is
//! never locked and never waited for.

mod api;
mod auth;
mod config;
mod counts;
mod error;
mod events;
mod handles;
mod health;
mod limit;
mod metrics;
mod openapi;
mod router;
mod server;
mod state;

pub use config::{ConsoleConfig, Scope, Token, TokenFault};
pub use handles::{AdminRequest, Handles, Kind, Readiness, Sample};
pub use openapi::openapi_json;
pub use server::{Console, serve};
