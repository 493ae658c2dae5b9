//! Text branch: embedding rows of the words -> GRU, last state (and, if wanted, a bag of words) -> unit vector.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;

use super::batch::Sequences;
use super::layers::{FullyConnected, Gru, Init, WordTable};
use super::ops::{self, Texts};
use crate::config::Model;
use crate::features::Dense;

/// The GRU's hidden size is the joint dimension: no layer follows it (VSE++).
#[derive(Module, Debug)]
pub struct TextBranch {
    embedding: WordTable,
    gru: Gru,
    /// What the mean of a text's words adds to the GRU's last state (`model.bag_of_words`).
    bag: Option<FullyConnected>,
}

/// What a text branch computes in one pass.
pub struct TextPass {
    /// Unit vectors `[posts that have the component, dim]`.
    pub vectors: Tensor<2>,
    /// The embedding rows that were read `[distinct tokens, word_dim]`, as a leaf in training.
    pub rows: Tensor<2>,
    /// Which rows of the table they are.
    pub texts: Arc<Texts>,
}

impl TextBranch {
    /// `name` is the branch's place in the module, from which its weights are drawn.
    pub fn new(name: &str, word_rows: &Dense, model: &Model, init: &Init<'_>) -> Self {
        TextBranch {
            embedding: WordTable::new(word_rows, init),
            gru: Gru::new(&format!("{name}.gru"), word_rows.dim, model.dim, model.precision, init),
            bag: model
                .bag_of_words
                .then(|| FullyConnected::new(&format!("{name}.bag"), word_rows.dim, model.dim, init)),
        }
    }

    /// Each distinct text once through the GRU (and the bag), the mean over each post's texts, unit length.
    pub fn forward(&self, sequences: &Sequences) -> TextPass {
        let texts = Arc::new(Texts::new(&sequences.tokens));
        let rows = self.embedding.gather(&texts);
        let mut states = self.gru.forward(rows.clone(), &texts);
        if let Some(bag) = &self.bag {
            states = states + bag.forward(ops::mean_rows(rows.clone(), &Arc::new(texts.positions())));
        }
        let means = ops::mean_rows(states, &Arc::new(sequences.members.clone()));
        TextPass { vectors: ops::unit_rows(means), rows, texts }
    }
}
