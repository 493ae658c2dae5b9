//! Fully connected layer, y = x W^T + b, in PyTorch's layout.

use crate::matmul::{Mat, matmul};
use crate::sums::column_sums;

/// A layer's weights.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `[outputs, inputs]`.
    pub weight: &'a [f32],
    /// `[outputs]`.
    pub bias: &'a [f32],
    /// Length of an input row.
    pub inputs: usize,
}

impl Weights<'_> {
    fn outputs(&self) -> usize {
        assert_eq!(self.weight.len(), self.bias.len() * self.inputs, "weight must be [outputs, inputs]");
        self.bias.len()
    }

    fn mat(&self) -> Mat<'_> {
        Mat::new(self.weight, self.outputs(), self.inputs)
    }
}

/// Gradients of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Grads {
    /// `[rows, inputs]`, where asked for.
    pub dx: Option<Vec<f32>>,
    /// `[outputs, inputs]`.
    pub dweight: Vec<f32>,
    /// `[outputs]`.
    pub dbias: Vec<f32>,
}

/// `[rows, outputs]` for `x` `[rows, inputs]`. A row of the result depends on its own row of `x` only, bit for bit.
///
/// # Panics
/// If the shapes disagree.
pub fn forward(x: &[f32], rows: usize, weights: &Weights) -> Vec<f32> {
    assert_eq!(x.len(), rows * weights.inputs, "x must be [rows, inputs]");
    let mut y: Vec<f32> = weights.bias.iter().copied().cycle().take(rows * weights.outputs()).collect();
    matmul(&mut y, Mat::new(x, rows, weights.inputs), weights.mat().t(), true);
    y
}

/// Gradients for `dy` `[rows, outputs]`; `dx` is computed only `with_dx`.
///
/// # Panics
/// If the shapes disagree.
pub fn backward(x: &[f32], rows: usize, weights: &Weights, dy: &[f32], with_dx: bool) -> Grads {
    let (inputs, outputs) = (weights.inputs, weights.outputs());
    assert_eq!(
        (x.len(), dy.len()),
        (rows * inputs, rows * outputs),
        "x and dy must be [rows, inputs], [rows, outputs]"
    );
    let dy_mat = Mat::new(dy, rows, outputs);
    let mut dweight = vec![0.0; outputs * inputs];
    matmul(&mut dweight, dy_mat.t(), Mat::new(x, rows, inputs), false);
    let dx = with_dx.then(|| {
        let mut dx = vec![0.0; rows * inputs];
        matmul(&mut dx, dy_mat, weights.mat(), false);
        dx
    });
    Grads { dx, dweight, dbias: column_sums(dy, outputs) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// The layer is linear in x, W and b, so the formulas of the gradients are checked as sums.
        #[test]
        fn both_passes_are_the_plain_sums(
            (rows, inputs, outputs) in (0usize..12, 0usize..20, 1usize..70),
            seed: u64,
        ) {
            let mut rng = Rng::new(seed, &[]);
            let mut values = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-1.0, 1.0)).collect() };
            let (x, weight, bias) = (values(rows * inputs), values(outputs * inputs), values(outputs));
            let dy = values(rows * outputs);
            let weights = Weights { weight: &weight, bias: &bias, inputs };
            let y = forward(&x, rows, &weights);
            let grads = backward(&x, rows, &weights, &dy, true);
            let dx = grads.dx.expect("asked for");
            for r in 0..rows {
                for o in 0..outputs {
                    let sum: f32 = (0..inputs).map(|i| x[r * inputs + i] * weight[o * inputs + i]).sum();
                    prop_assert!((y[r * outputs + o] - sum - bias[o]).abs() < 1e-5);
                }
                for i in 0..inputs {
                    let sum: f32 = (0..outputs).map(|o| dy[r * outputs + o] * weight[o * inputs + i]).sum();
                    prop_assert!((dx[r * inputs + i] - sum).abs() < 1e-5);
                }
            }
            for o in 0..outputs {
                let column = |r: usize| dy[r * outputs + o];
                prop_assert!((grads.dbias[o] - (0..rows).map(column).sum::<f32>()).abs() < 1e-5);
                for i in 0..inputs {
                    let sum: f32 = (0..rows).map(|r| column(r) * x[r * inputs + i]).sum();
                    prop_assert!((grads.dweight[o * inputs + i] - sum).abs() < 1e-5);
                }
            }
            prop_assert!(backward(&x, rows, &weights, &dy, false).dx.is_none());
        }
    }
}
