//! Line charts as SVG: panels one above the other on a common x axis. Plain text that any browser shows and that
//! changes little when the numbers do.

use core::fmt::Write;

/// A chart.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// Under what circumstances.
    pub subtitle: String,
    /// What the x axis counts.
    pub x_label: String,
    /// Its panels, top first.
    pub panels: Vec<Panel>,
}

/// One coordinate system.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// What the y axis counts.
    pub y_label: String,
    /// Printed after the numbers of the y axis.
    pub unit: &'static str,
    /// Least and greatest y.
    pub range: (f64, f64),
    /// Height compared with the other panels.
    pub height: f64,
    /// Its lines, the first at the back.
    pub lines: Vec<Line>,
}

/// A line through points, or the area below it.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// In the legend; empty: not there.
    pub label: String,
    /// An SVG colour.
    pub colour: &'static str,
    /// Dashed: a promise rather than a measurement.
    pub dashed: bool,
    /// Filled down to the axis.
    pub filled: bool,
    /// Points (x, y) by x.
    pub points: Vec<(f64, f64)>,
}

/// Colours that are told apart by most eyes, tiers in value order.
pub(super) const COLOURS: [&str; 8] =
    ["#2563eb", "#d97706", "#64748b", "#059669", "#db2777", "#7c3aed", "#0891b2", "#65a30d"];
/// The colour of loads.
pub(super) const LOAD: &str = "#94a3b8";

const WIDTH: f64 = 960.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 70.0;
const BOTTOM: f64 = 52.0;
const GAP: f64 = 34.0;
const PANEL: f64 = 300.0;

/// A panel's place on the page.
#[derive(Clone, Copy)]
struct Frame {
    top: f64,
    height: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let part = |v: f64, (low, high): (f64, f64)| if high > low { (v - low) / (high - low) } else { 0.0 };
        let across = LEFT + part(x, self.x) * (WIDTH - LEFT - RIGHT);
        (across, self.top + (1.0 - part(y, self.y).clamp(0.0, 1.0)) * self.height)
    }

    fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

impl Chart {
    /// The chart as an SVG document.
    pub fn svg(&self) -> String {
        let all = || self.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
        let x =
            all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
        let x = if x.0.is_finite() { x } else { (0.0, 1.0) };
        let heights: f64 = self.panels.iter().map(|panel| panel.height * PANEL + GAP).sum();
        let height = TOP + heights - GAP + BOTTOM;
        let mut page = Page::new(WIDTH, height);
        page.text(LEFT, 30.0, "title", &self.title);
        page.text(LEFT, 50.0, "note", &self.subtitle);
        let mut top = TOP;
        for panel in &self.panels {
            let frame = Frame { top, height: panel.height * PANEL, x, y: panel.range };
            draw_panel(&mut page, panel, frame);
            top = frame.bottom() + GAP;
        }
        let last = Frame { top: top - GAP, height: 0.0, x, y: (0.0, 1.0) };
        for value in ticks(x) {
            let (across, down) = last.at((value, 0.0));
            page.text(across, down + 18.0, "axis middle", &number(value));
        }
        page.text((LEFT + WIDTH - RIGHT) / 2.0, height - 10.0, "axis middle", &self.x_label);
        page.end()
    }
}

fn draw_panel(page: &mut Page, panel: &Panel, frame: Frame) {
    for value in ticks(panel.range) {
        let ((left, down), right) = (frame.at((frame.x.0, value)), WIDTH - RIGHT);
        page.line("grid", (left, down), (right, down));
        page.text(left - 8.0, down + 4.0, "axis end", &format!("{}{}", number(value), panel.unit));
    }
    for value in ticks(frame.x) {
        let (across, _) = frame.at((value, 0.0));
        page.line("grid", (across, frame.top), (across, frame.bottom()));
    }
    page.text(LEFT, frame.top - 8.0, "axis", &panel.y_label);
    for line in &panel.lines {
        page.path(line, frame);
    }
    // The legend stands beside the ends of the lines, as far apart as its letters need.
    let ends = panel.lines.iter().filter(|line| !line.label.is_empty()).filter_map(|line| {
        let last = line.points.last()?;
        Some((frame.at(*last).1, line))
    });
    let mut ends: Vec<_> = ends.collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    const APART: f64 = 16.0;
    let mut lowest = f64::NEG_INFINITY;
    for (down, _) in &mut ends {
        *down = down.max(lowest + APART);
        lowest = *down;
    }
    let too_low = (lowest - frame.bottom()).max(0.0);
    for (down, line) in ends {
        page.label(WIDTH - RIGHT + 10.0, down - too_low + 4.0, line.colour, &line.label);
    }
}

/// Round numbers within a range, five to ten of them.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return vec![low];
    }
    let power = 10f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|step| span / step <= 8.0)
        .unwrap_or(span);
    let first = (low / step - 1e-9).ceil();
    (0..=20u8)
        .map(|n| (first + f64::from(n)) * step)
        .take_while(|value| *value <= high + step * 1e-9)
        .collect()
}

fn number(value: f64) -> String {
    let rounded = (value * 1000.0).round() / 1000.0;
    // Not "-0".
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// The SVG being written.
struct Page(String);

impl Page {
    fn new(width: f64, height: f64) -> Page {
        const STYLE: &str = "text{font-family:system-ui,sans-serif;font-size:12px;fill:#334155}\
            .title{font-size:18px;font-weight:600;fill:#0f172a}.note{fill:#64748b}.axis{fill:#64748b;font-size:11px}\
            .middle{text-anchor:middle}.end{text-anchor:end}.grid{stroke:#e2e8f0;stroke-width:1}";
        Page(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\">\n<style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\" \
             fill=\"#ffffff\"/>\n"
        ))
    }

    fn put(&mut self, element: core::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(element);
        self.0.push('\n');
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escape(text);
        self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"));
    }

    fn label(&mut self, x: f64, y: f64, colour: &str, text: &str) {
        let text = escape(text);
        self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" style=\"fill:{colour}\">{text}</text>"));
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.put(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    fn path(&mut self, line: &Line, frame: Frame) {
        let mut path = String::new();
        for (at, point) in line.points.iter().enumerate() {
            let (x, y) = frame.at(*point);
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
        }
        let colour = line.colour;
        if let (true, Some(first), Some(last)) = (line.filled, line.points.first(), line.points.last()) {
            let ((from, _), (to, _), down) = (frame.at(*first), frame.at(*last), frame.bottom());
            self.put(format_args!(
                "<path d=\"{path}L{to:.1} {down:.1}L{from:.1} {down:.1}Z\" fill=\"{colour}\" fill-opacity=\"0.35\"/>"
            ));
        }
        let (width, dash) = if line.dashed { (1.2, " stroke-dasharray=\"5 4\"") } else { (2.0, "") };
        self.put(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dash} \
             stroke-linejoin=\"round\"/>"
        ));
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks((0.0, 24.0)), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(ticks((60.0, 100.0)), [60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0, 100.0]);
        assert_eq!(ticks((1.0, 1.0)), [1.0]);
        assert_eq!(number(-0.0), "0");
    }

    #[test]
    fn a_chart_is_well_formed_whatever_it_shows() {
        let line = Line { label: "a<b & \"c\"".to_owned(), colour: LOAD, filled: true, ..Line::default() };
        let lines = vec![line.clone(), Line { points: vec![(0.0, 0.5), (1.0, 7.0)], ..line }];
        let panel = Panel { range: (0.0, 1.0), height: 1.0, unit: " %", lines, ..Panel::default() };
        let chart = Chart { title: "5 > 4".to_owned(), panels: vec![panel], ..Chart::default() };
        let svg = chart.svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("5 &gt; 4") && svg.contains("a&lt;b &amp; &quot;c&quot;"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(Chart::default().svg().contains("</svg>"), "even an empty one");
    }
}
