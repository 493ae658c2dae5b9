//! JSON Lines of our own format: one file of posts, or a folder that imports again as the same corpus.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use super::images::{ExportImages, ImageCarrier};
use super::target::{About, Target, files};
use super::{ExportReport, Output, Picked};
use crate::Corpus;
use crate::corpus::Label;
use crate::error::{AtPath, Error, Result};

/// Posts a thread turns into lines at a time.
const TURN: usize = 256;
/// Level of zstd: its default, some 400 MB/s a thread.
const ZSTD_LEVEL: i32 = 3;

/// Where lines go, packed as the file's name says.
enum Sink {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
    /// Standard output; closed once its reader has gone away.
    Stdout {
        closed: bool,
    },
}

impl Sink {
    fn create(path: &Path) -> Result<Sink> {
        let out = BufWriter::with_capacity(1 << 20, File::create(path).at(path)?);
        Ok(match path.extension().and_then(|e| e.to_str()) {
            Some("gz") => Sink::Gzip(GzEncoder::new(out, Compression::default())),
            Some("zst") => Sink::Zstd(zstd::Encoder::new(out, ZSTD_LEVEL).at(path)?),
            _ => Sink::Plain(out),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Sink::Plain(out) => out.write_all(bytes),
            Sink::Gzip(out) => out.write_all(bytes),
            Sink::Zstd(out) => out.write_all(bytes),
            Sink::Stdout { closed: true } => Ok(()),
            Sink::Stdout { closed } => match std::io::stdout().lock().write_all(bytes) {
                // The reader of a pipe may go away early; that is its choice.
                Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                    *closed = true;
                    Ok(())
                }
                result => result,
            },
        }
    }

    /// Puts everything on disk.
    fn finish(self) -> std::io::Result<()> {
        let mut out = match self {
            Sink::Plain(out) => out,
            Sink::Gzip(out) => out.finish()?,
            Sink::Zstd(out) => out.finish()?,
            Sink::Stdout { closed: true } => return Ok(()),
            Sink::Stdout { .. } => return std::io::stdout().lock().flush(),
        };
        out.flush()?;
        out.get_ref().sync_all()
    }
}

/// JSON Lines being written.
pub(super) struct Lines {
    sink: Sink,
    /// `None`: standard output.
    target: Option<Target>,
    carrier: ImageCarrier,
    /// A folder holds more than posts.
    beside: Option<Beside>,
}

/// What stands beside the posts in a folder.
struct Beside {
    splits: Option<csv::Writer<File>>,
    labels: Vec<Label>,
    posts: HashSet<u128>,
    authors: HashSet<u128>,
}

impl Lines {
    /// Lines on standard output.
    pub fn stdout(corpus: &Corpus, images: ExportImages) -> Result<Lines> {
        let carrier = ImageCarrier::new(images, corpus, Path::new("."))?;
        Ok(Lines { sink: Sink::Stdout { closed: false }, target: None, carrier, beside: None })
    }

    /// One file, packed as its name ends.
    pub fn file(corpus: &Corpus, images: ExportImages, place: &Path, replace: bool) -> Result<Lines> {
        let target = Target::file(place, replace)?;
        let carrier = ImageCarrier::new(images, corpus, target.root())?;
        Ok(Lines { sink: Sink::create(&target.growing())?, target: Some(target), carrier, beside: None })
    }

    /// A folder with `posts.jsonl.gz`, `splits.csv`, `labels_*.csv` and `images/`.
    pub fn folder(corpus: &Corpus, images: ExportImages, place: &Path, replace: bool) -> Result<Lines> {
        let target = Target::folder(place, replace)?;
        let carrier = ImageCarrier::new(images, corpus, target.root())?;
        let sink = Sink::create(&target.root().join("posts.jsonl.gz"))?;
        let beside = Beside { splits: None, labels: corpus.labels()?, posts: HashSet::new(), authors: HashSet::new() };
        Ok(Lines { sink, target: Some(target), carrier, beside: Some(beside) })
    }
}

impl Output for Lines {
    fn take(&mut self, mut posts: Vec<Picked>) -> Result<()> {
        for (post, part) in &mut posts {
            self.carrier.carry(&mut post.images)?;
            if let (Some(beside), Some(target)) = (&mut self.beside, &self.target) {
                beside.add(target.root(), post, *part)?;
            }
        }
        let turned: Vec<Vec<u8>> = posts.par_chunks(TURN).map(lines).collect::<Result<_>>()?;
        let place = self.target.as_ref().map_or_else(|| "standard output".into(), |t| t.growing());
        turned.iter().try_for_each(|bytes| self.sink.write(bytes)).at(place)
    }

    fn done(&self) -> bool {
        matches!(self.sink, Sink::Stdout { closed: true })
    }

    fn finish(self: Box<Self>, report: &mut ExportReport, about: &About) -> Result<()> {
        report.images = self.carrier.out;
        let place = self.target.as_ref().map_or_else(|| "standard output".into(), |t| t.growing());
        self.sink.finish().at(place)?;
        let Some(target) = self.target else { return Ok(()) };
        match self.beside {
            None => {
                files(target.root(), report)?;
                target.finish_file()
            }
            Some(beside) => {
                report.labels = beside.finish(target.root())?;
                files(target.root(), report)?;
                target.finish_folder(about)
            }
        }
    }
}

/// Posts as lines.
fn lines(posts: &[Picked]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(posts.len() * 512);
    for (post, _) in posts {
        serde_json::to_writer(&mut bytes, post)
            .map_err(|e| Error::internal(format!("post {} has no JSON form: {e}", post.id)))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

impl Beside {
    fn add(&mut self, root: &Path, post: &crate::Post, part: Option<crate::Part>) -> Result<()> {
        if !self.labels.is_empty() {
            self.posts.insert(crate::facts::hash128(&post.id));
            self.authors.extend(post.author.as_ref().map(|a| crate::facts::hash128(&a.id)));
        }
        let Some(part) = part else { return Ok(()) };
        let path = root.join("splits.csv");
        let refused = |e: csv::Error| Error::io(&path, std::io::Error::other(e));
        let table = match &mut self.splits {
            Some(table) => table,
            None => {
                let mut table = csv::Writer::from_path(&path).map_err(refused)?;
                table.write_record(["post_id", "part"]).map_err(refused)?;
                self.splits.insert(table)
            }
        };
        table.write_record([post.id.as_str(), part.name()]).map_err(refused)
    }

    /// Writes the labels of what was exported, and puts the tables on disk; how many labels there are.
    fn finish(self, root: &Path) -> Result<u64> {
        if let Some(table) = self.splits {
            let path = root.join("splits.csv");
            let file = table.into_inner().map_err(|e| Error::io(&path, std::io::Error::other(e.to_string())))?;
            file.sync_all().at(&path)?;
        }
        let mut written = 0;
        for (kind, ids) in [("post", &self.posts), ("author", &self.authors)] {
            let of_kind: Vec<&Label> = self
                .labels
                .iter()
                .filter(|l| l.kind == kind && ids.contains(&crate::facts::hash128(&l.id)) && !l.value.is_empty())
                .collect();
            if !of_kind.is_empty() {
                written += of_kind.len() as u64;
                write_labels(&root.join(format!("labels_{kind}.csv")), kind, &of_kind)?;
            }
        }
        Ok(written)
    }
}

/// A table with a row an item and a column a label; a second value of a label takes a row of its own.
fn write_labels(path: &Path, kind: &str, labels: &[&Label]) -> Result<()> {
    let mut names: Vec<&str> = labels.iter().map(|l| l.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut sorted = labels.to_vec();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    crate::atomic::write(path, |out| {
        let refused = |e: csv::Error| Error::io(path, std::io::Error::other(e));
        let mut table = csv::Writer::from_writer(out as &mut dyn Write);
        let id = format!("{kind}_id");
        table.write_record(std::iter::once(id.as_str()).chain(names.iter().copied())).map_err(refused)?;
        for of_item in sorted.chunk_by(|a, b| a.id == b.id) {
            let mut rows: Vec<Vec<&str>> = Vec::new();
            for label in of_item {
                let column = 1 + names.binary_search(&label.name.as_str()).unwrap_or(0);
                let row = match rows.iter_mut().find(|row| row[column].is_empty()) {
                    Some(row) => row,
                    None => {
                        let mut row = vec![""; 1 + names.len()];
                        row[0] = &label.id;
                        rows.push(row);
                        let last = rows.len() - 1;
                        &mut rows[last]
                    }
                };
                row[column] = &label.value;
            }
            rows.iter().try_for_each(|row| table.write_record(row)).map_err(refused)?;
        }
        table.flush().at(path)
    })
}
