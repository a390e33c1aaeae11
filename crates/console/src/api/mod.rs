//! `/api/v1`: one file per thing.

pub(crate) mod agents;
pub(crate) mod callbacks;
pub(crate) mod calls;
pub(crate) mod customers;
pub(crate) mod queues;
pub(crate) mod recordings;
pub(crate) mod tiers;
pub(crate) mod trunks;

use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use call::admin::Admin;
use tokio::sync::oneshot;

use crate::auth::Granted;
use crate::config::Scope;
use crate::error::{ApiError, ApiResult};
use crate::handles::AdminRequest;
use crate::state::Shared;

/// Rows of a list if the request does not say.
const LIMIT: u32 = 100;
/// Time for the switch to answer.
const SWITCH_MAX: Duration = Duration::from_secs(2);

/// The parameters of a query, or what is wrong with them.
fn query<T>(query: Result<Query<T>, QueryRejection>) -> ApiResult<T> {
    query.map(|Query(value)| value).map_err(|rejection| ApiError::bad_request(rejection.body_text()))
}

/// A key in a path or a query, such as a call's.
fn key<K: core::str::FromStr>(text: &str, what: &str) -> ApiResult<K> {
    text.parse().map_err(|_| ApiError::bad_request(format!("a {what}'s key looks like c19bd3a58a000001")))
}

/// How many rows to list.
fn limit(asked: Option<u32>) -> ApiResult<u32> {
    match asked.unwrap_or(LIMIT) {
        limit @ 1..=store::LIST_MAX => Ok(limit),
        _ => Err(ApiError::bad_request(format!("limit must be 1 to {}", store::LIST_MAX))),
    }
}

/// Whether whole numbers of callers are shown: on request, to holders of `write`, and noted in the log.
fn reveal(granted: &Granted, asked: Option<bool>, what: &'static str) -> ApiResult<bool> {
    if asked != Some(true) {
        return Ok(false);
    }
    granted.require(Scope::Write)?;
    tracing::info!(token = granted.name, what, "callers' numbers shown");
    Ok(true)
}

/// A number as this request may see it.
fn shown(number: &str, reveal: bool) -> String {
    if reveal { number.to_owned() } else { store::mask_number(number) }
}

/// Asks the switch and waits for its answer, never long.
async fn ask(shared: &Shared, admin: Admin) -> ApiResult<()> {
    let (reply, answer) = oneshot::channel();
    let request = AdminRequest { admin, reply };
    shared.handles.admin.try_send(request).map_err(|_| ApiError::switch_busy())?;
    match tokio::time::timeout(SWITCH_MAX, answer).await {
        Ok(Ok(outcome)) => Ok(outcome?),
        Ok(Err(_)) | Err(_) => Err(ApiError::switch_busy()),
    }
}
