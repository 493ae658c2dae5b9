//! The short form used while training: one direction of the pair protocol, no intervals.

use std::collections::BTreeMap;

use super::evaluation::Task;
use super::scores;
use crate::component::{Component, PerComponent};
use crate::embed::Embeddings;
use crate::metrics::{CUTS, Summary, recall_at};

/// The figures of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Validation {
    /// Recalls, median and mean reciprocal rank; all zero without queries.
    pub summary: Summary,
    /// Recall at 1, 5, 10 in percent, averaged over the queries that share their right answers first: a photo shared a
    /// hundred times counts once.
    pub recall_by_answer: [f64; 3],
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
    let ranks = scores::ranks(&task, embeddings);
    Validation {
        summary: Summary::of(&ranks),
        recall_by_answer: by_answer(&task, &ranks),
        queries: task.queries.len(),
        candidates: task.candidates.len(),
    }
}

fn by_answer(task: &Task, ranks: &[u32]) -> [f64; 3] {
    let mut groups: BTreeMap<&[u32], Vec<u32>> = BTreeMap::new();
    for (query, &rank) in task.queries.iter().zip(ranks) {
        groups.entry(&query.right).or_default().push(rank);
    }
    CUTS.map(|k| groups.values().map(|ranks| recall_at(ranks, k)).sum::<f64>() / groups.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::Query;
    use super::*;

    #[test]
    fn a_popular_answer_counts_once() {
        let query = |answer: u32| Query { post: 0, right: vec![answer] };
        let queries = vec![query(0), query(0), query(0), query(1)];
        let task = Task { from: vec![Component::Text], target: Component::Image, queries, candidates: vec![0, 1] };
        // Three texts of one image, of which two find it at once; the fourth text, of another image, never does.
        assert_eq!(by_answer(&task, &[1, 1, 7, 30]), [100.0 / 3.0, 100.0 / 3.0, 50.0]);
    }
}
