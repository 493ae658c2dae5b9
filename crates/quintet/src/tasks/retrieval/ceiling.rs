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
//! Posts that share a candidate (an author, a district, an image, the same words or tags) add their odds. Where several
//! answers are right, they are independent given the query, so the same order is best. Candidates that tie cannot be
//! told apart by anyone, so a tie counts by its expectation over random order: a hit among the first k of m
//! tied candidates with c right ones has probability 1 - C(m-c, k) / C(m, k). A model's own pessimistic rank can only be
//! lower, apart from the luck of a finite sample.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use super::evaluation::{Content, Task, content};
use crate::component::{Component, PerComponent};
use crate::config;
use crate::embed::Embeddings;
use crate::error::{Error, Result};
use crate::features::dataset::NONE;
use crate::features::text::{content_key, post_tokens, tags, text_key};
use crate::metrics::CUTS;
use crate::posts::town::oracle::{Oracle, Shown};
use crate::posts::town::truth::{read_options, read_rows};
use crate::posts::town::world::World;
use crate::posts::{Corpus, Part, Post};

/// The best that can be expected of one direction of retrieval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// Number of distinct queries.
    pub queries: usize,
    /// Number of distinct candidates.
    pub candidates: usize,
    /// Expected recall@1, 5, 10 in percent of queries.
    pub recall: [f64; 3],
    /// Median rank over queries and random orders of ties.
    pub median_rank: f64,
}

/// Ceilings of every direction that has queries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// From one component to another: (query, target, bound).
    pub pairs: Vec<(Component, Component, Bound)>,
    /// The published protocol: all other components of the post together find the target.
    pub published: Vec<(Component, Bound)>,
}

impl Ceiling {
    /// The bound from `query` to `target`.
    pub fn pair(&self, query: Component, target: Component) -> Option<&Bound> {
        self.pairs.iter().find(|(q, t, _)| (*q, *t) == (query, target)).map(|(_, _, bound)| bound)
    }

    /// The bound of the published protocol for `target`.
    pub fn published(&self, target: Component) -> Option<&Bound> {
        self.published.iter().find(|(t, _)| *t == target).map(|(_, bound)| bound)
    }
}

/// Ceilings of retrieval among the posts of `part` of a town, contents told apart as `quintet eval retrieval` does.
///
/// # Errors
/// If `corpus` is no town of this version, or a file cannot be read.
pub fn ceiling(corpus: &Corpus, part: Part) -> Result<Ceiling> {
    let parts = corpus.parts()?;
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for chunk in corpus.chunks(4096)? {
        for post in chunk?.into_iter().filter(|post| parts.get(&post.id) == Some(&part)) {
            keys.push(content_keys(&post));
            ids.push(post.id);
        }
    }
    let has = |c| keys.iter().map(|k: &PerComponent<u64>| if k[c] == 0 { NONE } else { 0 }).collect();
    let presence = Embeddings { rows: PerComponent::from_fn(has), ..Embeddings::default() };
    ceiling_of(corpus, &ids, &presence, &keys)
}

/// Ceilings for exactly the queries and candidates of a model: the posts `ids`, where the components that have a row in
/// `embeddings` take part, and equal `keys` are equal contents (`Dataset::keys`).
///
/// # Errors
/// If `corpus` is no town of this version, or a file cannot be read.
pub fn ceiling_of(
    corpus: &Corpus,
    ids: &[String],
    embeddings: &Embeddings,
    keys: &[PerComponent<u64>],
) -> Result<Ceiling> {
    let world = World::new(&read_options(corpus.root())?);
    let oracle = Oracle::new(&world);
    let shown = shown(corpus, ids, &world, &oracle)?;
    let bound = |from: &[Component], target| {
        let task = Task::new(embeddings, keys, from, target);
        (!task.queries.is_empty()).then(|| bound(&oracle, &shown, &task, embeddings, keys))
    };
    let (mut pairs, mut published) = (Vec::new(), Vec::new());
    for target in Component::ALL {
        let others: Vec<Component> = Component::ALL.into_iter().filter(|&c| c != target).collect();
        pairs.extend(others.iter().filter_map(|&query| Some((query, target, bound(&[query], target)?))));
        published.extend(bound(&others, target).map(|bound| (target, bound)));
    }
    pairs.sort_by_key(|&(query, target, _)| (query, target));
    Ok(Ceiling { pairs, published })
}

/// What makes contents of the town equal, as the features tell them apart; the file name stands for an image's content.
fn content_keys(post: &Post) -> PerComponent<u64> {
    let one = |text: Option<&str>| text.map_or(0, |text| content_key([text]));
    let mut tags = tags(post);
    tags.sort();
    PerComponent([
        text_key(&post_tokens(post, &config::Text::default())),
        one(post.images.first().and_then(|i| i.path.as_deref())),
        if tags.is_empty() { 0 } else { content_key(tags.iter().map(String::as_str)) },
        one(post.place.as_ref().map(|p| p.id.as_str())),
        one(post.author.as_ref().map(|a| a.id.as_str())),
    ])
}

/// What each of the posts `ids` shows.
fn shown(corpus: &Corpus, ids: &[String], world: &World, oracle: &Oracle) -> Result<Vec<Shown>> {
    let index: HashMap<&str, usize> = ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
    let accounts: HashMap<&str, _> = world.accounts.iter().map(|a| (a.profile.id.as_str(), a)).collect();
    let places: HashMap<&str, usize> = world.places.iter().enumerate().map(|(l, p)| (p.id.as_str(), l)).collect();
    let mut shown: Vec<Option<Shown>> = vec![None; ids.len()];
    for row in read_rows(corpus.root())? {
        if let Some(&i) = index.get(row.post_id.as_str()) {
            shown[i] = Some(PerComponent([row.shown_text, row.shown_image, row.shown_hashtags, None, None]));
        }
    }
    for chunk in corpus.chunks(4096)? {
        for post in chunk? {
            let Some(shown) = index.get(post.id.as_str()).and_then(|&i| shown[i].as_mut()) else { continue };
            shown[Component::Location] = post.place.and_then(|p| places.get(p.id.as_str()).copied());
            shown[Component::User] =
                post.author.and_then(|a| accounts.get(a.id.as_str()).copied()).and_then(|a| oracle.class_of(a));
        }
    }
    let known = |(shown, id): (Option<Shown>, &String)| {
        shown.ok_or_else(|| Error::input(format!("post {id} is not in truth.csv")).at(corpus.root()))
    };
    shown.into_iter().zip(ids).map(known).collect()
}

/// The bound of one direction.
fn bound(oracle: &Oracle, shown: &[Shown], task: &Task, embeddings: &Embeddings, keys: &[PerComponent<u64>]) -> Bound {
    let target = task.target;
    let has = |post: usize, c: Component| embeddings.rows[c][post] != NONE;
    // Posts behind each candidate, and the symbol they show.
    let mut posts: HashMap<Content, f64> = HashMap::new();
    for post in (0..keys.len()).filter(|&p| has(p, target) && task.from.iter().any(|&c| has(p, c))) {
        *posts.entry(content(keys, post, target)).or_default() += 1.0;
    }
    let candidate = |&post: &u32| (shown[post as usize][target], posts[&content(keys, post as usize, target)]);
    let candidates: Vec<(Option<usize>, f64)> = task.candidates.iter().map(candidate).collect();
    let ties: Vec<Ties> = task
        .queries
        .par_iter()
        .map(|query| {
            let post = query.post as usize;
            let seen = |c: Component| shown[post][c].filter(|_| task.from.contains(&c) && has(post, c));
            let scores = oracle.scores(&PerComponent::from_fn(seen), target);
            let odds = |&(symbol, posts): &(Option<usize>, f64)| symbol.map_or(0.0, |x| scores[x] * posts);
            Ties::of(&candidates.iter().map(odds).collect::<Vec<_>>(), &query.right)
        })
        .collect();
    summary(&ties, candidates.len())
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
    fn of(odds: &[f64], right: &[u32]) -> Ties {
        let best = right.iter().map(|&r| odds[r as usize]).fold(f64::NEG_INFINITY, f64::max);
        // Sums in another order may differ in the last bits; such candidates tie.
        let same = |other: f64| (other - best).abs() <= 1e-9 * best.abs();
        Ties {
            better: odds.iter().filter(|&&o| o > best && !same(o)).count(),
            equal: odds.iter().filter(|&&o| same(o)).count(),
            right: right.iter().filter(|&&r| same(odds[r as usize])).count(),
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
    let mean = |k: usize| 100.0 * ties.iter().map(|t| t.within(k)).sum::<f64>() / ties.len().max(1) as f64;
    // The share of queries within a rank grows with the rank: bisect for the median.
    let (mut low, mut high) = (1, candidates.max(1));
    while low < high {
        let middle = usize::midpoint(low, high);
        if mean(middle) >= 50.0 { high = middle } else { low = middle + 1 }
    }
    Bound { queries: ties.len(), candidates, recall: CUTS.map(mean), median_rank: low as f64 }
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
        assert!((bound.recall[2] - 10.0).abs() < 1e-9);
        assert_eq!(bound.median_rank, 50.0);
    }
}
