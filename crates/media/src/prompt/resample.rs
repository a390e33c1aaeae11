//! Between 8 and 16 kHz, by one long symmetric filter: flat to 3.4 kHz, silent from 4 kHz on.

/// Taps on each side of the middle one.
const HALF: usize = 96;
/// Kaiser window's shape: more than 80 dB of stop band.
const BETA: f64 = 8.0;
/// Middle of the transition, in Hz at 16 kHz.
const CUTOFF_HZ: f64 = 3_700.0;
const WIDE_HZ: f64 = 16_000.0;

/// The filter's taps from the middle outwards, sum of both sides 1.
fn taps() -> Vec<f64> {
    let ratio = 2.0 * CUTOFF_HZ / WIDE_HZ;
    let tap = |n: usize| {
        let x = core::f64::consts::PI * ratio * n as f64;
        let sinc = if n == 0 { 1.0 } else { x.sin() / x };
        let edge = n as f64 / (HALF + 1) as f64;
        sinc * bessel(BETA * (1.0 - edge * edge).sqrt())
    };
    let taps: Vec<f64> = (0..=HALF).map(tap).collect();
    let sum = taps.iter().sum::<f64>() * 2.0 - taps.first().copied().unwrap_or(0.0);
    taps.into_iter().map(|tap| tap / sum).collect()
}

/// Modified Bessel function of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

fn round(value: f64) -> i16 {
    value.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

/// 16 kHz to 8 kHz: half as many samples, an odd last one counted whole.
pub(super) fn halve(wide: &[i16]) -> Vec<i16> {
    let taps = taps();
    let at = |index: usize| wide.get(index).copied().map_or(0.0, f64::from);
    let filtered = |middle: usize| {
        taps.iter().enumerate().fold(0.0, |sum, (n, tap)| match n {
            0 => tap * at(middle),
            _ => sum + tap * (at(middle + n) + middle.checked_sub(n).map_or(0.0, at)),
        })
    };
    (0..wide.len()).step_by(2).map(|middle| round(filtered(middle))).collect()
}

/// 8 kHz to 16 kHz: twice as many samples.
pub(super) fn double(narrow: &[i16]) -> Vec<i16> {
    let taps = taps();
    // Every other sample of the wide signal is a zero before filtering, hence twice the gain.
    let at = |index: usize| {
        if index.is_multiple_of(2) { narrow.get(index / 2).copied().map_or(0.0, f64::from) } else { 0.0 }
    };
    let filtered = |middle: usize| {
        // Only taps that meet a sample: those of the middle's own parity.
        let start = middle % 2;
        taps.iter().enumerate().skip(start).step_by(2).fold(0.0, |sum, (n, tap)| match n {
            0 => tap * at(middle),
            _ => sum + tap * (at(middle + n) + middle.checked_sub(n).map_or(0.0, at)),
        })
    };
    (0..narrow.len() * 2).map(|middle| round(2.0 * filtered(middle))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate_hz: f64, count: usize) -> Vec<i16> {
        (0..count)
            .map(|n| round(10_000.0 * (core::f64::consts::TAU * hz * n as f64 / rate_hz).sin()))
            .collect()
    }

    fn power(samples: &[i16]) -> f64 {
        let inner = &samples[400..samples.len() - 400];
        inner.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / inner.len() as f64
    }

    fn decibel(a: f64, b: f64) -> f64 {
        10.0 * f64::log10(a / b)
    }

    #[test]
    fn speech_passes_and_what_would_alias_does_not() {
        for hz in [300.0, 1_000.0, 3_300.0] {
            let wide = tone(hz, 16_000.0, 8_000);
            assert!(decibel(power(&halve(&wide)), power(&wide)).abs() < 0.1, "{hz}");
        }
        for hz in [4_200.0, 5_000.0, 7_500.0] {
            let wide = tone(hz, 16_000.0, 8_000);
            assert!(decibel(power(&halve(&wide)) + 1e-9, power(&wide)) < -60.0, "{hz}");
        }
    }

    #[test]
    fn up_and_down_again_is_the_same_in_place_and_level() {
        let narrow = tone(1_000.0, 8_000.0, 4_000);
        let wide = double(&narrow);
        assert_eq!(wide.len(), 8_000);
        let again = halve(&wide);
        for (a, b) in narrow.iter().zip(&again).skip(200).take(3_600) {
            assert!((i32::from(*a) - i32::from(*b)).abs() < 30, "{a} {b}");
        }
        // No image above 4 kHz: what is left beside the tone itself is nothing.
        let pure = tone(1_000.0, 16_000.0, 8_000);
        let rest: Vec<i16> = wide.iter().zip(&pure).map(|(a, b)| a - b).collect();
        assert!(decibel(power(&rest) + 1e-9, power(&pure)) < -50.0);
    }
}
