//! The event stream: every change of a call or an agent as one JSON text message of a WebSocket.
//!
//! The switch never waits for a client: one that is too slow misses events and is told how many
//! (`{"event":"lagged","missed":12}`); one that takes nothing any more is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use call::view::Notice;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};

use crate::auth::Granted;
use crate::counts::add;
use crate::error::{ApiError, ApiResult};
use crate::state::Shared;

/// A client is asked for a sign of life this often, and dropped if it gave none for three times as long.
const PING: Duration = Duration::from_secs(20);
/// What a client may send: pongs and closes, no more.
const FROM_CLIENT_BYTES_MAX: usize = 4096;
/// What may wait for a client's socket in memory.
const TO_CLIENT_BYTES_MAX: usize = 256 << 10;

/// Changes of calls and agents as they happen, over a WebSocket.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "subscribeToEvents",
    responses(
        (status = 101, description = "One JSON object per text message, distinguished by `event`: `hello`, \
                                      `call`, `agent`, `lagged`"),
        (status = 400, description = "Not a WebSocket handshake", body = crate::error::ErrorBody),
        (status = 503, description = "Too many clients", body = crate::error::ErrorBody),
    ),
    security(("token" = []))
)]
pub(crate) async fn subscribe(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    granted.require(crate::config::Scope::Read)?;
    let upgrade = upgrade.map_err(|_| ApiError::bad_request("this path speaks WebSocket (RFC 6455) only"))?;
    let place = Arc::clone(&shared.event_places).try_acquire_owned().map_err(|_| {
        let message = "too many clients of the event stream";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-clients", message).retry_after(10)
    })?;
    // Before the answer: whoever has seen it misses nothing from here on.
    let notices = shared.handles.notices.subscribe();
    let upgrade = upgrade
        .max_message_size(FROM_CLIENT_BYTES_MAX)
        .max_frame_size(FROM_CLIENT_BYTES_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(TO_CLIENT_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| run(shared, socket, notices, place)))
}

async fn run(
    shared: Shared,
    mut socket: WebSocket,
    mut notices: broadcast::Receiver<Arc<Notice>>,
    place: OwnedSemaphorePermit,
) {
    add(&shared.counts.event_clients, 1);
    let ended = stream(&shared, &mut socket, &mut notices).await;
    if let Err(Dropped) = ended {
        add(&shared.counts.event_clients_dropped, 1);
    }
    shared.counts.event_clients.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    drop(place);
}

/// The client takes nothing, or gives no sign of life.
struct Dropped;

async fn stream(
    shared: &Shared,
    socket: &mut WebSocket,
    notices: &mut broadcast::Receiver<Arc<Notice>>,
) -> Result<(), Dropped> {
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
    let mut heard = Instant::now();
    send(shared, socket, Message::text(r#"{"event":"hello"}"#)).await?;
    loop {
        let message = tokio::select! {
            () = shared.closed() => {
                let frame = CloseFrame { code: close_code::AWAY, reason: "shutting down".into() };
                return send(shared, socket, Message::Close(Some(frame))).await;
            }
            received = socket.recv() => match received {
                None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(()),
                Some(Ok(_)) => {
                    heard = Instant::now();
                    continue;
                }
            },
            notice = notices.recv() => match notice {
                Ok(notice) => Message::text(serde_json::to_string(&*notice).unwrap_or_default()),
                Err(RecvError::Lagged(missed)) => {
                    add(&shared.counts.events_lagged, missed);
                    Message::text(format!(r#"{{"event":"lagged","missed":{missed}}}"#))
                }
                Err(RecvError::Closed) => return Ok(()),
            },
            _ = ping.tick() => {
                if heard.elapsed() > PING * 3 {
                    return Err(Dropped);
                }
                Message::Ping(axum::body::Bytes::new())
            }
        };
        send(shared, socket, message).await?;
    }
}

async fn send(shared: &Shared, socket: &mut WebSocket, message: Message) -> Result<(), Dropped> {
    match tokio::time::timeout(shared.config.event_timeout, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Dropped),
    }
}
