//! What needs no model: the most frequent tags, those of the author, of the place, and of similar texts.

use std::collections::HashMap;

use rayon::prelude::*;

use super::cases::{Candidates, Case};
use super::text_index::TextIndex;
use crate::features::Ragged;
use crate::metrics::tags::MOST;

/// A list of candidates for each case, best first.
pub type Lists = Vec<Vec<u32>>;

/// The most frequent tags, for everyone the same.
pub fn most_frequent(candidates: &Candidates, cases: usize) -> Lists {
    vec![(0..candidates.len().min(MOST) as u32).collect(); cases]
}

/// The most frequent tags of the training posts with the same key (author, place), then the most frequent of all.
pub fn of_the_same<'a>(
    train: impl IntoIterator<Item = (Option<&'a str>, &'a [u32])>,
    asking: impl IntoIterator<Item = Option<&'a str>>,
    candidates: &Candidates,
) -> Lists {
    let history = History::new(train);
    let list = |key: Option<&str>| {
        let tags = key.map_or(&[][..], |key| history.of(key));
        filled(tags.iter().map(|&(tag, _)| tag), candidates)
    };
    asking.into_iter().map(list).collect()
}

/// Tags by key (an author, a place), most frequent first, then in the order of the candidates.
#[derive(Clone, Debug, Default)]
pub struct History<'a>(HashMap<&'a str, Vec<(u32, u32)>>);

impl<'a> History<'a> {
    /// Counts the tags of training posts that have a key.
    pub fn new(train: impl IntoIterator<Item = (Option<&'a str>, &'a [u32])>) -> History<'a> {
        let mut counts: HashMap<&str, HashMap<u32, u32>> = HashMap::new();
        for (key, tags) in train {
            let Some(key) = key else { continue };
            let of_key = counts.entry(key).or_default();
            tags.iter().for_each(|&tag| *of_key.entry(tag).or_default() += 1);
        }
        let sorted = |counts: HashMap<u32, u32>| {
            let mut tags: Vec<(u32, u32)> = counts.into_iter().collect();
            tags.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            tags
        };
        History(counts.into_iter().map(|(key, counts)| (key, sorted(counts))).collect())
    }

    /// Tags of a key with their counts; nothing for an unknown one.
    pub fn of(&self, key: &str) -> &[(u32, u32)] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

/// Each of the `neighbours` nearest training texts votes for its tags with its cosine; then the most frequent tags.
pub fn text_neighbours(
    index: &TextIndex,
    tags: &Ragged<u32>,
    asking: &[Case],
    neighbours: usize,
    candidates: &Candidates,
) -> Lists {
    let list = |case: &Case| {
        let near = index.nearest(&case.words, neighbours, |_| false);
        let votes = votes(near.iter().map(|hit| (hit.index, hit.score)), tags);
        filled(votes.into_iter().map(|(tag, _)| tag), candidates)
    };
    asking.par_iter().map(list).collect()
}

/// Sum of the weights of the training posts that have each tag, highest first, equal ones in the order of the candidates.
pub fn votes(posts: impl IntoIterator<Item = (u32, f32)>, tags: &Ragged<u32>) -> Vec<(u32, f32)> {
    let mut sums: HashMap<u32, f32> = HashMap::new();
    for (post, weight) in posts {
        tags.get(post as usize).iter().for_each(|&tag| *sums.entry(tag).or_default() += weight);
    }
    let mut sums: Vec<(u32, f32)> = sums.into_iter().collect();
    sums.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    sums
}

/// The first [`MOST`] of `tags`, filled up with the most frequent ones that are not among them.
pub fn filled(tags: impl Iterator<Item = u32>, candidates: &Candidates) -> Vec<u32> {
    let mut list: Vec<u32> = tags.take(MOST).collect();
    for tag in 0..candidates.len() as u32 {
        if list.len() == MOST {
            break;
        }
        if !list.contains(&tag) {
            list.push(tag);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(n: usize) -> Candidates {
        Candidates::new((0..n).map(|i| (format!("t{i}"), (n - i) as u32)).collect())
    }

    #[test]
    fn lists_are_filled_with_the_most_frequent() {
        let all = candidates(7);
        assert_eq!(most_frequent(&all, 2), [[0, 1, 2, 3, 4]; 2]);
        assert_eq!(most_frequent(&candidates(2), 1), [[0, 1]]);
        let train = [(Some("a"), &[3, 6][..]), (Some("a"), &[6]), (None, &[5]), (Some("b"), &[1])];
        let lists = of_the_same(train, [Some("a"), Some("stranger"), None], &all);
        assert_eq!(lists, [[6, 3, 0, 1, 2], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]);
    }

    #[test]
    fn neighbours_vote_with_their_cosine() {
        let mut tags = Ragged::default();
        [&[4u32, 2][..], &[2], &[6]].iter().for_each(|list| tags.push(list.iter().copied()));
        assert_eq!(votes([(0, 0.5), (1, 0.25), (2, 0.75)], &tags), [(2, 0.75), (6, 0.75), (4, 0.5)]);
    }
}
