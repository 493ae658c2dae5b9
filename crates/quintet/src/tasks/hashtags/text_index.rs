//! Training texts by their words: tf-idf vectors of unit length and an exact search for the nearest.
//!
//! Weights are (1 + ln tf) (ln((1 + N) / (1 + df)) + 1), the usual smoothed form (Salton and Buckley 1988; scikit-learn's).

use std::collections::{BTreeMap, HashMap};

use quintet_kernels::topk::Hit;
use serde::{Deserialize, Serialize};

/// Words of the training posts and where they occur.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TextIndex {
    words: BTreeMap<String, u32>,
    idf: Vec<f32>,
    /// Per word the training posts that have it, with its weight there.
    postings: Vec<Vec<(u32, f32)>>,
    posts: usize,
}

impl TextIndex {
    /// Indexes training posts, each a list of words.
    pub fn new<'a>(posts: impl IntoIterator<Item = &'a [String]>) -> TextIndex {
        let mut index = TextIndex::default();
        let mut counts: Vec<Vec<(u32, f32)>> = Vec::new();
        for words in posts {
            let mut count: HashMap<u32, f32> = HashMap::new();
            for word in words {
                let next = index.words.len() as u32;
                *count.entry(*index.words.entry(word.clone()).or_insert(next)).or_default() += 1.0;
            }
            let mut count: Vec<(u32, f32)> = count.into_iter().collect();
            count.sort_unstable_by_key(|(word, _)| *word);
            counts.push(count);
        }
        index.posts = counts.len();
        let mut posts_with = vec![0usize; index.words.len()];
        counts.iter().flatten().for_each(|(word, _)| posts_with[*word as usize] += 1);
        let idf = |df: &usize| ((1.0 + counts.len() as f32) / (1.0 + *df as f32)).ln() + 1.0;
        index.idf = posts_with.iter().map(idf).collect();
        index.postings = vec![Vec::new(); index.words.len()];
        for (post, count) in counts.into_iter().enumerate() {
            for (word, weight) in index.weigh(count) {
                index.postings[word as usize].push((post as u32, weight));
            }
        }
        index
    }

    /// Unit tf-idf vector from counts by word.
    fn weigh(&self, mut count: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
        count.iter_mut().for_each(|(word, n)| *n = (1.0 + n.ln()) * self.idf[*word as usize]);
        let length = count.iter().map(|(_, w)| w * w).sum::<f32>().sqrt();
        count.iter_mut().for_each(|(_, w)| *w /= length.max(f32::MIN_POSITIVE));
        count
    }

    /// The `k` nearest training posts to a text, best first, equal cosines in training order; posts without a common word,
    /// and those that `hidden` names, are never among them.
    pub fn nearest(&self, words: &[String], k: usize, hidden: impl Fn(usize) -> bool) -> Vec<Hit> {
        let mut count: Vec<(u32, f32)> = Vec::new();
        let mut known: Vec<u32> = words.iter().filter_map(|word| self.words.get(word)).copied().collect();
        known.sort_unstable();
        for word in known {
            match count.last_mut() {
                Some((last, n)) if *last == word => *n += 1.0,
                _ => count.push((word, 1.0)),
            }
        }
        let mut scores = vec![0f32; self.posts];
        for (word, weight) in self.weigh(count) {
            for &(post, other) in &self.postings[word as usize] {
                scores[post as usize] += weight * other;
            }
        }
        best(&scores, k, |post| scores[post] > 0.0 && !hidden(post))
    }
}

/// The `k` highest scores among those that may be taken, best first, equal ones in order.
pub fn best(scores: &[f32], k: usize, allowed: impl Fn(usize) -> bool) -> Vec<Hit> {
    // `hidden` costs more than a comparison: the order first, then as many as are needed.
    let mut order: Vec<u32> = (0..scores.len() as u32).filter(|&at| scores[at as usize] > 0.0).collect();
    let by_score = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then_with(|| a.cmp(b));
    let mut found = Vec::with_capacity(k);
    // Hidden posts may take places: look a little further, and everywhere if that is not enough.
    let mut looked = (2 * k + 64).min(order.len());
    loop {
        if looked < order.len() {
            order.select_nth_unstable_by(looked, by_score);
        }
        let mut first = order[..looked].to_vec();
        first.sort_unstable_by(by_score);
        found.clear();
        found.extend(first.into_iter().filter(|&at| allowed(at as usize)).take(k));
        if found.len() == k || looked == order.len() {
            break;
        }
        looked = order.len();
    }
    found.into_iter().map(|at| Hit { index: at, score: scores[at as usize] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn nearest_by_rare_common_words() {
        let posts = ["the cat sat", "the dog ran", "the rare okapi sat", "the the the"].map(words);
        let index = TextIndex::new(posts.iter().map(Vec::as_slice));
        let found = |text: &str, hidden: usize| -> Vec<u32> {
            index.nearest(&words(text), 3, |post| post == hidden).iter().map(|hit| hit.index).collect()
        };
        assert_eq!(found("an okapi sat", 9), [2, 0]);
        assert_eq!(found("an okapi sat", 2), [0]);
        assert_eq!(found("unknown words", 9), [] as [u32; 0]);
        let itself = index.nearest(&posts[1], 1, |_| false);
        assert!(itself[0].index == 1 && (itself[0].score - 1.0).abs() < 1e-6);
    }

    #[test]
    fn hidden_posts_leave_room_for_others() {
        let scores: Vec<f32> = (0..500).map(|i| 1.0 - i as f32 / 1000.0).collect();
        let found = best(&scores, 2, |at| at >= 400);
        assert_eq!(found.iter().map(|hit| hit.index).collect::<Vec<_>>(), [400, 401]);
        assert_eq!(best(&[0.5, 0.7, 0.5], 5, |_| true).iter().map(|hit| hit.index).collect::<Vec<_>>(), [1, 0, 2]);
    }
}
