//! `forest FOLDER TREES`: a random forest over the arrays that the Python side wrote, another seed every time.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use quintet_forest::{Forest, Matrix, Options};
use serde_json::json;

use crate::{Failure, Work, argument};

/// Prepares the row; the answer is seconds of fitting and predicting, what the forest reaches on the test rows, and the
/// peak of memory while fitting beyond what was held before.
pub fn prepare(arguments: &[String]) -> Result<Work, Failure> {
    let folder: String = argument(arguments, 0, "FOLDER")?;
    let n_trees = argument(arguments, 1, "TREES")?;
    let read = |name: &str| numbers(&Path::new(&folder).join(name));
    let floats = |name: &str| Ok::<Vec<f32>, Failure>(read(name)?.into_iter().map(f32::from_bits).collect());
    let (values, labels) = (floats("train.f32")?, read("train.u32")?);
    let (test_values, test_labels) = (floats("test.f32")?, read("test.u32")?);
    let classes = labels.iter().max().map_or(0, |&most| most as usize + 1);
    let columns = values.len() / labels.len();
    let mut seed = 0;
    Ok(Box::new(move || {
        let (train, test) = (Matrix::new(&values, columns)?, Matrix::new(&test_values, columns)?);
        let options = Options { n_trees, ..Options::default() };
        let before = memory("VmRSS")?;
        forget_peak()?;
        let start = Instant::now();
        let forest = Forest::fit(&train, &labels, classes, &options, seed, &|_| true)?;
        let seconds = start.elapsed().as_secs_f64();
        let peak = memory("VmHWM")? - before;
        seed += 1;
        let start = Instant::now();
        let probabilities = forest.probabilities_of(&test)?;
        let predicting = start.elapsed().as_secs_f64();
        let right = forest.predict(&test)?.iter().zip(&test_labels).filter(|(a, b)| a == b).count();
        let own = probabilities.chunks(classes).zip(&test_labels).map(|(p, &label)| p[label as usize]);
        let floor = 1.0 / (4.0 * n_trees as f64);
        let logarithms: f64 = own.map(|p| p.max(floor).ln()).sum();
        let rows = test_labels.len() as f64;
        let per_tree = |sum: usize| sum as f64 / n_trees as f64;
        Ok(json!({
            "seconds": seconds,
            "predicting": predicting,
            "MiB": peak,
            "accuracy": right as f64 / rows,
            "log probability": logarithms / rows,
            "leaves": per_tree(forest.trees().iter().map(|tree| tree.leaves()).sum()),
            "depth": per_tree(forest.trees().iter().map(|tree| tree.depth()).sum()),
        }))
    }))
}

/// 32-bit numbers of a file, little endian; by parts, so that the file is never held twice.
fn numbers(path: &Path) -> Result<Vec<u32>, Failure> {
    let mut file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut left = file.metadata()?.len() as usize / 4;
    let (mut part, mut numbers) = (vec![0; 1 << 20], Vec::with_capacity(left));
    while left > 0 {
        let bytes = &mut part[..(4 * left).min(1 << 20)];
        file.read_exact(bytes)?;
        let (words, _) = bytes.as_chunks::<4>();
        numbers.extend(words.iter().map(|&word| u32::from_le_bytes(word)));
        left -= words.len();
    }
    Ok(numbers)
}

/// A line of Linux's `/proc/self/status` in MiB.
fn memory(name: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).ok_or("the system does not tell memory")?;
    Ok(line.split_whitespace().nth(1).ok_or("the system does not tell memory")?.parse::<f64>()? / 1024.0)
}

/// Makes the peak (`VmHWM`) begin anew.
fn forget_peak() -> Result<(), Failure> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}
