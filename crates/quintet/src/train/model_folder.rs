//! A trained model as a folder that opens by path alone and holds everything needed to embed new posts.
//!
//! ```text
//! MODEL/
//!   model.json            format version, shapes, what it was trained on
//!   config.toml           the complete configuration
//!   network.safetensors   best weights
//!   features/             what `Fitted` holds (vocabulary, word vectors, users, places, encoder)
//!   README.md             model card
//! ```

use std::path::Path;

use crate::config::Config;
use crate::error::Result;
use crate::features::Fitted;
use crate::model::Network;

/// An open model folder.
pub struct ModelFolder {
    /// The configuration it was trained with.
    pub config: Config,
    /// What turns posts into numbers.
    pub fitted: Fitted,
    /// What turns numbers into vectors.
    pub network: Network,
}

impl ModelFolder {
    /// Opens a model folder (or a run folder: its best model).
    ///
    /// # Errors
    /// If a file is missing, damaged or of a newer format.
    pub fn open(path: &Path) -> Result<ModelFolder> {
        let _ = path;
        todo!()
    }
}
