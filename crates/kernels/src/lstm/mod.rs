//! One-layer LSTM over sequences, the states after every token; formulas, gate order and weight layout are PyTorch's.
//!
//! i = sigmoid(W_ii x + b_ii + W_hi h + b_hi), f = sigmoid(W_if x + b_if + W_hf h + b_hf),
//! g = tanh(W_ig x + b_ig + W_hg h + b_hg), o = sigmoid(W_io x + b_io + W_ho h + b_ho),
//! c' = f * c + i * g, h' = o * tanh(c'), first c = h = 0.
//!
//! As in [`crate::gru`] the input product is computed once per distinct token, and everything after it once per distinct
//! beginning (read from the side where the LSTM starts). The states of a sequence are the same bits in any batch and at
//! any number of threads, and so are the gradients of a batch.
//!
//! TensorFlow's `BasicLSTMCell` is the same cell: its kernel `[e + h, 4 h]` holds the columns of i, j (our g), f, o, and it
//! adds a forget bias of 1. So `w_ih` is the transpose of the kernel's first e rows and `w_hh` of the others, with the
//! blocks in the order i, f, j, o; `b_ih` is the bias in that order with 1 added to f; `b_hh` is zero and stays out of
//! training (its gradient is that of `b_ih`).

mod backward;
mod forward;
mod plan;

pub use backward::backward;
pub use forward::{forward, infer};
pub use plan::{Direction, Plan};

use crate::matmul::Precision;
use crate::scratch::Scratch;

/// Weights in PyTorch's layout: the rows of the gates i, f, g, o one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `[4 h, e]`.
    pub w_ih: &'a [f32],
    /// `[4 h, h]`.
    pub w_hh: &'a [f32],
    /// `[4 h]`.
    pub b_ih: &'a [f32],
    /// `[4 h]`.
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
        assert_eq!(self.w_ih.len(), 4 * h * e, "w_ih must be [4 h, e]");
        assert_eq!(self.w_hh.len(), 4 * h * h, "w_hh must be [4 h, h]");
        assert_eq!((self.b_ih.len(), self.b_hh.len()), (4 * h, 4 * h), "biases must be [4 h]");
        assert_eq!(x.len(), plan.distinct().len() * e, "x must be [distinct tokens, e]");
    }
}

/// What [`backward`] needs of a [`forward`].
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// `[nodes, 4 h]`: i, f, g, o of each node of the plan.
    gates: Scratch,
    /// `[nodes, h]`: c after each.
    cells: Scratch,
    /// `[nodes, h]`: h after each.
    states: Scratch,
}

/// Gradients of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Grads {
    /// `[distinct tokens, e]`.
    pub dx: Vec<f32>,
    /// `[4 h, e]`.
    pub dw_ih: Vec<f32>,
    /// `[4 h, h]`.
    pub dw_hh: Vec<f32>,
    /// `[4 h]`: the gradient of `b_ih`, and that of `b_hh` too.
    pub dbias: Vec<f32>,
}

#[cfg(test)]
mod tests;
