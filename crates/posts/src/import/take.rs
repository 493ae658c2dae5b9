//! Takes records in, in their order: posts are placed, orders obeyed, what is of no use is accounted for.

use std::path::Path;

use jiff::Timestamp;

use super::super::corpus::Part;
use super::super::facts::Facts;
use super::super::folder::Keyed;
use super::super::forgotten::Order;
use super::super::formats::{self, Found, Record};
use super::super::merge::{Origin, Placed};
use super::super::post::Post;
use super::super::report::{FileReport, Rejected};
use super::parsed::{Made, Parsed};
use super::{Current, Import};
use crate::error::{Error, Result};

/// Rejected lines kept with their reasons.
const MAX_REJECTED: usize = 1000;

impl Import<'_> {
    pub(super) fn take_all(
        &mut self,
        current: &mut Current,
        file: &mut FileReport,
        name: &str,
        parsed: Vec<Parsed>,
    ) -> Result<()> {
        for Parsed { records, notes } in parsed {
            self.notes.merge(notes);
            for made in records {
                self.take(current, file, name, made)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, current: &mut Current, file: &mut FileReport, name: &str, made: Made) -> Result<()> {
        file.read += 1;
        self.report.rows.read += 1;
        match made.record {
            Record::Post(found) => self.found(current, *found, &made.facts, &made.quoted)?,
            Record::Delete(id) => self.order("delete", &Order::Post(id))?,
            Record::ForgetAuthor(id) => self.order("account gone", &Order::Author(id))?,
            Record::ScrubGeo { author, up_to } => self.order("scrub_geo", &Order::Geo { author, up_to })?,
            Record::Message(kind) => self.message(&kind),
            Record::Rejected(reason) => self.reject(file, name, made.line, reason)?,
        }
        Ok(())
    }

    fn order(&mut self, kind: &str, order: &Order) -> Result<()> {
        self.message(kind);
        self.forget(order)
    }

    /// Obeys an order, and keeps it for later imports.
    pub(super) fn forget(&mut self, order: &Order) -> Result<()> {
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

    fn reject(&mut self, file: &mut FileReport, name: &str, line: u64, reason: String) -> Result<()> {
        if self.options.strict {
            let help = "repair the line, or leave out --strict to lose only this line";
            return Err(Error::input(reason).at_line(Path::new(name), line).help(help));
        }
        file.rejected += 1;
        self.report.rows.rejected += 1;
        if self.report.rejected.len() < MAX_REJECTED {
            self.report.rejected.push(Rejected { file: name.to_owned(), line, reason });
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
