//! The open database: one API, two backends. SQL that both understand is written once.

use core::fmt;
use core::str::FromStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::OnceCell;

use crate::error::{StoreError, UrlFault};
use crate::migrations;

/// Runs a body on the reading or writing pool of whichever backend is open. In the body `$pool` is the
/// pool and `$Db` the backend's type.
macro_rules! on {
    ($store:expr, $side:ident, |$pool:ident, $Db:ident| $body:block) => {
        match $store.db().await? {
            $crate::db::Db::Sqlite { $side: $pool, .. } => {
                #[allow(dead_code)]
                type $Db = sqlx::Sqlite;
                $body
            }
            $crate::db::Db::Postgres($pool) => {
                #[allow(dead_code)]
                type $Db = sqlx::Postgres;
                $body
            }
        }
    };
}

/// Connections that read from SQLite at once. Writing is one connection: SQLite has one writer.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL.
const POSTGRES_CONNECTIONS: u32 = 8;
/// Longest wait for a free connection, and for the connection itself.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);

/// The database. Cheap to clone; bound to the tokio runtime that opened it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    db: Db,
    migrated: OnceCell<()>,
}

pub(crate) enum Db {
    Sqlite { writer: SqlitePool, reader: SqlitePool },
    Postgres(PgPool),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.backend())
    }
}

impl Store {
    /// Opens `sqlite:PATH` (created when missing), `sqlite::memory:` or `postgres://user:password@host/database`
    /// and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Url`] for a URL that is not understood, [`StoreError::Unavailable`] if the database
    /// cannot be reached, [`StoreError::Migration`] if its schema is of another program or a later version.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let store = Store::open_lazy(url)?;
        store.db().await?;
        Ok(store)
    }

    /// As [`Store::open`], but connects at first use and again until it succeeds: a switch that restarts
    /// while its database is down takes calls.
    ///
    /// # Errors
    /// [`StoreError::Url`] only.
    pub fn open_lazy(url: &str) -> Result<Store, StoreError> {
        let db = if let Some(path) = url.strip_prefix("sqlite:") {
            sqlite(url, path)?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Url(UrlFault::Form))?;
            // A statement that hangs in the server must not hold its connection for ever.
            let options = options.application_name("usher").options([("statement_timeout", "30s")]);
            let pool = PgPoolOptions::new()
                .max_connections(POSTGRES_CONNECTIONS)
                .acquire_timeout(ACQUIRE_MAX)
                .connect_lazy_with(options);
            Db::Postgres(pool)
        } else {
            return Err(StoreError::Url(UrlFault::Scheme));
        };
        Ok(Store(Arc::new(Inner { db, migrated: OnceCell::new() })))
    }

    /// `sqlite` or `postgres`.
    pub fn backend(&self) -> &'static str {
        match self.0.db {
            Db::Sqlite { .. } => "sqlite",
            Db::Postgres(_) => "postgres",
        }
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        on!(self, reader, |pool, _Db| {
            sqlx::query("SELECT 1").execute(pool).await?;
        });
        Ok(())
    }

    /// Closes every connection; later requests fail.
    pub async fn close(&self) {
        match &self.0.db {
            Db::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }

    /// The backend, its schema up to date.
    pub(crate) async fn db(&self) -> Result<&Db, StoreError> {
        self.0.migrated.get_or_try_init(|| migrations::run(&self.0.db)).await?;
        Ok(&self.0.db)
    }
}

fn sqlite(url: &str, path: &str) -> Result<Db, StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| StoreError::Url(UrlFault::Form))?;
    let options = options
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE_MAX)
        .journal_mode(SqliteJournalMode::Wal)
        // The spool forgets a record when its transaction has committed, so a commit must be on the disk:
        // NORMAL may lose the last commits with the power. One fsync per batch is cheap.
        .synchronous(SqliteSynchronous::Full);
    if path.contains(":memory:") {
        // Every connection to a database in memory is a database of its own: keep one, for ever.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        return Ok(Db::Sqlite { writer: pool.clone(), reader: pool });
    }
    create_private(options.get_filename())?;
    let pool = |connections| {
        // A file of ours does not go away: there is nothing that opening it anew from time to time would mend.
        let options = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_MAX);
        options.idle_timeout(None).max_lifetime(None)
    };
    let writer = pool(1).connect_lazy_with(options.clone());
    let reader = pool(SQLITE_READERS).connect_lazy_with(options.pragma("query_only", "ON"));
    Ok(Db::Sqlite { writer, reader })
}

/// Makes the folder and the file, readable by their owner only: it holds callers' numbers. A file that
/// cannot be made is left to the first connection to report.
fn create_private(file: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|_| StoreError::Url(UrlFault::Folder))?;
    }
    let _ = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file);
    Ok(())
}
