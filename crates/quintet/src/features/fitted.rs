//! Everything fitted on the training part: vocabulary, word vectors, user vectors, places, the image encoder in use.
//!
//! The same folder layout stands in `CORPUS/features/` and inside every model folder, so training and embedding
//! turn posts into numbers by the same code.

use std::path::Path;

use super::dataset::Dataset;
use crate::config::Config;
use crate::error::Result;
use crate::posts::{Corpus, Part, Post};
use crate::progress::Progress;

/// What turns posts into numbers.
pub struct Fitted {}

impl Fitted {
    /// Fits on the training part of `corpus`; what is already in `CORPUS/features/` for the same config and posts is reused.
    ///
    /// # Errors
    /// If the corpus has no training part, a file cannot be read, or the person stops the work.
    pub fn fit(corpus: &Corpus, config: &Config, progress: &dyn Progress) -> Result<Fitted> {
        let _ = (corpus, config, progress);
        todo!()
    }

    /// Opens a folder that [`Fitted::save`] wrote.
    ///
    /// # Errors
    /// If a file is missing or of a newer format.
    pub fn open(folder: &Path) -> Result<Fitted> {
        let _ = folder;
        todo!()
    }

    /// Writes everything into `folder`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let _ = folder;
        todo!()
    }

    /// Numbers of the given posts of `corpus`; images are read from the corpus' feature cache, missing ones computed
    /// and added to it. `parts` may be empty.
    ///
    /// # Errors
    /// If a cache file cannot be read or written, or the person stops the work.
    pub fn numbers(
        &self,
        corpus: &Corpus,
        posts: &[Post],
        parts: &std::collections::HashMap<String, Part>,
        progress: &dyn Progress,
    ) -> Result<Dataset> {
        let _ = (corpus, posts, parts, progress);
        todo!()
    }

    /// Rows of the vocabulary (start, end, unknown and padding included) and their initial vectors `[words, dim]`.
    pub fn word_rows(&self) -> super::Dense {
        todo!()
    }

    /// Length of an image feature.
    pub fn image_dim(&self) -> usize {
        todo!()
    }

    /// Length of a user vector.
    pub fn user_dim(&self) -> usize {
        todo!()
    }

    /// Length of a word (and so hashtag) vector.
    pub fn word_dim(&self) -> usize {
        todo!()
    }
}
