//! Where an export goes: a file or a folder that is made beside its place and moved there whole, or standard output.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::ExportReport;
use crate::atomic;
use crate::error::{AtPath, Error, Result};
use crate::writer::{parent, swap};

/// File of an exported folder that says what it is; an import takes from it what posts do not say.
pub const ABOUT: &str = "export.json";

/// `export.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What wrote the folder: always `quintet export`.
    pub made_by: String,
    /// `jsonl` or `huggingface`.
    pub format: String,
    /// Name of the corpus.
    pub name: String,
    /// Whether the posts are synthetic.
    pub synthetic: bool,
    /// How the parts of the corpus were made.
    pub split: Option<String>,
    /// The filters, in words.
    pub selection: Vec<String>,
    /// Posts in the folder.
    pub posts: u64,
}

impl About {
    /// Reads the file from a folder; `None` if the folder has none or one of something else.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(path: &Path) -> Result<Option<About>> {
        if !path.is_file() {
            return Ok(None);
        }
        let about: Option<About> = serde_json::from_slice(&std::fs::read(path).at(path)?).ok();
        Ok(about.filter(|a| a.made_by == MADE_BY))
    }
}

/// What [`About::made_by`] says.
pub(super) const MADE_BY: &str = "quintet export";

/// An export being written. Dropping it without finishing leaves nothing behind.
pub(super) struct Target {
    place: PathBuf,
    staging: TempDir,
}

impl Target {
    /// Starts a file that will stand at `place`.
    pub fn file(place: &Path, replace: bool) -> Result<Target> {
        if place.is_dir() {
            return Err(Error::input("there is a folder of this name")
                .at(place)
                .help("name a file that does not exist yet"));
        }
        if place.exists() && !replace {
            return Err(Error::input("the file exists already").at(place).help("name another file, or pass --replace"));
        }
        Target::start(place)
    }

    /// Starts a folder that will stand at `place`; with `replace` an earlier export gives way at the end.
    pub fn folder(place: &Path, replace: bool) -> Result<Target> {
        if place.exists() {
            if !place.is_dir() {
                return Err(Error::input("there is a file of this name").at(place).help("name another folder"));
            }
            let empty = std::fs::read_dir(place).at(place)?.next().is_none();
            let ours = About::read(&place.join(ABOUT))?.is_some();
            match (empty, ours) {
                (true, _) => {}
                (_, true) if replace => {}
                (_, true) => {
                    let what = "there is already an export here";
                    return Err(Error::input(what).at(place).help("name another folder, or pass --replace"));
                }
                _ => {
                    let what = "the folder holds other files";
                    return Err(Error::input(what).at(place).help("name a folder that does not exist yet"));
                }
            }
        }
        Target::start(place)
    }

    fn start(place: &Path) -> Result<Target> {
        let beside = parent(place);
        std::fs::create_dir_all(beside).at(beside)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".quintet-export-").suffix(".tmp");
        // Temporary folders are private by default; this one stays, with the permissions of an ordinary new folder.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let staging = builder.tempdir_in(beside).at(beside)?;
        Ok(Target { place: place.to_owned(), staging })
    }

    /// The folder to write into; a file is written under [`Target::name`].
    pub fn root(&self) -> &Path {
        self.staging.path()
    }

    /// The path of the file as it grows.
    pub fn growing(&self) -> PathBuf {
        self.root().join(self.place.file_name().unwrap_or_default())
    }

    /// Moves the file to its place. It must be on disk already.
    pub fn finish_file(self) -> Result<()> {
        std::fs::rename(self.growing(), &self.place).at(&self.place)?;
        atomic::sync_folder(parent(&self.place))
    }

    /// Says what the folder is and moves it to its place. Its files must be on disk already.
    pub fn finish_folder(self, about: &About) -> Result<()> {
        let text = serde_json::to_vec_pretty(about)
            .map_err(|e| Error::internal(format!("{ABOUT} cannot be written as JSON: {e}")))?;
        atomic::write_bytes(&self.root().join(ABOUT), &text)?;
        let staged = self.staging.keep();
        swap(&staged, &self.place).inspect_err(|_| {
            // The error of the swap is what the user must see; a leftover folder is hidden and harmless.
            let _ = std::fs::remove_dir_all(&staged);
        })
    }
}

/// Every file below `root` with its size, by path relative to it, sorted.
pub(super) fn files(root: &Path, report: &mut ExportReport) -> Result<()> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).at(&folder)? {
            let path = entry.at(&folder)?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::metadata(&path).at(&path)?.len();
            report.bytes += bytes;
            // Images are many, and counted elsewhere.
            if !path.starts_with(root.join("images")) {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                report.files.insert(name, bytes);
            }
        }
    }
    Ok(())
}
