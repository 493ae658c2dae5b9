//! What needs no model: the most frequent tags, those of the author, of the place, and of similar texts.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cases::{Candidates, Case};
use super::text_index::TextIndex;
use crate::features::Ragged;
use crate::metrics::tags::MOST;

/// Candidates with their scores, best first, for each case; empty where the method has nothing to say.
pub type Lists = Vec<Vec<(u32, f32)>>;

/// Share of the training posts that have each of the most frequent tags, for everyone the same.
pub fn most_frequent(candidates: &Candidates, posts: usize, cases: usize) -> Lists {
    let share = |count: u32| count as f32 / posts.max(1) as f32;
    let list: Vec<(u32, f32)> = (0..).zip(candidates.tags.iter().take(MOST).map(|(_, count)| share(*count))).collect();
    vec![list; cases]
}

/// Tags of the training posts with the same key (an author, a place): share of those posts that have it, highest first, then
/// in the order of the candidates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History(BTreeMap<String, Vec<(u32, f32)>>);

impl History {
    /// Counts the tags of training posts that have a key.
    pub fn new<'a>(train: impl IntoIterator<Item = (Option<&'a str>, &'a [u32])>) -> History {
        let mut counts: BTreeMap<&str, (u32, BTreeMap<u32, u32>)> = BTreeMap::new();
        for (key, tags) in train {
            let Some(key) = key else { continue };
            let (posts, of_key) = counts.entry(key).or_default();
            *posts += 1;
            tags.iter().for_each(|&tag| *of_key.entry(tag).or_default() += 1);
        }
        let sorted = |(posts, counts): (u32, BTreeMap<u32, u32>)| {
            let mut tags: Vec<(u32, u32)> = counts.into_iter().collect();
            tags.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            tags.into_iter().map(|(tag, count)| (tag, count as f32 / posts as f32)).collect()
        };
        History(counts.into_iter().map(|(key, counts)| (key.to_owned(), sorted(counts))).collect())
    }

    /// The first tags of each key; nothing for an unknown one.
    pub fn recommend<'a>(&self, asking: impl IntoIterator<Item = Option<&'a str>>) -> Lists {
        let list = |key: Option<&str>| {
            let tags = key.and_then(|key| self.0.get(key)).map_or(&[][..], Vec::as_slice);
            tags.iter().take(MOST).copied().collect()
        };
        asking.into_iter().map(list).collect()
    }
}

/// Training texts that vote.
pub const NEIGHBOURS: usize = 50;

/// Each of the [`NEIGHBOURS`] nearest training texts votes for its tags with its squared cosine. (Of 5 to 100 neighbours with
/// the cosine, its square and its cube, these did best on the dev parts.)
pub fn text_neighbours(index: &TextIndex, tags: &Ragged<u32>, asking: &[Case]) -> Lists {
    let list = |case: &Case| {
        let near = index.nearest(&case.words, NEIGHBOURS, |_| false);
        let mut votes = votes(near.iter().map(|hit| (hit.index, hit.score * hit.score)), tags);
        votes.truncate(MOST);
        votes
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
    fn histories_have_shares_and_lists_are_filled_with_the_most_frequent() {
        let all = candidates(7);
        assert_eq!(most_frequent(&candidates(2), 4, 2), vec![vec![(0, 0.5), (1, 0.25)]; 2]);
        let train = [(Some("a"), &[3, 6][..]), (Some("a"), &[6]), (None, &[5]), (Some("b"), &[1])];
        let lists = History::new(train).recommend([Some("a"), Some("stranger"), None]);
        assert_eq!(lists, [vec![(6, 1.0), (3, 0.5)], vec![], vec![]]);
        assert_eq!(filled(lists[0].iter().map(|(tag, _)| *tag), &all), [6, 3, 0, 1, 2]);
        assert_eq!(filled(std::iter::empty(), &candidates(2)), [0, 1]);
    }

    #[test]
    fn neighbours_vote_with_their_cosine() {
        let mut tags = Ragged::default();
        [&[4u32, 2][..], &[2], &[6]].iter().for_each(|list| tags.push(list.iter().copied()));
        assert_eq!(votes([(0, 0.5), (1, 0.25), (2, 0.75)], &tags), [(2, 0.75), (6, 0.75), (4, 0.5)]);
    }
}
