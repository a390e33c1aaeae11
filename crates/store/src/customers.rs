//! The customer directory.

use base::Pii;
use call::directory::Customer;
use sqlx::QueryBuilder;

use crate::calls::clean;
use crate::db::Store;
use crate::error::StoreError;

/// Rows of one INSERT: seven values each, below both backends' limits for bound values.
const ROWS_PER_INSERT: usize = 1000;

type Row = (String, String, String, String, bool, Option<String>, Option<String>);

fn customer(row: Row) -> Customer {
    let (number, name, tier, language, senior, manager_a, manager_b) = row;
    Customer { number: Pii::new(number), name: Pii::new(name), tier, language, senior, manager_a, manager_b }
}

impl Store {
    /// The customer whose normalised number is `number`: what the switch asks when a call arrives.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]. The caller is served as ordinary then; do not wait longer than 200 ms.
    pub async fn customer(&self, number: &str) -> Result<Option<Customer>, StoreError> {
        const SQL: &str = "SELECT number, name, tier, language, senior, manager_a, manager_b \
                           FROM customers WHERE number = $1";
        let row: Option<Row> = on!(self, reader, |pool, Db| {
            sqlx::query_as::<Db, Row>(SQL).bind(number).fetch_optional(pool).await?
        });
        Ok(row.map(customer))
    }

    /// At most `limit` customers in the order of their numbers, those after `after` only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn customers(&self, after: Option<&str>, limit: u32) -> Result<Vec<Customer>, StoreError> {
        self.customers_of(None, after, limit).await
    }

    /// The same, of one tier only if one is named.
    pub(crate) async fn customers_of(
        &self,
        tier: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Customer>, StoreError> {
        const ALL: &str = "SELECT number, name, tier, language, senior, manager_a, manager_b \
                           FROM customers WHERE number > $1 ORDER BY number LIMIT $2";
        const OF_TIER: &str = "SELECT number, name, tier, language, senior, manager_a, manager_b \
                               FROM customers WHERE number > $1 AND tier = $3 ORDER BY number LIMIT $2";
        let limit = i64::from(limit.min(crate::calls::LIST_MAX));
        let rows = on!(self, reader, |pool, Db| {
            let query = sqlx::query_as::<Db, Row>(if tier.is_some() { OF_TIER } else { ALL });
            let query = query.bind(after.unwrap_or_default()).bind(limit);
            let query = match tier {
                Some(tier) => query.bind(tier),
                None => query,
            };
            query.fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(customer).collect())
    }

    /// A number that grows with every change of the directory.
    pub(crate) async fn directory_revision(&self) -> Result<i64, StoreError> {
        let revision = on!(self, reader, |pool, Db| {
            sqlx::query_scalar::<Db, i64>("SELECT revision FROM directory").fetch_one(pool).await?
        });
        Ok(revision)
    }

    /// How many customers there are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn customers_count(&self) -> Result<u64, StoreError> {
        let count = on!(self, reader, |pool, Db| {
            sqlx::query_scalar::<Db, i64>("SELECT COUNT(*) FROM customers").fetch_one(pool).await?
        });
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Adds `customers`, or replaces those whose number is known: all of them or, on an error, none. A
    /// number that stands twice counts with its last row.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`].
    pub async fn put_customers(&self, customers: &[Customer]) -> Result<(), StoreError> {
        // One INSERT may touch a row only once (PostgreSQL), so the last of each number is taken first.
        let by_number: std::collections::BTreeMap<&str, &Customer> =
            customers.iter().map(|customer| (customer.number.reveal().as_str(), customer)).collect();
        let rows: Vec<&Customer> = by_number.into_values().collect();
        on!(self, writer, |pool, Db| {
            let mut transaction = pool.begin().await?;
            for chunk in rows.chunks(ROWS_PER_INSERT) {
                let mut insert = QueryBuilder::<Db>::new(
                    "INSERT INTO customers (number, name, tier, language, senior, manager_a, manager_b) ",
                );
                insert.push_values(chunk, |mut row, customer| {
                    row.push_bind(clean(customer.number.reveal()))
                        .push_bind(clean(customer.name.reveal()))
                        .push_bind(clean(&customer.tier))
                        .push_bind(clean(&customer.language))
                        .push_bind(customer.senior)
                        .push_bind(customer.manager_a.as_deref().map(clean))
                        .push_bind(customer.manager_b.as_deref().map(clean));
                });
                insert.push(
                    " ON CONFLICT (number) DO UPDATE SET name = excluded.name, tier = excluded.tier, \
                     language = excluded.language, senior = excluded.senior, \
                     manager_a = excluded.manager_a, manager_b = excluded.manager_b",
                );
                insert.build().execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        });
        Ok(())
    }
}
