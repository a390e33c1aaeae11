//! Callbacks that customers were promised, and what became of them.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use base::CallbackKey;
use call::admin::Admin;
use call::callback::State as Stage;
use serde::{Deserialize, Serialize};
use store::CallbackRow;
use utoipa::{IntoParams, ToSchema};

use super::{ask, key, limit, query, reveal, shown};
use crate::auth::Granted;
use crate::config::Scope;
use crate::error::{ApiResult, ErrorBody};
use crate::state::Shared;

/// One promise.
#[derive(Serialize, ToSchema)]
pub(crate) struct Callback {
    /// Key.
    key: String,
    /// Key of the call in which it was promised.
    call: String,
    /// The number to call, its middle masked unless revealed.
    number: String,
    /// `callback`, `complaint` or `visit`.
    kind: String,
    /// Tier.
    tier: String,
    /// Queue whose agents call, if known.
    queue: Option<String>,
    /// When it was promised, milliseconds since 1970-01-01T00:00:00Z.
    promised_ms: u64,
    /// The next attempt is not before this.
    not_before_ms: Option<u64>,
    /// Attempts made.
    attempts: u8,
    /// `scheduled`, `waiting`, `dialling`, `reached`; or how it ended: `kept`, `called-again`, `not-reached`,
    /// `cancelled`, `double`, `refused`, `done`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Since when.
    changed_ms: u64,
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

/// Notes that a callback was made by hand.
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
    end(&shared, &granted, &text, Stage::Done).await
}

/// Takes a callback back: the customer is not called.
#[utoipa::path(
    delete, path = "/api/v1/callbacks/{key}", tag = "callbacks", operation_id = "cancelCallback", params(("key" = String, Path)),
    responses(
        (status = 204, description = "Taken back"), (status = 403, description = "The scope does not allow this", body = ErrorBody),
        (status = 404, description = "There is no such thing", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody),
    ),
    security(("token" = []))
)]
pub(crate) async fn cancel(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    Path(text): Path<String>,
) -> ApiResult<StatusCode> {
    end(&shared, &granted, &text, Stage::Cancelled).await
}

/// Tells the switch, and the store at once, so that the next list shows it.
async fn end(shared: &Shared, granted: &Granted, text: &str, stage: Stage) -> ApiResult<StatusCode> {
    granted.require(Scope::Write)?;
    let callback: CallbackKey = key(text, "callback")?;
    tracing::info!(token = granted.name, %callback, stage = stage.word(), "callback ended by hand");
    let known = ask(shared, Admin::EndCallback { callback, done: stage == Stage::Done }).await;
    let written = shared.handles.store.end_callback(callback, stage, (shared.handles.clock)()).await?;
    match known {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(_) if written => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error),
    }
}

fn body(row: CallbackRow, reveal: bool) -> Callback {
    let CallbackRow { callback, state, changed } = row;
    Callback {
        key: callback.key.to_string(),
        call: callback.call.to_string(),
        number: shown(callback.number.reveal(), reveal),
        kind: if callback.terms.kind.is_empty() { "callback".to_owned() } else { callback.terms.kind },
        tier: callback.tier_name,
        queue: Some(callback.queue).filter(|queue| !queue.is_empty()),
        promised_ms: callback.promised.0,
        not_before_ms: callback.not_before,
        attempts: callback.attempts,
        state: state.word(),
        changed_ms: changed.0,
    }
}
