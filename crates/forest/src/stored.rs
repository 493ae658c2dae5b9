//! What a stored forest must fulfil to be used: a file that was cut or edited is refused, and never followed in circles.

use serde::Deserialize;

use crate::forest::{Forest, OutOfBag};
use crate::tree::{MIXED, PURE, Tree};
use crate::{Error, Result};

/// The fields of [`Forest`] as read.
#[derive(Deserialize)]
pub(crate) struct Stored {
    classes: usize,
    features: usize,
    trees: Vec<Tree>,
    importances: Vec<f32>,
    out_of_bag: Option<OutOfBag>,
}

impl TryFrom<Stored> for Forest {
    type Error = Error;

    fn try_from(read: Stored) -> Result<Forest> {
        let Stored { classes, features, trees, importances, out_of_bag } = read;
        if trees.is_empty() || classes == 0 {
            return Err(Error::stored(format!("{} trees and {classes} classes", trees.len())));
        }
        if importances.len() != features {
            return Err(Error::stored(format!("{} importances of {features} features", importances.len())));
        }
        for (number, tree) in trees.iter().enumerate() {
            check(tree, classes, features).map_err(|what| Error::stored(format!("tree {number}: {what}")))?;
        }
        Ok(Forest { classes, features, trees, importances, out_of_bag })
    }
}

fn check(tree: &Tree, classes: usize, features: usize) -> Result<(), String> {
    if tree.nodes.is_empty() {
        return Err("it has no root".to_owned());
    }
    for (at, node) in tree.nodes.iter().enumerate() {
        let other = node.other as usize;
        let sound = match node.feature {
            PURE => other < classes,
            MIXED => other < tree.ends.len(),
            // Both children come later, so every walk ends.
            feature => (feature as usize) < features && other > at + 1 && other < tree.nodes.len(),
        };
        if !sound {
            return Err(format!("node {at} points nowhere"));
        }
    }
    let in_order = tree.ends.is_sorted() && tree.ends.last().is_none_or(|&end| end as usize <= tree.shares.len());
    if !in_order || tree.shares.iter().any(|share| share.class as usize >= classes) {
        return Err("its leaves contradict each other".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Forest, Matrix, Options};

    #[test]
    fn a_forest_that_was_edited_is_refused() {
        let values = [1.0, 2.0, 3.0, 4.0, 4.0];
        let data = Matrix::new(&values, 1).unwrap();
        let options = Options { n_trees: 1, bootstrap: false, ..Options::default() };
        let forest = Forest::fit(&data, &[0, 0, 1, 1, 0], 2, &options, 1, &|_| true).unwrap();
        let text = serde_json::to_string(&forest).unwrap();
        assert_eq!(serde_json::from_str::<Forest>(&text).unwrap(), forest);
        let refused = |from: &str, to: &str, why: &str| {
            assert!(text.contains(from), "{text}");
            let error = serde_json::from_str::<Forest>(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        refused("\"feature\":0", "\"feature\":1", "node 0 points nowhere");
        refused("\"other\":2", "\"other\":0", "node 0 points nowhere");
        refused("\"class\":1", "\"class\":2", "leaves contradict");
        refused("\"features\":1", "\"features\":2", "1 importances of 2 features");
        refused("\"classes\":2", "\"classes\":0", "0 classes");
    }
}
