//! "Here are posts, give me something other programs read": JSON Lines, a Parquet table, a folder for `datasets`.
//!
//! Posts are streamed: what is in memory is a few thousand of them, the parts and labels of the corpus, and with images
//! packed in some 32 MB of those for each split. Everything is made beside its place and moved there whole at the end: an
//! export that was stopped leaves what was there before, and is begun anew. What `forgotten.csv` names is in no export, and
//! the file itself in none either: it would tell others who deleted what.

mod card;
mod columns;
mod hugging;
mod images;
mod lines;
mod select;
mod table;
pub mod target;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::{Corpus, Part, Post};

pub use images::{ExportImages, ImagesOut};
pub use select::{Sample, Selection, part, sample, time};
use target::About;

/// Posts read at a time.
const ROWS: usize = 4096;

/// A post that leaves, and its part.
type Picked = (Post, Option<Part>);

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// JSON Lines of our own format: a file of posts, or a folder that imports again as the same corpus.
    Jsonl,
    /// One Parquet table.
    Parquet,
    /// A folder that the Python package `datasets` reads.
    HuggingFace,
}

impl FromStr for ExportFormat {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "jsonl" => Ok(ExportFormat::Jsonl),
            "parquet" => Ok(ExportFormat::Parquet),
            "huggingface" => Ok(ExportFormat::HuggingFace),
            _ => Err(Error::config(format!("`{s}` is no format of an export"))
                .help("formats are jsonl, parquet, huggingface")),
        }
    }
}

impl ExportFormat {
    /// The format that a place's name asks for: `.parquet` is a table, everything else JSON Lines.
    pub fn of(place: &Path) -> ExportFormat {
        let parquet = place.extension().is_some_and(|e| e == "parquet");
        if parquet { ExportFormat::Parquet } else { ExportFormat::Jsonl }
    }
}

/// How to export.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// What is written; `None`: as the place's name asks for.
    pub format: Option<ExportFormat>,
    /// Which posts.
    pub selection: Selection,
    /// Which columns of a table; `None`: all.
    pub columns: Option<Vec<String>>,
    /// What becomes of image files; `None`: copied into a folder of lines, packed in for `datasets`, linked otherwise.
    pub images: Option<ExportImages>,
    /// An earlier export gives way.
    pub replace: bool,
    /// About the largest size of a shard in bytes.
    pub shard_bytes: u64,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            format: None,
            selection: Selection::default(),
            columns: None,
            images: None,
            replace: false,
            shard_bytes: hugging::SHARD_BYTES,
        }
    }
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExportReport {
    /// Where it is.
    pub into: String,
    /// What was written.
    pub format: Option<ExportFormat>,
    /// Whether the posts are synthetic.
    pub synthetic: bool,
    /// Posts written.
    pub posts: u64,
    /// Posts of the corpus.
    pub of: u64,
    /// Posts of the corpus left out because its `forgotten.csv` names them or their authors.
    pub forgotten: u64,
    /// Posts written, by part.
    pub parts: BTreeMap<Part, u64>,
    /// Posts written, by language; "" is unknown.
    pub languages: BTreeMap<String, u64>,
    /// The filters, in words.
    pub selection: Vec<String>,
    /// Columns of a table.
    pub columns: Vec<String>,
    /// Labels written as tables.
    pub labels: u64,
    /// Values of labels beyond the first of an item, for which a column has no room.
    pub surplus_labels: u64,
    /// Image files.
    pub images: ImagesOut,
    /// Files written but images, with their sizes in bytes.
    pub files: BTreeMap<String, u64>,
    /// Size of everything written, in bytes.
    pub bytes: u64,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// Something that posts are written to.
trait Output {
    /// Writes posts.
    fn take(&mut self, posts: Vec<Picked>) -> Result<()>;
    /// Whether nobody wants more.
    fn done(&self) -> bool {
        false
    }
    /// Puts everything in its place and fills in the report.
    fn finish(self: Box<Self>, report: &mut ExportReport, about: &About) -> Result<()>;
}

fn stopped() -> Error {
    Error::interrupted("export stopped; nothing was written")
}

/// Exports posts of `corpus` to `into`: a file, a folder, or `-` for JSON Lines on standard output.
///
/// # Errors
/// If the corpus cannot be read, no post is selected, options do not go together, `into` is in use, the disk refuses, or
/// the person stops it. Then `into` is as it was.
pub fn export(corpus: &Corpus, options: &ExportOptions, into: &Path, progress: &dyn Progress) -> Result<ExportReport> {
    let parts = corpus.parts()?;
    let format = options.format.unwrap_or_else(|| ExportFormat::of(into));
    let mut output = output(corpus, options, format, into, !parts.is_empty())?;
    let mut selector = options.selection.prepare(corpus, &parts, progress)?;
    let manifest = corpus.manifest();
    let mut report = ExportReport {
        into: into.display().to_string(),
        format: Some(format),
        synthetic: manifest.synthetic,
        of: corpus.len() as u64,
        selection: options.selection.in_words(),
        ..ExportReport::default()
    };
    let task = progress.task("export", Some(corpus.len() as u64), "posts");
    for chunk in corpus.chunks(ROWS)? {
        if progress.interrupted() {
            return Err(stopped());
        }
        let chunk = chunk?;
        let read = chunk.len() as u64;
        let mut picked = Vec::with_capacity(chunk.len());
        for mut post in chunk {
            let part = parts.get(&post.id).copied();
            if selector.takes(&mut post, part) {
                report.count(&post, part);
                picked.push((post, part));
            }
        }
        output.take(picked)?;
        task.advance(read);
        if output.done() {
            break;
        }
    }
    drop(task);
    report.forgotten = selector.forgotten;
    if report.posts == 0 {
        return Err(selector.nothing().at(corpus.root()));
    }
    let about = About {
        made_by: target::MADE_BY.to_owned(),
        format: format.name().to_owned(),
        name: manifest.name.clone(),
        synthetic: manifest.synthetic,
        split: manifest.split.clone(),
        selection: report.selection.clone(),
        posts: report.posts,
    };
    output.finish(&mut report, &about)?;
    report.remark(!parts.is_empty(), corpus.root().join("labels.csv").is_file());
    Ok(report)
}

impl ExportFormat {
    /// The name of the option.
    pub fn name(self) -> &'static str {
        match self {
            ExportFormat::Jsonl => "jsonl",
            ExportFormat::Parquet => "parquet",
            ExportFormat::HuggingFace => "huggingface",
        }
    }
}

/// The output that the options ask for.
fn output(
    corpus: &Corpus,
    options: &ExportOptions,
    format: ExportFormat,
    into: &Path,
    divided: bool,
) -> Result<Box<dyn Output>> {
    use ExportImages::{Copy, Embed, Link, None as Without};
    let stdout = into == Path::new("-");
    let name = into.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let file = [".jsonl", ".ndjson", ".json"]
        .iter()
        .any(|end| name.trim_end_matches(".gz").trim_end_matches(".zst").ends_with(end));
    let (usual, allowed): (ExportImages, &[ExportImages]) = match format {
        ExportFormat::Jsonl if file || stdout => (Link, &[Link, Without]),
        ExportFormat::Jsonl => (Copy, &[Copy, Link, Without]),
        ExportFormat::Parquet => (Link, &[Link, Without]),
        ExportFormat::HuggingFace => (Embed, &[Embed, Link, Without]),
    };
    let images = options.images.unwrap_or(usual);
    if !allowed.contains(&images) {
        let ways: Vec<&str> = allowed.iter().map(|w| w.name()).collect();
        let what = format!("images cannot be brought along by `{}` in this form of export", images.name());
        return Err(Error::config(what).help(format!("here the ways are {}", ways.join(", "))));
    }
    if format == ExportFormat::Jsonl && options.columns.is_some() {
        return Err(Error::config("JSON Lines have no columns to choose from")
            .help("leave out --columns, or write a table: --into FILE.parquet"));
    }
    if stdout && format != ExportFormat::Jsonl {
        return Err(Error::config("only JSON Lines go to standard output").help("name a file or folder with --into"));
    }
    let columns = options.columns.as_deref();
    let replace = options.replace;
    Ok(match format {
        ExportFormat::Jsonl if stdout => Box::new(lines::Lines::stdout(corpus, images)?),
        ExportFormat::Jsonl if file => Box::new(lines::Lines::file(corpus, images, into, replace)?),
        ExportFormat::Jsonl => Box::new(lines::Lines::folder(corpus, images, into, replace)?),
        ExportFormat::Parquet => Box::new(table::Table::create(corpus, columns, images, into, replace)?),
        ExportFormat::HuggingFace => {
            let bytes = options.shard_bytes;
            Box::new(hugging::Hugging::create(corpus, columns, images, divided, into, replace, bytes)?)
        }
    })
}

impl ExportReport {
    fn count(&mut self, post: &Post, part: Option<Part>) {
        self.posts += 1;
        if let Some(part) = part {
            *self.parts.entry(part).or_default() += 1;
        }
        crate::formats::count_name(&mut self.languages, post.lang.as_deref().unwrap_or(""), 1);
    }

    /// Says what did not come along.
    fn remark(&mut self, divided: bool, labelled: bool) {
        let alone = self.format == Some(ExportFormat::Jsonl) && !self.files.contains_key("posts.jsonl.gz");
        if alone && (divided || labelled) {
            self.notes.push("a file of lines holds posts without parts and labels; name a folder to keep them".into());
        }
        if self.forgotten > 0 {
            self.notes.push(format!(
                "{} posts are left out: forgotten.csv names them; the next import with --add takes them out",
                self.forgotten
            ));
        }
        if self.images.missing > 0 {
            self.notes.push(format!("{} image files are missing; `quintet check` names some", self.images.missing));
        }
        if self.surplus_labels > 0 {
            self.notes.push(format!(
                "{} labels are left out: their post or author has another value of the same label already",
                self.surplus_labels
            ));
        }
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let synthetic = if self.synthetic { "synthetic posts" } else { "posts" };
        writeln!(f, "{} of {} {synthetic} in {} ({:.1} MB)", self.posts, self.of, self.into, self.bytes as f64 / 1e6)?;
        if !self.selection.is_empty() {
            writeln!(f, "selected  {}", self.selection.join("; "))?;
        }
        if !self.parts.is_empty() {
            let none = self.posts - self.parts.values().sum::<u64>();
            let parts: Vec<String> = self.parts.iter().map(|(part, n)| format!("{part} {n}")).collect();
            let none = if none > 0 { format!(", none {none}") } else { String::new() };
            writeln!(f, "parts     {}{none}", parts.join(", "))?;
        }
        if self.labels > 0 {
            writeln!(f, "labels    {}", self.labels)?;
        }
        if self.images != ImagesOut::default() {
            writeln!(f, "images    {} taken, {} missing", self.images.taken, self.images.missing)?;
        }
        for (name, bytes) in &self.files {
            writeln!(f, "- {name} ({bytes} bytes)")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}
