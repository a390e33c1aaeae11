//! Callbacks that callers were promised.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use base::UnixMillis;
use serde::{Deserialize, Serialize};
use store::CallbackRow;
use utoipa::{IntoParams, ToSchema};

use super::calls::key;
use super::{limit, query, reveal, shown};
use crate::auth::Granted;
use crate::config::Scope;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::state::Shared;

/// One promise.
#[derive(Serialize, ToSchema)]
pub(crate) struct Callback {
    /// Key of the call in which it was promised.
    call: String,
    /// The number to call, its middle masked unless revealed.
    number: String,
    /// Tier.
    tier: String,
    /// Queue that the caller would have waited in, if any.
    queue: Option<String>,
    /// When it was promised, milliseconds since 1970-01-01T00:00:00Z.
    promised_ms: u64,
    /// When it was kept; null while it is open.
    done_ms: Option<u64>,
}

/// Promises.
#[derive(Serialize, ToSchema)]
pub(crate) struct Callbacks {
    callbacks: Vec<Callback>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbacksQuery {
    /// All of them, the latest first, instead of the open ones, the longest promised first.
    all: Option<bool>,
    /// Most callbacks, 1 to 1000; 100 if absent.
    limit: Option<u32>,
    /// Show whole numbers; needs scope `write`.
    reveal: Option<bool>,
}

/// Open callbacks, the longest promised first.
#[utoipa::path(
    get, path = "/api/v1/callbacks", tag = "callbacks", operation_id = "listCallbacks", params(CallbacksQuery),
    responses((status = 200, description = "The callbacks", body = Callbacks), (status = 400, description = "Malformed request", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    parameters: Result<Query<CallbacksQuery>, QueryRejection>,
) -> ApiResult<Json<Callbacks>> {
    let asked = query(parameters)?;
    let reveal = reveal(&granted, asked.reveal, "callbacks")?;
    let rows = shared.handles.store.callbacks(asked.all == Some(true), limit(asked.limit)?).await?;
    Ok(Json(Callbacks { callbacks: rows.into_iter().map(|row| body(row, reveal)).collect() }))
}

/// Notes that the callbacks promised in a call are done.
#[utoipa::path(
    post, path = "/api/v1/callbacks/{key}/done", tag = "callbacks", operation_id = "finishCallback", params(("key" = String, Path)),
    responses(
        (status = 204, description = "Noted"), (status = 403, description = "The scope does not allow this", body = ErrorBody),
        (status = 404, description = "There is no such thing", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody),
    ),
    security(("token" = []))
)]
pub(crate) async fn done(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    Path(text): Path<String>,
) -> ApiResult<StatusCode> {
    granted.require(Scope::Write)?;
    let key = key(&text)?;
    tracing::info!(token = granted.name, call = %key, "callback noted as done");
    if shared.handles.store.callback_done(key, UnixMillis(now_ms())).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("no-open-callback", "no open callback was promised in this call"))
    }
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn body(row: CallbackRow, reveal: bool) -> Callback {
    let CallbackRow { callback, done } = row;
    Callback {
        call: callback.call.to_string(),
        number: shown(callback.number.reveal(), reveal),
        tier: callback.tier_name,
        queue: callback.queue,
        promised_ms: callback.promised.0,
        done_ms: done.map(|at| at.0),
    }
}
