//! Hashtag branch: mean word vector of the tags -> fully connected layer -> unit vector.

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::{FullyConnected, Init};
use super::ops;

/// The word vectors behind the mean stay as they are; only the layer is learned.
#[derive(Module, Debug)]
pub struct HashtagsBranch {
    fc: FullyConnected,
}

impl HashtagsBranch {
    /// `name` is the branch's place in the module, from which its weights are drawn.
    pub fn new(name: &str, inputs: usize, dim: usize, init: &Init<'_>) -> Self {
        HashtagsBranch { fc: FullyConnected::new(&format!("{name}.fc"), inputs, dim, init) }
    }

    /// Mean tag vectors `[n, word_dim]` -> unit vectors `[n, dim]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::unit_rows(self.fc.forward(x))
    }
}
