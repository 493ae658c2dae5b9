//! Which posts leave: filters that must all hold, then a sample that depends on ids and seed alone.

use std::collections::{BinaryHeap, HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::component::Component;
use crate::error::{Error, Result};
use crate::forgotten::{self, Forgotten};
use crate::progress::Progress;
use crate::summary::components;
use crate::{Corpus, Part, Post};

/// What posts must be like; an empty filter lets everything pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// The post is in one of these parts; `None` stands for posts in no part.
    pub parts: Vec<Option<Part>>,
    /// The post has all of these components.
    pub with: Vec<Component>,
    /// The author has one of these ids or handles (without `@`, in any case).
    pub authors: Vec<String>,
    /// The language is one of these; `en` stands for `en-GB` too.
    pub languages: Vec<String>,
    /// Posted at this time or later.
    pub from: Option<Timestamp>,
    /// Posted before this time.
    pub until: Option<Timestamp>,
    /// How much of what passes.
    pub sample: Option<Sample>,
    /// Seed of the sample.
    pub seed: u64,
}

/// How large a sample is. A smaller sample of the same seed is always part of a larger one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// So many posts, or all if there are fewer.
    Posts(usize),
    /// Each post with this probability.
    Share(f64),
}

/// A part as typed: `train`, `dev`, `test`, or `none` for posts in no part.
///
/// # Errors
/// If it is none of them.
pub fn part(text: &str) -> Result<Option<Part>> {
    match text {
        "none" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| {
            Error::config(format!("`{text}` is not a part")).help("parts are train, dev, test, none (posts in no part)")
        }),
    }
}

/// A time as typed: a day (`2020-03-04`, its beginning in UTC) or an RFC 3339 time.
///
/// # Errors
/// If it is neither.
pub fn time(text: &str) -> Result<Timestamp> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp());
    // Of a whole time `Date` would take the day only, so that is tried last.
    text.parse::<Timestamp>().ok().or_else(day).ok_or_else(|| {
        Error::config(format!("`{text}` is not a time")).help("write a day such as 2020-03-04, or 2020-03-04T19:00:00Z")
    })
}

/// A sample's size as typed: `1000` posts, `10%` or `0.1` of all.
///
/// # Errors
/// If it is neither.
pub fn sample(text: &str) -> Result<Sample> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|p| p / 100.0),
        None if text.contains('.') => text.parse().ok(),
        None => None,
    };
    let posts = || text.parse().ok().filter(|n| *n > 0).map(Sample::Posts);
    let share = share.filter(|s| *s > 0.0 && *s <= 1.0).map(Sample::Share);
    share.or_else(posts).ok_or_else(|| {
        Error::config(format!("`{text}` is not the size of a sample"))
            .help("write a number of posts (1000) or a share (10% or 0.1)")
    })
}

/// A filter with its name and how many posts it let pass, the filters before it included.
type Stage = (&'static str, Box<dyn Fn(&Post, Option<Part>) -> bool>, u64);

/// A selection at work: goes over the posts of a corpus in their order.
pub(super) struct Selector {
    /// What must stay out, should it be in the corpus still: a line added by hand holds from the next import on.
    orders: Forgotten,
    /// Posts left out for that reason.
    pub forgotten: u64,
    stages: Vec<Stage>,
    sample: Option<(Sample, u64)>,
    /// Rows of a sample of a fixed size.
    rows: Option<HashSet<u64>>,
    row: u64,
}

impl Selection {
    /// The filters in words, for reports.
    pub fn in_words(&self) -> Vec<String> {
        let part = |p: &Option<Part>| p.map_or("none", Part::name);
        let list =
            |name: &str, values: Vec<&str>| (!values.is_empty()).then(|| format!("{name} {}", values.join(", ")));
        [
            list("part", self.parts.iter().map(part).collect()),
            list("with", self.with.iter().map(|c| c.name()).collect()),
            list("author", self.authors.iter().map(String::as_str).collect()),
            list("language", self.languages.iter().map(String::as_str).collect()),
            self.from.map(|t| format!("from {t}")),
            self.until.map(|t| format!("until {t}")),
            self.sample.map(|s| match s {
                Sample::Posts(n) => format!("sample of {n} posts, seed {}", self.seed),
                Sample::Share(share) => format!("sample of {} %, seed {}", 100.0 * share, self.seed),
            }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<Stage> = Vec::new();
        if !self.parts.is_empty() {
            let parts = self.parts.clone();
            stages.push(("part", Box::new(move |_, part| parts.contains(&part)), 0));
        }
        if !self.with.is_empty() {
            let with = self.with.clone();
            let has = move |post: &Post, _| {
                let has = components(post);
                with.iter().all(|c| has[*c])
            };
            stages.push(("with", Box::new(has), 0));
        }
        if !self.authors.is_empty() {
            let ids: HashSet<String> = self.authors.iter().map(|a| a.trim_start_matches('@').to_owned()).collect();
            let handles: HashSet<String> = ids.iter().map(|a| a.to_lowercase()).collect();
            let is = move |post: &Post, _| {
                let author = post.author.as_ref();
                author.is_some_and(|a| {
                    ids.contains(&a.id) || a.handle.as_ref().is_some_and(|h| handles.contains(&h.to_lowercase()))
                })
            };
            stages.push(("author", Box::new(is), 0));
        }
        if !self.languages.is_empty() {
            let wanted: Vec<String> = self.languages.iter().map(|l| l.to_lowercase()).collect();
            let speaks = move |post: &Post, _| {
                let lang = post.lang.as_deref().unwrap_or("").to_lowercase();
                let primary = lang.split(['-', '_']).next().unwrap_or("");
                wanted.iter().any(|w| *w == lang || *w == primary)
            };
            stages.push(("language", Box::new(speaks), 0));
        }
        if let Some(from) = self.from {
            stages.push(("from", Box::new(move |post, _| post.created_at.is_some_and(|t| t >= from)), 0));
        }
        if let Some(until) = self.until {
            stages.push(("until", Box::new(move |post, _| post.created_at.is_some_and(|t| t < until)), 0));
        }
        stages
    }

    /// Prepares to select from `corpus`; a sample of a fixed size needs a pass over it.
    pub(super) fn prepare(
        &self,
        corpus: &Corpus,
        parts: &HashMap<String, Part>,
        progress: &dyn Progress,
    ) -> Result<Selector> {
        let mut orders = Forgotten::default();
        forgotten::read(corpus.root(), |order| {
            orders.obey(&order);
            Ok(())
        })?;
        let sample = self.sample.map(|s| (s, self.seed));
        let mut selector = Selector { orders, forgotten: 0, stages: self.stages(), sample, rows: None, row: 0 };
        let Some(Sample::Posts(n)) = self.sample else { return Ok(selector) };
        let task = progress.task("sample", Some(corpus.len() as u64), "posts");
        let mut smallest: BinaryHeap<(u64, u64)> = BinaryHeap::new();
        for chunk in corpus.chunks(super::ROWS)? {
            if progress.interrupted() {
                return Err(super::stopped());
            }
            let chunk = chunk?;
            let read = chunk.len() as u64;
            for mut post in chunk {
                let row = selector.row;
                selector.row += 1;
                if selector.orders.clean(&mut post) && selector.passes(&post, parts.get(&post.id).copied()) {
                    smallest.push((hash(self.seed, &post.id), row));
                    if smallest.len() > n {
                        smallest.pop();
                    }
                }
            }
            task.advance(read);
        }
        selector.rows = Some(smallest.into_iter().map(|(_, row)| row).collect());
        selector.row = 0;
        selector.stages.iter_mut().for_each(|stage| stage.2 = 0);
        Ok(selector)
    }
}

impl Selector {
    fn passes(&mut self, post: &Post, part: Option<Part>) -> bool {
        self.stages.iter_mut().all(|(_, passes, count)| {
            let yes = passes(post, part);
            *count += u64::from(yes);
            yes
        })
    }

    /// Whether the next post of the corpus leaves; takes from it what must be forgotten.
    pub(super) fn takes(&mut self, post: &mut Post, part: Option<Part>) -> bool {
        let row = self.row;
        self.row += 1;
        if !self.orders.clean(post) {
            self.forgotten += 1;
            return false;
        }
        if !self.passes(post, part) {
            return false;
        }
        match (&self.rows, self.sample) {
            (Some(rows), _) => rows.contains(&row),
            (None, Some((Sample::Share(share), seed))) => uniform(hash(seed, &post.id)) < share,
            _ => true,
        }
    }

    /// Why nothing came through: the filter that let nothing pass, with what the one before it left.
    pub(super) fn nothing(&self) -> Error {
        let mut left = self.row - self.forgotten;
        if left == 0 && self.forgotten > 0 {
            return Error::input(format!("no post is selected: {} names them all", forgotten::FILE))
                .help("remove the line of what may be kept");
        }
        for (name, _, passed) in &self.stages {
            if *passed == 0 {
                let what = format!("no post is selected: none of {left} passes `{name}`");
                return Error::input(what)
                    .help("`quintet check` shows parts, components, languages and times of a corpus");
            }
            left = *passed;
        }
        Error::input(format!("no post is selected: the sample of {left} posts is empty"))
            .help("ask for a larger sample")
    }
}

/// A number that depends on seed and id alone, so that a sample stays when posts are added or reordered.
fn hash(seed: u64, id: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"sample").update(&seed.to_le_bytes()).update(id.as_bytes());
    let mut word = [0; 8];
    word.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(word)
}

/// A hash as a number in [0, 1); of its bits 53 are used, so that every value is a float of its own.
fn uniform(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_checked() {
        assert_eq!(time("2020-03-04").unwrap(), "2020-03-04T00:00:00Z".parse().unwrap());
        assert_eq!(time("2020-03-04T19:00:00+01:00").unwrap(), "2020-03-04T18:00:00Z".parse().unwrap());
        assert!(time("soon").is_err() && time("").is_err() && time("2020-13-01").is_err());
        assert_eq!(sample("1000").unwrap(), Sample::Posts(1000));
        assert_eq!((sample("10%").unwrap(), sample("0.5").unwrap()), (Sample::Share(0.1), Sample::Share(0.5)));
        assert!(["0", "0%", "200%", "1.5", "-3", "many", "NaN%"].iter().all(|t| sample(t).is_err()));
        assert_eq!((part("none").unwrap(), part("validation").unwrap()), (None, Some(Part::Dev)));
        assert!(part("holdout").unwrap_err().to_string().contains("none"));
    }
}
