//! Ranks of the right answers of many queries: blockwise cosines, never a matrix of all against all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use quintet_kernels::rank;

use super::evaluation::{Query, Task};
use crate::component::Component;
use crate::embed::Embeddings;
use crate::features::Dense;
use crate::features::dataset::NONE;
use crate::metrics::rank_of_best;

/// Largest number of combined scores held at a time (64 MiB).
const SCORES: usize = 16 << 20;

/// Rank of each query of `task` (1 is best), ties counted against the model. The same at any thread count: a score
/// depends on its two vectors only, so equal candidates tie to the last bit wherever they stand.
pub(super) fn ranks(task: &Task, embeddings: &Embeddings) -> Vec<u32> {
    let candidates = gather(embeddings, task.target, task.candidates.iter().copied());
    match task.from[..] {
        [from] => by_one(&task.queries, from, &candidates, embeddings),
        _ => {
            let block = (SCORES / candidates.len().max(1)).max(1);
            let blocks = task.queries.chunks(block);
            blocks.flat_map(|queries| by_largest(queries, &task.from, &candidates, embeddings)).collect()
        }
    }
}

/// Ranks where one component asks.
fn by_one(queries: &[Query], from: Component, candidates: &Dense, embeddings: &Embeddings) -> Vec<u32> {
    let asking = gather(embeddings, from, queries.iter().map(|q| q.post));
    let ranks: Vec<AtomicU32> = queries.iter().map(|_| AtomicU32::new(0)).collect();
    rank::scores(&asking.values, &candidates.values, embeddings.dim, |i, scores| {
        ranks[i].store(rank_of_best(scores, &queries[i].right), Ordering::Relaxed);
    });
    ranks.into_iter().map(AtomicU32::into_inner).collect()
}

/// Ranks where a candidate scores its largest cosine with any component the query has (`vsepp.md` 7.5).
fn by_largest(queries: &[Query], from: &[Component], candidates: &Dense, embeddings: &Embeddings) -> Vec<u32> {
    let n = candidates.len();
    let mut largest = vec![f32::NEG_INFINITY; queries.len() * n];
    let rows: Vec<Mutex<&mut [f32]>> = largest.chunks_exact_mut(n).map(Mutex::new).collect();
    for &c in from {
        let having: Vec<usize> =
            (0..queries.len()).filter(|&i| embeddings.rows[c][queries[i].post as usize] != NONE).collect();
        let asking = gather(embeddings, c, having.iter().map(|&i| queries[i].post));
        rank::scores(&asking.values, &candidates.values, embeddings.dim, |i, scores| {
            // Each row is visited once per component, so the lock is always free; poisoning would need a panic here.
            if let Ok(mut row) = rows[having[i]].lock() {
                raise(&mut row, scores);
            }
        });
    }
    drop(rows);
    queries.iter().zip(largest.chunks_exact(n)).map(|(q, scores)| rank_of_best(scores, &q.right)).collect()
}

/// Element-wise maximum; what is not a number stays so, for the rank to see.
fn raise(largest: &mut [f32], scores: &[f32]) {
    for (cell, &score) in largest.iter_mut().zip(scores) {
        if score > *cell || score.is_nan() {
            *cell = score;
        }
    }
}

/// The vectors of `posts`, all of which have component `c`, as one matrix.
fn gather(embeddings: &Embeddings, c: Component, posts: impl Iterator<Item = u32>) -> Dense {
    let mut out = Dense::new(embeddings.dim);
    for post in posts {
        let row = embeddings.rows[c][post as usize];
        out.push(embeddings.vectors[c].row(row as usize));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_counts_and_nan_stays() {
        let mut largest = [f32::NEG_INFINITY, 0.5, f32::NAN, 0.1];
        raise(&mut largest, &[0.25, 0.25, 1.0, f32::NAN]);
        assert_eq!(largest[..2], [0.25, 0.5]);
        assert!(largest[2].is_nan() && largest[3].is_nan());
    }
}
