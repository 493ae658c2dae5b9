//! Posts + model -> vectors, in memory and on disk.

use crate::component::PerComponent;
use crate::features::{Dataset, Dense};
use crate::model::{Batch, Network};

/// Vectors of `n` posts in memory.
#[derive(Clone, Debug, Default)]
pub struct Embeddings {
    /// Dimension of the joint space.
    pub dim: usize,
    /// Row of each post in `vectors`, or `features::dataset::NONE`, per component.
    pub rows: PerComponent<Vec<u32>>,
    /// Unit vectors `[posts that have it, dim]` per component.
    pub vectors: PerComponent<Dense>,
}

/// Batch of the posts `indices` of `dataset`, with every usable neighbour (at most `neighbours`, the first ones) per place.
pub fn batch(dataset: &Dataset, indices: &[usize], components: &[crate::Component], neighbours: usize) -> Batch {
    let _ = (dataset, indices, components, neighbours);
    todo!()
}

/// Vectors of the posts `indices` of `dataset`.
pub fn embed_dataset(
    network: &Network,
    dataset: &Dataset,
    indices: &[usize],
    components: &[crate::Component],
    neighbours: usize,
) -> Embeddings {
    let _ = (network, dataset, indices, components, neighbours);
    todo!()
}
