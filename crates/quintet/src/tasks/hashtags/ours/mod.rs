//! What the joint space recommends: the paper's method, and ours on top of it.
//!
//! The paper's (`vsepp.md` 7, `coattention.md`): every training tag alone through the hashtag branch; a tag scores the
//! largest cosine with any component of the post, its hashtags taken out. Ours ([`Ours`]) weighs that against what similar
//! training posts have ([`evidence`]), by weights learned on the training part ([`ranker`]).

pub mod evidence;
pub mod ranker;

use serde::{Deserialize, Serialize};

use super::cases::Candidates;
use crate::component::Component;
use crate::embed::{self, Embeddings};
use crate::error::{Error, Result};
use crate::features::dataset::NONE;
use crate::features::user::InferredUsers;
use crate::metrics::tags::MOST;
use crate::posts::{Corpus, Post};
use crate::progress::Progress;
use crate::train::ModelFolder;
use quintet_kernels::topk::{self, Hit};

pub use evidence::Ours;

/// The joint vectors of the candidates `[candidates, dim]`; a tag that nothing is known about has zeros.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TagVectors {
    /// Of the joint space.
    pub dim: usize,
    /// One row a candidate.
    pub values: Vec<f32>,
}

impl TagVectors {
    /// Each candidate as a post that has this tag and nothing else, through the hashtag branch.
    ///
    /// # Errors
    /// If the model has no hashtag branch, or the person stops the work.
    pub fn of(
        corpus: &Corpus,
        model: &ModelFolder,
        candidates: &Candidates,
        progress: &dyn Progress,
    ) -> Result<TagVectors> {
        if !model.config.components.contains(&Component::Hashtags) {
            let names: Vec<&str> = model.config.components.iter().map(|c| c.name()).collect();
            let what = format!("the model has no hashtag branch, only {}", names.join(", "));
            return Err(Error::input(what).help("train one with `hashtags` among its `components`"));
        }
        let posts: Vec<Post> = candidates
            .tags
            .iter()
            .map(|(tag, _)| Post { id: tag.clone(), hashtags: vec![tag.clone()], ..Post::default() })
            .collect();
        let nobody = InferredUsers::default();
        let dataset = model.fitted.numbers_with(corpus, &posts, &Default::default(), &nobody, &mut None, progress)?;
        let indices: Vec<usize> = (0..dataset.len()).collect();
        let vectors = embed::embed_posts(model, &dataset, &indices, &[Component::Hashtags], progress)?;
        let dim = vectors.dim;
        let zeros = vec![0.0; dim];
        let of = |post| vectors.vector(Component::Hashtags, post).unwrap_or(&zeros);
        Ok(TagVectors { dim, values: indices.into_iter().flat_map(of).copied().collect() })
    }

    /// Cosine of candidate `tag` with a unit vector.
    pub fn cosine(&self, tag: u32, vector: &[f32]) -> f32 {
        self.values[tag as usize * self.dim..][..self.dim].iter().zip(vector).map(|(a, b)| a * b).sum()
    }

    /// The `k` candidates nearest to each vector of a component; nothing for posts without it.
    pub fn nearest(&self, embeddings: &Embeddings, component: Component, k: usize) -> Vec<Vec<Hit>> {
        let hits = topk::top_k(&embeddings.vectors[component].values, &self.values, self.dim, k);
        let of = |&row: &u32| if row == NONE { Vec::new() } else { hits.of(row as usize).to_vec() };
        embeddings.rows[component].iter().map(of).collect()
    }

    /// The paper's lists: candidates by the largest cosine with any of the post's components. Nothing for a post without any.
    pub fn largest_cosine(&self, embeddings: &Embeddings, components: &[Component]) -> Vec<Vec<(u32, f32)>> {
        // Who is among the first by the largest cosine is among the first of the component that gives it.
        let of: Vec<Vec<Vec<Hit>>> = components.iter().map(|&c| self.nearest(embeddings, c, MOST)).collect();
        let list = |post: usize| {
            let mut hits: Vec<Hit> = of.iter().flat_map(|lists| lists[post].iter().copied()).collect();
            hits.sort_unstable_by(Hit::order);
            let mut list: Vec<(u32, f32)> = Vec::with_capacity(MOST);
            for hit in hits {
                if list.len() < MOST && list.iter().all(|(tag, _)| *tag != hit.index) {
                    list.push((hit.index, hit.score));
                }
            }
            list
        };
        (0..embeddings.len()).map(list).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_scores_its_largest_cosine_with_any_component() {
        let tags = TagVectors { dim: 2, values: vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8, -1.0, 0.0] };
        let mut embeddings = Embeddings::empty(2, 3);
        embeddings.set(Component::Text, 0, &[1.0, 0.0]);
        embeddings.set(Component::Image, 0, &[0.8, 0.6]);
        embeddings.set(Component::User, 1, &[0.0, 1.0]);
        let lists = tags.largest_cosine(&embeddings, &Component::ALL);
        let order: Vec<Vec<u32>> = lists.iter().map(|list| list.iter().map(|(tag, _)| *tag).collect()).collect();
        assert_eq!(order, [vec![0, 2, 1, 3], vec![1, 2, 0, 3], vec![]]);
        assert!((lists[0][1].1 - 0.96).abs() < 1e-6, "0.6 with the text, 0.96 with the image");
        // Only what may be used counts.
        assert_eq!(tags.largest_cosine(&embeddings, &[Component::Image])[0][0].0, 2);
    }
}
