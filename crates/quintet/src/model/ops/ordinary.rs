//! The hot operations written with ordinary Burn operations: for devices without our kernels, and to check the kernels.

use std::sync::Arc;

use burn::tensor::activation::{log_softmax, relu, sigmoid, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{EPSILON, GruWeights, LstmWeights, Readings, Texts, Windows};
use crate::features::Ragged;

/// See [`super::gru_last`]; equations as PyTorch states them (`vsepp.md` section 1).
pub fn gru_last(rows: Tensor<2>, texts: &Texts, weights: GruWeights) -> Tensor<2> {
    let device = rows.device();
    let hidden = weights.hidden.dims()[1];
    let tokens = texts.positions();
    let length = |text: usize| tokens.get(text).len();
    // Longest first, so that the texts still running at a step are a prefix.
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|&text| std::cmp::Reverse(length(text)));

    let from_input = linear(rows, weights.input, weights.input_bias);
    let hidden_weight = weights.hidden.transpose();
    let hidden_bias = weights.hidden_bias.unsqueeze::<2>();
    let mut state = Tensor::<2>::zeros([order.len(), hidden], &device);
    let mut finished = Vec::new();
    for step in 0..order.first().map_or(0, |&text| length(text)) {
        let before = state.dims()[0];
        let running = order.iter().take_while(|&&text| length(text) > step).count();
        if running < before {
            finished.push(state.clone().slice([running..before, 0..hidden]));
            state = state.slice([0..running, 0..hidden]);
        }
        let read = order[..running].iter().map(|&text| tokens.get(text)[step]);
        let x = from_input.clone().select(0, indices(read, &device));
        let h = state.clone().matmul(hidden_weight.clone()) + hidden_bias.clone();
        let gate = |t: &Tensor<2>, k: usize| t.clone().slice([0..running, k * hidden..(k + 1) * hidden]);
        let r = sigmoid(gate(&x, 0) + gate(&h, 0));
        let z = sigmoid(gate(&x, 1) + gate(&h, 1));
        let n = (gate(&x, 2) + r * gate(&h, 2)).tanh();
        state = n.clone() + z * (state - n);
    }
    finished.push(state);
    finished.reverse();
    let mut place = vec![0u32; order.len()];
    for (at, &text) in order.iter().enumerate() {
        place[text] = at as u32;
    }
    Tensor::cat(finished, 0).select(0, indices(place, &device))
}

/// See [`super::lstm_all`].
pub fn lstm_all(rows: Tensor<2>, readings: &Readings, weights: LstmWeights) -> Tensor<2> {
    let device = rows.device();
    let hidden = weights.hidden.dims()[1];
    let sequences = readings.steps();
    // Longest first, so that the sequences still running at a step are a prefix.
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(sequences[i].len()));

    let from_input = linear(rows, weights.input, weights.input_bias);
    let hidden_weight = weights.hidden.transpose();
    let hidden_bias = weights.hidden_bias.unsqueeze::<2>();
    let zeros = |n: usize| Tensor::<2>::zeros([n, hidden], &device);
    let (mut state, mut cell) = (zeros(order.len()), zeros(order.len()));
    // A last row of zeros stands where there is no token.
    let mut place = vec![None; readings.rows()];
    let (mut states, mut rows) = (Vec::new(), 0);
    for step in 0..order.first().map_or(0, |&i| sequences[i].len()) {
        let running = order.iter().take_while(|&&i| sequences[i].len() > step).count();
        let (h, c) = (state.slice([0..running, 0..hidden]), cell.slice([0..running, 0..hidden]));
        let x = from_input.clone().select(0, indices(order[..running].iter().map(|&i| sequences[i][step].0), &device));
        let sums = x + h.matmul(hidden_weight.clone()) + hidden_bias.clone();
        let gate = |k: usize| sums.clone().slice([0..running, k * hidden..(k + 1) * hidden]);
        cell = sigmoid(gate(1)) * c + sigmoid(gate(0)) * gate(2).tanh();
        state = sigmoid(gate(3)) * cell.clone().tanh();
        states.push(state.clone());
        for (at, &i) in order[..running].iter().enumerate() {
            place[sequences[i][step].1] = Some((rows + at) as u32);
        }
        rows += running;
    }
    states.push(zeros(1));
    Tensor::cat(states, 0).select(0, indices(place.iter().map(|row| row.unwrap_or(rows as u32)), &device))
}

/// See [`super::sliding_max`].
pub fn sliding_max(left: Tensor<2>, own: Tensor<2>, right: Tensor<2>, windows: &Windows) -> Tensor<2> {
    let (texts, length, channels) = (windows.texts(), windows.length(), own.dims()[1]);
    let (device, width) = (own.device(), windows.width());
    let own = own.select(0, indices(windows.tokens().iter().copied(), &device)).reshape([texts, length, channels]);
    let end = Tensor::<3>::zeros([texts, 1, channels], &device);
    let side = |values: Tensor<2>, from: usize| {
        values.reshape([texts, length, channels]).slice([0..texts, from..from + length - 1, 0..channels])
    };
    let sums = own + Tensor::cat(vec![end.clone(), side(left, 0)], 1) + Tensor::cat(vec![side(right, 1), end], 1);
    let sums = relu(sums);
    let shifted = (0..width).map(|k| sums.clone().slice([0..texts, k..k + windows.count(), 0..channels]));
    let stacked: Vec<Tensor<4>> = shifted.map(|values| values.unsqueeze_dim(3)).collect();
    Tensor::cat(stacked, 3).max_dim(3).reshape([texts * windows.count(), channels])
}

/// See [`super::attend_by_query`].
pub fn attend_by_query(rows: Tensor<2>, keys: Tensor<2>, query: Tensor<1>, length: usize) -> Tensor<2> {
    let [n, c] = rows.dims();
    let scores = (keys.tanh() * query.unsqueeze::<2>()).sum_dim(1).reshape([n / length, length]);
    let weights: Tensor<3> = softmax(scores, 1).unsqueeze_dim(2);
    (rows.reshape([n / length, length, c]) * weights).sum_dim(1).reshape([n / length, c])
}

/// See [`super::linear`].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    x.matmul(weight.transpose()) + bias.unsqueeze()
}

/// See [`super::similarity`].
pub fn similarity(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    a.matmul(b.transpose())
}

/// See [`super::unit_rows`]. The clamp is inside the root, where its gradient is zero, not infinite.
pub fn unit_rows(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).clamp_min(EPSILON * EPSILON).sqrt();
    x / norm
}

/// See [`super::mean_rows`].
pub fn mean_rows(x: Tensor<2>, members: &Arc<Ragged<u32>>) -> Tensor<2> {
    let (device, rows) = (x.device(), x.dims()[0]);
    let mut average = vec![0f32; members.len() * rows];
    for i in 0..members.len() {
        let list = members.get(i);
        for &member in list {
            average[i * rows + member as usize] += 1.0 / list.len() as f32;
        }
    }
    Tensor::<2>::from_data(TensorData::new(average, [members.len(), rows]), &device).matmul(x)
}

/// See [`super::attend_runs`]: one row of shares a run, softmax over a score that is far below all others outside the run.
pub fn attend_runs(rows: Tensor<2>, scores: Tensor<2>, runs: &Arc<Vec<usize>>) -> Tensor<2> {
    let (device, n, count) = (rows.device(), rows.dims()[0], runs.len() - 1);
    let mut inside = vec![0f32; count * n];
    for (run, range) in runs.windows(2).enumerate() {
        inside[run * n + range[0]..run * n + range[1]].fill(1.0);
    }
    let inside = Tensor::<2>::from_data(TensorData::new(inside, [count, n]), &device);
    let far = (inside.clone() - 1.0) * 1e9;
    // Times `inside` once more: an empty run has no score to stand out.
    let shares = softmax(scores.transpose() + far, 1) * inside;
    shares.matmul(rows)
}

/// See [`super::many_labels`].
pub fn many_labels(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, labels: &Arc<Ragged<u32>>) -> Tensor<1> {
    let (device, rows, classes) = (x.device(), labels.len(), bias.dims()[0]);
    let mut right = vec![0f32; rows * classes];
    for row in 0..rows {
        labels.get(row).iter().for_each(|&label| right[row * classes + label as usize] += 1.0 / rows as f32);
    }
    let right = Tensor::<2>::from_data(TensorData::new(right, [rows, classes]), &device);
    (log_softmax(linear(x, weight, bias), 1) * right).sum().neg()
}

/// Row numbers as a tensor on `device`.
pub fn indices(values: impl IntoIterator<Item = u32>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.into_iter().map(i64::from).collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
