//! Figures of recommended tags: precision, recall, F1 and hits among the first 1 to 5 of each post's list.
//!
//! Per post, with K recommended and G true tags: P@K = hits / K, R@K = hits / G, F1@K = 2 hits / (K + G), hit@K whether
//! there is one at all (`coattention.md`, metrics). A list shorter than K counts as K all the same, and a true tag that
//! was never a candidate stays in G. Two F1 occur in the literature, so both are computed: the mean of the posts' F1,
//! and the F1 of mean precision and mean recall.

use quintet_kernels::rng::{Rng, label};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::Bootstrap;

/// Longest list that is judged.
pub const MOST: usize = 5;

/// What one post's list achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Right tags among the first 1, 2, ... [`MOST`] of the list.
    pub within: [u32; MOST],
    /// True tags of the post, never 0.
    pub tags: u32,
}

impl Hits {
    /// Judges a list, best first; the tags of a list, and those of `truth`, are distinct. `tags` is the number of true
    /// tags, those that are no candidates included.
    pub fn of<T: PartialEq>(list: &[T], truth: &[T], tags: usize) -> Hits {
        let mut within = [0; MOST];
        for (at, recommended) in list.iter().take(MOST).enumerate() {
            if truth.contains(recommended) {
                within[at..].iter_mut().for_each(|hits| *hits += 1);
            }
        }
        Hits { within, tags: tags as u32 }
    }
}

/// Means over posts, as shares from 0 to 1; position k - 1 holds the figure at k.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TagSummary {
    /// Mean share of the first k that is right.
    pub precision: [f64; MOST],
    /// Mean share of the true tags that is among the first k.
    pub recall: [f64; MOST],
    /// Mean of the posts' F1.
    pub f1: [f64; MOST],
    /// F1 of mean precision and mean recall.
    pub f1_of_means: [f64; MOST],
    /// Share of posts with a right tag among the first k.
    pub hit: [f64; MOST],
}

impl TagSummary {
    /// Means over `posts`; all zero without any.
    pub fn of(posts: &[Hits]) -> TagSummary {
        Self::mean(posts.len(), posts.iter().map(Expected::of))
    }

    /// What lists in random order score in expectation, exactly: `posts` holds for each post how many of its tags are
    /// candidates, and how many tags it has.
    pub fn chance(posts: &[(usize, usize)], candidates: usize) -> TagSummary {
        Self::mean(posts.len(), posts.iter().map(|&(known, tags)| Expected::by_chance(known, tags, candidates)))
    }

    fn mean(posts: usize, each: impl Iterator<Item = Expected>) -> TagSummary {
        let mut sum = TagSummary::default();
        let share = 1.0 / posts.max(1) as f64;
        for post in each {
            for at in 0..MOST {
                let (k, tags, hits) = ((at + 1) as f64, post.tags, post.hits[at]);
                sum.precision[at] += share * hits / k;
                sum.recall[at] += share * hits / tags;
                sum.f1[at] += share * 2.0 * hits / (k + tags);
                sum.hit[at] += share * post.any[at];
            }
        }
        for at in 0..MOST {
            let (p, r) = (sum.precision[at], sum.recall[at]);
            sum.f1_of_means[at] = if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 };
        }
        sum
    }
}

/// Expected hits among the first k, and the probability of at least one.
struct Expected {
    hits: [f64; MOST],
    any: [f64; MOST],
    tags: f64,
}

impl Expected {
    fn of(post: &Hits) -> Expected {
        let any = post.within.map(|hits| f64::from(u8::from(hits > 0)));
        Expected { hits: post.within.map(f64::from), any, tags: f64::from(post.tags.max(1)) }
    }

    fn by_chance(known: usize, tags: usize, candidates: usize) -> Expected {
        let (n, g) = (candidates as f64, known as f64);
        let (mut hits, mut any, mut none) = ([0.0; MOST], [0.0; MOST], 1.0);
        for at in 0..MOST {
            let drawn = at as f64;
            // The next draw misses with the share of wrong ones among those that are left.
            none *= if drawn < n { ((n - g - drawn) / (n - drawn)).max(0.0) } else { 1.0 };
            hits[at] = if n > 0.0 { (drawn + 1.0).min(n) * g / n } else { 0.0 };
            any[at] = 1.0 - none;
        }
        Expected { hits, any, tags: tags.max(1) as f64 }
    }
}

impl Bootstrap {
    /// The figures of every resample: as many posts as there are, drawn with replacement. `stream` keeps evaluations that
    /// share a seed apart; lists of the same posts get the same draws from the same stream.
    pub fn tag_summaries(&self, posts: &[Hits], stream: u64) -> Vec<TagSummary> {
        if posts.is_empty() {
            return Vec::new();
        }
        let resample = |i: u64| {
            let mut rng = Rng::new(self.seed, &[label("bootstrap tags"), stream, i]);
            let drawn = (0..posts.len()).map(|_| Expected::of(&posts[rng.index(posts.len())]));
            TagSummary::mean(posts.len(), drawn)
        };
        (0..self.resamples as u64).into_par_iter().map(resample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Interval;
    use proptest::prelude::*;
    use quintet_kernels::rng::Rng;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} instead of {b}");
    }

    #[test]
    fn figures_of_known_lists() {
        // First post: right at 1 and 3 of 4 true tags; second: nothing of 1, and a short list.
        let posts = [Hits::of(&[7, 1, 8, 2, 3], &[8, 7, 9], 4), Hits::of(&[1, 2], &[], 1)];
        assert_eq!(posts[0].within, [1, 1, 2, 2, 2]);
        let s = TagSummary::of(&posts);
        close(s.precision[0], 0.5);
        close(s.recall[0], 0.125);
        close(s.f1[0], 0.5 * 2.0 / 5.0);
        close(s.f1_of_means[0], 2.0 * 0.5 * 0.125 / 0.625);
        close(s.precision[2], 0.5 * 2.0 / 3.0);
        close(s.recall[4], 0.25);
        close(s.hit[4], 0.5);
        assert_eq!(TagSummary::of(&[]), TagSummary::default());
    }

    proptest! {
        /// Chance is the mean over many random lists.
        #[test]
        fn chance_is_the_mean_of_random_orders(candidates in 1usize..9, known in 0usize..4, unknown in 0usize..3, seed: u64) {
            let known = known.min(candidates);
            let tags = (known + unknown).max(1);
            let truth: Vec<usize> = (0..known).collect();
            let mut rng = Rng::new(seed, &[]);
            let draws: Vec<Hits> = (0..20_000).map(|_| {
                let mut order: Vec<usize> = (0..candidates).collect();
                rng.shuffle(&mut order);
                Hits::of(&order, &truth, tags)
            }).collect();
            let (mean, chance) = (TagSummary::of(&draws), TagSummary::chance(&[(known, tags)], candidates));
            for at in 0..MOST {
                for (a, b) in [(mean.precision, chance.precision), (mean.recall, chance.recall), (mean.f1, chance.f1),
                    (mean.hit, chance.hit)] {
                    prop_assert!((a[at] - b[at]).abs() < 0.025, "{} instead of {} at {}", a[at], b[at], at + 1);
                }
            }
        }
    }

    #[test]
    fn intervals_are_seeded_and_hold_the_figure() {
        let posts: Vec<Hits> = (0..300).map(|i| Hits { within: [u32::from(i % 3 == 0); MOST], tags: 1 }).collect();
        let bootstrap = Bootstrap { resamples: 300, seed: 3 };
        let resamples = bootstrap.tag_summaries(&posts, 1);
        assert_eq!(resamples, bootstrap.tag_summaries(&posts, 1));
        let interval = Interval::of(&mut resamples.iter().map(|s| s.precision[0]).collect::<Vec<_>>());
        // 300 posts, a third of them right: a standard error of 0.027.
        assert!((interval.low - (0.333 - 1.96 * 0.027)).abs() < 0.015, "{interval:?}");
        assert!((interval.high - (0.333 + 1.96 * 0.027)).abs() < 0.015, "{interval:?}");
        assert!(bootstrap.tag_summaries(&[], 1).is_empty());
    }
}
