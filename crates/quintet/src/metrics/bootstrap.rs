//! Percentile bootstrap intervals over queries (Efron 1979): how far a figure would move with other queries.

use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ranks::{CUTS, Summary};

/// A 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5 % quantile over the resamples.
    pub low: f64,
    /// 97.5 % quantile over the resamples.
    pub high: f64,
}

impl Interval {
    /// The middle 95 % of `values`, quantiles interpolated linearly; the values are sorted in place.
    pub fn of(values: &mut [f64]) -> Interval {
        values.sort_unstable_by(f64::total_cmp);
        Interval { low: quantile(values, 0.025), high: quantile(values, 0.975) }
    }
}

/// Quantile `q` in 0..=1 of sorted values, interpolated linearly between neighbours; 0 without values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q * last as f64;
    let (below, share) = (at.floor() as usize, at.fract());
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * share
}

/// How many resamples, and their seed. The same seed gives the same intervals at any thread count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1,000 resamples: the quantiles then lie within about 0.5 percentage points of the 2.5 % and 97.5 % they stand for.
    fn default() -> Self {
        Bootstrap { resamples: 1000, seed: 20260 }
    }
}

impl Bootstrap {
    /// The figures of every resample: as many ranks as there are, drawn with replacement.
    /// `stream` keeps directions of one evaluation apart.
    pub fn summaries(&self, ranks: &[u32], stream: u64) -> Vec<Summary> {
        if ranks.is_empty() {
            return Vec::new();
        }
        // Sorted ranks in runs: a resample is then a count per distinct rank, and the median needs no sorting.
        let mut sorted = ranks.to_vec();
        sorted.sort_unstable();
        let mut run_of = Vec::with_capacity(sorted.len());
        let mut runs: Vec<u32> = Vec::new();
        for &rank in &sorted {
            if runs.last() != Some(&rank) {
                runs.push(rank);
            }
            run_of.push(runs.len() - 1);
        }
        (0..self.resamples as u64)
            .into_par_iter()
            .map(|i| {
                let mut rng = Rng::new(self.seed, &[label("bootstrap"), stream, i]);
                let mut counts = vec![0u32; runs.len()];
                for _ in 0..run_of.len() {
                    counts[run_of[rng.index(run_of.len())]] += 1;
                }
                summary_of_counts(&runs, &counts)
            })
            .collect()
    }
}

/// [`Summary::of`] for `counts[i]` queries of rank `runs[i]`, `runs` ascending.
fn summary_of_counts(runs: &[u32], counts: &[u32]) -> Summary {
    let n: u64 = counts.iter().map(|&c| u64::from(c)).sum();
    let mut within = [0u64; CUTS.len()];
    let mut reciprocal = 0.0;
    let (mut seen, mut lower, mut upper) = (0u64, None, None);
    for (&rank, &count) in runs.iter().zip(counts).filter(|(_, c)| **c > 0) {
        for (w, k) in within.iter_mut().zip(CUTS) {
            if rank as usize <= k {
                *w += u64::from(count);
            }
        }
        reciprocal += f64::from(count) / f64::from(rank);
        seen += u64::from(count);
        if lower.is_none() && seen > (n - 1) / 2 {
            lower = Some(rank);
        }
        if upper.is_none() && seen > n / 2 {
            upper = Some(rank);
        }
    }
    let middle = u64::from(lower.unwrap_or(0)) + u64::from(upper.unwrap_or(0));
    Summary {
        recall: within.map(|w| 100.0 * w as f64 / n as f64),
        median_rank: (middle / 2) as f64,
        mean_reciprocal_rank: reciprocal / n as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counting_equals_listing(ranks in prop::collection::vec(1u32..30, 1..40)) {
            let mut runs = ranks.clone();
            runs.sort_unstable();
            runs.dedup();
            let counts: Vec<u32> =
                runs.iter().map(|r| ranks.iter().filter(|x| *x == r).count() as u32).collect();
            let (a, b) = (summary_of_counts(&runs, &counts), Summary::of(&ranks));
            prop_assert_eq!(a.recall, b.recall);
            prop_assert_eq!(a.median_rank, b.median_rank);
            prop_assert!((a.mean_reciprocal_rank - b.mean_reciprocal_rank).abs() < 1e-12);
        }
    }

    #[test]
    fn the_interval_has_the_width_of_the_binomial() {
        // 400 queries, half of them found first: the standard error of recall@1 is 100 * sqrt(.25 / 400) = 2.5.
        let ranks: Vec<u32> = (0..400).map(|i| if i % 2 == 0 { 1 } else { 50 }).collect();
        let bootstrap = Bootstrap::default();
        let mut recalls: Vec<f64> = bootstrap.summaries(&ranks, 0).iter().map(|s| s.recall[0]).collect();
        let interval = Interval::of(&mut recalls);
        assert!((interval.low - (50.0 - 1.96 * 2.5)).abs() < 0.8, "{interval:?}");
        assert!((interval.high - (50.0 + 1.96 * 2.5)).abs() < 0.8, "{interval:?}");
    }

    #[test]
    fn seeded_and_free_of_threads() {
        let ranks: Vec<u32> = (1..200).collect();
        let bootstrap = Bootstrap { resamples: 50, seed: 3 };
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let first = alone.map(|pool| pool.install(|| bootstrap.summaries(&ranks, 1))).unwrap_or_default();
        assert_eq!(first, bootstrap.summaries(&ranks, 1));
        assert_ne!(first, bootstrap.summaries(&ranks, 2));
        assert!(bootstrap.summaries(&[], 1).is_empty());
    }

    #[test]
    fn quantiles_interpolate() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        values.sort_unstable_by(f64::total_cmp);
        assert_eq!(quantile(&values, 0.5), 2.5);
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
