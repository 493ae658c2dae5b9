//! Token sequences prepared for a GRU: distinct tokens once, sequences packed by length.

use std::collections::BTreeMap;

use quintet_kernels::gru::Plan;

use crate::features::Ragged;

/// Texts of a batch: which embedding rows they need, and in which order they read them.
pub struct Texts {
    tokens: Ragged<u32>,
    plan: Plan,
}

impl Texts {
    /// Prepares texts, each a list of token ids; none may be empty.
    pub fn new(tokens: &Ragged<u32>) -> Texts {
        Texts { plan: Plan::new(&tokens.offsets, &tokens.values), tokens: tokens.clone() }
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True if there is no text.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Token ids, each once: the rows to gather from the embedding table.
    pub fn distinct(&self) -> &[u32] {
        self.plan.distinct()
    }

    /// How the kernels walk the texts.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The texts, every token as its position in [`Texts::distinct`].
    pub fn positions(&self) -> Ragged<u32> {
        let position: BTreeMap<u32, u32> = self.distinct().iter().copied().zip(0..).collect();
        let values = self.tokens.values.iter().map(|token| position[token]).collect();
        Ragged { offsets: self.tokens.offsets.clone(), values }
    }
}
