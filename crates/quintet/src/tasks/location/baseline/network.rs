//! Deepgeo's network (Lau et al. 2017): characters of the text through two LSTMs, a window over their states, attention; radial
//! basis functions of times; the profile location by a convolution over its characters; one hidden layer, one class a place.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Int, Tensor, TensorData};
use quintet_kernels::rng::{Rng, label};

use super::reading::PLACE_LENGTH;
use crate::features::Ragged;
use crate::model::layers::{FullyConnected, Init};
use crate::model::ops::{self, Direction, LstmWeights, Readings, Windows};

/// Width of the convolution over the characters of the profile location.
const PLACE_WIDTH: usize = 3;

/// Sizes of the network; the default is the published one but for what the data decide.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sizes {
    /// Characters of texts, unknown and padding included.
    pub characters: usize,
    /// Length of a character's vector.
    pub character_dim: usize,
    /// Length of an LSTM's state.
    pub hidden: usize,
    /// Filters of the window over the states, and length of an attention key.
    pub filters: usize,
    /// Width of the sliding maximum.
    pub window: usize,
    /// Units for the time of the post, the offset from UTC, the time when the account was made.
    pub units: [usize; 3],
    /// Time zones, unknown included.
    pub zones: usize,
    /// Length of a time zone's vector.
    pub zone_dim: usize,
    /// Characters of profile locations, unknown and padding included.
    pub place_characters: usize,
    /// Length of their vectors, and filters of the convolution over them.
    pub place_dim: usize,
    /// Length of the representation.
    pub representation: usize,
    /// Classes.
    pub classes: usize,
}

impl Sizes {
    /// The published sizes.
    pub fn published(characters: usize, place_characters: usize, classes: usize) -> Sizes {
        Sizes {
            characters,
            character_dim: 200,
            hidden: 200,
            filters: 400,
            window: 10,
            units: [50, 50, 10],
            zones: 1,
            zone_dim: 50,
            place_characters,
            place_dim: 300,
            representation: 400,
            classes,
        }
    }

    /// Length of everything side by side: 860 as published.
    pub fn joined(&self) -> usize {
        self.filters + self.units.iter().sum::<usize>() + self.zone_dim + self.place_dim
    }
}

/// Posts of one padded length, ready for the network.
pub struct Batch {
    forward: Arc<Readings>,
    backward: Arc<Readings>,
    windows: Arc<Windows>,
    /// Scaled times `[posts]`: of the post, the offset from UTC, when the account was made; [`super::reading::MISSING`].
    pub times: [Vec<f32>; 3],
    /// Time zones `[posts]`.
    pub zones: Vec<u32>,
    /// Characters of profile locations `[posts * PLACE_LENGTH]`.
    pub places: Vec<u32>,
}

impl Batch {
    /// `texts` `[posts * length]`: characters, padded. Padding is read like any character, as in the authors' program.
    pub fn new(
        texts: &[u32],
        length: usize,
        window: usize,
        times: [Vec<f32>; 3],
        zones: Vec<u32>,
        places: Vec<u32>,
    ) -> Batch {
        let mut tokens = Ragged::default();
        texts.chunks(length).for_each(|text| tokens.push(text.iter().copied()));
        let forward = Readings::packed(&tokens, Direction::Forward);
        let backward = Readings::packed(&tokens, Direction::Backward);
        let row: std::collections::HashMap<u32, u32> = forward.distinct().iter().copied().zip(0..).collect();
        let windows = Windows::new(texts.iter().map(|token| row[token]).collect(), length, window);
        let (forward, backward, windows) = (Arc::new(forward), Arc::new(backward), Arc::new(windows));
        Batch { forward, backward, windows, times, zones, places }
    }

    /// Number of posts.
    pub fn len(&self) -> usize {
        self.zones.len()
    }

    /// True without posts.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }
}

/// One direction of the text's LSTM: TensorFlow's `BasicLSTMCell` in PyTorch's layout ([`quintet_kernels::lstm`]).
#[derive(Module, Debug)]
struct Lstm {
    weight_ih: Param<Tensor<2>>,
    weight_hh: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Lstm {
    /// Xavier uniform over TensorFlow's one kernel `[e + h, 4 h]`, zero bias but for the forget bias of 1.
    fn new(name: &str, e: usize, h: usize, init: &Init<'_>) -> Lstm {
        let bound = (6.0 / (e + h + 4 * h) as f64).sqrt();
        let mut bias = vec![0.0; 4 * h];
        bias[h..2 * h].fill(1.0);
        Lstm {
            weight_ih: init.uniform(&format!("{name}.weight_ih"), [4 * h, e], bound),
            weight_hh: init.uniform(&format!("{name}.weight_hh"), [4 * h, h], bound),
            bias: init.values([4 * h], bias),
        }
    }

    fn states(&self, rows: Tensor<2>, readings: &Arc<Readings>) -> Tensor<2> {
        let bias = self.bias.val();
        let hidden_bias = Tensor::zeros(bias.dims(), &bias.device().inner());
        let weights =
            LstmWeights { input: self.weight_ih.val(), hidden: self.weight_hh.val(), input_bias: bias, hidden_bias };
        ops::lstm_all(rows, readings, weights)
    }
}

/// Radial basis functions of a number: exp(-(x - centre)^2 / (2 width^2)) for each unit, centres and widths learned.
#[derive(Module, Debug)]
struct Radial {
    centres: Param<Tensor<1>>,
    widths: Param<Tensor<1>>,
}

impl Radial {
    fn new(units: usize, init: &Init<'_>) -> Radial {
        let centres = (0..units).map(|i| i as f32 / units as f32).collect();
        let width = (0.5 / units as f64).sqrt() as f32;
        Radial { centres: init.values([units], centres), widths: init.values([units], vec![width; units]) }
    }

    /// `[posts] -> [posts, units]`.
    fn forward(&self, x: &[f32]) -> Tensor<2> {
        let centres: Tensor<2> = self.centres.val().unsqueeze();
        let x = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [x.len(), 1]), &centres.device());
        let widths: Tensor<2> = self.widths.val().unsqueeze();
        ((x - centres).square() / (widths.square() * -2.0)).exp()
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Deepgeo {
    characters: Param<Tensor<2>>,
    forward: Lstm,
    backward: Lstm,
    /// The three blocks of W `[filters, ...]`: for the left state, the character, the right state.
    window_left: Param<Tensor<2>>,
    window_own: Param<Tensor<2>>,
    window_right: Param<Tensor<2>>,
    window_bias: Param<Tensor<1>>,
    keys: Param<Tensor<2>>,
    query: Param<Tensor<1>>,
    time: Radial,
    offset: Radial,
    made: Radial,
    zones: Param<Tensor<2>>,
    place_characters: Param<Tensor<2>>,
    /// `[3 * filters, place_dim]`: the filters' first taps, second, third.
    place_filters: Param<Tensor<2>>,
    place_bias: Param<Tensor<1>>,
    hidden: FullyConnected,
    output: FullyConnected,
}

impl Deepgeo {
    /// Initial weights as in the authors' program (`deepgeo.md`).
    pub fn new(sizes: &Sizes, seed: u64, device: &Device) -> Deepgeo {
        let init = Init { seed, device };
        let s = sizes;
        let table = |name: &str, rows: usize, dim: usize, range: f64| {
            init.uniform(&format!("deepgeo.{name}"), [rows, dim], range / dim as f64)
        };
        let normal =
            |name: &str, shape: [usize; 2]| init.values(shape, truncated_normal(seed, name, shape[0] * shape[1], 0.1));
        let mut rng = Rng::new(seed, &[label("weights"), label("deepgeo.query")]);
        Deepgeo {
            characters: table("characters", s.characters, s.character_dim, 0.5),
            forward: Lstm::new("deepgeo.forward", s.character_dim, s.hidden, &init),
            backward: Lstm::new("deepgeo.backward", s.character_dim, s.hidden, &init),
            window_left: normal("deepgeo.window_left", [s.filters, s.hidden]),
            window_own: normal("deepgeo.window_own", [s.filters, s.character_dim]),
            window_right: normal("deepgeo.window_right", [s.filters, s.hidden]),
            window_bias: init.values([s.filters], vec![0.0; s.filters]),
            keys: init.uniform("deepgeo.keys", [s.filters, s.filters], (3.0 / s.filters as f64).sqrt()),
            query: init.values([s.filters], (0..s.filters).map(|_| rng.f32()).collect()),
            time: Radial::new(s.units[0], &init),
            offset: Radial::new(s.units[1], &init),
            made: Radial::new(s.units[2], &init),
            zones: table("zones", s.zones, s.zone_dim, 0.05),
            place_characters: table("place_characters", s.place_characters, s.place_dim, 0.5),
            place_filters: normal("deepgeo.place_filters", [PLACE_WIDTH * s.place_dim, s.place_dim]),
            place_bias: init.values([s.place_dim], vec![0.0; s.place_dim]),
            hidden: FullyConnected::new("deepgeo.hidden", s.joined(), s.representation, &init),
            output: FullyConnected::new("deepgeo.output", s.representation, s.classes, &init),
        }
    }

    /// Log-probabilities of the classes `[posts, classes]`. `keep` `[posts, joined]` multiplies what is side by side: dropout.
    pub fn forward(&self, batch: &Batch, keep: Option<Vec<f32>>) -> Tensor<2> {
        let [time, offset, made] = &batch.times;
        let parts = vec![
            self.text(batch),
            self.time.forward(time),
            self.offset.forward(offset),
            select(self.zones.val(), &batch.zones),
            self.place(&batch.places),
            self.made.forward(made),
        ];
        let joined = Tensor::cat(parts, 1);
        let joined = match keep {
            Some(keep) => {
                let keep = Tensor::from_data(TensorData::new(keep, joined.dims()), &joined.device());
                joined * keep
            }
            None => joined,
        };
        log_softmax(self.output.forward(self.hidden.forward(joined).tanh()), 1)
    }

    /// `[posts, filters]`.
    fn text(&self, batch: &Batch) -> Tensor<2> {
        let states = |lstm: &Lstm, readings: &Arc<Readings>| {
            lstm.states(select(self.characters.val(), readings.distinct()), readings)
        };
        let filtered = |states: Tensor<2>, filters: &Param<Tensor<2>>| {
            let none = Tensor::zeros([filters.dims()[0]], &states.device().inner());
            ops::linear(states, filters.val(), none)
        };
        let left = filtered(states(&self.forward, &batch.forward), &self.window_left);
        let right = filtered(states(&self.backward, &batch.backward), &self.window_right);
        let own = select(self.characters.val(), batch.forward.distinct());
        let own = ops::linear(own, self.window_own.val(), self.window_bias.val());
        let rows = ops::sliding_max(left, own, right, &batch.windows);
        ops::attend_by_query(rows.clone(), filtered(rows, &self.keys), self.query.val(), batch.windows.count())
    }

    /// `[posts, place_dim]`: convolution over three characters, ReLU, maximum over positions. A filter's tap is applied once
    /// per character of the table.
    fn place(&self, places: &[u32]) -> Tensor<2> {
        let (posts, windows) = (places.len() / PLACE_LENGTH, PLACE_LENGTH + 1 - PLACE_WIDTH);
        let table = self.place_characters.val();
        let filters = self.place_bias.dims()[0];
        let rows = table.dims()[0];
        let none = Tensor::zeros([PLACE_WIDTH * filters], &table.device().inner());
        let taps = ops::linear(table, self.place_filters.val(), none);
        let tap = |k: usize| {
            let at = places.chunks(PLACE_LENGTH).flat_map(|place| place[k..k + windows].iter().copied());
            select(taps.clone().slice([0..rows, k * filters..(k + 1) * filters]), &at.collect::<Vec<_>>())
        };
        let sums = tap(0) + tap(1) + tap(2) + self.place_bias.val().unsqueeze();
        relu(sums).reshape([posts, windows, filters]).max_dim(1).reshape([posts, filters])
    }
}

/// Mean over the posts of minus the log-probability of their class: `log_probabilities` `[posts, classes]`, `classes` `[posts]`.
pub fn loss(log_probabilities: Tensor<2>, classes: &[u32]) -> Tensor<1> {
    let device = log_probabilities.device();
    let of: Vec<i64> = classes.iter().map(|&class| i64::from(class)).collect();
    let at = Tensor::<2, Int>::from_data(TensorData::new(of, [classes.len(), 1]), &device);
    log_probabilities.gather(1, at).mean().neg()
}

fn select(table: Tensor<2>, rows: &[u32]) -> Tensor<2> {
    let picked = ops::ordinary::indices(rows.iter().copied(), &table.device());
    table.select(0, picked)
}

/// Normal numbers of this deviation, those beyond two deviations drawn again.
fn truncated_normal(seed: u64, name: &str, count: usize, deviation: f32) -> Vec<f32> {
    let mut rng = Rng::new(seed, &[label("weights"), label(name)]);
    let mut draw = || loop {
        let x = rng.normal() as f32;
        if x.abs() < 2.0 {
            return x * deviation;
        }
    };
    (0..count).map(|_| draw()).collect()
}
