//! Drawing by weight and by counter: seed, purpose and index decide the numbers, so any thread may make any post.

pub use quintet_kernels::rng::Rng;
use quintet_kernels::rng::label;

/// The numbers of the town for one purpose and index.
pub fn draw(seed: u64, purpose: &str, index: u64) -> Rng {
    Rng::new(seed, &[label("town"), label(purpose), index])
}

/// A number in `[low, high)`.
pub fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.f64()
}

/// One of `values`, which must not be empty.
pub fn pick<'a, T>(rng: &mut Rng, values: &'a [T]) -> &'a T {
    &values[rng.index(values.len())]
}

/// A distribution over `0..n` given by weights.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Sums of the weights up to and including each index.
    sums: Vec<f64>,
}

impl Weighted {
    /// From weights, at least one of them above 0.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Weighted {
        let mut sum = 0.0;
        let sums = weights
            .into_iter()
            .map(|w| {
                sum += w;
                sum
            })
            .collect();
        Weighted { sums }
    }

    /// Zipf's law with exponent `s` over `n` ranks.
    pub fn zipf(n: usize, s: f64) -> Weighted {
        Weighted::new((0..n).map(|rank| (rank as f64 + 1.0).powf(-s)))
    }

    /// An index, by its weight.
    pub fn sample(&self, rng: &mut Rng) -> usize {
        let total = self.sums.last().copied().unwrap_or(0.0);
        let at = rng.f64() * total;
        self.sums.partition_point(|&sum| sum <= at).min(self.sums.len().saturating_sub(1))
    }

    /// Probability of `index`.
    pub fn probability(&self, index: usize) -> f64 {
        let before = if index == 0 { 0.0 } else { self.sums[index - 1] };
        (self.sums[index] - before) / self.sums.last().copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_follow_the_weights() {
        let weighted = Weighted::new([1.0, 0.0, 3.0]);
        let mut counts = [0usize; 3];
        let mut rng = draw(7, "test", 0);
        for _ in 0..40_000 {
            counts[weighted.sample(&mut rng)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((counts[2] as f64 / 40_000.0 - 0.75).abs() < 0.01, "{counts:?}");
        assert!((weighted.probability(2) - 0.75).abs() < 1e-12);
    }
}
