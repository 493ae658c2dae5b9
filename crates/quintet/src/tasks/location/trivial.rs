//! Methods that need no model: the largest class, a gazetteer match of the profile location, naive Bayes over words.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::items::{Item, View, document, profile};
use super::names::PLACES;
use crate::tasks::ngrams::{NgramSettings, Ngrams};
use crate::tasks::sparse::Sparse;

/// Share of each class among `items`, with one more of each so that none is impossible.
pub fn prior(items: &[Item], classes: usize) -> Vec<f64> {
    let mut counts = vec![1.0; classes];
    items.iter().for_each(|item| counts[item.class] += 1.0);
    let all: f64 = counts.iter().sum();
    counts.iter().map(|count| count / all).collect()
}

/// Profile locations looked up in a table: names of places that training profiles gave, and [`PLACES`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gazetteer {
    /// Runs of words -> class.
    names: BTreeMap<String, u32>,
    prior: Vec<f64>,
}

/// Longest name, in words.
const LONGEST: usize = 4;

impl Gazetteer {
    /// Fills the table: a run of words that occurs in training profiles of one class only (an author counts once) stands for
    /// it; so does a name of [`PLACES`] whose place is a class. What authors of several classes write stands for nothing,
    /// unless it is such a name.
    pub fn fit(view: &View, items: &[Item], class_names: &[String]) -> Gazetteer {
        let mut seen: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for item in items {
            let profiles: BTreeSet<&str> = item.posts.iter().filter_map(|&post| profile(&view.posts[post])).collect();
            for run in profiles.into_iter().flat_map(runs) {
                seen.entry(run).or_default().insert(item.class as u32);
            }
        }
        let mut names: BTreeMap<String, u32> = BTreeMap::new();
        for (run, classes) in seen {
            if let (1, Some(&class)) = (classes.len(), classes.first()) {
                names.insert(run, class);
            }
        }
        // The longest match for a label wins over an abbreviation: `CA` may be Canada or California.
        let labels: Vec<String> = class_names.iter().map(|name| simple(name)).collect();
        for (class, entry) in
            labels.iter().enumerate().filter_map(|(i, label)| Some((i as u32, entry(label, &labels)?)))
        {
            for name in entry.0.iter().chain(entry.1) {
                names.insert((*name).to_owned(), class);
            }
        }
        Gazetteer { names, prior: prior(items, class_names.len()) }
    }

    /// The class that a profile location names.
    pub fn look_up(&self, profile: &str) -> Option<usize> {
        let mut runs = runs(profile);
        // The longest first; of equally long ones the last, as in "Paris, Texas". Two letters count at the end only.
        runs.reverse();
        runs.sort_by_key(|run| std::cmp::Reverse(run.split(' ').count()));
        let end = simple(profile).rsplit(' ').next().unwrap_or("").to_owned();
        runs.iter().filter(|run| run.len() > 2 || **run == end).find_map(|run| self.names.get(run)).map(|&c| c as usize)
    }

    /// The class of an item: what most of its posts' profile locations name; without any, the shares of training.
    pub fn probabilities(&self, view: &View, item: &Item) -> Vec<f64> {
        let mut votes = vec![0.0; self.prior.len()];
        for &post in &item.posts {
            if let Some(class) = profile(&view.posts[post]).and_then(|profile| self.look_up(profile)) {
                votes[class] += 1.0;
            }
        }
        let all: f64 = votes.iter().sum();
        if all == 0.0 { self.prior.clone() } else { votes.iter().map(|v| v / all).collect() }
    }

    /// What the names in the profile locations of an item's posts say of each class: logarithms. All names count, so that
    /// "Northern Ireland" is surer of the United Kingdom than of Ireland and less sure than "London, UK". Zeros without any.
    pub fn evidence(&self, view: &View, item: &Item) -> Vec<f64> {
        let mut votes = vec![0.0; self.prior.len()];
        for profile in item.posts.iter().filter_map(|&post| profile(&view.posts[post])).collect::<BTreeSet<_>>() {
            let end = simple(profile).rsplit(' ').next().unwrap_or("").to_owned();
            let named: Vec<u32> = runs(profile)
                .iter()
                .filter(|run| run.len() > 2 || **run == end)
                .filter_map(|run| self.names.get(run).copied())
                .collect();
            named.iter().for_each(|&class| votes[class as usize] += 1.0 / named.len() as f64);
        }
        let all: f64 = votes.iter().sum();
        votes.iter().map(|vote| if all == 0.0 { 0.0 } else { (vote / all + UNSURE).ln() }).collect()
    }
}

/// Share of the votes that a class has which no name speaks for.
const UNSURE: f64 = 0.05;

/// A name in small letters and single spaces.
fn simple(name: &str) -> String {
    let mut out = String::new();
    let mut small = false;
    for c in name.chars() {
        if c.is_alphanumeric() {
            // `NewYork` is two words.
            if c.is_uppercase() && small {
                out.push(' ');
            }
            small = c.is_lowercase();
            out.extend(c.to_lowercase());
        } else {
            small = false;
            if !out.ends_with(' ') {
                out.push(' ');
            }
        }
    }
    out.trim().to_owned()
}

/// All runs of at most [`LONGEST`] words of a profile location.
fn runs(profile: &str) -> Vec<String> {
    let simple = simple(profile);
    let words: Vec<&str> = simple.split(' ').filter(|word| !word.is_empty()).collect();
    (1..=LONGEST).flat_map(|n| words.windows(n).map(|run| run.join(" ")).collect::<Vec<_>>()).collect()
}

type Entry = (&'static [&'static str], &'static [&'static str]);

/// The place that a class is: by its usual name, or by an abbreviation that fits; where two fit, the one whose kind (country or
/// state) more of the other classes are.
fn entry(label: &str, labels: &[String]) -> Option<Entry> {
    let state = |at: usize| at >= PLACES.iter().position(|(names, _)| names[0] == "alabama").unwrap_or(PLACES.len());
    let fits = |at: usize, label: &str| PLACES[at].0.contains(&label);
    let all = 0..PLACES.len();
    let fitting: Vec<usize> = all.clone().filter(|&at| fits(at, label)).collect();
    let of_kind = |kind: bool| labels.iter().filter(|l| all.clone().any(|at| state(at) == kind && fits(at, l))).count();
    fitting.into_iter().max_by_key(|&at| of_kind(state(at))).map(|at| PLACES[at])
}

/// Multinomial naive Bayes over words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NaiveBayes {
    vocabulary: Ngrams,
    /// Logarithm of each class's share.
    prior: Vec<f64>,
    /// `[classes, words]`: logarithms of a word's share among the words of a class.
    words: Vec<Vec<f64>>,
    settings: BayesSettings,
}

/// How naive Bayes counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesSettings {
    /// Added to every count.
    pub smoothing: f64,
    /// Whether a word counts once a document.
    pub once: bool,
    /// Documents that a word must be in.
    pub least: u32,
}

impl BayesSettings {
    /// What is tried where the held-out part decides.
    pub fn grid() -> Vec<BayesSettings> {
        let mut grid = Vec::new();
        for smoothing in [0.01, 0.03, 0.1, 0.3, 1.0] {
            for once in [false, true] {
                for least in [1, 2, 3] {
                    grid.push(BayesSettings { smoothing, once, least });
                }
            }
        }
        grid
    }

    /// In words.
    pub fn words(&self) -> String {
        let counts = if self.once { "a word counts once a document" } else { "all words count" };
        format!("smoothing {}, {counts}, in at least {} documents", self.smoothing, self.least)
    }
}

impl NaiveBayes {
    /// Fits documents ([`document`]) of the given classes.
    pub fn fit(documents: &[String], of: &[usize], classes: usize, settings: BayesSettings) -> NaiveBayes {
        let ngrams = NgramSettings {
            characters: [0, 0],
            words: [1, 1],
            least: settings.least,
            most: 0,
            lower_case: false,
            counts: true,
        };
        let vocabulary = Ngrams::fit(documents, &ngrams);
        let rows = vocabulary.rows(documents);
        let mut counts = vec![vec![settings.smoothing; vocabulary.len()]; classes];
        let mut documents = vec![1.0f64; classes];
        for (i, &class) in of.iter().enumerate() {
            documents[class] += 1.0;
            rows.row(i).for_each(|(word, count)| counts[class][word as usize] += weight(count, settings.once));
        }
        let logs = |values: &[f64]| -> Vec<f64> {
            let all: f64 = values.iter().sum();
            values.iter().map(|value| (value / all).ln()).collect()
        };
        NaiveBayes { prior: logs(&documents), words: counts.iter().map(|c| logs(c)).collect(), vocabulary, settings }
    }

    /// Logarithms of share times likelihood of each class, `[documents][classes]`.
    pub fn scores(&self, documents: &[String]) -> Vec<Vec<f64>> {
        let rows: Sparse = self.vocabulary.rows(documents);
        let score = |i: usize, class: usize| {
            let likelihood: f64 = rows
                .row(i)
                .map(|(word, count)| weight(count, self.settings.once) * self.words[class][word as usize])
                .sum();
            self.prior[class] + likelihood
        };
        (0..documents.len()).map(|i| (0..self.prior.len()).map(|class| score(i, class)).collect()).collect()
    }
}

fn weight(count: f32, once: bool) -> f64 {
    if once { 1.0 } else { f64::from(count) }
}

/// Documents of items.
pub fn documents(view: &View, items: &[Item]) -> Vec<String> {
    items.iter().map(|item| document(view, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gazetteer(names: &[(&str, u32)], labels: &[&str]) -> Gazetteer {
        let labels: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        let view = View {
            posts: std::borrow::Cow::Owned(
                names
                    .iter()
                    .map(|(location, class)| crate::posts::Post {
                        id: class.to_string(),
                        author: Some(crate::posts::Author {
                            location: Some((*location).into()),
                            ..crate::posts::Author::default()
                        }),
                        ..crate::posts::Post::default()
                    })
                    .collect(),
            ),
            embeddings: &crate::embed::Embeddings::default(),
            components: Vec::new(),
            profiles: None,
        };
        let item = |(i, (_, class)): (usize, &(&str, u32))| Item {
            id: i.to_string(),
            group: None,
            posts: vec![i],
            class: *class as usize,
        };
        let items: Vec<Item> = names.iter().enumerate().map(item).collect();
        Gazetteer::fit(&view, &items, &labels)
    }

    #[test]
    fn names_come_from_training_and_from_the_table() {
        let g = gazetteer(&[("Springfield, home", 0), ("home", 1), ("Smallville", 1)], &["uk", "us", "ca"]);
        assert_eq!(g.look_up("in Springfield"), Some(0));
        assert_eq!(g.look_up("smallville"), Some(1));
        assert_eq!(g.look_up("home"), None, "both classes write it");
        assert_eq!(g.look_up("Toronto"), Some(2));
        assert_eq!(g.look_up("London, UK"), Some(0));
        assert_eq!(g.look_up("call us"), Some(1));
        assert_eq!(g.look_up("us and them"), None, "two letters count at the end only");
    }

    #[test]
    fn an_abbreviation_is_of_the_kind_that_the_other_classes_are() {
        let g = gazetteer(&[], &["NewYork", "CA", "Georgia"]);
        assert_eq!(g.look_up("Oakland"), Some(1));
        assert_eq!(g.look_up("Brooklyn, NY"), Some(0));
        assert_eq!(g.look_up("ATL shawty"), Some(2));
        assert_eq!(g.look_up("Toronto"), None);
    }

    #[test]
    fn naive_bayes_follows_the_formula() {
        let documents = ["a a b".to_owned(), "b c".into(), "c".into()];
        let settings = BayesSettings { smoothing: 1.0, once: false, least: 1 };
        let bayes = NaiveBayes::fit(&documents, &[0, 1, 1], 2, settings);
        let scores = bayes.scores(&["a c".into(), "x".into()]);
        // Class 0: a 2 + 1, b 1 + 1, c 0 + 1 of 6; class 1: a 1, b 2, c 3 of 6; shares 2/5 and 3/5 with one more of each.
        let expected = [(0.4f64 * 3.0 / 6.0 * 1.0 / 6.0).ln(), (0.6f64 * 1.0 / 6.0 * 3.0 / 6.0).ln()];
        assert!(scores[0].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!((crate::tasks::linear::softmax(&scores[1])[1] - 0.6).abs() < 1e-12);
    }
}
