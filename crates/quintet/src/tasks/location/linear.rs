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
    /// Log-odds of the class's share in training.
    shares: Vec<f64>,
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
        let share = |class: usize| {
            let own = classes.iter().filter(|&&c| c == class).count() as f64;
            (own.max(0.5) / (classes.len() as f64 - own).max(0.5)).ln()
        };
        Ok(Linear { of: (0..count).map(one).collect::<Result<_>>()?, shares: (0..count).map(share).collect() })
    }

    /// Log-odds of each class, `[rows][classes]`.
    pub fn scores(&self, x: &Sparse) -> Vec<Vec<f64>> {
        let columns: Vec<Option<Vec<f64>>> =
            self.of.iter().map(|one| one.as_ref().map(|logistic| logistic.log_odds(x))).collect();
        let row = |i: usize| columns.iter().map(|column| column.as_ref().map_or(NEVER, |c| c[i])).collect();
        (0..x.len()).map(row).collect()
    }

    /// Log-odds without what the shares of the classes in training add to them, `[rows][classes]`; zeros of a class that was
    /// never seen.
    pub fn evidence(&self, x: &Sparse) -> Vec<Vec<f64>> {
        let mut rows = self.scores(x);
        for row in &mut rows {
            for (score, (one, shares)) in row.iter_mut().zip(self.of.iter().zip(&self.shares)) {
                *score = if one.is_some() { *score - shares } else { 0.0 };
            }
        }
        rows
    }
}
