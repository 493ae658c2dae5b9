//! Two-class forests on tables: the random forest of `quintet-forest` with this crate's errors.

use quintet_forest::{Forest, Matrix, Options};

use super::numbers::Table;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Fits a forest with scikit-learn's defaults (100 trees).
///
/// # Errors
/// If there is only one class, or the person stops the work.
pub fn fit_binary(table: &Table, bots: &[bool], seed: u64, progress: &dyn Progress) -> Result<Forest> {
    fit_with(table, bots, &Options::default(), seed, progress)
}

/// As [`fit_binary`], with other options.
///
/// # Errors
/// As [`fit_binary`].
pub fn fit_with(table: &Table, bots: &[bool], options: &Options, seed: u64, progress: &dyn Progress) -> Result<Forest> {
    if !bots.contains(&true) || !bots.contains(&false) {
        return Err(Error::input("a forest needs training examples of both classes, bots and humans"));
    }
    let classes: Vec<u32> = bots.iter().map(|b| u32::from(*b)).collect();
    let matrix = Matrix::new(&table.values, table.names.len()).map_err(internal)?;
    let on_tree = |_: usize| !progress.interrupted();
    match Forest::fit(&matrix, &classes, 2, options, seed, &on_tree) {
        Err(quintet_forest::Error::Stopped) => {
            Err(Error::interrupted("stopped while growing trees; nothing to resume"))
        }
        other => other.map_err(internal),
    }
}

/// P(bot) of each row; none for an empty table.
///
/// # Errors
/// If the columns are not those of the fit.
pub fn probabilities(forest: &Forest, table: &Table) -> Result<Vec<f64>> {
    if table.values.is_empty() {
        return Ok(Vec::new());
    }
    let matrix = Matrix::new(&table.values, table.names.len()).map_err(internal)?;
    let all = forest.probabilities_of(&matrix).map_err(internal)?;
    Ok(all.chunks_exact(2).map(|p| p[1]).collect())
}

/// The tables are ours: what the forest refuses is a bug of ours.
fn internal(e: quintet_forest::Error) -> Error {
    Error::internal("the forest refused its table").caused_by(e)
}
