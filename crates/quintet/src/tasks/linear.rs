//! Logistic regression with an L2 penalty on sparse features, by L-BFGS: convex, so the answer does not depend on a seed.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::sparse::Sparse;
use crate::error::{Error, Result};

/// A fitted model: P(positive) = 1 / (1 + exp(-(weights . x + bias))).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    /// A weight per column.
    pub weights: Vec<f64>,
    /// Without penalty.
    pub bias: f64,
}

/// What is minimised: `cost * sum of losses + |weights|^2 / 2` (scikit-learn's and liblinear's form).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticSettings {
    /// Weight of the losses against the penalty; larger fits closer.
    pub cost: f64,
    /// Ends where no component of the gradient is above this share of the largest at the start.
    pub tolerance: f64,
    /// Most steps.
    pub steps: usize,
}

impl Default for LogisticSettings {
    fn default() -> Self {
        LogisticSettings { cost: 1.0, tolerance: 1e-4, steps: 500 }
    }
}

/// Pairs of steps that the estimate of the curvature remembers.
const MEMORY: usize = 10;

impl Logistic {
    /// Fits rows of `x` to `positive`.
    ///
    /// # Errors
    /// If a class is missing, the lists differ in length, or a number is not finite.
    pub fn fit(x: &Sparse, positive: &[bool], settings: &LogisticSettings) -> Result<Logistic> {
        if x.len() != positive.len() {
            return Err(Error::internal(format!("{} rows and {} classes", x.len(), positive.len())));
        }
        if !positive.contains(&true) || !positive.contains(&false) {
            return Err(Error::input("logistic regression needs training examples of both classes"));
        }
        if x.values.iter().any(|v| !v.is_finite()) {
            return Err(Error::internal("a feature is not a finite number"));
        }
        let problem = Problem { x, columns: x.transposed(), positive, cost: settings.cost };
        let solution = minimise(&problem, settings);
        Ok(Logistic { bias: solution[x.width], weights: solution[..x.width].to_vec() })
    }

    /// Log-odds of each row.
    ///
    /// # Panics
    /// If the columns are not those of the fit.
    pub fn log_odds(&self, x: &Sparse) -> Vec<f64> {
        assert_eq!(x.width, self.weights.len(), "columns of the fit");
        x.times(&self.weights).into_iter().map(|m| m + self.bias).collect()
    }

    /// P(positive) of each row.
    ///
    /// # Panics
    /// If the columns are not those of the fit.
    pub fn probabilities(&self, x: &Sparse) -> Vec<f64> {
        self.log_odds(x).into_iter().map(sigmoid).collect()
    }
}

/// 1 / (1 + exp(-z)), without overflow.
pub fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

/// Probabilities from logarithms that miss a common term.
pub fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let all: f64 = powers.iter().sum();
    powers.iter().map(|power| power / all).collect()
}

struct Problem<'a> {
    x: &'a Sparse,
    columns: Sparse,
    positive: &'a [bool],
    cost: f64,
}

impl Problem<'_> {
    /// Value and gradient at `point` (weights, then the bias).
    fn at(&self, point: &[f64]) -> (f64, Vec<f64>) {
        let (weights, bias) = (&point[..self.x.width], point[self.x.width]);
        let margins = self.x.times(weights);
        let mut value = 0.5 * dot(weights, weights);
        let mut residuals = Vec::with_capacity(margins.len());
        for (margin, &positive) in margins.iter().zip(self.positive) {
            let z = margin + bias;
            let signed = if positive { -z } else { z };
            // log(1 + exp(signed)), without overflow.
            value += self.cost * (signed.max(0.0) + (-signed.abs()).exp().ln_1p());
            residuals.push(self.cost * (sigmoid(z) - f64::from(u8::from(positive))));
        }
        let mut gradient = self.columns.times(&residuals);
        gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += w);
        gradient.push(residuals.iter().sum());
        (value, gradient)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

/// L-BFGS (Nocedal 1980) from zero, with a line search by halving (Armijo): the problem is strictly convex but for the bias.
fn minimise(problem: &Problem, settings: &LogisticSettings) -> Vec<f64> {
    let mut point = vec![0.0; problem.x.width + 1];
    let (mut value, mut gradient) = problem.at(&point);
    let enough = settings.tolerance * largest(&gradient).max(f64::MIN_POSITIVE);
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    for _ in 0..settings.steps {
        if largest(&gradient) <= enough {
            break;
        }
        let direction = downhill(&gradient, &memory);
        let slope = dot(&direction, &gradient);
        let mut length = if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let step = loop {
            let moved: Vec<f64> = point.iter().zip(&direction).map(|(p, d)| p + length * d).collect();
            let (next, next_gradient) = problem.at(&moved);
            if next <= value + 1e-4 * length * slope {
                break Some((moved, next, next_gradient));
            }
            length *= 0.5;
            if length < 1e-12 {
                break None;
            }
        };
        // No step is shorter than the numbers are exact: this is the bottom.
        let Some((moved, next, next_gradient)) = step else { break };
        let s: Vec<f64> = moved.iter().zip(&point).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&s, &y);
        if curvature > 0.0 {
            memory.push_back((s, y, 1.0 / curvature));
            if memory.len() > MEMORY {
                memory.pop_front();
            }
        }
        (point, value, gradient) = (moved, next, next_gradient);
    }
    point
}

/// Minus the gradient times the estimated inverse curvature: the two loops of L-BFGS.
fn downhill(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(memory.len());
    for (s, y, rho) in memory.iter().rev() {
        let alpha = rho * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    if let Some((_, y, rho)) = memory.back() {
        let scale = 1.0 / (rho * dot(y, y));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, rho), alpha) in memory.iter().zip(alphas.into_iter().rev()) {
        let beta = rho * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Reference {
        width: usize,
        rows: Vec<Vec<(u32, f32)>>,
        positive: Vec<bool>,
        fits: Vec<Fit>,
    }

    #[derive(Deserialize)]
    struct Fit {
        cost: f64,
        weights: Vec<f64>,
        bias: f64,
        probabilities: Vec<f64>,
    }

    #[test]
    fn the_optimum_is_that_of_scikit_learn() {
        let r: Reference = serde_json::from_str(include_str!("reference/logistic.json")).unwrap();
        let mut x = Sparse::new(r.width);
        r.rows.into_iter().for_each(|row| x.push(row));
        for fit in r.fits {
            let settings = LogisticSettings { cost: fit.cost, tolerance: 1e-10, steps: 5000 };
            let got = Logistic::fit(&x, &r.positive, &settings).unwrap();
            for (a, b) in got.weights.iter().chain([&got.bias]).zip(fit.weights.iter().chain([&fit.bias])) {
                assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "cost {}: {a} {b}", fit.cost);
            }
            for (a, b) in got.probabilities(&x).iter().zip(&fit.probabilities) {
                assert!((a - b).abs() < 1e-6, "cost {}: {a} {b}", fit.cost);
            }
        }
    }

    #[test]
    fn separable_classes_end_and_one_class_is_refused() {
        let mut x = Sparse::new(1);
        (0..10).for_each(|i| x.push([(0, i as f32 - 4.5)]));
        let positive: Vec<bool> = (0..10).map(|i| i > 4).collect();
        let settings = LogisticSettings { cost: 1e6, ..Default::default() };
        let fit = Logistic::fit(&x, &positive, &settings).unwrap();
        assert!(fit.probabilities(&x).iter().zip(&positive).all(|(p, t)| (*p > 0.5) == *t));
        assert!(Logistic::fit(&x, &[true; 10], &settings).is_err());
    }

    #[test]
    fn threads_change_no_bit() {
        let mut x = Sparse::new(50);
        (0..300u32).for_each(|i| x.push([(i * 7 % 25, 0.3), (25 + i * 11 % 25, 1.7)]));
        let positive: Vec<bool> = (0..300).map(|i| i % 3 == 0).collect();
        let fit = || Logistic::fit(&x, &positive, &LogisticSettings::default()).unwrap();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(fit);
        assert_eq!(alone, fit());
    }
}
