//! The corpus folder: what `import` and `town` write and every later stage reads.
//!
//! ```text
//! CORPUS/
//!   corpus.json      manifest: format version, name, synthetic or not, sources, split rule
//!   posts.parquet    one row a post (schema version in the file's metadata)
//!   splits.csv       post_id,part            (part: train, dev, test; absent: in no part)
//!   labels.csv       kind,id,name,value      (kind: post or author)
//!   images/          images that were copied
//!   truth.csv        synthetic town only: hidden topic and entity of each post
//!   features/        what `quintet features` wrote
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::post::Post;
use crate::error::Result;

/// The part of a corpus a post belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Everything fitted is fitted on these posts only.
    Train,
    /// Choices are made on these posts.
    Dev,
    /// Figures come from these posts.
    Test,
}

/// `corpus.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the folder's format.
    pub format: u32,
    /// Name shown in reports.
    pub name: String,
    /// True for the town: every report says "synthetic".
    pub synthetic: bool,
    /// What was imported, by source name, with the number of posts.
    pub sources: std::collections::BTreeMap<String, u64>,
    /// How the parts were made, in words ("file", "by time: 7d,1d,1d", "by author: 8:1:1, seed 1").
    pub split: Option<String>,
}

/// A label of a post or an author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// `post` or `author`.
    pub kind: String,
    /// Id of the post or author.
    pub id: String,
    /// What is labelled ("label", "sentiment").
    pub name: String,
    /// The label.
    pub value: String,
}

/// An open corpus folder.
#[derive(Clone, Debug)]
pub struct Corpus {
    root: PathBuf,
    manifest: Manifest,
}

impl Corpus {
    /// Opens a folder written by `import` or `town`.
    ///
    /// # Errors
    /// If the folder is no corpus or of a newer format.
    pub fn open(root: &Path) -> Result<Corpus> {
        let _ = root;
        todo!()
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What `corpus.json` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Number of posts.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Posts in file order, in chunks of at most `rows`, in bounded memory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn chunks(&self, rows: usize) -> Result<impl Iterator<Item = Result<Vec<Post>>>> {
        let _ = rows;
        Ok(std::iter::empty())
    }

    /// Every post in file order, in memory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn posts(&self) -> Result<Vec<Post>> {
        todo!()
    }

    /// The part of each post id; posts in no part are absent.
    ///
    /// # Errors
    /// If `splits.csv` cannot be read (absent: empty).
    pub fn parts(&self) -> Result<HashMap<String, Part>> {
        todo!()
    }

    /// All labels.
    ///
    /// # Errors
    /// If `labels.csv` cannot be read (absent: empty).
    pub fn labels(&self) -> Result<Vec<Label>> {
        todo!()
    }

    /// Where the pixels of an image are, if they are at hand.
    pub fn image_path(&self, image: &super::ImageRef) -> Option<PathBuf> {
        image.path.as_ref().map(|p| self.root.join(p))
    }
}
