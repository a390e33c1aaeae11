//! What the switch shows to the outside: snapshots for the API and metrics, notices for the event stream.

use std::sync::Arc;

use base::{CallKey, Pii, UnixMillis};
use serde::Serialize;

use crate::explain::Explained;
use crate::record::StepKind;

/// The switch at one instant. Built by the switch on request, read by other threads without a lock.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Live calls, oldest first.
    pub calls: Vec<CallView>,
    /// Agents by number.
    pub agents: Vec<AgentView>,
    /// Queues in the order of the config.
    pub queues: Vec<QueueView>,
    /// Tiers in value order.
    pub tiers: Vec<TierView>,
    /// Trunks in the order of the config.
    pub trunks: Vec<TrunkView>,
    /// Monotonic counters by metric name, for example `("sip_requests", "INVITE", 17)`.
    pub counters: Vec<Counter>,
    /// What the contracts need at the load of the last minutes, for the whole house; `None`: nobody calls.
    pub feasibility: Option<FeasibilityView>,
    /// Whether new calls are refused because the switch drains.
    pub draining: bool,
}

/// One monotonic counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Metric name without the `usher_` prefix and `_total` suffix.
    pub name: &'static str,
    /// Value of its one label, empty if it has none.
    pub label: String,
    /// Value.
    pub value: u64,
}

/// A live call.
#[derive(Clone, Debug, Serialize)]
pub struct CallView {
    /// Key, as printed.
    #[serde(serialize_with = "display")]
    pub key: CallKey,
    /// Caller's number, for the API's authorised readers only.
    #[serde(skip)]
    pub caller: Pii<String>,
    /// Number dialled.
    pub dialled: String,
    /// Tier name.
    pub tier: String,
    /// `flow`, `queued`, `ringing`, `talking`, `survey`, `outbound`.
    pub phase: &'static str,
    /// Queue, if any.
    pub queue: Option<String>,
    /// Agent rung or talking, if any.
    pub agent: Option<String>,
    /// When the INVITE came.
    #[serde(serialize_with = "millis")]
    pub started: UnixMillis,
    /// Why it went to whom it went so far.
    #[serde(skip)]
    pub decisions: Vec<Arc<Explained>>,
}

/// An agent.
#[derive(Clone, Debug, Serialize)]
pub struct AgentView {
    /// Number.
    pub number: String,
    /// Name.
    pub name: String,
    /// `logged-out`, `not-ready`, `ready`, `reserved`, `talking`, `wrap-up`.
    pub state: &'static str,
    /// Not-ready reason.
    pub reason: Option<u8>,
    /// Since when.
    #[serde(serialize_with = "millis")]
    pub since: UnixMillis,
    /// Registered contacts.
    pub contacts: usize,
    /// Calls answered since start.
    pub answered: u64,
}

/// A queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueueView {
    /// Name.
    pub name: String,
    /// Calls waiting now.
    pub waiting: usize,
    /// Longest wait now, ms.
    pub longest_wait_ms: u64,
    /// Agents ready now who serve it.
    pub agents_ready: usize,
    /// Agents logged in who serve it.
    pub agents_logged_in: usize,
    /// Agents on duty who serve it: logged in, reachable, and not "not ready".
    pub agents_on_duty: usize,
    /// Its rung of the ladder of overload, 0-4.
    pub overload: u8,
}

/// A tier since start.
#[derive(Clone, Debug, Serialize)]
pub struct TierView {
    /// Name.
    pub name: String,
    /// Promised answer rate, 0-1.
    pub target: f64,
    /// Answer rate kept whatever the load, 0-1.
    pub floor: f64,
    /// Calls that entered a queue.
    pub offered: u64,
    /// Calls that an agent answered.
    pub answered: u64,
    /// Calls whose caller gave up.
    pub abandoned: u64,
    /// Calls led to callback or self-service.
    pub deflected: u64,
    /// Calls that left by overflow to something other than a queue.
    pub overflowed: u64,
    /// Calls waiting now.
    pub waiting: u64,
    /// Of those offered, customers who were called back as promised.
    pub called_back: u64,
    /// Calls promoted into the tier less calls promoted out of it.
    pub moved: i64,
    /// The controller's state, if the policy has one.
    pub control: Option<Control>,
    /// How right the expected wait has been.
    pub wait_error: WaitErrorView,
    /// Waits of answered calls by bucket: `(upper bound in ms, count)`, not cumulative; the last bound is `u64::MAX`.
    pub waits_ms: Vec<(u64, u64)>,
    /// Sum of waits of answered calls, ms.
    pub wait_ms_sum: u64,
    /// Expected wait of a call offered now, ms.
    pub expected_wait_ms: Option<u64>,
}

/// Agents that the contracts need, beside those on duty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FeasibilityView {
    /// Agents on duty.
    pub on_duty: u32,
    /// Agents needed to keep every target; `None`: more than a million.
    pub for_targets: Option<u32>,
    /// Agents needed to keep every floor.
    pub for_floors: Option<u32>,
    /// Calls per hour.
    pub calls_per_hour: f64,
    /// Answer rate that the agents on duty can reach for all calls together.
    pub reachable: f64,
}

/// A tier in the controller, where it is owed most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Control {
    /// Calls owed to the floor (negative: ahead).
    pub floor_debt: f64,
    /// Calls owed to the target (negative: ahead).
    pub target_debt: f64,
    /// Calls owed in time (negative: ahead).
    pub in_time_debt: f64,
    /// Agents kept free for this tier and those above.
    pub reserve: f64,
    /// The band that a call coming now would be in: 0 calm, 1 in time, 2 target, 3 floor.
    pub band: u8,
}

/// How right the expected wait of a tier has been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WaitErrorView {
    /// Answered calls for which one was worked out.
    pub calls: u64,
    /// Mean absolute error, seconds.
    pub mean_abs_s: f64,
    /// Mean error, seconds: positive when waits were shorter than expected.
    pub bias_s: f64,
    /// Calls that were told "within".
    pub told: u64,
    /// Of these, answered within.
    pub told_right: u64,
}

/// A trunk.
#[derive(Clone, Debug, Serialize)]
pub struct TrunkView {
    /// Name.
    pub name: String,
    /// Live calls.
    pub calls: usize,
    /// Calls since start.
    pub calls_total: u64,
    /// Calls refused since start (limits, drain).
    pub refused_total: u64,
    /// Whether its OPTIONS are answered; `None` if it is not asked.
    pub reachable: Option<bool>,
}

/// One change, for the event stream.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Notice {
    /// A call took a step.
    Call {
        /// Wall time, ms.
        #[serde(serialize_with = "millis")]
        at: UnixMillis,
        /// The call.
        #[serde(serialize_with = "display")]
        call: CallKey,
        /// What happened.
        what: StepKind,
        /// With whom or what.
        detail: String,
    },
    /// An agent changed state.
    Agent {
        /// Wall time, ms.
        #[serde(serialize_with = "millis")]
        at: UnixMillis,
        /// Number.
        number: String,
        /// New state, as in [`AgentView::state`].
        state: &'static str,
        /// Not-ready reason.
        reason: Option<u8>,
    },
}

fn display<T: core::fmt::Display, S: serde::Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(value)
}

fn millis<S: serde::Serializer>(value: &UnixMillis, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_u64(value.0)
}
