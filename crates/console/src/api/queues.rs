//! Queues.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::Shared;

/// One queue.
#[derive(Serialize, ToSchema)]
pub(crate) struct Queue {
    /// Name.
    name: String,
    /// Calls waiting.
    waiting: usize,
    /// Longest wait of those.
    longest_wait_ms: u64,
    /// Agents ready who serve it.
    agents_ready: usize,
    /// Agents logged in who serve it.
    agents_logged_in: usize,
}

/// The queues in the order of the configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct Queues {
    queues: Vec<Queue>,
}

/// The queues now.
#[utoipa::path(
    get, path = "/api/v1/queues", tag = "queues", operation_id = "listQueues", responses((status = 200, description = "The queues", body = Queues)),
    security(("token" = []))
)]
pub(crate) async fn list(State(shared): State<Shared>) -> Json<Queues> {
    let snapshot = shared.handles.snapshot.load();
    let queue = |queue: &call::view::QueueView| Queue {
        name: queue.name.clone(),
        waiting: queue.waiting,
        longest_wait_ms: queue.longest_wait_ms,
        agents_ready: queue.agents_ready,
        agents_logged_in: queue.agents_logged_in,
    };
    Json(Queues { queues: snapshot.queues.iter().map(queue).collect() })
}
