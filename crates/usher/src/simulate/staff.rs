//! `usher staff`: agents needed for the targets and for the floors, hour by hour, beside those on duty.

use std::path::PathBuf;

use acd::Feasibility;
use clap::Args;
use sim::centre::{Load, Scenario, TierOutcome};

use super::report::{grouped, lay_out, percent};
use super::scenario;
use crate::cli::Failure;

/// `usher staff …`.
#[derive(Debug, Args)]
pub struct StaffArgs {
    /// The scenario: who calls, who answers, what was promised (docs/SIMULATOR.md).
    pub scenario: PathBuf,
    /// Only the formula: no simulation.
    #[arg(long)]
    pub formula: bool,
    /// Print one JSON object per hour, in a list.
    #[arg(long)]
    pub json: bool,
}

/// One hour's need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// Calls in the hour.
    pub calls_per_hour: f64,
    /// Their work, in agents.
    pub erlangs: f64,
    /// Agents on duty.
    pub on_duty: u32,
    /// By Erlang A: enough in all, if they answer the tiers that it was promised to. `None`: nobody calls, or nobody
    /// ever gives up.
    pub formula: Option<Feasibility>,
    /// Agents with whom every tier has its target in simulation.
    pub targets_simulated: Option<u32>,
    /// Agents with whom every tier has its floor in simulation.
    pub floors_simulated: Option<u32>,
}

/// Runs the command.
///
/// # Errors
/// A scenario with mistakes.
#[expect(clippy::print_stdout, reason = "the command's answer")]
pub(crate) fn run(args: &StaffArgs) -> Result<(), Failure> {
    let scenario = scenario::load(&args.scenario).map_err(Failure::Findings)?;
    let mut known: Vec<(f64, Need)> = Vec::new();
    let mut needs = Vec::new();
    for calls_per_hour in scenario.calls_per_hour() {
        // Equal hours need equal agents.
        let found = match known.iter().find(|(calls, _)| calls.total_cmp(&calls_per_hour).is_eq()) {
            Some((_, need)) => *need,
            None => need(&scenario, calls_per_hour, !args.formula)?,
        };
        known.push((calls_per_hour, found));
        needs.push(found);
    }
    print!("{}", if args.json { json(&needs) } else { table(&scenario, &needs, !args.formula) });
    Ok(())
}

/// What an hour of this load, if it went on for ever, needs.
///
/// # Errors
/// The engine broke.
pub fn need(scenario: &Scenario, calls_per_hour: f64, simulate: bool) -> Result<Need, Failure> {
    let formula = scenario.feasibility(calls_per_hour);
    let erlangs = scenario.line(calls_per_hour).erlangs();
    let simulated = |guess: Option<u32>, rate: fn(&acd::Contract) -> f64| {
        let guess = guess.unwrap_or(erlangs.ceil() as u32);
        if simulate && calls_per_hour > 0.0 {
            fewest(scenario, calls_per_hour, guess, rate)
        } else {
            Ok(None)
        }
    };
    Ok(Need {
        calls_per_hour,
        erlangs,
        on_duty: scenario.agents(),
        formula,
        targets_simulated: simulated(formula.and_then(|found| found.for_targets), |terms| terms.target)?,
        floors_simulated: simulated(formula.and_then(|found| found.for_floors), |terms| terms.floor)?,
    })
}

/// Calls of one trial: the rates of small tiers are known to a point or so.
const CALLS_PER_TRIAL: f64 = 20_000.0;

/// The fewest agents with whom no tier falls short of its rate by more than chance; looked for upwards and
/// downwards from a guess.
fn fewest(
    scenario: &Scenario,
    calls_per_hour: f64,
    guess: u32,
    rate: fn(&acd::Contract) -> f64,
) -> Result<Option<u32>, Failure> {
    let enough = |agents: u32| -> Result<bool, Failure> {
        if agents == 0 {
            return Ok(false);
        }
        let outcome = super::live(&trial(scenario, calls_per_hour, agents))?;
        let kept = |(tier, found): (&sim::centre::Tier, &TierOutcome)| {
            found.answer_rate_range().is_none_or(|(_, high)| high >= rate(&tier.contract))
        };
        Ok(scenario.tiers.iter().zip(&outcome.tiers).all(kept))
    };
    // Upwards by growing steps until enough, then halving between too few and enough.
    let (mut few, mut many, mut step) = (0, guess.max(1), 1);
    while !enough(many)? {
        few = many;
        many = many.saturating_add(step);
        step *= 2;
        if many > guess.saturating_mul(4).saturating_add(64) {
            return Ok(None);
        }
    }
    if few == 0 {
        step = 1;
        few = many.saturating_sub(step);
        while few > 0 && enough(few)? {
            many = few;
            step *= 2;
            few = few.saturating_sub(step);
        }
    }
    while many - few > 1 {
        let middle = few.midpoint(many);
        if enough(middle)? {
            many = middle;
        } else {
            few = middle;
        }
    }
    Ok(Some(many))
}

/// The scenario with so many agents, its groups in proportion, under a load that stays.
fn trial(scenario: &Scenario, calls_per_hour: f64, agents: u32) -> Scenario {
    let mut trial = scenario.clone();
    let all = f64::from(scenario.agents().max(1));
    // Where a group ends, rounded: no agent is lost and none is counted twice.
    let (mut before, mut ends) = (0.0, 0u32);
    for group in &mut trial.groups {
        before += f64::from(group.count);
        let end = (before / all * f64::from(agents)).round() as u32;
        group.count = end - ends;
        ends = end;
    }
    trial.load = Load::CallsPerHour(vec![calls_per_hour]);
    trial.hours = (CALLS_PER_TRIAL / calls_per_hour.max(0.001)).clamp(1.0, 1e5);
    trial.warmup_hours = 1.0;
    trial
}

fn table(scenario: &Scenario, needs: &[Need], simulated: bool) -> String {
    let mut heads = vec!["hour", "calls", "erlang", "for targets", "for floors"];
    if simulated {
        heads.extend(["simulated: targets", "floors"]);
    }
    heads.extend(["on duty", "they answer", "enough for"]);
    let number = |agents: Option<u32>| agents.map_or("-".to_owned(), |agents| grouped(agents.into()));
    let mut rows = vec![heads.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for (hour, need) in needs.iter().enumerate() {
        let mut row = vec![
            if needs.len() == 1 { "every".to_owned() } else { format!("{hour}") },
            grouped(need.calls_per_hour.round() as u64),
            format!("{:.1}", need.erlangs),
            number(need.targets()),
            number(need.floors()),
        ];
        if simulated {
            row.extend([number(need.targets_simulated), number(need.floors_simulated)]);
        }
        row.extend([
            number(Some(need.on_duty)),
            percent(need.formula.map(|found| found.answer_rate)),
            need.verdict().to_owned(),
        ]);
        rows.push(row);
    }
    let formula = needs.iter().find_map(|need| need.formula);
    let mut text = format!(
        "targets add up to {} of all calls, floors to {}; policy {}\n",
        percent(formula.map(|found| found.targets)),
        percent(formula.map(|found| found.floors)),
        scenario.policy.word()
    );
    lay_out(&mut text, &rows);
    text
}

impl Need {
    /// Agents for all targets by Erlang A.
    pub fn targets(&self) -> Option<u32> {
        self.formula?.for_targets
    }

    /// Agents for all floors by Erlang A.
    pub fn floors(&self) -> Option<u32> {
        self.formula?.for_floors
    }

    /// What the agents on duty are enough for: by simulation where it was made.
    pub fn verdict(&self) -> &'static str {
        let enough = |by: Option<u32>| by.is_some_and(|needed| needed <= self.on_duty);
        if enough(self.targets_simulated.or(self.targets())) {
            "targets"
        } else if enough(self.floors_simulated.or(self.floors())) {
            "floors"
        } else {
            "neither"
        }
    }
}

fn json(needs: &[Need]) -> String {
    let hour = |(hour, need): (usize, &Need)| {
        serde_json::json!({
            "hour": hour,
            "calls_per_hour": need.calls_per_hour,
            "erlangs": need.erlangs,
            "agents_for_targets": need.targets(),
            "agents_for_floors": need.floors(),
            "agents_for_targets_simulated": need.targets_simulated,
            "agents_for_floors_simulated": need.floors_simulated,
            "on_duty": need.on_duty,
            "answer_rate": need.formula.map(|found| found.answer_rate),
            "enough_for": need.verdict(),
        })
    };
    format!("{}\n", serde_json::Value::Array(needs.iter().enumerate().map(hour).collect()))
}
