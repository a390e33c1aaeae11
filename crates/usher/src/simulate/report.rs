//! Outcomes for people and for programs.

use core::fmt::Write;

use serde_json::{Map, Value, json};
use sim::centre::{Load, Outcome, Scenario, TierOutcome};

/// One JSON object, the keys as docs/SIMULATOR.md says.
pub fn json(outcome: &Outcome) -> String {
    format!("{}\n", object(outcome))
}

/// A list of such objects.
pub(super) fn json_list(outcomes: &[Outcome]) -> String {
    format!("{}\n", Value::Array(outcomes.iter().map(object).collect()))
}

fn object(outcome: &Outcome) -> Value {
    let mut total = tier_object(&outcome.total);
    total.insert("occupancy".to_owned(), rounded(Some(outcome.occupancy)));
    let tiers: Vec<Value> = outcome.tiers.iter().map(|tier| Value::Object(tier_object(tier))).collect();
    json!({ "seed": outcome.seed, "policy": outcome.policy.word(), "tiers": tiers, "total": total })
}

fn tier_object(tier: &TierOutcome) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("name", json!(*tier.name));
    put("offered", json!(tier.offered));
    put("answered", json!(tier.answered));
    put("abandoned", json!(tier.abandoned));
    put("deflected", json!(tier.deflected));
    put("answer_rate", rounded(tier.answer_rate()));
    put("service_level", rounded(tier.service_level()));
    put("asa_s", rounded(tier.asa_s()));
    put("p95_wait_s", rounded(tier.waits.quantile_s(0.95)));
    put("max_wait_s", rounded((tier.waits.count > 0).then_some(tier.waits.max_s)));
    // Only where there are any: most scenarios have neither callbacks nor full queues.
    if tier.called_back > 0 {
        put("called_back", json!(tier.called_back));
        put("callback_delay_s", rounded(tier.callback_delay_s()));
    }
    if tier.overflowed > 0 {
        put("overflowed", json!(tier.overflowed));
    }
    object
}

/// Six decimals are more than any of these numbers is worth.
fn rounded(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| json!((value * 1e6).round() / 1e6))
}

/// Rates of fewer calls than this are noise.
const CALLS_MIN: u64 = 30;

/// A table for people.
pub fn table(scenario: &Scenario, outcome: &Outcome) -> String {
    let mut text = heading(scenario, Some(outcome));
    let total = &outcome.total;
    let (called_back, overflowed) = (total.called_back + total.deflected > 0, total.overflowed > 0);
    let mut heads = vec!["tier", "offered", "answered", "", "promised", "floor", "in time", "mean wait"];
    heads.extend(["95 % within", "longest", "gave up"]);
    heads.extend(called_back.then_some(["called back", "to call back"]).into_iter().flatten());
    heads.extend(overflowed.then_some("overflowed"));
    let mut rows = vec![heads.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for (at, tier) in outcome.tiers.iter().chain([total]).enumerate() {
        let contract = scenario.tiers.get(at).map(|tier| tier.contract);
        let range = tier.answer_rate_range().filter(|_| tier.offered >= CALLS_MIN);
        let mut row = vec![
            tier.name.to_string(),
            grouped(tier.offered),
            percent(tier.answer_rate()),
            range.map_or(String::new(), |(low, high)| format!("±{:.1}", (high - low) * 50.0)),
            percent(contract.map(|contract| contract.target)),
            percent(contract.map(|contract| contract.floor)),
            percent(tier.service_level()),
            seconds(tier.asa_s()),
            seconds(tier.waits.quantile_s(0.95)),
            seconds((tier.waits.count > 0).then_some(tier.waits.max_s)),
            grouped(tier.abandoned),
        ];
        if called_back {
            row.extend([grouped(tier.called_back), grouped(tier.deflected)]);
        }
        if overflowed {
            row.push(grouped(tier.overflowed));
        }
        rows.push(row);
    }
    lay_out(&mut text, &rows);
    reasons(&mut text, scenario, outcome);
    text
}

/// Percent answered by what the callers called for.
fn reasons(text: &mut String, scenario: &Scenario, outcome: &Outcome) {
    if outcome.reasons.is_empty() {
        return;
    }
    text.push('\n');
    let names = scenario.tiers.iter().map(|tier| tier.name.to_string());
    let mut rows = vec![["answered for".to_owned()].into_iter().chain(names).collect::<Vec<_>>()];
    for (reason, tiers) in scenario.reasons.iter().zip(&outcome.reasons) {
        let rate =
            |part: &sim::centre::Bin| percent(part.answer_rate().filter(|_| part.offered >= CALLS_MIN));
        rows.push([reason.name.to_string()].into_iter().chain(tiers.iter().map(rate)).collect());
    }
    lay_out(text, &rows);
}

/// The same callers under several policies: answer rate / in time / wait that 95 % of the answered do not exceed.
pub fn compared(scenario: &Scenario, outcomes: &[Outcome]) -> String {
    let mut text = heading(scenario, None);
    text.push_str("answered % / in time % / 95 % within s\n");
    let names = scenario.tiers.iter().map(|tier| tier.name.to_string());
    let mut heads = vec!["policy".to_owned()];
    heads.extend(names.chain(["all".to_owned(), "occupancy".to_owned()]));
    let mut rows = vec![heads];
    for outcome in outcomes {
        let mut row = vec![outcome.policy.word().to_owned()];
        row.extend(outcome.tiers.iter().chain([&outcome.total]).map(cell));
        row.push(percent(Some(outcome.occupancy)));
        rows.push(row);
    }
    lay_out(&mut text, &rows);
    text
}

/// `97.4 / 96.0 / 10`.
pub(super) fn cell(tier: &TierOutcome) -> String {
    let percent = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.1}", rate * 100.0));
    let p95 = tier.waits.quantile_s(0.95).map_or("-".to_owned(), |s| format!("{s:.0}"));
    format!("{} / {} / {p95}", percent(tier.answer_rate()), percent(tier.service_level()))
}

fn heading(scenario: &Scenario, outcome: Option<&Outcome>) -> String {
    let load = match &scenario.load {
        Load::Rho(rho) => format!("load {rho}"),
        Load::CallsPerHour(hours) => {
            let most = hours.iter().fold(0.0f64, |most, calls| most.max(*calls));
            format!("up to {} calls an hour", grouped(most as u64))
        }
        Load::Recorded(visitors) => format!("{} recorded calls", grouped(visitors.len() as u64)),
    };
    let agents = grouped(scenario.agents().into());
    let mut text = format!("{agents} agents, {load}, {} h, seed {}", scenario.hours, scenario.seed);
    if let Some(outcome) = outcome {
        let busy = percent(Some(outcome.occupancy));
        // Writing to a String cannot fail.
        let _ = write!(text, ", policy {}, agents busy {busy}", outcome.policy.word());
    }
    text.push('\n');
    text
}

/// Columns as wide as their longest cell, the first to the left, the others to the right.
pub(super) fn lay_out(text: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match at {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

pub(super) fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} s"))
}

/// Thousands apart: `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([7, 1_000, 1_234_567].map(grouped), ["7", "1,000", "1,234,567"]);
        assert_eq!(percent(Some(0.9746)), "97.5 %");
        let mut text = String::new();
        let rows = [vec!["tier".to_owned(), "n".to_owned()], vec!["gold".to_owned(), "123".to_owned()]];
        lay_out(&mut text, &rows);
        assert_eq!(text, "tier    n\ngold  123\n");
    }
}
