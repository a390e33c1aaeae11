//! Callbacks that callers were promised: kept until somebody says that they are done.

use base::{CallKey, Pii, TierKey, UnixMillis};
use call::message::Callback;

use crate::calls::{LIST_MAX, clean, signed, unsigned};
use crate::db::Store;
use crate::error::StoreError;

/// A promise, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackRow {
    /// The promise.
    pub callback: Callback,
    /// When it was kept; `None` while it is open.
    pub done: Option<UnixMillis>,
}

type Row = (i64, String, i64, String, Option<String>, i64, Option<i64>);

fn callback(row: Row) -> Result<CallbackRow, StoreError> {
    let (call, number, tier, tier_name, queue, promised, done) = row;
    let callback = Callback {
        call: CallKey(call.cast_unsigned()),
        number: Pii::new(number),
        tier: TierKey(u8::try_from(tier).map_err(|_| StoreError::Unreadable("tier"))?),
        tier_name,
        queue,
        promised: UnixMillis(unsigned(promised)),
    };
    Ok(CallbackRow { callback, done: done.map(|at| UnixMillis(unsigned(at))) })
}

impl Store {
    /// Writes a promise; the same number in the same call is one promise, however often it is written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_callback(&self, callback: &Callback) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO callbacks (call, number, tier, tier_name, queue, promised) \
                           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (call, number) DO NOTHING";
        on!(self, writer, |pool, Db| {
            let query = sqlx::query::<Db>(SQL).bind(callback.call.0.cast_signed());
            let query = query.bind(clean(callback.number.reveal())).bind(i64::from(callback.tier.0));
            let query = query.bind(clean(&callback.tier_name)).bind(callback.queue.as_deref().map(clean));
            query.bind(signed(callback.promised.0)).execute(pool).await?;
        });
        Ok(())
    }

    /// At most `limit` promises (at most [`LIST_MAX`]): the open ones, the longest promised first; or, with
    /// `done_too`, all of them, the latest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unreadable`].
    pub async fn callbacks(&self, done_too: bool, limit: u32) -> Result<Vec<CallbackRow>, StoreError> {
        const OPEN: &str = "SELECT call, number, tier, tier_name, queue, promised, done FROM callbacks \
                            WHERE done IS NULL ORDER BY promised, call, number LIMIT $1";
        const ALL: &str = "SELECT call, number, tier, tier_name, queue, promised, done FROM callbacks \
                           ORDER BY promised DESC, call DESC, number LIMIT $1";
        let limit = i64::from(limit.min(LIST_MAX));
        let sql = if done_too { ALL } else { OPEN };
        let rows = on!(self, reader, |pool, Db| {
            sqlx::query_as::<Db, Row>(sql).bind(limit).fetch_all(pool).await?
        });
        rows.into_iter().map(callback).collect()
    }

    /// Notes that the promises of a call were kept; whether any was open.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn callback_done(&self, call: CallKey, at: UnixMillis) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE callbacks SET done = $1 WHERE call = $2 AND done IS NULL";
        let changed = on!(self, writer, |pool, Db| {
            let query = sqlx::query::<Db>(SQL).bind(signed(at.0)).bind(call.0.cast_signed());
            query.execute(pool).await?.rows_affected()
        });
        Ok(changed > 0)
    }
}
