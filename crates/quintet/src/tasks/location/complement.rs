//! Complement naive Bayes over n-grams (Rennie, Shih, Teevan, Karger 2003, "Tackling the poor assumptions of naive Bayes text
//! classifiers"): a class is described by what the other classes write, which steadies classes with few examples.
//!
//! An n-gram counts once a document. Classes are brought to the same mass first, so that the answers hold evidence alone and
//! nothing of the classes' shares.

use serde::{Deserialize, Serialize};

use crate::tasks::ngrams::{NgramSettings, Ngrams};

/// A fitted classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Complement {
    vocabulary: Ngrams,
    /// `[n-grams][classes]`, above zero where an n-gram speaks for the class; a row sums to zero.
    weights: Vec<Vec<f32>>,
    classes: usize,
}

/// Added to every count of documents.
const SMOOTHING: f64 = 0.5;

impl Complement {
    /// Fits `documents` of the classes `of`, below `classes`.
    pub fn fit(documents: &[String], of: &[usize], classes: usize, ngrams: &NgramSettings) -> Complement {
        let vocabulary = Ngrams::fit(documents, &NgramSettings { counts: true, ..ngrams.clone() });
        let rows = vocabulary.rows(documents);
        let mut sizes = vec![0.0f64; classes];
        of.iter().for_each(|&class| sizes[class] += 1.0);
        let seen = sizes.iter().filter(|size| **size > 0.0).count().max(1) as f64;
        // Counts `[n-grams][classes]`, each class as heavy as the others.
        let mut counts = vec![vec![0.0f64; classes]; vocabulary.len()];
        for (i, &class) in of.iter().enumerate() {
            let weight = of.len() as f64 / (seen * sizes[class]);
            rows.row(i).for_each(|(gram, _)| counts[gram as usize][class] += weight);
        }
        let mut totals = vec![0.0f64; classes];
        for row in &mut counts {
            let all: f64 = row.iter().sum();
            for (own, total) in row.iter_mut().zip(&mut totals) {
                *own = all - *own + SMOOTHING;
                *total += *own;
            }
        }
        let weights = counts
            .into_iter()
            .map(|row| {
                let row: Vec<f64> = row.iter().zip(&totals).map(|(others, total)| -(others / total).ln()).collect();
                let mean = row.iter().sum::<f64>() / classes as f64;
                row.into_iter().map(|weight| (weight - mean) as f32).collect()
            })
            .collect();
        Complement { vocabulary, weights, classes }
    }

    /// What each document says for and against each class, `[documents][classes]`; sums to zero over the classes. N-grams are
    /// not independent: evidence grows with the root of their number.
    pub fn evidence(&self, documents: &[String]) -> Vec<Vec<f64>> {
        let rows = self.vocabulary.rows(documents);
        let of = |i: usize| {
            let (mut sum, mut all) = (vec![0.0f64; self.classes], 1.0);
            for (gram, _) in rows.row(i) {
                all += 1.0;
                sum.iter_mut().zip(&self.weights[gram as usize]).for_each(|(s, w)| *s += f64::from(*w));
            }
            sum.into_iter().map(|s| s / f64::sqrt(all)).collect()
        };
        (0..documents.len()).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_the_formula() {
        let documents = ["a a b".to_owned(), "b c".into(), "c".into()];
        let words =
            NgramSettings { characters: [0, 0], words: [1, 1], least: 1, most: 0, lower_case: false, counts: true };
        let fitted = Complement::fit(&documents, &[0, 1, 1], 2, &words);
        // Masses: the document of class 0 weighs 3 / (2 * 1), those of class 1 weigh 3 / (2 * 2).
        // Documents with a, b, c: class 0: 1.5, 1.5, 0; class 1: 0, 0.75, 1.5. A class is described by the other's.
        let theta = |counts: [f64; 3]| {
            let all: f64 = counts.iter().map(|c| c + SMOOTHING).sum();
            counts.map(|c| -((c + SMOOTHING) / all).ln())
        };
        let (zero, one) = (theta([0.0, 0.75, 1.5]), theta([1.5, 1.5, 0.0]));
        let evidence = fitted.evidence(&["a c".into(), "x".into()]);
        let expected = (zero[0] + zero[2] - one[0] - one[2]) / 2.0 / 3f64.sqrt();
        assert!((evidence[0][0] - expected).abs() < 1e-6, "{evidence:?} {expected}");
        assert!((evidence[0][0] + evidence[0][1]).abs() < 1e-6);
        assert_eq!(evidence[1], [0.0, 0.0]);
        assert!(fitted.evidence(&["a".into()])[0][0] > 0.0, "`a` is of class 0");
    }

    #[test]
    fn the_size_of_a_class_is_no_evidence() {
        let documents: Vec<String> = (0..9).map(|i| if i < 8 { "a z" } else { "b z" }.to_owned()).collect();
        let of: Vec<usize> = (0..9).map(|i| usize::from(i == 8)).collect();
        let words =
            NgramSettings { characters: [0, 0], words: [1, 1], least: 1, most: 0, lower_case: false, counts: true };
        let evidence = Complement::fit(&documents, &of, 2, &words).evidence(&["z".into()]);
        assert!(evidence[0][0].abs() < 1e-6, "{evidence:?}");
    }
}
