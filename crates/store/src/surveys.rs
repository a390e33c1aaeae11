//! Survey answers. They are written with their call record, see [`Store::put_calls`].

use base::UnixMillis;

use crate::calls::{signed, unsigned};
use crate::db::Store;
use crate::error::StoreError;

/// The survey answers of one tier.
#[derive(Clone, Debug, PartialEq)]
pub struct SurveyTotals {
    /// Name of the tier.
    pub tier: String,
    /// How many callers answered.
    pub answers: u64,
    /// Mean score.
    pub score_mean: f64,
}

impl Store {
    /// Survey answers given in `[from, to)`, per tier name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn survey_totals(
        &self,
        from: UnixMillis,
        to: UnixMillis,
    ) -> Result<Vec<SurveyTotals>, StoreError> {
        const SQL: &str = "SELECT tier_name, COUNT(*), CAST(AVG(score) AS DOUBLE PRECISION) FROM surveys \
                           WHERE at >= $1 AND at < $2 GROUP BY tier_name ORDER BY tier_name";
        let rows = on!(self, reader, |pool, Db| {
            let query = sqlx::query_as::<Db, (String, i64, f64)>(SQL);
            query.bind(signed(from.0)).bind(signed(to.0)).fetch_all(pool).await?
        });
        let totals =
            |(tier, answers, score_mean)| SurveyTotals { tier, answers: unsigned(answers), score_mean };
        Ok(rows.into_iter().map(totals).collect())
    }
}
