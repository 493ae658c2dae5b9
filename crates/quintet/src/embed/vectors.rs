//! Numbers -> vectors, batch by batch, in memory.

use super::{Embeddings, batch};
use crate::component::{Component, PerComponent};
use crate::error::{Error, Result};
use crate::features::dataset::NONE;
use crate::features::{Dataset, Dense};
use crate::model::{Batch, Network};
use crate::progress::Progress;
use crate::train::ModelFolder;

/// Posts per pass through the network: enough to fill its matrix products, and its buffers stay small. Vectors do not
/// depend on it.
const BATCH: usize = 256;

impl Embeddings {
    /// `posts` posts without any vector.
    pub fn empty(dim: usize, posts: usize) -> Embeddings {
        Embeddings {
            dim,
            rows: PerComponent::from_fn(|_| vec![NONE; posts]),
            vectors: PerComponent::from_fn(|_| Dense::new(dim)),
        }
    }

    /// Number of posts.
    pub fn len(&self) -> usize {
        self.rows[Component::Text].len()
    }

    /// True if there is no post.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Vector of component `c` of post `post`, if it has one.
    pub fn vector(&self, c: Component, post: usize) -> Option<&[f32]> {
        match self.rows[c][post] {
            NONE => None,
            row => Some(self.vectors[c].row(row as usize)),
        }
    }

    /// Gives post `post` the vector `vector` for component `c`.
    pub fn set(&mut self, c: Component, post: usize, vector: &[f32]) {
        self.rows[c][post] = self.vectors[c].len() as u32;
        self.vectors[c].push(vector);
    }

    /// Mean of the vectors post `post` has, scaled to unit length; with one vector that vector itself, bit for bit.
    /// `None` without vectors, or where they cancel out.
    pub fn average(&self, post: usize) -> Option<Vec<f32>> {
        let present: Vec<&[f32]> = Component::ALL.into_iter().filter_map(|c| self.vector(c, post)).collect();
        if let [one] = present[..] {
            return Some(one.to_vec());
        }
        let mut sum = vec![0.0f32; self.dim];
        for vector in present {
            for (s, v) in sum.iter_mut().zip(vector) {
                *s += v;
            }
        }
        // Accumulated in f64 in index order: the same bits everywhere.
        let norm = sum.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>().sqrt();
        (norm > 1e-12).then(|| sum.iter().map(|&s| (f64::from(s) / norm) as f32).collect())
    }
}

/// Vectors of the posts `indices` of `dataset`.
pub fn embed_dataset(
    network: &Network,
    dataset: &Dataset,
    indices: &[usize],
    components: &[Component],
    neighbours: usize,
) -> Embeddings {
    let mut out = Embeddings::empty(network.dim(), indices.len());
    for (i, posts) in indices.chunks(BATCH).enumerate() {
        add(&mut out, i * BATCH, network, &batch(dataset, posts, components, neighbours));
    }
    out
}

/// As [`embed_dataset`], with progress, for work a person waits for.
///
/// # Errors
/// If the person stops the work.
pub fn embed_posts(
    model: &ModelFolder,
    dataset: &Dataset,
    indices: &[usize],
    components: &[Component],
    progress: &dyn Progress,
) -> Result<Embeddings> {
    let mut out = Embeddings::empty(model.network.dim(), indices.len());
    let task = progress.task("embed", Some(indices.len() as u64), "posts");
    for (i, posts) in indices.chunks(BATCH).enumerate() {
        if progress.interrupted() {
            return Err(Error::interrupted("stopped while embedding"));
        }
        let neighbours = model.config.location.neighbours;
        add(&mut out, i * BATCH, &model.network, &batch(dataset, posts, components, neighbours));
        task.advance(posts.len() as u64);
    }
    Ok(out)
}

/// Adds the vectors of `batch`, whose first post is post `start`.
fn add(out: &mut Embeddings, start: usize, network: &Network, batch: &Batch) {
    let vectors = network.embed(batch);
    for c in Component::ALL {
        for (i, &position) in rows(batch, c).iter().enumerate() {
            out.set(c, start + position as usize, vectors[c].row(i));
        }
    }
}

/// Batch positions of the posts that have component `c`.
fn rows(batch: &Batch, c: Component) -> &[u32] {
    match c {
        Component::Text => &batch.text.rows,
        Component::Image => &batch.image.rows,
        Component::Hashtags => &batch.hashtags.rows,
        Component::Location => &batch.location.rows,
        Component::User => &batch.user.rows,
    }
}

/// Identity of a model: a hash (32 hex digits) of its configuration and of every weight's name, shape and bits.
pub fn model_id(model: &ModelFolder) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(model.config.to_toml().as_bytes());
    for tensor in model.network.tensors() {
        hasher.update(tensor.name.as_bytes());
        for size in &tensor.shape {
            hasher.update(&(*size as u64).to_le_bytes());
        }
        for values in tensor.values.chunks(4096) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
    }
    hasher.finalize().to_hex()[..32].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_of_what_is_there() {
        let mut e = Embeddings::empty(2, 4);
        e.set(Component::Text, 0, &[1.0, 0.0]);
        e.set(Component::User, 0, &[0.0, 1.0]);
        e.set(Component::Image, 1, &[0.6, 0.8]);
        e.set(Component::Text, 2, &[1.0, 0.0]);
        e.set(Component::Image, 2, &[-1.0, 0.0]);
        let half = std::f32::consts::FRAC_1_SQRT_2;
        assert_eq!(e.average(0), Some(vec![half, half]));
        assert_eq!(e.average(1), Some(vec![0.6, 0.8]));
        assert_eq!(e.average(2), None, "opposite vectors have no direction");
        assert_eq!(e.average(3), None);
        assert_eq!(e.vector(Component::Image, 0), None);
    }
}
