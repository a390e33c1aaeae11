//! Gaps in decoded voice: the last pitch period goes on, quieter and quieter (after ITU-T G.711
//! appendix I), and what comes after is led in from it.

use super::{FRAME_SAMPLES_MAX, Rate};

/// Milliseconds of voice that are remembered: two of the longest pitch periods and the piece compared.
const MEMORY_MS: usize = 40;
const MEMORY_MAX: usize = MEMORY_MS * 16;
/// Pitch periods looked for: 66 to 400 Hz.
const PERIOD_MIN_US: usize = 2_500;
const PERIOD_MAX_US: usize = 15_000;
/// Milliseconds that are compared to find the period.
const COMPARED_MS: usize = 10;
/// Milliseconds that go on unchanged, and after which there is nothing left.
const FULL_MS: usize = 10;
const FADED_MS: usize = 60;
/// Milliseconds in which one voice goes over into another.
const OVERLAP_MS: usize = 4;

/// One stream's memory of how it sounded last.
#[derive(Clone, Debug)]
pub struct Concealer {
    rate: Rate,
    memory: [i16; MEMORY_MAX],
    /// While a gap goes on: its period, and the samples of it filled so far.
    gap: Option<(usize, usize)>,
}

/// Of `a` at the beginning, of `b` at the end.
fn blend(a: i16, b: i16, place: usize, length: usize) -> i16 {
    let (place, length) = (place as i32, length.max(1) as i32);
    let sum = i32::from(a) * (length - place) + i32::from(b) * place;
    (sum / length) as i16
}

impl Concealer {
    /// A stream of which nothing was heard yet.
    pub const fn new(rate: Rate) -> Self {
        Concealer { rate, memory: [0; MEMORY_MAX], gap: None }
    }

    const fn per_ms(&self) -> usize {
        self.rate.hz() as usize / 1_000
    }

    fn memory(&self) -> &[i16] {
        self.memory.get(MEMORY_MAX - MEMORY_MS * self.per_ms()..).unwrap_or_default()
    }

    fn remember(&mut self, samples: &[i16]) {
        let fresh = samples.get(samples.len().saturating_sub(MEMORY_MAX)..).unwrap_or_default();
        self.memory.copy_within(fresh.len().., 0);
        if let Some(place) = self.memory.get_mut(MEMORY_MAX - fresh.len()..) {
            place.copy_from_slice(fresh);
        }
    }

    /// Voice that really came: remembers it, and leads it in if a gap went before.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.gap.is_some() {
            let mut before = [0; FRAME_SAMPLES_MAX];
            let overlap = (OVERLAP_MS * self.per_ms()).min(samples.len());
            if let Some(before) = before.get_mut(..overlap) {
                self.go_on(before);
                for (n, (sample, before)) in samples.iter_mut().zip(before).enumerate() {
                    *sample = blend(*before, *sample, n, overlap);
                }
            }
            self.gap = None;
        }
        self.remember(samples);
    }

    /// Fills a gap.
    pub fn lost(&mut self, out: &mut [i16]) {
        self.go_on(out);
    }

    fn go_on(&mut self, out: &mut [i16]) {
        let per_ms = self.per_ms();
        let (period, filled) = self.gap.unwrap_or_else(|| (self.period(), 0));
        let (full, faded) = (FULL_MS * per_ms, FADED_MS * per_ms);
        let memory = self.memory();
        let last = memory.get(memory.len() - period..).unwrap_or_default();
        // The period's own end goes over into its beginning, else each repetition would click.
        let before = memory.get(memory.len().saturating_sub(period + period / 4)..).unwrap_or_default();
        let seam = period / 4;
        for (n, sample) in out.iter_mut().enumerate() {
            let place = (filled + n) % period;
            let mut voice = last.get(place).copied().unwrap_or(0);
            if place >= period - seam {
                let into = place - (period - seam);
                voice = blend(voice, before.get(into).copied().unwrap_or(0), into, seam);
            }
            let gone = (filled + n).saturating_sub(full).min(faded - full);
            *sample = blend(voice, 0, gone, faded - full);
        }
        self.gap = Some((period, filled + out.len()));
    }

    /// The pitch period, in samples: where the last milliseconds look most like what was before them.
    fn period(&self) -> usize {
        let per_ms = self.per_ms();
        let memory = self.memory();
        let (shortest, longest) = (PERIOD_MIN_US * per_ms / 1_000, PERIOD_MAX_US * per_ms / 1_000);
        let compared = COMPARED_MS * per_ms;
        let recent = memory.get(memory.len() - compared..).unwrap_or_default();
        let score = |lag: usize| {
            let start = memory.len() - compared - lag;
            let earlier = memory.get(start..start + compared).unwrap_or_default();
            let (mut product, mut energy) = (0i64, 1i64);
            for (&a, &b) in recent.iter().zip(earlier) {
                product += i64::from(a) * i64::from(b);
                energy += i64::from(b) * i64::from(b);
            }
            // Correlation's square by energy, signed: no root is needed to compare.
            let product = product as f64;
            product * product.abs() / energy as f64
        };
        let step = per_ms / 8;
        let best = (shortest..=longest).step_by(step.max(1)).max_by(|&a, &b| score(a).total_cmp(&score(b)));
        best.unwrap_or(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vowel(rate: Rate, from: usize, count: usize) -> Vec<i16> {
        let at = |n: usize| {
            let turn = core::f64::consts::TAU * (from + n) as f64 / f64::from(rate.hz());
            (4_000.0 * (turn * 125.0).sin() + 3_000.0 * (turn * 500.0).cos()) as i16
        };
        (0..count).map(at).collect()
    }

    fn difference(a: &[i16], b: &[i16]) -> f64 {
        let sum: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        (sum / a.len() as f64).sqrt()
    }

    #[test]
    fn a_vowel_goes_on_over_a_lost_frame_and_into_the_next() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let frame = rate.frame();
            let whole = vowel(rate, 0, 6 * frame);
            let mut concealer = Concealer::new(rate);
            for n in 0..4 {
                let mut samples = whole[n * frame..][..frame].to_vec();
                concealer.heard(&mut samples);
                assert_eq!(samples, whole[n * frame..][..frame], "what came is not touched");
            }
            let mut gap = vec![0; frame];
            concealer.lost(&mut gap);
            let lost = &whole[4 * frame..][..frame];
            // Unchanged in its first half, and audibly the same vowel in its second.
            assert!(difference(&gap[..frame / 2], &lost[..frame / 2]) < 500.0, "{rate:?}");
            assert!(difference(&gap, lost) < difference(&vec![0; frame], lost) / 3.0, "{rate:?}");
            let mut next = whole[5 * frame..].to_vec();
            concealer.heard(&mut next);
            let joined = [&gap[..], &next].concat();
            let steps = joined.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
            assert!(steps.max() < Some(4_000), "{rate:?}: no click");
        }
    }

    #[test]
    fn a_long_gap_fades_to_nothing() {
        let mut concealer = Concealer::new(Rate::Narrow);
        concealer.heard(&mut vowel(Rate::Narrow, 0, 320));
        let mut gap = vec![0; 160];
        let mut loudness = Vec::new();
        for _ in 0..5 {
            concealer.lost(&mut gap);
            loudness.push(difference(&gap, &[0; 160]) as i32);
        }
        assert!(loudness.windows(2).all(|pair| pair[0] >= pair[1]), "{loudness:?}");
        assert!(loudness[0] > 2_000 && loudness[4] == 0, "{loudness:?}");
    }

    #[test]
    fn nothing_goes_on_as_nothing_and_full_scale_does_not_overflow() {
        let mut concealer = Concealer::new(Rate::Wide);
        let mut gap = vec![7; 320];
        concealer.lost(&mut gap);
        assert_eq!(gap, vec![0; 320]);
        let mut square: Vec<i16> =
            (0..640).map(|n| if n / 40 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        concealer.heard(&mut square);
        concealer.lost(&mut gap);
        concealer.heard(&mut gap);
    }
}
