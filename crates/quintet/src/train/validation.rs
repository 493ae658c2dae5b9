//! Validation on the dev part: recalls between components, the signal by which the best weights are chosen.
//!
//! The published text names "the sum of recalls" without saying of which directions (`vsepp.md` 7.4). Here: text to
//! image and image to text if the model has both and the dev part has enough posts with both; otherwise the mean over
//! all ordered pairs of the model's components with enough posts, times two, so that sums stay comparable in size.
//! Equal content counts as one candidate, any of its partners is a right answer, and ties count against the model.
//! Queries that share their right answers count as one, so that the choice is not made by one photo shared a hundred
//! times.

use quintet_kernels::rng::{Rng, label};

use super::batches::usable;
use super::log::Direction;
use crate::component::{Component, PerComponent};
use crate::config::Config;
use crate::embed::embed_dataset;
use crate::features::Dataset;
use crate::model::Network;
use crate::posts::Part;
use crate::tasks::retrieval::{self, validation::Validation as Measured};

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
    /// Sum of recalls in percent, queries with the same right answers counted as one; the larger the better.
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
        let keys: Vec<PerComponent<u64>> = self.posts.iter().map(|&post| dataset.keys[post]).collect();
        let measured: Vec<Measured> =
            self.directions.iter().map(|&(from, to)| retrieval::validation(&vectors, &keys, from, to)).collect();
        let total: f64 = measured.iter().flat_map(|m| m.recall_by_answer).sum();
        let directions: Vec<Direction> =
            self.directions.iter().zip(&measured).map(|(&(from, to), m)| direction(from, to, m)).collect();
        Validation { sum: 2.0 * total / directions.len().max(1) as f64, directions }
    }
}

/// Figures of one direction.
fn direction(from: Component, to: Component, measured: &Measured) -> Direction {
    let Measured { summary, queries, candidates, .. } = *measured;
    Direction { from, to, queries, candidates, recall: summary.recall, median_rank: summary.median_rank }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::dataset::{NONE, Ragged, Status};

    /// Dev posts with a text each; the first `images` have an image too, the first `tags` hashtags.
    fn dev(posts: usize, images: usize, tags: usize) -> Dataset {
        let count = |c: Component| match c {
            Component::Text => posts,
            Component::Image => images,
            Component::Hashtags => tags,
            _ => 0,
        };
        let row = |n: usize| (0..posts).map(|i| if i < n { i as u32 } else { NONE }).collect::<Vec<_>>();
        let status = |i: usize| PerComponent::from_fn(|c| if i < count(c) { Status::Present } else { Status::Missing });
        let mut text = Ragged::default();
        (0..posts).for_each(|i| text.push([i as u32]));
        Dataset {
            ids: (0..posts).map(|i| i.to_string()).collect(),
            parts: vec![Some(Part::Dev); posts],
            status: (0..posts).map(status).collect(),
            text,
            image: row(images),
            hashtags: row(tags),
            location: vec![NONE; posts],
            user: vec![NONE; posts],
            ..Dataset::default()
        }
    }

    #[test]
    fn text_and_image_decide_where_there_are_enough() {
        let (text, image, tags) = (Component::Text, Component::Image, Component::Hashtags);
        let chosen = |data: &Dataset, config: &Config| {
            let v = Validator::new(data, config);
            (v.directions.clone(), v.posts.len())
        };
        let mut config = Config::default();
        assert_eq!(chosen(&dev(50, 30, 40), &config), (vec![(text, image), (image, text)], 30));
        assert_eq!(chosen(&dev(50, 5, 40), &config), (vec![(text, tags), (tags, text)], 40));
        assert_eq!(chosen(&dev(50, 5, 5), &config), (vec![], 0));
        config.train.validation_posts = 25;
        assert_eq!(chosen(&dev(50, 30, 40), &config).1, 25);
    }
}
