//! `tiers.toml`: the customers' tiers and what each was promised.

use acd::Contract;
use base::Duration;

use reader::Section;

/// One `[[tier]]`, in value order.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Name used by the directory and the flows.
    pub name: String,
    /// Share of all calls that are of this tier, for the check against a forecast.
    pub share: Option<f64>,
    /// What it was promised.
    pub contract: Contract,
}

/// Reads every tier.
pub fn read(mut root: Section<'_>) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = Vec::new();
    for section in root.sections("tier") {
        let tier = tier(section, &tiers);
        tiers.push(tier);
    }
    if tiers.is_empty() {
        root.finding("tier", "is missing: at least one [[tier]] is needed");
    }
    if tiers.len() > acd::TIERS_MAX {
        root.finding("tier", format!("is given {} times, more than {}", tiers.len(), acd::TIERS_MAX));
    }
    root.end();
    tiers
}

fn tier(mut section: Section<'_>, others: &[Tier]) -> Tier {
    let name: String = section.need("name").unwrap_or_default();
    if others.iter().any(|other| other.name == name) {
        section.finding("name", format!("\"{name}\" is given to another tier too"));
    }
    let contract = contract(&mut section, |usual| usual);
    let share = section.get("share");
    if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        section.finding("share", "is a share of all calls from 0 to 1");
    }
    if others.last().is_some_and(|above| above.contract.value < contract.value) {
        section.finding("value", "is above the tier before it: tiers stand in value order");
    }
    section.end();
    Tier { name, share, contract }
}

/// The keys of a contract; `usual` fills in what follows from the place of the tier where the file says nothing.
pub fn contract(section: &mut Section<'_>, usual: impl FnOnce(Contract) -> Contract) -> Contract {
    let target = section.within("target", 0.0..=1.0, 0.8);
    let floor = section.within("floor", 0.0..=1.0, 0.0);
    if floor > target {
        section.finding("floor", format!("is {floor}, above the target {target}"));
    }
    let promise_s = section.within("promise_s", 1..=86_400u64, 60);
    let usual = usual(Contract::new(target, floor, Duration::from_secs(promise_s)));
    let service_level_target = section.get("service_level_target");
    if service_level_target.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        section.finding("service_level_target", "is a share from 0 to 1");
    }
    let mut seconds =
        |key, usual: Duration, most| Duration::from_secs(section.within(key, 0..=most, usual.as_secs()));
    let due = acd::Due {
        callback: seconds("due_callback_s", usual.due.callback, 7 * 86_400),
        complaint: seconds("due_complaint_s", usual.due.complaint, 30 * 86_400),
        visit: seconds("due_visit_s", usual.due.visit, 30 * 86_400),
    };
    let age_offset = seconds("age_offset_s", usual.age_offset, 86_400);
    let above = seconds("callback_above_s", usual.callback_above.unwrap_or_default(), 86_400);
    let idle_threshold = section.within("idle_threshold", 0..=10_000u32, usual.idle_threshold);
    Contract {
        due,
        age_offset,
        callback_above: (!above.is_zero()).then_some(above),
        idle_threshold,
        service_level: Duration::from_secs(section.within(
            "service_level_s",
            1..=3600u64,
            usual.service_level.as_secs(),
        )),
        service_level_target,
        delay_ratio: Duration::from_secs(section.within("delay_ratio_s", 1..=86_400u64, promise_s)),
        value: section.within("value", 0.0..=1e9, usual.value),
        reserve_max: section.within("reserve_max", 0.0..=1000.0, usual.reserve_max),
        debt_max: section.within("debt_max", 0.0..=1e6, usual.debt_max),
        credit_max: section.within("credit_max", 0.0..=1e6, usual.credit_max),
        ..usual
    }
}
