//! Which path leads where, and through which gates.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};

use crate::api::{agents, callbacks, calls, customers, queues, recordings, tiers, trunks};
use crate::counts::add;
use crate::error::ApiError;
use crate::state::Shared;
use crate::{auth, events, health, metrics, openapi};

pub(crate) fn router(shared: &Shared) -> Router {
    let guarded = Router::new()
        .route("/calls", get(calls::list))
        .route("/calls/history", get(calls::history))
        .route("/calls/{key}", get(calls::show))
        .route("/calls/{key}", delete(calls::hang_up))
        .route("/calls/{key}/decisions", get(calls::decisions))
        .route("/callbacks", get(callbacks::list))
        .route("/callbacks/{key}", delete(callbacks::cancel))
        .route("/callbacks/{key}/done", post(callbacks::done))
        .route("/recordings", get(recordings::list))
        .route("/recordings/audio", get(recordings::audio))
        .route("/queues", get(queues::list))
        .route("/tiers", get(tiers::list))
        .route("/trunks", get(trunks::list))
        .route("/agents", get(agents::list))
        .route("/agents/{number}", get(agents::show))
        .route("/agents/{number}/state", post(agents::change_state))
        .route("/customers", get(customers::list))
        .route("/customers/{number}", get(customers::show))
        .route("/events", get(events::subscribe))
        .route_layer(from_fn_with_state(shared.clone(), auth::authenticate));
    let api = Router::new()
        .merge(guarded)
        .route("/openapi.json", get(openapi::show))
        .fallback(not_found)
        .layer(from_fn_with_state(shared.clone(), auth::limit));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::show))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(shared.config.body_bytes_max))
        .layer(from_fn_with_state(shared.clone(), bound_and_count))
        .with_state(shared.clone())
}

async fn not_found() -> ApiError {
    ApiError::not_found("not-found", "there is nothing at this path")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this path has no such method")
}

/// Bounds a request's time and counts its answer.
async fn bound_and_count(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(shared.config.request_timeout, next.run(request)).await;
    let response = answered.unwrap_or_else(|_| {
        add(&shared.counts.timeouts, 1);
        let message = "the request took too long";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message).retry_after(1).into_response()
    });
    let class = usize::from(response.status().as_u16() / 100).saturating_sub(1);
    if let Some(count) = shared.counts.responses.get(class) {
        add(count, 1);
    }
    response
}
