//! Floor 3: what outlives the process. Customers, agents, call records, survey answers and callbacks in SQLite
//! (default) or PostgreSQL (by URL), and the [`Spool`] that stands between the switch and the
//! database: a database that is slow or down never delays a call and never loses a record.
//!
//! A [`Store`] belongs to the tokio runtime that it is used on; a second runtime opens its own.

#[macro_use]
mod db;

mod agents;
mod callbacks;
mod calls;
mod customers;
mod directory;
mod error;
mod import;
mod journey;
mod migrations;
mod recordings;
pub mod sample;
pub mod spool;
mod stored;
mod surveys;

pub use agents::{AgentChange, AgentRow};
pub use callbacks::CallbackRow;
pub use calls::{CallFilter, LIST_MAX};
pub use db::Store;
pub use directory::{Directory, Found};
pub use error::{StoreError, UrlFault};
pub use import::{ImportError, ImportReport, ImportRules, Parsed, import_csv, parse_csv};
pub use journey::{callbacks_table, calls_table, explanation, journey, mask_number, utc};
pub use recordings::RecordingRow;
pub use spool::{Item, Note, Push, Spool, SpoolConfig, SpoolError, SpoolStatus};
pub use surveys::SurveyTotals;
