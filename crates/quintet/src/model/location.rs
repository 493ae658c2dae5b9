//! Location branch: an own copy of the text branch over texts of other posts from the same place, averaged.

use burn::module::Module;

use super::batch::Sequences;
use super::layers::Init;
use super::text::{TextBranch, TextPass};
use crate::config::Model;
use crate::features::Dense;

/// "Word embedding layers" and "GRUs" are plural in the paper: nothing is shared with the text branch.
#[derive(Module, Debug)]
pub struct LocationBranch {
    texts: TextBranch,
}

impl LocationBranch {
    /// `name` is the branch's place in the module, from which its weights are drawn.
    pub fn new(name: &str, word_rows: &Dense, model: &Model, init: &Init<'_>) -> Self {
        LocationBranch { texts: TextBranch::new(&format!("{name}.texts"), word_rows, model, init) }
    }

    /// Mean of the last states of each post's neighbour texts, then unit length.
    pub fn forward(&self, neighbours: &Sequences) -> TextPass {
        self.texts.forward(neighbours)
    }
}
