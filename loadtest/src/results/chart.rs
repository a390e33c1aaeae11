//! A chart of horizontal bars as SVG: groups of bars, a whisker from the smallest to the largest round, and
//! if wanted a line where the goal is. Readable on light and dark pages, in print and without colours.

use std::fmt;

use super::spread::Spread;

/// What is compared: one bar in each group.
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    elsewhere: bool,
}

impl Series {
    /// Measured in the same run as the others.
    pub fn here(name: &str) -> Series {
        Series { name: name.to_owned(), elsewhere: false }
    }

    /// Measured at another time or on another machine: drawn hollow and named so.
    pub fn elsewhere(name: &str) -> Series {
        Series { name: format!("{name} (measured elsewhere)"), elsewhere: true }
    }
}

/// Bars that belong together, one for each series; without a value no bar.
#[derive(Clone, Debug)]
pub struct Group {
    name: String,
    values: Vec<Option<Spread>>,
}

impl Group {
    /// A group called `name` with a value for each series, in their order.
    pub fn new(name: &str, values: impl IntoIterator<Item = Option<Spread>>) -> Group {
        Group { name: name.to_owned(), values: values.into_iter().collect() }
    }
}

/// Bars side by side. [`fmt::Display`] writes the SVG.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is shown.
    pub title: String,
    /// Of all values.
    pub unit: String,
    /// What is compared.
    pub series: Vec<Series>,
    /// From top to bottom.
    pub groups: Vec<Group>,
    /// A line across all groups: value and name of a goal.
    pub limit: Option<(f64, String)>,
    /// How long a bar is.
    pub scale: Scale,
}

/// How long a bar is for its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Twice the value, twice as long.
    #[default]
    Linear,
    /// Every ten times a step, so that a tenth and ten times can be seen beside each other.
    Logarithmic,
}

/// The scale of one chart, from its values.
#[derive(Clone, Copy, Debug)]
struct Ruler {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Ruler {
    /// Where a value ends, counted from where bars begin.
    fn length(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => value / self.high,
            Scale::Logarithmic => (value.max(self.low) / self.low).log10() / (self.high / self.low).log10(),
        };
        (WIDTH - LEFT - RIGHT) * share.clamp(0.0, 1.0)
    }

    /// Round values for lines across the chart.
    fn marks(&self) -> Vec<f64> {
        let step = nice_step(self.high);
        let next = |at: f64| match self.scale {
            Scale::Linear => at + step,
            Scale::Logarithmic => at * 10.0,
        };
        let first = match self.scale {
            Scale::Linear => 0.0,
            Scale::Logarithmic => 10f64.powf(self.low.log10().ceil()),
        };
        std::iter::successors(Some(first), |&at| Some(next(at)))
            .take_while(|&at| at <= self.high * 1.001)
            .collect()
    }
}

const WIDTH: f64 = 860.0;
/// Where bars begin: room for the names on the left.
const LEFT: f64 = 270.0;
/// Room for the values on the right.
const RIGHT: f64 = 90.0;
const BAR: f64 = 18.0;
const GAP: f64 = 6.0;
const HEADING: f64 = 26.0;
const TOP: f64 = 64.0;

/// Told apart by colour-blind people and in grey (Okabe and Ito).
const COLOURS: [&str; 7] = ["#8a8a8a", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"];

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#222}.title{font-size:16px;font-weight:600}\
.small{font-size:11px;fill:#666}.group{font-weight:600}.paper{fill:#fff}.line{stroke:#222}.grid{stroke:#ddd}\
@media(prefers-color-scheme:dark){text{fill:#eee}.small{fill:#aaa}.paper{fill:#16181c}.line{stroke:#eee}\
.grid{stroke:#333}}";

impl Chart {
    fn ruler(&self) -> Ruler {
        let values = self.groups.iter().flat_map(|group| group.values.iter().flatten());
        let all =
            values.flat_map(|value| [value.low, value.high]).chain(self.limit.iter().map(|(at, _)| *at));
        let (mut least, mut most) = (f64::INFINITY, 0.0);
        for value in all.filter(|&value| value > 0.0) {
            (least, most) = (f64::min(least, value), f64::max(most, value));
        }
        // The shortest bar is still one.
        let (low, high) = if most > 0.0 { (least / 2.0, most) } else { (0.1, 1.0) };
        Ruler { scale: self.scale, low, high }
    }

    fn height(&self) -> f64 {
        let bars: usize = self.groups.iter().map(|group| group.values.iter().flatten().count()).sum();
        TOP + bars as f64 * (BAR + GAP) + self.groups.len() as f64 * (HEADING + GAP) + 34.0
    }

    fn bars(&self, f: &mut fmt::Formatter<'_>, ruler: Ruler) -> fmt::Result {
        let mut y = TOP;
        for group in &self.groups {
            y += HEADING;
            let name = escape(&group.name);
            writeln!(f, r#"<text class="group" x="12" y="{:.1}">{name}</text>"#, y - 6.0)?;
            for (number, (series, value)) in self.series.iter().zip(&group.values).enumerate() {
                let Some(value) = value else { continue };
                self.bar(f, y, ruler, number, (series, value))?;
                y += BAR + GAP;
            }
            y += GAP;
        }
        Ok(())
    }

    fn bar(
        &self,
        f: &mut fmt::Formatter<'_>,
        y: f64,
        ruler: Ruler,
        number: usize,
        (series, value): (&Series, &Spread),
    ) -> fmt::Result {
        let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or_default();
        let fill = if series.elsewhere {
            format!(r#"fill="none" stroke="{colour}" stroke-dasharray="4 3""#)
        } else {
            format!(r#"fill="{colour}""#)
        };
        let (length, middle, text_y) = (ruler.length(value.median), y + BAR / 2.0, y + BAR - 5.0);
        let name = escape(&series.name);
        writeln!(f, r#"<text x="{:.1}" y="{text_y:.1}" text-anchor="end">{name}</text>"#, LEFT - 8.0)?;
        writeln!(f, r#"<rect x="{LEFT}" y="{y:.1}" width="{length:.1}" height="{BAR}" rx="2" {fill}/>"#)?;
        let (low, high) = (LEFT + ruler.length(value.low), LEFT + ruler.length(value.high));
        if high - low > 1.0 {
            writeln!(
                f,
                r#"<path class="line" d="M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v6M{high:.1} {:.1}v6"/>"#,
                middle - 3.0,
                middle - 3.0
            )?;
        }
        let end = high.max(LEFT + length) + 6.0;
        writeln!(f, r#"<text x="{end:.1}" y="{text_y:.1}">{}</text>"#, number_text(value.median))
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (height, ruler) = (self.height(), self.ruler());
        let bottom = height - 30.0;
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" role="img"><title>{}</title>"#,
            escape(&self.title)
        )?;
        writeln!(f, "<style>{STYLE}</style>")?;
        writeln!(f, r#"<rect class="paper" width="100%" height="100%" rx="6"/>"#)?;
        writeln!(f, r#"<text class="title" x="12" y="26">{}</text>"#, escape(&self.title))?;
        let unit = escape(&self.unit);
        let logarithmic = if self.scale == Scale::Logarithmic { ", logarithmic" } else { "" };
        writeln!(
            f,
            r#"<text class="small" x="12" y="44">{unit}{logarithmic}; whiskers: smallest and largest round</text>"#
        )?;
        for at in ruler.marks() {
            let x = LEFT + ruler.length(at);
            writeln!(f, r#"<path class="grid" d="M{x:.1} {TOP}V{bottom:.1}"/>"#)?;
            let (label, y) = (number_text(at), bottom + 16.0);
            writeln!(f, r#"<text class="small" x="{x:.1}" y="{y:.1}" text-anchor="middle">{label}</text>"#)?;
        }
        self.bars(f, ruler)?;
        if let Some((at, name)) = &self.limit {
            let (x, name) = (LEFT + ruler.length(*at), escape(name));
            writeln!(f, r#"<path class="line" stroke-dasharray="6 4" d="M{x:.1} {TOP}V{bottom:.1}"/>"#)?;
            let y = TOP - 4.0;
            writeln!(f, r#"<text class="small" x="{x:.1}" y="{y:.1}" text-anchor="middle">{name}</text>"#)?;
        }
        writeln!(f, "</svg>")
    }
}

/// Four to ten lines of round numbers up to `highest`.
fn nice_step(highest: f64) -> f64 {
    let power = 10f64.powf((highest / 4.0).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|factor| factor * power);
    steps.into_iter().find(|step| highest / step >= 4.0).unwrap_or(power)
}

fn number_text(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_bar_and_none_leaves_the_paper() {
        let series = vec![Series::here("null <relay>"), Series::here("Usher"), Series::elsewhere("Asterisk")];
        let high = Spread::of([4.0, 5.0, 22.0]);
        let groups = vec![
            Group::new("200 calls", [Some(Spread::exactly(4.1)), high, Some(Spread::exactly(22.0))]),
            Group::new("500 calls", [Some(Spread::exactly(3.9)), None, None]),
        ];
        let limit = Some((5.1, "goal".into()));
        let svg =
            Chart { title: "A & B".into(), unit: "µs".into(), series, groups, limit, scale: Scale::Linear }
                .to_string();
        assert_eq!(svg.matches("rx=\"2\"").count(), 4);
        assert!(svg.contains("A &amp; B") && svg.contains("null &lt;relay&gt;"));
        assert!(svg.contains("Asterisk (measured elsewhere)") && svg.contains("stroke-dasharray=\"4 3\""));
        let widths = svg.split("width=\"").filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
        assert!(widths.fold(0.0, f64::max) <= WIDTH - LEFT - RIGHT + 0.1);
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn a_logarithmic_chart_shows_a_thousandth_too() {
        let series = vec![Series::here("Usher"), Series::elsewhere("Asterisk")];
        let groups = vec![Group::new("idle", [Some(Spread::exactly(0.5)), Some(Spread::exactly(500.0))])];
        let scale = Scale::Logarithmic;
        let chart = Chart { title: "t".into(), unit: "ms".into(), series, groups, limit: None, scale };
        let ruler = chart.ruler();
        assert_eq!(ruler.marks(), [1.0, 10.0, 100.0]);
        let (short, long) = (ruler.length(0.5), ruler.length(500.0));
        assert!(short > 10.0 && (long - (WIDTH - LEFT - RIGHT)).abs() < 1e-6, "{short} {long}");
        assert!(chart.to_string().contains("ms, logarithmic"));
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([1.0, 7.0, 22.0, 480.0].map(nice_step), [0.2, 1.0, 5.0, 100.0]);
    }
}
