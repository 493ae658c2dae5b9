//! The network behind a plain interface: numbers in, unit vectors out.

use super::batch::Batch;
use crate::component::PerComponent;
use crate::config::Config;
use crate::error::Result;
use crate::features::Dense;

/// Sizes that the features decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shapes {
    /// Rows of the vocabulary.
    pub words: usize,
    /// Length of a word vector.
    pub word_dim: usize,
    /// Length of an image feature.
    pub image_dim: usize,
    /// Length of a user vector.
    pub user_dim: usize,
}

/// The joint model with its weights.
pub struct Network {}

/// A named weight, as stored in safetensors: name, shape, row-major values.
pub struct NamedTensor {
    /// Dotted name, PyTorch's where the layer has a PyTorch counterpart.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Values.
    pub values: Vec<f32>,
}

impl Network {
    /// A freshly initialised network (`vsepp.md` section 1); word embedding rows start from `word_rows` `[words, word_dim]`.
    pub fn new(config: &Config, shapes: Shapes, word_rows: &Dense) -> Network {
        let _ = (config, shapes, word_rows);
        todo!()
    }

    /// Dimension of the joint space.
    pub fn dim(&self) -> usize {
        todo!()
    }

    /// Unit vectors per component, `[rows of that component, dim]` in the order of the batch's rows.
    /// A post's vector does not depend on the rest of the batch, bit for bit.
    pub fn embed(&self, batch: &Batch) -> PerComponent<Dense> {
        let _ = batch;
        todo!()
    }

    /// All weights by name.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        todo!()
    }

    /// Replaces all weights.
    ///
    /// # Errors
    /// If a name is missing or a shape differs.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<()> {
        let _ = tensors;
        todo!()
    }
}
