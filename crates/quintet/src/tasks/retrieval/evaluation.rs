//! The protocol: who asks, what is searched, which answers are right.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::report::{Direction, LeftOut, RetrievalReport, Rsum};
use super::{scores, trivial};
use crate::component::{Component, PerComponent};
use crate::embed::Embeddings;
use crate::features::dataset::NONE;
use crate::metrics::{Bootstrap, Summary};
use crate::posts::Part;

/// What to evaluate on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Part of the corpus; `None`: every post, whatever its part.
    pub part: Option<Part>,
    /// Only posts imported from this source, for corpora that unite several.
    pub source: Option<String>,
    /// Only posts imported from this source ask; every chosen post stays a candidate.
    pub queries_from: Option<String>,
    /// Directions with fewer queries are listed as left out: their figures would say nothing.
    pub min_queries: usize,
    /// At most this many posts, drawn by `bootstrap.seed` (0: all). Similarities grow with its square.
    pub max_posts: usize,
    /// Resamples and seed of the intervals.
    pub bootstrap: Bootstrap,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            part: Some(Part::Dev),
            source: None,
            queries_from: None,
            min_queries: 20,
            max_posts: 0,
            bootstrap: Bootstrap::default(),
        }
    }
}

/// One direction of retrieval, ready to be ranked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    /// Components that ask; a candidate scores the largest cosine with any of them that the query has.
    pub from: Vec<Component>,
    /// Component that is searched for.
    pub target: Component,
    /// Distinct queries in the order of their first posts.
    pub queries: Vec<Query>,
    /// A post for each distinct content of the target, in the order of the first posts. Where contents are equal but
    /// vectors may differ (a place, seen by posts with different near-duplicates left out), the first post stands for all.
    pub candidates: Vec<u32>,
}

/// One query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// The first post with this content.
    pub post: u32,
    /// Positions of the right answers in `Task::candidates`, ascending.
    pub right: Vec<u32>,
}

/// A content: equal keys are equal contents; without a key (0) a post is equal only to itself.
pub(crate) type Content = (u64, u32);

pub(crate) fn content(keys: &[PerComponent<u64>], post: usize, c: Component) -> Content {
    match keys[post][c] {
        0 => (0, post as u32 + 1),
        key => (key, 0),
    }
}

impl Task {
    /// Everything that asks with `from` for `target`: posts that have the target and at least one of `from`.
    ///
    /// Posts whose contents agree in all of `from` are one query, and the target of each of them is right. Where the
    /// image asks, the targets of all posts with the same image are right, also of those that differ in another component.
    pub(crate) fn new(
        embeddings: &Embeddings,
        keys: &[PerComponent<u64>],
        from: &[Component],
        target: Component,
    ) -> Task {
        let has = |post: usize, c: Component| embeddings.rows[c][post] != NONE;
        let mut task = Task { from: from.to_vec(), target, queries: Vec::new(), candidates: Vec::new() };
        let mut candidate_of: HashMap<Content, u32> = HashMap::new();
        let mut query_of: HashMap<Vec<Option<Content>>, usize> = HashMap::new();
        let mut by_image: HashMap<Content, Vec<u32>> = HashMap::new();
        for post in 0..keys.len() {
            if !has(post, target) || !from.iter().any(|&c| has(post, c)) {
                continue;
            }
            let candidate = *candidate_of.entry(content(keys, post, target)).or_insert_with(|| {
                task.candidates.push(post as u32);
                task.candidates.len() as u32 - 1
            });
            let asked: Vec<Option<Content>> =
                from.iter().map(|&c| has(post, c).then(|| content(keys, post, c))).collect();
            let query = *query_of.entry(asked).or_insert_with(|| {
                task.queries.push(Query { post: post as u32, right: Vec::new() });
                task.queries.len() - 1
            });
            task.queries[query].right.push(candidate);
            if from.contains(&Component::Image) && has(post, Component::Image) {
                by_image.entry(content(keys, post, Component::Image)).or_default().push(candidate);
            }
        }
        for query in &mut task.queries {
            if let Some(same_image) = by_image.get(&content(keys, query.post as usize, Component::Image)) {
                query.right.extend(same_image);
            }
            query.right.sort_unstable();
            query.right.dedup();
        }
        task
    }
}

/// Components of which at least one post has a vector.
fn components(embeddings: &Embeddings) -> Vec<Component> {
    Component::ALL.into_iter().filter(|&c| !embeddings.vectors[c].is_empty()).collect()
}

/// Figures of every direction, by both protocols.
///
/// `keys` are the content keys of the same posts, in the same order (`Dataset::keys`). The report's `corpus` and
/// `synthetic` are left for the caller to fill; `options.part`, `source` and `max_posts` are copied only: the caller has
/// chosen the posts by them.
pub fn evaluate(embeddings: &Embeddings, keys: &[PerComponent<u64>], options: &Options) -> RetrievalReport {
    evaluate_where(embeddings, keys, &|_| true, options)
}

/// As [`evaluate`]; of the posts, only those for which `asks` holds are queries.
pub fn evaluate_where(
    embeddings: &Embeddings,
    keys: &[PerComponent<u64>],
    asks: &dyn Fn(usize) -> bool,
    options: &Options,
) -> RetrievalReport {
    let present = components(embeddings);
    let mut report = RetrievalReport { posts: keys.len(), options: options.clone(), ..RetrievalReport::default() };
    let mut stream = 0;
    for (i, &a) in present.iter().enumerate() {
        for &b in &present[i + 1..] {
            let both = [(a, b), (b, a)].map(|(from, target)| {
                stream += 1;
                direction(embeddings, keys, asks, (&[from], target), options, stream)
            });
            if let [Ok(there), Ok(back)] = &both {
                report.rsums.push(rsum(a, b, there, back));
            }
            for result in both {
                match result {
                    Ok(measured) => report.pairs.push(measured.direction),
                    Err(left_out) => report.left_out.push(left_out),
                }
            }
        }
    }
    for &target in &present {
        stream += 1;
        let others: Vec<Component> = present.iter().copied().filter(|&c| c != target).collect();
        match direction(embeddings, keys, asks, (&others, target), options, stream) {
            Ok(measured) => report.published.push(measured.direction),
            Err(left_out) => report.left_out.push(left_out),
        }
    }
    report
}

/// A direction with what its rsum needs: the resampled figures.
struct Measured {
    direction: Direction,
    summary: Summary,
    chance: Summary,
    resamples: Vec<Summary>,
}

fn direction(
    embeddings: &Embeddings,
    keys: &[PerComponent<u64>],
    asks: &dyn Fn(usize) -> bool,
    (from, target): (&[Component], Component),
    options: &Options,
    stream: u64,
) -> Result<Measured, LeftOut> {
    let mut task = Task::new(embeddings, keys, from, target);
    task.queries.retain(|query| asks(query.post as usize));
    if task.queries.is_empty() || task.queries.len() < options.min_queries {
        return Err(LeftOut { from: from.to_vec(), target, queries: task.queries.len() });
    }
    let ranks = scores::ranks(&task, embeddings);
    let (summary, chance) = (Summary::of(&ranks), trivial::chance(&task));
    let resamples = options.bootstrap.summaries(&ranks, stream);
    let right: usize = task.queries.iter().map(|q| q.right.len()).sum();
    let sizes = (task.queries.len(), task.candidates.len(), right as f64 / task.queries.len() as f64);
    let direction = Direction::new(task.from, target, sizes, &summary, &chance, &resamples);
    Ok(Measured { direction, summary, chance, resamples })
}

/// Sum of the six recalls of a pair. The two directions are resampled independently of each other.
fn rsum(a: Component, b: Component, there: &Measured, back: &Measured) -> Rsum {
    let mut resampled: Vec<f64> =
        there.resamples.iter().zip(&back.resamples).map(|(x, y)| x.recall_sum() + y.recall_sum()).collect();
    Rsum {
        between: [a, b],
        rsum: super::Figure::new(
            there.summary.recall_sum() + back.summary.recall_sum(),
            there.chance.recall_sum() + back.chance.recall_sum(),
            &mut resampled,
        ),
    }
}
