//! How a time is spread about its mean.

use base::Rng;

/// A random time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Its kind.
    pub shape: Shape,
    /// Its mean in seconds; infinite: never.
    pub mean_s: f64,
}

/// The kinds of spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Exponential: what queueing theory assumes.
    Exponential,
    /// Log-normal: what handle times measured in call centres look like.
    Lognormal {
        /// Standard deviation per mean.
        cv: f64,
    },
    /// Always the mean.
    Fixed,
}

impl Shape {
    /// The words of configs.
    pub const WORDS: [&str; 3] = ["exp", "lognormal", "fixed"];
}

impl Spread {
    /// Exponential with this mean.
    pub const fn exponential(mean_s: f64) -> Spread {
        Spread { shape: Shape::Exponential, mean_s }
    }

    /// Never.
    pub const NEVER: Spread = Spread { shape: Shape::Fixed, mean_s: f64::INFINITY };

    /// A time in seconds.
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        self.mean_s * self.unit(rng)
    }

    /// A time in units of the mean.
    fn unit(&self, rng: &mut Rng) -> f64 {
        match self.shape {
            Shape::Exponential => exponential(rng),
            Shape::Lognormal { cv } => {
                // Box-Muller; variance of the logarithm ln(1 + cv²), its mean such that the mean is 1.
                let radius = (2.0 * exponential(rng)).sqrt();
                let normal = radius * (core::f64::consts::TAU * rng.unit()).cos();
                let variance = (cv * cv).ln_1p();
                (variance.sqrt() * normal - 0.5 * variance).exp()
            }
            Shape::Fixed => 1.0,
        }
    }
}

/// Exponential with mean 1.
pub(super) fn exponential(rng: &mut Rng) -> f64 {
    -(-rng.unit()).ln_1p()
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;

    #[test]
    fn means_and_deviations_are_as_said() {
        for (shape, cv) in
            [(Shape::Exponential, 1.0), (Shape::Lognormal { cv: 1.3 }, 1.3), (Shape::Fixed, 0.0)]
        {
            let mut rng = Rng::new(Seed([3, 4]));
            let spread = Spread { shape, mean_s: 180.0 };
            let times: Vec<f64> = (0..200_000).map(|_| spread.draw(&mut rng)).collect();
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            let square = times.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / times.len() as f64;
            assert!((mean / 180.0 - 1.0).abs() < 0.01, "{shape:?}: mean {mean}");
            assert!((square.sqrt() / mean - cv).abs() < 0.04, "{shape:?}: cv {}", square.sqrt() / mean);
            assert!(times.iter().all(|t| *t >= 0.0));
        }
        assert!(Spread::NEVER.draw(&mut Rng::new(Seed([1, 1]))).is_infinite());
    }
}
