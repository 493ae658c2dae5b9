//! A sentiment lexicon: valence, arousal and dominance of words; emoticons. Any file of the form can be used.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// Valence, arousal, dominance of words, each in -1..=1.
#[derive(Clone, Debug, PartialEq)]
pub struct Lexicon {
    words: HashMap<String, [f64; 3]>,
}

const SMALL: &str = include_str!("../../../../../../assets/sentiment.tsv");

impl Default for Lexicon {
    /// The small English one that ships with Quintet. The published systems use ANEW and Hedonometer, whose licences do not
    /// allow that.
    fn default() -> Self {
        Lexicon::parse(SMALL).unwrap_or_else(|_| Lexicon { words: HashMap::new() })
    }
}

impl Lexicon {
    /// Reads lines `word<TAB>valence<TAB>arousal<TAB>dominance`; lines that begin with `#` are remarks.
    ///
    /// # Errors
    /// If a line has another form.
    pub fn parse(text: &str) -> Result<Lexicon> {
        let mut words = HashMap::new();
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let number =
                |at: usize| fields.get(at).and_then(|f| f.trim().parse::<f64>().ok()).filter(|v| v.abs() <= 1.0);
            let (Some(valence), Some(arousal), Some(dominance)) = (number(1), number(2), number(3)) else {
                let what =
                    format!("line {} of the sentiment lexicon is not `word, valence, arousal, dominance`", i + 1);
                return Err(Error::input(what).help("separate by tabs; numbers lie between -1 and 1"));
            };
            words.insert(fields[0].to_lowercase(), [valence, arousal, dominance]);
        }
        Ok(Lexicon { words })
    }

    /// Mean valence, arousal and dominance of the words that the lexicon has; `None` if it has none of them.
    pub fn score<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Option<[f64; 3]> {
        let (mut sum, mut known) = ([0.0; 3], 0.0);
        for word in words {
            if let Some(values) = self.words.get(word) {
                (0..3).for_each(|i| sum[i] += values[i]);
                known += 1.0;
            }
        }
        (known > 0.0).then(|| sum.map(|s| s / known))
    }
}

const GLAD: [&str; 16] =
    [":)", ":-)", ":D", ":-D", ";)", ";-)", "=)", "<3", "xD", "^^", "😂", "😊", "😍", "❤", "👍", "😁"];
const SAD: [&str; 12] = [":(", ":-(", ":'(", "=(", ":/", "D:", "😢", "😭", "😡", "💔", "👎", "😞"];

/// Number of glad and of sad emoticons in a text.
pub fn emoticons(text: &str) -> [usize; 2] {
    // `:/` stands in every link.
    let words: Vec<&str> = text.split_whitespace().filter(|w| !w.contains("://")).collect();
    let count = |list: &[&str]| list.iter().map(|e| words.iter().map(|w| w.matches(e).count()).sum::<usize>()).sum();
    [count(&GLAD), count(&SAD)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_mean_and_unknown_ones_none() {
        let lexicon = Lexicon::default();
        let s = lexicon.score(["love", "hate", "table"]).unwrap();
        assert!(s[0].abs() < 1e-9 && s[1] > 0.5, "{s:?}");
        assert_eq!(lexicon.score(["table"]), None);
        let other = Lexicon::parse("# mine\nTable\t0.5\t0\t0\n").unwrap();
        assert_eq!(other.score(["table"]), Some([0.5, 0.0, 0.0]));
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = Lexicon::parse("good\t0.5\t0\t0\nbad 3").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn links_hold_no_emoticons() {
        assert_eq!(emoticons("see https://a.b :) :( 😂😂"), [3, 1]);
    }
}
