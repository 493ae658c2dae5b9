//! A whole corpus into a file of vectors: in chunks, in bounded memory, resumable.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::numpy::{MatrixWriter, id_line};
use super::parts::Parts;
use super::table::{self, Embedded, Meta};
use super::vectors::{embed_posts, model_id};
use crate::atomic;
use crate::component::{Component, PerComponent};
use crate::error::{AtPath, Error, Result};
use crate::posts::{Corpus, Part};
use crate::progress::Progress;
use crate::train::ModelFolder;

/// How to embed a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Store half-precision numbers: half the size, each number off by at most 1 part in 2,048.
    pub f16: bool,
    /// Components to embed; empty: all the model has. The average is over these.
    pub components: Vec<Component>,
    /// Only posts of this part; `None`: every post.
    pub part: Option<Part>,
    /// Posts per chunk: the unit of resuming and of memory, about 50 MB of vectors at full size.
    pub chunk: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { f16: false, components: Vec::new(), part: None, chunk: 2048 }
    }
}

/// What [`embed_corpus`] did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Rows written: one a post.
    pub posts: u64,
    /// Posts with all, some, none of the components.
    pub complete: u64,
    /// Posts with some of the components.
    pub partial: u64,
    /// Posts with none; their row has a status and no vector.
    pub none: u64,
    /// Posts per status, for each component embedded: `("image", [("present", 10), ("broken", 1)])`.
    pub statuses: Vec<(Component, Vec<(String, u64)>)>,
    /// Posts that an earlier, stopped run had finished.
    pub resumed: u64,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Embeds every post of `corpus` into `into`: Parquet ([`table`]) or, by the extension `.npy`, a matrix
/// ([`super::numpy`]). Rows out = rows in, in corpus order. The file appears when it is whole; until then finished chunks
/// stay in a hidden folder beside it, from which the same command goes on. Space on disk is needed twice for a moment.
///
/// # Errors
/// If the extension is neither, the model lacks a component asked for, a file cannot be read or written, or the person
/// stops the work (what is finished is kept).
pub fn embed_corpus(
    corpus: &Corpus,
    model: &ModelFolder,
    into: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Summary> {
    let begin = Instant::now();
    let form = Form::of(into)?;
    let meta = meta(corpus, model, options)?;
    let parts = Parts::open(into, &key(corpus, &meta, options, model.network.device().name())?)?;
    let (chunks, resumed) = embed_chunks(corpus, model, &meta, options, &parts, progress)?;
    let mut summary = match form {
        Form::Parquet => merge_parquet(&parts, chunks, &meta, into)?,
        Form::Numpy => merge_numpy(&parts, chunks, &meta, into)?,
    };
    parts.remove()?;
    summary.resumed = resumed;
    summary.seconds = begin.elapsed().as_secs_f64();
    Ok(summary)
}

enum Form {
    Parquet,
    Numpy,
}

impl Form {
    fn of(path: &Path) -> Result<Form> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("parquet") => Ok(Form::Parquet),
            Some("npy") => Ok(Form::Numpy),
            _ => Err(Error::input("the name of the file does not say its form")
                .at(path)
                .help("end it with .parquet (a column per component) or .npy (one matrix)")),
        }
    }
}

fn meta(corpus: &Corpus, model: &ModelFolder, options: &Options) -> Result<Meta> {
    let has = &model.config.components;
    if let Some(c) = options.components.iter().find(|c| !has.contains(c)) {
        let names: Vec<&str> = has.iter().map(|c| c.name()).collect();
        return Err(
            Error::input(format!("the model has no component {c}")).help(format!("it has {}", names.join(", ")))
        );
    }
    let asked = |c: &Component| has.contains(c) && (options.components.is_empty() || options.components.contains(c));
    Ok(Meta {
        model: model_id(model),
        corpus: corpus.manifest().name.clone(),
        synthetic: corpus.manifest().synthetic,
        components: Component::ALL.into_iter().filter(asked).collect(),
        dim: model.network.dim(),
        f16: options.f16,
    })
}

/// Everything that decides the bytes of a part, hashed: 32 hex digits.
fn key(corpus: &Corpus, meta: &Meta, options: &Options, device: &str) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{meta:?} {options:?} {device}").as_bytes());
    let mut add = |name: &str| {
        let path = corpus.root().join(name);
        File::open(&path).and_then(|mut file| io::copy(&mut file, &mut hasher)).map(drop).at(path)
    };
    add("posts.parquet")?;
    if options.part.is_some() && corpus.root().join("splits.csv").exists() {
        add("splits.csv")?;
    }
    Ok(hasher.finalize().to_hex()[..32].to_string())
}

/// Embeds every chunk that is not finished; the number of chunks, and of posts finished before.
fn embed_chunks(
    corpus: &Corpus,
    model: &ModelFolder,
    meta: &Meta,
    options: &Options,
    parts: &Parts,
    progress: &dyn Progress,
) -> Result<(usize, u64)> {
    let part_of = corpus.parts()?;
    // Authors outside the mention graph are inferred from their mentions in the whole corpus: one pass, not one a chunk.
    let inferred = model.fitted.inferred_users(corpus, progress)?;
    // Opened once: opening checks every image of the corpus.
    let mut images = None;
    let (mut chunks, mut resumed) = (0, 0);
    let task = progress.task("posts", Some(corpus.len() as u64), "posts");
    for posts in corpus.chunks(options.chunk.max(1))? {
        let mut posts = posts?;
        let read = posts.len() as u64;
        if let Some(part) = options.part {
            posts.retain(|post| part_of.get(&post.id) == Some(&part));
        }
        if parts.has(chunks) {
            resumed += posts.len() as u64;
        } else {
            if progress.interrupted() {
                return Err(stopped());
            }
            let dataset = model.fitted.numbers_with(corpus, &posts, &part_of, &inferred, &mut images, progress)?;
            let indices: Vec<usize> = (0..dataset.len()).collect();
            let embeddings =
                embed_posts(model, &dataset, &indices, &meta.components, &Quiet(progress)).map_err(|_| stopped())?;
            if dataset.len() != posts.len() {
                return Err(Error::internal(format!("{} posts gave {} rows", posts.len(), dataset.len())));
            }
            let posts = Embedded { ids: dataset.ids, status: dataset.status, embeddings };
            parts.write(chunks, meta, &posts)?;
        }
        task.advance(read);
        chunks += 1;
    }
    Ok((chunks, resumed))
}

fn stopped() -> Error {
    Error::interrupted("stopped; finished chunks are kept").help("run the same command again to go on")
}

/// Passes on the wish to stop and shows nothing: chunks have one bar for all.
struct Quiet<'a>(&'a dyn Progress);

impl Progress for Quiet<'_> {
    fn task(&self, label: &str, total: Option<u64>, unit: &'static str) -> Box<dyn crate::progress::Task> {
        crate::progress::Silent::default().task(label, total, unit)
    }
    fn note(&self, line: &str) {
        self.0.note(line);
    }
    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}

pub(super) fn merge_parquet(parts: &Parts, chunks: usize, meta: &Meta, into: &Path) -> Result<Summary> {
    let mut counts = Counts::default();
    atomic::write(into, |out| {
        let mut writer = meta.writer(out, into)?;
        parts.each_group(chunks, |rows| {
            counts.add(rows, meta)?;
            writer.write(rows).map_err(|e| table::parquet_error(into, e))
        })?;
        writer.close().map_err(|e| table::parquet_error(into, e))?;
        Ok(())
    })?;
    Ok(counts.summary(meta))
}

pub(super) fn merge_numpy(parts: &Parts, chunks: usize, meta: &Meta, into: &Path) -> Result<Summary> {
    let mut counts = Counts::default();
    let ids = into.with_extension("ids.txt");
    atomic::write(&ids, |out| {
        parts.each_group(chunks, |rows| {
            for id in table::strings_of(rows, "id")?.iter().flatten() {
                out.write_all(id_line(id)?.as_bytes()).at(&ids)?;
            }
            Ok(())
        })
    })?;
    let rows = parts.rows(chunks)?;
    atomic::write(into, |out| {
        let mut matrix = MatrixWriter::new(out, into, rows, meta.dim, meta.f16)?;
        parts.each_group(chunks, |rows| {
            counts.add(rows, meta)?;
            table::vectors_of(rows, "average", meta.dim)?.iter().try_for_each(|row| matrix.push(row.as_deref()))
        })
    })?;
    Ok(counts.summary(meta))
}

/// Posts per status, collected while merging, so that resumed chunks count too.
#[derive(Default)]
struct Counts {
    overall: std::collections::BTreeMap<String, u64>,
    statuses: PerComponent<std::collections::BTreeMap<String, u64>>,
}

impl Counts {
    fn add(&mut self, rows: &arrow::array::RecordBatch, meta: &Meta) -> Result<()> {
        for status in table::strings_of(rows, "status")?.iter().flatten() {
            *self.overall.entry(status.into()).or_default() += 1;
        }
        for &c in &meta.components {
            for status in table::strings_of(rows, &format!("{c}_status"))?.iter().flatten() {
                *self.statuses[c].entry(status.into()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn summary(self, meta: &Meta) -> Summary {
        let of = |name: &str| self.overall.get(name).copied().unwrap_or(0);
        Summary {
            posts: self.overall.values().sum(),
            complete: of("complete"),
            partial: of("partial"),
            none: of("none"),
            statuses: meta.components.iter().map(|&c| (c, self.statuses[c].clone().into_iter().collect())).collect(),
            ..Summary::default()
        }
    }
}
