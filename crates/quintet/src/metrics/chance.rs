//! What a random order of the candidates would score, computed exactly.
//!
//! A query with N candidates of which m are right: in a uniformly random order the best right answer has rank above k
//! with probability C(N - m, k) / C(N, k) (hypergeometric: none of the first k is right). Recall@k, the median rank and
//! the mean reciprocal rank follow from these probabilities; nothing is simulated.

use std::collections::BTreeMap;

use super::ranks::{CUTS, Summary};

/// The size of one query's task: how many candidates, how many of them right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Draw {
    /// Number of candidates N.
    pub candidates: usize,
    /// Number of right answers m among them, at least 1.
    pub right: usize,
}

impl Draw {
    /// P(rank of the best right answer > k) for k = 0, 1, ..., N - m + 1, where it reaches 0.
    fn survival(self) -> impl Iterator<Item = f64> {
        let (n, m) = (self.candidates as f64, self.right as f64);
        let steps = (self.candidates + 1).saturating_sub(self.right);
        std::iter::once(1.0).chain((0..steps).scan(1.0, move |alive, k| {
            let k = k as f64;
            *alive *= ((n - m - k) / (n - k)).max(0.0);
            Some(*alive)
        }))
    }
}

/// The expected figures of a random order over a set of queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chance {
    queries: u64,
    /// How many queries have each size of task.
    draws: BTreeMap<Draw, u64>,
}

impl Chance {
    /// Collects the sizes of all queries.
    pub fn of(draws: impl IntoIterator<Item = Draw>) -> Chance {
        let mut chance = Chance::default();
        for draw in draws {
            *chance.draws.entry(draw).or_default() += 1;
            chance.queries += 1;
        }
        chance
    }

    /// Expected recalls and mean reciprocal rank, and the smallest rank within which a random order puts the best right
    /// answer for at least half of the queries in expectation. All zero without queries.
    pub fn summary(&self) -> Summary {
        if self.queries == 0 {
            return Summary::default();
        }
        let longest = self.draws.keys().map(|d| d.candidates).max().unwrap_or(0);
        // Expected number of queries whose rank is above k, over all queries together.
        let mut above = vec![0.0; longest + 2];
        for (draw, &count) in &self.draws {
            for (k, p) in draw.survival().enumerate() {
                above[k] += p * count as f64;
            }
        }
        let n = self.queries as f64;
        let found = |k: usize| 1.0 - above.get(k).copied().unwrap_or(0.0) / n;
        // The tolerance keeps an exact half (N even, one right answer) from being missed by rounding.
        let median = (1..above.len()).find(|&k| found(k) >= 0.5 - 1e-9).unwrap_or(0);
        let reciprocal: f64 = (1..above.len()).map(|k| (above[k - 1] - above[k]) / k as f64).sum();
        Summary {
            recall: CUTS.map(|k| 100.0 * found(k)),
            median_rank: median as f64,
            mean_reciprocal_rank: reciprocal / n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every order of N candidates with m right ones, each as likely: the definition, by counting subsets.
    fn by_enumeration(n: usize, m: usize) -> Vec<u32> {
        (0u32..1 << n).filter(|s| s.count_ones() as usize == m).map(|s| s.trailing_zeros() + 1).collect()
    }

    #[test]
    fn equals_the_mean_over_all_orders() {
        for (n, m) in [(1, 1), (4, 1), (7, 3), (12, 1), (13, 5), (6, 6)] {
            let ranks = by_enumeration(n, m);
            let expected = Summary::of(&ranks);
            let got = Chance::of([Draw { candidates: n, right: m }]).summary();
            for (a, b) in expected.recall.into_iter().zip(got.recall) {
                assert!((a - b).abs() < 1e-9, "recall of {m} in {n}: {a} {b}");
            }
            assert!((expected.mean_reciprocal_rank - got.mean_reciprocal_rank).abs() < 1e-12);
            let within = ranks.iter().filter(|&&r| f64::from(r) <= got.median_rank).count();
            let before = ranks.iter().filter(|&&r| f64::from(r) < got.median_rank).count();
            assert!(2 * within >= ranks.len() && 2 * before < ranks.len(), "median of {m} in {n}");
        }
    }

    #[test]
    fn the_published_protocol_has_the_published_chance() {
        // vsepp.md 7.6: 5,000 candidates, one right: 0.02 / 0.10 / 0.20 %, median 2500.
        let s = Chance::of(vec![Draw { candidates: 5000, right: 1 }; 5000]).summary();
        for (got, expected) in s.recall.into_iter().zip([0.02, 0.1, 0.2]) {
            assert!((got - expected).abs() < 1e-9);
        }
        assert_eq!(s.median_rank, 2500.0);
    }

    #[test]
    fn different_queries_are_averaged() {
        let s = Chance::of([Draw { candidates: 2, right: 1 }, Draw { candidates: 20, right: 1 }]).summary();
        assert!((s.recall[0] - 100.0 * (0.5 + 0.05) / 2.0).abs() < 1e-9);
        assert!((s.recall[1] - 100.0 * (1.0 + 0.25) / 2.0).abs() < 1e-9);
        assert_eq!(s.median_rank, 2.0);
        assert_eq!(Chance::of([]).summary(), Summary::default());
    }
}
