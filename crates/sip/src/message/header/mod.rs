//! Typed views of header values, one file per header or family of headers.
//!
//! A view borrows the value, checks its whole grammar and is made on demand.

mod auth;
mod contact;
mod content_type;
mod cseq;
mod date;
mod delta;
mod event;
mod history_info;
mod name;
mod name_addr;
mod privacy;
mod rack;
mod reason;
mod refer_to;
mod referred_by;
mod replaces;
mod retry_after;
mod session_expires;
mod subscription_state;
mod tokens;
mod via;

pub use auth::{AuthParams, Challenge, Credentials};
pub use contact::Contacts;
pub use content_type::ContentType;
pub use cseq::CSeq;
pub use date::Date;
pub use event::Event;
pub use history_info::HistoryEntry;
pub use name::HeaderName;
pub use name_addr::{NameAddr, NameAddrs};
pub use privacy::Privacy;
pub use rack::RAck;
pub use reason::Reason;
pub use referred_by::ReferredBy;
pub use replaces::Replaces;
pub use retry_after::RetryAfter;
pub use session_expires::{Refresher, SessionExpires};
pub use subscription_state::{SubscriptionState, Substate};
pub use tokens::Tokens;
pub use via::Via;
