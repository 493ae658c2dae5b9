//! The LSTM on the CPU: states after every token, forward and backward by our kernels.

use std::sync::Arc;

use burn::tensor::Tensor;
use quintet_kernels::lstm::{self, Direction, Plan};
use quintet_kernels::matmul::Precision;

use super::LstmWeights;
use super::custom::{CustomOp, Output, apply, input};
use crate::features::Ragged;

/// Token sequences as an LSTM reads them.
pub struct Readings {
    tokens: Ragged<u32>,
    direction: Direction,
    length: Option<usize>,
    plan: Plan,
}

impl Readings {
    /// A row of the result for each token, sequence after sequence.
    pub fn packed(tokens: &Ragged<u32>, direction: Direction) -> Readings {
        let plan = Plan::packed(&tokens.offsets, &tokens.values, direction);
        Readings { tokens: tokens.clone(), direction, length: None, plan }
    }

    /// `length` rows for each sequence, zero after its last token: `[sequences * length, hidden]`. No padding is read.
    ///
    /// # Panics
    /// If a sequence is longer.
    pub fn padded(tokens: &Ragged<u32>, direction: Direction, length: usize) -> Readings {
        let plan = Plan::padded(&tokens.offsets, &tokens.values, direction, length);
        Readings { tokens: tokens.clone(), direction, length: Some(length), plan }
    }

    /// Token ids, each once: the rows to gather from the embedding table.
    pub fn distinct(&self) -> &[u32] {
        self.plan.distinct()
    }

    /// Number of rows of the result.
    pub fn rows(&self) -> usize {
        self.plan.rows()
    }

    /// The sequences in the order in which they are read, every token as its position in [`Readings::distinct`], and the
    /// row of the result of each.
    pub(super) fn steps(&self) -> Vec<Vec<(u32, usize)>> {
        let position: std::collections::BTreeMap<u32, u32> = self.distinct().iter().copied().zip(0..).collect();
        let sequence = |i: usize| {
            let first = self.length.map_or(self.tokens.offsets[i], |length| i * length);
            let tokens = self.tokens.get(i).iter().map(|token| position[token]);
            let mut steps: Vec<(u32, usize)> = tokens.zip(first..).collect();
            if self.direction == Direction::Backward {
                steps.reverse();
            }
            steps
        };
        (0..self.tokens.len()).map(sequence).collect()
    }
}

/// See [`super::lstm_all`].
pub fn lstm_all(rows: Tensor<2>, readings: &Arc<Readings>, weights: LstmWeights) -> Tensor<2> {
    let (e, h) = (rows.dims()[1], weights.hidden.dims()[1]);
    let LstmWeights { input: w, hidden: u, input_bias, hidden_bias } = weights;
    let op = LstmAll { e, h, readings: Arc::clone(readings) };
    apply(op, [input(rows), input(w), input(u), input(input_bias), input(hidden_bias)])
}

#[derive(Clone)]
struct LstmAll {
    /// Length of an input row.
    e: usize,
    /// Length of a state.
    h: usize,
    readings: Arc<Readings>,
}

impl LstmAll {
    fn weights<'a>(&self, [_, w_ih, w_hh, b_ih, b_hh]: [&'a [f32]; 5]) -> lstm::Weights<'a> {
        lstm::Weights { w_ih, w_hh, b_ih, b_hh, e: self.e, h: self.h, precision: Precision::F32 }
    }

    fn output(&self, states: Vec<f32>) -> Output {
        Output::new(states, [self.readings.rows(), self.h])
    }
}

impl CustomOp<5> for LstmAll {
    type Saved = lstm::Saved;

    fn infer(&self, inputs: [&[f32]; 5]) -> Output {
        self.output(lstm::infer(&self.readings.plan, inputs[0], &self.weights(inputs)))
    }

    fn forward(&self, inputs: [&[f32]; 5]) -> (Output, lstm::Saved) {
        let (states, saved) = lstm::forward(&self.readings.plan, inputs[0], &self.weights(inputs));
        (self.output(states), saved)
    }

    fn backward(
        &self,
        inputs: [&[f32]; 5],
        saved: &lstm::Saved,
        gradient: &[f32],
        _: [bool; 5],
    ) -> [Option<Output>; 5] {
        let g = lstm::backward(&self.readings.plan, saved, inputs[0], &self.weights(inputs), gradient);
        let (e, h) = (self.e, self.h);
        [
            Some(Output::new(g.dx, [self.readings.distinct().len(), e])),
            Some(Output::new(g.dw_ih, [4 * h, e])),
            Some(Output::new(g.dw_hh, [4 * h, h])),
            Some(Output::new(g.dbias.clone(), [4 * h])),
            Some(Output::new(g.dbias, [4 * h])),
        ]
    }
}
