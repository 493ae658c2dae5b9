//! Every option with scikit-learn's name and default.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a forest is grown. The defaults are scikit-learn's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Trees, at least 1. Default 100.
    pub n_trees: usize,
    /// Splits from the root to a leaf at most; none: until leaves are pure. Default none.
    pub max_depth: Option<usize>,
    /// A node of fewer distinct rows is a leaf; at least 2. Default 2.
    pub min_samples_split: usize,
    /// Distinct rows that each side of a split must hold; at least 1. Default 1.
    pub min_samples_leaf: usize,
    /// Features that a node looks at. Default the square root.
    pub max_features: MaxFeatures,
    /// Whether each tree sees rows drawn with replacement, as many as there are; otherwise all rows. Default true.
    pub bootstrap: bool,
    /// What the rows of a class weigh. Default the same.
    pub class_weight: ClassWeight,
    /// Whether to find the accuracy on the rows that trees did not see; needs `bootstrap`. Default false.
    pub out_of_bag: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            n_trees: 100,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: MaxFeatures::Sqrt,
            bootstrap: true,
            class_weight: ClassWeight::None,
            out_of_bag: false,
        }
    }
}

/// How many features a node looks at. It goes on beyond while all of them were constant in the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFeatures {
    /// The square root of their number, rounded down.
    #[default]
    Sqrt,
    /// All: a forest of bagged trees.
    All,
    /// So many, at least 1; at most all.
    Count(usize),
}

impl MaxFeatures {
    /// The number for `features` features.
    pub fn count(self, features: usize) -> usize {
        match self {
            MaxFeatures::Sqrt => features.isqrt().max(1),
            MaxFeatures::All => features,
            MaxFeatures::Count(n) => n.min(features),
        }
    }
}

/// What the rows of a class weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// Every row the same.
    #[default]
    None,
    /// Rows / (classes present x rows of the class), over all rows.
    Balanced,
    /// The same over the rows that the bootstrap of each tree drew, as often as it drew them.
    BalancedSubsample,
}

impl Options {
    /// Refuses impossible values.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |name, what: &str| Err(Error::Option { name, what: what.to_owned() });
        if self.n_trees == 0 {
            return refuse("n_trees", "0 trees cannot vote; it must be at least 1");
        }
        if self.min_samples_split < 2 {
            return refuse("min_samples_split", "a node of one row cannot be split; it must be at least 2");
        }
        if self.min_samples_leaf == 0 {
            return refuse("min_samples_leaf", "a leaf holds at least 1 row");
        }
        if self.max_features == MaxFeatures::Count(0) {
            return refuse("max_features", "a node must look at 1 feature at least");
        }
        if self.out_of_bag && !self.bootstrap {
            return refuse("out_of_bag", "without `bootstrap` every tree sees every row; set one of them otherwise");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_root_is_rounded_down_and_never_nothing() {
        let counts: Vec<usize> = [1, 2, 3, 4, 99, 5120].map(|n| MaxFeatures::Sqrt.count(n)).to_vec();
        assert_eq!(counts, [1, 1, 1, 2, 9, 71]);
        assert_eq!(MaxFeatures::Count(9).count(4), 4);
    }

    #[test]
    fn impossible_options_are_named() {
        let refused = |options: Options| match options.check() {
            Err(Error::Option { name, .. }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(Options { n_trees: 0, ..Options::default() }), "n_trees");
        assert_eq!(refused(Options { min_samples_split: 1, ..Options::default() }), "min_samples_split");
        assert_eq!(refused(Options { min_samples_leaf: 0, ..Options::default() }), "min_samples_leaf");
        assert_eq!(refused(Options { max_features: MaxFeatures::Count(0), ..Options::default() }), "max_features");
        assert_eq!(refused(Options { bootstrap: false, out_of_bag: true, ..Options::default() }), "out_of_bag");
        assert!(Options::default().check().is_ok());
    }
}
