//! The most alike training texts of either class, by the cosine of sparse rows of unit length.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::tasks::sparse::Sparse;

/// Training items by what they have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    /// For each column the training items that have it.
    items_with: Sparse,
    bots: Vec<bool>,
}

/// A distance that counts as none: texts that differ in a word are copies.
const COPY: f64 = 0.02;
/// Rows of either class that are looked at: chosen on the dev part of PAN 2019 among 1, 3, 5 and 10.
const NEAREST: usize = 3;

impl Neighbours {
    /// Keeps `rows`, of which `bots` are bots.
    pub fn fit(rows: &Sparse, bots: Vec<bool>) -> Neighbours {
        Neighbours { items_with: rows.transposed(), bots }
    }

    /// The largest cosine with a human's row and with a bot's, of each row; 0 where there is none above.
    pub fn largest(&self, rows: &Sparse) -> Vec<[f64; 2]> {
        self.nearest(rows, 1)
    }

    /// The mean of the `k` largest cosines with humans' rows and with bots', of each row; what is missing or below counts as 0.
    fn nearest(&self, rows: &Sparse, k: usize) -> Vec<[f64; 2]> {
        let of = |i: usize| {
            let mut cosines = vec![0.0f32; self.bots.len()];
            for (column, weight) in rows.row(i) {
                self.items_with.row(column as usize).for_each(|(item, w)| cosines[item as usize] += weight * w);
            }
            // Ascending, so that the least of the best stands first.
            let mut best = [vec![0.0f32; k], vec![0.0f32; k]];
            for (&cosine, &bot) in cosines.iter().zip(&self.bots) {
                let best = &mut best[usize::from(bot)];
                if cosine > best[0] {
                    best[0] = cosine;
                    best.sort_unstable_by(f32::total_cmp);
                }
            }
            best.map(|best| best.iter().map(|&c| f64::from(c)).sum::<f64>() / k as f64)
        };
        (0..rows.len()).into_par_iter().map(of).collect()
    }

    /// Log of how much nearer the nearest bots are than the nearest humans.
    pub fn log_odds(&self, rows: &Sparse) -> Vec<f64> {
        let distance = |cosine: f64| (1.0 - cosine).max(0.0) + COPY;
        self.nearest(rows, NEAREST).into_iter().map(|[human, bot]| (distance(human) / distance(bot)).ln()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_class_wins_and_strangers_say_nothing() {
        let mut rows = Sparse::new(3);
        rows.push([(0, 1.0)]);
        rows.push([(0, 0.6), (1, 0.8)]);
        let neighbours = Neighbours::fit(&rows, vec![true, false]);
        let mut asked = Sparse::new(3);
        asked.push([(0, 1.0)]);
        asked.push([(1, 1.0)]);
        asked.push([(2, 1.0)]);
        let largest = neighbours.largest(&asked);
        assert!((largest[0][1] - 1.0).abs() < 1e-6 && (largest[0][0] - 0.6).abs() < 1e-6, "{largest:?}");
        // Three bots are looked at and there is one: the others are as far as can be.
        let odds = neighbours.log_odds(&asked);
        assert!((odds[0] - (0.82f64 / (2.0 / 3.0 + 0.02)).ln()).abs() < 1e-4, "{odds:?}");
        assert!(odds[1] < 0.0);
        assert_eq!(odds[2], 0.0);
    }
}
