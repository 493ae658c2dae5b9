//! Puts posts into train, dev and test: by time, by author or from a file; the rule is recorded in the corpus.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::corpus::{Corpus, Part};
use super::folder::Splits;
use super::post::Post;
use crate::error::{Error, Result};

/// How posts get their parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Durations of train, dev and test, one after another from the first post on. Posts after the last are in no part,
    /// posts without a time neither.
    Time([SignedDuration; 3]),
    /// Shares of authors in train, dev and test; all posts of an author are in one part. The part follows from a hash
    /// of seed and author id, so it stays when posts are added. A post without an author counts as its own author.
    Author([f64; 3], u64),
    /// A CSV table with `post_id` or `author_id` and the part.
    File(PathBuf),
    /// Keeps the parts there are; for `rest` alone.
    Keep,
}

/// The paper's protocol: the first week, then a day, then a day.
pub const PAPER: [SignedDuration; 3] =
    [SignedDuration::from_hours(7 * 24), SignedDuration::from_hours(24), SignedDuration::from_hours(24)];

/// What a split did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SplitReport {
    /// The rule in words, as recorded in the corpus.
    pub rule: String,
    /// Posts in each part.
    pub parts: BTreeMap<Part, u64>,
    /// Posts in no part.
    pub unassigned: u64,
    /// Posts in no part because they have no time (split by time).
    pub without_time: u64,
}

/// Durations as typed: `7d,1d,1d`, in days (d) or hours (h).
///
/// # Errors
/// If they are not three such durations.
pub fn durations(text: &str) -> Result<[SignedDuration; 3]> {
    let one = |word: &str| {
        let (digits, unit) = word.trim().split_at_checked(word.trim().len().checked_sub(1)?)?;
        let hours = match unit {
            "d" => 24,
            "h" => 1,
            _ => return None,
        };
        let n: u32 = digits.parse().ok()?;
        Some(SignedDuration::from_hours(i64::from(n) * hours))
    };
    let all: Option<Vec<SignedDuration>> = text.split(',').map(one).collect();
    all.and_then(|a| a.try_into().ok()).ok_or_else(|| {
        Error::input(format!("`{text}` are not three durations"))
            .help("write train, dev and test in days or hours, such as 7d,1d,1d or 36h,12h,12h")
    })
}

/// Shares as typed: `0.8,0.1,0.1`.
///
/// # Errors
/// If they are not three shares that add up to 1 at most.
pub fn shares(text: &str) -> Result<[f64; 3]> {
    let all: Option<Vec<f64>> = text.split(',').map(|w| w.trim().parse().ok()).collect();
    let fits = |s: &[f64; 3]| s.iter().all(|x| (0.0..=1.0).contains(x)) && s.iter().sum::<f64>() <= 1.0 + 1e-9;
    all.and_then(|a| a.try_into().ok()).filter(fits).ok_or_else(|| {
        Error::input(format!("`{text}` are not three shares"))
            .help("write train, dev and test between 0 and 1, together 1 at most, such as 0.8,0.1,0.1")
    })
}

/// Splits a corpus anew; posts that the rule leaves out go to `rest`, if it is given.
///
/// # Errors
/// If the corpus or the file of the rule cannot be read, or no post would be in any part.
pub fn split(corpus: &mut Corpus, rule: &Rule, rest: Option<Part>) -> Result<SplitReport> {
    let assign = Assign::prepare(corpus, rule)?;
    let mut report = SplitReport { rule: assign.in_words(corpus, rest), ..SplitReport::default() };
    let mut parts: Vec<(String, Part)> = Vec::new();
    for chunk in corpus.chunks(8192)? {
        for post in chunk? {
            report.without_time += u64::from(matches!(assign, Assign::Time(..)) && post.created_at.is_none());
            match assign.part(&post).or(rest) {
                Some(part) => {
                    *report.parts.entry(part).or_default() += 1;
                    parts.push((post.id, part));
                }
                None => report.unassigned += 1,
            }
        }
    }
    if parts.is_empty() {
        return Err(Error::input(format!("no post is in any part by the rule \"{}\"", report.rule))
            .at(corpus.root())
            .help("by time, posts need times; from a file, its ids must be those of the corpus"));
    }
    corpus.set_parts(&report.rule, parts.iter().map(|(id, part)| Ok((id.as_str(), *part))))?;
    Ok(report)
}

/// A rule with what it needs to know of the corpus.
enum Assign {
    /// Ends of the parts, and the durations they came from.
    Time([Timestamp; 3], [SignedDuration; 3]),
    Author([f64; 3], u64),
    File(Splits, PathBuf),
    Keep(std::collections::HashMap<String, Part>),
}

impl Assign {
    fn prepare(corpus: &Corpus, rule: &Rule) -> Result<Assign> {
        Ok(match rule {
            Rule::Time(lengths) => Assign::Time(ends(corpus, lengths)?, *lengths),
            Rule::Author(shares, seed) => Assign::Author(*shares, *seed),
            Rule::File(path) => Assign::File(Splits::read(path)?, path.clone()),
            Rule::Keep => Assign::Keep(corpus.parts()?),
        })
    }

    fn part(&self, post: &Post) -> Option<Part> {
        match self {
            Assign::Time(ends, _) => {
                let time = post.created_at?;
                Part::ALL.into_iter().zip(ends).find(|(_, end)| time < **end).map(|(part, _)| part)
            }
            Assign::Author(shares, seed) => by_hash(post, *shares, *seed),
            Assign::File(splits, _) => splits.part_of(post),
            Assign::Keep(parts) => parts.get(&post.id).copied(),
        }
    }

    fn in_words(&self, corpus: &Corpus, rest: Option<Part>) -> String {
        let join = |words: Vec<String>| words.join(",");
        let words = match self {
            Assign::Time(_, lengths) => {
                format!("by time: {}", join(lengths.iter().map(|d| format!("{}h", d.as_hours())).collect()))
            }
            Assign::Author(shares, seed) => {
                format!("by author: {}, seed {seed}", join(shares.iter().map(f64::to_string).collect()))
            }
            Assign::File(_, path) => {
                format!("from file {}", path.file_name().unwrap_or_default().to_string_lossy())
            }
            Assign::Keep(_) => corpus.manifest().split.clone().unwrap_or_else(|| "none".to_owned()),
        };
        rest.map_or(words.clone(), |part| format!("{words}; rest: {part}"))
    }
}

/// Where the parts end, counted from the earliest post.
fn ends(corpus: &Corpus, lengths: &[SignedDuration; 3]) -> Result<[Timestamp; 3]> {
    let mut first: Option<Timestamp> = None;
    for chunk in corpus.chunks(8192)? {
        let earliest = chunk?.iter().filter_map(|p| p.created_at).min();
        first = first.into_iter().chain(earliest).min();
    }
    let start = first
        .ok_or_else(|| Error::input("no post has a time").at(corpus.root()).help("split by author or from a file"))?;
    let mut end = start;
    let mut ends = [start; 3];
    for (slot, length) in ends.iter_mut().zip(lengths) {
        end = end.checked_add(*length).map_err(|_| {
            Error::input("the parts would end after the last year that can be written").help("use shorter durations")
        })?;
        *slot = end;
    }
    Ok(ends)
}

/// A part by the hash of the author, uniform in [0, 1).
fn by_hash(post: &Post, shares: [f64; 3], seed: u64) -> Option<Part> {
    let (kind, id) = post.author.as_ref().map_or(("post", &post.id), |a| ("author", &a.id));
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(kind.as_bytes()).update(&[0]).update(id.as_bytes());
    let mut word = [0; 8];
    word.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // 53 bits: every value is a float of its own.
    let uniform = (u64::from_le_bytes(word) >> 11) as f64 / (1u64 << 53) as f64;
    let mut edge = 0.0;
    for (part, share) in Part::ALL.into_iter().zip(shares) {
        edge += share;
        // Shares that add up to 1 but for rounding must leave nobody out.
        let whole = edge > 1.0 - 1e-9;
        if share > 0.0 && (uniform < edge || whole) {
            return Some(part);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::post::Author;
    use super::super::writer::CorpusWriter;
    use super::*;

    fn corpus(folder: &std::path::Path, posts: impl IntoIterator<Item = Post>) -> Corpus {
        let mut writer = CorpusWriter::create(&folder.join("c"), false, true).unwrap();
        posts.into_iter().for_each(|p| writer.push(p, None).unwrap());
        writer.finish().unwrap()
    }

    fn at(id: usize, time: Option<&str>) -> Post {
        let created_at = time.map(|t| t.parse().unwrap());
        let author = Some(Author { id: format!("u{}", id / 3), ..Author::default() });
        Post { id: id.to_string(), created_at, author, ..Post::default() }
    }

    #[test]
    fn by_time_gives_a_week_a_day_a_day_and_leaves_out_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let days = ["01T00:00:00", "07T23:59:59", "08T00:00:00", "09T12:00:00", "10T00:00:00"];
        let mut posts: Vec<Post> =
            days.iter().enumerate().map(|(i, d)| at(i, Some(&format!("2020-03-{d}Z")))).collect();
        posts.push(at(5, None));
        let mut corpus = corpus(folder.path(), posts);
        let report = split(&mut corpus, &Rule::Time(PAPER), None).unwrap();
        assert_eq!(report.parts.values().copied().collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!((report.unassigned, report.without_time), (2, 1));
        let again = Corpus::open(corpus.root()).unwrap();
        assert_eq!(again.manifest().split.as_deref(), Some("by time: 168h,24h,24h"));
        assert_eq!(again.parts().unwrap()["2"], Part::Dev);
        let all = split(&mut corpus, &Rule::Keep, Some(Part::Train)).unwrap();
        assert_eq!((all.unassigned, all.parts[&Part::Train]), (0, 4));
    }

    #[test]
    fn by_author_keeps_authors_whole_and_the_shares_about_right() {
        let folder = tempfile::tempdir().unwrap();
        let mut corpus = corpus(folder.path(), (0..3000).map(|i| at(i, None)));
        let rule = Rule::Author([0.8, 0.1, 0.1], 1);
        let report = split(&mut corpus, &rule, None).unwrap();
        assert_eq!(report.unassigned, 0);
        // 1000 authors: 800 +- 12.6; five standard deviations.
        assert!((2400.0 - report.parts[&Part::Train] as f64).abs() < 3.0 * 64.0, "{report:?}");
        let parts = corpus.parts().unwrap();
        assert!((0..1000).all(|a| parts[&(3 * a).to_string()] == parts[&(3 * a + 2).to_string()]));
        let other = split(&mut corpus, &Rule::Author([0.8, 0.1, 0.1], 2), None).unwrap();
        assert_ne!(parts, corpus.parts().unwrap());
        assert!(other.rule.ends_with("seed 2"));
    }

    #[test]
    fn what_is_typed_is_checked() {
        assert_eq!(durations("7d,1d,24h").unwrap(), PAPER);
        assert!(durations("7d,1d").is_err() && durations("7w,1d,1d").is_err() && durations("").is_err());
        assert_eq!(shares("0.8,0.1,0.1").unwrap(), [0.8, 0.1, 0.1]);
        assert!(shares("0.8,0.3,0.1").is_err() && shares("a,b,c").is_err() && shares("NaN,0,0").is_err());
    }
}
