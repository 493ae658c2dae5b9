//! A batch of posts as plain numbers; every component holds only the posts that have it.

use crate::component::{Component, PerComponent};

/// Token sequences of the batch, distinct ones once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequences {
    /// Distinct token sequences, none empty.
    pub tokens: crate::features::Ragged<u32>,
    /// For each present post (in the order of `rows`), the sequences whose mean is its vector (text: exactly one).
    pub members: crate::features::Ragged<u32>,
    /// Batch positions of the posts that have the component, ascending.
    pub rows: Vec<u32>,
}

/// Dense rows of the batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DenseRows {
    /// Batch positions of the posts that have the component, ascending.
    pub rows: Vec<u32>,
    /// `[rows.len(), dim]`.
    pub values: crate::features::Dense,
}

/// `size` posts. A component the model lacks, or that no post of the batch has, has no rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Number of posts B.
    pub size: usize,
    /// Text tokens.
    pub text: Sequences,
    /// Image features (unit length).
    pub image: DenseRows,
    /// Mean tag vectors.
    pub hashtags: DenseRows,
    /// Neighbour texts.
    pub location: Sequences,
    /// User vectors.
    pub user: DenseRows,
    /// Content keys per post (equal content, equal key; 0: missing), for masking of false negatives.
    pub keys: Vec<PerComponent<u64>>,
}

impl Batch {
    /// Batch positions of the posts that have component `c`, ascending.
    pub fn rows(&self, c: Component) -> &[u32] {
        match c {
            Component::Text => &self.text.rows,
            Component::Image => &self.image.rows,
            Component::Hashtags => &self.hashtags.rows,
            Component::Location => &self.location.rows,
            Component::User => &self.user.rows,
        }
    }
}
