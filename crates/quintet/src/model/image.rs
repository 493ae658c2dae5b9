//! Image branch: encoder features of unit length -> fully connected layer -> unit vector.

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::{FullyConnected, Init};
use super::ops;

/// The encoder is frozen; only the layer is learned.
#[derive(Module, Debug)]
pub struct ImageBranch {
    fc: FullyConnected,
}

impl ImageBranch {
    /// `name` is the branch's place in the module, from which its weights are drawn.
    pub fn new(name: &str, inputs: usize, dim: usize, init: &Init<'_>) -> Self {
        ImageBranch { fc: FullyConnected::new(&format!("{name}.fc"), inputs, dim, init) }
    }

    /// Features `[n, image_dim]` -> unit vectors `[n, dim]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::unit_rows(self.fc.forward(x))
    }
}
