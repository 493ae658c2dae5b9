//! The words the network has rows for: 0 padding, 1 start, 2 end, 3 unknown, then training words by count.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use crate::atomic;
use crate::config;
use crate::error::{AtPath, Error, Result};

/// Row that fills up; its vector is 0.
pub const PAD: u32 = 0;
/// Row before the first word.
pub const START: u32 = 1;
/// Row after the last word.
pub const END: u32 = 2;
/// Row of every word that is not in the vocabulary.
pub const UNKNOWN: u32 = 3;
/// Number of rows that are no words.
pub const SPECIAL: usize = 4;

const HEADER: &str = "# quintet vocabulary 1: word, count in training texts; rows 0-3 are padding, start, end, unknown";

/// Words with their counts; the row of word `i` is `i + 4`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    words: Vec<(String, u64)>,
    rows: HashMap<String, u32>,
}

impl Vocabulary {
    /// Counts the words of training texts and keeps the frequent ones (`text.min_count`, `text.max_words`); ties by word.
    pub fn fit<'a>(texts: impl IntoIterator<Item = &'a Vec<String>>, settings: &config::Text) -> Vocabulary {
        Vocabulary::from_words(count_words(texts, settings.min_count, settings.max_words).0)
    }

    fn from_words(words: Vec<(String, u64)>) -> Vocabulary {
        let rows = words.iter().enumerate().map(|(i, (w, _))| (w.clone(), (i + SPECIAL) as u32)).collect();
        Vocabulary { words, rows }
    }

    /// Number of rows, the four special ones included.
    pub fn len(&self) -> usize {
        self.words.len() + SPECIAL
    }

    /// True if no word was frequent enough.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words in the order of their rows, from row 4 on.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|(w, _)| w.as_str())
    }

    /// Row of a word, [`UNKNOWN`] if it has none.
    pub fn row(&self, word: &str) -> u32 {
        self.rows.get(word).copied().unwrap_or(UNKNOWN)
    }

    /// Start, the rows of the tokens, end; at most `max_tokens` in all, the rest of the text is cut. Nothing for no token.
    pub fn ids(&self, tokens: &[String], max_tokens: usize) -> Vec<u32> {
        if tokens.is_empty() {
            return Vec::new();
        }
        let words = tokens.iter().take(max_tokens.saturating_sub(2).max(1)).map(|t| self.row(t));
        std::iter::once(START).chain(words).chain(std::iter::once(END)).collect()
    }

    /// Writes `word<tab>count` lines in the order of the rows.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        atomic::write(path, |out| {
            writeln!(out, "{HEADER}").at(path)?;
            self.words.iter().try_for_each(|(word, count)| writeln!(out, "{word}\t{count}").at(path))
        })
    }

    /// Reads what [`Vocabulary::save`] wrote.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another version.
    pub fn open(path: &Path) -> Result<Vocabulary> {
        let text = std::fs::read_to_string(path).at(path)?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(Error::input("this is no vocabulary of this version").at(path).help(super::DAMAGED));
        }
        let words = lines.enumerate().map(|(i, line)| {
            let pair = line.split_once('\t').and_then(|(word, count)| Some((word.to_string(), count.parse().ok()?)));
            pair.ok_or_else(|| {
                Error::input("expected `word<tab>count`").at_line(path, i as u64 + 2).help(super::DAMAGED)
            })
        });
        Ok(Vocabulary::from_words(words.collect::<Result<_>>()?))
    }
}

/// Words with at least `min_count` occurrences, the most frequent `max_words` first, ties by word; and the number of all
/// tokens, rare ones included.
pub(super) fn count_words<'a>(
    texts: impl IntoIterator<Item = &'a Vec<String>>,
    min_count: usize,
    max_words: usize,
) -> (Vec<(String, u64)>, u64) {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut total = 0;
    for token in texts.into_iter().flatten() {
        *counts.entry(token).or_default() += 1;
        total += 1;
    }
    let mut words: Vec<(&str, u64)> = counts.into_iter().filter(|&(_, n)| n >= min_count as u64).collect();
    words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    words.truncate(max_words);
    (words.into_iter().map(|(w, n)| (w.to_string(), n)).collect(), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<Vec<String>> {
        ["b a b c", "a b d", "d a"].iter().map(|t| t.split(' ').map(String::from).collect()).collect()
    }

    #[test]
    fn rows_by_count_then_word() {
        let settings = config::Text { min_count: 2, max_words: 3, ..config::Text::default() };
        let words = Vocabulary::fit(&texts(), &settings);
        assert_eq!(words.words().collect::<Vec<_>>(), ["a", "b", "d"]);
        assert_eq!(words.len(), 7);
        let tokens: Vec<String> = ["a", "zebra", "d", "b"].map(String::from).to_vec();
        assert_eq!(words.ids(&tokens, 64), [START, 4, UNKNOWN, 6, 5, END]);
        assert_eq!(words.ids(&tokens, 4), [START, 4, UNKNOWN, END]);
        assert!(words.ids(&[], 64).is_empty());
    }

    #[test]
    fn saved_and_opened_is_the_same() -> Result<()> {
        let folder = tempfile::tempdir().at("temporary folder")?;
        let path = folder.path().join("vocabulary.tsv");
        let words = Vocabulary::fit(&texts(), &config::Text { min_count: 1, ..config::Text::default() });
        words.save(&path)?;
        assert_eq!(Vocabulary::open(&path)?, words);
        atomic::write_bytes(&path, b"something else\n")?;
        assert!(Vocabulary::open(&path).is_err_and(|e| e.way_out().is_some()));
        Ok(())
    }
}
