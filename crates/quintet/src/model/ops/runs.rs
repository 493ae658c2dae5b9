//! Attention over runs of rows on the CPU: softmax of scores within each run, then the weighted sum of its rows.

use std::sync::Arc;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::custom::{CustomOp, Output, apply, input};

/// See [`super::attend_runs`].
pub fn attend_runs(rows: Tensor<2>, scores: Tensor<2>, runs: &Arc<Vec<usize>>) -> Tensor<2> {
    let dim = rows.dims()[1];
    apply(AttendRuns { dim, runs: Arc::clone(runs) }, [input(rows), input(scores)])
}

#[derive(Clone)]
struct AttendRuns {
    dim: usize,
    runs: Arc<Vec<usize>>,
}

impl AttendRuns {
    /// Softmax of the scores of each run.
    fn shares(&self, scores: &[f32]) -> Vec<f32> {
        let mut shares = vec![0.0; scores.len()];
        for run in self.runs.windows(2) {
            let (scores, shares) = (&scores[run[0]..run[1]], &mut shares[run[0]..run[1]]);
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            shares.iter_mut().zip(scores).for_each(|(share, score)| *share = (score - most).exp());
            let sum: f32 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= sum);
        }
        shares
    }
}

impl CustomOp<2> for AttendRuns {
    /// The shares.
    type Saved = Vec<f32>;

    fn forward(&self, [rows, scores]: [&[f32]; 2]) -> (Output, Vec<f32>) {
        let shares = self.shares(scores);
        let runs = self.runs.len() - 1;
        let mut sums = vec![0f32; runs * self.dim];
        sums.par_chunks_mut(self.dim).enumerate().for_each(|(run, sum)| {
            for at in self.runs[run]..self.runs[run + 1] {
                let row = &rows[at * self.dim..][..self.dim];
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += shares[at] * v);
            }
        });
        (Output::new(sums, [runs, self.dim]), shares)
    }

    fn backward(
        &self,
        [rows, scores]: [&[f32]; 2],
        shares: &Vec<f32>,
        gradient: &[f32],
        wanted: [bool; 2],
    ) -> [Option<Output>; 2] {
        let dim = self.dim;
        let mut run_of = vec![0u32; scores.len()];
        for (number, run) in self.runs.windows(2).enumerate() {
            run_of[run[0]..run[1]].fill(number as u32);
        }
        let gradient_of = |at: usize| &gradient[run_of[at] as usize * dim..][..dim];
        let drows = wanted[0].then(|| {
            let mut drows = vec![0f32; rows.len()];
            drows.par_chunks_mut(dim).with_min_len(64).enumerate().for_each(|(at, drow)| {
                drow.iter_mut().zip(gradient_of(at)).for_each(|(d, g)| *d = shares[at] * g);
            });
            Output::new(drows, [scores.len(), dim])
        });
        let dscores = wanted[1].then(|| {
            let dot = |at: usize| rows[at * dim..][..dim].iter().zip(gradient_of(at)).map(|(v, g)| v * g).sum::<f32>();
            let mut dscores: Vec<f32> = (0..scores.len()).into_par_iter().with_min_len(64).map(dot).collect();
            for run in self.runs.windows(2) {
                let (dots, shares) = (&mut dscores[run[0]..run[1]], &shares[run[0]..run[1]]);
                let mean: f32 = dots.iter().zip(shares).map(|(d, p)| d * p).sum();
                dots.iter_mut().zip(shares).for_each(|(d, p)| *d = p * (*d - mean));
            }
            Output::new(dscores, [scores.len(), 1])
        });
        [drows, dscores]
    }
}
