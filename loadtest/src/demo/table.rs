//! The switch's own account of the run, tier by tier.

use std::fmt::{self, Display, Formatter};

use serde::Deserialize;
use serde_json::{Value, from_value};

use super::http::Api;

/// Ended calls per page of the API.
const PAGE: usize = 1000;
/// Pages that are read at most.
const PAGES_MAX: usize = 100;

#[derive(Clone, Debug, Deserialize)]
struct Tier {
    name: String,
    answer_rate_promised: f64,
    offered: u64,
    answered: u64,
    abandoned: u64,
    deflected: u64,
    overflowed: u64,
    waiting: u64,
}

impl Tier {
    fn since(&self, before: &Tier) -> Tier {
        Tier {
            offered: self.offered.saturating_sub(before.offered),
            answered: self.answered.saturating_sub(before.answered),
            abandoned: self.abandoned.saturating_sub(before.abandoned),
            deflected: self.deflected.saturating_sub(before.deflected),
            overflowed: self.overflowed.saturating_sub(before.overflowed),
            ..self.clone()
        }
    }
}

/// The counters of all tiers at one instant.
#[derive(Clone, Debug)]
pub(super) struct Counters(Vec<Tier>);

impl Counters {
    pub(super) async fn read(api: &Api) -> Result<Counters, String> {
        let tiers = api.get("/api/v1/tiers").await?.get_mut("tiers").map(Value::take).unwrap_or_default();
        from_value(tiers).map(Counters).map_err(|error| format!("/api/v1/tiers: {error}"))
    }

    /// What happened since `before`.
    pub(super) fn since(&self, before: &Counters) -> Counters {
        let tier = |tier: &Tier| match before.0.iter().find(|before| before.name == tier.name) {
            Some(before) => tier.since(before),
            None => tier.clone(),
        };
        Counters(self.0.iter().map(tier).collect())
    }

    pub(super) fn answered(&self) -> u64 {
        self.0.iter().map(|tier| tier.answered).sum()
    }

    pub(super) fn waiting(&self) -> u64 {
        self.0.iter().map(|tier| tier.waiting).sum()
    }

    pub(super) fn abandoned(&self) -> u64 {
        self.0.iter().map(|tier| tier.abandoned).sum()
    }
}

/// Waits of the answered calls that began at or after `from_ms`, by tier, in milliseconds.
async fn waits(api: &Api, tier: &str, from_ms: u128) -> Result<Vec<u64>, String> {
    let (mut waits, mut before) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let path = format!(
            "/api/v1/calls/history?tier={tier}&outcome=answered&from_ms={from_ms}&limit={PAGE}{before}"
        );
        let page = api.get(&path).await?;
        let calls = page.get("calls").and_then(Value::as_array).cloned().unwrap_or_default();
        waits.extend(calls.iter().filter_map(|call| call.get("wait_ms")?.as_u64()));
        match page.get("next").and_then(Value::as_str) {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    waits.sort_unstable();
    Ok(waits)
}

/// The table.
pub(super) struct Table(Vec<(Tier, Vec<u64>)>);

impl Table {
    pub(super) async fn read(api: &Api, counters: &Counters, from_ms: u128) -> Result<Table, String> {
        let mut rows = Vec::new();
        for tier in &counters.0 {
            rows.push((tier.clone(), waits(api, &tier.name, from_ms).await?));
        }
        Ok(Table(rows))
    }
}

impl Display for Table {
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "  {:<10} {:>8} {:>9} {:>12} {:>9} {:>11} {:>10} {:>10} {:>7} {:>8}",
            "tier",
            "offered",
            "answered",
            "answer rate",
            "promised",
            "mean wait",
            "p95 wait",
            "abandoned",
            "other",
            "waiting"
        )?;
        for (tier, waits) in &self.0 {
            // As everywhere: answered / offered; who still waits counts as not answered.
            let rate = (tier.offered > 0).then(|| tier.answered as f64 / tier.offered as f64);
            let mean = (!waits.is_empty()).then(|| waits.iter().sum::<u64>() / waits.len() as u64);
            let p95 = waits.get((waits.len() * 95).div_ceil(100).saturating_sub(1)).copied();
            writeln!(
                out,
                "  {:<10} {:>8} {:>9} {:>12} {:>9} {:>11} {:>10} {:>10} {:>7} {:>8}",
                tier.name,
                tier.offered,
                tier.answered,
                rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0)),
                format!("{:.0} %", tier.answer_rate_promised * 100.0),
                seconds(mean),
                seconds(p95),
                tier.abandoned,
                tier.deflected + tier.overflowed,
                tier.waiting,
            )?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0))
}
