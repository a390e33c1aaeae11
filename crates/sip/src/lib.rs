//! SIP: bytes to messages and back, transactions, dialogs, user agent, digest, registrar. Bodies are
//! opaque bytes.
//!
//! [`message`] reads and prints; [`Endpoint`] is everything above it, one machine without I/O.

mod auth;
mod dialog;
mod endpoint;
mod framer;
pub mod glimpse;
pub mod message;
mod registrar;
pub mod resolve;
mod transaction;
mod ua;

pub use endpoint::counters::{Counters, Dropped, METHOD_NAMES, METHODS, method_index};
pub use endpoint::{
    ApiError, Binding, BindingKey, Cidr, CidrError, Credentials, EndedBy, Endpoint, EndpointConfig,
    EndpointLimits, Event, FailReason, Flow, Gateway, Input, Invite, LegTimer, Letter, Listener, OutTarget,
    OutgoingInvite, Output, Peer, Protocol, Reason, ReasonProtocol, ReferTarget, Rejection, Target, Timer,
    Times, TrunkConfig, UserConfig,
};
pub use framer::{Framed, Framer, PONG};
pub use message::{Limits, Method};
