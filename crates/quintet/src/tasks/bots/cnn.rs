//! The text CNN of Kim (2014, EMNLP), forwards, backwards and one step of Adadelta. An item's rows are vectors of posts
//! in place of words, as in Rivas et al. 2022.
//!
//! For window h and map j: `c_i = ReLU(w_j . x[i..i+h] + b_j)`, the largest over i is one feature; dropout; softmax of two
//! classes. Items are padded with `max window - 1` rows of zeros on either side.

use quintet_kernels::linear;
use quintet_kernels::matmul::{Mat, matmul};
use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;

/// Number of classes.
pub const CLASSES: usize = 2;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shape {
    /// Numbers in a row.
    pub dim: usize,
    /// Rows of an item, without padding.
    pub rows: usize,
    /// Heights of the filters (published: 2, 3, 4).
    pub windows: Vec<usize>,
    /// Feature maps of each window (published: 300).
    pub maps: usize,
}

impl Shape {
    /// Rows of zeros on either side of an item.
    fn padding(&self) -> usize {
        self.windows.iter().max().map_or(0, |h| h - 1)
    }

    /// Rows of a padded item.
    pub fn padded(&self) -> usize {
        self.rows + 2 * self.padding()
    }

    /// Features that reach the softmax layer.
    pub fn features(&self) -> usize {
        self.maps * self.windows.len()
    }
}

/// Weights, or anything of the same layout: their gradients, Adadelta's accumulators.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Per window `[maps, h * dim]`.
    pub filters: Vec<Vec<f32>>,
    /// Per window `[maps]`.
    pub biases: Vec<Vec<f32>>,
    /// Softmax layer `[2, features]`.
    pub output: Vec<f32>,
    /// Softmax layer `[2]`.
    pub output_bias: Vec<f32>,
}

impl Weights {
    fn zeros(shape: &Shape) -> Weights {
        Weights {
            filters: shape.windows.iter().map(|h| vec![0.0; shape.maps * h * shape.dim]).collect(),
            biases: shape.windows.iter().map(|_| vec![0.0; shape.maps]).collect(),
            output: vec![0.0; CLASSES * shape.features()],
            output_bias: vec![0.0; CLASSES],
        }
    }

    /// All tensors in a fixed order.
    pub fn tensors(&self) -> Vec<&Vec<f32>> {
        self.filters.iter().chain(&self.biases).chain([&self.output, &self.output_bias]).collect()
    }

    /// As [`Weights::tensors`], to be changed.
    pub fn tensors_mut(&mut self) -> Vec<&mut Vec<f32>> {
        self.filters.iter_mut().chain(&mut self.biases).chain([&mut self.output, &mut self.output_bias]).collect()
    }
}

/// The network.
#[derive(Clone, Debug, PartialEq)]
pub struct TextCnn {
    /// Its sizes.
    pub shape: Shape,
    /// Its weights.
    pub weights: Weights,
}

/// What a forward pass leaves for the backward pass.
#[derive(Clone, Debug)]
pub struct Forward {
    /// `[items, features]` after ReLU, before dropout.
    features: Vec<f32>,
    /// Position of each feature's maximum within its padded item.
    at: Vec<u32>,
    /// `[items, 2]`.
    pub probabilities: Vec<f32>,
}

impl TextCnn {
    /// Kim's start: filters uniform in -0.01..0.01, everything else 0.
    pub fn new(shape: Shape, seed: u64) -> TextCnn {
        let mut weights = Weights::zeros(&shape);
        for (w, filters) in weights.filters.iter_mut().enumerate() {
            let mut rng = Rng::new(seed, &[label("text cnn filters"), w as u64]);
            filters.iter_mut().for_each(|v| *v = rng.uniform(-0.01, 0.01));
        }
        TextCnn { shape, weights }
    }

    /// Items `[items][up to rows * dim]` as one padded matrix `[items * padded, dim]`; what an item lacks is zero.
    pub fn pad<'a>(shape: &Shape, items: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f32> {
        let item = shape.padded() * shape.dim;
        let mut out = vec![0.0; items.len() * item];
        for (padded, values) in out.chunks_exact_mut(item.max(1)).zip(items) {
            padded[shape.padding() * shape.dim..][..values.len()].copy_from_slice(values);
        }
        out
    }

    /// One pass over padded items `x`; `mask` `[items, features]` multiplies the features (inverted dropout).
    pub fn forward(&self, x: &[f32], mask: Option<&[f32]>) -> Forward {
        let (dim, length, maps, total) =
            (self.shape.dim, self.shape.padded(), self.shape.maps, self.shape.features());
        let items = x.len() / (length * dim);
        let mut features = vec![0.0f32; items * total];
        let mut at = vec![0u32; items * total];
        for (w, &h) in self.shape.windows.iter().enumerate() {
            // Rows overlap: row i of the left matrix is x[i..i + h]. Windows that reach into the next item are computed
            // with the rest and left out below: one large product is faster than a product an item.
            let positions = (items * length + 1).saturating_sub(h);
            let mut scores = vec![0.0f32; positions * maps];
            let windows = Mat::strided(x, positions, h * dim, dim, 1);
            matmul(&mut scores, windows, Mat::new(&self.weights.filters[w], maps, h * dim).t(), false);
            let (scores, bias) = (&scores, &self.weights.biases[w]);
            features.par_chunks_mut(total).zip(at.par_chunks_mut(total)).enumerate().for_each(|(item, (f, at))| {
                let (f, at) = (&mut f[w * maps..][..maps], &mut at[w * maps..][..maps]);
                f.fill(f32::NEG_INFINITY);
                for i in 0..=length - h {
                    for (j, &s) in scores[(item * length + i) * maps..][..maps].iter().enumerate() {
                        if s > f[j] {
                            (f[j], at[j]) = (s, i as u32);
                        }
                    }
                }
                f.iter_mut().zip(bias).for_each(|(f, b)| *f = (*f + b).max(0.0));
            });
        }
        let dropped = masked(&features, mask);
        let mut probabilities = linear::forward(&dropped, items, &self.softmax_layer());
        probabilities.chunks_exact_mut(CLASSES).for_each(softmax);
        Forward { features, at, probabilities }
    }

    fn softmax_layer(&self) -> linear::Weights<'_> {
        linear::Weights {
            weight: &self.weights.output,
            bias: &self.weights.output_bias,
            inputs: self.shape.features(),
        }
    }

    /// Gradients of the mean cross-entropy of `classes`, for the pass that left `saved`.
    pub fn backward(&self, x: &[f32], mask: Option<&[f32]>, saved: &Forward, classes: &[u8]) -> Weights {
        let (dim, length, maps, total) =
            (self.shape.dim, self.shape.padded(), self.shape.maps, self.shape.features());
        let items = classes.len();
        let mut dlogits = saved.probabilities.clone();
        for (row, &class) in dlogits.chunks_exact_mut(CLASSES).zip(classes) {
            row[usize::from(class)] -= 1.0;
            row.iter_mut().for_each(|v| *v /= items as f32);
        }
        let dropped = masked(&saved.features, mask);
        let layer = linear::backward(&dropped, items, &self.softmax_layer(), &dlogits, true);
        let mut dfeatures = masked(&layer.dx.unwrap_or_default(), mask);
        dfeatures.iter_mut().zip(&saved.features).filter(|(_, f)| **f <= 0.0).for_each(|(d, _)| *d = 0.0);
        let mut grads =
            Weights { output: layer.dweight, output_bias: layer.dbias, ..Weights::zeros(&self.shape) };
        for (w, &h) in self.shape.windows.iter().enumerate() {
            let filters = grads.filters[w].par_chunks_mut(h * dim);
            filters.zip(grads.biases[w].par_iter_mut()).enumerate().for_each(|(j, (filter, bias))| {
                // Only the window with the maximum has a share; items in their order, so the bits are always the same.
                for item in 0..items {
                    let feature = item * total + w * maps + j;
                    let d = dfeatures[feature];
                    if d != 0.0 {
                        *bias += d;
                        let start = (item * length + saved.at[feature] as usize) * dim;
                        filter.iter_mut().zip(&x[start..][..h * dim]).for_each(|(g, v)| *g += d * v);
                    }
                }
            });
        }
        grads
    }

    /// Probability of class 1 for each item (no dropout).
    pub fn predict<'a>(&self, items: impl Iterator<Item = &'a [f32]>) -> Vec<f64> {
        let all: Vec<&[f32]> = items.collect();
        let passes = all.chunks(256).map(|items| self.forward(&Self::pad(&self.shape, items.iter().copied()), None));
        let second = |p: &[f32]| f64::from(p[1]);
        passes.flat_map(|pass| pass.probabilities.chunks_exact(CLASSES).map(second).collect::<Vec<f64>>()).collect()
    }
}

/// Mean cross-entropy of the right classes.
pub fn loss(probabilities: &[f32], classes: &[u8]) -> f64 {
    let nats = probabilities.chunks_exact(CLASSES).zip(classes).map(|(p, &c)| -f64::from(p[usize::from(c)]).ln());
    nats.sum::<f64>() / classes.len() as f64
}

fn masked(values: &[f32], mask: Option<&[f32]>) -> Vec<f32> {
    match mask {
        Some(mask) => values.iter().zip(mask).map(|(v, m)| v * m).collect(),
        None => values.to_vec(),
    }
}

fn softmax(row: &mut [f32]) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|v| *v = (*v - highest).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|v| *v /= sum);
}

/// Adadelta (Zeiler 2012) with Kim's rule that no class's weights in the softmax layer are longer than `max_norm`.
#[derive(Clone, Debug)]
pub struct Adadelta {
    /// Decay of the averages (published: 0.95).
    pub rho: f32,
    /// Added to both averages (published: 1e-6).
    pub epsilon: f32,
    /// Longest row of the softmax layer (published: 3); 0: no limit.
    pub max_norm: f32,
    squares: Weights,
    updates: Weights,
}

impl Adadelta {
    /// Both averages at 0.
    pub fn new(shape: &Shape, rho: f32, epsilon: f32, max_norm: f32) -> Adadelta {
        let zeros = Weights::zeros(shape);
        Adadelta { rho, epsilon, max_norm, squares: zeros.clone(), updates: zeros }
    }

    /// One step of `weights` along `grads`.
    pub fn step(&mut self, weights: &mut Weights, grads: &Weights) {
        let (rho, epsilon) = (self.rho, self.epsilon);
        let averages = self.squares.tensors_mut().into_iter().zip(self.updates.tensors_mut());
        for ((w, g), (squares, updates)) in weights.tensors_mut().into_iter().zip(grads.tensors()).zip(averages) {
            w.par_iter_mut().zip(g.par_iter()).zip(squares.par_iter_mut().zip(updates.par_iter_mut())).with_min_len(4096).for_each(
                |((w, &g), (square, update))| {
                    *square = rho * *square + (1.0 - rho) * g * g;
                    let step = ((*update + epsilon).sqrt() / (*square + epsilon).sqrt()) * g;
                    *update = rho * *update + (1.0 - rho) * step * step;
                    *w -= step;
                },
            );
        }
        let features = weights.output.len() / CLASSES;
        for row in weights.output.chunks_exact_mut(features.max(1)).filter(|_| self.max_norm > 0.0) {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            if length > self.max_norm {
                row.iter_mut().for_each(|v| *v *= self.max_norm / length);
            }
        }
    }
}

#[cfg(test)]
#[path = "cnn_tests.rs"]
mod tests;
