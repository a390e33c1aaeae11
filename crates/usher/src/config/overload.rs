//! `queues.toml`: what is done when more call than can be answered, how customers are called back, and the load that is
//! expected, against which the contracts are checked.

use acd::{CallbackRules, Ladder, Quiet};
use base::Duration;
use reader::Section;

use super::queues::{Target, target};

/// `[overload]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Overload {
    /// The ladder, without its ways out.
    pub ladder: Ladder,
    /// Where calls go that find the lowest tier's line full.
    pub cap_to: Option<Target>,
    /// Where the lowest tier's calls go when not even the floors can be kept.
    pub outsource_to: Option<Target>,
}

/// Reads the table; without it nothing is done at overload.
pub fn overload(section: Option<Section<'_>>) -> Option<Overload> {
    let mut section = section?;
    let usual = Ladder::default();
    let ladder = Ladder {
        exit_share: section.within("exit_share", 0.0..=1.0, usual.exit_share),
        dwell: Duration::from_secs(section.within("dwell_s", 0..=3_600u64, usual.dwell.as_secs())),
        debt_share: section.within("debt_share", 0.01..=1.0, usual.debt_share),
        debt_wait: Duration::from_secs(section.within(
            "debt_wait_s",
            0..=3_600u64,
            usual.debt_wait.as_secs(),
        )),
        cap: section.within("cap", 1..=1_000_000u32, usual.cap),
        offers_per_s: section.within("offers_per_s", 1..=100_000u32, usual.offers_per_s),
        cap_to: None,
        outsource: None,
    };
    let (cap_to, outsource_to) = (target(&mut section, "cap_to"), target(&mut section, "outsource_to"));
    section.end();
    Some(Overload { ladder, cap_to, outsource_to })
}

impl Overload {
    /// The ways out.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.cap_to.iter().chain(&self.outsource_to)
    }
}

/// `[callbacks]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Callbacks {
    /// When and how often; the clock is still to be filled in.
    pub rules: CallbackRules,
    /// The number that customers see.
    pub caller_id: String,
    /// Prompts that greet them.
    pub greeting: Vec<String>,
}

/// Reads the table, or what holds without it.
pub fn callbacks(section: Option<Section<'_>>) -> Callbacks {
    let usual = CallbackRules::default();
    let greeting = vec!["called-back".to_owned()];
    let Some(mut section) = section else {
        return Callbacks { rules: usual, caller_id: String::new(), greeting: Vec::new() };
    };
    let rules = CallbackRules {
        reserve: section.within("reserve", 0..=10_000u32, usual.reserve),
        attempts_max: section.within("attempts_max", 1..=20u8, usual.attempts_max),
        retry: Duration::from_secs(section.within("retry_s", 1..=86_400u64, usual.retry.as_secs())),
        dial_max: Duration::from_secs(section.within("dial_max_s", 5..=300u64, usual.dial_max.as_secs())),
        quiet: quiet(&mut section),
        ..usual
    };
    let caller_id: String = section.need("caller_id").unwrap_or_default();
    if !caller_id.bytes().all(|b| b.is_ascii_digit()) {
        section.finding("caller_id", "must be made of digits");
    }
    let greeting = section.or("greeting", greeting);
    section.end();
    Callbacks { rules, caller_id, greeting }
}

/// `quiet = "21:00-08:00"`.
fn quiet(section: &mut Section<'_>) -> Option<Quiet> {
    let text: String = section.get("quiet")?;
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let hours = text.split_once('-').and_then(|(from, until)| {
        Some(Quiet { from_min: minutes(from.trim())?, until_min: minutes(until.trim())? })
    });
    if hours.is_none() {
        section.finding("quiet", "is written like \"21:00-08:00\", local time");
    }
    hours
}

/// `[forecast]`: the load that the contracts are held against by `usher check`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Calls per hour that want a person, at the busiest.
    pub calls_per_hour: f64,
    /// Mean talk and wrap-up.
    pub handle_time_s: f64,
    /// Mean time until a waiting caller gives up.
    pub patience_s: f64,
}

/// Reads the table.
pub fn forecast(section: Option<Section<'_>>) -> Option<Forecast> {
    let mut section = section?;
    let calls_per_hour: Option<f64> = section.need("calls_per_hour");
    let forecast = Forecast {
        calls_per_hour: calls_per_hour.unwrap_or(0.0),
        handle_time_s: section.within("handle_time_s", 1.0..=86_400.0, 180.0),
        patience_s: section.within("patience_s", 1.0..=86_400.0, 120.0),
    };
    if forecast.calls_per_hour < 0.0 {
        section.finding("calls_per_hour", "cannot be negative");
    }
    section.end();
    calls_per_hour.map(|_| forecast)
}

impl Forecast {
    /// As the distributor's check takes it, with each tier's share.
    pub fn with_shares(&self, shares: Vec<f64>) -> acd::Forecast {
        acd::Forecast {
            calls_per_s: self.calls_per_hour / 3_600.0,
            shares,
            handle_s: self.handle_time_s,
            patience_s: self.patience_s,
        }
    }
}
