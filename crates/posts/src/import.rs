//! Dumps in, a corpus out: streamed, every record accounted for, the folder whole or not at all.
//!
//! Records are read in order, parsed by all threads a batch at a time, and taken in in order again, so the corpus
//! does not depend on the number of threads. While a batch is parsed, the next one is read and the one before is taken
//! in: no thread waits for the disk or for another's turn. Copies of a post are merged as [`super::merge`] describes.

mod existing;
mod finish;
mod parsed;

use std::collections::HashSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use self::parsed::{Made, Parsed, fill, parse};
use super::carry::{Carrier, Images};
use super::corpus::{Corpus, Label, Part};
use super::facts::{Facts, hash128};
use super::folder::{self, Keyed, Source, Splits};
use super::forgotten::{self, Order};
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
    /// An existing corpus gives way; what it must keep out stays out.
    pub replace: bool,
    /// The posts of an existing corpus stay, and the new ones join them.
    pub add: bool,
}

/// Rejected lines kept with their reasons.
const MAX_REJECTED: usize = 1000;
/// Records looked at to find a file's format.
const DETECT_RECORDS: usize = 100;

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
    let writer = CorpusWriter::create(into, false, options.replace || options.add)?;
    let old = if options.add && into.join("corpus.json").is_file() { Some(Corpus::open(into)?) } else { None };
    let carrier = Carrier::new(options.images, writer.root());
    let mut import = Import {
        options,
        format,
        progress,
        task,
        writer,
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
        let help = format!("formats are {}; name one with --format if it is not recognised", known.join(", "));
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
    splits: Option<Splits>,
    /// Ids of `splits` that a post had.
    matched: HashSet<String>,
    native: bool,
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
            self.pass_over(name, &batch, records.failure());
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
    fn pass_over(&mut self, name: String, head: &Batch, failure: Option<&str>) {
        let what = if head.is_empty() { "holds no records" } else { "holds no posts of a known format; passed over" };
        let because = failure.map_or(String::new(), |f| format!(" ({f})"));
        self.report.problems.push(format!("{name} {what}{because}"));
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
            Record::Delete(id) => self.order("delete", &Order::Post(id))?,
            Record::ForgetAuthor(id) => self.order("account gone", &Order::Author(id))?,
            Record::ScrubGeo { author, up_to } => self.order("scrub_geo", &Order::Geo { author, up_to })?,
            Record::Message(kind) => self.message(&kind),
            Record::Rejected(reason) => self.reject(file, made.line, reason)?,
        }
        Ok(())
    }

    fn order(&mut self, kind: &str, order: &Order) -> Result<()> {
        self.message(kind);
        self.forget(order)
    }

    /// Obeys an order, and keeps it for later imports.
    fn forget(&mut self, order: &Order) -> Result<()> {
        if self.seen.forget(order) {
            self.report.forgotten += 1;
            self.writer.forget(order)?;
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
        self.report.rows.reposts += u64::from(found.repost);
        for id in found.replaces {
            self.forget(&Order::Post(id))?;
        }
        found.labels.into_iter().for_each(|label| self.given.add(current.number, label));
        let cut = |post: &Post| found.cut.contains(&post.id);
        let is_cut = cut(&found.post);
        match self.place(current, found.post, facts, (is_cut, found.edited))? {
            Placed::New(_) => self.report.rows.imported += 1,
            Placed::Merged(_) => self.report.rows.merged += 1,
        }
        for (post, facts) in found.quoted.into_iter().zip(quoted) {
            let cut = cut(&post);
            if let Placed::New(_) = self.place(current, post, facts, (cut, None))? {
                self.report.rows.quoted += 1;
            }
        }
        Ok(())
    }

    fn place(
        &mut self,
        current: &mut Current,
        mut post: Post,
        facts: &Facts,
        (cut, edited): (bool, Option<Timestamp>),
    ) -> Result<Placed> {
        let part = self.part_of(current, &post);
        self.carrier.carry(&mut post.images, current.source)?;
        let origin = Origin { source: current.number, name: &current.source.name, native: current.native, cut, edited };
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
}
