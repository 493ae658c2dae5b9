//! The text CNN of Kim (2014, EMNLP), forwards, backwards and one step of Adadelta. An item's rows are vectors of posts
//! in place of words, as in Rivas et al. 2022.
//!
//! For window h and map j: `c_i = ReLU(w_j . x[i..i+h] + b_j)`, the largest over i is one feature; dropout; softmax of two
//! classes. Items are padded with zeros to a common length and then with `max window - 1` rows of zeros on either side.
//!
//! The zeros are never multiplied: each row meets each row of a filter once, in one product, and a window's score is the sum
//! along its diagonal. That is the same sum in another order, at five eighths of the products for ten posts an item and a
//! seventh for one.

use quintet_kernels::linear;
use quintet_kernels::matmul::{Mat, matmul};
use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Number of classes.
pub const CLASSES: usize = 2;

/// Sizes of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Features that reach the softmax layer.
    pub fn features(&self) -> usize {
        self.maps * self.windows.len()
    }

    /// Whether some window of height `h` over an item of `rows` rows sees zeros only.
    fn sees_nothing(&self, h: usize, rows: usize) -> bool {
        let padding = self.windows.iter().max().map_or(0, |h| h - 1);
        rows == 0 || self.rows + 2 * padding + 1 - h > rows + h - 1
    }
}

/// Items one after another, without padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// All rows, `[rows of all items, dim]`.
    x: Vec<f32>,
    /// First row of each item, and the number of rows at the end.
    offsets: Vec<usize>,
}

impl Batch {
    /// Items `[rows, dim]` each, of `shape.rows` rows at most.
    ///
    /// # Panics
    /// If an item has more rows, or not whole ones.
    pub fn of<'a>(shape: &Shape, items: impl Iterator<Item = &'a [f32]>) -> Batch {
        let mut batch = Batch { x: Vec::new(), offsets: vec![0] };
        for item in items {
            let whole = item.len().is_multiple_of(shape.dim) && item.len() <= shape.rows * shape.dim;
            assert!(whole, "an item has {} numbers, not up to {} rows of {}", item.len(), shape.rows, shape.dim);
            batch.x.extend_from_slice(item);
            batch.offsets.push(batch.x.len() / shape.dim);
        }
        batch
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Weights, or anything of the same layout: their gradients, Adadelta's accumulators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// First row, within its item, of the window with each feature's maximum; negative where it begins in the padding.
    at: Vec<i32>,
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

    /// One pass; `mask` `[items, features]` multiplies the features (inverted dropout).
    pub fn forward(&self, batch: &Batch, mask: Option<&[f32]>) -> Forward {
        let (dim, maps, total) = (self.shape.dim, self.shape.maps, self.shape.features());
        let (items, rows) = (batch.len(), batch.x.len() / dim);
        let mut features = vec![0.0f32; items * total];
        let mut at = vec![0i32; items * total];
        for (w, &h) in self.shape.windows.iter().enumerate() {
            // [rows, maps * h]: row r with row t of filter j at j * h + t.
            let mut products = vec![0.0f32; rows * maps * h];
            let filters = Mat::new(&self.weights.filters[w], maps * h, dim);
            matmul(&mut products, Mat::new(&batch.x, rows, dim), filters.t(), false);
            let (products, bias) = (&products, &self.weights.biases[w]);
            features.par_chunks_mut(total).zip(at.par_chunks_mut(total)).enumerate().for_each(|(item, (f, at))| {
                let (f, at) = (&mut f[w * maps..][..maps], &mut at[w * maps..][..maps]);
                let (first, last) = (batch.offsets[item], batch.offsets[item + 1]);
                let count = (last - first) as i32;
                f.fill(if self.shape.sees_nothing(h, last - first) { 0.0 } else { f32::NEG_INFINITY });
                at.fill(-(h as i32));
                let mut scores = vec![0.0f32; maps];
                for start in 1 - h as i32..count {
                    scores.fill(0.0);
                    for t in (0..h as i32).filter(|t| (0..count).contains(&(start + t))) {
                        let row = &products[(first + (start + t) as usize) * maps * h..][..maps * h];
                        scores.iter_mut().zip(row.chunks_exact(h)).for_each(|(s, p)| *s += p[t as usize]);
                    }
                    for (j, &s) in scores.iter().enumerate() {
                        if s > f[j] {
                            (f[j], at[j]) = (s, start);
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
        linear::Weights { weight: &self.weights.output, bias: &self.weights.output_bias, inputs: self.shape.features() }
    }

    /// Gradients of the mean cross-entropy of `classes`, for the pass that left `saved`.
    pub fn backward(&self, batch: &Batch, mask: Option<&[f32]>, saved: &Forward, classes: &[u8]) -> Weights {
        let (dim, maps, total) = (self.shape.dim, self.shape.maps, self.shape.features());
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
        let mut grads = Weights { output: layer.dweight, output_bias: layer.dbias, ..Weights::zeros(&self.shape) };
        for (w, &h) in self.shape.windows.iter().enumerate() {
            let filters = grads.filters[w].par_chunks_mut(h * dim);
            filters.zip(grads.biases[w].par_iter_mut()).enumerate().for_each(|(j, (filter, bias))| {
                // Only the window with the maximum has a share; items in their order, so the bits are always the same.
                for item in 0..items {
                    let feature = item * total + w * maps + j;
                    let d = dfeatures[feature];
                    if d == 0.0 {
                        continue;
                    }
                    *bias += d;
                    let (first, last) = (batch.offsets[item] as i64, batch.offsets[item + 1] as i64);
                    for (t, filter_row) in filter.chunks_exact_mut(dim).enumerate() {
                        let row = first + i64::from(saved.at[feature]) + t as i64;
                        if (first..last).contains(&row) {
                            let x = &batch.x[row as usize * dim..][..dim];
                            filter_row.iter_mut().zip(x).for_each(|(g, v)| *g += d * v);
                        }
                    }
                }
            });
        }
        grads
    }

    /// Probability of class 1 for each item (no dropout).
    pub fn predict<'a>(&self, items: impl Iterator<Item = &'a [f32]>) -> Vec<f64> {
        let all: Vec<&[f32]> = items.collect();
        let passes = all.chunks(256).map(|items| self.forward(&Batch::of(&self.shape, items.iter().copied()), None));
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
            w.par_iter_mut()
                .zip(g.par_iter())
                .zip(squares.par_iter_mut().zip(updates.par_iter_mut()))
                .with_min_len(4096)
                .for_each(|((w, &g), (square, update))| {
                    *square = rho * *square + (1.0 - rho) * g * g;
                    let step = ((*update + epsilon).sqrt() / (*square + epsilon).sqrt()) * g;
                    *update = rho * *update + (1.0 - rho) * step * step;
                    *w -= step;
                });
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
