//! A call record as text: in the spool's lines and in the steps' column.

use base::{CallKey, Pii, TierKey, UnixMillis};
use call::explain::Explained;
use call::record::{CallRecord, Outcome, Step};
use serde::{Deserialize, Serialize};

/// One record as a line of the spool. Fields may be added with a default; none may change its meaning:
/// a spool outlives the program that wrote it.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: u64,
    caller: String,
    dialled: String,
    source: String,
    tier: u8,
    tier_name: String,
    queue: Option<String>,
    agent: Option<String>,
    started: u64,
    answered: Option<u64>,
    ended: u64,
    wait_ms: u64,
    talk_ms: u64,
    outcome: Outcome,
    survey: Option<u8>,
    steps: Vec<Step>,
    #[serde(default)]
    decisions: Vec<Explained>,
}

/// Appends `record` as one line of JSON, without the line's end.
pub(crate) fn to_json(record: &CallRecord, out: &mut Vec<u8>) {
    let stored = Stored {
        key: record.key.0,
        caller: record.caller.reveal().clone(),
        dialled: record.dialled.clone(),
        source: record.source.clone(),
        tier: record.tier.0,
        tier_name: record.tier_name.clone(),
        queue: record.queue.clone(),
        agent: record.agent.clone(),
        started: record.started.0,
        answered: record.answered.map(|at| at.0),
        ended: record.ended.0,
        wait_ms: record.wait_ms,
        talk_ms: record.talk_ms,
        outcome: record.outcome,
        survey: record.survey,
        steps: record.steps.clone(),
        decisions: record.decisions.clone(),
    };
    // Plain data into memory: there is nothing that can fail, and a cut line would fail its checksum.
    let _ = serde_json::to_writer(out, &stored);
}

/// The record of one line, `None` if it is not one.
pub(crate) fn from_json(line: &[u8]) -> Option<CallRecord> {
    let stored: Stored = serde_json::from_slice(line).ok()?;
    Some(CallRecord {
        key: CallKey(stored.key),
        caller: Pii::new(stored.caller),
        dialled: stored.dialled,
        source: stored.source,
        tier: TierKey(stored.tier),
        tier_name: stored.tier_name,
        queue: stored.queue,
        agent: stored.agent,
        started: UnixMillis(stored.started),
        answered: stored.answered.map(UnixMillis),
        ended: UnixMillis(stored.ended),
        wait_ms: stored.wait_ms,
        talk_ms: stored.talk_ms,
        outcome: stored.outcome,
        survey: stored.survey,
        steps: stored.steps,
        decisions: stored.decisions,
    })
}

pub(crate) fn steps_to_json(steps: &[Step]) -> String {
    // PostgreSQL has no NUL in a text, escaped or not.
    if steps.iter().any(|step| step.detail.contains('\0')) {
        let clean = |step: &Step| Step { detail: step.detail.replace('\0', "\u{fffd}"), ..step.clone() };
        return steps_to_json(&steps.iter().map(clean).collect::<Vec<Step>>());
    }
    serde_json::to_string(steps).unwrap_or_else(|_| "[]".to_owned())
}

pub(crate) fn steps_from_json(json: &str) -> Option<Vec<Step>> {
    serde_json::from_str(json).ok()
}

pub(crate) fn decisions_to_json(decisions: &[Explained]) -> String {
    serde_json::to_string(decisions).unwrap_or_else(|_| "[]".to_owned())
}

pub(crate) fn decisions_from_json(json: &str) -> Option<Vec<Explained>> {
    serde_json::from_str(json).ok()
}
