//! The short form used while training: one direction of the pair protocol, no intervals.

use super::evaluation::Task;
use super::scores;
use crate::component::{Component, PerComponent};
use crate::embed::Embeddings;
use crate::metrics::Summary;

/// The figures of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Validation {
    /// Recalls, median and mean reciprocal rank; all zero without queries.
    pub summary: Summary,
    /// Number of distinct queries.
    pub queries: usize,
    /// Number of distinct candidates.
    pub candidates: usize,
}

/// Figures of `from` -> `target` over the posts whose content keys are `keys`, as [`super::evaluate`] measures them.
pub fn validation(
    embeddings: &Embeddings,
    keys: &[PerComponent<u64>],
    from: Component,
    target: Component,
) -> Validation {
    let task = Task::new(embeddings, keys, &[from], target);
    if task.queries.is_empty() {
        return Validation::default();
    }
    Validation {
        summary: Summary::of(&scores::ranks(&task, embeddings)),
        queries: task.queries.len(),
        candidates: task.candidates.len(),
    }
}
