//! Between 8 and 16 kHz. Whole recordings by one long symmetric filter: flat to 3.4 kHz, silent from 4 kHz
//! on. Live voice by a short one of the same kind, frame after frame: flat to 3.2 kHz, 2 ms late.

/// Kaiser window's shape: more than 80 dB of stop band for recordings, 60 for live voice.
const BETA: f64 = 8.0;
const BETA_LIVE: f64 = 5.7;
/// Taps on each side of the middle one.
const HALF: usize = 96;
const HALF_LIVE: usize = 31;
/// Middle of the transition, in Hz at 16 kHz.
const CUTOFF_HZ: f64 = 3_700.0;
const WIDE_HZ: f64 = 16_000.0;

/// A filter's taps from the middle outwards, sum of both sides 1.
fn taps(half: usize, beta: f64) -> Vec<f64> {
    let ratio = 2.0 * CUTOFF_HZ / WIDE_HZ;
    let tap = |n: usize| {
        let x = core::f64::consts::PI * ratio * n as f64;
        let sinc = if n == 0 { 1.0 } else { x.sin() / x };
        let edge = n as f64 / (half + 1) as f64;
        sinc * bessel(beta * (1.0 - edge * edge).sqrt())
    };
    let taps: Vec<f64> = (0..=half).map(tap).collect();
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
pub fn halve(wide: &[i16]) -> Vec<i16> {
    let taps = taps(HALF, BETA);
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
pub fn double(narrow: &[i16]) -> Vec<i16> {
    let taps = taps(HALF, BETA);
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

/// Taps of the live filter, with a zero behind so that halves and eighths come out even.
const LIVE_TAPS: usize = 2 * HALF_LIVE + 2;
const PHASE_TAPS: usize = LIVE_TAPS / 2;
/// Samples of 20 ms at 16 kHz: what is filtered at once.
const WIDE_MAX: usize = super::FRAME_SAMPLES_MAX;
const NARROW_MAX: usize = WIDE_MAX / 2;

/// The live filter in units of 2^-15, both sides, times `gain`. It is the same read backwards.
fn live_taps(gain: f64) -> [i16; LIVE_TAPS] {
    let half = taps(HALF_LIVE, BETA_LIVE);
    let at = |n: usize| half.get(n.abs_diff(HALF_LIVE)).copied().unwrap_or(0.0);
    core::array::from_fn(|n| round(at(n) * gain * 32_768.0))
}

/// The sum of products, rounded. A loop that the compiler turns into multiplications of eight at once.
#[inline]
fn filtered(samples: &[i16], taps: &[i16]) -> i16 {
    let products = samples.iter().zip(taps).map(|(&sample, &tap)| i32::from(sample) * i32::from(tap));
    // The taps' magnitudes add up to less than 2^16: the sum fits.
    let sum = products.fold(0i32, i32::wrapping_add);
    (sum.saturating_add(1 << 14) >> 15).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// A live stream from 16 to 8 kHz.
#[derive(Clone, Debug)]
pub struct Halver {
    taps: [i16; LIVE_TAPS],
    /// What came before, then the frame.
    samples: [i16; LIVE_TAPS + WIDE_MAX],
}

impl Default for Halver {
    fn default() -> Self {
        // The newest sample meets the first tap: read backwards.
        let mut taps = live_taps(1.0);
        taps.reverse();
        Halver { taps, samples: [0; LIVE_TAPS + WIDE_MAX] }
    }
}

impl Halver {
    /// The next samples, up to 20 ms; an even number. `out` has room for half as many: how many there are.
    pub fn halve(&mut self, wide: &[i16], out: &mut [i16]) -> usize {
        let count = wide.len().min(WIDE_MAX) / 2;
        let Some(fresh) = self.samples.get_mut(LIVE_TAPS..LIVE_TAPS + 2 * count) else { return 0 };
        fresh.copy_from_slice(wide.get(..2 * count).unwrap_or_default());
        let windows = self.samples.windows(LIVE_TAPS).skip(1).step_by(2);
        for (sample, window) in out.iter_mut().zip(windows).take(count) {
            *sample = filtered(window, &self.taps);
        }
        self.samples.copy_within(2 * count..2 * count + LIVE_TAPS, 0);
        count.min(out.len())
    }
}

/// A live stream from 8 to 16 kHz.
#[derive(Clone, Debug)]
pub struct Doubler {
    /// The taps that meet a sample when the output is one of the input's instants, and those between.
    phases: [[i16; PHASE_TAPS]; 2],
    samples: [i16; PHASE_TAPS + NARROW_MAX],
}

impl Default for Doubler {
    fn default() -> Self {
        // Every other sample of the wide signal is a zero before filtering, hence twice the gain.
        let taps = live_taps(2.0);
        let (pairs, _) = taps.as_chunks::<2>();
        let phase = |odd: usize| core::array::from_fn(|n| pairs.get(n).map_or(0, |pair| pair[odd]));
        // The newest sample meets the first tap: the phases are read backwards.
        let mut phases: [[i16; PHASE_TAPS]; 2] = [phase(0), phase(1)];
        phases.iter_mut().for_each(|phase| phase.reverse());
        Doubler { phases, samples: [0; PHASE_TAPS + NARROW_MAX] }
    }
}

impl Doubler {
    /// The next samples, up to 20 ms. `out` has room for twice as many: how many there are.
    pub fn double(&mut self, narrow: &[i16], out: &mut [i16]) -> usize {
        let count = narrow.len().min(NARROW_MAX);
        let Some(fresh) = self.samples.get_mut(PHASE_TAPS..PHASE_TAPS + count) else { return 0 };
        fresh.copy_from_slice(narrow.get(..count).unwrap_or_default());
        let windows = self.samples.windows(PHASE_TAPS).skip(1);
        let (pairs, _) = out.as_chunks_mut::<2>();
        let [even, odd] = &self.phases;
        for (pair, window) in pairs.iter_mut().zip(windows).take(count) {
            *pair = [filtered(window, even), filtered(window, odd)];
        }
        self.samples.copy_within(count..count + PHASE_TAPS, 0);
        2 * count
    }
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

    fn live_halve(wide: &[i16]) -> Vec<i16> {
        let mut halver = Halver::default();
        let mut out = [0; 160];
        let halved = |frame: &[i16]| {
            let count = halver.halve(frame, &mut out);
            out[..count].to_vec()
        };
        wide.chunks(320).flat_map(halved).collect()
    }

    fn live_double(narrow: &[i16]) -> Vec<i16> {
        let mut doubler = Doubler::default();
        let mut out = [0; 320];
        let doubled = |frame: &[i16]| {
            let count = doubler.double(frame, &mut out);
            out[..count].to_vec()
        };
        narrow.chunks(160).flat_map(doubled).collect()
    }

    #[test]
    fn live_voice_passes_and_what_would_alias_hardly() {
        for hz in [300.0, 1_000.0, 2_000.0, 3_100.0] {
            let wide = tone(hz, 16_000.0, 16_000);
            assert!(decibel(power(&live_halve(&wide)), power(&wide)).abs() < 0.2, "{hz} down");
            let narrow = tone(hz, 8_000.0, 8_000);
            assert!(decibel(power(&live_double(&narrow)), power(&narrow)).abs() < 0.2, "{hz} up");
        }
        for hz in [4_300.0, 5_000.0, 7_500.0] {
            let wide = tone(hz, 16_000.0, 16_000);
            assert!(decibel(power(&live_halve(&wide)) + 1e-9, power(&wide)) < -45.0, "{hz}");
        }
    }

    #[test]
    fn live_voice_is_two_milliseconds_late_and_has_no_seams() {
        let narrow = tone(1_000.0, 8_000.0, 8_000);
        let wide = live_double(&narrow);
        let pure = tone(1_000.0, 16_000.0, 16_000);
        // The middle tap: 31 samples at 16 kHz.
        for (n, (a, b)) in wide[HALF_LIVE..].iter().zip(&pure).enumerate().skip(400) {
            assert!((i32::from(*a) - i32::from(*b)).abs() < 40, "{n}: {a} {b}");
        }
        let again = live_halve(&wide);
        for (n, (a, b)) in again[HALF_LIVE..].iter().zip(&narrow).enumerate().skip(400) {
            assert!((i32::from(*a) - i32::from(*b)).abs() < 60, "{n}: {a} {b}");
        }
    }

    #[test]
    fn full_scale_does_not_wrap() {
        let mut loud = vec![i16::MAX; 3_200];
        loud.extend(vec![i16::MIN; 3_200]);
        let halved = live_halve(&loud);
        assert!(halved[200..1_500].iter().all(|&sample| sample > 30_000));
        assert!(halved[1_800..].iter().all(|&sample| sample < -30_000));
    }
}
