//! What `quintet features` tells: what was fitted, how much of the validation part it covers, and what it took.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Instant;

use serde::Serialize;

use super::dataset::{Dataset, Status};
use super::fitted::Fitted;
use super::user::UserVectors;
use super::vocabulary::UNKNOWN;
use crate::component::{Component, PerComponent};
use crate::config::Config;
use crate::error::Result;
use crate::posts::{Corpus, Part, Post};
use crate::progress::Progress;

/// What was fitted and what it covers.
#[derive(Clone, Debug, Serialize)]
pub struct FeaturesReport {
    /// Posts of the corpus.
    pub posts: usize,
    /// Posts of the training part, the only ones fitted on.
    pub train_posts: usize,
    /// Rows of the vocabulary, the four special ones included.
    pub vocabulary: usize,
    /// Share of the tokens of validation texts that are in the vocabulary; none without validation texts.
    pub dev_coverage: Option<f64>,
    /// Words with a vector of their own.
    pub words: usize,
    /// Accounts in the mention graph.
    pub accounts: usize,
    /// Directed edges of the mention graph.
    pub mentions: usize,
    /// Share of the accounts from which a walk can take a step; the others have been mentioned only.
    pub walking_accounts: Option<f64>,
    /// Share of the training part's authors that have a vector.
    pub train_authors_with_vector: Option<f64>,
    /// Places with neighbour texts.
    pub places: usize,
    /// Neighbour texts of all places.
    pub neighbours: usize,
    /// Distinct images with a feature.
    pub images: usize,
    /// Posts by what became of each component: component, status, posts.
    pub status: Vec<(Component, &'static str, usize)>,
    /// Seconds by step, in order.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Fits on the training part of `corpus`, turns every post into numbers, and reports.
///
/// # Errors
/// As [`Fitted::fit`] and [`Fitted::numbers`].
pub fn features_report(corpus: &Corpus, config: &Config, progress: &dyn Progress) -> Result<FeaturesReport> {
    let fitted = Fitted::fit(corpus, config, progress)?;
    let (posts, parts) = (corpus.posts()?, corpus.parts()?);
    let clock = Instant::now();
    let dataset = fitted.numbers(corpus, &posts, &parts, progress)?;
    let mut seconds = fitted.seconds.clone();
    seconds.push(("numbers and images", clock.elapsed().as_secs_f64()));
    Ok(report(&fitted, &dataset, &posts, &parts, seconds))
}

fn report(
    fitted: &Fitted,
    dataset: &Dataset,
    posts: &[Post],
    parts: &HashMap<String, Part>,
    seconds: Vec<(&'static str, f64)>,
) -> FeaturesReport {
    let dev = (0..dataset.len()).filter(|&i| dataset.parts[i] == Some(Part::Dev));
    let tokens = dev.flat_map(|i| dataset.text.get(i)).filter(|&&id| id >= UNKNOWN);
    let (known, all) = tokens.fold((0, 0), |(known, all), &id| (known + usize::from(id > UNKNOWN), all + 1));
    let users = fitted.users.as_ref();
    let accounts = users.map_or(0, UserVectors::len);
    let places = fitted.places.as_ref();
    FeaturesReport {
        posts: posts.len(),
        train_posts: dataset.parts.iter().filter(|p| **p == Some(Part::Train)).count(),
        vocabulary: fitted.vocabulary.len(),
        dev_coverage: share(known, all),
        words: fitted.words.as_ref().map_or(0, |w| w.len()),
        accounts,
        mentions: users.map_or(0, |u| u.edges),
        walking_accounts: users.and_then(|u| share(u.starting_nodes, accounts)),
        train_authors_with_vector: users.and_then(|u| authors_with_vector(u, posts, parts)),
        places: places.map_or(0, |p| p.len()),
        neighbours: places.map_or(0, |p| p.candidates()),
        images: dataset.images.len(),
        status: count_status(&dataset.status, |c| fitted.settings.has(c)),
        seconds,
    }
}

fn authors_with_vector(users: &UserVectors, posts: &[Post], parts: &HashMap<String, Part>) -> Option<f64> {
    let train = posts.iter().filter(|p| parts.get(&p.id) == Some(&Part::Train));
    let mut seen = HashSet::new();
    let authors: Vec<_> = train.filter_map(|p| p.author.as_ref()).filter(|a| seen.insert(a.id.as_str())).collect();
    share(authors.iter().filter(|a| users.vector(a).is_some()).count(), authors.len())
}

fn count_status(
    status: &[PerComponent<Status>],
    has: impl Fn(Component) -> bool,
) -> Vec<(Component, &'static str, usize)> {
    let kinds = [Status::Present, Status::Inferred, Status::Unseen, Status::Broken, Status::Missing];
    let pairs = Component::ALL.into_iter().filter(|&c| has(c)).flat_map(|c| kinds.map(|kind| (c, kind)));
    let counts = pairs.map(|(c, kind)| (c, kind.name(), status.iter().filter(|s| s[c] == kind).count()));
    counts.filter(|(_, _, n)| *n > 0).collect()
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl fmt::Display for FeaturesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: Option<f64>| share.map_or("-".to_string(), |s| format!("{:.1} %", 100.0 * s));
        writeln!(f, "posts        {} ({} in training)", self.posts, self.train_posts)?;
        let coverage = percent(self.dev_coverage);
        writeln!(f, "vocabulary   {} rows; {coverage} of the tokens of validation texts", self.vocabulary)?;
        writeln!(f, "words        {} with a vector of their own", self.words)?;
        writeln!(f, "accounts     {} with {} mentions between them", self.accounts, self.mentions)?;
        let (walking, authors) = (percent(self.walking_accounts), percent(self.train_authors_with_vector));
        writeln!(f, "             {walking} mention somebody; {authors} of the training authors have a vector")?;
        writeln!(f, "places       {} with {} neighbour texts", self.places, self.neighbours)?;
        writeln!(f, "images       {} distinct", self.images)?;
        for (component, status, posts) in &self.status {
            writeln!(f, "{component:<12} {status:<9} {posts:>9} posts")?;
        }
        for (step, seconds) in &self.seconds {
            writeln!(f, "took         {seconds:>8.1} s for {step}")?;
        }
        Ok(())
    }
}
