//! A run over time: each tier's answer rate beside its promise, and the load below.

use sim::centre::{Bin, Outcome, Scenario, Series};

use super::chart::{COLOURS, Chart, LOAD, Line, Panel};

/// Fewer calls than this give no rate worth drawing.
const CALLS_MIN: u64 = 30;
/// More points than this are a smudge.
const POINTS_MAX: usize = 192;

/// Answer rate per tier over time beside its promise, and the load.
pub fn over_time(scenario: &Scenario, outcome: &Outcome) -> Chart {
    let series = &outcome.series;
    let width = bins_per_point(series);
    let hours = |point: usize| (point * width) as f64 * series.bin_s / 3600.0;
    let end = series.lived_s.len() as f64 * series.bin_s / 3600.0;
    let mut lines = Vec::new();
    for ((tier, bins), colour) in scenario.tiers.iter().zip(&series.tiers).zip(COLOURS.iter().cycle()) {
        let promised = tier.contract.target * 100.0;
        lines.push(Line {
            colour,
            dashed: true,
            points: vec![(0.0, promised), (end, promised)],
            ..Line::default()
        });
        let rate = |(point, bins): (usize, &[Bin])| {
            let (offered, answered) =
                bins.iter().fold((0, 0), |sum, bin| (sum.0 + bin.offered, sum.1 + bin.answered));
            (offered > 0).then(|| (hours(point), answered as f64 * 100.0 / offered as f64))
        };
        let points = stairs(bins.chunks(width).enumerate().filter_map(rate), end);
        let answered = outcome.tiers.get(lines.len() / 2).and_then(|tier| tier.answer_rate());
        let label = format!("{} {:.1} % of {promised:.0}", tier.name, answered.unwrap_or(0.0) * 100.0);
        lines.push(Line { label, colour, points, ..Line::default() });
    }
    let least = lines.iter().flat_map(|line| &line.points).fold(100.0f64, |least, (_, y)| least.min(*y));
    let rates = Panel {
        y_label: "answered, by when they called (dashed: promised)".to_owned(),
        unit: " %",
        range: (((least - 2.0) / 10.0).floor().max(0.0) * 10.0, 100.0),
        height: 1.0,
        lines,
    };
    let loads = series.loads();
    let load = |(point, loads): (usize, &[f64])| {
        (hours(point), loads.iter().sum::<f64>() / loads.len().max(1) as f64)
    };
    let points: Vec<_> = stairs(loads.chunks(width).enumerate().map(load), end);
    let most = points.iter().fold(1.0f64, |most, (_, y)| most.max(*y));
    let full = vec![(0.0, 1.0), (end, 1.0)];
    let load_lines = vec![
        Line { label: "load".to_owned(), colour: LOAD, filled: true, points, ..Line::default() },
        Line { colour: "#0f172a", dashed: true, points: full, ..Line::default() },
    ];
    let load = Panel {
        y_label: "work offered per agent (1: all they can do)".to_owned(),
        range: (0.0, (most * 1.1 * 10.0).ceil() / 10.0),
        height: 0.4,
        lines: load_lines,
        ..Panel::default()
    };
    Chart {
        title: format!("Answer rate per tier, policy {}", outcome.policy.word()),
        subtitle: format!(
            "{} agents, {} h, seed {}, {} calls",
            scenario.agents(),
            scenario.hours,
            outcome.seed,
            super::report::grouped(outcome.total.offered)
        ),
        x_label: "hours".to_owned(),
        panels: vec![rates, load],
    }
}

/// So many bins together that most points of every tier are worth drawing.
fn bins_per_point(series: &Series) -> usize {
    let bins = series.lived_s.len().max(1);
    let few = |width: usize| {
        series.tiers.iter().any(|tier| {
            let offered: u64 = tier.iter().map(|bin| bin.offered).sum();
            offered * (width as u64) < CALLS_MIN * bins as u64
        })
    };
    let mut width = bins.div_ceil(POINTS_MAX).max(1);
    while few(width) && width * 8 < bins {
        width *= 2;
    }
    width
}

/// Each value holds until the next.
fn stairs(points: impl Iterator<Item = (f64, f64)>, end: f64) -> Vec<(f64, f64)> {
    let points: Vec<_> = points.collect();
    let ends = points.iter().skip(1).map(|(x, _)| *x).chain([end]);
    points.iter().zip(ends).flat_map(|(&(from, y), to)| [(from, y), (to, y)]).collect()
}
