//! Yesterday's call records as the load: the same callers at the same times, before tomorrow's tiers, agents or
//! policy.

use std::path::Path;
use std::sync::Arc;

use base::{CallKey, Rng, Seed, UnixMillis};
use call::record::{CallRecord, Outcome, StepKind};
use call::settings::Settings;
use sim::centre::{Load, Scenario, Spread, Tier, Visitor};

use crate::cli::Failure;
use crate::config::{self, keys::KeyBook};

/// Most records of a replay.
const CALLS_MAX: usize = 2_000_000;
const DAY_MS: u64 = 86_400_000;

/// The scenario of the records of `range`, before the configuration's tiers, queues and agents, all on duty.
///
/// # Errors
/// A range that is none, a configuration with mistakes, a database that refuses, no call in the range.
pub(super) fn scenario(range: &str, folder: &Path) -> Result<Scenario, Failure> {
    let loaded = config::load(folder, &mut KeyBook::default()).map_err(Failure::Findings)?;
    let (from, to) = span(range, loaded.main.utc_offset_s).ok_or_else(|| {
        Failure::Usage(format!(
            "--replay {range}: a time is 2026-03-01 or 2026-03-01T08:30; a range FROM..TO, TO not included"
        ))
    })?;
    let records = crate::block_on(read(&loaded.main.store.url, from, to))?;
    let settings = &loaded.settings;
    let taken: Vec<Seen> = records.iter().filter_map(|record| seen(record, settings, from)).collect();
    if taken.is_empty() {
        return Err(Failure::Usage(format!("--replay {range}: no call of that time entered a queue")));
    }
    let share =
        |tier: usize| taken.iter().filter(|seen| seen.tier == tier).count() as f64 / taken.len() as f64;
    let patience_s = mean_patience_s(&taken);
    let contracts = settings.tiers.iter().zip(&settings.acd.tiers).enumerate();
    let tiers = contracts.map(|(at, (tier, contract))| Tier {
        name: tier.name.as_str().into(),
        share: share(at),
        contract: *contract,
        patience: Spread::exponential(patience_s),
        handle_time: None,
        skills: acd::Requirement::none(),
    });
    let seed = 1;
    Ok(Scenario {
        seed,
        hours: (to.0 - from.0) as f64 / 3_600_000.0,
        warmup_hours: 0.0,
        policy: settings.acd.policy,
        agent_choice: settings.acd.agent_choice,
        groups: Vec::new(),
        handle_time: Spread::exponential(mean_talk_s(&taken)),
        tiers: tiers.collect(),
        reasons: Vec::new(),
        load: Load::Recorded(visitors(&taken, seed).into()),
        callback: None,
        index: Vec::new(),
        house: Some(Arc::new(settings.acd.clone())),
    })
}

/// What a record says of a caller who wanted a person.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    at_s: f64,
    tier: usize,
    queue: usize,
    wait_s: f64,
    /// Answered: how long they talked.
    talk_s: Option<f64>,
    /// He gave up: what he waited is his patience.
    gave_up: bool,
}

fn seen(record: &CallRecord, settings: &Settings, from: UnixMillis) -> Option<Seen> {
    let name = record.queue.as_ref()?;
    let queue = settings.acd.queues.iter().position(|queue| *queue.name == **name)?;
    let queued_ms =
        record.steps.iter().find(|step| step.what == StepKind::Queued).map_or(0, |step| step.at_ms);
    let by_name = settings.tiers.iter().position(|tier| tier.name == record.tier_name);
    Some(Seen {
        at_s: (record.started.0 + queued_ms).saturating_sub(from.0) as f64 / 1000.0,
        tier: by_name.unwrap_or(record.tier.index()).min(settings.tiers.len().max(1) - 1),
        queue,
        wait_s: record.wait_ms as f64 / 1000.0,
        talk_s: (record.outcome == Outcome::Answered).then_some(record.talk_ms as f64 / 1000.0),
        gave_up: record.outcome == Outcome::Abandoned,
    })
}

/// By all the waits per caller who gave up: whoever was answered had at least as much patience as he waited.
/// Infinite if nobody gave up.
fn mean_patience_s(seen: &[Seen]) -> f64 {
    let waited_s: f64 = seen.iter().map(|seen| seen.wait_s).sum();
    let gave_up = seen.iter().filter(|seen| seen.gave_up).count();
    if gave_up == 0 { f64::INFINITY } else { waited_s.max(1.0) / gave_up as f64 }
}

/// Where nobody was answered.
const TALK_S: f64 = 180.0;

fn mean_talk_s(seen: &[Seen]) -> f64 {
    let talks: Vec<f64> = seen.iter().filter_map(|seen| seen.talk_s).collect();
    if talks.is_empty() { TALK_S } else { talks.iter().sum::<f64>() / talks.len() as f64 }
}

/// The callers as they were, and what nobody saw drawn: how much longer the answered would have waited (exponential),
/// how long the others would have talked (as somebody else of their tier did).
fn visitors(seen: &[Seen], seed: u64) -> Vec<Visitor> {
    let stream = |purpose| Rng::new(Seed([seed, purpose]));
    let (mut patience, mut talk, mut mood) = (stream(5), stream(4), stream(6));
    let more = Spread::exponential(mean_patience_s(seen));
    let talks = |tier: Option<usize>| -> Vec<f64> {
        seen.iter()
            .filter(|seen| tier.is_none_or(|tier| seen.tier == tier))
            .filter_map(|seen| seen.talk_s)
            .collect()
    };
    let tiers = seen.iter().map(|seen| seen.tier).max().map_or(0, |last| last + 1);
    let by_tier: Vec<Vec<f64>> = (0..tiers).map(|tier| talks(Some(tier))).collect();
    let all = talks(None);
    let mut visitors: Vec<Visitor> = seen
        .iter()
        .map(|caller| {
            let own = by_tier.get(caller.tier).filter(|own| !own.is_empty()).unwrap_or(&all);
            let drawn = own.get(talk.below(own.len() as u64) as usize).copied().unwrap_or(TALK_S);
            let longer_s = more.draw(&mut patience);
            Visitor {
                at_s: caller.at_s,
                tier: caller.tier,
                reason: caller.queue,
                handle_s: caller.talk_s.unwrap_or(drawn),
                patience_s: if caller.gave_up { caller.wait_s } else { caller.wait_s + longer_s },
                mood: mood.unit(),
            }
        })
        .collect();
    visitors.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    visitors
}

async fn read(url: &str, from: UnixMillis, to: UnixMillis) -> Result<Vec<CallRecord>, Failure> {
    let refused = |error: store::StoreError| Failure::System(error.to_string());
    let store = store::Store::open(url).await.map_err(refused)?;
    let mut records: Vec<CallRecord> = Vec::new();
    let mut before: Option<CallKey> = None;
    loop {
        let filter = store::CallFilter { from: Some(from), to: Some(to), before, ..Default::default() };
        let page = store.calls(&filter).await.map_err(refused)?;
        before = page.last().map(|record| record.key);
        // Calls that never wanted a person are no load.
        records.extend(page.into_iter().filter(|record| record.queue.is_some()));
        if before.is_none() {
            break;
        }
        if records.len() > CALLS_MAX {
            store.close().await;
            return Err(Failure::Usage(format!(
                "--replay: more than {CALLS_MAX} calls; take a shorter time"
            )));
        }
    }
    store.close().await;
    Ok(records)
}

/// `FROM..TO` in the time of the house.
fn span(range: &str, utc_offset_s: i32) -> Option<(UnixMillis, UnixMillis)> {
    let (from, to) = range.split_once("..")?;
    let utc = |text: &str| {
        let local_ms = i64::try_from(local_ms(text)?).ok()?;
        u64::try_from(local_ms - i64::from(utc_offset_s) * 1000).ok().map(UnixMillis)
    };
    let (from, to) = (utc(from.trim())?, utc(to.trim())?);
    (from < to).then_some((from, to))
}

/// `2026-03-01` or `2026-03-01T08:30` in ms since 1970-01-01T00:00.
fn local_ms(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute) = (hour.parse::<u64>().ok()?, minute.parse::<u64>().ok()?);
    let days_in_month = match month {
        2 => 28 + u64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=days_in_month).contains(&day) {
        return None;
    }
    if hour > 24 || minute > 59 || hour * 60 + minute > 24 * 60 {
        return None;
    }
    Some(days(year, month, day) * DAY_MS + (hour * 60 + minute) * 60_000)
}

/// Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is the last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_in_the_time_of_the_house() {
        assert_eq!(span("1970-01-02..1970-01-03", 0), Some((UnixMillis(DAY_MS), UnixMillis(2 * DAY_MS))));
        let eight = 8 * 3_600_000;
        let shanghai = span("2026-11-22T08:00..2026-11-22T24:00", 8 * 3600);
        // 2026-11-22T00:00Z is day 20,779.
        assert_eq!(shanghai, Some((UnixMillis(20_779 * DAY_MS), UnixMillis(20_779 * DAY_MS + 2 * eight))));
        for wrong in [
            "",
            "2026-01-01",
            "2026-01-02..2026-01-01",
            "2026-02-29..2026-03-01",
            "2026-13-01..2027-01-01",
            "x..y",
        ] {
            assert_eq!(span(wrong, 0), None, "{wrong}");
        }
        assert!(span("2028-02-29..2028-03-01", 0).is_some());
    }

    #[test]
    fn what_was_seen_is_kept_and_the_rest_is_drawn() {
        let answered =
            Seen { at_s: 10.0, tier: 0, queue: 1, wait_s: 5.0, talk_s: Some(100.0), gave_up: false };
        let gone = Seen { at_s: 4.0, tier: 0, queue: 0, wait_s: 45.0, talk_s: None, gave_up: true };
        let found = visitors(&[answered, gone], 1);
        assert_eq!((found[0].at_s, found[0].patience_s, found[0].handle_s), (4.0, 45.0, 100.0));
        assert_eq!((found[1].reason, found[1].handle_s), (1, 100.0));
        assert!(found[1].patience_s > 5.0, "whoever was answered had more patience than he waited");
        assert_eq!(mean_patience_s(&[answered, gone]), 50.0);
        assert!(mean_patience_s(&[answered]).is_infinite(), "nobody gave up");
        assert_eq!(visitors(&[answered, gone], 1), found, "the same seed, the same callers");
    }
}
