//! Row operations on the CPU: unit length, means of listed rows.

use std::sync::Arc;

use burn::tensor::Tensor;
use quintet_kernels::norm;
use rayon::prelude::*;

use super::custom::{CustomOp, Output, apply, input};
use crate::features::Ragged;

/// See [`super::unit_rows`].
pub fn unit_rows(x: Tensor<2>) -> Tensor<2> {
    let dim = x.dims()[1];
    apply(UnitRows { dim }, [input(x)])
}

/// See [`super::mean_rows`].
pub fn mean_rows(x: Tensor<2>, members: &Arc<Ragged<u32>>) -> Tensor<2> {
    let [rows, dim] = x.dims();
    apply(MeanRows { rows, dim, members: Arc::clone(members) }, [input(x)])
}

#[derive(Clone)]
struct UnitRows {
    dim: usize,
}

impl CustomOp<1> for UnitRows {
    /// The unit rows and the lengths they had.
    type Saved = (Vec<f32>, Vec<f64>);

    fn infer(&self, [x]: [&[f32]; 1]) -> Output {
        let mut y = x.to_vec();
        let lengths = norm::forward(&mut y, self.dim);
        Output::new(y, [lengths.len(), self.dim])
    }

    fn forward(&self, [x]: [&[f32]; 1]) -> (Output, Self::Saved) {
        let mut y = x.to_vec();
        let lengths = norm::forward(&mut y, self.dim);
        (Output::new(y.clone(), [lengths.len(), self.dim]), (y, lengths))
    }

    fn backward(
        &self,
        _: [&[f32]; 1],
        (y, lengths): &Self::Saved,
        gradient: &[f32],
        _: [bool; 1],
    ) -> [Option<Output>; 1] {
        let mut dx = gradient.to_vec();
        norm::backward(y, lengths, &mut dx, self.dim);
        [Some(Output::new(dx, [lengths.len(), self.dim]))]
    }
}

#[derive(Clone)]
struct MeanRows {
    rows: usize,
    dim: usize,
    members: Arc<Ragged<u32>>,
}

impl CustomOp<1> for MeanRows {
    type Saved = ();

    fn forward(&self, [x]: [&[f32]; 1]) -> (Output, ()) {
        let mut y = vec![0f32; self.members.len() * self.dim];
        y.par_chunks_mut(self.dim).enumerate().for_each(|(i, mean)| {
            let list = self.members.get(i);
            let scale = 1.0 / list.len() as f32;
            for &member in list {
                let row = &x[member as usize * self.dim..][..self.dim];
                mean.iter_mut().zip(row).for_each(|(m, v)| *m += v * scale);
            }
        });
        (Output::new(y, [self.members.len(), self.dim]), ())
    }

    fn backward(&self, _: [&[f32]; 1], (): &(), gradient: &[f32], _: [bool; 1]) -> [Option<Output>; 1] {
        // Sequential: lists share rows, and the order of addition decides the bits.
        let mut dx = vec![0f32; self.rows * self.dim];
        for (i, mean) in gradient.chunks(self.dim).enumerate() {
            let list = self.members.get(i);
            let scale = 1.0 / list.len() as f32;
            for &member in list {
                let row = &mut dx[member as usize * self.dim..][..self.dim];
                row.iter_mut().zip(mean).for_each(|(d, g)| *d += g * scale);
            }
        }
        [Some(Output::new(dx, [self.rows, self.dim]))]
    }
}
