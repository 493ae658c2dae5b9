//! Judges what was counted: what would void a result, what deserves a look.

use std::collections::BTreeMap;

use super::{CheckReport, Finding, Overlap, Severity, Topic};
use crate::error::{Error, Result};
use crate::{Corpus, Part};

/// Largest share of dev or test posts whose image may also be in train. Above it retrieval measures memory.
const SHARED_IMAGES: f64 = 0.01;
/// Largest share of dev or test posts whose words may also be in train: stock phrases of four and more words recur.
const SHARED_TEXTS: f64 = 0.02;
/// Share of near-duplicates between parts from which a person should know.
const NEAR_TEXTS: f64 = 0.02;
/// Share of posts with an absent or unreadable image from which a person should know.
const BAD_IMAGES: f64 = 0.01;

/// Share of posts with a cut text from which a person should know.
const CUT_TEXTS: f64 = 0.01;

/// Ids that `splits.csv` puts into two parts.
pub fn contradicting_parts(corpus: &Corpus) -> Result<Vec<String>> {
    let path = corpus.root().join("splits.csv");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let bad = |e: csv::Error| Error::input(format!("not a CSV table: {e}")).at(&path);
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    let mut contradicting = Vec::new();
    for row in csv::Reader::from_path(&path).map_err(bad)?.records() {
        let row = row.map_err(bad)?;
        let (Some(id), Some(part)) = (row.get(0), row.get(1)) else { continue };
        if let Some(before) = parts.insert(id.to_owned(), part.to_owned())
            && before != part
        {
            contradicting.push(id.to_owned());
        }
    }
    Ok(contradicting)
}

/// Everything worth saying, worst first.
pub fn findings(report: &CheckReport, contradicting: &[String]) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    found.parts(report);
    found.ids(report, contradicting);
    for overlap in &report.overlaps {
        found.overlap(report, overlap);
    }
    found.time_order(report);
    found.labels(report);
    found.images(report);
    found.cut_texts(report);
    let mut found = found.0;
    found.sort_by_key(|f| (f.severity, f.topic));
    found
}

struct Findings(Vec<Finding>);

impl Findings {
    fn void(&mut self, topic: Topic, message: String) {
        self.0.push(Finding { severity: Severity::Void, topic, message });
    }

    fn warning(&mut self, topic: Topic, message: String) {
        self.0.push(Finding { severity: Severity::Warning, topic, message });
    }

    fn parts(&mut self, report: &CheckReport) {
        let [train, dev, test, none] = &report.parts;
        let split: usize = [train, dev, test].iter().map(|p| p.posts).sum();
        if report.posts() == 0 {
            return self.void(Topic::NoPosts, "the corpus has no post".into());
        }
        if split == 0 {
            let message = "no post is in a part; make parts with `quintet split` before training";
            return self.warning(Topic::EmptyPart, message.into());
        }
        if train.posts == 0 {
            self.void(Topic::EmptyPart, "the train part is empty: nothing can be fitted".into());
        }
        if dev.posts == 0 {
            self.warning(
                Topic::EmptyPart,
                "the dev part is empty: there is nothing to choose the best model on".into(),
            );
        }
        if none.posts > 0 {
            self.warning(Topic::EmptyPart, format!("{} posts are in no part and will not be used", none.posts));
        }
    }

    fn ids(&mut self, report: &CheckReport, contradicting: &[String]) {
        if let Some(first) = contradicting.first() {
            let n = contradicting.len();
            self.void(Topic::SamePost, format!("splits.csv puts {n} posts into two parts, such as {first}"));
        }
        if report.duplicates.ids > 0 {
            let n = report.duplicates.ids;
            self.void(Topic::SamePost, format!("{n} rows repeat the id of another post; import merges them"));
        }
    }

    fn overlap(&mut self, report: &CheckReport, overlap: &Overlap) {
        let Overlap { what, of, with, posts, among } = overlap;
        let amount = format!("{posts} of {among} ({:.1} %)", 100.0 * overlap.share());
        match what {
            Topic::SamePost => self.void(*what, format!("{amount} {of} posts are also in {with}")),
            Topic::SharedImages if overlap.share() > SHARED_IMAGES => {
                self.void(*what, format!("{amount} {of} posts with an image show one that is also in {with}"));
            }
            Topic::SharedTexts if overlap.share() > SHARED_TEXTS => {
                self.void(*what, format!("{amount} {of} posts with a text say the same as a post in {with}"));
            }
            Topic::NearTexts if overlap.share() > NEAR_TEXTS => {
                self.warning(*what, format!("{amount} {of} posts with a text say nearly the same as one in {with}"));
            }
            Topic::SharedAuthors => {
                let message = format!("{amount} {of} posts are by authors who also post in {with}");
                if report.split.as_deref().is_some_and(|rule| rule.starts_with("by author")) {
                    self.void(*what, format!("{message}, though the parts were made by author"));
                } else {
                    self.warning(*what, message);
                }
            }
            // Below the tolerance: shown in the table, no finding.
            _ => {}
        }
    }

    fn time_order(&mut self, report: &CheckReport) {
        if !report.split.as_deref().is_some_and(|rule| rule.starts_with("by time")) {
            return;
        }
        for (before, after) in [(Part::Train, Part::Dev), (Part::Train, Part::Test), (Part::Dev, Part::Test)] {
            let (last, first) = (report.parts[before as usize].last, report.parts[after as usize].first);
            if let (Some(last), Some(first)) = (last, first)
                && last > first
            {
                let message =
                    format!("parts were made by time, yet {before} ends at {last}, after {after} begins at {first}");
                self.void(Topic::TimeOrder, message);
            }
        }
    }

    fn labels(&mut self, report: &CheckReport) {
        for balance in report.labels.iter().filter(|b| b.part.is_some()) {
            // A corpus whose labels all say the same is as useless as a part that does.
            if let (1, Some((value, n)), Some(part)) =
                (balance.values.len(), balance.values.first_key_value(), balance.part)
            {
                let (kind, name) = (&balance.kind, &balance.name);
                self.void(Topic::OneClass, format!("label `{name}` of all {n} {kind}s in {part} is `{value}`"));
            }
        }
    }

    fn images(&mut self, report: &CheckReport) {
        let with_image: usize = report.parts.iter().map(|p| p.components[crate::Component::Image]).sum();
        let images = &report.images;
        let kinds = [(&images.absent, "absent"), (&images.unreadable, "unreadable"), (&images.cut, "cut off")];
        for (bad, what) in kinds {
            if bad.posts as f64 > BAD_IMAGES * with_image as f64 {
                let (files, posts, example) = (bad.files, bad.posts, bad.examples.join(", "));
                self.warning(Topic::BadImages, format!("{files} image files of {posts} posts are {what}: {example}"));
            }
        }
    }

    fn cut_texts(&mut self, report: &CheckReport) {
        let with_text: usize = report.parts.iter().map(|p| p.components[crate::Component::Text]).sum();
        let cut: usize = report.parts.iter().map(|p| p.truncated).sum();
        if cut as f64 > CUT_TEXTS * with_text as f64 {
            let share = 100.0 * cut as f64 / with_text.max(1) as f64;
            self.warning(
                Topic::CutTexts,
                format!(
                    "{cut} texts ({share:.1} %) end in an ellipsis, as texts do that were cut; dumps made with \
                     tweet_mode=extended or by API v2 hold whole ones"
                ),
            );
        }
    }
}
