//! Several measurements of one thing in three numbers.

use std::fmt;

use serde::Serialize;

/// Median and extremes of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median; of an even number of rounds the mean of the middle two.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

impl Spread {
    /// Of all `rounds`; `None` if there are none. What is not a number is left out.
    pub fn of(rounds: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = rounds.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (&low, &high) = (sorted.first()?, sorted.last()?);
        let half = sorted.len() / 2;
        let upper = *sorted.get(half)?;
        let lower = if sorted.len().is_multiple_of(2) { *sorted.get(half.checked_sub(1)?)? } else { upper };
        Some(Spread { median: f64::midpoint(lower, upper), low, high })
    }

    /// A single measurement.
    pub const fn exactly(value: f64) -> Spread {
        Spread { median: value, low: value, high: value }
    }

    /// Round by round, how many times `of` is `by`: what a slow minute does to both falls out.
    pub fn ratio(of: &[f64], by: &[f64]) -> Option<Spread> {
        Spread::of(of.iter().zip(by).map(|(of, by)| of / by))
    }
}

/// `5.99 (5.72 - 6.00)`; the precision asked for, or two digits after the point.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Spread { median, low, high } = self;
        if low == high {
            return write!(f, "{median:.digits$}");
        }
        write!(f, "{median:.digits$} ({low:.digits$} - {high:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median, odd.low, odd.high), (2.0, 1.0, 3.0));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([f64::NAN]), None);
        assert_eq!(format!("{odd:.1} {}", Spread::exactly(1.0)), "2.0 (1.0 - 3.0) 1.00");
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let ratio = Spread::ratio(&[2.0, 40.0, 3.0], &[1.0, 20.0, 1.0]).unwrap();
        assert_eq!((ratio.median, ratio.low, ratio.high), (2.0, 2.0, 3.0));
    }
}
