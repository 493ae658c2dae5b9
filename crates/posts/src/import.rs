//! Dumps in, a corpus out: streamed, every record accounted for, the folder whole or not at all.
//!
//! Records are read in order, parsed by all threads a batch at a time, and taken in in order again, so the corpus
//! does not depend on the number of threads. While a batch is parsed, the next one is read and the one before is taken
//! in: no thread waits for the disk or for another's turn. Copies of a post are merged as [`super::merge`] describes.

mod detect;
mod existing;
mod finish;
mod parsed;
mod take;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::parsed::{Lines, fill, parse};
use super::carry::{Carrier, Images};
use super::corpus::{Corpus, Label, Part};
use super::dump::{Dump, Member};
use super::facts::hash128;
use super::folder::{self, Source, Splits};
use super::forgotten;
use super::formats::{self, Format, Native, Notes};
use super::input::{Batch, RecordSource, Records};
use super::merge::Seen;
use super::owner::Owner;
use super::report::{FileReport, ImportReport, SourceReport};
use super::summary::Tally;
use super::table::{CsvRows, FieldMap, ParquetRows, is_parquet};
use super::writer::CorpusWriter;
use crate::error::{Error, Result};
use crate::progress::{Progress, Task};

/// How to import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Name of the format; `None` or `auto`: found out from each file's first objects.
    pub format: Option<String>,
    /// The first bad line ends the import.
    pub strict: bool,
    /// What becomes of image files.
    pub images: Images,
    /// The part of posts that the sources put in none.
    pub rest: Option<Part>,
    /// An existing corpus gives way; what it must keep out stays out.
    pub replace: bool,
    /// The posts of an existing corpus stay, and the new ones join them.
    pub add: bool,
    /// Which column of a table is which field of a post.
    pub fields: Arc<FieldMap>,
}

/// Imports files and folders (`-`: standard input) into the corpus folder `into`.
///
/// # Errors
/// If an input cannot be opened or its format is unknown, a table of parts or labels is bad, the disk refuses, a line is
/// bad with `strict`, or the person stops it. Then `into` is as it was.
pub fn import(
    inputs: &[PathBuf],
    options: &ImportOptions,
    into: &Path,
    progress: &dyn Progress,
) -> Result<ImportReport> {
    let format = match options.format.as_deref() {
        None | Some("auto") => None,
        Some(name) => Some(formats::by_name(name)?),
    };
    let sources = folder::sources(inputs, &options.fields)?;
    let sizes = sources.iter().flat_map(|s| &s.files).map(|f| std::fs::metadata(f).map(|m| m.len()).ok());
    let total = sizes.sum::<Option<u64>>();
    let task = progress.task("import", total, "bytes");
    let writer = CorpusWriter::create(into, false, options.replace || options.add)?;
    let old = if options.add && into.join("corpus.json").is_file() { Some(Corpus::open(into)?) } else { None };
    let carrier = Carrier::new(options.images, writer.root());
    let mut import = Import {
        options,
        format,
        progress,
        task,
        writer,
        broken: false,
        carrier,
        compares_texts: sources.len() > 1 || old.is_some(),
        existing: 0,
        old: Vec::new(),
        seen: Seen::default(),
        tally: Tally::default(),
        parts: Vec::new(),
        parts_changed: false,
        parts_conflict: 0,
        given: Given::default(),
        notes: Notes::default(),
        report: ImportReport::default(),
    };
    forgotten::read(into, |order| import.forget(&order))?;
    if let Some(old) = &old {
        import.existing(old, &sources)?;
    }
    for (number, source) in sources.iter().enumerate() {
        let number =
            u16::try_from(number).map_err(|_| Error::input("more than 65,535 sources").help("import fewer"))?;
        import.source(number, source)?;
    }
    if import.report.rows.read == 0 {
        let seen = import.report.problems.join("; ");
        let known: Vec<String> = formats::ALL.iter().map(|f| format!("{} ({})", f.name(), f.about())).collect();
        let help = if import.broken {
            "what is there of it cannot be read: get a whole copy".to_owned()
        } else {
            format!("formats are {}; name one with --format if it is not recognised", known.join(", "))
        };
        return Err(Error::input(format!("no posts to import: {seen}")).help(help));
    }
    import.finish(&sources, old.as_ref())
}

/// An import under way.
struct Import<'a> {
    options: &'a ImportOptions,
    format: Option<&'static dyn Format>,
    progress: &'a dyn Progress,
    task: Box<dyn Task>,
    writer: CorpusWriter,
    /// A file without records broke off.
    broken: bool,
    carrier: Carrier,
    /// Posts of one source are never told apart by their texts.
    compares_texts: bool,
    /// Rows that were in the corpus before.
    existing: u64,
    /// Labels that were in the corpus before.
    old: Vec<Label>,
    seen: Seen,
    tally: Tally,
    /// Part of each row.
    parts: Vec<Option<Part>>,
    /// A later copy brought a part to a row that is written already.
    parts_changed: bool,
    /// Posts whose copies are in different parts.
    parts_conflict: u64,
    given: Given,
    notes: Notes,
    report: ImportReport,
}

/// How far a file has been read.
struct Reading {
    bytes: Arc<AtomicU64>,
    shown: u64,
}

/// Labels that came with the posts.
#[derive(Default)]
struct Given {
    labels: Vec<(u16, Label)>,
    /// Hashes of what has one: the first stays.
    known: HashSet<u128>,
}

impl Given {
    fn add(&mut self, source: u16, label: Label) {
        if self.known.insert(hash128(&format!("{} {} {}", label.kind, label.name, label.id))) {
            self.labels.push((source, label));
        }
    }
}

/// A source being read.
struct Current<'a> {
    number: u16,
    source: &'a Source,
    /// Whose personal archive it is.
    owner: Option<Owner>,
    /// Format of the last file.
    format: Option<&'static dyn Format>,
    splits: Option<Splits>,
    /// Ids of `splits` that a post had.
    matched: HashSet<String>,
    native: bool,
}

impl Import<'_> {
    fn source(&mut self, number: u16, source: &Source) -> Result<()> {
        let splits = source.splits.as_deref().map(Splits::read).transpose()?;
        let owner = Owner::of(source);
        let mut current =
            Current { number, source, owner, format: None, splits, matched: HashSet::new(), native: false };
        let unread = source.unread.iter().map(|p| p.display().to_string()).collect();
        self.report.sources.push(SourceReport { name: source.name.clone(), unread, ..SourceReport::default() });
        for path in &source.files {
            self.file(&mut current, path)?;
        }
        let rows = current.splits.as_ref().map_or(0, |s| s.parts.len());
        if let Some(report) = self.report.sources.last_mut() {
            report.splits_unmatched = (rows - current.matched.len()) as u64;
        }
        Ok(())
    }

    fn file(&mut self, current: &mut Current, path: &Path) -> Result<()> {
        let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
        let mut reading = Reading { bytes: Arc::default(), shown: 0 };
        let mut file = FileReport { path: name, ..FileReport::default() };
        if is_parquet(path) {
            let mut rows = ParquetRows::open(path, self.options.fields.clone())?;
            file.add_format("parquet", false);
            let name = file.path.clone();
            self.records(current, &mut file, &name, &Native, &mut rows, Batch::default(), &mut reading)?;
            if let Some(source) = self.report.sources.last_mut() {
                source.files.push(file);
            }
            return Ok(());
        }
        let mut dump = Dump::open(path, &self.options.fields, reading.bytes.clone())?;
        while let Some((member, content)) = dump.next_member()? {
            self.member(current, &mut file, &member, content, &mut reading)?;
        }
        for what in &dump.troubles {
            let problem = format!("{}: {what}", file.path);
            if self.options.strict {
                return Err(Error::input(what.as_str()).at(path).help("without --strict what is whole is read"));
            }
            self.progress.note(&problem);
            self.report.problems.push(problem);
        }
        if let Some(source) = self.report.sources.last_mut() {
            source.unread.extend(dump.unread.iter().map(|member| format!("{}/{member}", file.path)));
            if !file.format.is_empty() {
                source.files.push(file);
            }
        }
        Ok(())
    }

    /// Reads a member of an archive, or a file that is none, whose name is empty.
    fn member(
        &mut self,
        current: &mut Current,
        file: &mut FileReport,
        member: &str,
        content: Member<'_>,
        reading: &mut Reading,
    ) -> Result<()> {
        let name = if member.is_empty() { file.path.clone() } else { format!("{}/{member}", file.path) };
        let mut content = content;
        let among_others = current.source.folder || !member.is_empty();
        if self.is_table(&mut content) {
            let mut rows = CsvRows::new(content, self.options.fields.clone()).map_err(|e| e.at(Path::new(&name)))?;
            file.add_format("csv", !member.is_empty());
            return self.records(current, file, &name, &Native, &mut rows, Batch::default(), reading);
        }
        let mut records = Records::new(content);
        let mut head = Batch::default();
        let Some(format) = self.find_format(&mut records, &mut head, Path::new(&name), among_others, current.format)?
        else {
            self.pass_over(name, &head, among_others, records.failure());
            return Ok(());
        };
        file.add_format(format.name(), !member.is_empty());
        self.records(current, file, &name, format, &mut records, head, reading)
    }

    /// Takes in the records of a file or member, of which `batch` holds the first.
    #[expect(clippy::too_many_arguments, reason = "what is read, where from and where it is accounted for")]
    fn records(
        &mut self,
        current: &mut Current,
        file: &mut FileReport,
        name: &str,
        format: &'static dyn Format,
        records: &mut dyn RecordSource,
        mut batch: Batch,
        reading: &mut Reading,
    ) -> Result<()> {
        current.native = format.name() == "native";
        current.format = Some(format);
        fill(&mut batch, records);
        let owner = current.owner.clone();
        let from = Lines { source: current.source.name.as_str(), owner: owner.as_ref() };
        let (with_text, before) = (self.compares_texts, file.read);
        let (mut next, mut parsed) = (Batch::default(), Vec::new());
        while !batch.is_empty() || !parsed.is_empty() {
            if self.progress.interrupted() {
                return Err(Error::interrupted("import stopped; nothing was written"));
            }
            let before = std::mem::take(&mut parsed);
            let ((), (made, taken)) = rayon::join(
                || fill(&mut next, records),
                || {
                    rayon::join(
                        || parse(format, &batch, from, with_text),
                        || self.take_all(current, file, name, before),
                    )
                },
            );
            taken?;
            parsed = made;
            std::mem::swap(&mut batch, &mut next);
            next.clear();
            let now = reading.bytes.load(Ordering::Relaxed);
            self.task.advance(now - std::mem::replace(&mut reading.shown, now));
        }
        if file.read == before {
            self.report.problems.push(format!("{name} holds no records"));
        }
        if let Some(failure) = records.failure() {
            let problem = format!("{name} breaks off after {} records: {failure}", file.read - before);
            if self.options.strict {
                let help = "without --strict what was read before it is kept";
                return Err(Error::input(failure).at(Path::new(name)).help(help));
            }
            self.progress.note(&problem);
            self.report.problems.push(problem);
        }
        Ok(())
    }
}
