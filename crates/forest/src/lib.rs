//! A random forest as in scikit-learn, for many features and many classes: exact splits, sparse leaves, the same bits at
//! any number of threads.
//!
//! Read in the order in which a tree comes to be:
//!
//! 1. [`Matrix`] (`matrix.rs`): the features as given, row-major `f32`, checked once.
//! 2. [`Options`] (`options.rs`): scikit-learn's parameters with its defaults.
//! 3. `weights.rs`: how often the bootstrap drew a row, and what a class weighs.
//! 4. `draws.rs`: which features a node looks at; features known to be constant are skipped all the way down.
//! 5. `sorting.rs`: a feature's values in a node, in order.
//! 6. `split.rs`: the best threshold in one pass over them, at a cost per row that does not depend on the classes.
//! 7. `grow.rs`: nodes from the root to the leaves.
//! 8. `tree.rs`: a grown tree, twelve bytes a node; leaves hold the classes that they saw and no others.
//! 9. [`Forest`] (`forest.rs`): many trees, their mean, out-of-bag accuracy, importances.
//!
//! What is computed is `RandomForestClassifier` with the criterion gini (Breiman 2001; Pedregosa et al. 2011):
//! `tests/matches_scikit_learn.rs` holds both against each other over many seeds. Random choices come from another
//! generator, so single trees differ from scikit-learn's and forests agree in distribution.
//!
//! ```
//! use quintet_forest::{ClassWeight, Forest, Matrix, Options};
//!
//! // Six flowers of three kinds; length and width.
//! let values = [1.4, 0.2, 1.3, 0.3, 4.5, 1.4, 4.7, 1.5, 6.0, 2.4, 5.8, 2.2];
//! let kinds = [0, 0, 1, 1, 2, 2];
//! let flowers = Matrix::new(&values, 2)?;
//! let options = Options { n_trees: 50, class_weight: ClassWeight::BalancedSubsample, ..Options::default() };
//! let forest = Forest::fit(&flowers, &kinds, 3, &options, 7, &|_trees| true)?;
//!
//! assert_eq!(forest.predict(&flowers)?, kinds);
//! let probabilities = forest.probabilities(&[5.9, 2.3])?;
//! assert!(probabilities[2] > 0.5 && (probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6);
//! # Ok::<(), quintet_forest::Error>(())
//! ```

mod draws;
mod error;
mod forest;
mod grow;
mod matrix;
mod options;
mod sorting;
mod split;
mod stored;
mod tree;
mod weights;

pub use error::Error;
pub use forest::{Forest, OutOfBag};
pub use matrix::Matrix;
pub use options::{ClassWeight, MaxFeatures, Options};
pub use tree::{Node, Share, Tree};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
