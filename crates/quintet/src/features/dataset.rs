//! The numbers of many posts, before the network: what training draws batches from and `embed` feeds in chunks.

use serde::{Deserialize, Serialize};

use crate::component::PerComponent;
use crate::posts::Part;

/// What became of a component of a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// The post does not have it.
    #[default]
    Missing = 0,
    /// Used.
    Present = 1,
    /// Used, by way of a stand-in: neighbours of an unknown author, the name of an unknown place.
    Inferred = 2,
    /// The post has it but nothing is known about it: an author or place never seen in training.
    Unseen = 3,
    /// The post has it but it cannot be read: a broken image.
    Broken = 4,
}

impl Status {
    /// Whether the component goes into the network.
    pub fn used(self) -> bool {
        matches!(self, Status::Present | Status::Inferred)
    }

    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Status::Missing => "missing",
            Status::Present => "present",
            Status::Inferred => "inferred",
            Status::Unseen => "unseen",
            Status::Broken => "broken",
        }
    }
}

/// Lists of different length in one buffer: list `i` is `values[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ragged<T> {
    /// `offsets.len() == number of lists + 1`, first 0.
    pub offsets: Vec<usize>,
    /// All lists, one after another.
    pub values: Vec<T>,
}

impl<T> Default for Ragged<T> {
    fn default() -> Self {
        Ragged { offsets: vec![0], values: Vec::new() }
    }
}

impl<T> Ragged<T> {
    /// Number of lists.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True if there is no list.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// List `i`.
    pub fn get(&self, i: usize) -> &[T] {
        &self.values[self.offsets[i]..self.offsets[i + 1]]
    }

    /// Appends a list.
    pub fn push(&mut self, list: impl IntoIterator<Item = T>) {
        self.values.extend(list);
        self.offsets.push(self.values.len());
    }
}

/// Rows of equal length in one buffer: `[rows, dim]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// Length of a row.
    pub dim: usize,
    /// All rows, one after another.
    pub values: Vec<f32>,
}

impl Dense {
    /// An empty matrix of rows of length `dim`.
    pub fn new(dim: usize) -> Self {
        Dense { dim, values: Vec::new() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.dim).unwrap_or(0)
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// Appends a row.
    pub fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.dim, "row length");
        self.values.extend_from_slice(row);
    }
}

/// No row / no place.
pub const NONE: u32 = u32::MAX;

/// The numbers of `n` posts, in corpus order.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Post ids.
    pub ids: Vec<String>,
    /// Part of each post, where it has one.
    pub parts: Vec<Option<Part>>,
    /// Name of what each post was imported from, as an index into `source_names`.
    pub sources: Vec<u32>,
    /// Names of the sources.
    pub source_names: Vec<String>,
    /// What became of each component of each post.
    pub status: Vec<PerComponent<Status>>,
    /// A number per component that is equal where the content is equal (same pixels, same normalised text, same tag set,
    /// same place, same author); 0 where the component is missing.
    pub keys: Vec<PerComponent<u64>>,
    /// Token ids of each post's text (empty: missing).
    pub text: Ragged<u32>,
    /// Row of each post in `images`, or [`NONE`].
    pub image: Vec<u32>,
    /// Distinct image features `[images, encoder dim]`, each with unit length.
    pub images: Dense,
    /// Row of each post in `tags`, or [`NONE`].
    pub hashtags: Vec<u32>,
    /// Mean word vector of the tags `[posts with tags, word dim]`.
    pub tags: Dense,
    /// Place of each post as an index into `places`, or [`NONE`].
    pub location: Vec<u32>,
    /// Neighbour candidates per place: indices into `neighbours`.
    pub places: Ragged<u32>,
    /// Token ids of neighbour posts (training posts with a place), distinct texts once.
    pub neighbours: Ragged<u32>,
    /// For each post, the neighbour candidates (indices into `neighbours`) that must not be used for it:
    /// the post itself and its near-duplicates, ascending. Empty lists for posts without a place.
    pub excluded: Ragged<u32>,
    /// Row of each post in `users`, or [`NONE`].
    pub user: Vec<u32>,
    /// Distinct user vectors `[authors, user dim]`.
    pub users: Dense,
}

impl Dataset {
    /// Number of posts.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True if there is no post.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}
