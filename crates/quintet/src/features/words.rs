//! `[words]`: word vectors that know parts of words, trained on the training posts (fastText's skip-gram,
//! `fasttext_node2vec.md` A2-A3).
//!
//! As in fastText, an epoch is as many words as the training texts have, rare words included, although only frequent words
//! are learned from: with many rare words the texts are read more often than there are epochs. Differences: every row gets
//! its random start (fastText leaves most zero with few threads), and training takes one thread whatever the machine, so
//! that the same seed gives the same bits.

use std::collections::HashMap;

use super::dataset::Ragged;
use super::skipgram::{SkipGram, mean_rows};
use super::subwords::Subwords;
use super::vocabulary::count_words;
use crate::config;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Words with their rows: row `i` is word `i`'s own, rows from `words.len()` on are the subword buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct WordVectors {
    pub(super) dim: usize,
    /// Words with counts (0: not known), most frequent first.
    pub(super) words: Vec<(String, u64)>,
    /// Number of training tokens, rare words included.
    pub(super) tokens: u64,
    pub(super) subwords: Subwords,
    /// `[words + buckets, dim]`.
    pub(super) rows: Vec<f32>,
    index: HashMap<String, u32>,
}

/// Lines between two looks at the clock and at Ctrl-C.
const LINES_PER_REPORT: usize = 512;

impl WordVectors {
    pub(super) fn new(words: Vec<(String, u64)>, tokens: u64, subwords: Subwords, dim: usize, rows: Vec<f32>) -> Self {
        let index = words.iter().enumerate().map(|(i, (w, _))| (w.clone(), i as u32)).collect();
        WordVectors { dim, words, tokens, subwords, rows, index }
    }

    /// Trains on tokenised lines. Deterministic: settings (seed included) and lines decide every bit.
    ///
    /// # Errors
    /// If no word is frequent enough, or the person stops the work.
    pub fn train(lines: &[Vec<String>], settings: &config::Words, progress: &dyn Progress) -> Result<WordVectors> {
        let (words, tokens) = count_words(lines, settings.min_count, usize::MAX);
        if words.is_empty() {
            let what = format!("no word occurs {} times in the training texts", settings.min_count);
            return Err(Error::input(what).help("lower `words.min_count`, or add posts with text"));
        }
        let [shortest, longest] = settings.subwords;
        let subwords = Subwords { shortest, longest, buckets: if longest == 0 { 0 } else { settings.buckets } };
        let mut vectors = WordVectors::new(words, tokens, subwords, settings.dim, Vec::new());
        let mut rows = Ragged::default();
        (0..vectors.words.len()).for_each(|i| rows.push(vectors.rows_of(&vectors.words[i].0)));
        vectors.rows = vectors.learn(lines, &rows, settings, progress)?;
        Ok(vectors)
    }

    fn learn(
        &self,
        lines: &[Vec<String>],
        rows: &Ragged<u32>,
        settings: &config::Words,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let mut ids: Ragged<u32> = Ragged::default();
        lines.iter().for_each(|line| ids.push(line.iter().filter_map(|t| self.index.get(t).copied())));
        // Negatives by the root of the count, as in fastText.
        let noise: Vec<f64> = self.words.iter().map(|(_, n)| (*n as f64).sqrt()).collect();
        let inputs = self.words.len() + self.subwords.buckets;
        let mut model = SkipGram::new(inputs, &noise, self.dim, settings.negatives, settings.seed);
        let keep: Vec<f64> = self.words.iter().map(|(_, n)| keep_chance(*n, self.tokens, settings.sample)).collect();
        let total = self.tokens as usize * settings.epochs;
        let task = progress.task("word vectors", Some(total as u64), "words");
        let (mut done, mut reported) = (0, 0);
        let mut line = Vec::new();
        // Ends: no texts without a frequent word come here.
        for i in (0..ids.len()).cycle() {
            if done >= total {
                break;
            }
            let rate = (settings.learning_rate * (1.0 - done as f64 / total as f64)) as f32;
            line.clear();
            line.extend(ids.get(i).iter().copied().filter(|&w| model.rng().chance(keep[w as usize])));
            learn_line(&mut model, &line, rows, settings.window, rate);
            done += ids.get(i).len();
            if i % LINES_PER_REPORT == 0 {
                task.advance((done - reported) as u64);
                reported = done;
                if progress.interrupted() {
                    return Err(Error::interrupted("stopped while training word vectors; they start anew next time"));
                }
            }
        }
        task.advance((done - reported) as u64);
        Ok(model.into_rows())
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of words with a row of their own.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// True if there is no word.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Writes the vector of `word` into `out` `[dim]`: the mean of its own row and its pieces' rows. An unknown word has
    /// its pieces only; with none (vectors without subwords) the result is false and `out` zero.
    pub fn vector_into(&self, word: &str, out: &mut [f32]) -> bool {
        let rows = self.rows_of(word);
        if rows.is_empty() {
            out.fill(0.0);
            return false;
        }
        mean_rows(&self.rows, self.dim, &rows, out);
        true
    }

    /// The vector of `word` `[dim]`, if anything is known about it.
    pub fn vector(&self, word: &str) -> Option<Vec<f32>> {
        let mut out = vec![0.0; self.dim];
        self.vector_into(word, &mut out).then_some(out)
    }

    /// Rows whose mean is the word's vector.
    fn rows_of(&self, word: &str) -> Vec<u32> {
        let own = self.index.get(word).copied();
        // fastText's mark for the end of a line has no pieces.
        let pieces = if word == "</s>" { Vec::new() } else { self.subwords.buckets(word) };
        own.into_iter().chain(pieces.into_iter().map(|b| b + self.words.len() as u32)).collect()
    }
}

/// Every position of a line is a centre once, with a window of 1 to `window` words on either side.
fn learn_line(model: &mut SkipGram, line: &[u32], rows: &Ragged<u32>, window: usize, rate: f32) {
    let mut targets = Vec::with_capacity(2 * window);
    for (i, &word) in line.iter().enumerate() {
        let reach = 1 + model.rng().index(window.max(1));
        targets.clear();
        targets.extend_from_slice(&line[i.saturating_sub(reach)..i]);
        targets.extend_from_slice(&line[i + 1..(i + 1 + reach).min(line.len())]);
        model.learn(rows.get(word as usize), &targets, rate);
    }
}

/// Sub-sampling of frequent words: sqrt(t/f) + t/f with f the word's share of all tokens; 0 turns it off.
fn keep_chance(count: u64, tokens: u64, threshold: f64) -> f64 {
    if threshold <= 0.0 {
        return 1.0;
    }
    let ratio = threshold * tokens as f64 / count as f64;
    ratio.sqrt() + ratio
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use quintet_kernels::rng::Rng;

    fn settings() -> config::Words {
        config::Words { dim: 24, epochs: 5, min_count: 2, buckets: 2000, sample: 0.0, ..config::Words::default() }
    }

    /// Lines about two topics with words of their own.
    fn lines() -> Vec<Vec<String>> {
        let topics = [["harbour", "boat", "sail", "wave", "pier"], ["oven", "bread", "flour", "baker", "crust"]];
        let mut rng = Rng::new(3, &[]);
        (0..1200).map(|i| (0..6).map(|_| topics[i % 2][rng.index(5)].to_string()).collect()).collect()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| p * q).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn words_of_a_topic_are_near_and_seeds_decide() -> Result<()> {
        let vectors = WordVectors::train(&lines(), &settings(), &Silent::default())?;
        let v = |w: &str| vectors.vector(w).unwrap_or_default();
        let (near, far) = (cosine(&v("boat"), &v("sail")), cosine(&v("boat"), &v("bread")));
        assert!(near > far + 0.3, "same topic {near}, other topic {far}");
        // An unseen word takes after the seen words that share its pieces.
        let (near, far) = (cosine(&v("boats"), &v("wave")), cosine(&v("boats"), &v("flour")));
        assert!(near > far + 0.1, "same topic {near}, other topic {far}");
        assert_eq!(vectors, WordVectors::train(&lines(), &settings(), &Silent::default())?);
        let other = config::Words { seed: 2, ..settings() };
        assert_ne!(vectors.rows, WordVectors::train(&lines(), &other, &Silent::default())?.rows);
        Ok(())
    }

    #[test]
    fn frequent_words_are_thinned_out() {
        assert_eq!(keep_chance(10, 100, 0.0), 1.0);
        assert!(keep_chance(1, 1_000_000, 1e-4) > 1.0);
        assert!((keep_chance(1000, 100_000, 1e-4) - (0.1 + 0.01)).abs() < 1e-12);
    }

    #[test]
    fn too_rare_or_stopped_is_an_error() {
        let rare = config::Words { min_count: 10_000, ..settings() };
        assert!(WordVectors::train(&lines(), &rare, &Silent::default()).is_err_and(|e| e.way_out().is_some()));
        let stop = Silent::default();
        stop.stop();
        let stopped = WordVectors::train(&lines(), &settings(), &stop);
        assert!(stopped.is_err_and(|e| e.kind() == crate::ErrorKind::Interrupted));
    }
}
