//! Validation on the dev part: recalls between components, the signal by which the best weights are chosen.
//!
//! The published text names "the sum of recalls" without saying of which directions (`vsepp.md` 7.4). Here: text to
//! image and image to text if the model has both and the dev part has enough posts with both; otherwise the mean over
//! all ordered pairs of the model's components with enough posts, times two, so that sums stay comparable in size.
//! Equal content counts as one candidate, any of its partners is a right answer, and ties count against the model.

use std::collections::HashMap;

use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;

use super::batches::usable;
use super::log::Direction;
use crate::component::Component;
use crate::config::Config;
use crate::embed::{Embeddings, embed_dataset};
use crate::features::Dataset;
use crate::features::dataset::NONE;
use crate::metrics::{Summary, rank_of_best};
use crate::model::Network;
use crate::posts::Part;

/// A pair of components is measured if at least this many dev posts have both: below, one post moves a recall by more
/// than five points.
const ENOUGH: usize = 20;

/// The dev posts and the directions that validation measures.
#[derive(Clone, Debug, Default)]
pub struct Validator {
    /// Dataset indices of the posts, ascending.
    pub posts: Vec<usize>,
    /// Ordered pairs of components: query, candidates.
    pub directions: Vec<(Component, Component)>,
    components: Vec<Component>,
    neighbours: usize,
}

/// What a validation found.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// Sum of recalls in percent; the larger the better.
    pub sum: f64,
    /// Figures per direction.
    pub directions: Vec<Direction>,
}

impl Validator {
    /// Chooses posts and directions; no directions if the dev part has too few posts with two components.
    pub fn new(dataset: &Dataset, config: &Config) -> Validator {
        let dev = (0..dataset.len()).filter(|&i| dataset.parts[i] == Some(Part::Dev));
        let dev: Vec<(usize, Vec<Component>)> =
            dev.map(|i| (i, usable(dataset, i, &config.components, true))).filter(|(_, c)| c.len() > 1).collect();
        let both = |a, b| dev.iter().filter(|(_, c)| c.contains(&a) && c.contains(&b)).count();
        let mut pairs = vec![(Component::Text, Component::Image)];
        if both(Component::Text, Component::Image) < ENOUGH {
            let all = &config.components;
            pairs = all.iter().enumerate().flat_map(|(i, &a)| all[i + 1..].iter().map(move |&b| (a, b))).collect();
            pairs.retain(|&(a, b)| both(a, b) >= ENOUGH);
        }
        let useful = |have: &[Component]| pairs.iter().any(|(a, b)| have.contains(a) && have.contains(b));
        let mut posts: Vec<usize> = dev.iter().filter(|(_, have)| useful(have)).map(|(i, _)| *i).collect();
        let most = config.train.validation_posts;
        if most > 0 && posts.len() > most {
            // A fixed sample, because the first posts may all come from one source.
            Rng::new(config.seed, &[label("validation posts")]).shuffle(&mut posts);
            posts.truncate(most);
            posts.sort_unstable();
        }
        let in_pairs = |c: &Component| pairs.iter().any(|(a, b)| a == c || b == c);
        Validator {
            posts,
            directions: pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect(),
            components: config.components.iter().copied().filter(in_pairs).collect(),
            neighbours: config.location.neighbours,
        }
    }

    /// Whether there is nothing to measure.
    pub fn is_empty(&self) -> bool {
        self.directions.is_empty()
    }

    /// Embeds the dev posts and ranks them.
    pub fn measure(&self, network: &Network, dataset: &Dataset) -> Validation {
        let vectors = embed_dataset(network, dataset, &self.posts, &self.components, self.neighbours);
        let directions: Vec<Direction> =
            self.directions.iter().map(|&(from, to)| self.direction(dataset, &vectors, from, to)).collect();
        let total: f64 = directions.iter().flat_map(|d| d.recall).sum();
        Validation { sum: 2.0 * total / directions.len().max(1) as f64, directions }
    }

    fn direction(&self, dataset: &Dataset, vectors: &Embeddings, from: Component, to: Component) -> Direction {
        let (mut queries, mut candidates) = (Contents::default(), Contents::default());
        let mut right: Vec<Vec<u32>> = Vec::new();
        for (row, &post) in self.posts.iter().enumerate() {
            let (a, b) = (vectors.rows[from][row], vectors.rows[to][row]);
            if a == NONE || b == NONE {
                continue;
            }
            let query = queries.add(dataset.keys[post][from], a);
            let candidate = candidates.add(dataset.keys[post][to], b) as u32;
            right.resize_with(queries.rows.len(), Vec::new);
            if !right[query].contains(&candidate) {
                right[query].push(candidate);
            }
        }
        let ranks: Vec<u32> = (0..queries.rows.len())
            .into_par_iter()
            .map(|q| {
                let query = vectors.vectors[from].row(queries.rows[q] as usize);
                let score = |&c: &u32| dot(query, vectors.vectors[to].row(c as usize));
                let scores: Vec<f32> = candidates.rows.iter().map(score).collect();
                rank_of_best(&scores, &right[q])
            })
            .collect();
        let figures = Summary::of(&ranks);
        Direction {
            from,
            to,
            queries: ranks.len(),
            candidates: candidates.rows.len(),
            recall: figures.recall,
            median_rank: figures.median_rank,
        }
    }
}

/// Distinct contents in order of appearance, each with the row of its vector.
#[derive(Default)]
struct Contents {
    rows: Vec<u32>,
    known: HashMap<u64, usize>,
}

impl Contents {
    /// Number of the content `key`; key 0 is not known and equal to nothing.
    fn add(&mut self, key: u64, row: u32) -> usize {
        let next = self.rows.len();
        let at = if key == 0 { next } else { *self.known.entry(key).or_insert(next) };
        if at == next {
            self.rows.push(row);
        }
        at
    }
}

/// Inner product with eight partial sums: a fixed order of additions, and wide enough to be vectorised.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}
