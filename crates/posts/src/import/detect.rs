//! Finds out what a file is: a table, posts of a known format, or neither.

use std::io::BufRead;
use std::path::Path;

use super::super::dump::{self, Member};
use super::super::formats::{self, Format, Native};
use super::super::input::{Batch, RecordSource};
use super::super::table::FieldMap;
use super::Import;
use crate::error::{Error, Result};

/// Records looked at to find a file's format.
const DETECT_RECORDS: usize = 100;

impl Import<'_> {
    /// Whether content is a table: its header fits the field map, or there is a map and it does not look like JSON.
    pub(super) fn is_table(&self, content: &mut Member<'_>) -> bool {
        let Ok(head) = content.fill_buf() else { return false };
        let named = *self.options.fields != FieldMap::default();
        self.format.is_none()
            && !head.is_empty()
            && !dump::holds_json(head)
            && (named || dump::may_hold_posts(head, &self.options.fields))
    }

    /// The format of a file from its first records, which end up in `head`; `None` for a file that holds no posts.
    /// With a format given nothing is read.
    pub(super) fn find_format(
        &self,
        records: &mut dyn RecordSource,
        head: &mut Batch,
        path: &Path,
        among_others: bool,
        last: Option<&'static dyn Format>,
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
        if among_others {
            // A cut file among files of posts was one of them: its records are rejected, not passed over.
            let is_cut = |at| head.get(at).1.is_ok_and(|text| begins_an_object(text) && formats::parse(text).is_err());
            return Ok((!head.is_empty() && (0..head.len()).all(is_cut)).then(|| last.unwrap_or(&Native)));
        }
        if head.is_empty() {
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
            .help(format!("name it with --format ({}), or, for a table, its columns with --fields", known.join(", "))))
    }

    /// Accounts for a file without posts.
    pub(super) fn pass_over(&mut self, name: String, head: &Batch, among_others: bool, failure: Option<&str>) {
        self.broken |= failure.is_some();
        if !among_others || failure.is_some() {
            let what = if head.is_empty() { "holds no records" } else { "holds no posts of a known format" };
            let because = failure.map_or(String::new(), |f| format!(" ({f})"));
            self.report.problems.push(format!("{name} {what}{because}"));
        }
        if let Some(source) = self.report.sources.last_mut() {
            source.unread.push(name);
        }
    }
}

/// Whether a text begins like a JSON object with a field.
fn begins_an_object(text: &[u8]) -> bool {
    text.trim_ascii_start().strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\""))
}
