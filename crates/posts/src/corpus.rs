//! The corpus folder: what `import` and `town` write and every later stage reads.
//!
//! ```text
//! CORPUS/
//!   corpus.json      manifest: format version, name, synthetic or not, sources, split rule
//!   posts.parquet    one row a post (schema version in the file's metadata)
//!   splits.csv       post_id,part            (part: train, dev, test; absent: in no part)
//!   labels.csv       kind,id,name,value      (kind: post or author)
//!   forgotten.csv    kind,id,up_to           (what was deleted on request and stays away: see [`super::forgotten`])
//!   images/          images that were copied
//!   truth.csv        synthetic town only: hidden topic and entity of each post
//!   features/        what `quintet features` wrote
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::parquet;
use super::post::Post;
use crate::atomic;
use crate::error::{AtPath, Error, Result};

/// Version of the folder's format; a newer one is refused.
pub const FORMAT: u32 = 1;

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

impl Part {
    /// All parts in their fixed order.
    pub const ALL: [Part; 3] = [Part::Train, Part::Dev, Part::Test];

    /// The name used in files and options.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Dev => "dev",
            Part::Test => "test",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "train" | "training" => Ok(Part::Train),
            "dev" | "val" | "valid" | "validation" => Ok(Part::Dev),
            "test" => Ok(Part::Test),
            _ => Err(Error::input(format!("`{s}` is not a part")).help("parts are train, dev (or validation), test")),
        }
    }
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
    pub sources: BTreeMap<String, u64>,
    /// How the parts were made, in words ("file", "by time: 7d,1d,1d", "by author: 8:1:1, seed 1").
    pub split: Option<String>,
}

/// A label of a post or an author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    len: usize,
}

impl Corpus {
    /// Opens a folder written by `import` or `town`.
    ///
    /// # Errors
    /// If the folder is no corpus or of a newer format.
    pub fn open(root: &Path) -> Result<Corpus> {
        let path = root.join("corpus.json");
        if !path.is_file() {
            return Err(Error::input("not a corpus: it holds no corpus.json")
                .at(root)
                .help("make one with `quintet import FILES --into CORPUS` or `quintet town --into CORPUS`"));
        }
        let bytes = std::fs::read(&path).at(&path)?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|e| Error::input(format!("not a manifest: {e}")).at(&path))?;
        if manifest.format > FORMAT {
            let what = format!("the corpus has format {}; this program reads up to {FORMAT}", manifest.format);
            return Err(Error::input(what).at(&path).help("use the version of quintet that wrote it, or a newer one"));
        }
        let len = parquet::count(&root.join("posts.parquet"))?;
        Ok(Corpus { root: root.to_owned(), manifest, len })
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
        self.len
    }

    /// True if the corpus holds no post.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Posts in file order, in chunks of at most `rows`, in bounded memory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn chunks(&self, rows: usize) -> Result<impl Iterator<Item = Result<Vec<Post>>> + use<>> {
        parquet::read(&self.root.join("posts.parquet"), rows)
    }

    /// Every post in file order, in memory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn posts(&self) -> Result<Vec<Post>> {
        let mut posts = Vec::with_capacity(self.len);
        for chunk in self.chunks(8192)? {
            posts.extend(chunk?);
        }
        Ok(posts)
    }

    /// The part of each post id; posts in no part are absent.
    ///
    /// # Errors
    /// If `splits.csv` cannot be read (absent: empty).
    pub fn parts(&self) -> Result<HashMap<String, Part>> {
        let path = self.root.join("splits.csv");
        let mut parts = HashMap::new();
        for row in rows_of(&path)? {
            let (line, row) = row?;
            let [id, part] = fields(&row, &path, line)?;
            parts.insert(id, part.parse().map_err(|e: Error| e.at_line(&path, line))?);
        }
        Ok(parts)
    }

    /// All labels.
    ///
    /// # Errors
    /// If `labels.csv` cannot be read (absent: empty).
    pub fn labels(&self) -> Result<Vec<Label>> {
        let path = self.root.join("labels.csv");
        let label = |row: Result<(u64, csv::StringRecord)>| {
            let (line, row) = row?;
            let [kind, id, name, value] = fields(&row, &path, line)?;
            Ok(Label { kind, id, name, value })
        };
        rows_of(&path)?.into_iter().map(label).collect()
    }

    /// Where the pixels of an image are, if they are at hand.
    pub fn image_path(&self, image: &super::ImageRef) -> Option<PathBuf> {
        image.path.as_ref().map(|p| self.root.join(p))
    }

    /// Replaces the parts of the posts and records the rule that made them, in words.
    ///
    /// # Errors
    /// If the files cannot be written; the old ones stay whole.
    pub fn set_parts<'a>(
        &mut self,
        rule: &str,
        parts: impl IntoIterator<Item = Result<(&'a str, Part)>>,
    ) -> Result<()> {
        write_parts(&self.root.join("splits.csv"), parts)?;
        self.manifest.split = Some(rule.to_owned());
        write_manifest(&self.root, &self.manifest)
    }
}

/// Writes `splits.csv`.
fn write_parts<'a>(path: &Path, parts: impl IntoIterator<Item = Result<(&'a str, Part)>>) -> Result<()> {
    write_csv(path, &["post_id", "part"], |row| {
        for item in parts {
            let (id, part) = item?;
            row(&[id, part.name()])?;
        }
        Ok(())
    })
}

/// Writes `labels.csv`.
pub(super) fn write_labels<'a>(path: &Path, labels: impl IntoIterator<Item = &'a Label>) -> Result<()> {
    write_csv(path, &["kind", "id", "name", "value"], |row| {
        labels.into_iter().try_for_each(|l| row(&[&l.kind, &l.id, &l.name, &l.value]))
    })
}

/// Writes `corpus.json`.
pub(super) fn write_manifest(root: &Path, manifest: &Manifest) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(manifest)
        .map_err(|e| Error::internal(format!("the manifest cannot be written as JSON: {e}")))?;
    text.push(b'\n');
    atomic::write_bytes(&root.join("corpus.json"), &text)
}

/// A header and rows, written atomically; `fill` gets a function that writes one row.
fn write_csv(
    path: &Path,
    header: &[&str],
    fill: impl FnOnce(&mut dyn FnMut(&[&str]) -> Result<()>) -> Result<()>,
) -> Result<()> {
    atomic::write(path, |out| {
        let mut table = csv::Writer::from_writer(out as &mut dyn Write);
        let mut row = |cells: &[&str]| table.write_record(cells).map_err(|e| Error::io(path, std::io::Error::other(e)));
        row(header)?;
        fill(&mut row)?;
        table.flush().at(path)
    })
}

/// Rows of a CSV file after its header, with their line numbers; an absent file has none.
fn rows_of(path: &Path) -> Result<Vec<Result<(u64, csv::StringRecord)>>> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let bad = |e: csv::Error| Error::input(format!("not a CSV table: {e}")).at(path);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(bad)?;
    Ok(reader.records().map(|row| row.map(|r| (r.position().map_or(0, csv::Position::line), r)).map_err(bad)).collect())
}

fn fields<const N: usize>(row: &csv::StringRecord, path: &Path, line: u64) -> Result<[String; N]> {
    if row.len() < N {
        let what = format!("the row has {} fields instead of {N}", row.len());
        return Err(Error::input(what).at_line(path, line));
    }
    Ok(std::array::from_fn(|k| row[k].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_corpus_says_how_to_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = Corpus::open(folder.path()).unwrap_err();
        assert!(error.way_out().is_some_and(|h| h.contains("quintet import")));
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest { format: FORMAT + 1, ..Manifest::default() };
        write_manifest(folder.path(), &manifest).unwrap();
        let error = Corpus::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("format 2"), "{error}");
    }

    #[test]
    fn parts_have_the_usual_other_names() {
        assert_eq!("validation".parse::<Part>().unwrap(), Part::Dev);
        assert!("holdout".parse::<Part>().is_err());
    }
}
