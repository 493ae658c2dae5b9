//! What becomes of image files on the way out: copied beside the posts, named where they are, packed in, or left.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use crate::Corpus;
use crate::error::{AtPath, Error, Result};
use crate::post::ImageRef;

/// What becomes of image files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportImages {
    /// Copied to `images/` of the exported folder.
    Copy,
    /// Left where they are; posts name their absolute paths.
    Link,
    /// Packed into the table.
    Embed,
    /// Left out; posts keep addresses and descriptions.
    None,
}

impl ExportImages {
    /// The name of the option.
    pub fn name(self) -> &'static str {
        match self {
            ExportImages::Copy => "copy",
            ExportImages::Link => "link",
            ExportImages::Embed => "embed",
            ExportImages::None => "none",
        }
    }
}

impl FromStr for ExportImages {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        use ExportImages::{Copy, Embed, Link, None};
        [Copy, Link, Embed, None].into_iter().find(|way| way.name() == s).ok_or_else(|| {
            Error::config(format!("`{s}` is no way to bring images along")).help("ways are copy, link, embed, none")
        })
    }
}

/// Image files by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImagesOut {
    /// Copied or packed in; with `link`, named by their paths. Files when copied or linked, references when packed in.
    pub taken: u64,
    /// Not there; posts keep the reference.
    pub missing: u64,
}

/// Copies or links each file once.
pub(super) struct ImageCarrier {
    way: ExportImages,
    corpus: PathBuf,
    to: PathBuf,
    done: HashMap<String, Option<String>>,
    pub out: ImagesOut,
}

impl ImageCarrier {
    /// Brings files of `corpus` to the exported folder `to`.
    pub fn new(way: ExportImages, corpus: &Corpus, to: &Path) -> Result<ImageCarrier> {
        // Absolute, so that links hold wherever the export is read.
        let root = std::fs::canonicalize(corpus.root()).at(corpus.root())?;
        Ok(ImageCarrier { way, corpus: root, to: to.to_owned(), done: HashMap::new(), out: ImagesOut::default() })
    }

    /// Makes the paths of a post's images those of the export.
    pub fn carry(&mut self, images: &mut Vec<ImageRef>) -> Result<()> {
        for image in images.iter_mut() {
            if let Some(path) = image.path.take() {
                image.path = self.file(path)?;
            }
        }
        images.retain(|i| i.path.is_some() || i.url.is_some());
        Ok(())
    }

    fn file(&mut self, path: String) -> Result<Option<String>> {
        if let Some(known) = self.done.get(&path) {
            return Ok(known.clone());
        }
        let from = self.corpus.join(&path);
        let there = from.is_file();
        let new = match self.way {
            ExportImages::None => None,
            ExportImages::Embed => Some(path.clone()),
            ExportImages::Link => {
                self.count(there);
                Some(from.to_string_lossy().into_owned())
            }
            ExportImages::Copy => {
                self.count(there);
                Some(if there { self.copy(&from, &path)? } else { path.clone() })
            }
        };
        self.done.insert(path, new.clone());
        Ok(new)
    }

    fn count(&mut self, there: bool) {
        self.out.taken += u64::from(there);
        self.out.missing += u64::from(!there);
    }

    fn copy(&self, from: &Path, path: &str) -> Result<String> {
        let name = inside(Path::new(path));
        let target = self.to.join(&name);
        let folder = target.parent().unwrap_or(&self.to);
        std::fs::create_dir_all(folder).at(folder)?;
        // Read and written rather than `fs::copy`, which would carry a read-only mode along.
        let mut file = File::create(&target).at(&target)?;
        std::io::copy(&mut File::open(from).at(from)?, &mut file).at(&target)?;
        Ok(name.to_string_lossy().into_owned())
    }
}

/// Where a file of the corpus goes: the same place if that is in `images/`, otherwise a name with a hash of the whole path.
pub(super) fn inside(path: &Path) -> PathBuf {
    if path.starts_with("images") && path.components().all(|c| matches!(c, Component::Normal(_))) {
        return path.to_owned();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    Path::new("images/linked").join(format!("{}-{name}", &hash[..12]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_inside_the_folder() {
        assert_eq!(inside(Path::new("images/a/b.jpg")), Path::new("images/a/b.jpg"));
        for path in ["/data/x/b.jpg", "../b.jpg", "images/../../b.jpg", "b.jpg"] {
            let new = inside(Path::new(path));
            assert!(new.starts_with("images/linked") && new.to_string_lossy().ends_with("-b.jpg"), "{new:?}");
        }
        assert_ne!(inside(Path::new("/x/b.jpg")), inside(Path::new("/y/b.jpg")));
    }
}
