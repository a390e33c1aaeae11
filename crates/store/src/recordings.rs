//! Where callers' messages lie: the index of the recordings' folder.

use base::{CallKey, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::calls::{LIST_MAX, clean, signed, unsigned};
use crate::db::Store;
use crate::error::StoreError;

/// One message of a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingRow {
    /// Its file, relative to the recordings' folder; unique.
    pub file: String,
    /// The call in which it was left ([`CallKey`]).
    pub call: u64,
    /// What it is for: the flow's word.
    pub name: String,
    /// When it began, ms since 1970.
    pub at: u64,
    /// Its length.
    pub length_ms: u32,
    /// Bytes of the file.
    pub bytes: u64,
}

impl RecordingRow {
    /// The call in which it was left.
    pub const fn call_key(&self) -> CallKey {
        CallKey(self.call)
    }

    /// When it began.
    pub const fn began(&self) -> UnixMillis {
        UnixMillis(self.at)
    }
}

type Row = (String, i64, String, i64, i64, i64);

fn recording((file, call, name, at, length_ms, bytes): Row) -> RecordingRow {
    RecordingRow {
        file,
        call: call.cast_unsigned(),
        name,
        at: unsigned(at),
        length_ms: u32::try_from(length_ms).unwrap_or(u32::MAX),
        bytes: unsigned(bytes),
    }
}

impl Store {
    /// Writes where a message lies; whether it was new.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_recording(&self, row: &RecordingRow) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO recordings (file, call, name, at, length_ms, bytes) \
                           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (file) DO NOTHING";
        let new = on!(self, writer, |pool, Db| {
            let query = sqlx::query::<Db>(SQL).bind(clean(&row.file)).bind(row.call.cast_signed());
            let query = query.bind(clean(&row.name)).bind(signed(row.at)).bind(i64::from(row.length_ms));
            query.bind(signed(row.bytes)).execute(pool).await?.rows_affected()
        });
        Ok(new > 0)
    }

    /// One message by its file.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn recording(&self, file: &str) -> Result<Option<RecordingRow>, StoreError> {
        const SQL: &str = "SELECT file, call, name, at, length_ms, bytes FROM recordings WHERE file = $1";
        let row = on!(self, reader, |pool, Db| {
            sqlx::query_as::<Db, Row>(SQL).bind(clean(file)).fetch_optional(pool).await?
        });
        Ok(row.map(recording))
    }

    /// Writes down who listened to a message. Nobody hears it whose replay cannot be written down.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_replay(&self, file: &str, by: &str, at: UnixMillis) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO replays (file, by_whom, at) VALUES ($1, $2, $3)";
        on!(self, writer, |pool, Db| {
            let query = sqlx::query::<Db>(SQL).bind(clean(file)).bind(clean(by));
            query.bind(signed(at.0)).execute(pool).await?;
        });
        Ok(())
    }

    /// How often a message was listened to.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn replays(&self, file: &str) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM replays WHERE file = $1";
        let count = on!(self, reader, |pool, Db| {
            sqlx::query_scalar::<Db, i64>(SQL).bind(clean(file)).fetch_one(pool).await?
        });
        Ok(unsigned(count))
    }

    /// Messages of one call, or of all, the latest first; at most `limit` (at most [`LIST_MAX`]).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn recordings(
        &self,
        call: Option<CallKey>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>, StoreError> {
        const ALL: &str = "SELECT file, call, name, at, length_ms, bytes FROM recordings \
                           ORDER BY at DESC, file LIMIT $1";
        const OF_CALL: &str = "SELECT file, call, name, at, length_ms, bytes FROM recordings \
                               WHERE call = $2 ORDER BY at DESC, file LIMIT $1";
        let limit = i64::from(limit.min(LIST_MAX));
        let rows = on!(self, reader, |pool, Db| {
            let query = sqlx::query_as::<Db, Row>(if call.is_some() { OF_CALL } else { ALL }).bind(limit);
            match call {
                Some(call) => query.bind(call.0.cast_signed()).fetch_all(pool).await?,
                None => query.fetch_all(pool).await?,
            }
        });
        Ok(rows.into_iter().map(recording).collect())
    }
}
