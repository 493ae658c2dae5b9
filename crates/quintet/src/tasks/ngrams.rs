//! Counts of character and word n-grams as sparse tf-idf rows. A vocabulary keeps hashes, never text: nothing that a post said
//! stands in a saved model.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sparse::Sparse;

/// Which n-grams are counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NgramSettings {
    /// Shortest and longest run of characters; `[0, 0]`: none.
    pub characters: [usize; 2],
    /// Shortest and longest run of words (stretches without white space); `[0, 0]`: none.
    pub words: [usize; 2],
    /// n-grams of fewer training texts are left out.
    pub least: u32,
    /// So many n-grams are kept, those that occur most often; 0: all.
    pub most: usize,
    /// Whether `A` and `a` are the same.
    pub lower_case: bool,
    /// Plain counts in place of tf-idf rows of unit length.
    pub counts: bool,
}

impl Default for NgramSettings {
    fn default() -> Self {
        NgramSettings { characters: [2, 5], words: [1, 2], least: 3, most: 0, lower_case: false, counts: false }
    }
}

/// A vocabulary of n-grams with their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ngrams {
    settings: NgramSettings,
    /// Hashes of the n-grams, ascending; the position is the column.
    hashes: Vec<u64>,
    /// `ln((1 + texts) / (1 + texts with it)) + 1` of each (scikit-learn's smooth form).
    idf: Vec<f32>,
}

/// Texts counted at a time: their n-grams are in memory together.
const CHUNK: usize = 256;

impl Ngrams {
    /// The vocabulary of `texts`.
    pub fn fit<T: AsRef<str> + Sync>(texts: &[T], settings: &NgramSettings) -> Ngrams {
        // How many texts have it, and how often they do.
        let mut found: HashMap<u64, (u32, u64)> = HashMap::new();
        for chunk in texts.chunks(CHUNK) {
            let counted: Vec<Vec<(u64, u32)>> = chunk.par_iter().map(|t| counts(t.as_ref(), settings)).collect();
            for (hash, count) in counted.iter().flatten() {
                let (texts, times) = found.entry(*hash).or_insert((0, 0));
                *texts += 1;
                *times += u64::from(*count);
            }
        }
        let mut found: Vec<(u64, (u32, u64))> = found.into_iter().filter(|(_, of)| of.0 >= settings.least).collect();
        if settings.most > 0 && found.len() > settings.most {
            found.sort_unstable_by_key(|&(hash, (_, times))| (std::cmp::Reverse(times), hash));
            found.truncate(settings.most);
        }
        let mut kept: Vec<(u64, u32)> = found.into_iter().map(|(hash, (texts, _))| (hash, texts)).collect();
        kept.sort_unstable();
        let idf = |n: u32| ((1.0 + texts.len() as f64) / (1.0 + f64::from(n))).ln() as f32 + 1.0;
        Ngrams {
            settings: settings.clone(),
            hashes: kept.iter().map(|k| k.0).collect(),
            idf: kept.iter().map(|k| idf(k.1)).collect(),
        }
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// True if no n-gram was frequent enough.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// A row per text: `(1 + ln count) * idf` of its known n-grams at unit length, or their counts.
    pub fn rows<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Sparse {
        let mut out = Sparse::new(self.len());
        for chunk in texts.chunks(CHUNK) {
            let rows: Vec<Vec<(u32, f32)>> = chunk.par_iter().map(|t| self.row(t.as_ref())).collect();
            rows.into_iter().for_each(|row| out.push(row));
        }
        out
    }

    fn row(&self, text: &str) -> Vec<(u32, f32)> {
        let counted = counts(text, &self.settings);
        // Both lists ascend: one pass over the shorter, binary search in the rest of the longer.
        let (mut row, mut from) = (Vec::new(), 0);
        for (hash, count) in counted {
            match self.hashes[from..].binary_search(&hash) {
                Ok(at) => {
                    from += at;
                    let count = count as f32;
                    let plain = self.settings.counts;
                    row.push((from as u32, if plain { count } else { (1.0 + count.ln()) * self.idf[from] }));
                }
                Err(at) => from += at,
            }
        }
        if self.settings.counts {
            return row;
        }
        let length = row.iter().map(|(_, v): &(u32, f32)| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        row.iter_mut().for_each(|(_, v)| *v = (f64::from(*v) / length) as f32);
        row
    }
}

/// Hash and count of each n-gram of a text, by ascending hash.
fn counts(text: &str, settings: &NgramSettings) -> Vec<(u64, u32)> {
    let lower = settings.lower_case.then(|| text.to_lowercase());
    let text = lower.as_deref().unwrap_or(text);
    let mut all: Vec<u64> = Vec::with_capacity(text.len() * 4);
    let [shortest, longest] = settings.characters;
    if longest > 0 {
        let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        for n in shortest.max(1)..=longest {
            all.extend(starts.windows(n + 1).map(|w| hash(b'c', &text.as_bytes()[w[0]..w[n]])));
        }
    }
    let [shortest, longest] = settings.words;
    if longest > 0 {
        let words: Vec<&str> = text.split_whitespace().collect();
        for n in shortest.max(1)..=longest {
            all.extend(words.windows(n).map(|w| hash(b'w', w.join(" ").as_bytes())));
        }
    }
    all.sort_unstable();
    let mut counted: Vec<(u64, u32)> = Vec::new();
    for hash in all {
        match counted.last_mut() {
            Some((last, count)) if *last == hash => *count += 1,
            _ => counted.push((hash, 1)),
        }
    }
    counted
}

/// FNV-1a with a finaliser: it stands in saved models and never changes. Two of a million n-grams collide with a chance of
/// about 3e-8.
fn hash(kind: u8, bytes: &[u8]) -> u64 {
    let mut h = (0xcbf2_9ce4_8422_2325_u64 ^ u64::from(kind)).wrapping_mul(0x0000_0100_0000_01b3);
    for &b in bytes {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    h = (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    h ^ (h >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_those_of_tf_idf() {
        let settings =
            NgramSettings { characters: [0, 0], words: [1, 2], least: 1, most: 0, lower_case: true, counts: false };
        let grams = Ngrams::fit(&["a b a", "a c"], &settings);
        assert_eq!(grams.len(), 6, "a, b, c, a b, b a, a c");
        let idf = |n: f64| (3.0 / (1.0 + n)).ln() + 1.0;
        let mut expected = [(1.0 + 2f64.ln()) * idf(2.0), idf(1.0), idf(1.0), idf(1.0)];
        let length = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
        expected.iter_mut().for_each(|v| *v /= length);
        let mut got: Vec<f32> = grams.rows(&["A b A x"]).values;
        got.sort_unstable_by(f32::total_cmp);
        expected.sort_unstable_by(f64::total_cmp);
        assert!(got.len() == 4 && got.iter().zip(expected).all(|(g, e)| (f64::from(*g) - e).abs() < 1e-6), "{got:?}");
    }

    #[test]
    fn the_most_frequent_stay() {
        let settings =
            NgramSettings { words: [1, 1], characters: [0, 0], least: 1, most: 2, ..NgramSettings::default() };
        let ngrams = Ngrams::fit(&["a b b", "b c c c", "d"], &settings);
        assert_eq!(ngrams.len(), 2);
        let rows = ngrams.rows(&["a", "b", "c", "d"]);
        assert_eq!((0..4).map(|i| rows.row(i).count()).collect::<Vec<_>>(), [0, 1, 1, 0]);
    }

    #[test]
    fn characters_are_not_bytes_and_rare_ones_go() {
        let settings =
            NgramSettings { characters: [2, 3], words: [0, 0], least: 2, most: 0, lower_case: false, counts: false };
        let grams = Ngrams::fit(&["äöü", "xäö", "q"], &settings);
        assert_eq!(grams.len(), 1, "only äö is in two texts");
        assert_eq!(grams.rows(&["", "äöäö"]).values, [1.0]);
    }
}
