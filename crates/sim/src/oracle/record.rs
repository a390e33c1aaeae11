//! Call records: one per call, its steps in an order that can have happened.

use call::record::{CallRecord, Outcome, Step, StepKind};

use super::Finding;

/// Where the caller is, by the steps so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Flow,
    Queue,
    /// So many agents are rung; more than one only where they are rung together.
    Rung(u32),
    Answered,
    Talk,
    Over,
}

/// What is wrong with a record, if anything is.
pub fn check(record: &CallRecord) -> Option<Finding> {
    let fault = order(record).or_else(|| times(record)).or_else(|| outcome(record));
    fault.map(|fault| format!("record {}: {fault}: {}", record.key, steps(record)))
}

fn steps(record: &CallRecord) -> String {
    let word = |step: &Step| format!("{} {} {}", step.at_ms, step.what.word(), step.detail);
    record.steps.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn order(record: &CallRecord) -> Option<String> {
    // A customer who is called back has offered nothing himself.
    let begins = if record.source == "callback" { StepKind::Dialled } else { StepKind::Offered };
    if record.steps.first().is_none_or(|step| step.what != begins) {
        return Some(format!("does not begin with {begins}"));
    }
    if record.steps.iter().filter(|step| step.what == StepKind::Offered).count() > 1 {
        return Some("is offered twice".to_owned());
    }
    let mut at = At::Flow;
    for step in &record.steps {
        at = match next(at, step, record.source == "callback") {
            Ok(next) => next,
            Err(fault) => return Some(format!("{fault} at {} ms", step.at_ms)),
        };
    }
    let last = record.steps.last()?;
    let ends = matches!(last.what, StepKind::HungUp | StepKind::Ended);
    (!ends).then(|| format!("ends with {}", last.what))
}

fn next(at: At, step: &Step, called_back: bool) -> Result<At, String> {
    let wrong = |what: &str| Err(format!("{what} while {at:?}"));
    let in_queue = matches!(at, At::Queue | At::Rung(_) | At::Answered);
    match step.what {
        _ if at == At::Over => wrong("a step after the end"),
        StepKind::Queued if matches!(at, At::Flow | At::Talk) => Ok(At::Queue),
        StepKind::Queued => wrong("queued"),
        StepKind::Presented => match at {
            At::Queue => Ok(At::Rung(1)),
            At::Rung(agents) => Ok(At::Rung(agents + 1)),
            _ => wrong("presented"),
        },
        StepKind::Withdrawn | StepKind::Declined => match at {
            At::Rung(agents) if agents > 1 => Ok(At::Rung(agents - 1)),
            At::Rung(_) | At::Answered => Ok(At::Queue),
            // The customer whom we call back is no agent.
            At::Flow if called_back && step.what == StepKind::Declined => Ok(At::Flow),
            _ => wrong(step.what.word()),
        },
        StepKind::AgentAnswered if at == At::Rung(1) => Ok(At::Answered),
        StepKind::AgentAnswered => wrong("answered by an agent"),
        StepKind::Bridged if matches!(at, At::Flow | At::Answered | At::Talk) => Ok(At::Talk),
        StepKind::Bridged => wrong("bridged"),
        StepKind::Overflowed | StepKind::Abandoned if in_queue => Ok(At::Flow),
        StepKind::Overflowed | StepKind::Abandoned => wrong("left the queue"),
        StepKind::Deflected if in_queue => Ok(At::Flow),
        _ => Ok(at),
    }
}

fn times(record: &CallRecord) -> Option<String> {
    let mut last = 0;
    for step in &record.steps {
        if step.at_ms < last {
            return Some(format!("time runs backwards at {} ms", step.at_ms));
        }
        last = step.at_ms;
    }
    let length = record.ended.0.saturating_sub(record.started.0);
    if last > length + 1 {
        return Some(format!("its last step comes {} ms after its end", last - length));
    }
    let ended = record.steps.last().map(|step| step.at_ms)?;
    if length > ended + 1 {
        return Some("it ends after its last step".to_owned());
    }
    (record.wait_ms + record.talk_ms > length + 1)
        .then(|| format!("waits {} ms and talks {} ms of {length}", record.wait_ms, record.talk_ms))
}

fn outcome(record: &CallRecord) -> Option<String> {
    let has = |what: StepKind| record.steps.iter().any(|step| step.what == what);
    let fits = match record.outcome {
        Outcome::Answered => has(StepKind::Bridged) && record.agent.is_some(),
        Outcome::Abandoned => has(StepKind::Abandoned),
        Outcome::Deflected => has(StepKind::Deflected),
        Outcome::Outbound => has(StepKind::Bridged),
        Outcome::Refused => record.answered.is_none(),
        Outcome::NotReached => record.answered.is_none() && has(StepKind::Dialled),
        Outcome::SelfService | Outcome::LeftEarly | Outcome::Failed => true,
    };
    (!fits).then(|| format!("its outcome {} does not follow", record.outcome))
}
