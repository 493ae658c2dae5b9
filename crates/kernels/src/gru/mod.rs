//! One-layer GRU over packed sequences, last state only; formulas, gate order and weight layout are PyTorch's.
//!
//! r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
//! n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h' = (1 - z) * n + z * h, first h = 0.
//!
//! The input product is computed once per distinct token, everything after it once per distinct beginning of a sequence,
//! and the gradient of the recurrent weights in one product over all of them. The state of a sequence is the same bits in any batch and at any number of threads, and so are the
//! gradients of a batch.

mod backward;
mod forward;
mod plan;

pub use backward::backward;
pub use forward::{forward, infer};
pub use plan::Plan;
pub(crate) use plan::inverse;

use crate::matmul::Precision;
use crate::scratch::Scratch;

/// Weights in PyTorch's layout: the rows of the gates r, z, n one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `[3 h, e]`.
    pub w_ih: &'a [f32],
    /// `[3 h, h]`.
    pub w_hh: &'a [f32],
    /// `[3 h]`.
    pub b_ih: &'a [f32],
    /// `[3 h]`.
    pub b_hh: &'a [f32],
    /// Length of an input vector.
    pub e: usize,
    /// Length of a state.
    pub h: usize,
    /// Precision of the factors of all matrix products; sums, gates and states are f32.
    pub precision: Precision,
}

impl Weights<'_> {
    fn check(&self, plan: &Plan, x: &[f32]) {
        let (e, h) = (self.e, self.h);
        assert_eq!(self.w_ih.len(), 3 * h * e, "w_ih must be [3 h, e]");
        assert_eq!(self.w_hh.len(), 3 * h * h, "w_hh must be [3 h, h]");
        assert_eq!((self.b_ih.len(), self.b_hh.len()), (3 * h, 3 * h), "biases must be [3 h]");
        assert_eq!(x.len(), plan.distinct().len() * e, "x must be [distinct tokens, e]");
    }
}

/// What [`backward`] needs of a [`forward`].
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// `[nodes, 4 h]`: r, z, n and W_hn h + b_hn of each node of the plan.
    gates: Scratch,
    /// `[nodes of more than one token, h]`: the state before each.
    before: Scratch,
}

/// Gradients of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Grads {
    /// `[distinct tokens, e]`.
    pub dx: Vec<f32>,
    /// `[3 h, e]`.
    pub dw_ih: Vec<f32>,
    /// `[3 h, h]`.
    pub dw_hh: Vec<f32>,
    /// `[3 h]`.
    pub db_ih: Vec<f32>,
    /// `[3 h]`.
    pub db_hh: Vec<f32>,
}

#[cfg(test)]
mod tests;
