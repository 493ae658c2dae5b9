//! The Co-Attention network (Zhang et al. 2017; `coattention.md`): an LSTM's states and an image's regions, each attended
//! to under the guidance of the other, summed, into a softmax over tags.
//!
//! The scores' biases are left out: the softmax over regions or words cancels them. A post without an image has an image
//! vector of zeros, one without words a text vector of zeros, so both are this network with one sum less.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::settings::{Guide, Settings};
use crate::features::{Dense, Ragged};
use crate::model::layers::{FullyConnected, Init, Lstm, WordTable};
use crate::model::ops::{self, Direction, Readings, ordinary::indices};

/// All weights.
#[derive(Module, Debug)]
pub struct CoAttention {
    embedding: WordTable,
    lstm: Lstm,
    image: Option<ImageSide>,
    /// Attention over words, guided by the image where there are images.
    text: Attention,
    output: FullyConnected,
}

/// What only a network with images has.
#[derive(Module, Debug)]
struct ImageSide {
    /// `[d, length of a region]`, no bias.
    regions: Param<Tensor<2>>,
    /// Attention over regions, guided by the text.
    attention: Attention,
}

/// Scores of rows `[n, d]` under a guide `[posts, d]`.
#[derive(Module, Debug)]
struct Attention {
    /// `[k, d]`.
    rows: Param<Tensor<2>>,
    /// `[k, d]`; none where nothing can guide.
    guide: Option<Param<Tensor<2>>>,
    /// `[1, k]`, or `[1, 2 k]` where the guide is concatenated.
    score: Param<Tensor<2>>,
    /// Whether the guide is concatenated rather than added.
    concatenated: bool,
}

/// Posts as the network reads them.
pub struct Batch {
    posts: usize,
    readings: Arc<Readings>,
    /// First token of each post, and the end.
    words: Arc<Vec<usize>>,
    /// `[regions of all posts, length]`.
    regions: Dense,
    /// First region of each post, and the end.
    images: Arc<Vec<usize>>,
}

impl Batch {
    /// `tokens`: words of each post, may be empty. `regions` `[regions, length]` of post after post, `images` where each
    /// post's begin, and the end.
    pub fn new(tokens: &Ragged<u32>, regions: Dense, images: Vec<usize>) -> Batch {
        Batch {
            posts: tokens.len(),
            readings: Arc::new(Readings::packed(tokens, Direction::Forward)),
            words: Arc::new(tokens.offsets.clone()),
            regions,
            images: Arc::new(images),
        }
    }
}

/// What a pass computes.
pub struct Pass {
    /// f `[posts, d]`, dropout applied.
    pub features: Tensor<2>,
    /// The rows of the embedding table that were read, a leaf of the graph in training; none without a word.
    pub read: Option<(Tensor<2>, Vec<u32>)>,
}

impl CoAttention {
    /// Fresh weights; word rows start from `word_rows`, `region` is the length of a region (`None`: text only).
    pub fn new(word_rows: &Dense, region: Option<usize>, classes: usize, settings: &Settings, device: &Device) -> Self {
        let init = Init { seed: settings.seed, device };
        let d = settings.dim;
        let image = region.map(|length| ImageSide {
            regions: init.xavier("regions", [d, length]),
            attention: Attention::new("image", true, settings, &init),
        });
        CoAttention {
            embedding: WordTable::new(word_rows, &init),
            lstm: Lstm::new("lstm", word_rows.dim, d, &init),
            text: Attention::new("text", image.is_some(), settings, &init),
            image,
            output: FullyConnected::new("output", d, classes, &init),
        }
    }

    /// A network without weights to speak of, to stand where one was moved out.
    pub fn hollow(device: &Device) -> Self {
        let rows = Dense { dim: 1, values: vec![0.0] };
        CoAttention::new(&rows, None, 1, &Settings { dim: 1, attention: 1, ..Settings::default() }, device)
    }

    /// The features of a batch; `dropout` `[posts, d]` is multiplied to them.
    pub fn forward(&self, batch: &Batch, dropout: Option<Vec<f32>>, device: &Device) -> Pass {
        let distinct = batch.readings.distinct();
        let read = (!distinct.is_empty()).then(|| self.embedding.rows(distinct));
        let states = read.as_ref().map(|rows| self.lstm.forward(rows.clone(), &batch.readings));
        let regions = self.image.as_ref().filter(|_| !batch.regions.is_empty()).map(|image| {
            let shape = [batch.regions.len(), batch.regions.dim];
            let regions = Tensor::<2>::from_data(TensorData::new(batch.regions.values.clone(), shape), device);
            (ops::similarity(regions, image.regions.val()).tanh(), &image.attention)
        });

        let mean = states.as_ref().map(|states| {
            let equal = Tensor::<2>::zeros([states.dims()[0], 1], device);
            ops::attend_runs(states.clone(), equal, &batch.words)
        });
        let image = regions.map(|(regions, attention)| attention.attend(regions, &batch.images, mean));
        let text = states.map(|states| self.text.attend(states, &batch.words, image.clone()));
        let features = match (text, image) {
            (Some(text), Some(image)) => text + image,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Tensor::zeros([batch.posts, self.output.inputs()], device),
        };
        let features = match dropout {
            Some(mask) => {
                let shape = features.dims();
                features * Tensor::<2>::from_data(TensorData::new(mask, shape), device)
            }
            None => features,
        };
        Pass { features, read: read.map(|rows| (rows, distinct.to_vec())) }
    }

    /// Loss of features `[posts, d]`: the mean over posts of the sum over their tags of -log p.
    pub fn loss(&self, features: Tensor<2>, tags: &Arc<Ragged<u32>>) -> Tensor<1> {
        ops::many_labels(features, self.output.weight(), self.output.bias(), tags)
    }

    /// Weight `[classes, d]` and bias `[classes]` of the softmax.
    pub fn output(&self) -> (Tensor<2>, Tensor<1>) {
        (self.output.weight(), self.output.bias())
    }
}

impl Attention {
    fn new(name: &str, guided: bool, settings: &Settings, init: &Init<'_>) -> Self {
        let (d, k) = (settings.dim, settings.attention);
        let concatenated = guided && settings.guide == Guide::Concatenate;
        Attention {
            rows: init.xavier(&format!("{name}.rows"), [k, d]),
            guide: guided.then(|| init.xavier(&format!("{name}.guide"), [k, d])),
            score: init.xavier(&format!("{name}.score"), [1, if concatenated { 2 * k } else { k }]),
            concatenated,
        }
    }

    /// The attended sum of each post's rows `[posts, d]`.
    fn attend(&self, rows: Tensor<2>, runs: &Arc<Vec<usize>>, guide: Option<Tensor<2>>) -> Tensor<2> {
        let device = rows.device();
        let own = ops::similarity(rows.clone(), self.rows.val());
        // Without a guide in this batch its vector is zero, and so is its part of the sum.
        let guide = guide.zip(self.guide.as_ref()).map(|(guide, weight)| {
            let owners = runs.windows(2).zip(0u32..).flat_map(|(run, post)| std::iter::repeat_n(post, run[1] - run[0]));
            ops::similarity(guide, weight.val()).select(0, indices(owners, &device))
        });
        let hidden = match (guide, self.concatenated) {
            (Some(guide), false) => (own + guide).tanh(),
            (None, false) => own.tanh(),
            (guide, true) => {
                let guide = guide.unwrap_or_else(|| own.zeros_like());
                Tensor::cat(vec![own.tanh(), guide.tanh()], 1)
            }
        };
        ops::attend_runs(rows, ops::similarity(hidden, self.score.val()), runs)
    }
}
