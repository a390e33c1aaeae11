//! Callbacks that customers were promised: kept, with what became of them, until long after they are over.

use base::{CallKey, CallbackKey, Pii, TierKey, UnixMillis};
use call::callback::{Callback, CallbackChange, State, Terms};
use sqlx::QueryBuilder;

use crate::calls::{LIST_MAX, clean, signed, unsigned};
use crate::db::Store;
use crate::error::StoreError;

/// A promise, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackRow {
    /// The promise, with the attempts made and the next one's time as of now.
    pub callback: Callback,
    /// Its state.
    pub state: State,
    /// Since when.
    pub changed: UnixMillis,
}

const COLUMNS: &str = "key, call, number, tier, tier_name, queue, promised, since, not_before, attempts, state, \
                       changed, terms";

type Row = (i64, i64, String, i64, String, String, i64, i64, Option<i64>, i64, String, i64, String);

fn callback(row: Row) -> Result<CallbackRow, StoreError> {
    let unreadable = StoreError::Unreadable;
    let callback = Callback {
        key: CallbackKey(row.0.cast_unsigned()),
        call: CallKey(row.1.cast_unsigned()),
        number: Pii::new(row.2),
        tier: TierKey(u8::try_from(row.3).map_err(|_| unreadable("tier"))?),
        tier_name: row.4,
        queue: row.5,
        promised: UnixMillis(unsigned(row.6)),
        since: UnixMillis(unsigned(row.7)),
        not_before: row.8.map(unsigned),
        attempts: u8::try_from(row.9).unwrap_or(u8::MAX),
        terms: serde_json::from_str::<Terms>(&row.12).map_err(|_| unreadable("terms"))?,
    };
    let state = State::from_word(&row.10).ok_or_else(|| unreadable("state"))?;
    Ok(CallbackRow { callback, state, changed: UnixMillis(unsigned(row.11)) })
}

impl Store {
    /// Writes a promise; whether it was new. What became of a known one is left as it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_callback(&self, callback: &Callback) -> Result<bool, StoreError> {
        let terms = serde_json::to_string(&callback.terms).unwrap_or_else(|_| "{}".to_owned());
        let new = on!(self, writer, |pool, Db| {
            let mut insert = QueryBuilder::<Db>::new("INSERT INTO callbacks (");
            insert.push(COLUMNS).push(") ");
            insert.push_values([callback], |mut row, callback| {
                row.push_bind(callback.key.0.cast_signed())
                    .push_bind(callback.call.0.cast_signed())
                    .push_bind(clean(callback.number.reveal()))
                    .push_bind(i64::from(callback.tier.0))
                    .push_bind(clean(&callback.tier_name))
                    .push_bind(clean(&callback.queue))
                    .push_bind(signed(callback.promised.0))
                    .push_bind(signed(callback.since.0))
                    .push_bind(callback.not_before.map(signed))
                    .push_bind(i64::from(callback.attempts))
                    .push_bind(State::Waiting.word())
                    .push_bind(signed(callback.promised.0))
                    .push_bind(clean(&terms));
            });
            insert.push(" ON CONFLICT (key) DO NOTHING");
            insert.build().execute(pool).await?.rows_affected()
        });
        Ok(new > 0)
    }

    /// Notes what became of a promise; whether that changed anything. What is over stays over, and an older
    /// change does not undo a newer one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn change_callback(&self, change: &CallbackChange) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE callbacks SET state = $1, attempts = $2, not_before = $3, changed = $4, open = $5 \
                           WHERE key = $6 AND open AND changed <= $4 AND NOT (state = $1 AND changed = $4)";
        let changed = on!(self, writer, |pool, Db| {
            let query = sqlx::query::<Db>(SQL).bind(change.state.word()).bind(i64::from(change.attempts));
            let query = query.bind(change.not_before.map(signed)).bind(signed(change.at.0));
            let query = query.bind(change.state.is_open()).bind(change.key.0.cast_signed());
            query.execute(pool).await?.rows_affected()
        });
        Ok(changed > 0)
    }

    /// Notes that a promise is over by somebody's word; whether it was open.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_callback(
        &self,
        key: CallbackKey,
        state: State,
        at: UnixMillis,
    ) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE callbacks SET state = $1, changed = $2, open = FALSE WHERE key = $3 AND open";
        let changed = on!(self, writer, |pool, Db| {
            let query = sqlx::query::<Db>(SQL).bind(state.word()).bind(signed(at.0));
            query.bind(key.0.cast_signed()).execute(pool).await?.rows_affected()
        });
        Ok(changed > 0)
    }

    /// Whether a promise is still to be kept; an unknown one is, for it may be on its way here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn is_callback_open(&self, key: CallbackKey) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT open FROM callbacks WHERE key = $1";
        let open = on!(self, reader, |pool, Db| {
            sqlx::query_scalar::<Db, bool>(SQL).bind(key.0.cast_signed()).fetch_optional(pool).await?
        });
        Ok(open.unwrap_or(true))
    }

    /// At most `limit` promises (at most [`LIST_MAX`]): the open ones, the longest promised first; or, with
    /// `over_too`, all of them, the latest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unreadable`].
    pub async fn callbacks(&self, over_too: bool, limit: u32) -> Result<Vec<CallbackRow>, StoreError> {
        self.list(over_too, 0, limit.min(LIST_MAX)).await
    }

    /// Every open promise, the longest promised first: for a switch that starts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unreadable`].
    pub async fn open_callbacks(&self, limit: usize) -> Result<Vec<CallbackRow>, StoreError> {
        let mut all = Vec::new();
        while all.len() < limit {
            let page = self.list(false, all.len(), LIST_MAX).await?;
            let full = page.len() >= usize::try_from(LIST_MAX).unwrap_or(usize::MAX);
            all.extend(page);
            if !full {
                break;
            }
        }
        all.truncate(limit);
        Ok(all)
    }

    async fn list(&self, over_too: bool, skip: usize, limit: u32) -> Result<Vec<CallbackRow>, StoreError> {
        let rows = on!(self, reader, |pool, Db| {
            let mut query = QueryBuilder::<Db>::new("SELECT ");
            query.push(COLUMNS).push(" FROM callbacks");
            query.push(if over_too {
                " ORDER BY promised DESC, key DESC"
            } else {
                " WHERE open ORDER BY promised, key"
            });
            query.push(" LIMIT ").push_bind(i64::from(limit));
            query.push(" OFFSET ").push_bind(i64::try_from(skip).unwrap_or(i64::MAX));
            query.build_query_as::<Row>().fetch_all(pool).await?
        });
        rows.into_iter().map(callback).collect()
    }
}
