//! Members' evidence joined by one weight a member, the same for all classes: P(class) proportional to
//! exp(sum over members of weight * evidence for the class), a logarithmic opinion pool (Genest and Zidek 1986) with weights
//! fitted as in a conditional logit (McFadden 1974). A handful of numbers, so that a handful of authors can teach it.

use serde::{Deserialize, Serialize};

use super::linear::softmax;

/// One row: what each member says of each class, `[members][classes]`.
pub type Evidence = Vec<Vec<f64>>;

/// The members' weights, none below zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// One a member.
    pub weights: Vec<f64>,
}

/// Rounds over all members at most.
const ROUNDS: usize = 100;

impl Pool {
    /// Minimises `sum of importance * -ln P(class) + penalty * |weights|^2 / 2` over weights of zero and more, one weight at a
    /// time by Newton's method: the sum is convex.
    pub fn fit(rows: &[Evidence], classes: &[usize], importance: &[f64], penalty: f64) -> Pool {
        let members = rows.first().map_or(0, Vec::len);
        let mut weights = vec![0.0; members];
        let mut scores: Vec<Vec<f64>> = rows.iter().map(|row| vec![0.0; row.first().map_or(0, Vec::len)]).collect();
        for _ in 0..ROUNDS {
            let mut moved: f64 = 0.0;
            for member in 0..members {
                let (mut slope, mut curvature) = (penalty * weights[member], penalty);
                for (((row, scores), &class), &importance) in rows.iter().zip(&scores).zip(classes).zip(importance) {
                    let (evidence, p) = (&row[member], softmax(scores));
                    let mean: f64 = evidence.iter().zip(&p).map(|(e, p)| e * p).sum();
                    let square: f64 = evidence.iter().zip(&p).map(|(e, p)| e * e * p).sum();
                    slope += importance * (mean - evidence[class]);
                    curvature += importance * (square - mean * mean);
                }
                // At most one a time: far from the bottom the curvature says little.
                let step = (-slope / curvature.max(1e-9)).clamp(-1.0, 1.0);
                let next = (weights[member] + step).max(0.0);
                let by = next - weights[member];
                if by != 0.0 {
                    weights[member] = next;
                    for (row, scores) in rows.iter().zip(&mut scores) {
                        scores.iter_mut().zip(&row[member]).for_each(|(s, e)| *s += by * e);
                    }
                    moved = moved.max(by.abs());
                }
            }
            if moved < 1e-6 {
                break;
            }
        }
        Pool { weights }
    }

    /// Probabilities of the classes.
    pub fn probabilities(&self, row: &Evidence) -> Vec<f64> {
        let mut scores = vec![0.0; row.first().map_or(0, Vec::len)];
        for (evidence, weight) in row.iter().zip(&self.weights) {
            scores.iter_mut().zip(evidence).for_each(|(s, e)| *s += weight * e);
        }
        softmax(&scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_kernels::rng::{Rng, label};

    /// Rows of three members: one knows, one guesses, one says the opposite.
    fn rows() -> (Vec<Evidence>, Vec<usize>) {
        let mut rng = Rng::new(1, &[label("pool")]);
        let mut rows = Vec::new();
        let mut classes = Vec::new();
        for _ in 0..200 {
            let class = rng.index(3);
            let guess = rng.index(3);
            let seen = if rng.chance(0.8) { class } else { guess };
            let about = |c: usize, sign: f64| (0..3).map(|i| if i == c { sign } else { -sign / 2.0 }).collect();
            rows.push(vec![about(seen, 1.0), about(guess, 1.0), about(class, -1.0)]);
            classes.push(class);
        }
        (rows, classes)
    }

    fn loss(pool: &Pool, rows: &[Evidence], classes: &[usize]) -> f64 {
        let own = |(row, &class): (&Evidence, &usize)| -pool.probabilities(row)[class].ln();
        let losses: f64 = rows.iter().zip(classes).map(own).sum();
        losses + 0.15 * pool.weights.iter().map(|w| w * w).sum::<f64>()
    }

    #[test]
    fn the_weights_are_the_best_and_none_is_negative() {
        let (rows, classes) = rows();
        let pool = Pool::fit(&rows, &classes, &vec![1.0; rows.len()], 0.3);
        assert!(pool.weights[0] > 1.0 && pool.weights[2] == 0.0, "{:?}", pool.weights);
        let least = loss(&pool, &rows, &classes);
        for member in 0..3 {
            for by in [-1e-3, 1e-3, 0.3] {
                let mut other = pool.clone();
                other.weights[member] = (other.weights[member] + by).max(0.0);
                assert!(loss(&other, &rows, &classes) >= least - 1e-9, "member {member} by {by}");
            }
        }
    }
}
