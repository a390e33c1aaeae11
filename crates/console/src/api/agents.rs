//! Agents and their states.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use call::admin::{Admin, AgentChange};
use call::view::AgentView;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ask, query};
use crate::auth::Granted;
use crate::config::Scope;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::state::Shared;

/// One agent.
#[derive(Serialize, ToSchema)]
pub(crate) struct Agent {
    /// Number.
    number: String,
    /// Name.
    name: String,
    /// `logged-out`, `not-ready`, `ready`, `reserved`, `talking` or `wrap-up`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Not-ready reason.
    reason: Option<u8>,
    /// Since when, milliseconds since 1970-01-01T00:00:00Z.
    since_ms: u64,
    /// Registered telephones.
    contacts: usize,
    /// Calls answered since the switch started.
    answered: u64,
}

/// Agents by number.
#[derive(Serialize, ToSchema)]
pub(crate) struct Agents {
    agents: Vec<Agent>,
}

/// What an agent's state is to become.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "state", deny_unknown_fields)]
pub(crate) enum NewState {
    /// Logged in, not ready until `ready`.
    Login {},
    /// Logged out.
    Logout {},
    /// Takes calls.
    Ready {},
    /// Takes no calls, for a reason.
    NotReady {
        /// Reason digit, 0 to 9.
        #[schema(maximum = 9)]
        reason: u8,
    },
    /// Wrap-up ends now.
    EndWrapUp {},
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentsQuery {
    /// Only in this state.
    state: Option<String>,
}

/// All agents, by number.
#[utoipa::path(
    get, path = "/api/v1/agents", tag = "agents", operation_id = "listAgents", params(AgentsQuery),
    responses((status = 200, description = "The agents", body = Agents), (status = 400, description = "Malformed request", body = ErrorBody)), security(("token" = []))
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    parameters: Result<Query<AgentsQuery>, QueryRejection>,
) -> ApiResult<Json<Agents>> {
    let asked = query(parameters)?;
    let snapshot = shared.handles.snapshot.load();
    let passes = |agent: &&AgentView| asked.state.as_deref().is_none_or(|state| state == agent.state);
    Ok(Json(Agents { agents: snapshot.agents.iter().filter(passes).map(body).collect() }))
}

/// One agent.
#[utoipa::path(
    get, path = "/api/v1/agents/{number}", tag = "agents", operation_id = "getAgent", params(("number" = String, Path)),
    responses((status = 200, description = "The agent", body = Agent), (status = 404, description = "There is no such thing", body = ErrorBody)), security(("token" = []))
)]
pub(crate) async fn show(State(shared): State<Shared>, Path(number): Path<String>) -> ApiResult<Json<Agent>> {
    let snapshot = shared.handles.snapshot.load();
    match snapshot.agents.iter().find(|agent| agent.number == number) {
        Some(agent) => Ok(Json(body(agent))),
        None => Err(ApiError::not_found("no-such-agent", "there is no such agent")),
    }
}

/// Changes an agent's state, as the feature codes do.
#[utoipa::path(
    post, path = "/api/v1/agents/{number}/state", tag = "agents", operation_id = "changeAgentState", params(("number" = String, Path)),
    request_body = NewState,
    responses(
        (status = 204, description = "Changed"), (status = 400, description = "Malformed request", body = ErrorBody), (status = 403, description = "The scope does not allow this", body = ErrorBody),
        (status = 404, description = "There is no such thing", body = ErrorBody), (status = 409, description = "Not possible in the present state", body = ErrorBody), (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 503, description = "The switch or the database does not answer now", body = ErrorBody),
    ),
    security(("token" = []))
)]
pub(crate) async fn change_state(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    Path(number): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> ApiResult<StatusCode> {
    granted.require(Scope::Write)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "the body is too large")
        }
        _ => ApiError::bad_request("the body cannot be read"),
    })?;
    let state: NewState = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a new state: {error}")))?;
    let change = match state {
        NewState::Login {} => AgentChange::Login,
        NewState::Logout {} => AgentChange::Logout,
        NewState::Ready {} => AgentChange::Ready,
        NewState::NotReady { reason: reason @ 0..=9 } => AgentChange::NotReady { reason },
        NewState::NotReady { .. } => return Err(ApiError::bad_request("reason must be 0 to 9")),
        NewState::EndWrapUp {} => AgentChange::EndWrapUp,
    };
    tracing::info!(token = granted.name, agent = number, ?change, "asked to change an agent's state");
    ask(&shared, Admin::Agent { number, change }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn body(agent: &AgentView) -> Agent {
    Agent {
        number: agent.number.clone(),
        name: agent.name.clone(),
        state: agent.state,
        reason: agent.reason,
        since_ms: agent.since.0,
        contacts: agent.contacts,
        answered: agent.answered,
    }
}
