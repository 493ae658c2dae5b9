//! The two methods of the paper (Rivas et al. 2022) on joint vectors: a text CNN over an author's latest posts, and the
//! nearest training author.

use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::cnn_training::{CnnEnsemble, CnnSettings, Items};
use super::knn::Neighbours;
use super::units::Evidence;
use crate::error::Result;
use crate::progress::Progress;

/// The CNN over the vectors of an item's latest posts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cnn {
    posts: usize,
    /// The models and how they came about.
    pub ensemble: CnnEnsemble,
}

impl Cnn {
    /// Trains on the latest `posts` posts of each item. Items of the smaller class are repeated with other posts of the same
    /// author until the classes are equal; copies stay in the fold of the original.
    ///
    /// # Errors
    /// If there is only one class, or the person stops the work.
    pub fn fit(train: &Evidence, posts: usize, settings: &CnnSettings, progress: &dyn Progress) -> Result<Cnn> {
        let items = balanced(train, posts, settings.seed);
        Ok(Cnn { posts, ensemble: CnnEnsemble::train(&items, settings, progress)? })
    }

    /// P(bot) of each item.
    pub fn scores(&self, items: &Evidence) -> Vec<f64> {
        let rows: Vec<Vec<f32>> = (0..items.len()).map(|i| items.rows(&items.latest(i, self.posts))).collect();
        self.ensemble.predict(&rows)
    }
}

/// The training items, the smaller class repeated with other posts.
fn balanced(train: &Evidence, posts: usize, seed: u64) -> Items {
    let mut items = Items { dim: train.dim(), ..Items::default() };
    for (i, item) in train.items.iter().enumerate() {
        items.push(train.rows(&train.latest(i, posts)), item.bot, train.campaigns()[i]);
    }
    let bots = items.bots.iter().filter(|b| **b).count();
    let (smaller, surplus) = (2 * bots < items.len(), items.len().abs_diff(2 * bots));
    let mut candidates: Vec<usize> = (0..train.len()).filter(|&i| train.items[i].bot == smaller).collect();
    Rng::new(seed, &[label("copies")]).shuffle(&mut candidates);
    for (copy, &i) in candidates.iter().cycle().take(surplus).enumerate() {
        let all = train.latest(i, usize::MAX);
        // Posts the original does not show, if there are any; in their old order.
        let unseen = &all[..all.len().saturating_sub(posts)];
        let mut chosen = if unseen.is_empty() { all.clone() } else { unseen.to_vec() };
        Rng::new(seed, &[label("posts of a copy"), copy as u64]).shuffle(&mut chosen);
        chosen.truncate(posts);
        chosen.sort_unstable_by_key(|p| all.iter().position(|a| a == p));
        items.push(train.rows(&chosen), train.items[i].bot, train.campaigns()[i]);
    }
    items
}

/// The nearest training items by the mean of their latest posts' vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knn {
    posts: usize,
    k: usize,
    known: Neighbours,
}

impl Knn {
    /// Keeps the means of the training items.
    ///
    /// # Errors
    /// If there is only one class.
    pub fn fit(train: &Evidence, posts: usize, k: usize) -> Result<Knn> {
        let known = Neighbours::new(train.dim(), &means(train, posts), &train.bots())?;
        Ok(Knn { posts, k, known })
    }

    /// A score of each item, see [`Neighbours::scores`].
    pub fn scores(&self, items: &Evidence) -> Vec<f64> {
        self.known.scores(&means(items, self.posts), self.k)
    }
}

fn means(items: &Evidence, posts: usize) -> Vec<f32> {
    (0..items.len()).flat_map(|i| items.mean(&items.rows(&items.latest(i, posts)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;
    use crate::embed::Embeddings;
    use crate::posts::{Author, Post};
    use crate::tasks::bots::baseline::botometer_lite::Bigrams;
    use crate::tasks::bots::units::group;
    use crate::tasks::{Inputs, Unit};

    #[test]
    fn copies_have_other_posts_and_the_group_of_their_original() {
        // Four bots and two humans of 25 posts; the number of a post is its vector.
        let mut inputs = Inputs { embeddings: Embeddings::empty(1, 150), ..Inputs::default() };
        for p in 0..150 {
            let author = Some(Author { id: format!("a{}", p / 25), ..Author::default() });
            inputs.posts.push(Post { id: p.to_string(), author, ..Post::default() });
            inputs.embeddings.set(Component::Text, p, &[p as f32]);
        }
        let mut items = group(&inputs.posts, Unit::Author);
        items.iter_mut().take(4).for_each(|i| i.bot = true);
        let bigrams = Bigrams::of([]);
        let train = Evidence::new(&inputs, items, &bigrams);
        let balanced = balanced(&train, 10, 7);
        assert_eq!((balanced.len(), balanced.bots.iter().filter(|b| **b).count()), (8, 4));
        for copy in 6..8 {
            let original = balanced.groups[copy] as usize;
            let (a, b) = (&balanced.rows[original], &balanced.rows[copy]);
            assert!(b.len() == 10 && b.iter().all(|p| !a.contains(p) && *p as usize / 25 == original));
            assert!(b.is_sorted(), "in order");
        }
        assert_ne!(balanced.groups[6], balanced.groups[7]);
    }
}
