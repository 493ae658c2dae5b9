//! What needs no learning to speak of: everybody a bot, the larger class, the most alike training text, a bag of words.

use serde::{Deserialize, Serialize};

use super::neighbours::Neighbours;
use super::units::Evidence;
use crate::tasks::ngrams::{NgramSettings, Ngrams};

/// The nearest training texts by words, weighted by tf-idf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextNeighbour {
    words: Ngrams,
    neighbours: Neighbours,
}

/// Words of two training texts and more, as tf-idf.
pub fn words() -> NgramSettings {
    NgramSettings { characters: [0, 0], words: [1, 1], least: 2, most: 0, lower_case: true, counts: false }
}

impl TextNeighbour {
    /// Keeps the training texts.
    pub fn fit(train: &Evidence) -> TextNeighbour {
        let words = Ngrams::fit(train.texts(), &words());
        let neighbours = Neighbours::fit(&words.rows(train.texts()), train.bots());
        TextNeighbour { words, neighbours }
    }

    /// One half plus a quarter of the margin: largest cosine with a bot's text minus largest with a human's.
    pub fn scores(&self, items: &Evidence) -> Vec<f64> {
        let largest = self.neighbours.largest(&self.words.rows(items.texts()));
        largest.into_iter().map(|[human, bot]| 0.5 + (bot - human) / 4.0).collect()
    }
}

/// Multinomial naive Bayes on words with one added to every count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NaiveBayes {
    words: Ngrams,
    /// Log of P(word | bot) / P(word | human).
    weights: Vec<f64>,
    /// Log of P(bot) / P(human).
    prior: f64,
}

impl NaiveBayes {
    /// Counts the words of either class.
    pub fn fit(train: &Evidence) -> NaiveBayes {
        let settings =
            NgramSettings { characters: [0, 0], words: [1, 1], least: 2, most: 0, lower_case: true, counts: true };
        let words = Ngrams::fit(train.texts(), &settings);
        let rows = words.rows(train.texts());
        let mut counts = [vec![1.0f64; words.len()], vec![1.0f64; words.len()]];
        let mut items = [0.0f64; 2];
        for (i, bot) in train.bots().into_iter().enumerate() {
            let class = usize::from(bot);
            items[class] += 1.0;
            rows.row(i).for_each(|(word, count)| counts[class][word as usize] += f64::from(count));
        }
        let totals = [0, 1].map(|c: usize| counts[c].iter().sum::<f64>());
        let weight = |(human, bot): (&f64, &f64)| (bot / totals[1]).ln() - (human / totals[0]).ln();
        let weights = counts[0].iter().zip(&counts[1]).map(weight).collect();
        NaiveBayes { words, weights, prior: items[1].ln() - items[0].ln() }
    }

    /// P(bot) of each item.
    pub fn scores(&self, items: &Evidence) -> Vec<f64> {
        let sums = self.words.rows(items.texts()).times(&self.weights);
        sums.into_iter().map(|s| crate::tasks::linear::sigmoid(s + self.prior)).collect()
    }
}
