//! Scores of queries against candidates, a block of queries at a time: the whole matrix is never in memory.

use crate::matmul::{Mat, PackedB, Precision, matmul_packed};
use crate::scratch::Scratch;
use rayon::prelude::*;
use std::cmp::Ordering;

/// Largest number of scores held at a time (64 MiB).
const HELD: usize = 1 << 24;
/// Largest number of queries in a block.
const MOST_QUERIES: usize = 256;

/// Calls `visit(query, scores)` once per query, in parallel and in no order; `scores[c]` is the scalar product with
/// candidate c (the cosine, for unit vectors). `queries` is `[q, dim]`, `candidates` `[c, dim]`.
///
/// A score depends on its two vectors only, bit for bit: not on the block, the other rows or the threads. Besides the
/// arguments it holds a packed copy of the candidates and at most 64 MiB of scores (one row of scores if that is more).
///
/// # Panics
/// If a slice is not whole rows of `dim`.
pub fn scores(queries: &[f32], candidates: &[f32], dim: usize, visit: impl Fn(usize, &[f32]) + Sync) {
    assert!(dim > 0, "vectors must have a dimension");
    let whole = |values: &[f32]| values.len().is_multiple_of(dim);
    assert!(whole(queries) && whole(candidates), "queries and candidates must be rows of {dim}");
    let count = candidates.len() / dim;
    let packed = PackedB::new(Mat::new(candidates, count, dim).t(), Precision::F32);
    let block = (HELD / count.max(1)).clamp(1, MOST_QUERIES);
    let mut held = Scratch::new(block.min(queries.len() / dim) * count);
    for (i, queries) in queries.chunks(block * dim).enumerate() {
        let rows = queries.len() / dim;
        let held = &mut held[..rows * count];
        matmul_packed(held, Mat::new(queries, rows, dim), &packed, false);
        let held = &*held;
        (0..rows).into_par_iter().for_each(|row| visit(i * block + row, &held[row * count..][..count]));
    }
}

/// A candidate and its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Index of the candidate.
    pub index: u32,
    /// Scalar product with the query.
    pub score: f32,
}

/// Best first: higher score, and lower index among equal scores. NaN comes last.
fn better(a: &Hit, b: &Hit) -> Ordering {
    let key = |hit: &Hit| if hit.score.is_nan() { f32::NEG_INFINITY } else { hit.score };
    let equal_scores = || a.score.is_nan().cmp(&b.score.is_nan()).then(a.index.cmp(&b.index));
    key(b).partial_cmp(&key(a)).unwrap_or(Ordering::Equal).then_with(equal_scores)
}

/// The `k` best of `scores`, best first; equal scores in the order of their indices, NaN last.
pub fn best(scores: &[f32], k: usize) -> Vec<Hit> {
    let mut hits: Vec<Hit> = scores.iter().zip(0..).map(|(&score, index)| Hit { index, score }).collect();
    if k < hits.len() {
        hits.select_nth_unstable_by(k, better);
        hits.truncate(k);
    }
    hits.sort_unstable_by(better);
    hits
}

/// The `k` best candidates of each query, as [`best`] orders them; arguments as of [`scores`].
///
/// # Panics
/// As [`scores`].
pub fn top_k(queries: &[f32], candidates: &[f32], dim: usize, k: usize) -> Vec<Vec<Hit>> {
    let mut all: Vec<std::sync::OnceLock<Vec<Hit>>> = Vec::new();
    all.resize_with(queries.len().checked_div(dim).unwrap_or(0), Default::default);
    scores(queries, candidates, dim, |query, scores| {
        // Each query is visited once, so the place is still empty.
        let _ = all[query].set(best(scores, k));
    });
    all.into_iter().map(|hits| hits.into_inner().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// Whole numbers, so that sums are exact and equal scores frequent.
    fn vectors(seed: u64, len: usize) -> Vec<f32> {
        let mut rng = Rng::new(seed, &[]);
        (0..len).map(|_| rng.below(5) as f32 - 2.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn top_k_is_the_sorted_list(
            (q, c, dim) in (0usize..10, 0usize..60, 1usize..9),
            k in 0usize..70,
            seed: u64,
        ) {
            let (queries, candidates) = (vectors(seed, q * dim), vectors(seed ^ 1, c * dim));
            let found = top_k(&queries, &candidates, dim, k);
            prop_assert_eq!(found.len(), q);
            for (query, hits) in queries.chunks(dim).zip(found) {
                let mut plain: Vec<Hit> = (0..c).map(|i| {
                    let candidate = &candidates[i * dim..][..dim];
                    Hit { index: i as u32, score: query.iter().zip(candidate).map(|(a, b)| a * b).sum() }
                }).collect();
                plain.sort_by(|a, b| b.score.partial_cmp(&a.score).expect("numbers"));
                plain.truncate(k);
                prop_assert_eq!(hits, plain);
            }
        }
    }

    #[test]
    fn every_query_is_visited_once_over_many_blocks() {
        let (q, c, dim) = (2 * MOST_QUERIES + 3, 5, 4);
        let (queries, candidates) = (vectors(1, q * dim), vectors(2, c * dim));
        let seen = std::sync::Mutex::new(vec![0; q]);
        scores(&queries, &candidates, dim, |query, scores| {
            assert_eq!(scores.len(), c);
            let first: f32 = queries[query * dim..][..dim].iter().zip(&candidates[..dim]).map(|(a, b)| a * b).sum();
            assert_eq!(scores[0], first);
            seen.lock().expect("no panic")[query] += 1;
        });
        assert!(seen.into_inner().expect("no panic").iter().all(|&n| n == 1));
    }

    #[test]
    fn nan_comes_last_and_equals_keep_their_order() {
        let indices = |hits: Vec<Hit>| hits.iter().map(|hit| hit.index).collect::<Vec<_>>();
        let scores = [1.0, f32::NAN, f32::NEG_INFINITY, 1.0, -0.0, 0.0];
        assert_eq!(indices(best(&scores, 9)), [0, 3, 4, 5, 2, 1]);
        assert_eq!(indices(best(&scores, 2)), [0, 3]);
    }
}
