//! Scores of queries against candidates, a block of queries at a time: the whole matrix is never in memory.

use crate::matmul::{Mat, PackedB, Precision, matmul_packed};
use crate::scratch::Scratch;
use rayon::prelude::*;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Whole numbers, so that sums are exact and equal scores frequent.
    fn vectors(seed: u64, len: usize) -> Vec<f32> {
        let mut rng = Rng::new(seed, &[]);
        (0..len).map(|_| rng.below(5) as f32 - 2.0).collect()
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
}
