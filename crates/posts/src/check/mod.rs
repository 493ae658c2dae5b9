//! What a person wants to know about a corpus before training on it, and what would void a result.
//!
//! Counts per part, days, languages, tags and places, duplicates, overlap between parts, label balance, image files; as text
//! (`Display`) or as a page ([`CheckReport::page`]). A finding is `void` where a figure
//! measured on this corpus would say something other than it claims, `warning` where a person should look.

mod bots;
mod contents;
mod findings;
mod near;
mod page;
mod scan;
mod table;
mod words;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use self::scan::{Scan, Traits, scan, slot};
use super::{Corpus, Part};
use crate::component::PerComponent;
use crate::error::Result;
use crate::progress::Progress;

pub use bots::BotShare;
pub use contents::{Counted, Top};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Results on this corpus would not mean what they say.
    Void,
    /// Worth a look; results stand if the report says so.
    Warning,
}

/// What a finding is about; stable names for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The corpus has no post.
    NoPosts,
    /// No parts, or one of them is empty.
    EmptyPart,
    /// The same id more than once, or in two parts.
    SamePost,
    /// An author in two parts.
    SharedAuthors,
    /// An image in two parts.
    SharedImages,
    /// A text in two parts.
    SharedTexts,
    /// Near-duplicate texts in two parts.
    NearTexts,
    /// Parts made by time overlap in time.
    TimeOrder,
    /// Labels of one class only.
    OneClass,
    /// Image files that are absent or cannot be read.
    BadImages,
    /// Texts that were cut.
    CutTexts,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What about.
    pub topic: Topic,
    /// What was found, with numbers, and what to do.
    pub message: String,
}

/// Counts of one part.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PartCounts {
    /// Posts.
    pub posts: usize,
    /// Different authors.
    pub authors: usize,
    /// Posts that have each component.
    pub components: PerComponent<usize>,
    /// Posts by what they have ("text+image+user").
    pub combinations: BTreeMap<String, usize>,
    /// Posts by language, as the source says.
    pub languages: BTreeMap<String, usize>,
    /// Posts by day (UTC).
    pub days: BTreeMap<Date, usize>,
    /// Posts whose text ends as X ends one that it cuts: with an ellipsis, and perhaps links after it.
    pub truncated: usize,
    /// Earliest time stamp.
    pub first: Option<Timestamp>,
    /// Latest time stamp.
    pub last: Option<Timestamp>,
}

/// Texts that occur more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Rows whose id occurred before.
    pub ids: usize,
    /// Posts whose words (at least four, without tags, mentions, links, case) occurred before.
    pub texts: usize,
    /// Posts whose words nearly occurred before (Jaccard similarity at least 0.6), equal ones included.
    pub near_texts: usize,
    /// Posts with fewer than four words, not compared.
    pub short_texts: usize,
    /// Posts whose first image occurred before, by content.
    pub images: usize,
}

/// How posts are spread over the days (UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pace {
    /// First day with a post.
    pub first: Date,
    /// Last day with a post.
    pub last: Date,
    /// Posts that have a time.
    pub posts: usize,
    /// Days from the first to the last, both included.
    pub span: usize,
    /// Days with a post.
    pub with_posts: usize,
    /// Median of posts a day, over days with posts.
    pub median: usize,
    /// Posts of the busiest day.
    pub most: usize,
    /// The busiest day.
    pub busiest: Date,
}

/// Posts that say nearly the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NearGroups {
    /// Groups of two posts or more.
    pub groups: usize,
    /// Posts in them.
    pub posts: usize,
    /// The largest, largest first.
    pub largest: Vec<NearGroup>,
}

/// One group of posts that say nearly the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NearGroup {
    /// Posts.
    pub posts: usize,
    /// Different authors, as far as they are known.
    pub authors: usize,
    /// Id of its first post.
    pub example: String,
    /// The beginning of that post's text.
    pub text: String,
}

/// What two parts share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// What is shared.
    pub what: Topic,
    /// The part results come from.
    pub of: Part,
    /// The part that has it too.
    pub with: Part,
    /// Posts of `of` that share it.
    pub posts: usize,
    /// Posts of `of` that have such a thing at all.
    pub among: usize,
}

impl Overlap {
    /// Share of posts, 0 if none has such a thing.
    pub fn share(&self) -> f64 {
        self.posts as f64 / self.among.max(1) as f64
    }
}

/// Values of a label in a part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Balance {
    /// `post` or `author`.
    pub kind: String,
    /// What is labelled.
    pub name: String,
    /// The part; none: posts in no part.
    pub part: Option<Part>,
    /// How often each value occurs.
    pub values: BTreeMap<String, usize>,
}

/// Files that are not as they should be: how many, and the first few by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BadFiles {
    /// Files.
    pub files: usize,
    /// Posts that refer to them.
    pub posts: usize,
    /// The first few names.
    pub examples: Vec<String>,
}

impl BadFiles {
    fn add(&mut self, path: &Path, posts: usize) {
        self.files += 1;
        self.posts += posts;
        if self.examples.len() < 3 {
            self.examples.push(path.display().to_string());
        }
    }
}

/// Image files of the posts' first images.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Images {
    /// Different files referred to.
    pub files: usize,
    /// Posts whose image is known by its address only.
    pub remote: usize,
    /// Files that are not there.
    pub absent: BadFiles,
    /// Files that don't start as an image.
    pub unreadable: BadFiles,
    /// Files that start as an image and end before it does: downloads that broke off.
    pub cut: BadFiles,
}

/// Everything found out about a corpus; `Display` prints it as aligned tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckReport {
    /// Name of the corpus.
    pub name: String,
    /// Whether it is the town.
    pub synthetic: bool,
    /// How the parts were made.
    pub split: Option<String>,
    /// Counts of train, dev, test and of the posts in no part.
    pub parts: [PartCounts; 4],
    /// Hashtags, in lower case.
    pub tags: Top,
    /// Places, by name.
    pub places: Top,
    /// What occurs more than once.
    pub duplicates: Duplicates,
    /// Posts that say nearly the same, in groups.
    pub near: NearGroups,
    /// What parts share; pairs that share nothing are left out.
    pub overlaps: Vec<Overlap>,
    /// Label balance by part.
    pub labels: Vec<Balance>,
    /// Share of bots by part, where that is labelled.
    pub bots: Vec<BotShare>,
    /// Image files.
    pub images: Images,
    /// What a person must or should look at, worst first.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether something would void a result.
    pub fn has_void(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Void)
    }

    /// Number of posts.
    pub fn posts(&self) -> usize {
        self.parts.iter().map(|p| p.posts).sum()
    }

    /// Names of posts by how often they occur in all parts together, most frequent first.
    fn together(&self, of: impl Fn(&PartCounts) -> &BTreeMap<String, usize>) -> Vec<Counted> {
        let mut all: BTreeMap<&String, usize> = BTreeMap::new();
        for (name, n) in self.parts.iter().flat_map(of) {
            *all.entry(name).or_default() += n;
        }
        let mut order: Vec<Counted> =
            all.into_iter().map(|(name, posts)| Counted { name: name.clone(), posts }).collect();
        order.sort_by(|a, b| b.posts.cmp(&a.posts).then_with(|| a.name.cmp(&b.name)));
        order
    }

    /// How posts are spread over the days; `None` if no post has a time.
    pub fn pace(&self) -> Option<Pace> {
        let mut days: BTreeMap<Date, usize> = BTreeMap::new();
        for (day, n) in self.parts.iter().flat_map(|p| &p.days) {
            *days.entry(*day).or_default() += n;
        }
        let (first, last) = (*days.first_key_value()?.0, *days.last_key_value()?.0);
        let span = usize::try_from(last.duration_since(first).as_hours() / 24).unwrap_or(0) + 1;
        let mut counts: Vec<usize> = days.values().copied().collect();
        counts.sort_unstable();
        let (busiest, most) = days.iter().max_by_key(|(day, n)| (**n, std::cmp::Reverse(**day)))?;
        let median = counts[counts.len() / 2];
        let posts = counts.iter().sum();
        Some(Pace { first, last, posts, span, with_posts: days.len(), median, most: *most, busiest: *busiest })
    }
}

/// Looks at every post, label and image file of `corpus`.
///
/// # Errors
/// If a file of the corpus cannot be read, or the person stops the work. Broken images are findings, not errors.
pub fn check(corpus: &Corpus, progress: &dyn Progress) -> Result<CheckReport> {
    let mut scan = scan(corpus, progress)?;
    let labels = balance(corpus, &scan)?;
    let near = scan::near_groups(corpus, &scan.posts)?;
    let (tags, places) = std::mem::take(&mut scan.contents).tops();
    let manifest = corpus.manifest();
    let mut report = CheckReport {
        name: manifest.name.clone(),
        synthetic: manifest.synthetic,
        split: manifest.split.clone(),
        tags,
        places,
        duplicates: duplicates(&scan),
        near,
        overlaps: overlaps(&scan.posts),
        parts: scan.counts,
        bots: bots::shares(&labels),
        labels,
        images: scan.images,
        findings: Vec::new(),
    };
    report.findings = findings::findings(&report, &findings::contradicting_parts(corpus)?);
    Ok(report)
}

/// Rows beyond the first of every value that is not 0.
fn repeated(values: impl Iterator<Item = u64>) -> usize {
    let mut seen = HashSet::new();
    values.filter(|&v| v != 0 && !seen.insert(v)).count()
}

fn duplicates(scan: &Scan) -> Duplicates {
    let of = |value: Trait| repeated(scan.posts.iter().map(|(_, traits)| value(traits)));
    Duplicates {
        ids: of(|t| t.post),
        texts: of(|t| t.text),
        near_texts: of(|t| t.near),
        short_texts: scan.short_texts,
        images: of(|t| t.image),
    }
}

/// One of the traits of a post.
type Trait = fn(&Traits) -> u64;

fn overlaps(posts: &[(Option<Part>, Traits)]) -> Vec<Overlap> {
    let kinds: [(Topic, Trait); 5] = [
        (Topic::SamePost, |t| t.post),
        (Topic::SharedAuthors, |t| t.author),
        (Topic::SharedImages, |t| t.image),
        (Topic::SharedTexts, |t| t.text),
        (Topic::NearTexts, |t| t.near),
    ];
    let mut overlaps = Vec::new();
    for (what, value) in kinds {
        // Parts in which each value occurs, as bits.
        let mut occurs: HashMap<u64, u8> = HashMap::new();
        for (part, traits) in posts {
            *occurs.entry(value(traits)).or_default() |= 1 << slot(*part);
        }
        for (with, of) in [(Part::Train, Part::Dev), (Part::Train, Part::Test), (Part::Dev, Part::Test)] {
            let here = posts.iter().filter(|(p, t)| *p == Some(of) && value(t) != 0);
            let among = here.clone().count();
            let shared = here.filter(|(_, t)| occurs[&value(t)] & (1 << slot(Some(with))) != 0).count();
            if shared > 0 {
                overlaps.push(Overlap { what, of, with, posts: shared, among });
            }
        }
    }
    overlaps
}

/// Label values by part; an author counts in every part in which they post.
fn balance(corpus: &Corpus, scan: &Scan) -> Result<Vec<Balance>> {
    let labels = corpus.labels()?;
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts_of: HashMap<(&str, u64), u8> = HashMap::new();
    for (part, traits) in &scan.posts {
        for key in [("post", traits.post), ("author", traits.author)] {
            *parts_of.entry(key).or_default() |= 1 << slot(*part);
        }
    }
    let mut balances: BTreeMap<(String, String, usize), BTreeMap<String, usize>> = BTreeMap::new();
    for label in labels {
        let parts = parts_of.get(&(label.kind.as_str(), words::hash(label.id.as_bytes()))).copied().unwrap_or(0);
        for index in (0..4).filter(|index| parts & (1 << index) != 0) {
            let values = balances.entry((label.kind.clone(), label.name.clone(), index)).or_default();
            *values.entry(label.value.clone()).or_default() += 1;
        }
    }
    let part = |index: usize| Part::ALL.get(index).copied();
    Ok(balances
        .into_iter()
        .map(|((kind, name, index), values)| Balance { kind, name, part: part(index), values })
        .collect())
}
