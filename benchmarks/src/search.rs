//! `search exact|ivf FOLDER QUERIES K [LISTS PROBES]`: nearest vectors, over the arrays that the Python side wrote.

use std::path::Path;
use std::time::Instant;

use quintet::features::Dense;
use quintet::search::Ivf;
use quintet_kernels::topk::{Hit, top_k};
use serde_json::json;

use crate::arrays::Arrays;
use crate::{Failure, Work, argument};

/// At least so much time goes into one answer: searches through an index take fractions of a millisecond.
const LEAST_SECONDS: f64 = 0.02;

/// Prepares the row; the answer is seconds a search, and the ids found by the first queries.
pub fn prepare(arguments: &[String]) -> Result<Work, Failure> {
    let kind: String = argument(arguments, 0, "exact or ivf")?;
    let folder: String = argument(arguments, 1, "FOLDER")?;
    let (asking, k): (usize, usize) = (argument(arguments, 2, "QUERIES")?, argument(arguments, 3, "K")?);
    let read = |name: &str| -> Result<Dense, Failure> {
        let array = Arrays::open(&Path::new(&folder).join(format!("{name}.safetensors")))?.floats(name)?;
        Ok(Dense { dim: array.shape[1], values: array.values })
    };
    let (vectors, mut queries) = (read("vectors")?, read("queries")?);
    queries.values.truncate(asking * queries.dim);
    let mut find: Box<dyn FnMut() -> Vec<Vec<Hit>>> = if kind == "ivf" {
        let (lists, probes) = (argument(arguments, 4, "LISTS")?, argument(arguments, 5, "PROBES")?);
        let index = Ivf::new(&vectors, lists, 1);
        drop(vectors);
        Box::new(move || index.search(&queries.values, k, probes))
    } else {
        Box::new(move || {
            let hits = top_k(&queries.values, &vectors.values, vectors.dim, k);
            (0..queries.len()).map(|query| hits.of(query).to_vec()).collect()
        })
    };
    Ok(Box::new(move || {
        let start = Instant::now();
        let (mut found, mut times) = (find(), 1);
        while start.elapsed().as_secs_f64() < LEAST_SECONDS {
            found = find();
            times += 1;
        }
        let seconds = start.elapsed().as_secs_f64() / f64::from(times);
        let ids: Vec<Vec<u32>> = found.iter().map(|hits| hits.iter().map(|hit| hit.index).collect()).collect();
        Ok(json!({ "seconds": seconds, "ids": ids }))
    }))
}
