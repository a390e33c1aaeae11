//! Bar charts as SVG, for the results' folder.

use std::fmt::Write as _;

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// Least and most of several runs.
    pub(crate) spread: Option<(f64, f64)>,
    /// Whether it is the switch's.
    pub(crate) ours: bool,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 70.0;
const ROW: f64 = 26.0;
const TOP: f64 = 44.0;

/// Horizontal bars on a logarithmic scale, so that a tenth and ten times are both to be seen.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value).fold(1.0, f64::max);
    let least = bars.iter().map(|bar| bar.value).fold(most, f64::min).max(1e-9);
    // The shortest bar is still one.
    let (low, high) = ((least / 2.0).log10(), most.log10());
    let x = |value: f64| {
        LEFT + (WIDTH - LEFT - RIGHT) * ((value.max(1e-9).log10() - low) / (high - low)).clamp(0.0, 1.0)
    };
    #[expect(clippy::cast_precision_loss, reason = "a few bars")]
    let height = TOP + ROW * bars.len() as f64 + 12.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{title}</text>\n"
    );
    let mut y = TOP;
    for bar in bars {
        let (end, middle) = (x(bar.value), y + ROW / 2.0);
        let fill = if bar.ours { "#1f77b4" } else { "#b0b0b0" };
        let _ = writeln!(
            out,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{:.1}\" height=\"16\" fill=\"{fill}\"/>",
            LEFT - 8.0,
            middle + 5.0,
            bar.name,
            middle - 8.0,
            end - LEFT,
        );
        if let Some((from, to)) = bar.spread {
            let (from, to) = (x(from), x(to));
            let _ = writeln!(
                out,
                "<path d=\"M{from:.1} {middle:.0}H{to:.1}M{from:.1} {:.0}v8M{to:.1} {:.0}v8\" stroke=\"black\" fill=\"none\"/>",
                middle - 4.0,
                middle - 4.0,
            );
        }
        let after = bar.spread.map_or(end, |(_, to)| x(to).max(end));
        let _ =
            writeln!(out, "<text x=\"{:.1}\" y=\"{:.0}\">{:.0}</text>", after + 6.0, middle + 5.0, bar.value);
        y += ROW;
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_more_is_longer_and_all_are_drawn() {
        let bar = |name: &str, value, ours| Bar { name: name.to_owned(), value, spread: None, ours };
        let svg = bars("t", &[bar("a", 100.0, true), bar("b", 1000.0, false)]);
        let widths: Vec<f64> = svg
            .split("height=\"16\"")
            .filter_map(|part| part.rsplit_once("width=\"")?.1.trim_end_matches(['"', ' ']).parse().ok())
            .collect();
        assert_eq!(widths.len(), 2, "{svg}");
        assert!(widths[0] > 0.0 && widths[1] > widths[0] * 1.5, "{widths:?}");
    }
}
