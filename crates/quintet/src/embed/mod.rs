//! Posts + model -> vectors, in memory and on disk.
//!
//! [`embed_corpus`] writes a file with a vector per component and post; [`read`] reads it back ([`table`] documents its
//! columns). [`embed_dataset`] and [`embed_posts`] stay in memory, for validation and evaluation. A post's vectors depend
//! on the post and the model only, not on its batch or chunk.

use serde::{Deserialize, Serialize};

use crate::component::PerComponent;
use crate::features::Dense;

pub mod corpus;
pub mod numpy;
pub mod table;

mod parts;
#[cfg(test)]
mod tests;
mod vectors;

pub use crate::train::batches::inference as batch;
pub use corpus::{Options, Summary, embed_corpus};
pub use table::{Embedded, Meta, read};
pub use vectors::{embed_dataset, embed_posts, model_id};

/// Vectors of `n` posts in memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Embeddings {
    /// Dimension of the joint space.
    pub dim: usize,
    /// Row of each post in `vectors`, or `features::dataset::NONE`, per component.
    pub rows: PerComponent<Vec<u32>>,
    /// Unit vectors `[posts that have it, dim]` per component.
    pub vectors: PerComponent<Dense>,
}
