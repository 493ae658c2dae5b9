//! The nearest labelled units in the joint space vote (Rivas et al. 2022: k = 1).

use quintet_kernels::topk::top_k;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Labelled units with their vectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    dim: usize,
    all: Vec<f32>,
    bots: Vec<bool>,
    /// The vectors of humans and of bots.
    by_class: [Vec<f32>; 2],
}

impl Neighbours {
    /// Units `vectors` `[units, dim]`, of which `bots` are bots. Vectors are scaled to unit length; one of length 0 is near
    /// nothing.
    ///
    /// # Errors
    /// If a class has no unit.
    pub fn new(dim: usize, vectors: &[f32], bots: &[bool]) -> Result<Neighbours> {
        if !bots.contains(&true) || !bots.contains(&false) {
            return Err(Error::input("nearest neighbours need training units of both classes, bots and humans"));
        }
        let all = unit_rows(vectors, dim);
        let mut by_class = [Vec::new(), Vec::new()];
        for (row, &bot) in all.chunks_exact(dim).zip(bots) {
            by_class[usize::from(bot)].extend_from_slice(row);
        }
        Ok(Neighbours { dim, all, bots: bots.to_vec(), by_class })
    }

    /// A score per row of `queries` `[queries, dim]`: at least one half where most of the `k` nearest are bots (`k` odd).
    ///
    /// The score is `(bots among the k + margin / 4) / k`, where the margin, in -2..=2, is the largest cosine with a bot minus
    /// the largest with a human: with k = 1 votes alone would leave the ROC curve a single corner.
    pub fn scores(&self, queries: &[f32], k: usize) -> Vec<f64> {
        let queries = unit_rows(queries, self.dim);
        let nearest = |vectors: &[f32]| top_k(&queries, vectors, self.dim, 1);
        let [humans, bots] = [nearest(&self.by_class[0]), nearest(&self.by_class[1])];
        let voters = top_k(&queries, &self.all, self.dim, k);
        let best =
            |hits: &quintet_kernels::topk::Hits, q: usize| hits.of(q).first().map_or(0.0, |h| f64::from(h.score));
        (0..queries.len() / self.dim.max(1))
            .map(|q| {
                let votes = voters.of(q).iter().filter(|h| self.bots[h.index as usize]).count();
                (votes as f64 + (best(&bots, q) - best(&humans, q)) / 4.0) / k as f64
            })
            .collect()
    }
}

/// Rows scaled to unit length; a row of zeros stays.
fn unit_rows(values: &[f32], dim: usize) -> Vec<f32> {
    let mut out = values.to_vec();
    for row in out.chunks_exact_mut(dim.max(1)) {
        let length = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_decides_and_the_margin_orders() {
        let vectors = [1.0, 0.0, 0.8, 0.6, 0.0, 2.0];
        let known = Neighbours::new(2, &vectors, &[true, false, false]).unwrap();
        let s = known.scores(&[3.0, 0.0, 0.0, 1.0, 0.9, 0.3, 1.0, 0.1], 1);
        assert!(s[0] > s[3] && s[3] >= 0.5, "{s:?}");
        assert!(s[1] < 0.5 && (s[1] - (0.0 - 1.0) / 4.0).abs() < 1e-6, "{s:?}");
        assert!(known.scores(&[1.0, 0.0], 3)[0] < 0.5, "two of three are humans");
    }

    #[test]
    fn one_class_is_refused() {
        assert!(Neighbours::new(2, &[1.0, 0.0], &[true]).is_err());
    }
}
