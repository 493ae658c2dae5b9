//! The report of an import: every record read is accounted for, and what was lost is named with the reason.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::carry::Carried;
use super::corpus::Part;
use super::summary::Summary;

/// What an import did. Serialises to JSON; displays as Markdown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ImportReport {
    /// Where every record went.
    pub rows: Rows,
    /// What is in the corpus.
    pub summary: Summary,
    /// The inputs, one by one.
    pub sources: Vec<SourceReport>,
    /// Posts in each part.
    pub parts: BTreeMap<Part, u64>,
    /// Posts in no part.
    pub no_part: u64,
    /// Labels by kind and name ("author label"), then by value.
    pub labels: BTreeMap<String, BTreeMap<String, u64>>,
    /// Labels whose post or author is not in the corpus.
    pub labels_unmatched: u64,
    /// Orders to forget a post, an account or its locations that the corpus keeps (`forgotten.csv`).
    pub forgotten: u64,
    /// Image files.
    pub images: Carried,
    /// Stream messages other than posts, by kind.
    pub messages: BTreeMap<String, u64>,
    /// The first rejected lines; `rows.rejected` counts all.
    pub rejected: Vec<Rejected>,
    /// Fields that the formats do not know, with how often.
    pub ignored_fields: BTreeMap<String, u64>,
    /// Fields whose value could not be used, with how often.
    pub unusable_fields: BTreeMap<String, u64>,
    /// What else a person should know: files that break off, posts in two parts, renamed ids.
    pub problems: Vec<String>,
}

/// Where records went: `read = imported + merged + rejected + messages` and
/// `posts in the corpus = existing + imported + quoted - deleted`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// Records read: lines, or elements of a list.
    pub read: u64,
    /// Became a post.
    pub imported: u64,
    /// Were a copy of a post that was there.
    pub merged: u64,
    /// Could not be used.
    pub rejected: u64,
    /// Were no posts: deletes, limits and such.
    pub messages: u64,
    /// Of `imported + merged`: reposts, which stand for the post inside.
    pub reposts: u64,
    /// Posts that came whole inside a post that quotes them, beyond the records.
    pub quoted: u64,
    /// Posts removed because a message of this or an earlier import asked for it.
    pub deleted: u64,
    /// Posts that were in the corpus before; with `--add` only.
    pub existing: u64,
}

/// One input.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceReport {
    /// Its name in the corpus.
    pub name: String,
    /// Its files of posts.
    pub files: Vec<FileReport>,
    /// Files of the folder that were passed over.
    pub unread: Vec<String>,
    /// Rows of `splits.csv` that named no post or author of this source.
    pub splits_unmatched: u64,
}

/// One file of posts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileReport {
    /// Path as given.
    pub path: String,
    /// Format it was read in; several, joined by `+`, if the members of an archive differ.
    pub format: String,
    /// Members with posts, if it is an archive.
    pub members: u64,
    /// Records read.
    pub read: u64,
    /// Of those, rejected.
    pub rejected: u64,
}

impl FileReport {
    /// Remembers a format that was met.
    pub(super) fn add_format(&mut self, name: &str, member: bool) {
        self.members += u64::from(member);
        if !self.format.split('+').any(|known| known == name) {
            let joined = if self.format.is_empty() { "" } else { "+" };
            self.format += &format!("{joined}{name}");
        }
    }
}

/// Files shown one by one; of a folder with one file a post nobody reads the list.
const SHOWN_FILES: usize = 12;

/// A line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// File.
    pub file: String,
    /// Line the record begins on, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Names with counts on one line, most frequent first.
fn counted(counts: &BTreeMap<String, u64>, shown: usize) -> String {
    let mut all: Vec<(&String, &u64)> = counts.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let more = if all.len() > shown { format!(", {} more", all.len() - shown) } else { String::new() };
    all.iter().take(shown).map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ") + &more
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.rows;
        write!(f, "{}", self.summary)?;
        let (a, b, c, d) = (r.imported, r.merged, r.rejected, r.messages);
        writeln!(f, "\n{} records read = {a} imported + {b} merged + {c} rejected + {d} other messages", r.read)?;
        if r.existing > 0 {
            writeln!(f, "{} posts were in the corpus before", r.existing)?;
        }
        if self.forgotten > 0 {
            writeln!(f, "{} orders to forget are kept in forgotten.csv; later imports obey them too", self.forgotten)?;
        }
        if r.reposts + r.quoted + r.deleted > 0 {
            writeln!(f, "reposts: {}; quoted posts added: {}; deleted on request: {}", r.reposts, r.quoted, r.deleted)?;
        }
        for source in &self.sources {
            for file in source.files.iter().take(SHOWN_FILES) {
                let members = if file.members > 0 { format!(" in {} members", file.members) } else { String::new() };
                writeln!(f, "- {} ({}): {} records{members}", file.path, file.format, file.read)?;
            }
            if source.files.len() > SHOWN_FILES {
                let rest = &source.files[SHOWN_FILES..];
                let read: u64 = rest.iter().map(|f| f.read).sum();
                writeln!(f, "- {} further files: {read} records", rest.len())?;
            }
            if !source.unread.is_empty() {
                let shown: Vec<&str> = source.unread.iter().take(SHOWN_FILES).map(String::as_str).collect();
                let more = source.unread.len() - shown.len();
                let more = if more > 0 { format!(", {more} more") } else { String::new() };
                writeln!(f, "- not read: {}{more}", shown.join(", "))?;
            }
        }
        if !self.parts.is_empty() {
            let parts: Vec<String> = self.parts.iter().map(|(part, n)| format!("{part} {n}")).collect();
            writeln!(f, "parts: {}; none {}", parts.join(", "), self.no_part)?;
        }
        for (name, values) in &self.labels {
            writeln!(f, "labels {name}: {}", counted(values, 6))?;
        }
        if self.images != Carried::default() {
            let i = &self.images;
            let (taken, missing, broken, outside) = (i.taken, i.missing, i.broken, i.outside);
            writeln!(
                f,
                "image files: {taken} taken, {missing} missing, {broken} broken, {outside} outside the folder"
            )?;
        }
        for (what, counts) in [
            ("other messages", &self.messages),
            ("unknown fields, ignored", &self.ignored_fields),
            ("unusable fields, left out", &self.unusable_fields),
        ] {
            if !counts.is_empty() {
                writeln!(f, "{what}: {}", counted(counts, 8))?;
            }
        }
        for line in self.rejected.iter().take(10) {
            writeln!(f, "rejected {}:{}: {}", line.file, line.line, line.reason)?;
        }
        if r.rejected > 10 {
            writeln!(f, "... {} rejected in all; --json lists the first {}", r.rejected, self.rejected.len())?;
        }
        for problem in self.problems.iter().take(20) {
            writeln!(f, "note: {problem}")?;
        }
        if self.problems.len() > 20 {
            writeln!(f, "... {} notes in all; --json lists them", self.problems.len())?;
        }
        Ok(())
    }
}
