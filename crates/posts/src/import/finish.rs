//! The end of an import: what came late is worked in, labels are brought along, the report is made.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::corpus::{Corpus, Label};
use super::super::facts::Facts;
use super::super::folder::{self, Source};
use super::super::formats;
use super::super::report::ImportReport;
use super::super::summary::Tally;
use super::Import;
use crate::error::{AtPath, Result};

impl Import<'_> {
    /// Ends the import; `old` is the corpus that was added to.
    pub(super) fn finish(mut self, sources: &[Source], old: Option<&Corpus>) -> Result<ImportReport> {
        if self.seen.needs_revision(|author| self.tally.has_author_hash(author)) || self.parts_changed {
            self.revise()?;
        }
        self.old_labels(old)?;
        self.labels(sources, old)?;
        self.report.rows.deleted = self.seen.gone();
        self.report.summary = self.tally.summary();
        self.report.summary.truncated = self.seen.cut();
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
        // Parts of an export taken as they are were made by the rule of its corpus.
        let exported = match sources {
            [Source { export: Some(export), splits: Some(_), .. }] if self.options.rest.is_none() => {
                export.split.clone()
            }
            _ => None,
        };
        let rule = exported.or(if sources.iter().any(|s| s.splits.is_some()) {
            let rest = self.options.rest.map_or(String::new(), |part| format!("; rest: {part}"));
            Some(format!("from the sources' files{rest}"))
        } else {
            self.options.rest.map(|part| format!("all in {part}"))
        });
        if sources.iter().any(|s| s.export.as_ref().is_some_and(|e| e.synthetic)) {
            self.writer.manifest_mut().synthetic = true;
        }
        self.writer.manifest_mut().split = match (old.and_then(|c| c.manifest().split.clone()), rule) {
            (Some(before), Some(rule)) if before != rule => Some(format!("{before}; added posts {rule}")),
            (before, rule) => before.or(rule),
        };
        let corpus = self.writer.finish()?;
        for part in corpus.parts()?.into_values() {
            *self.report.parts.entry(part).or_default() += 1;
        }
        self.report.no_part = self.report.summary.posts - self.report.parts.values().sum::<u64>();
        Ok(self.report)
    }

    /// Goes over all posts again: fills in what later copies brought, takes out what must be forgotten.
    fn revise(&mut self) -> Result<()> {
        let mut tally = Tally::default();
        let (seen, parts, rest, existing) = (&mut self.seen, &self.parts, self.options.rest, self.existing);
        // Images of posts that go, and of posts that stay, which may share them.
        let (mut dropped, mut kept) = (HashSet::new(), HashSet::new());
        self.writer.revise(|row, post| {
            let stays = seen.revise(row, post);
            let images = post.images.iter().filter_map(|i| i.path.clone());
            if stays {
                kept.extend(images)
            } else {
                dropped.extend(images)
            }
            stays.then(|| {
                tally.add(post, &Facts::of(post, false));
                let rest = rest.filter(|_| row >= existing);
                parts[row as usize].or(rest)
            })
        })?;
        for path in dropped.difference(&kept).filter(|p| p.starts_with("images/")) {
            let path = self.writer.root().join(path);
            if path.is_file() {
                std::fs::remove_file(&path).at(&path)?;
            }
        }
        self.tally = tally;
        Ok(())
    }

    /// Brings the labels along. A name that several sources use for the same kind is qualified: `pan19.label`.
    fn labels(&mut self, sources: &[Source], old: Option<&Corpus>) -> Result<()> {
        let mut users: BTreeMap<(&'static str, String), HashSet<&str>> = BTreeMap::new();
        for source in sources {
            for path in &source.labels {
                let (keyed, names) = folder::label_names(path)?;
                for name in names {
                    users.entry((keyed.kind(), name)).or_default().insert(&source.name);
                }
            }
        }
        let before: HashMap<(String, String, String), String> =
            self.old.drain(..).map(|l| ((l.kind, l.id, l.name), l.value)).collect();
        let taken: HashSet<(&str, &str)> =
            before.keys().map(|(kind, _, name)| (kind.as_str(), name.as_str())).collect();
        let is_new = |source: &str| !old.is_some_and(|c| c.manifest().sources.contains_key(source));
        let mut conflicts = 0;
        let shared: HashSet<(&str, &str)> =
            users.iter().filter(|(_, by)| by.len() > 1).map(|((kind, name), _)| (*kind, name.as_str())).collect();
        for (number, source) in sources.iter().enumerate() {
            for path in &source.labels {
                for mut label in folder::read_labels(path)? {
                    let Some(id) = self.labelled(number as u16, &label) else {
                        self.report.labels_unmatched += 1;
                        continue;
                    };
                    let key = (label.kind.as_str(), label.name.as_str());
                    if shared.contains(&key) || (taken.contains(&key) && is_new(&source.name)) {
                        label.name = format!("{}.{}", source.name, label.name);
                    }
                    match before.get(&(label.kind.clone(), id.clone(), label.name.clone())) {
                        Some(value) => conflicts += u64::from(*value != label.value),
                        None => self.label(Label { id, ..label }),
                    }
                }
            }
        }
        for (number, label) in std::mem::take(&mut self.given.labels) {
            // Those of posts that left go with them.
            let Some(id) = self.labelled(number, &label) else { continue };
            match before.get(&(label.kind.clone(), id.clone(), label.name.clone())) {
                Some(value) => conflicts += u64::from(*value != label.value),
                None => self.label(Label { id, ..label }),
            }
        }
        if conflicts > 0 {
            let what = format!("{conflicts} labels differ from those in the corpus, which stay");
            self.report.problems.push(what);
        }
        Ok(())
    }

    /// The id in the corpus of what a label is about, if it is there.
    fn labelled(&self, source: u16, label: &Label) -> Option<String> {
        match label.kind.as_str() {
            "author" => self.tally.has_author(&label.id).then(|| label.id.clone()),
            _ => self.seen.final_id(source, &label.id),
        }
    }

    pub(super) fn label(&mut self, label: Label) {
        let values = self.report.labels.entry(format!("{} {}", label.kind, label.name)).or_default();
        formats::count_name(values, &label.value, 1);
        self.writer.label(label);
    }
}
