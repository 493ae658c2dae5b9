//! Logistic regression for several classes: one against the others, each by [`Logistic`].

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tasks::linear::{Logistic, LogisticSettings};
use crate::tasks::sparse::Sparse;

/// A regression per class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// `None` for a class without examples, or of which all are.
    of: Vec<Option<Logistic>>,
}

/// The log-odds of a class that was never seen.
const NEVER: f64 = -8.0;

impl Linear {
    /// Fits rows of `x` to `classes` below `count`; `cost` weighs the losses against the penalty.
    ///
    /// # Errors
    /// If a number is not finite.
    pub fn fit(x: &Sparse, classes: &[usize], count: usize, cost: f64) -> Result<Linear> {
        let settings = LogisticSettings { cost, tolerance: 1e-3, steps: 200 };
        let one = |class: usize| {
            let positive: Vec<bool> = classes.iter().map(|&c| c == class).collect();
            let both = positive.contains(&true) && positive.contains(&false);
            both.then(|| Logistic::fit(x, &positive, &settings)).transpose()
        };
        Ok(Linear { of: (0..count).map(one).collect::<Result<_>>()? })
    }

    /// Log-odds of each class, `[rows][classes]`.
    pub fn scores(&self, x: &Sparse) -> Vec<Vec<f64>> {
        let columns: Vec<Option<Vec<f64>>> =
            self.of.iter().map(|one| one.as_ref().map(|logistic| logistic.log_odds(x))).collect();
        let row = |i: usize| columns.iter().map(|column| column.as_ref().map_or(NEVER, |c| c[i])).collect();
        (0..x.len()).map(row).collect()
    }

    /// The weight of a column for a class.
    pub fn weight(&self, class: usize, column: usize) -> f64 {
        self.of[class].as_ref().map_or(0.0, |logistic| logistic.weights[column])
    }
}
