//! Tiers and what was promised to them.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::Shared;

/// One tier since the switch started.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tier {
    /// Name.
    name: String,
    /// Promised answer rate, 0 to 1.
    answer_rate_promised: f64,
    /// Answer rate kept whatever the load, 0 to 1.
    answer_rate_floor: f64,
    /// Answered of those no longer waiting, 0 to 1; null before the first.
    answer_rate: Option<f64>,
    /// Calls that entered a queue.
    offered: u64,
    /// Calls that an agent answered.
    answered: u64,
    /// Calls whose caller gave up.
    abandoned: u64,
    /// Calls led to callback or self-service.
    deflected: u64,
    /// Calls that left by overflow.
    overflowed: u64,
    /// Calls waiting now.
    waiting: u64,
    /// Of those offered, customers called back as promised.
    called_back: u64,
    /// Calls owed to the floor; negative: ahead; null if the policy keeps no account.
    floor_debt: Option<f64>,
    /// Calls owed to the target.
    target_debt: Option<f64>,
    /// Mean wait of answered calls.
    wait_mean_ms: Option<u64>,
    /// Expected wait of a call offered now.
    expected_wait_ms: Option<u64>,
}

/// The tiers, the most valuable first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tiers {
    tiers: Vec<Tier>,
}

/// The tiers and their answer rates.
#[utoipa::path(
    get, path = "/api/v1/tiers", tag = "tiers", operation_id = "listTiers", responses((status = 200, description = "The tiers", body = Tiers)),
    security(("token" = []))
)]
pub(crate) async fn list(State(shared): State<Shared>) -> Json<Tiers> {
    let snapshot = shared.handles.snapshot.load();
    Json(Tiers { tiers: snapshot.tiers.iter().map(tier).collect() })
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn tier(tier: &call::view::TierView) -> Tier {
    let decided = tier.offered.saturating_sub(tier.waiting);
    Tier {
        name: tier.name.clone(),
        answer_rate_promised: tier.target,
        answer_rate_floor: tier.floor,
        answer_rate: (decided > 0).then(|| tier.answered as f64 / decided as f64),
        offered: tier.offered,
        answered: tier.answered,
        abandoned: tier.abandoned,
        deflected: tier.deflected,
        overflowed: tier.overflowed,
        waiting: tier.waiting,
        called_back: tier.called_back,
        floor_debt: tier.control.map(|control| control.floor_debt),
        target_debt: tier.control.map(|control| control.target_debt),
        wait_mean_ms: tier.wait_ms_sum.checked_div(tier.answered),
        expected_wait_ms: tier.expected_wait_ms,
    }
}
