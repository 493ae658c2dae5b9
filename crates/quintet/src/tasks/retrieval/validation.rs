//! The short form used while training: recalls only, no intervals, no published protocol.

use serde::{Deserialize, Serialize};

use super::evaluation::Task;
use super::scores;
use crate::component::{Component, PerComponent};
use crate::embed::Embeddings;
use crate::metrics::Summary;

/// Recalls of one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DirectionRecall {
    /// Component that asks.
    pub from: Component,
    /// Component that is searched for.
    pub target: Component,
    /// Recall@1, 5, 10 in percent of queries.
    pub recall: [f64; 3],
    /// Median rank.
    pub median_rank: f64,
    /// Number of distinct queries.
    pub queries: usize,
    /// Number of distinct candidates.
    pub candidates: usize,
}

/// What a validation measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Every ordered pair of the components that has queries.
    pub directions: Vec<DirectionRecall>,
    /// What the best model is chosen by: the six recalls of text -> image and image -> text added (0 to 600). Where no
    /// post has both, the sum over every pair, divided by the number of pairs, so that it keeps its range.
    pub sum: f64,
}

/// Recalls between `components` of the posts whose content keys are `keys`, by the pair protocol of the evaluation.
pub fn validation(embeddings: &Embeddings, keys: &[PerComponent<u64>], components: &[Component]) -> Validation {
    let mut directions = Vec::new();
    for &from in components {
        for &target in components.iter().filter(|&&c| c != from) {
            let task = Task::new(embeddings, keys, &[from], target);
            if task.queries.is_empty() {
                continue;
            }
            let summary = Summary::of(&scores::ranks(&task, embeddings));
            directions.push(DirectionRecall {
                from,
                target,
                recall: summary.recall,
                median_rank: summary.median_rank,
                queries: task.queries.len(),
                candidates: task.candidates.len(),
            });
        }
    }
    let sum = selection_sum(&directions);
    Validation { directions, sum }
}

fn selection_sum(directions: &[DirectionRecall]) -> f64 {
    let sum_of = |d: &DirectionRecall| d.recall.iter().sum::<f64>();
    let is_text_image = |d: &&DirectionRecall| {
        [(Component::Text, Component::Image), (Component::Image, Component::Text)].contains(&(d.from, d.target))
    };
    let text_image: Vec<f64> = directions.iter().filter(is_text_image).map(sum_of).collect();
    if !text_image.is_empty() {
        return text_image.iter().sum();
    }
    // Both directions of a pair have queries or neither has, so pairs = directions / 2.
    let pairs = (directions.len() / 2).max(1) as f64;
    directions.iter().map(sum_of).sum::<f64>() / pairs
}
