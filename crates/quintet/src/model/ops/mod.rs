//! The hot operations: on the CPU our own kernels with their own backward pass, elsewhere ordinary Burn operations.
//!
//! The choice is made at run time by the device of the input. [`ordinary`] runs on every device, the CPU included, so
//! that a test can hold both against each other.

mod card;
mod custom;
mod gru;
mod linear;
mod lstm;
mod many_labels;
pub mod ordinary;
mod rows;
mod runs;
mod texts;
mod windows;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

pub use lstm::Readings;
pub use quintet_kernels::lstm::Direction;
pub use texts::Texts;
pub use windows::Windows;

use crate::config::Precision;
use crate::features::Ragged;

/// Whether tensors of `device` go through our own kernels.
pub fn has_kernels(device: &Device) -> bool {
    custom::is_flex(device)
}

/// Weights of a GRU in PyTorch's layout (gate order r, z, n; two biases).
#[derive(Clone, Debug)]
pub struct GruWeights {
    /// `[3 * hidden, input]`.
    pub input: Tensor<2>,
    /// `[3 * hidden, hidden]`.
    pub hidden: Tensor<2>,
    /// `[3 * hidden]`.
    pub input_bias: Tensor<1>,
    /// `[3 * hidden]`.
    pub hidden_bias: Tensor<1>,
    /// Of the factors of products; ordinary operations compute in the precision of their device.
    pub precision: Precision,
}

/// Last state of a one-layer GRU from a zero state, for every text.
///
/// `rows`: one input row per distinct token of `texts`, `[texts.distinct().len(), input]`.
/// Returns `[texts, hidden]`.
pub fn gru_last(rows: Tensor<2>, texts: &Arc<Texts>, weights: GruWeights) -> Tensor<2> {
    if has_kernels(&rows.device()) { gru::gru_last(rows, texts, weights) } else { card::gru_last(rows, texts, weights) }
}

/// Weights of an LSTM in PyTorch's layout (gate order i, f, g, o; two biases).
#[derive(Clone, Debug)]
pub struct LstmWeights {
    /// `[4 * hidden, input]`.
    pub input: Tensor<2>,
    /// `[4 * hidden, hidden]`.
    pub hidden: Tensor<2>,
    /// `[4 * hidden]`.
    pub input_bias: Tensor<1>,
    /// `[4 * hidden]`.
    pub hidden_bias: Tensor<1>,
}

/// States of a one-layer LSTM after every token of every sequence, from a zero state.
///
/// `rows`: one input row per distinct token, `[readings.distinct().len(), input]`.
/// Returns `[readings.rows(), hidden]`.
pub fn lstm_all(rows: Tensor<2>, readings: &Arc<Readings>, weights: LstmWeights) -> Tensor<2> {
    if has_kernels(&rows.device()) {
        lstm::lstm_all(rows, readings, weights)
    } else {
        ordinary::lstm_all(rows, readings, weights)
    }
}

/// A convolution over three neighbours, ReLU, and the largest value in a sliding window, channel by channel.
///
/// The convolution is the sum of what the left neighbour's state adds, `left` `[texts * length, channels]`, what the token
/// itself adds, `own` `[rows, channels]` by the tokens of `windows`, and what the right neighbour's state adds, `right`.
/// Returns `[texts * windows.count(), channels]`.
pub fn sliding_max(left: Tensor<2>, own: Tensor<2>, right: Tensor<2>, windows: &Arc<Windows>) -> Tensor<2> {
    if has_kernels(&own.device()) {
        windows::sliding_max(left, own, right, windows)
    } else {
        ordinary::sliding_max(left, own, right, windows)
    }
}

/// Mean of the rows of each text, weighted by a softmax over `query . tanh(key)`: rows `[texts * length, c]`, keys
/// `[texts * length, d]`, query `[d]`; returns `[texts, c]`.
pub fn attend_by_query(rows: Tensor<2>, keys: Tensor<2>, query: Tensor<1>, length: usize) -> Tensor<2> {
    if has_kernels(&rows.device()) {
        windows::attend_by_query(rows, keys, query, length)
    } else {
        ordinary::attend_by_query(rows, keys, query, length)
    }
}

/// `x wᵀ + b`: x `[n, inputs]`, w `[outputs, inputs]`, b `[outputs]`; returns `[n, outputs]`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    if has_kernels(&x.device()) { linear::linear(x, weight, bias) } else { ordinary::linear(x, weight, bias) }
}

/// Dot products of all pairs of rows: a `[n, dim]`, b `[m, dim]`; returns `[n, m]`.
pub fn similarity(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    if has_kernels(&a.device()) { linear::similarity(a, b) } else { ordinary::similarity(a, b) }
}

/// Rows divided by their L2 norm (by [`EPSILON`] where the norm is smaller, so that a zero row stays zero; such a row has
/// gradient zero, as its direction is undefined).
pub fn unit_rows(x: Tensor<2>) -> Tensor<2> {
    if has_kernels(&x.device()) { rows::unit_rows(x) } else { ordinary::unit_rows(x) }
}

/// Mean of the rows that each list names: x `[n, dim]`; returns `[members.len(), dim]`. No list may be empty.
pub fn mean_rows(x: Tensor<2>, members: &Arc<Ragged<u32>>) -> Tensor<2> {
    if has_kernels(&x.device()) { rows::mean_rows(x, members) } else { ordinary::mean_rows(x, members) }
}

/// Attention within runs of rows: the rows of run `i` are `runs[i]..runs[i + 1]`, and their sum is weighted by the softmax of
/// their scores. rows `[n, dim]`, scores `[n, 1]`; returns `[runs, dim]`. A run without rows gives zeros.
///
/// # Panics
/// If the last of `runs` is not n.
pub fn attend_runs(rows: Tensor<2>, scores: Tensor<2>, runs: &Arc<Vec<usize>>) -> Tensor<2> {
    assert_eq!(runs.last(), Some(&rows.dims()[0]), "the runs cover all rows");
    if has_kernels(&rows.device()) {
        runs::attend_runs(rows, scores, runs)
    } else {
        ordinary::attend_runs(rows, scores, runs)
    }
}

/// Loss of a softmax over classes where row `i` of x has the right classes `labels.get(i)`: the mean over rows of the sum of
/// -log p over its labels. x `[n, inputs]`, w `[classes, inputs]`, b `[classes]`; returns `[1]`.
pub fn many_labels(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, labels: &Arc<Ragged<u32>>) -> Tensor<1> {
    if has_kernels(&x.device()) {
        many_labels::many_labels(x, weight, bias, labels)
    } else {
        ordinary::many_labels(x, weight, bias, labels)
    }
}

/// Smallest norm that a row is divided by (VSE++ has none and gives NaN on a zero row).
pub const EPSILON: f64 = quintet_kernels::norm::EPS;

#[cfg(test)]
mod tests {
    //! Kernels against ordinary operations, on the same device and input.
    use super::*;
    use crate::model::params::values;
    use burn::tensor::{Distribution, TensorData};
    use quintet_kernels::rng::Rng;

    fn device() -> Device {
        Device::flex().autodiff()
    }

    fn random<const D: usize>(rng: &mut Rng, shape: [usize; D]) -> Tensor<D> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.uniform(-1.0, 1.0)).collect();
        Tensor::from_data(TensorData::new(values, shape), &device()).require_grad()
    }

    fn assert_close(name: &str, a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len(), "{name}");
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let off = norm(&mut a.iter().zip(b).map(|(x, y)| x - y)) / norm(&mut b.iter().copied());
        assert!(off < 1e-6, "{name} differs by {off:e}");
    }

    /// Values and gradients of `f` and `g` agree, with a random weight on every output so that none is symmetric.
    fn same<const N: usize>(
        inputs: [Tensor<2>; N],
        f: impl Fn([Tensor<2>; N]) -> Tensor<2>,
        g: impl Fn([Tensor<2>; N]) -> Tensor<2>,
    ) {
        let weights = Tensor::<2>::random(f(inputs.clone()).dims(), Distribution::Default, &device());
        let run = |y: Tensor<2>| {
            let gradients = (y.clone() * weights.clone()).sum().backward();
            let of = inputs.each_ref().map(|x| values(x.grad(&gradients).expect("tracked")));
            (values(y.inner()), of)
        };
        let ((y, dy), (z, dz)) = (run(f(inputs.clone())), run(g(inputs.clone())));
        assert_close("value", &y, &z);
        for (i, (a, b)) in dy.iter().zip(&dz).enumerate() {
            assert_close(&format!("gradient of input {i}"), a, b);
        }
    }

    fn bias(row: Tensor<2>) -> Tensor<1> {
        row.squeeze_dim(0)
    }

    #[test]
    fn gru_agrees() {
        let mut rng = Rng::new(1, &[]);
        let mut tokens = Ragged::default();
        for text in 0..13usize {
            tokens.push((0..1 + text * 5 % 9).map(|t| (text * text * 31 + t * 17) as u32 % 40));
        }
        let texts = Arc::new(Texts::new(&tokens));
        let (e, h) = (12, 20);
        let shapes = [[texts.distinct().len(), e], [3 * h, e], [3 * h, h], [1, 3 * h], [1, 3 * h]];
        let inputs = shapes.map(|shape| random(&mut rng, shape));
        let weights = |[_, w, u, bw, bu]: [Tensor<2>; 5]| GruWeights {
            input: w,
            hidden: u,
            input_bias: bias(bw),
            hidden_bias: bias(bu),
            precision: Precision::F32,
        };
        let plain = |x: [Tensor<2>; 5]| ordinary::gru_last(x[0].clone(), &texts, weights(x));
        same(inputs.clone(), |x| gru_last(x[0].clone(), &texts, weights(x)), plain);
        same(inputs, |x| card::gru_last(x[0].clone(), &texts, weights(x)), plain);
    }

    #[test]
    fn lstm_agrees() {
        let mut rng = Rng::new(4, &[]);
        let mut tokens = Ragged::default();
        for text in 0..11usize {
            tokens.push((0..text * 5 % 9).map(|t| (text * text * 31 + t * 17) as u32 % 40));
        }
        let (e, h) = (12, 20);
        for direction in [Direction::Forward, Direction::Backward] {
            for readings in [Readings::packed(&tokens, direction), Readings::padded(&tokens, direction, 10)] {
                let readings = Arc::new(readings);
                let shapes = [[readings.distinct().len(), e], [4 * h, e], [4 * h, h], [1, 4 * h], [1, 4 * h]];
                let inputs = shapes.map(|shape| random(&mut rng, shape));
                let weights = |[_, w, u, bw, bu]: [Tensor<2>; 5]| LstmWeights {
                    input: w,
                    hidden: u,
                    input_bias: bias(bw),
                    hidden_bias: bias(bu),
                };
                same(
                    inputs,
                    |x| lstm_all(x[0].clone(), &readings, weights(x)),
                    |x| ordinary::lstm_all(x[0].clone(), &readings, weights(x)),
                );
            }
        }
    }

    #[test]
    fn windows_and_attention_agree() {
        let mut rng = Rng::new(5, &[]);
        let (texts, length, channels) = (3, 14, 21);
        let tokens = (0..texts * length).map(|i| (i * i % 5) as u32).collect();
        let windows = Arc::new(Windows::new(tokens, length, 4));
        let inputs = [[texts * length, channels], [5, channels], [texts * length, channels]];
        same(
            inputs.map(|shape| random(&mut rng, shape)),
            |[l, o, r]| sliding_max(l, o, r, &windows),
            |[l, o, r]| ordinary::sliding_max(l, o, r, &windows),
        );
        let inputs = [[texts * length, channels], [texts * length, 8], [1, 8]];
        same(
            inputs.map(|shape| random(&mut rng, shape)),
            |[x, k, q]| attend_by_query(x, k, bias(q), length),
            |[x, k, q]| ordinary::attend_by_query(x, k, bias(q), length),
        );
    }

    #[test]
    fn linear_and_similarity_agree() {
        let mut rng = Rng::new(2, &[]);
        let inputs = [[7, 33], [18, 33], [1, 18]].map(|shape| random(&mut rng, shape));
        same(inputs, |[x, w, b]| linear(x, w, bias(b)), |[x, w, b]| ordinary::linear(x, w, bias(b)));
        let inputs = [[7, 33], [9, 33]].map(|shape| random(&mut rng, shape));
        same(inputs, |[a, b]| similarity(a, b), |[a, b]| ordinary::similarity(a, b));
    }

    #[test]
    fn row_operations_agree() {
        let mut rng = Rng::new(3, &[]);
        let x = || [random(&mut Rng::new(3, &[]), [6, 21])];
        same(x(), |[x]| unit_rows(x), |[x]| ordinary::unit_rows(x));
        let mut members = Ragged::default();
        for list in [vec![0u32], vec![5, 1, 1], vec![2, 0, 4, 5]] {
            members.push(list);
        }
        let members = Arc::new(members);
        same([random(&mut rng, [6, 21])], |[x]| mean_rows(x, &members), |[x]| ordinary::mean_rows(x, &members));
    }

    #[test]
    fn attention_and_labels_agree() {
        let mut rng = Rng::new(4, &[]);
        let runs = Arc::new(vec![0, 3, 3, 4, 9]);
        let inputs = [[9, 5], [9, 1]].map(|shape| random(&mut rng, shape));
        same(inputs, |[x, s]| attend_runs(x, s * 3.0, &runs), |[x, s]| ordinary::attend_runs(x, s * 3.0, &runs));
        let mut labels = Ragged::default();
        for list in [vec![2u32], vec![], vec![0, 10, 2], vec![7, 1]] {
            labels.push(list);
        }
        let labels = Arc::new(labels);
        let inputs = [[4, 5], [11, 5], [1, 11]].map(|shape| random(&mut rng, shape));
        same(
            inputs,
            |[x, w, b]| many_labels(x, w, bias(b), &labels).unsqueeze(),
            |[x, w, b]| ordinary::many_labels(x, w, bias(b), &labels).unsqueeze(),
        );
    }

    #[test]
    fn a_zero_row_stays_zero_with_a_finite_gradient() {
        let x = Tensor::<2>::zeros([2, 5], &device()).require_grad();
        for y in [unit_rows(x.clone()), ordinary::unit_rows(x.clone())] {
            let gradients = (y.clone() * 0.0).sum().backward();
            assert!(values(y.inner()).iter().all(|&v| v == 0.0));
            assert!(values(x.grad(&gradients).expect("tracked")).iter().all(|v| v.is_finite()));
        }
    }
}
