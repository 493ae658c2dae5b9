//! Many trees, their mean, out-of-bag accuracy, importances.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::grow::{Grower, Sample};
use crate::matrix::{Matrix, check_row};
use crate::options::{ClassWeight, Options};
use crate::tree::Tree;
use crate::weights::{balanced, bootstrap};
use crate::{Error, Result};

/// Classes share 32 bits with how often a row was drawn.
const MAX_CLASSES: usize = 1 << 24;

/// Rows that go through a tree together, so that the tree stays in the cache.
const BLOCK: usize = 32;

/// A fitted forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "crate::stored::Stored")]
pub struct Forest {
    pub(crate) classes: usize,
    pub(crate) features: usize,
    pub(crate) trees: Vec<Tree>,
    pub(crate) importances: Vec<f32>,
    pub(crate) out_of_bag: Option<OutOfBag>,
}

/// How well rows were predicted by the trees that did not see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfBag {
    /// Rows predicted right.
    pub right: usize,
    /// Rows that at least one tree did not see; with 100 trees all.
    pub rows: usize,
}

impl OutOfBag {
    /// Accuracy on those rows, 0 to 1; NaN without any.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.rows as f64
    }
}

/// A tree with what the forest needs of its growing.
struct Grown {
    tree: Tree,
    /// Gains of the features that have one, as fractions of all.
    gains: Vec<(u32, f64)>,
    /// A bit a row: whether the tree saw it. Only where the out-of-bag accuracy is wanted.
    seen: Vec<u64>,
}

impl Forest {
    /// Grows a forest over `data`, `[rows, features]`, with `labels`, `[rows]`, each below `n_classes`.
    ///
    /// The same arguments give the same bits at any number of threads. `on_tree` hears how many trees are done after each;
    /// when it returns false, growing stops after the trees at hand. Beyond the data and the forest this takes about 10 MB,
    /// 40 bytes a row and 20 bytes a feature for each thread.
    ///
    /// # Errors
    /// If options are impossible, sizes do not fit, a feature is not finite (row and column are named) or a label is too
    /// large; [`Error::Stopped`] if `on_tree` asked for it.
    pub fn fit(
        data: &Matrix,
        labels: &[u32],
        n_classes: usize,
        options: &Options,
        seed: u64,
        on_tree: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<Forest> {
        options.check()?;
        check(data, labels, n_classes)?;
        let overall = match options.class_weight {
            ClassWeight::Balanced => balanced(labels, None, n_classes),
            _ => vec![1.0; n_classes],
        };
        let (stopped, done) = (AtomicBool::new(false), Mutex::new(0));
        let grow = |grower: &mut Grower, tree: usize| {
            if stopped.load(Ordering::Relaxed) {
                return None;
            }
            let mut rng = Rng::new(seed, &[label("forest"), tree as u64, 0]);
            let counts = options.bootstrap.then(|| bootstrap(labels.len(), &mut rng));
            let own = (options.class_weight == ClassWeight::BalancedSubsample)
                .then(|| balanced(labels, counts.as_deref(), n_classes));
            let sample = Sample::new(labels, counts.as_deref());
            let mut rng = Rng::new(seed, &[label("forest"), tree as u64, 1]);
            let (tree, gains) = grower.grow(sample, own.as_ref().unwrap_or(&overall), &mut rng);
            let seen = if options.out_of_bag { bits(counts.as_deref().unwrap_or(&[])) } else { Vec::new() };
            // A lock that a panic of `on_tree` left behind counts on.
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *done += 1;
            if !on_tree(*done) {
                stopped.store(true, Ordering::Relaxed);
            }
            Some(Grown { tree, gains: fractions(&gains), seen })
        };
        let grown: Vec<Option<Grown>> =
            (0..options.n_trees).into_par_iter().map_init(|| Grower::new(data, n_classes, options), grow).collect();
        let grown: Vec<Grown> = grown.into_iter().collect::<Option<_>>().ok_or(Error::Stopped)?;
        if stopped.into_inner() {
            return Err(Error::Stopped);
        }
        let importances = importances(&grown, data.columns());
        let (trees, seen): (Vec<Tree>, Vec<Vec<u64>>) = grown.into_iter().map(|g| (g.tree, g.seen)).unzip();
        let mut forest = Forest { classes: n_classes, features: data.columns(), trees, importances, out_of_bag: None };
        if options.out_of_bag {
            forest.out_of_bag = Some(forest.score_unseen(data, labels, &seen));
        }
        Ok(forest)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of features of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The trees.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// How much each feature contributes, `[features]`: the mean over trees of the fraction of a tree's decrease of
    /// weighted impurity that its splits made (scikit-learn's `feature_importances_`). Sums to 1, or is all 0 if no tree
    /// has a split.
    pub fn importances(&self) -> &[f32] {
        &self.importances
    }

    /// The out-of-bag accuracy, if [`Options::out_of_bag`] asked for it.
    pub fn out_of_bag(&self) -> Option<OutOfBag> {
        self.out_of_bag
    }

    /// The probability of each class, `[classes]`, for one row, `[features]`: the mean over trees of the fractions in the
    /// leaf that it reaches.
    ///
    /// # Errors
    /// If the row has another number of features, or one is not finite.
    pub fn probabilities(&self, row: &[f32]) -> Result<Vec<f64>> {
        let mut out = vec![0.0; self.classes];
        self.probabilities_into(row, &mut out)?;
        Ok(out)
    }

    /// The same into `out`, `[classes]`.
    ///
    /// # Errors
    /// If sizes do not fit or a feature is not finite.
    pub fn probabilities_into(&self, row: &[f32], out: &mut [f64]) -> Result<()> {
        if row.len() != self.features || out.len() != self.classes {
            return Err(Error::shape(format!(
                "a row of {} features and room for {} classes; the forest was fitted on {} and {}",
                row.len(),
                out.len(),
                self.features,
                self.classes
            )));
        }
        check_row(row)?;
        self.means(&[row], out);
        Ok(())
    }

    /// The probabilities of every row of `data`, `[rows, classes]` row-major; on all threads.
    ///
    /// # Errors
    /// If `data` has another number of features, or one is not finite.
    pub fn probabilities_of(&self, data: &Matrix) -> Result<Vec<f64>> {
        self.check_asked(data)?;
        let mut out = vec![0.0; data.rows() * self.classes];
        out.par_chunks_mut(BLOCK * self.classes).enumerate().for_each(|(block, out)| {
            let rows: Vec<&[f32]> = (0..out.len() / self.classes).map(|at| data.row(block * BLOCK + at)).collect();
            self.means(&rows, out);
        });
        Ok(out)
    }

    /// The most probable class of every row of `data`, the lowest of equals, `[rows]`; on all threads.
    ///
    /// # Errors
    /// If `data` has another number of features, or one is not finite.
    pub fn predict(&self, data: &Matrix) -> Result<Vec<u32>> {
        self.check_asked(data)?;
        let mut predicted = vec![0; data.rows()];
        predicted.par_chunks_mut(BLOCK).enumerate().for_each_init(Vec::new, |means, (block, predicted)| {
            let rows: Vec<&[f32]> = (0..predicted.len()).map(|at| data.row(block * BLOCK + at)).collect();
            means.resize(BLOCK * self.classes, 0.0);
            self.means(&rows, &mut means[..rows.len() * self.classes]);
            for (predicted, means) in predicted.iter_mut().zip(means.chunks(self.classes)) {
                *predicted = highest(means);
            }
        });
        Ok(predicted)
    }

    fn check_asked(&self, data: &Matrix) -> Result<()> {
        if data.columns() != self.features {
            let (given, fitted) = (data.columns(), self.features);
            return Err(Error::shape(format!("rows of {given} features; the forest was fitted on {fitted}")));
        }
        data.check_finite()
    }

    /// The means over all trees, in the order of trees, `[rows, classes]`.
    fn means(&self, rows: &[&[f32]], out: &mut [f64]) {
        out.fill(0.0);
        for tree in &self.trees {
            for (row, sums) in rows.iter().zip(out.chunks_mut(self.classes)) {
                tree.add(row, sums);
            }
        }
        let trees = self.trees.len() as f64;
        out.iter_mut().for_each(|sum| *sum /= trees);
    }

    /// Predicts every row by the trees that did not see it.
    fn score_unseen(&self, data: &Matrix, labels: &[u32], seen: &[Vec<u64>]) -> OutOfBag {
        let score = |sums: &mut Vec<f64>, row: usize| {
            sums.clear();
            sums.resize(self.classes, 0.0);
            let mut asked = 0;
            for (tree, seen) in self.trees.iter().zip(seen) {
                if seen[row / 64] >> (row % 64) & 1 == 0 {
                    tree.add(data.row(row), sums);
                    asked += 1;
                }
            }
            let right = asked > 0 && highest(sums) == labels[row];
            OutOfBag { right: usize::from(right), rows: usize::from(asked > 0) }
        };
        // Whole numbers: any order of adding gives the same.
        let add = |a: OutOfBag, b: OutOfBag| OutOfBag { right: a.right + b.right, rows: a.rows + b.rows };
        let none = || OutOfBag { right: 0, rows: 0 };
        (0..labels.len()).into_par_iter().with_min_len(BLOCK).map_init(Vec::new, score).reduce(none, add)
    }
}

/// Refuses data and labels that do not fit.
fn check(data: &Matrix, labels: &[u32], classes: usize) -> Result<()> {
    if data.rows() == 0 {
        return Err(Error::shape("there are no rows to learn from"));
    }
    if labels.len() != data.rows() {
        return Err(Error::shape(format!("{} labels for {} rows; each row needs one", labels.len(), data.rows())));
    }
    if classes == 0 || classes > MAX_CLASSES {
        return Err(Error::shape(format!("{classes} classes; there must be 1 to {MAX_CLASSES}")));
    }
    if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
        return Err(Error::Label { row, label: labels[row], classes });
    }
    data.check_finite()
}

/// The class of the highest value, the lowest class of equals.
fn highest(values: &[f64]) -> u32 {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best as u32
}

/// A bit a row: whether it was drawn.
fn bits(counts: &[u8]) -> Vec<u64> {
    let word = |counts: &[u8]| counts.iter().rev().fold(0, |bits, &count| bits << 1 | u64::from(count > 0));
    counts.chunks(64).map(word).collect()
}

/// The gains above 0 as fractions of their sum.
fn fractions(gains: &[f64]) -> Vec<(u32, f64)> {
    let sum: f64 = gains.iter().sum();
    let above = gains.iter().enumerate().filter(|(_, gain)| **gain > 0.0 && sum > 0.0);
    above.map(|(feature, gain)| (feature as u32, gain / sum)).collect()
}

/// The mean of the trees that have a split, summed in the order of trees.
fn importances(grown: &[Grown], features: usize) -> Vec<f32> {
    let mut sums = vec![0.0; features];
    for &(feature, fraction) in grown.iter().flat_map(|g| &g.gains) {
        sums[feature as usize] += fraction;
    }
    let all: f64 = sums.iter().sum();
    sums.iter().map(|&sum| if all > 0.0 { (sum / all) as f32 } else { 0.0 }).collect()
}
