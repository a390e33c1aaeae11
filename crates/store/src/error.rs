//! What can go wrong with a database, by what the caller can do about it.

use core::fmt;

/// Why the store could not do what it was asked. Never carries a customer's data or the URL's password.
#[derive(Debug)]
pub enum StoreError {
    /// The URL names no database that is understood. The operator's fault.
    Url(UrlFault),
    /// The database cannot be reached, is too slow or is full: the same request may succeed later.
    Unavailable(sqlx::Error),
    /// The database refuses this data; asking again is useless.
    Refused(sqlx::Error),
    /// The schema could not be brought up to date.
    Migration(sqlx::migrate::MigrateError),
    /// A stored row is not what this version writes: which column.
    Unreadable(&'static str),
}

/// What is wrong with a database URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlFault {
    /// Neither `sqlite:` nor `postgres://`.
    Scheme,
    /// The rest after the scheme is not understood.
    Form,
    /// The folder of the SQLite file cannot be created.
    Folder,
}

impl StoreError {
    /// Whether the same request may succeed later without a change.
    pub fn is_passing(&self) -> bool {
        matches!(self, StoreError::Unavailable(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Url(UrlFault::Scheme) => {
                f.write_str("the database URL must begin with sqlite: or postgres://")
            }
            StoreError::Url(UrlFault::Form) => f.write_str("the database URL is not well formed"),
            StoreError::Url(UrlFault::Folder) => {
                f.write_str("the folder of the database file cannot be created")
            }
            StoreError::Unavailable(error) => write!(f, "the database is not available: {error}"),
            StoreError::Refused(error) => write!(f, "the database refused the data: {error}"),
            StoreError::Migration(error) => write!(f, "the database schema cannot be used: {error}"),
            StoreError::Unreadable(column) => write!(f, "a stored row cannot be read: column {column}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Unavailable(error) | StoreError::Refused(error) => Some(error),
            StoreError::Migration(error) => Some(error),
            StoreError::Url(_) | StoreError::Unreadable(_) => None,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if refuses_data(&error) { StoreError::Refused(error) } else { StoreError::Unavailable(error) }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            error => StoreError::Migration(error),
        }
    }
}

/// Whether the fault is in the data rather than in the database. When in doubt it is not: a record is
/// retried for ever rather than set aside wrongly.
fn refuses_data(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_) => true,
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            // PostgreSQL: SQLSTATE class 22 data exception, 23 integrity violation (five characters).
            // SQLite: 18 too big, 19 constraint, 20 mismatch in the low byte of the extended code.
            match (code.len(), code.parse::<u32>()) {
                (5, _) => code.starts_with("22") || code.starts_with("23"),
                (_, Ok(extended)) => matches!(extended & 0xff, 18..=20),
                _ => false,
            }
        }
        _ => false,
    }
}
