//! Messages that callers left: where they lie, and listening to one, which is written down.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use base::CallKey;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{key, limit, query};
use crate::auth::Granted;
use crate::config::Scope;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::state::Shared;

/// One message.
#[derive(Serialize, ToSchema)]
pub(crate) struct Recording {
    /// Its file: what `/recordings/audio` is asked for.
    file: String,
    /// Key of the call in which it was left.
    call: String,
    /// What it is for: the flow's word.
    name: String,
    /// When it began, milliseconds since 1970-01-01T00:00:00Z.
    at_ms: u64,
    /// Its length.
    length_ms: u32,
    /// Bytes of the file.
    bytes: u64,
}

/// Messages.
#[derive(Serialize, ToSchema)]
pub(crate) struct Recordings {
    recordings: Vec<Recording>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingsQuery {
    /// Only those of this call.
    call: Option<String>,
    /// Most messages, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AudioQuery {
    /// The message's file, as listed.
    file: String,
}

/// Messages that callers left, the latest first.
#[utoipa::path(
    get, path = "/api/v1/recordings", tag = "recordings", operation_id = "listRecordings", params(RecordingsQuery),
    responses((status = 200, description = "The messages", body = Recordings), (status = 400, description = "Malformed request", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    parameters: Result<Query<RecordingsQuery>, QueryRejection>,
) -> ApiResult<Json<Recordings>> {
    let asked = query(parameters)?;
    let call: Option<CallKey> = asked.call.as_deref().map(|text| key(text, "call")).transpose()?;
    let rows = shared.handles.store.recordings(call, limit(asked.limit)?).await?;
    let body = |row: store::RecordingRow| Recording {
        call: row.call_key().to_string(),
        file: row.file,
        name: row.name,
        at_ms: row.at,
        length_ms: row.length_ms,
        bytes: row.bytes,
    };
    Ok(Json(Recordings { recordings: rows.into_iter().map(body).collect() }))
}

/// One message as a WAV file. Who listened, to what and when is written into the store first.
#[utoipa::path(
    get, path = "/api/v1/recordings/audio", tag = "recordings", operation_id = "playRecording", params(AudioQuery),
    responses(
        (status = 200, description = "The message", content_type = "audio/wav"), (status = 403, description = "The scope does not allow this", body = ErrorBody),
        (status = 404, description = "There is no such thing", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody),
    ),
    security(("token" = []))
)]
pub(crate) async fn audio(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    parameters: Result<Query<AudioQuery>, QueryRejection>,
) -> ApiResult<impl IntoResponse> {
    granted.require(Scope::Write)?;
    let file = query(parameters)?.file;
    let missing = || ApiError::not_found("no-such-recording", "there is no such message");
    // Only what the index names is ever opened.
    let row = shared.handles.store.recording(&file).await?.ok_or_else(missing)?;
    let path = shared.handles.recordings.join(&row.file);
    let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    let wav = read.ok().and_then(Result::ok).ok_or_else(missing)?;
    shared.handles.store.put_replay(&row.file, &granted.name, (shared.handles.clock)()).await?;
    tracing::info!(token = granted.name, call = %row.call_key(), "a caller's message was listened to");
    Ok(([(header::CONTENT_TYPE, "audio/wav"), (header::CACHE_CONTROL, "no-store")], wav))
}
