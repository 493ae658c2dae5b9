//! The GRU on the CPU: packed sequences, forward and backward by our kernels.

use std::sync::Arc;

use burn::tensor::Tensor;
use quintet_kernels::gru;
use quintet_kernels::matmul::Precision;

use super::custom::{CustomOp, Output, apply, input};
use super::{GruWeights, Texts};
use crate::config;

/// See [`super::gru_last`].
pub fn gru_last(rows: Tensor<2>, texts: &Arc<Texts>, weights: GruWeights) -> Tensor<2> {
    let (e, h) = (rows.dims()[1], weights.hidden.dims()[1]);
    let GruWeights { input: w, hidden: u, input_bias, hidden_bias, precision } = weights;
    let precision = match precision {
        config::Precision::F32 => Precision::F32,
        config::Precision::Bf16 => Precision::Bf16,
    };
    let op = GruLast { e, h, precision, texts: Arc::clone(texts) };
    apply(op, [input(rows), input(w), input(u), input(input_bias), input(hidden_bias)])
}

#[derive(Clone)]
struct GruLast {
    /// Length of an input row.
    e: usize,
    /// Length of a state.
    h: usize,
    precision: Precision,
    texts: Arc<Texts>,
}

impl GruLast {
    fn weights<'a>(&self, [_, w_ih, w_hh, b_ih, b_hh]: [&'a [f32]; 5]) -> gru::Weights<'a> {
        gru::Weights { w_ih, w_hh, b_ih, b_hh, e: self.e, h: self.h, precision: self.precision }
    }

    fn output(&self, states: Vec<f32>) -> Output {
        Output::new(states, [self.texts.len(), self.h])
    }
}

impl CustomOp<5> for GruLast {
    type Saved = gru::Saved;

    fn infer(&self, inputs: [&[f32]; 5]) -> Output {
        self.output(gru::infer(self.texts.plan(), inputs[0], &self.weights(inputs)))
    }

    fn forward(&self, inputs: [&[f32]; 5]) -> (Output, gru::Saved) {
        let (states, saved) = gru::forward(self.texts.plan(), inputs[0], &self.weights(inputs));
        (self.output(states), saved)
    }

    fn backward(&self, inputs: [&[f32]; 5], saved: &gru::Saved, gradient: &[f32], _: [bool; 5]) -> [Option<Output>; 5] {
        let g = gru::backward(self.texts.plan(), saved, inputs[0], &self.weights(inputs), gradient);
        let (e, h) = (self.e, self.h);
        [
            Some(Output::new(g.dx, [self.texts.distinct().len(), e])),
            Some(Output::new(g.dw_ih, [3 * h, e])),
            Some(Output::new(g.dw_hh, [3 * h, h])),
            Some(Output::new(g.db_ih, [3 * h])),
            Some(Output::new(g.db_hh, [3 * h])),
        ]
    }
}
