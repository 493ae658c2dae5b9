//! User branch: vector of the author in the mention graph -> fully connected layer -> unit vector.

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::{FullyConnected, Init};
use super::ops;

/// The graph's vectors stay as they are; only the layer is learned.
#[derive(Module, Debug)]
pub struct UserBranch {
    fc: FullyConnected,
}

impl UserBranch {
    /// `name` is the branch's place in the module, from which its weights are drawn.
    pub fn new(name: &str, inputs: usize, dim: usize, init: &Init<'_>) -> Self {
        UserBranch { fc: FullyConnected::new(&format!("{name}.fc"), inputs, dim, init) }
    }

    /// User vectors `[n, user_dim]` -> unit vectors `[n, dim]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::unit_rows(self.fc.forward(x))
    }
}
