//! Softmax over many classes with several right ones, fused with its linear layer on the CPU.

use std::sync::Arc;

use burn::tensor::Tensor;
use quintet_kernels::linear as layer;
use rayon::prelude::*;

use super::custom::{CustomOp, Output, apply, input};
use crate::features::Ragged;

/// See [`super::many_labels`].
pub fn many_labels(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, labels: &Arc<Ragged<u32>>) -> Tensor<1> {
    let inputs = x.dims()[1];
    apply(ManyLabels { inputs, labels: Arc::clone(labels) }, [input(x), input(weight), input(bias)])
}

#[derive(Clone)]
struct ManyLabels {
    inputs: usize,
    labels: Arc<Ragged<u32>>,
}

impl CustomOp<3> for ManyLabels {
    /// The gradient with respect to the logits `[rows, classes]`: all that the backward pass needs of them.
    type Saved = Vec<f32>;

    fn forward(&self, [x, weight, bias]: [&[f32]; 3]) -> (Output, Vec<f32>) {
        let (rows, classes) = (self.labels.len(), bias.len());
        let mut logits = layer::forward(x, rows, &layer::Weights { weight, bias, inputs: self.inputs });
        let share = 1.0 / rows as f32;
        let losses: Vec<f64> = logits
            .par_chunks_mut(classes)
            .enumerate()
            .map(|(row, logits)| {
                let labels = self.labels.get(row);
                let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let right: f64 = labels.iter().map(|&label| f64::from(logits[label as usize] - most)).sum();
                let mut sum = 0f64;
                for logit in &mut *logits {
                    *logit = (*logit - most).exp();
                    sum += f64::from(*logit);
                }
                let scale = (labels.len() as f64 / sum) as f32 * share;
                logits.iter_mut().for_each(|logit| *logit *= scale);
                labels.iter().for_each(|&label| logits[label as usize] -= share);
                labels.len() as f64 * sum.ln() - right
            })
            .collect();
        let loss = losses.iter().sum::<f64>() / rows as f64;
        (Output::new(vec![loss as f32], [1]), logits)
    }

    fn backward(
        &self,
        [x, weight, bias]: [&[f32]; 3],
        dlogits: &Vec<f32>,
        gradient: &[f32],
        [to_x, _, _]: [bool; 3],
    ) -> [Option<Output>; 3] {
        let (rows, classes) = (self.labels.len(), bias.len());
        let weights = layer::Weights { weight, bias, inputs: self.inputs };
        // A training step's loss is the end of the graph, where the gradient is 1: no copy of a large matrix.
        let scaled = (gradient[0] != 1.0).then(|| dlogits.iter().map(|d| d * gradient[0]).collect::<Vec<f32>>());
        let g = layer::backward(x, rows, &weights, scaled.as_deref().unwrap_or(dlogits), to_x);
        [
            g.dx.map(|dx| Output::new(dx, [rows, self.inputs])),
            Some(Output::new(g.dweight, [classes, self.inputs])),
            Some(Output::new(g.dbias, [classes])),
        ]
    }
}
