//! Digest authentication (RFC 8760, RFC 7616, RFC 3261 §22): SHA-256 first, then MD5; `qop=auth` only.

pub(crate) mod client;
pub(crate) mod digest;
pub(crate) mod quirks;
mod server;

pub(crate) use server::{Guard, Verdict};
