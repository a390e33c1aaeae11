//! Trunks.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::Shared;

/// One trunk.
#[derive(Serialize, ToSchema)]
pub(crate) struct Trunk {
    /// Name.
    name: String,
    /// Live calls.
    calls: usize,
    /// Calls since the switch started.
    calls_total: u64,
    /// Calls refused since then.
    refused_total: u64,
    /// Whether its OPTIONS are answered; null if it is not asked.
    reachable: Option<bool>,
}

/// The trunks in the order of the configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct Trunks {
    trunks: Vec<Trunk>,
}

/// The trunks now.
#[utoipa::path(
    get, path = "/api/v1/trunks", tag = "trunks", operation_id = "listTrunks", responses((status = 200, description = "The trunks", body = Trunks)),
    security(("token" = []))
)]
pub(crate) async fn list(State(shared): State<Shared>) -> Json<Trunks> {
    let snapshot = shared.handles.snapshot.load();
    let trunk = |trunk: &call::view::TrunkView| Trunk {
        name: trunk.name.clone(),
        calls: trunk.calls,
        calls_total: trunk.calls_total,
        refused_total: trunk.refused_total,
        reachable: trunk.reachable,
    };
    Json(Trunks { trunks: snapshot.trunks.iter().map(trunk).collect() })
}
