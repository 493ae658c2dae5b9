//! What Adam remembers of one weight on a device whose memory is not ours: the same formulas as Burn operations.
//!
//! A table is updated whole: a row that was never read has zero moments and stays where it is, so the numbers are those of
//! the processor, and no list of rows has to be kept.

use burn::tensor::{Device, Tensor};
use quintet_kernels::adam::Adam;

use super::moments::Gradient;
use crate::model::ops::ordinary::indices;
use crate::model::params;

/// State of one weight, flat.
pub(super) struct DeviceMoments {
    shape: Vec<usize>,
    first: Tensor<1>,
    second: Tensor<1>,
}

impl DeviceMoments {
    /// Zero moments.
    pub fn new(shape: &[usize], device: &Device) -> DeviceMoments {
        let length: usize = shape.iter().product();
        let zeros = || Tensor::zeros([length], device);
        DeviceMoments { shape: shape.to_vec(), first: zeros(), second: zeros() }
    }

    /// Applies one step to the weight's `values`. By value, so that the device can write into the old memory.
    pub fn update(self, values: Tensor<1>, gradient: Gradient<Tensor<1>>, adam: &Adam) -> (DeviceMoments, Tensor<1>) {
        let DeviceMoments { shape, first, second } = self;
        let (mut first, mut second) = (first * adam.beta1, second * adam.beta2);
        if let Some(gradient) = dense(gradient, &shape) {
            let gradient = gradient * adam.gradient_scale;
            first = first + gradient.clone() * (1.0 - adam.beta1);
            second = second + gradient.square() * (1.0 - adam.beta2);
        }
        let decayed = |beta: f64| 1.0 - beta.powf(adam.step as f64);
        let root = second.clone().sqrt() / decayed(adam.beta2).sqrt() + adam.eps;
        let values = values - first.clone() * (adam.learning_rate / decayed(adam.beta1)) / root;
        (DeviceMoments { shape, first, second }, values)
    }

    /// First and second moments.
    pub fn read(&self) -> [Vec<f32>; 2] {
        [&self.first, &self.second].map(|moments| params::values(moments.clone()))
    }

    /// Replaces both.
    pub fn write(&mut self, first: &[f32], second: &[f32]) {
        let device = self.first.device();
        self.first = Tensor::from_data(first, &device);
        self.second = Tensor::from_data(second, &device);
    }
}

/// The whole gradient; `None` if it is zero.
fn dense(gradient: Gradient<Tensor<1>>, shape: &[usize]) -> Option<Tensor<1>> {
    match gradient {
        Gradient::Zero => None,
        Gradient::Dense(values) => Some(values),
        Gradient::Rows(rows, values) => {
            let (device, words) = (values.device(), shape[0]);
            let dim = values.dims()[0] / rows.len();
            // Every row of the table reads its gradient, or the zero row put at the end: no two writes can meet.
            let mut source = vec![rows.len() as u32; words];
            rows.iter().zip(0..).for_each(|(&row, at)| source[row as usize] = at);
            let padded = Tensor::cat(vec![values.reshape([rows.len(), dim]), Tensor::zeros([1, dim], &device)], 0);
            Some(padded.select(0, indices(source, &device)).reshape([words * dim]))
        }
    }
}

/// L2 norm of the whole gradient.
pub(super) fn norm(gradients: &[Gradient<Tensor<1>>]) -> f64 {
    let squares: Vec<Tensor<1>> =
        gradients.iter().filter_map(Gradient::values).map(|values| values.clone().square().sum()).collect();
    if squares.is_empty() {
        return 0.0;
    }
    params::values(Tensor::cat(squares, 0)).into_iter().map(f64::from).sum::<f64>().sqrt()
}
