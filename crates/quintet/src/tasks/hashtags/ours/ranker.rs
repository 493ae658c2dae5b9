//! Learns how much each kind of evidence counts: a conditional logit (McFadden 1974) over each post's pool of tags.
//!
//! A pool holds some tags with the evidence for each; p(tag) = softmax of the weighted sum of its evidence over the pool,
//! and the weights maximise the mean log p of the true tags, less a small square.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Tags that may be right for one post, with evidence `[tags, kinds]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// Candidates, each once.
    pub tags: Vec<u32>,
    /// Row after row.
    pub evidence: Vec<f32>,
}

/// Weights of the kinds of evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranker {
    /// On evidence as it comes, scaling included.
    pub weights: Vec<f32>,
}

/// Steps of the descent; the loss moves in the fifth digit at the end.
const STEPS: usize = 400;
/// On the square of the weights of scaled evidence: only keeps useless kinds at zero.
const DECAY: f64 = 1e-4;

impl Ranker {
    /// Learns from pools of training posts with the positions of the true tags in each; posts without a true tag in their
    /// pool teach nothing. Everything is in f64 and added in order: the same bits at any number of threads.
    pub fn fit(pools: &[(Pool, Vec<usize>)], kinds: usize) -> Ranker {
        let taught: Vec<&(Pool, Vec<usize>)> = pools.iter().filter(|(_, right)| !right.is_empty()).collect();
        let scales = scales(&taught, kinds);
        let mut weights = vec![0f64; kinds];
        let (mut first, mut second) = (vec![0f64; kinds], vec![0f64; kinds]);
        for step in 1..=STEPS {
            let scaled: Vec<f64> = weights.iter().zip(&scales).map(|(w, s)| w * s).collect();
            // Blocks of a fixed size, added in order.
            let parts: Vec<Vec<f64>> =
                taught.par_chunks(64).map(|block| gradient_of(block, &scaled, &scales)).collect();
            let rate = 0.1 * (1.0 - (step - 1) as f64 / STEPS as f64);
            let debias = |beta: f64| 1.0 - beta.powi(step as i32);
            for kind in 0..kinds {
                let sum: f64 = parts.iter().map(|part| part[kind]).sum();
                let gradient = DECAY * weights[kind] - sum / taught.len().max(1) as f64;
                first[kind] = 0.9 * first[kind] + 0.1 * gradient;
                second[kind] = 0.99 * second[kind] + 0.01 * gradient * gradient;
                weights[kind] -= rate * first[kind] / debias(0.9) / ((second[kind] / debias(0.99)).sqrt() + 1e-9);
            }
        }
        Ranker { weights: weights.iter().zip(&scales).map(|(w, s)| (w * s) as f32).collect() }
    }

    /// The first `k` of a pool with their scores, best first, equal ones in the order of the candidates.
    pub fn best(&self, pool: &Pool, k: usize) -> Vec<(u32, f32)> {
        let score = |row: &[f32]| row.iter().zip(&self.weights).map(|(e, w)| e * w).sum::<f32>();
        let scores = pool.evidence.chunks(self.weights.len()).map(score);
        let mut list: Vec<(u32, f32)> = pool.tags.iter().copied().zip(scores).collect();
        list.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        list.truncate(k);
        list
    }
}

/// One over the standard deviation of each kind within pools; 0 for a kind that never varies.
fn scales(pools: &[&(Pool, Vec<usize>)], kinds: usize) -> Vec<f64> {
    let (mut squares, mut count) = (vec![0f64; kinds], 0usize);
    for (pool, _) in pools {
        let n = pool.tags.len();
        for (kind, square) in squares.iter_mut().enumerate() {
            let values = || pool.evidence.iter().skip(kind).step_by(kinds).map(|&v| f64::from(v));
            let mean = values().sum::<f64>() / n.max(1) as f64;
            *square += values().map(|v| (v - mean).powi(2)).sum::<f64>();
        }
        count += n;
    }
    squares.into_iter().map(|s| if s > 1e-12 { (count as f64 / s).sqrt() } else { 0.0 }).collect()
}

/// Sum over posts of the gradient of the mean log p of their true tags, for weights on scaled evidence.
fn gradient_of(pools: &[&(Pool, Vec<usize>)], weights: &[f64], scales: &[f64]) -> Vec<f64> {
    let kinds = weights.len();
    let mut sum = vec![0f64; kinds];
    for (pool, right) in pools {
        let rows = || pool.evidence.chunks(kinds);
        let scores: Vec<f64> =
            rows().map(|row| row.iter().zip(weights).map(|(e, w)| f64::from(*e) * w).sum()).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|s| (s - most).exp()).sum();
        let share = 1.0 / right.len() as f64;
        for (at, (row, score)) in rows().zip(&scores).enumerate() {
            let wanted = if right.contains(&at) { share } else { 0.0 };
            let pull = wanted - (score - most).exp() / total;
            for ((sum, e), scale) in sum.iter_mut().zip(row).zip(scales) {
                *sum += pull * f64::from(*e) * scale;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_kernels::rng::Rng;

    /// Pools whose right tag is drawn by a known logit: the weights come back.
    #[test]
    fn known_weights_are_found() {
        let truth = [2.0, -1.0, 0.0, 0.5];
        let mut rng = Rng::new(3, &[]);
        let pools: Vec<(Pool, Vec<usize>)> = (0..4000)
            .map(|_| {
                let evidence: Vec<f32> =
                    (0..8 * 4).map(|i| if i % 4 == 3 { 1.0 } else { rng.normal() as f32 }).collect();
                let score = |row: &[f32]| row.iter().zip(truth).map(|(e, w)| f64::from(*e) * w).sum::<f64>();
                let odds: Vec<f64> = evidence.chunks(4).map(|row| score(row).exp()).collect();
                let mut left = rng.f64() * odds.iter().sum::<f64>();
                let drawn = odds.iter().position(|o| {
                    left -= o;
                    left < 0.0
                });
                (Pool { tags: (0..8).collect(), evidence }, vec![drawn.unwrap_or(7)])
            })
            .collect();
        let ranker = Ranker::fit(&pools, 4);
        for (kind, (got, want)) in ranker.weights.iter().zip([2.0, -1.0, 0.0]).enumerate() {
            assert!((got - want).abs() < 0.12, "kind {kind}: {got} instead of {want}");
        }
        assert_eq!(ranker.weights[3], 0.0, "evidence that is the same for all tags says nothing");
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(alone.install(|| Ranker::fit(&pools, 4)), ranker);
    }

    #[test]
    fn lists_are_ordered_and_nothing_teaches_nothing() {
        let pool = Pool { tags: vec![5, 3, 9], evidence: vec![1.0, 2.0, 2.0] };
        let ranker = Ranker { weights: vec![0.5] };
        assert_eq!(ranker.best(&pool, 2), [(3, 1.0), (9, 1.0)]);
        assert_eq!(Ranker::fit(&[(pool, vec![])], 1).weights, [0.0]);
    }
}
