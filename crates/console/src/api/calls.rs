//! Live calls, ended calls, one call, and its end.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use base::{CallKey, Pii, UnixMillis};
use call::admin::Admin;
use call::explain::Explained;
use call::record::{CallRecord, Outcome};
use call::view::CallView;
use serde::{Deserialize, Serialize};
use store::CallFilter;
use utoipa::{IntoParams, ToSchema};

use super::{ask, key, limit, query, reveal, shown};
use crate::auth::Granted;
use crate::config::Scope;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::state::Shared;

/// A call that goes on.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveCall {
    /// Key.
    key: String,
    /// The caller's number, its middle masked unless revealed.
    caller: String,
    /// The number dialled.
    dialled: String,
    /// Tier.
    tier: String,
    /// `flow`, `queued`, `ringing`, `talking`, `survey` or `outbound`.
    #[schema(value_type = String)]
    phase: &'static str,
    /// Queue, if any.
    queue: Option<String>,
    /// Agent rung or talking, if any.
    agent: Option<String>,
    /// When the INVITE came, milliseconds since 1970-01-01T00:00:00Z.
    started_ms: u64,
}

/// Live calls, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveCalls {
    calls: Vec<LiveCall>,
    /// How many live calls pass the filter, listed or not.
    total: usize,
}

/// A call that has ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct EndedCall {
    /// Key.
    key: String,
    /// The caller's number, its middle masked unless revealed.
    caller: String,
    /// The number dialled.
    dialled: String,
    /// Trunk or agent that the call came from.
    source: String,
    /// Tier that the caller was served as.
    tier: String,
    /// Last queue, if any.
    queue: Option<String>,
    /// Last agent who talked to the caller, if any.
    agent: Option<String>,
    /// When the INVITE came, milliseconds since 1970-01-01T00:00:00Z.
    started_ms: u64,
    /// When the switch answered.
    answered_ms: Option<u64>,
    /// When the last leg ended.
    ended_ms: u64,
    /// Time in the queue.
    wait_ms: u64,
    /// Time that voices were joined.
    talk_ms: u64,
    /// `answered`, `abandoned`, `self-service`, `left-early`, `deflected`, `outbound`, `not-reached`, `refused` or
    /// `failed`.
    #[schema(value_type = String)]
    outcome: &'static str,
    /// Survey score, if given.
    survey: Option<u8>,
    /// Every step; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<CallStep>>,
}

/// One step of a call.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallStep {
    /// Milliseconds since the INVITE.
    at_ms: u64,
    /// What happened.
    #[schema(value_type = String)]
    what: &'static str,
    /// With whom or what.
    detail: String,
}

/// A page of ended calls, the latest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct EndedCalls {
    calls: Vec<EndedCall>,
    /// `before` of the next page; null if this is the last.
    next: Option<String>,
}

/// One call.
#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum AnyCall {
    /// Goes on.
    Live(LiveCall),
    /// Has ended.
    Ended(EndedCall),
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiveQuery {
    /// Only of this tier.
    tier: Option<String>,
    /// Only in this queue.
    queue: Option<String>,
    /// Only with this agent.
    agent: Option<String>,
    /// Only in this phase.
    phase: Option<String>,
    /// Most calls, 1 to 1000; 100 if absent.
    limit: Option<u32>,
    /// Show whole numbers; needs scope `write`.
    reveal: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Started at or after, milliseconds since 1970-01-01T00:00:00Z.
    from_ms: Option<u64>,
    /// Started before.
    to_ms: Option<u64>,
    /// Only of this tier.
    tier: Option<String>,
    /// Only those whose last queue is this.
    queue: Option<String>,
    /// Only those whose last agent is this.
    agent: Option<String>,
    /// Only with this outcome.
    outcome: Option<String>,
    /// Only from this number; needs scope `write`.
    caller: Option<String>,
    /// Only those before this key: `next` of the page before.
    before: Option<String>,
    /// Most calls, 1 to 1000; 100 if absent.
    limit: Option<u32>,
    /// Show whole numbers; needs scope `write`.
    reveal: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    /// Show whole numbers; needs scope `write`.
    reveal: Option<bool>,
}

/// Live calls, oldest first.
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls", operation_id = "listCalls", params(LiveQuery),
    responses((status = 200, description = "The calls", body = LiveCalls), (status = 400, description = "Malformed request", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    parameters: Result<Query<LiveQuery>, QueryRejection>,
) -> ApiResult<Json<LiveCalls>> {
    let asked = query(parameters)?;
    let limit = usize::try_from(limit(asked.limit)?).unwrap_or(usize::MAX);
    let reveal = reveal(&granted, asked.reveal, "live calls")?;
    let snapshot = shared.handles.snapshot.load();
    let is = |asked: &Option<String>, value: Option<&str>| asked.is_none() || asked.as_deref() == value;
    let passes = |call: &&CallView| {
        is(&asked.tier, Some(&call.tier))
            && is(&asked.queue, call.queue.as_deref())
            && is(&asked.agent, call.agent.as_deref())
            && is(&asked.phase, Some(call.phase))
    };
    let calls = snapshot.calls.iter().filter(passes).take(limit).map(|call| live(call, reveal)).collect();
    Ok(Json(LiveCalls { calls, total: snapshot.calls.iter().filter(passes).count() }))
}

/// Ended calls, the latest first, page by page.
#[utoipa::path(
    get, path = "/api/v1/calls/history", tag = "calls", operation_id = "listEndedCalls", params(HistoryQuery),
    responses((status = 200, description = "One page", body = EndedCalls), (status = 400, description = "Malformed request", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn history(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    parameters: Result<Query<HistoryQuery>, QueryRejection>,
) -> ApiResult<Json<EndedCalls>> {
    let asked = query(parameters)?;
    if asked.caller.is_some() {
        granted.require(Scope::Write)?;
    }
    let reveal = reveal(&granted, asked.reveal, "ended calls")?;
    let limit = limit(asked.limit)?;
    let outcome = |word: String| {
        Outcome::from_word(&word).ok_or_else(|| {
            let known: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.word()).collect();
            ApiError::bad_request(format!("outcome must be one of {}", known.join(", ")))
        })
    };
    let filter = CallFilter {
        from: asked.from_ms.map(UnixMillis),
        to: asked.to_ms.map(UnixMillis),
        tier: asked.tier,
        queue: asked.queue,
        agent: asked.agent,
        outcome: asked.outcome.map(outcome).transpose()?,
        caller: asked.caller.map(Pii::new),
        before: asked.before.as_deref().map(|text| key(text, "call")).transpose()?,
        limit,
    };
    let records = shared.handles.store.calls(&filter).await?;
    let full = u32::try_from(records.len()).is_ok_and(|len| len == limit);
    let next = records.last().filter(|_| full).map(|record| record.key.to_string());
    let calls = records.into_iter().map(|record| ended(record, reveal, false)).collect();
    Ok(Json(EndedCalls { calls, next }))
}

/// One call: as it is now, or with every step if it has ended.
#[utoipa::path(
    get, path = "/api/v1/calls/{key}", tag = "calls", operation_id = "getCall", params(("key" = String, Path), ShowQuery),
    responses((status = 200, description = "The call", body = AnyCall), (status = 404, description = "There is no such thing", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn show(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    Path(text): Path<String>,
    parameters: Result<Query<ShowQuery>, QueryRejection>,
) -> ApiResult<Json<AnyCall>> {
    let key: CallKey = key(&text, "call")?;
    let reveal = reveal(&granted, query(parameters)?.reveal, "one call")?;
    let live_call = {
        let snapshot = shared.handles.snapshot.load();
        snapshot.calls.iter().find(|call| call.key == key).map(|call| live(call, reveal))
    };
    if let Some(call) = live_call {
        return Ok(Json(AnyCall::Live(call)));
    }
    match shared.handles.store.call(key).await? {
        Some(record) => Ok(Json(AnyCall::Ended(ended(record, reveal, true)))),
        None => Err(ApiError::not_found("no-such-call", "there is no such call")),
    }
}

/// Why a call went to whom it went.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decisions {
    /// Decisions about it, and the last ones that it lost to others, oldest first.
    decisions: Vec<Decision>,
}

/// One decision of the distributor.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decision {
    /// Counts up over the process's decisions.
    number: u64,
    /// Milliseconds since the call's INVITE.
    at_ms: u64,
    /// What was decided.
    outcome: String,
    /// Queue.
    queue: String,
    /// How long the call had waited.
    waited_ms: u64,
    /// What made the distributor decide.
    trigger: String,
    /// By which rule a call was chosen.
    policy: String,
    /// By which rule an agent was chosen.
    choice: String,
    /// The first eligible call of each tier.
    heads: Vec<DecisionHead>,
    /// Free agents who could have taken the call.
    free: u32,
    /// The best of them besides the winner.
    others: Vec<DecisionOther>,
}

/// The first eligible call of a tier.
#[derive(Serialize, ToSchema)]
pub(crate) struct DecisionHead {
    /// Its key.
    call: String,
    /// Its tier.
    tier: String,
    /// How long it had waited.
    waited_ms: u64,
    /// What the policy made of it.
    rank: String,
    /// Whether it won.
    chosen: bool,
}

/// A free agent who did not get the call.
#[derive(Serialize, ToSchema)]
pub(crate) struct DecisionOther {
    /// Number.
    agent: String,
    /// Why not.
    why: String,
}

/// Why a call, live or ended, went to whom it went.
#[utoipa::path(
    get, path = "/api/v1/calls/{key}/decisions", tag = "calls", operation_id = "explainCall", params(("key" = String, Path)),
    responses((status = 200, description = "The decisions", body = Decisions), (status = 404, description = "There is no such thing", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn decisions(
    State(shared): State<Shared>,
    Path(text): Path<String>,
) -> ApiResult<Json<Decisions>> {
    let key: CallKey = key(&text, "call")?;
    let live = {
        let snapshot = shared.handles.snapshot.load();
        let call = snapshot.calls.iter().find(|call| call.key == key);
        call.map(|call| call.decisions.iter().map(|told| decision(told)).collect::<Vec<_>>())
    };
    if let Some(decisions) = live {
        return Ok(Json(Decisions { decisions }));
    }
    match shared.handles.store.decisions(key).await? {
        Some(told) => Ok(Json(Decisions { decisions: told.iter().map(decision).collect() })),
        None => Err(ApiError::not_found("no-such-call", "there is no such call")),
    }
}

fn decision(told: &Explained) -> Decision {
    let head = |head: &call::explain::Head| DecisionHead {
        call: head.call.clone(),
        tier: head.tier.clone(),
        waited_ms: head.waited_ms,
        rank: head.rank.clone(),
        chosen: head.chosen,
    };
    let other =
        |other: &call::explain::Other| DecisionOther { agent: other.agent.clone(), why: other.why.clone() };
    Decision {
        number: told.number,
        at_ms: told.at_ms,
        outcome: told.outcome.clone(),
        queue: told.queue.clone(),
        waited_ms: told.waited_ms,
        trigger: told.trigger.clone(),
        policy: told.policy.clone(),
        choice: told.choice.clone(),
        heads: told.heads.iter().map(head).collect(),
        free: told.free,
        others: told.others.iter().map(other).collect(),
    }
}

/// Ends a live call with BYE on every leg.
#[utoipa::path(
    delete, path = "/api/v1/calls/{key}", tag = "calls", operation_id = "endCall", params(("key" = String, Path)),
    responses(
        (status = 204, description = "Ended"), (status = 403, description = "The scope does not allow this", body = ErrorBody),
        (status = 404, description = "There is no such thing", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody),
    ),
    security(("token" = []))
)]
pub(crate) async fn hang_up(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    Path(text): Path<String>,
) -> ApiResult<StatusCode> {
    granted.require(Scope::Write)?;
    let key: CallKey = key(&text, "call")?;
    tracing::info!(token = granted.name, call = %key, "asked to end a call");
    ask(&shared, Admin::Hangup(key)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn live(call: &CallView, reveal: bool) -> LiveCall {
    LiveCall {
        key: call.key.to_string(),
        caller: shown(call.caller.reveal(), reveal),
        dialled: call.dialled.clone(),
        tier: call.tier.clone(),
        phase: call.phase,
        queue: call.queue.clone(),
        agent: call.agent.clone(),
        started_ms: call.started.0,
    }
}

fn ended(record: CallRecord, reveal: bool, with_steps: bool) -> EndedCall {
    let step = |step: call::record::Step| CallStep {
        at_ms: step.at_ms,
        what: step.what.word(),
        detail: step.detail,
    };
    EndedCall {
        key: record.key.to_string(),
        caller: shown(record.caller.reveal(), reveal),
        dialled: record.dialled,
        source: record.source,
        tier: record.tier_name,
        queue: record.queue,
        agent: record.agent,
        started_ms: record.started.0,
        answered_ms: record.answered.map(|at| at.0),
        ended_ms: record.ended.0,
        wait_ms: record.wait_ms,
        talk_ms: record.talk_ms,
        outcome: record.outcome.word(),
        survey: record.survey,
        steps: with_steps.then(|| record.steps.into_iter().map(step).collect()),
    }
}
