//! A made-up directory, the same every time: for demonstrations, load tests and tests.

use std::io;

use base::{CallKey, CallbackKey, Pii, Rng, Seed, TierKey, UnixMillis};
use call::callback::{Callback, Terms};
use call::directory::Customer;
use call::record::{CallRecord, Outcome, Step, StepKind};

/// Tiers of the sample directory by value, with their share of the customers in percent.
pub const TIERS: [(&str, u32); 4] = [("diamond", 5), ("gold", 15), ("silver", 30), ("ordinary", 50)];

/// Number of the sample directory's first customer; they are counted upwards from it.
pub const FIRST_NUMBER: u64 = 13_800_000_000;

/// Agents of the sample configuration who are account managers.
const MANAGERS: [&str; 4] = ["1001", "1002", "1003", "1004"];

const SURNAMES: [&str; 16] = [
    "Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Huang", "Zhao", "Wu", "Zhou", "Xu", "Sun", "Ma", "Zhu",
    "Hu", "Guo",
];
const GIVEN: [&str; 16] = [
    "Wei", "Fang", "Na", "Min", "Jing", "Li", "Qiang", "Lei", "Jun", "Yang", "Yong", "Yan", "Jie", "Juan",
    "Tao", "Ming",
];
const ENGLISH: [&str; 8] = [
    "Alice Moore",
    "Brian Clark",
    "Carol Young",
    "David Hall",
    "Emma Scott",
    "Frank Green",
    "Grace Baker",
    "Henry Adams",
];

/// Customer `index` of the sample directory. Tiers repeat every 100 customers, so that every hundred
/// holds exactly the shares of [`TIERS`]; diamond and gold have account managers.
pub fn customer(index: u32) -> Customer {
    let mut rng = Rng::new(Seed([0x5a3d_1e00, u64::from(index)]));
    // 37 is prime to 100: neighbours are of different tiers.
    let tier = tier_at(index % 100 * 37 % 100);
    let english = rng.below(100) < 15;
    let pick = |rng: &mut Rng, names: &[&'static str]| {
        let index = rng.below(names.len() as u64);
        usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let name = if english {
        pick(&mut rng, &ENGLISH).to_owned()
    } else {
        format!("{} {}", pick(&mut rng, &SURNAMES), pick(&mut rng, &GIVEN))
    };
    let manager = |offset: u32| {
        let index = usize::try_from((index + offset) % 4).unwrap_or_default();
        MANAGERS.get(index).filter(|_| tier == "diamond" || tier == "gold").map(|&agent| agent.to_owned())
    };
    Customer {
        number: Pii::new((FIRST_NUMBER + u64::from(index)).to_string()),
        name: Pii::new(name),
        tier: tier.to_owned(),
        language: if english { "en" } else { "zh" }.to_owned(),
        senior: rng.below(100) < 12,
        manager_a: manager(0),
        manager_b: manager(1),
    }
}

fn tier_at(percent: u32) -> &'static str {
    let mut bound = 0;
    for (tier, share) in TIERS {
        bound += share;
        if percent < bound {
            return tier;
        }
    }
    "ordinary"
}

/// Writes the first `count` customers as the CSV that [`crate::import_csv`] reads.
///
/// # Errors
/// Those of `out`.
pub fn write_csv(count: u32, out: impl io::Write) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["number", "name", "tier", "language", "senior", "manager_a", "manager_b"])?;
    for index in 0..count {
        let customer = customer(index);
        out.write_record([
            customer.number.reveal().as_str(),
            customer.name.reveal(),
            &customer.tier,
            &customer.language,
            if customer.senior { "yes" } else { "no" },
            customer.manager_a.as_deref().unwrap_or_default(),
            customer.manager_b.as_deref().unwrap_or_default(),
        ])?;
    }
    out.flush()
}

/// What customer `index` was promised when he did not want to wait in call `index`.
pub fn callback(index: u32) -> Callback {
    let record = call_record(index);
    let promised = UnixMillis(record.started.0.saturating_add(30_000));
    Callback {
        key: CallbackKey(record.key.0),
        call: record.key,
        number: record.caller,
        tier: record.tier,
        tier_name: record.tier_name,
        queue: record.queue.unwrap_or_default(),
        promised,
        since: UnixMillis(record.started.0.saturating_add(4_020)),
        not_before: None,
        attempts: 0,
        terms: Terms { kind: "callback".to_owned(), language: "zh".to_owned(), ..Terms::default() },
    }
}

/// A call like many: call `index` of a made-up day, one a second from 2026-01-01T00:00:00Z on.
pub fn call_record(index: u32) -> CallRecord {
    const DAY: u64 = 1_767_225_600_000;
    let started = DAY + u64::from(index) * 1000;
    let customer = customer(index % 10_000);
    let tier = TIERS.iter().position(|&(name, _)| name == customer.tier).unwrap_or_default();
    let answered = !index.is_multiple_of(10);
    let agent = answered.then(|| (1001 + index % 12).to_string());
    let step = |at_ms, what, detail: &str| Step { at_ms, what, detail: detail.to_owned() };
    let mut steps = vec![
        step(0, StepKind::Offered, "carrier"),
        step(3, StepKind::Identified, &customer.tier),
        step(20, StepKind::Answered, "200"),
        step(4_020, StepKind::Queued, "hotline"),
    ];
    match &agent {
        Some(agent) => steps.extend([
            step(9_020, StepKind::Presented, agent),
            step(12_020, StepKind::AgentAnswered, agent),
            step(12_060, StepKind::Bridged, agent),
            step(72_060, StepKind::HungUp, "caller"),
        ]),
        None => steps.push(step(34_020, StepKind::Abandoned, "queue")),
    }
    CallRecord {
        key: CallKey(CallKey::first(DAY).0 + u64::from(index)),
        caller: customer.number,
        dialled: "10000".to_owned(),
        source: "carrier".to_owned(),
        tier: TierKey(u8::try_from(tier).unwrap_or_default()),
        tier_name: customer.tier,
        queue: Some("hotline".to_owned()),
        agent,
        started: UnixMillis(started),
        answered: Some(UnixMillis(started + 20)),
        ended: UnixMillis(started + if answered { 72_060 } else { 34_020 }),
        wait_ms: if answered { 8_040 } else { 30_000 },
        talk_ms: if answered { 60_000 } else { 0 },
        outcome: if answered { Outcome::Answered } else { Outcome::Abandoned },
        survey: (answered && index.is_multiple_of(3))
            .then(|| 1 + u8::try_from(index % 5).unwrap_or_default()),
        steps,
        decisions: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundred_has_the_shares() {
        for hundred in 0..10 {
            let tiers: Vec<String> = (0..100).map(|index| customer(hundred * 100 + index).tier).collect();
            for (name, share) in TIERS {
                assert_eq!(tiers.iter().filter(|tier| *tier == name).count(), share as usize, "{name}");
            }
        }
    }

    #[test]
    fn it_is_the_same_every_time() {
        let write = || {
            let mut csv = Vec::new();
            write_csv(10_000, &mut csv).unwrap();
            csv
        };
        assert_eq!(write(), write());
        let text = String::from_utf8(write()).unwrap();
        assert_eq!(text.lines().count(), 10_001);
        assert_eq!(text.lines().nth(1), Some("13800000000,Zhou Qiang,diamond,zh,yes,1001,1002"));
    }
}
