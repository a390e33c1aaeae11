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
    answer_rate_floor: f64,
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

impl Tier {
    /// As everywhere: answered / offered; who still waits counts as not answered.
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    fn rate(&self) -> Option<f64> {
        (self.offered > 0).then(|| self.answered as f64 / self.offered as f64)
    }

    /// Whether the contract was kept, as far as so few calls can tell.
    fn verdict(&self) -> &'static str {
        let Some(rate) = self.rate() else { return "nobody called" };
        let chance = wilson_upper(rate, self.offered);
        if rate >= self.answer_rate_promised {
            "promise kept"
        } else if chance >= self.answer_rate_promised {
            "kept, within chance"
        } else if rate >= self.answer_rate_floor {
            "floor kept"
        } else if chance >= self.answer_rate_floor {
            "floor within chance"
        } else {
            "BELOW THE FLOOR"
        }
    }
}

/// Upper bound of Wilson's interval (95 %): the greatest rate that would not be surprised by what was seen.
#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn wilson_upper(rate: f64, calls: u64) -> f64 {
    const Z: f64 = 1.96;
    let n = calls.max(1) as f64;
    let middle = rate + Z * Z / (2.0 * n);
    let spread = Z * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    (middle + spread) / (1.0 + Z * Z / n)
}

impl Display for Table {
    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (offered, answered) =
            self.0.iter().fold((0, 0), |(o, a), (tier, _)| (o + tier.offered, a + tier.answered));
        writeln!(
            out,
            "{offered} callers asked for a person, {answered} were answered: {:.1} times as many as there was time for.\n",
            offered as f64 / answered.max(1) as f64
        )?;
        writeln!(
            out,
            "  {:<10} {:>8} {:>9} {:>8} {:>8} {:>7}   {:<20} {:>9} {:>9} {:>9} {:>6} {:>8}",
            "tier",
            "offered",
            "answered",
            "rate",
            "promise",
            "floor",
            "verdict",
            "mean wait",
            "p95 wait",
            "gave up",
            "other",
            "waiting"
        )?;
        for (tier, waits) in &self.0 {
            let mean = (!waits.is_empty()).then(|| waits.iter().sum::<u64>() / waits.len() as u64);
            let p95 = waits.get((waits.len() * 95).div_ceil(100).saturating_sub(1)).copied();
            writeln!(
                out,
                "  {:<10} {:>8} {:>9} {:>8} {:>8} {:>7}   {:<20} {:>9} {:>9} {:>9} {:>6} {:>8}",
                tier.name,
                tier.offered,
                tier.answered,
                tier.rate().map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0)),
                format!("{:.0} %", tier.answer_rate_promised * 100.0),
                format!("{:.0} %", tier.answer_rate_floor * 100.0),
                tier.verdict(),
                seconds(mean),
                seconds(p95),
                tier.abandoned,
                tier.deflected + tier.overflowed,
                tier.waiting,
            )?;
        }
        writeln!(
            out,
            "\n  other: led to a callback, self-service or another queue. Rates count who still waits as not answered."
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(offered: u64, answered: u64) -> Tier {
        Tier {
            name: "gold".to_owned(),
            answer_rate_promised: 0.95,
            answer_rate_floor: 0.75,
            offered,
            answered,
            abandoned: offered - answered,
            deflected: 0,
            overflowed: 0,
            waiting: 0,
        }
    }

    #[test]
    fn a_verdict_knows_how_little_few_calls_tell() {
        let verdicts = [(0, 0), (100, 96), (10, 9), (100, 88), (4, 2), (100, 60)];
        let told = verdicts.map(|(offered, answered)| tier(offered, answered).verdict());
        assert_eq!(
            told,
            [
                "nobody called",
                "promise kept",
                "kept, within chance",
                "floor kept",
                "floor within chance",
                "BELOW THE FLOOR"
            ]
        );
    }
}
