//! What the agents did: the last state of each, and every change.

use base::UnixMillis;
use sqlx::QueryBuilder;

use crate::calls::{clean, signed, unsigned};
use crate::db::Store;
use crate::error::StoreError;

/// Changes of one INSERT.
const ROWS_PER_INSERT: usize = 1000;

/// An agent as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Number.
    pub number: String,
    /// Name.
    pub name: String,
    /// A word of the switch: `logged-out`, `not-ready`, `ready`, …
    pub state: String,
    /// Not-ready reason.
    pub reason: Option<u8>,
    /// Since when.
    pub since: UnixMillis,
}

/// One change of an agent's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentChange {
    /// Number.
    pub number: String,
    /// When.
    pub at: UnixMillis,
    /// The new state.
    pub state: String,
    /// Not-ready reason.
    pub reason: Option<u8>,
}

type Row = (String, String, String, Option<i64>, i64);
type ChangeRow = (String, i64, String, Option<i64>);

impl Store {
    /// Writes the agents' present states; an older state than the stored one changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_agents(&self, agents: &[AgentRow]) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO agents (number, name, state, reason, since) VALUES ($1, $2, $3, $4, $5) \
                           ON CONFLICT (number) DO UPDATE SET name = excluded.name, state = excluded.state, \
                           reason = excluded.reason, since = excluded.since WHERE agents.since <= excluded.since";
        on!(self, writer, |pool, Db| {
            let mut transaction = pool.begin().await?;
            for agent in agents {
                let query = sqlx::query::<Db>(SQL).bind(clean(&agent.number)).bind(clean(&agent.name));
                let query = query.bind(clean(&agent.state)).bind(agent.reason.map(i64::from));
                query.bind(signed(agent.since.0)).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        Ok(())
    }

    /// All agents that were ever written, by number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agents(&self) -> Result<Vec<AgentRow>, StoreError> {
        const SQL: &str = "SELECT number, name, state, reason, since FROM agents ORDER BY number";
        let rows: Vec<Row> =
            on!(self, reader, |pool, Db| { sqlx::query_as::<Db, Row>(SQL).fetch_all(pool).await? });
        let agent = |(number, name, state, reason, since): Row| AgentRow {
            number,
            name,
            state,
            reason: reason.and_then(|reason| u8::try_from(reason).ok()),
            since: UnixMillis(unsigned(since)),
        };
        Ok(rows.into_iter().map(agent).collect())
    }

    /// Appends changes to the agents' log; one that is there already is not doubled.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_agent_changes(&self, changes: &[AgentChange]) -> Result<(), StoreError> {
        on!(self, writer, |pool, Db| {
            let mut transaction = pool.begin().await?;
            for chunk in changes.chunks(ROWS_PER_INSERT) {
                let mut insert =
                    QueryBuilder::<Db>::new("INSERT INTO agent_changes (number, at, state, reason) ");
                insert.push_values(chunk, |mut row, change| {
                    row.push_bind(clean(&change.number))
                        .push_bind(signed(change.at.0))
                        .push_bind(clean(&change.state))
                        .push_bind(change.reason.map(i64::from));
                });
                insert.push(" ON CONFLICT (number, at, state) DO NOTHING");
                insert.build().execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        Ok(())
    }

    /// The changes of one agent, the latest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn agent_changes(&self, number: &str, limit: u32) -> Result<Vec<AgentChange>, StoreError> {
        const SQL: &str = "SELECT number, at, state, reason FROM agent_changes WHERE number = $1 \
                           ORDER BY at DESC, state LIMIT $2";
        let limit = i64::from(limit.min(crate::calls::LIST_MAX));
        let rows: Vec<ChangeRow> = on!(self, reader, |pool, Db| {
            sqlx::query_as::<Db, ChangeRow>(SQL).bind(number).bind(limit).fetch_all(pool).await?
        });
        let change = |(number, at, state, reason): ChangeRow| AgentChange {
            number,
            at: UnixMillis(unsigned(at)),
            state,
            reason: reason.and_then(|reason| u8::try_from(reason).ok()),
        };
        Ok(rows.into_iter().map(change).collect())
    }
}
