//! Dumps in, a corpus out: streamed, every record accounted for, the folder whole or not at all.
//!
//! Records are read in order, parsed by all threads a batch at a time, and taken in in order again, so the corpus
//! does not depend on the number of threads. While a batch is parsed, the next one is read and the one before is taken
//! in: no thread waits for the disk or for another's turn. Copies of a post are merged as [`super::merge`] describes.

use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::carry::{Carrier, Images};
use super::corpus::{Label, Part};
use super::facts::Facts;
use super::folder::{self, Keyed, Source, Splits};
use super::formats::{self, Format, Found, Notes, Record};
use super::input::{self, Batch, Records};
use super::merge::{Origin, Placed, Seen};
use super::post::Post;
use super::report::{FileReport, ImportReport, Rejected, SourceReport};
use super::summary::Tally;
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
    /// An existing corpus gives way.
    pub replace: bool,
}

/// Rejected lines kept with their reasons.
const MAX_REJECTED: usize = 1000;
/// Records looked at to find a file's format.
const DETECT_RECORDS: usize = 100;
/// A batch ends at this many records or bytes; it bounds what is in memory at once.
const BATCH_RECORDS: usize = 4096;
const BATCH_BYTES: usize = 8 << 20;
/// Records a thread parses at a time.
const CHUNK: usize = 64;

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
    let sources = folder::sources(inputs)?;
    let sizes = sources.iter().flat_map(|s| &s.files).map(|f| std::fs::metadata(f).map(|m| m.len()).ok());
    let total = sizes.sum::<Option<u64>>();
    let task = progress.task("import", total, "bytes");
    let writer = CorpusWriter::create(into, false, options.replace)?;
    let carrier = Carrier::new(options.images, writer.root());
    let mut import = Import {
        options,
        format,
        progress,
        task,
        writer,
        carrier,
        compares_texts: sources.len() > 1,
        seen: Seen::default(),
        tally: Tally::default(),
        parts: Vec::new(),
        parts_changed: false,
        parts_conflict: 0,
        notes: Notes::default(),
        report: ImportReport::default(),
    };
    for (number, source) in sources.iter().enumerate() {
        let number =
            u16::try_from(number).map_err(|_| Error::input("more than 65,535 sources").help("import fewer"))?;
        import.source(number, source)?;
    }
    if import.report.rows.read == 0 {
        let seen = import.report.problems.join("; ");
        let known: Vec<String> = formats::ALL.iter().map(|f| format!("{} ({})", f.name(), f.about())).collect();
        let help = format!("formats are {}; name one with --format if it is not recognised", known.join(", "));
        return Err(Error::input(format!("no posts to import: {seen}")).help(help));
    }
    import.finish(&sources)
}

/// An import under way.
struct Import<'a> {
    options: &'a ImportOptions,
    format: Option<&'static dyn Format>,
    progress: &'a dyn Progress,
    task: Box<dyn Task>,
    writer: CorpusWriter,
    carrier: Carrier,
    /// Posts of one source are never told apart by their texts.
    compares_texts: bool,
    seen: Seen,
    tally: Tally,
    /// Part of each row.
    parts: Vec<Option<Part>>,
    /// A later copy brought a part to a row that is written already.
    parts_changed: bool,
    /// Posts whose copies are in different parts.
    parts_conflict: u64,
    notes: Notes,
    report: ImportReport,
}

/// A source being read.
struct Current<'a> {
    number: u16,
    source: &'a Source,
    splits: Option<Splits>,
    /// Ids of `splits` that a post had.
    matched: HashSet<String>,
    native: bool,
}

/// What a thread made of some lines.
#[derive(Default)]
struct Parsed {
    records: Vec<Made>,
    notes: Notes,
}

/// A record with what threads can find out about its posts.
struct Made {
    line: u64,
    record: Record,
    facts: Facts,
    /// Facts about the posts it quotes.
    quoted: Vec<Facts>,
}

impl Import<'_> {
    fn source(&mut self, number: u16, source: &Source) -> Result<()> {
        let splits = source.splits.as_deref().map(Splits::read).transpose()?;
        let mut current = Current { number, source, splits, matched: HashSet::new(), native: false };
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
        let bytes = Arc::new(AtomicU64::new(0));
        let mut records = Records::new(input::open(path, bytes.clone())?);
        let mut batch = Batch::default();
        let Some(format) = self.find_format(&mut records, &mut batch, path, current.source.folder)? else {
            self.pass_over(name, &batch);
            return Ok(());
        };
        current.native = format.name() == "native";
        let mut file = FileReport { path: name, format: format.name().to_owned(), ..FileReport::default() };
        fill(&mut batch, &mut records);
        let (source, with_text) = (current.source.name.as_str(), self.compares_texts);
        let mut shown = 0;
        let (mut next, mut parsed) = (Batch::default(), Vec::new());
        while !batch.is_empty() || !parsed.is_empty() {
            if self.progress.interrupted() {
                return Err(Error::interrupted("import stopped; nothing was written"));
            }
            let before = std::mem::take(&mut parsed);
            let ((), (made, taken)) = rayon::join(
                || fill(&mut next, &mut records),
                || {
                    rayon::join(
                        || parse(format, &batch, source, with_text),
                        || self.take_all(current, &mut file, before),
                    )
                },
            );
            taken?;
            parsed = made;
            std::mem::swap(&mut batch, &mut next);
            next.clear();
            let now = bytes.load(Ordering::Relaxed);
            self.task.advance(now - std::mem::replace(&mut shown, now));
        }
        if file.read == 0 {
            self.report.problems.push(format!("{} holds no records", file.path));
        }
        if let Some(failure) = records.failure() {
            let problem = format!("{} breaks off after {} records: {failure}", file.path, file.read);
            if self.options.strict {
                return Err(Error::input(failure).at(path).help("without --strict what was read before it is kept"));
            }
            self.progress.note(&problem);
            self.report.problems.push(problem);
        }
        if let Some(source) = self.report.sources.last_mut() {
            source.files.push(file);
        }
        Ok(())
    }

    /// The format of a file from its first records, which end up in `head`; `None` for a file that holds no posts.
    /// With a format given nothing is read.
    fn find_format(
        &self,
        records: &mut Records<impl BufRead>,
        head: &mut Batch,
        path: &Path,
        in_folder: bool,
    ) -> Result<Option<&'static dyn Format>> {
        if self.format.is_some() {
            return Ok(self.format);
        }
        while head.len() < DETECT_RECORDS && records.read_into(head) {
            let (_, text) = head.get(head.len() - 1);
            let format = text.ok().and_then(|t| formats::parse(t).ok()).and_then(|o| formats::detect(&o));
            if format.is_some() {
                return Ok(format);
            }
        }
        if head.is_empty() || in_folder {
            return Ok(None);
        }
        let reason = (0..head.len()).find_map(|at| match head.get(at).1 {
            Ok(text) => formats::parse(text).err(),
            Err(reason) => Some(reason.to_owned()),
        });
        let because = reason.map_or(String::new(), |r| format!(" (the first trouble: {r})"));
        let known: Vec<&str> = formats::ALL.iter().map(|f| f.name()).collect();
        Err(Error::input(format!("no known format in its first {} records{because}", head.len()))
            .at(path)
            .help(format!("name it with --format; formats are {}", known.join(", "))))
    }

    /// Accounts for a file without posts.
    fn pass_over(&mut self, name: String, head: &Batch) {
        let what = if head.is_empty() { "holds no records" } else { "holds no posts of a known format; passed over" };
        self.report.problems.push(format!("{name} {what}"));
        if let Some(source) = self.report.sources.last_mut() {
            source.unread.push(name);
        }
    }

    fn take_all(&mut self, current: &mut Current, file: &mut FileReport, parsed: Vec<Parsed>) -> Result<()> {
        for Parsed { records, notes } in parsed {
            self.notes.merge(notes);
            for made in records {
                self.take(current, file, made)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, current: &mut Current, file: &mut FileReport, made: Made) -> Result<()> {
        file.read += 1;
        self.report.rows.read += 1;
        match made.record {
            Record::Post(found) => self.found(current, *found, &made.facts, &made.quoted)?,
            Record::Delete(id) => {
                self.seen.delete(&id);
                self.message("delete");
            }
            Record::ScrubGeo { author, up_to } => {
                self.seen.scrub(author, &up_to);
                self.message("scrub_geo");
            }
            Record::Message(kind) => self.message(&kind),
            Record::Rejected(reason) => self.reject(file, made.line, reason)?,
        }
        Ok(())
    }

    fn message(&mut self, kind: &str) {
        self.report.rows.messages += 1;
        formats::count_name(&mut self.report.messages, kind, 1);
    }

    fn reject(&mut self, file: &mut FileReport, line: u64, reason: String) -> Result<()> {
        if self.options.strict {
            let help = "repair the line, or leave out --strict to lose only this line";
            return Err(Error::input(reason).at_line(Path::new(&file.path), line).help(help));
        }
        file.rejected += 1;
        self.report.rows.rejected += 1;
        if self.report.rejected.len() < MAX_REJECTED {
            self.report.rejected.push(Rejected { file: file.path.clone(), line, reason });
        }
        Ok(())
    }

    fn found(&mut self, current: &mut Current, found: Found, facts: &Facts, quoted: &[Facts]) -> Result<()> {
        let rows = &mut self.report.rows;
        rows.reposts += u64::from(found.repost);
        match self.place(current, found.post, facts)? {
            Placed::New(_) => self.report.rows.imported += 1,
            Placed::Merged(_) => self.report.rows.merged += 1,
        }
        for (post, facts) in found.quoted.into_iter().zip(quoted) {
            if let Placed::New(_) = self.place(current, post, facts)? {
                self.report.rows.quoted += 1;
            }
        }
        Ok(())
    }

    fn place(&mut self, current: &mut Current, mut post: Post, facts: &Facts) -> Result<Placed> {
        let part = self.part_of(current, &post);
        self.carrier.carry(&mut post.images, current.source)?;
        let origin = Origin { source: current.number, name: &current.source.name, native: current.native };
        let placed = self.seen.place(&mut post, facts, origin);
        match placed {
            Placed::New(_) => {
                self.tally.add(&post, facts);
                self.parts.push(part);
                self.writer.push(post, part.or(self.options.rest))?;
            }
            Placed::Merged(row) => {
                let known = &mut self.parts[row as usize];
                match (*known, part) {
                    (None, Some(_)) => {
                        *known = part;
                        self.parts_changed = true;
                    }
                    (Some(a), Some(b)) if a != b => self.parts_conflict += 1,
                    _ => {}
                }
            }
        }
        Ok(placed)
    }

    fn part_of(&self, current: &mut Current, post: &Post) -> Option<Part> {
        let splits = current.splits.as_ref()?;
        let part = splits.part_of(post)?;
        let id = match splits.keyed {
            Keyed::Post => &post.id,
            Keyed::Author => &post.author.as_ref()?.id,
        };
        if !current.matched.contains(id) {
            current.matched.insert(id.clone());
        }
        Some(part)
    }

    fn finish(mut self, sources: &[Source]) -> Result<ImportReport> {
        if self.seen.needs_revision() || self.parts_changed {
            let mut tally = Tally::default();
            let (seen, parts, rest) = (&self.seen, &self.parts, self.options.rest);
            self.writer.revise(|row, post| {
                let stays = seen.revise(row, post);
                stays.then(|| {
                    tally.add(post, &Facts::of(post, false));
                    parts[row as usize].or(rest)
                })
            })?;
            self.tally = tally;
        }
        self.labels(sources)?;
        self.report.rows.deleted = self.seen.deletes_honoured();
        self.report.summary = self.tally.summary();
        self.report.images = self.carrier.carried.clone();
        self.report.ignored_fields = self.notes.ignored;
        self.report.unusable_fields = self.notes.unusable;
        let problems = &mut self.report.problems;
        if self.parts_conflict > 0 {
            problems.push(format!(
                "{} copies of posts are in another part than the first copy, which counts",
                self.parts_conflict
            ));
        }
        if self.seen.renamed() > 0 {
            problems.push(format!(
                "{} posts had the id of another post of another source and were renamed SOURCE/ID",
                self.seen.renamed()
            ));
        }
        if sources.iter().any(|s| s.splits.is_some()) {
            self.writer.manifest_mut().split = Some(match self.options.rest {
                Some(part) => format!("from the sources' files; rest: {part}"),
                None => "from the sources' files".to_owned(),
            });
        } else if let Some(part) = self.options.rest {
            self.writer.manifest_mut().split = Some(format!("all in {part}"));
        }
        if sources.iter().any(|s| s.export.as_ref().is_some_and(|e| e.synthetic)) {
            self.writer.manifest_mut().synthetic = true;
        }
        // Parts of an export taken as they are were made by the rule of its corpus.
        if let ([Source { export: Some(export), splits: Some(_), .. }], None) = (sources, self.options.rest) {
            self.writer.manifest_mut().split = export.split.clone();
        }
        let corpus = self.writer.finish()?;
        for part in corpus.parts()?.into_values() {
            *self.report.parts.entry(part).or_default() += 1;
        }
        self.report.no_part = self.report.summary.posts - self.report.parts.values().sum::<u64>();
        Ok(self.report)
    }

    /// Brings the labels along. A name that several sources use for the same kind is qualified: `pan19.label`.
    fn labels(&mut self, sources: &[Source]) -> Result<()> {
        let mut users: BTreeMap<(&'static str, String), HashSet<&str>> = BTreeMap::new();
        for source in sources {
            for path in &source.labels {
                let (keyed, names) = folder::label_names(path)?;
                for name in names {
                    users.entry((keyed.kind(), name)).or_default().insert(&source.name);
                }
            }
        }
        let shared: HashSet<(&str, &str)> =
            users.iter().filter(|(_, by)| by.len() > 1).map(|((kind, name), _)| (*kind, name.as_str())).collect();
        for (number, source) in sources.iter().enumerate() {
            for path in &source.labels {
                for mut label in folder::read_labels(path)? {
                    let id = match label.kind.as_str() {
                        "author" => self.tally.has_author(&label.id).then(|| label.id.clone()),
                        _ => self.seen.final_id(number as u16, &label.id),
                    };
                    let Some(id) = id else {
                        self.report.labels_unmatched += 1;
                        continue;
                    };
                    if shared.contains(&(label.kind.as_str(), label.name.as_str())) {
                        label.name = format!("{}.{}", source.name, label.name);
                    }
                    self.label(Label { id, ..label });
                }
            }
        }
        Ok(())
    }

    fn label(&mut self, label: Label) {
        let values = self.report.labels.entry(format!("{} {}", label.kind, label.name)).or_default();
        formats::count_name(values, &label.value, 1);
        self.writer.label(label);
    }
}

/// Adds records to a batch until it is full or the file ends.
fn fill(batch: &mut Batch, records: &mut Records<impl BufRead>) {
    while batch.len() < BATCH_RECORDS && batch.bytes() < BATCH_BYTES && records.read_into(batch) {}
}

/// Makes posts of the lines of a batch, with all threads.
fn parse(format: &dyn Format, batch: &Batch, source: &str, with_text: bool) -> Vec<Parsed> {
    let chunk = |start: usize| {
        let (mut parsed, mut records) = (Parsed::default(), Vec::new());
        for at in start..batch.len().min(start + CHUNK) {
            let (line, text) = batch.get(at);
            match text {
                Ok(text) => formats::read(format, text, &mut parsed.notes, &mut records),
                Err(reason) => records.push(Record::Rejected(reason.to_owned())),
            }
            parsed.records.extend(records.drain(..).map(|record| made(line, record, source, with_text)));
        }
        parsed
    };
    (0..batch.len().div_ceil(CHUNK)).into_par_iter().map(|at| chunk(at * CHUNK)).collect()
}

fn made(line: u64, mut record: Record, source: &str, with_text: bool) -> Made {
    let (mut facts, mut quoted) = (Facts::default(), Vec::new());
    if let Record::Post(found) = &mut record {
        if found.post.source.is_empty() {
            source.clone_into(&mut found.post.source);
        }
        facts = Facts::of(&found.post, with_text);
        for post in &mut found.quoted {
            source.clone_into(&mut post.source);
            quoted.push(Facts::of(post, with_text));
        }
    }
    Made { line, record, facts, quoted }
}
