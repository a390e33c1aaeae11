//! Is it alive (`/healthz`), and should calls be sent to it (`/readyz`)?

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::state::Shared;

/// The process runs and answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    /// Why not, one word each.
    reasons: Vec<&'static str>,
}

/// 200 if calls are taken, else 503 with the reasons. A database that is down is no reason: calls go on
/// without it, until the records that wait for it fill the spool.
pub(crate) async fn readyz(State(shared): State<Shared>) -> Response {
    let handles = &shared.handles;
    let over_bound = handles.spool.as_ref().is_some_and(|spool| spool.status().over_bound);
    let conditions = [
        ("not-started", !handles.readiness.is_started()),
        ("draining", handles.readiness.is_draining() || handles.snapshot.load().draining),
        ("spool-over-bound", over_bound),
    ];
    let reasons: Vec<&'static str> =
        conditions.into_iter().filter_map(|(word, holds)| holds.then_some(word)).collect();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready: reasons.is_empty(), reasons })).into_response()
}
