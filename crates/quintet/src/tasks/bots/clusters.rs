//! k-means over training bots: kinds of bots where nobody has named any.

use quintet_kernels::rng::{Rng, label};

use super::numbers::Table;

/// Passes over the rows at most; on a few thousand rows it settles in some dozens.
const PASSES: usize = 100;

/// The cluster, `0..k`, of each row. Columns are scaled to mean 0 and deviation 1 and cut at three deviations, so that no
/// column and no single row makes a cluster of its own. First centres as in k-means++ (Arthur and Vassilvitskii 2007).
pub fn of_rows(table: &Table, k: usize, seed: u64) -> Vec<usize> {
    let rows = scaled(table);
    if rows.is_empty() || k < 2 {
        return vec![0; rows.len()];
    }
    let mut centres = first_centres(&rows, k, seed);
    let mut cluster = vec![usize::MAX; rows.len()];
    for _ in 0..PASSES {
        let now: Vec<usize> = rows.iter().map(|row| nearest(row, &centres).0).collect();
        if now == cluster {
            break;
        }
        cluster = now;
        for (c, centre) in centres.iter_mut().enumerate() {
            let members: Vec<&Vec<f64>> =
                rows.iter().zip(&cluster).filter(|(_, at)| **at == c).map(|(r, _)| r).collect();
            if !members.is_empty() {
                for (column, value) in centre.iter_mut().enumerate() {
                    *value = members.iter().map(|m| m[column]).sum::<f64>() / members.len() as f64;
                }
            }
        }
    }
    cluster
}

fn scaled(table: &Table) -> Vec<Vec<f64>> {
    let (n, width) = (table.len(), table.names.len());
    let mut rows: Vec<Vec<f64>> = (0..n).map(|i| table.row(i).iter().map(|v| f64::from(*v)).collect()).collect();
    for column in 0..width {
        let mean = rows.iter().map(|r| r[column]).sum::<f64>() / n as f64;
        let variance = rows.iter().map(|r| (r[column] - mean).powi(2)).sum::<f64>() / n as f64;
        for row in &mut rows {
            let distance = row[column] - mean;
            row[column] = if variance > 1e-12 { (distance / variance.sqrt()).clamp(-3.0, 3.0) } else { 0.0 };
        }
    }
    rows
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum()
}

/// The nearest centre and its squared distance; the first of equally near ones.
fn nearest(row: &[f64], centres: &[Vec<f64>]) -> (usize, f64) {
    let distances = centres.iter().map(|c| distance(row, c)).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

fn first_centres(rows: &[Vec<f64>], k: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = Rng::new(seed, &[label("k-means")]);
    let mut centres = vec![rows[rng.index(rows.len())].clone()];
    while centres.len() < k.min(rows.len()) {
        let weights: Vec<f64> = rows.iter().map(|r| nearest(r, &centres).1).collect();
        let mut left = rng.f64() * weights.iter().sum::<f64>();
        let drawn = weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        centres.push(rows[drawn.unwrap_or(rows.len() - 1)].clone());
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_heaps_are_three_clusters() {
        let mut rng = Rng::new(4, &[]);
        let mut table = Table { names: vec!["x".into(), "y".into(), "same".into()], values: Vec::new() };
        for i in 0..90 {
            let (x, y) = [(0.0, 0.0), (5.0, 0.0), (0.0, 5.0)][i % 3];
            table.values.extend([x + rng.uniform(-1.0, 1.0), y + rng.uniform(-1.0, 1.0), 7.0]);
        }
        let clusters = of_rows(&table, 3, 1);
        assert!((0..90).all(|i| clusters[i] == clusters[i % 3]));
        assert_eq!(clusters[..3].iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        assert_eq!(clusters, of_rows(&table, 3, 1));
        assert_eq!(of_rows(&table, 1, 1), vec![0; 90]);
        assert!(of_rows(&Table::default(), 3, 1).is_empty());
    }
}
