//! Draws the plots of docs/ACD.md and writes its tables: `make acd-report`. Everything comes from the scenario files in
//! config/scenarios, lived here and now by the engine; nothing is copied from elsewhere.

#![allow(clippy::print_stderr, reason = "says how far it is")]

use core::fmt::Write;
use std::path::{Path, PathBuf};

use acd::PolicyKind;
use sim::centre::{Load, Outcome, Run, Scenario, TierOutcome};
use usher::simulate::{Chart, Line, Panel, over_time, scenario, staff};

type Failure = Box<dyn core::error::Error>;

const COLOURS: [&str; 7] = ["#2563eb", "#d97706", "#64748b", "#059669", "#db2777", "#7c3aed", "#0891b2"];

fn main() -> Result<(), Failure> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let report = Report { top: top.clone() };
    let page = top.join("docs/ACD.md");
    let mut text = std::fs::read_to_string(&page)?;
    for (name, table) in [
        ("benchmark", report.benchmark()?),
        ("day", report.day()?),
        ("n-design", report.skills("n-design")?),
        ("four-languages", report.skills("four-languages")?),
        ("small-team", report.small_team()?),
        ("reserve", report.reserve()?),
        ("staff", report.staff()?),
    ] {
        text = put(&text, name, &table)?;
    }
    std::fs::write(&page, text)?;
    report.step()?;
    report.by_load()?;
    Ok(())
}

/// Replaces what stands between `<!-- NAME -->` and `<!-- end -->`.
fn put(text: &str, name: &str, table: &str) -> Result<String, Failure> {
    let mark = format!("<!-- {name} -->\n");
    let (before, rest) = text.split_once(&mark).ok_or(format!("docs/ACD.md has no {mark}"))?;
    let (_, after) = rest.split_once("<!-- end -->").ok_or("docs/ACD.md has a mark without an end")?;
    Ok(format!("{before}{mark}{table}<!-- end -->{after}"))
}

struct Report {
    top: PathBuf,
}

impl Report {
    fn load(&self, name: &str) -> Result<Scenario, Failure> {
        let path = self.top.join(format!("config/scenarios/{name}.toml"));
        scenario::load(&path)
            .map_err(|found| found.iter().map(|f| format!("{f}\n")).collect::<String>().into())
    }

    fn draw(&self, name: &str, chart: &Chart) -> Result<(), Failure> {
        eprintln!("docs/acd/{name}.svg");
        let folder = self.top.join("docs/acd");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join(format!("{name}.svg")), chart.svg())?)
    }

    /// Every policy at every load: answered % / in time % / wait that 95 % of the answered do not exceed.
    fn benchmark(&self) -> Result<String, Failure> {
        let base = self.load("hotline")?;
        let mut table = head(&["load", "policy", "diamond", "gold", "silver", "ordinary", "all"]);
        for rho in [0.85, 0.95, 1.05, 1.2, 1.5, 2.0] {
            for &policy in PolicyKind::ALL {
                eprintln!("load {rho}, {}", policy.word());
                let found = many(&Scenario { policy, load: Load::Rho(rho), ..base.clone() }, 4)?;
                row(&mut table, &[rho.to_string(), policy.word().to_owned()], cells(&found));
            }
        }
        Ok(table)
    }

    /// The day with its peak, with callbacks and without.
    fn day(&self) -> Result<String, Failure> {
        let (day, callbacks) = (self.load("day")?, self.load("day-callbacks")?);
        let mut table =
            head(&["policy", "diamond", "gold", "silver", "ordinary", "all", "called back", "busy"]);
        for (name, scenario) in [
            ("fcfs", Scenario { policy: PolicyKind::Fcfs, ..day.clone() }),
            ("strict", Scenario { policy: PolicyKind::Strict, ..day.clone() }),
            ("debt3", day.clone()),
            ("debt3 with callbacks", callbacks.clone()),
        ] {
            eprintln!("day, {name}");
            let found = many(&scenario, 4)?;
            let called_back = rate(found.total.called_back, found.total.offered);
            let rest = [called_back, format!("{:.1}", found.occupancy * 100.0)];
            row(&mut table, &[name.to_owned()], cells(&found).into_iter().chain(rest));
        }
        for (name, scenario) in [("day", day), ("day-callbacks", callbacks)] {
            let outcome = Run::whole(&scenario)?;
            self.draw(name, &over_time(&scenario, &outcome))?;
        }
        Ok(table)
    }

    /// A centre whose agents are not alike, under every policy, and what DEBT-3 makes of each kind of call.
    fn skills(&self, name: &str) -> Result<String, Failure> {
        let base = self.load(name)?;
        let mut table = head(&["policy", "diamond", "gold", "silver", "ordinary", "all", "busy"]);
        let mut debt3 = None;
        for &policy in PolicyKind::ALL {
            eprintln!("{name}, {}", policy.word());
            let found = many(&Scenario { policy, ..base.clone() }, 4)?;
            let busy = format!("{:.1}", found.occupancy * 100.0);
            row(&mut table, &[policy.word().to_owned()], cells(&found).into_iter().chain([busy]));
            debt3 = debt3.or((policy == PolicyKind::Debt3).then_some(found));
        }
        table.push_str("\nAnswered by DEBT-3, by what the callers want:\n\n");
        table.push_str(&head(&["", "diamond", "gold", "silver", "ordinary"]));
        for (reason, tiers) in base.reasons.iter().zip(debt3.iter().flat_map(|found| &found.reasons)) {
            let rates = tiers.iter().map(|part| rate(part.answered, part.offered));
            row(&mut table, &[reason.name.to_string()], rates);
        }
        Ok(table)
    }

    /// Ten agents, with a reserve for the first two tiers and without.
    fn small_team(&self) -> Result<String, Failure> {
        let base = self.load("small-team")?;
        let mut table = head(&["load", "policy", "diamond", "gold", "silver", "ordinary", "all"]);
        for rho in [0.8, 1.2, 1.5] {
            for (name, policy, reserve) in [
                ("fcfs", PolicyKind::Fcfs, [0.0, 0.0]),
                ("strict", PolicyKind::Strict, [0.0, 0.0]),
                ("debt3", PolicyKind::Debt3, [0.0, 0.0]),
                ("debt3, reserve 1 and 0.5", PolicyKind::Debt3, [1.0, 0.5]),
            ] {
                eprintln!("10 agents, load {rho}, {name}");
                let mut scenario = Scenario { policy, load: Load::Rho(rho), ..base.clone() };
                for (tier, most) in scenario.tiers.iter_mut().zip(reserve) {
                    tier.contract.reserve_max = most;
                }
                row(&mut table, &[rho.to_string(), name.to_owned()], cells(&many(&scenario, 2)?));
            }
        }
        Ok(table)
    }

    /// What a larger reserve buys and costs at twice the load.
    fn reserve(&self) -> Result<String, Failure> {
        let base = self.load("floors")?;
        let mut table = head(&["reserve of diamond / gold", "diamond", "gold", "silver", "ordinary", "all"]);
        for reserve in [[0.0, 0.0], [2.0, 1.0], [4.0, 2.0], [8.0, 4.0]] {
            eprintln!("reserve {reserve:?}");
            let mut scenario = base.clone();
            for (tier, most) in scenario.tiers.iter_mut().zip(reserve) {
                tier.contract.reserve_max = most;
            }
            row(&mut table, &[format!("{} / {}", reserve[0], reserve[1])], cells(&many(&scenario, 2)?));
        }
        Ok(table)
    }

    /// Agents needed on the day with the peak.
    fn staff(&self) -> Result<String, Failure> {
        let day = self.load("day")?;
        let mut table = head(&[
            "calls an hour",
            "for targets: Erlang A",
            "simulated",
            "for floors: Erlang A",
            "simulated",
            "on duty",
            "enough for",
        ]);
        let mut hours = day.calls_per_hour();
        hours.sort_by(f64::total_cmp);
        hours.dedup();
        for calls in hours {
            eprintln!("staff for {calls} calls an hour");
            let need = staff::need(&day, calls, true).map_err(|failure| format!("{failure:?}"))?;
            let number = |agents: Option<u32>| agents.map_or("-".to_owned(), |agents| agents.to_string());
            let numbers = [
                need.targets(),
                need.targets_simulated,
                need.floors(),
                need.floors_simulated,
                Some(need.on_duty),
            ];
            let rest = numbers.into_iter().map(number).chain([need.verdict().to_owned()]);
            row(&mut table, &[calls.to_string()], rest);
        }
        Ok(table)
    }

    /// The top tier through a step of the load, by policy.
    fn step(&self) -> Result<(), Failure> {
        let base = self.load("step")?;
        let mut lines = Vec::new();
        let mut load = Vec::new();
        for (&policy, colour) in PolicyKind::ALL.iter().zip(COLOURS) {
            eprintln!("step, {}", policy.word());
            let outcome = Run::whole(&Scenario { policy, ..base.clone() })?;
            let series = &outcome.series;
            let minutes = |bin: usize| bin as f64 * series.bin_s / 60.0;
            let rates = series.tiers[0].iter().enumerate();
            let points = rates.flat_map(|(bin, part)| {
                let rate = part.answer_rate().unwrap_or(0.0) * 100.0;
                [(minutes(bin), rate), (minutes(bin + 1), rate)]
            });
            lines.push(Line {
                label: policy.word().to_owned(),
                colour,
                points: points.collect(),
                ..Line::default()
            });
            load = series
                .loads()
                .iter()
                .enumerate()
                .flat_map(|(bin, load)| [(minutes(bin), *load), (minutes(bin + 1), *load)])
                .collect();
        }
        let promised = vec![(0.0, 98.0), (240.0, 98.0)];
        lines.push(Line {
            label: "promised".to_owned(),
            colour: "#0f172a",
            dashed: true,
            points: promised,
            ..Line::default()
        });
        let rates = Panel {
            y_label: "diamond callers answered, by when they called".to_owned(),
            unit: " %",
            range: (70.0, 100.0),
            height: 1.0,
            lines,
        };
        let load = vec![Line {
            label: "load".to_owned(),
            colour: "#94a3b8",
            filled: true,
            points: load,
            ..Line::default()
        }];
        let load = Panel {
            y_label: "work offered per agent".to_owned(),
            range: (0.0, 1.5),
            height: 0.35,
            lines: load,
            ..Panel::default()
        };
        self.draw(
            "step",
            &Chart {
                title: "The top tier through a step of the load, by policy".to_owned(),
                subtitle: "50 agents; an hour at 0.85, three at 1.3; 300 times laid over each other"
                    .to_owned(),
                x_label: "minutes".to_owned(),
                panels: vec![rates, load],
            },
        )
    }

    /// Answer rates by load, one panel a policy.
    fn by_load(&self) -> Result<(), Failure> {
        let base = Scenario { hours: 100.0, ..self.load("hotline")? };
        let mut panels = Vec::new();
        for policy in [PolicyKind::Debt3, PolicyKind::Strict, PolicyKind::DelayRatio, PolicyKind::Fcfs] {
            eprintln!("by load, {}", policy.word());
            let mut points = vec![Vec::new(); base.tiers.len()];
            for step in 0..=17u8 {
                let rho = 0.7 + 0.1 * f64::from(step);
                let outcome = Run::whole(&Scenario { policy, load: Load::Rho(rho), ..base.clone() })?;
                for (points, tier) in points.iter_mut().zip(&outcome.tiers) {
                    points.push((rho, tier.answer_rate().unwrap_or(0.0) * 100.0));
                }
            }
            let mut lines = Vec::new();
            for ((tier, points), colour) in base.tiers.iter().zip(points).zip(COLOURS) {
                let floor = tier.contract.floor * 100.0;
                lines.push(Line {
                    colour,
                    dashed: true,
                    points: vec![(0.7, floor), (2.4, floor)],
                    ..Line::default()
                });
                lines.push(Line { label: tier.name.to_string(), colour, points, ..Line::default() });
            }
            let y_label = format!("{}: answered (dashed: floors)", policy.word());
            panels.push(Panel { y_label, unit: " %", range: (0.0, 100.0), height: 0.65, lines });
        }
        self.draw(
            "by-load",
            &Chart {
                title: "Answer rates by load".to_owned(),
                subtitle: "50 agents; 5, 15, 30 and 50 % of the calls; targets 98, 95, 90, 80 %".to_owned(),
                x_label: "work offered per agent (1: all they can do)".to_owned(),
                panels,
            },
        )
    }
}

/// Several seeds together.
fn many(scenario: &Scenario, seeds: u64) -> Result<Outcome, Failure> {
    let mut all = Run::whole(&Scenario { seed: 1, ..scenario.clone() })?;
    for seed in 2..=seeds {
        let next = Run::whole(&Scenario { seed, ..scenario.clone() })?;
        let tiers = all.tiers.iter_mut().chain([&mut all.total]);
        tiers.zip(next.tiers.iter().chain([&next.total])).for_each(|(sum, tier)| sum.add(tier));
        for (sum, part) in all.reasons.iter_mut().flatten().zip(next.reasons.iter().flatten()) {
            (sum.offered, sum.answered) = (sum.offered + part.offered, sum.answered + part.answered);
        }
        all.occupancy += (next.occupancy - all.occupancy) / seed as f64;
    }
    Ok(all)
}

fn cells(outcome: &Outcome) -> Vec<String> {
    let percent = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.1}", rate * 100.0));
    let cell = |tier: &TierOutcome| {
        let p95 = tier.waits.quantile_s(0.95).unwrap_or(0.0);
        format!("{} / {} / {p95:.0}", percent(tier.answer_rate()), percent(tier.service_level()))
    };
    outcome.tiers.iter().chain([&outcome.total]).map(cell).collect()
}

fn rate(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1}", part as f64 * 100.0 / whole as f64) }
}

fn head(columns: &[&str]) -> String {
    format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()))
}

fn row(table: &mut String, names: &[String], cells: impl IntoIterator<Item = String>) {
    let all: Vec<String> = names.iter().cloned().chain(cells).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(table, "| {} |", all.join(" | "));
}
