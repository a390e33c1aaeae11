//! SIP: bytes to messages and back, transactions, dialogs, user agent, digest, registrar. Bodies are
//! opaque bytes.

pub mod message;
