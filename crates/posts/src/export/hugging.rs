//! A folder as the Python package `datasets` reads it: Parquet shards a split, and a card that says what they are.
//!
//! ```text
//! FOLDER/
//!   README.md                              the dataset card: which file is which split, what the columns mean
//!   data/train-00000-of-00002.parquet      posts of a part; `dev` is called `validation` there
//!   export.json                            what made the folder
//! ```
//!
//! `image` is the post's first image as a struct {bytes, path}, and the schema's metadata says so in the key
//! `huggingface`; then `datasets` gives back pictures.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;

use super::card::card;
use super::columns::Columns;
use super::images::{ExportImages, ImageCarrier, ImagesOut};
use super::table::{properties, refused};
use super::target::{About, Target, files};
use super::{ExportReport, Output, Picked};
use crate::error::{AtPath, Result};
use crate::{Corpus, Part, Post, atomic};

/// A row group holds at most this many posts, so that a row with its images is found fast.
const GROUP_ROWS: usize = 1000;
/// A row group ends at about this many bytes of images; it bounds what is in memory.
const GROUP_BYTES: u64 = 32 << 20;
/// A shard ends at about this size, as the Hub wants it.
pub(super) const SHARD_BYTES: u64 = 400 << 20;

/// The folder being written.
pub(super) struct Hugging {
    target: Target,
    columns: Columns,
    carrier: ImageCarrier,
    images: ImagesOut,
    shard_bytes: u64,
    /// Train, dev, test, and posts in no part.
    splits: [Split; 4],
}

/// One split.
struct Split {
    name: &'static str,
    pending: Vec<Picked>,
    pending_bytes: u64,
    writer: Option<(PathBuf, ArrowWriter<BufWriter<File>>)>,
    /// Files that are finished.
    shards: Vec<PathBuf>,
    rows: u64,
}

impl Hugging {
    /// Starts the folder with the columns `wanted`, or all. `divided`: some posts of the corpus are in parts.
    pub fn create(
        corpus: &Corpus,
        wanted: Option<&[String]>,
        images: ExportImages,
        divided: bool,
        place: &Path,
        replace: bool,
        shard_bytes: u64,
    ) -> Result<Hugging> {
        let columns = Columns::new(corpus, wanted, false, images == ExportImages::Embed)?;
        let target = Target::folder(place, replace)?;
        let data = target.root().join("data");
        std::fs::create_dir(&data).at(&data)?;
        let carrier = ImageCarrier::new(images, corpus, target.root())?;
        // A data set that nobody divided is called `train` by everybody.
        let rest = if divided { "unassigned" } else { "train" };
        let splits = ["train", "validation", "test", rest].map(Split::new);
        Ok(Hugging { target, columns, carrier, images: ImagesOut::default(), shard_bytes, splits })
    }
}

impl Output for Hugging {
    fn take(&mut self, posts: Vec<Picked>) -> Result<()> {
        for (mut post, part) in posts {
            self.carrier.carry(&mut post.images)?;
            let bytes = if self.columns.packs_images() { size_of_images(&post, &self.columns) } else { 0 };
            let split = &mut self.splits[part.map_or(3, |p: Part| p as usize)];
            split.pending_bytes += bytes;
            split.pending.push((post, part));
            if split.pending.len() >= GROUP_ROWS || split.pending_bytes >= GROUP_BYTES {
                split.flush(&self.columns, self.target.root(), self.shard_bytes, &mut self.images)?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, report: &mut ExportReport, about: &About) -> Result<()> {
        let root = self.target.root().to_owned();
        for split in &mut self.splits {
            split.flush(&self.columns, &root, self.shard_bytes, &mut self.images)?;
            split.end_shard()?;
            split.name_shards()?;
        }
        report.images = if self.columns.packs_images() { self.images } else { self.carrier.out };
        report.columns = self.columns.schema().fields().iter().map(|f| f.name().clone()).collect();
        report.surplus_labels = self.columns.surplus_labels;
        let splits: Vec<(&str, u64)> = self.splits.iter().filter(|s| s.rows > 0).map(|s| (s.name, s.rows)).collect();
        atomic::write_bytes(&root.join("README.md"), card(report, about, &splits).as_bytes())?;
        files(&root, report)?;
        self.target.finish_folder(about)
    }
}

/// Bytes of a post's image files.
fn size_of_images(post: &Post, columns: &Columns) -> u64 {
    let files = post.images.iter().filter_map(|i| i.path.as_ref());
    files.filter_map(|path| std::fs::metadata(columns.file(path)).ok()).map(|m| m.len()).sum()
}

impl Split {
    fn new(name: &'static str) -> Split {
        Split { name, pending: Vec::new(), pending_bytes: 0, writer: None, shards: Vec::new(), rows: 0 }
    }

    /// Writes what is pending as a row group.
    fn flush(&mut self, columns: &Columns, root: &Path, shard_bytes: u64, images: &mut ImagesOut) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.rows += self.pending.len() as u64;
        self.pending_bytes = 0;
        let (batch, taken, missing) = columns.batch(std::mem::take(&mut self.pending))?;
        images.taken += taken;
        images.missing += missing;
        let (path, writer) = match &mut self.writer {
            Some(open) => open,
            None => {
                let path = root.join("data").join(format!("{}-{:05}.parquet", self.name, self.shards.len()));
                self.writer.insert((path.clone(), start(&path, columns)?))
            }
        };
        writer.write(&batch).and_then(|()| writer.flush()).map_err(refused(path))?;
        if writer.bytes_written() as u64 >= shard_bytes { self.end_shard() } else { Ok(()) }
    }

    fn end_shard(&mut self) -> Result<()> {
        let Some((path, writer)) = self.writer.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(refused(&path))?;
        file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|f| f.sync_all()).at(&path)?;
        self.shards.push(path);
        Ok(())
    }

    /// Gives the shards their names, which say how many there are.
    fn name_shards(&self) -> Result<()> {
        for (i, path) in self.shards.iter().enumerate() {
            let name = format!("{}-{i:05}-of-{:05}.parquet", self.name, self.shards.len());
            std::fs::rename(path, path.with_file_name(name)).at(path)?;
        }
        Ok(())
    }
}

fn start(path: &Path, columns: &Columns) -> Result<ArrowWriter<BufWriter<File>>> {
    let file = BufWriter::with_capacity(1 << 20, File::create(path).at(path)?);
    ArrowWriter::try_new(file, columns.schema().clone(), Some(properties(columns)?)).map_err(refused(path))
}
