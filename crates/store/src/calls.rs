//! Call records: written once each, whatever is repeated; found by time, tier, agent, outcome.

use base::{CallKey, Pii, TierKey, UnixMillis};
use call::explain::Explained;
use call::record::{CallRecord, Outcome};
use sqlx::QueryBuilder;

use crate::db::Store;
use crate::error::StoreError;
use crate::stored;

/// Most rows that one request lists.
pub const LIST_MAX: u32 = 1000;
/// Rows of one INSERT: seventeen values each, below both backends' limits for bound values.
const ROWS_PER_INSERT: usize = 500;

/// Which calls to list. Every field that is `None` lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Started at or after.
    pub from: Option<UnixMillis>,
    /// Started before.
    pub to: Option<UnixMillis>,
    /// Name of the tier.
    pub tier: Option<String>,
    /// Number of the last agent who talked to the caller.
    pub agent: Option<String>,
    /// Name of the last queue.
    pub queue: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Number of the caller as normalised.
    pub caller: Option<Pii<String>>,
    /// Only calls with a key below: the last key of a page is the cursor of the next.
    pub before: Option<CallKey>,
    /// Most rows, at most [`LIST_MAX`]; 0 stands for [`LIST_MAX`].
    pub limit: u32,
}

const COLUMNS: &str = "key, caller, dialled, source, tier, tier_name, queue, agent, started, answered, \
                       ended, wait_ms, talk_ms, outcome, survey, steps";

type Row = (
    i64,
    String,
    String,
    String,
    i64,
    String,
    Option<String>,
    Option<String>,
    i64,
    Option<i64>,
    i64,
    i64,
    i64,
    String,
    Option<i64>,
    String,
);

fn record(row: Row) -> Result<CallRecord, StoreError> {
    let unreadable = |column| move || StoreError::Unreadable(column);
    let small = |value: i64, column| u8::try_from(value).map_err(|_| StoreError::Unreadable(column));
    Ok(CallRecord {
        key: CallKey(row.0.cast_unsigned()),
        caller: Pii::new(row.1),
        dialled: row.2,
        source: row.3,
        tier: TierKey(small(row.4, "tier")?),
        tier_name: row.5,
        queue: row.6,
        agent: row.7,
        started: UnixMillis(unsigned(row.8)),
        answered: row.9.map(|at| UnixMillis(unsigned(at))),
        ended: UnixMillis(unsigned(row.10)),
        wait_ms: unsigned(row.11),
        talk_ms: unsigned(row.12),
        outcome: Outcome::from_word(&row.13).ok_or_else(unreadable("outcome"))?,
        survey: row.14.map(|score| small(score, "survey")).transpose()?,
        steps: stored::steps_from_json(&row.15).ok_or_else(unreadable("steps"))?,
        decisions: Vec::new(),
    })
}

impl Store {
    /// Writes `records`, all or, on an error, none; one whose key is stored already is left as it is.
    /// Survey answers go into their own table in the same transaction. Returns how many were new.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_calls(&self, records: &[CallRecord]) -> Result<u64, StoreError> {
        let mut new = 0;
        on!(self, writer, |pool, Db| {
            let mut transaction = pool.begin().await?;
            for chunk in records.chunks(ROWS_PER_INSERT) {
                let mut insert = QueryBuilder::<Db>::new("INSERT INTO calls (");
                insert.push(COLUMNS).push(", decisions) ");
                insert.push_values(chunk, |mut row, record| {
                    row.push_bind(record.key.0.cast_signed())
                        .push_bind(clean(record.caller.reveal()))
                        .push_bind(clean(&record.dialled))
                        .push_bind(clean(&record.source))
                        .push_bind(i64::from(record.tier.0))
                        .push_bind(clean(&record.tier_name))
                        .push_bind(record.queue.as_deref().map(clean))
                        .push_bind(record.agent.as_deref().map(clean))
                        .push_bind(signed(record.started.0))
                        .push_bind(record.answered.map(|at| signed(at.0)))
                        .push_bind(signed(record.ended.0))
                        .push_bind(signed(record.wait_ms))
                        .push_bind(signed(record.talk_ms))
                        .push_bind(record.outcome.word())
                        .push_bind(record.survey.map(i64::from))
                        .push_bind(stored::steps_to_json(&record.steps))
                        .push_bind(clean(&stored::decisions_to_json(&record.decisions)));
                });
                insert.push(" ON CONFLICT (key) DO NOTHING");
                new += insert.build().execute(&mut *transaction).await?.rows_affected();
                let surveyed: Vec<&CallRecord> =
                    chunk.iter().filter(|record| record.survey.is_some()).collect();
                if surveyed.is_empty() {
                    continue;
                }
                let mut insert = QueryBuilder::<Db>::new(
                    "INSERT INTO surveys (call, at, score, tier_name, queue, agent) ",
                );
                insert.push_values(surveyed, |mut row, record| {
                    row.push_bind(record.key.0.cast_signed())
                        .push_bind(signed(record.ended.0))
                        .push_bind(record.survey.map(i64::from))
                        .push_bind(clean(&record.tier_name))
                        .push_bind(record.queue.as_deref().map(clean))
                        .push_bind(record.agent.as_deref().map(clean));
                });
                insert.push(" ON CONFLICT (call) DO NOTHING");
                insert.build().execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        Ok(new)
    }

    /// The record of one call, with every step.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unreadable`].
    pub async fn call(&self, key: CallKey) -> Result<Option<CallRecord>, StoreError> {
        let row = on!(self, reader, |pool, Db| {
            let mut query = QueryBuilder::<Db>::new("SELECT ");
            query.push(COLUMNS).push(" FROM calls WHERE key = ").push_bind(key.0.cast_signed());
            query.build_query_as::<Row>().fetch_optional(pool).await?
        });
        row.map(record).transpose()
    }

    /// Why a call went to whom it went; `None` if there is no such call. Records are read without it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unreadable`].
    pub async fn decisions(&self, key: CallKey) -> Result<Option<Vec<Explained>>, StoreError> {
        const SQL: &str = "SELECT decisions FROM calls WHERE key = $1";
        let json = on!(self, reader, |pool, Db| {
            sqlx::query_scalar::<Db, String>(SQL).bind(key.0.cast_signed()).fetch_optional(pool).await?
        });
        let read =
            |json: String| stored::decisions_from_json(&json).ok_or(StoreError::Unreadable("decisions"));
        json.map(read).transpose()
    }

    /// Customers' numbers with the agent who talked to them and when, of calls since `since`, the oldest first; the
    /// last `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn last_agents(
        &self,
        since: UnixMillis,
        limit: u32,
    ) -> Result<Vec<(Pii<String>, String, UnixMillis)>, StoreError> {
        const SQL: &str = "SELECT caller, agent, ended FROM calls WHERE started >= $1 AND agent IS NOT NULL \
                           AND caller <> '' AND outcome = 'answered' ORDER BY started DESC LIMIT $2";
        let rows = on!(self, reader, |pool, Db| {
            let query = sqlx::query_as::<Db, (String, String, i64)>(SQL).bind(signed(since.0));
            query.bind(i64::from(limit)).fetch_all(pool).await?
        });
        let row = |(caller, agent, ended)| (Pii::new(caller), agent, UnixMillis(unsigned(ended)));
        Ok(rows.into_iter().rev().map(row).collect())
    }

    /// Calls that pass `filter`, the latest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unreadable`].
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRecord>, StoreError> {
        let rows = on!(self, reader, |pool, Db| {
            let mut query = QueryBuilder::<Db>::new("SELECT ");
            query.push(COLUMNS).push(" FROM calls WHERE 1 = 1");
            if let Some(from) = filter.from {
                query.push(" AND started >= ").push_bind(signed(from.0));
            }
            if let Some(to) = filter.to {
                query.push(" AND started < ").push_bind(signed(to.0));
            }
            let words = [
                (" AND tier_name = ", filter.tier.as_deref()),
                (" AND agent = ", filter.agent.as_deref()),
                (" AND queue = ", filter.queue.as_deref()),
                (" AND outcome = ", filter.outcome.map(Outcome::word)),
                (" AND caller = ", filter.caller.as_ref().map(|caller| caller.reveal().as_str())),
            ];
            for (condition, word) in words {
                if let Some(word) = word {
                    query.push(condition).push_bind(clean(word));
                }
            }
            if let Some(before) = filter.before {
                query.push(" AND key < ").push_bind(before.0.cast_signed());
            }
            let limit = if filter.limit == 0 { LIST_MAX } else { filter.limit.min(LIST_MAX) };
            query.push(" ORDER BY key DESC LIMIT ").push_bind(i64::from(limit));
            query.build_query_as::<Row>().fetch_all(pool).await?
        });
        rows.into_iter().map(record).collect()
    }

    /// How many call records there are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn calls_count(&self) -> Result<u64, StoreError> {
        let count = on!(self, reader, |pool, Db| {
            sqlx::query_scalar::<Db, i64>("SELECT COUNT(*) FROM calls").fetch_one(pool).await?
        });
        Ok(unsigned(count))
    }
}

/// `text` as both backends store it: PostgreSQL has no NUL in a text.
pub(crate) fn clean(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

/// Milliseconds beyond the year 292,277,024 are all the same to us.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
