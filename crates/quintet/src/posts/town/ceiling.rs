//! The known ceiling of the town: how well retrieval can possibly work, given what the components show.
//!
//! A post has an author of class `a` and a hidden state `h`; given both, components are independent, and what component
//! `c` shows, `x_c`, is all of its content that depends on `h` (the rest, such as languages and filler words, is drawn
//! on its own). A candidate with symbol `x` is then the query's own with odds proportional to
//!
//! ```text
//! p(x | x_query) / p(x),   p(x, x_query) = Σ_a Σ_h p(a) p(h | a) Π_c p(x_c | a, h),
//! ```
//!
//! and ranking by these odds maximises every recall@k (Neyman and Pearson's lemma, one candidate against another).
//! Posts that share a candidate (an author, a district, an image file, the same words or tags) add their odds. Candidates that tie
//! cannot be told apart by anyone, so a tie counts by its expectation over random order: a hit among the first k of m
//! tied candidates with c right ones has probability 1 - C(m-c, k) / C(m, k). A model's own pessimistic rank can only be
//! lower, apart from the luck of a finite sample.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use serde::Serialize;

use super::oracle::{Oracle, Shown};
use super::truth::{read_options, read_rows};
use super::world::World;
use crate::component::{Component, PerComponent};
use crate::error::{Error, Result};
use crate::posts::{Corpus, Part};

/// The k of recall@k.
pub const AT: [usize; 3] = [1, 5, 10];

/// The best that can be expected of one direction of retrieval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// Number of queries.
    pub queries: usize,
    /// Number of different candidates.
    pub candidates: usize,
    /// Expected recall@1/5/10, in `[0, 1]`.
    pub recall: [f64; 3],
    /// Median of the rank over queries and random order of ties.
    pub median_rank: f64,
}

/// Ceilings of every direction in one part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Part the figures are for.
    pub part: Part,
    /// From one component to another: (query, target, bound).
    pub pairs: Vec<(Component, Component, Bound)>,
    /// The published protocol: all other components of the post together find the target.
    pub protocol: Vec<(Component, Bound)>,
}

impl Ceiling {
    /// The bound from `query` to `target`.
    pub fn pair(&self, query: Component, target: Component) -> Option<&Bound> {
        self.pairs.iter().find(|(q, t, _)| (*q, *t) == (query, target)).map(|(_, _, bound)| bound)
    }

    /// The bound of the published protocol for `target`.
    pub fn protocol(&self, target: Component) -> Option<&Bound> {
        self.protocol.iter().find(|(t, _)| *t == target).map(|(_, bound)| bound)
    }
}

/// A post as the oracle sees it.
struct Seen {
    shown: Shown,
    /// Number of the candidate it belongs to, per component (equal content, equal number).
    candidate: PerComponent<usize>,
}

/// Different contents of one component.
#[derive(Default)]
struct Candidates {
    numbers: HashMap<String, usize>,
    /// Symbol and number of posts of each.
    all: Vec<(usize, f64)>,
}

impl Candidates {
    fn add(&mut self, content: String, symbol: usize) -> usize {
        let number = *self.numbers.entry(content).or_insert(self.all.len());
        if number == self.all.len() {
            self.all.push((symbol, 0.0));
        }
        self.all[number].1 += 1.0;
        number
    }
}

/// Ceilings of retrieval within `part` of a town.
///
/// # Errors
/// If `corpus` is no town of this version, or a file cannot be read.
pub fn ceiling(corpus: &Corpus, part: Part) -> Result<Ceiling> {
    let world = World::new(&read_options(corpus.root())?);
    let oracle = Oracle::new(&world);
    let mut candidates: [Candidates; Component::COUNT] = Default::default();
    let seen = see(corpus, part, &world, &oracle, &mut candidates)?;
    let bound = |target: Component, query: Option<Component>| {
        bound(&oracle, &seen, &candidates[target as usize], target, query)
    };
    let mut pairs = Vec::new();
    let mut protocol = Vec::new();
    for target in Component::ALL {
        for query in Component::ALL.into_iter().filter(|&q| q != target) {
            pairs.push((query, target, bound(target, Some(query))));
        }
        protocol.push((target, bound(target, None)));
    }
    pairs.sort_by_key(|&(query, target, _)| (query, target));
    Ok(Ceiling { part, pairs, protocol })
}

fn see(
    corpus: &Corpus,
    part: Part,
    world: &World,
    oracle: &Oracle,
    candidates: &mut [Candidates; Component::COUNT],
) -> Result<Vec<Seen>> {
    let parts = corpus.parts()?;
    let truth: HashMap<String, _> =
        read_rows(corpus.root())?.into_iter().map(|row| (row.post_id.clone(), row)).collect();
    let accounts: HashMap<&str, _> = world.accounts.iter().map(|a| (a.profile.id.as_str(), a)).collect();
    let places: HashMap<&str, usize> = world.places.iter().enumerate().map(|(l, p)| (p.id.as_str(), l)).collect();
    let mut seen = Vec::new();
    for chunk in corpus.chunks(4096)? {
        for post in chunk?.into_iter().filter(|post| parts.get(&post.id) == Some(&part)) {
            let row = truth
                .get(&post.id)
                .ok_or_else(|| Error::input(format!("post {} is not in truth.csv", post.id)).at(corpus.root()))?;
            let author = post.author.as_ref().map_or("", |a| a.id.as_str());
            let shown = PerComponent([
                row.shown_text,
                row.shown_image,
                row.shown_hashtags,
                post.place.as_ref().and_then(|p| places.get(p.id.as_str()).copied()),
                accounts.get(author).and_then(|a| oracle.class_of(a)),
            ]);
            let mut tags: Vec<String> = post.hashtags.iter().map(|t| t.to_lowercase()).collect();
            tags.sort();
            let contents = PerComponent([
                words_of(&post.text),
                post.images.first().and_then(|i| i.path.clone()).unwrap_or_default(),
                tags.join(" "),
                post.place.as_ref().map(|p| p.id.clone()).unwrap_or_default(),
                author.to_owned(),
            ]);
            let mut contents = contents.0.into_iter();
            let candidate = PerComponent::from_fn(|c| {
                let content = contents.next().unwrap_or_default();
                shown[c].map_or(usize::MAX, |symbol| candidates[c as usize].add(content, symbol))
            });
            seen.push(Seen { shown, candidate });
        }
    }
    Ok(seen)
}

/// The words of a text without what belongs to other components.
fn words_of(text: &str) -> String {
    let word = |w: &&str| !w.starts_with(['#', '@']) && !w.starts_with("https://") && *w != "RT" && *w != ":";
    text.split_whitespace().filter(word).collect::<Vec<_>>().join(" ")
}

/// The bound of finding `target`, by `query` alone or (none) by all other components.
fn bound(
    oracle: &Oracle,
    seen: &[Seen],
    candidates: &Candidates,
    target: Component,
    query: Option<Component>,
) -> Bound {
    // Any text of an image answers it.
    let mut texts_of_image: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    if query == Some(Component::Image) && target == Component::Text {
        for post in seen.iter().filter(|p| p.shown[Component::Image].is_some() && p.shown[target].is_some()) {
            texts_of_image.entry(post.candidate[Component::Image]).or_default().insert(post.candidate[target]);
        }
    }
    let ask = |post: &Seen| -> Option<Ties> {
        post.shown[target]?;
        let shown = PerComponent::from_fn(|c| post.shown[c].filter(|_| query.is_none_or(|q| q == c) && c != target));
        shown.0.iter().any(Option::is_some).then(|| {
            let scores = oracle.scores(&shown, target);
            let right = match texts_of_image.get(&post.candidate[Component::Image]) {
                Some(texts) => texts.iter().copied().collect(),
                None => vec![post.candidate[target]],
            };
            Ties::of(&candidates.all, &scores, &right)
        })
    };
    let ties: Vec<Ties> = seen.par_iter().filter_map(ask).collect();
    summary(&ties, candidates.all.len())
}

/// Where the right candidates of a query stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ties {
    /// Candidates with better odds than the best right one.
    better: usize,
    /// Candidates with equal odds, the right ones included.
    equal: usize,
    /// Right ones among the equal.
    right: usize,
}

impl Ties {
    fn of(candidates: &[(usize, f64)], scores: &[f64], right: &[usize]) -> Ties {
        let odds = |number: usize| scores[candidates[number].0] * candidates[number].1;
        let best = right.iter().map(|&r| odds(r)).fold(f64::NEG_INFINITY, f64::max);
        // Sums in another order may differ in the last bits; such candidates tie.
        let same = |other: f64| (other - best).abs() <= 1e-9 * best.abs();
        let all = 0..candidates.len();
        Ties {
            better: all.clone().filter(|&n| odds(n) > best && !same(odds(n))).count(),
            equal: all.filter(|&n| same(odds(n))).count(),
            right: right.iter().filter(|&&r| same(odds(r))).count(),
        }
    }

    /// Probability that the best right candidate is among the first `k`.
    fn within(&self, k: usize) -> f64 {
        if k <= self.better {
            return 0.0;
        }
        let first = k - self.better;
        if first + self.right > self.equal {
            return 1.0;
        }
        // 1 - C(m-c, first) / C(m, first), as a product over the right ones.
        let miss: f64 = (0..self.right).map(|j| (self.equal - first - j) as f64 / (self.equal - j) as f64).product();
        1.0 - miss
    }
}

fn summary(ties: &[Ties], candidates: usize) -> Bound {
    let mean = |k: usize| ties.iter().map(|t| t.within(k)).sum::<f64>() / ties.len().max(1) as f64;
    // The share of queries within a rank grows with the rank: bisect for the median.
    let (mut low, mut high) = (1, candidates.max(1));
    while low < high {
        let middle = usize::midpoint(low, high);
        if mean(middle) >= 0.5 { high = middle } else { low = middle + 1 }
    }
    Bound { queries: ties.len(), candidates, recall: AT.map(mean), median_rank: low as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_by_expectation() {
        let alone = Ties { better: 2, equal: 4, right: 1 };
        assert_eq!(alone.within(2), 0.0);
        assert!((alone.within(3) - 0.25).abs() < 1e-12);
        assert_eq!(alone.within(6), 1.0);
        // Two right ones of four: the first place is right in 1/2, one of the first two in 1 - 1/6.
        let two = Ties { better: 0, equal: 4, right: 2 };
        assert!((two.within(1) - 0.5).abs() < 1e-12);
        assert!((two.within(2) - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(two.within(3), 1.0);
    }

    #[test]
    fn all_equal_is_chance() {
        let ties = vec![Ties { better: 0, equal: 100, right: 1 }; 5];
        let bound = summary(&ties, 100);
        assert!((bound.recall[2] - 0.1).abs() < 1e-12);
        assert_eq!(bound.median_rank, 50.0);
    }
}
