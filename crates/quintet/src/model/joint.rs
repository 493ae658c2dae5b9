//! The joint model: the branches that the configuration asks for, and the learned numbers of the losses.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::{Batch, DenseRows, Sequences};
use super::hashtags::HashtagsBranch;
use super::image::ImageBranch;
use super::layers::Init;
use super::location::LocationBranch;
use super::network::Shapes;
use super::ops::Texts;
use super::text::{TextBranch, TextPass};
use super::user::UserBranch;
use crate::component::{Component, PerComponent};
use crate::config::Config;
use crate::features::Dense;

/// All weights. A component that the configuration leaves out has no branch.
#[derive(Module, Debug)]
pub struct Joint {
    text: Option<TextBranch>,
    image: Option<ImageBranch>,
    hashtags: Option<HashtagsBranch>,
    location: Option<LocationBranch>,
    user: Option<UserBranch>,
    loss: LossScale,
}

/// What InfoNCE and SigLIP learn besides the branches; the hinge losses leave it alone.
#[derive(Module, Debug)]
pub struct LossScale {
    /// Logarithm of the factor on the cosines (1 / temperature).
    pub log_scale: Param<Tensor<1>>,
    /// SigLIP's bias on every pair.
    pub bias: Param<Tensor<1>>,
}

/// Embedding rows of a table that a pass read.
pub struct ReadRows {
    /// The rows `[distinct tokens, word_dim]`, a leaf of the graph in training.
    pub rows: Tensor<2>,
    /// Which rows of the table they are: `texts.distinct()`.
    pub texts: Arc<Texts>,
}

/// What a pass over a batch computes.
pub struct Pass {
    /// Unit vectors `[rows of the component, dim]`; `None` where the model or the whole batch lacks the component.
    pub vectors: PerComponent<Option<Tensor<2>>>,
    /// Rows read from the embedding tables of text and location.
    pub read: PerComponent<Option<ReadRows>>,
}

impl Joint {
    /// Fresh weights (`vsepp.md` section 1) for the components of `config`.
    pub fn new(config: &Config, shapes: Shapes, word_rows: &Dense, device: &Device) -> Self {
        let init = Init { seed: config.seed, device };
        let dim = config.model.dim;
        let has = |c| config.has(c);
        Joint {
            text: has(Component::Text).then(|| TextBranch::new("text", word_rows, &config.model, &init)),
            image: has(Component::Image).then(|| ImageBranch::new("image", shapes.image_dim, dim, &init)),
            hashtags: has(Component::Hashtags).then(|| HashtagsBranch::new("hashtags", shapes.word_dim, dim, &init)),
            location: has(Component::Location)
                .then(|| LocationBranch::new("location", word_rows, &config.model, &init)),
            user: has(Component::User).then(|| UserBranch::new("user", shapes.user_dim, dim, &init)),
            loss: LossScale { log_scale: init.scalar(-config.loss.temperature.ln() as f32), bias: init.scalar(-10.0) },
        }
    }

    /// A module without a branch, to stand where a module was moved out.
    pub fn hollow(device: &Device) -> Self {
        let init = Init { seed: 0, device };
        let loss = LossScale { log_scale: init.scalar(0.0), bias: init.scalar(0.0) };
        Joint { text: None, image: None, hashtags: None, location: None, user: None, loss }
    }

    /// Components that the model has.
    pub fn components(&self) -> PerComponent<bool> {
        PerComponent([
            self.text.is_some(),
            self.image.is_some(),
            self.hashtags.is_some(),
            self.location.is_some(),
            self.user.is_some(),
        ])
    }

    /// The learned numbers of the losses.
    pub fn loss_scale(&self) -> &LossScale {
        &self.loss
    }

    /// All branches on one batch.
    pub fn forward(&self, batch: &Batch, device: &Device) -> Pass {
        let dense = |rows: &DenseRows| {
            let shape = [rows.values.len(), rows.values.dim];
            Tensor::<2>::from_data(TensorData::new(rows.values.values.clone(), shape), device)
        };
        let text = self.text.as_ref().filter(|_| has_texts(&batch.text)).map(|b| b.forward(&batch.text));
        let location =
            self.location.as_ref().filter(|_| has_texts(&batch.location)).map(|b| b.forward(&batch.location));
        let image = self.image.as_ref().filter(|_| has_rows(&batch.image)).map(|b| b.forward(dense(&batch.image)));
        let hashtags =
            self.hashtags.as_ref().filter(|_| has_rows(&batch.hashtags)).map(|b| b.forward(dense(&batch.hashtags)));
        let user = self.user.as_ref().filter(|_| has_rows(&batch.user)).map(|b| b.forward(dense(&batch.user)));

        let split = |pass: Option<TextPass>| match pass {
            Some(TextPass { vectors, rows, texts }) => (Some(vectors), Some(ReadRows { rows, texts })),
            None => (None, None),
        };
        let ((text, text_rows), (location, location_rows)) = (split(text), split(location));
        Pass {
            vectors: PerComponent([text, image, hashtags, location, user]),
            read: PerComponent([text_rows, None, None, location_rows, None]),
        }
    }
}

fn has_texts(sequences: &Sequences) -> bool {
    !sequences.rows.is_empty()
}

fn has_rows(rows: &DenseRows) -> bool {
    !rows.rows.is_empty()
}
