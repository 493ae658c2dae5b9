//! `[image]`: files -> decoded, resized, normalised -> ONNX encoder -> unit vectors, cached by content.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::progress::Progress;

/// An image encoder with its preprocessing.
pub struct ImageEncoder {}

impl ImageEncoder {
    /// `efficientnet-lite0` (shipped in the binary) or the path of an ONNX file with `NAME.toml` beside it.
    ///
    /// # Errors
    /// If a file is missing or is no usable encoder.
    pub fn open(spec: &str) -> Result<ImageEncoder> {
        let _ = spec;
        todo!()
    }

    /// Length of a feature.
    pub fn dim(&self) -> usize {
        todo!()
    }

    /// Identity of weights and preprocessing (a hash in hex): features of different identity never mix.
    pub fn id(&self) -> &str {
        todo!()
    }

    /// Writes what is needed to open this encoder from `folder` again (nothing but a name for the shipped one).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let _ = folder;
        todo!()
    }
}

/// What became of one image file.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFeature {
    /// Hash of the file's content, never 0; equal for equal files.
    pub key: u64,
    /// The unit vector, or why there is none ("truncated JPEG", "larger than 100 megapixels", "no such file").
    pub feature: std::result::Result<Vec<f32>, String>,
}

/// Features on disk, by content of the image and identity of the encoder: `CORPUS/features/images/<encoder id>/`.
/// Appends are crash-safe; an interrupted run goes on where it was.
pub struct ImageStore {}

impl ImageStore {
    /// Opens or makes the store under `folder`.
    ///
    /// # Errors
    /// If the folder cannot be read or written.
    pub fn open(folder: &Path) -> Result<ImageStore> {
        let _ = folder;
        todo!()
    }

    /// Features of `files` in their order; computes what is not stored and stores it. A bad file costs itself only.
    ///
    /// # Errors
    /// If the store cannot be written or the person stops the work (what is done is kept).
    pub fn features(
        &mut self,
        encoder: &ImageEncoder,
        files: &[PathBuf],
        progress: &dyn Progress,
    ) -> Result<Vec<ImageFeature>> {
        let _ = (encoder, files, progress);
        todo!()
    }
}
