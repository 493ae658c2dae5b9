//! The method of Rivas et al. (2022): the vectors of a post's components other than its location side by side, and the vector of
//! its author's profile location through the text branch; a random forest with scikit-learn's defaults, class weights
//! `balanced_subsample`. Zeros stand for what is missing. An author gets the mean over their posts.

use quintet_forest::{ClassWeight, Forest, Matrix, Options};
use serde::{Deserialize, Serialize};

use super::items::{Item, View, posts_of};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// A fitted forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paper {
    forest: Forest,
}

impl Paper {
    /// Grows a forest of `trees` trees on the posts of `items`.
    ///
    /// # Errors
    /// If the forest refuses the numbers, or the person stops the work.
    pub fn fit(
        view: &View,
        items: &[Item],
        classes: usize,
        trees: usize,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Paper> {
        let (posts, of) = posts_of(items);
        let (values, width) = features(view, &posts);
        let options = Options { n_trees: trees, class_weight: ClassWeight::BalancedSubsample, ..Options::default() };
        let task = progress.task("forest", Some(trees as u64), "trees");
        let on_tree = |_: usize| {
            task.advance(1);
            !progress.interrupted()
        };
        let data = Matrix::new(&values, width).map_err(refused)?;
        let forest = Forest::fit(&data, &of, classes, &options, seed, &on_tree).map_err(refused)?;
        Ok(Paper { forest })
    }

    /// Probabilities of the classes for each item.
    ///
    /// # Errors
    /// If the features are not those of the fit.
    pub fn probabilities(&self, view: &View, items: &[Item]) -> Result<Vec<Vec<f64>>> {
        let (posts, _) = posts_of(items);
        let (values, width) = features(view, &posts);
        let found = self.forest.probabilities_of(&Matrix::new(&values, width).map_err(refused)?).map_err(refused)?;
        let mut rows = found.chunks_exact(self.forest.classes());
        let mean = |item: &Item| {
            let mut mean = vec![0.0; self.forest.classes()];
            for row in rows.by_ref().take(item.posts.len()) {
                mean.iter_mut().zip(row).for_each(|(m, p)| *m += p / item.posts.len() as f64);
            }
            mean
        };
        Ok(items.iter().map(mean).collect())
    }
}

fn refused(error: quintet_forest::Error) -> Error {
    match error {
        quintet_forest::Error::Stopped => Error::interrupted("stopped while the forest grew"),
        other => Error::internal("the forest refused its features").caused_by(other),
    }
}

/// `[posts, width]` row-major and the width: a block for each component, and one for the profile location where the author may
/// be seen.
pub fn features(view: &View, posts: &[usize]) -> (Vec<f32>, usize) {
    let dim = view.dim();
    let width = dim * (view.components.len() + usize::from(view.author()));
    let mut values = vec![0.0; posts.len() * width];
    for (row, &post) in values.chunks_exact_mut(width).zip(posts) {
        for (block, &component) in view.components.iter().enumerate() {
            if let Some(vector) = view.vector(post, component) {
                row[block * dim..][..dim].copy_from_slice(vector);
            }
        }
        if let Some(vector) = view.profile(post) {
            row[width - dim..].copy_from_slice(vector);
        }
    }
    (values, width)
}
