//! The schema, step by step, per backend. A step that has shipped is never edited: add the next one.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::db::Db;
use crate::error::StoreError;

/// `(version, description, SQL for SQLite, SQL for PostgreSQL)`.
const STEPS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "customers, calls, surveys, agents",
        include_str!("migrations/0001_sqlite.sql"),
        include_str!("migrations/0001_postgres.sql"),
    ),
    (
        2,
        "callbacks",
        include_str!("migrations/0002_sqlite.sql"),
        include_str!("migrations/0002_postgres.sql"),
    ),
    (
        3,
        "the directory's revision",
        include_str!("migrations/0003_sqlite.sql"),
        include_str!("migrations/0003_postgres.sql"),
    ),
    (
        4,
        "promises with their state, recordings, decisions",
        include_str!("migrations/0004_sqlite.sql"),
        include_str!("migrations/0004_postgres.sql"),
    ),
];

/// Applies the steps that are not applied yet.
pub(crate) async fn run(db: &Db) -> Result<(), StoreError> {
    match db {
        Db::Sqlite { writer, .. } => migrator(|step| step.2).run(writer).await?,
        Db::Postgres(pool) => migrator(|step| step.3).run(pool).await?,
    }
    Ok(())
}

fn migrator(dialect: fn(&'static (i64, &str, &str, &str)) -> &'static str) -> Migrator {
    let migration = |step: &'static (i64, &'static str, &str, &str)| {
        let sql = dialect(step).into_sql_str();
        Migration::new(step.0, Cow::Borrowed(step.1), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(STEPS.iter().map(migration).collect())
}
