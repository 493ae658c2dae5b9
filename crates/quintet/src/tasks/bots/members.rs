//! The members of ours: each looks at one kind of evidence and gives log-odds of a bot.

use quintet_forest::Forest;
use serde::{Deserialize, Serialize};

use super::forest;
use super::neighbours::Neighbours;
use super::numbers::Table;
use super::units::Evidence;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tasks::linear::{Logistic, LogisticSettings};
use crate::tasks::ngrams::{NgramSettings, Ngrams};
use crate::tasks::sparse::Sparse;

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Member {
    /// Logistic regression on n-grams of characters and words.
    Ngrams,
    /// Logistic regression on the joint vectors: their mean, and how far an author's posts lie from it.
    Vectors,
    /// A random forest on the numbers of behaviour and of Botometer's groups.
    Behaviour,
    /// The most alike training texts by runs of characters: who writes alike is alike.
    Neighbours,
}

impl Member {
    /// All members.
    pub const ALL: [Member; 4] = [Member::Ngrams, Member::Vectors, Member::Behaviour, Member::Neighbours];

    /// The name in settings and remarks.
    pub fn name(self) -> &'static str {
        match self {
            Member::Ngrams => "ngrams",
            Member::Vectors => "vectors",
            Member::Behaviour => "behaviour",
            Member::Neighbours => "neighbours",
        }
    }
}

/// The members named in `list`, separated by `+`.
///
/// # Errors
/// Names what is no member, and the members there are.
pub fn members(list: &str) -> Result<Vec<Member>> {
    let one = |name: &str| {
        Member::ALL.into_iter().find(|m| m.name() == name.trim()).ok_or_else(|| {
            let names = Member::ALL.map(Member::name).join(", ");
            Error::config(format!("`{name}` is no member of ours")).help(format!("members: {names}; join them with +"))
        })
    };
    list.split('+').map(one).collect()
}

/// How members are fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberSettings {
    /// Which n-grams.
    pub ngrams: NgramSettings,
    /// Weight of the losses on n-grams against the penalty.
    pub ngram_cost: f64,
    /// The same on joint vectors.
    pub vector_cost: f64,
    /// Seed of the forest.
    pub seed: u64,
}

/// Runs of characters by which texts are alike.
const RUNS: NgramSettings =
    NgramSettings { characters: [2, 4], words: [0, 0], least: 5, most: 200_000, lower_case: true, counts: false };

/// What turns evidence into features; fitted on all training items without their labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extractor {
    members: Vec<Member>,
    ngrams: Option<Ngrams>,
    runs: Option<Ngrams>,
    /// Mean and deviation of each number of the joint vectors.
    scale: Option<(Vec<f32>, Vec<f32>)>,
}

/// Features of some items, for the members that need them.
#[derive(Clone, Debug, Default)]
pub struct Features {
    ngrams: Option<Sparse>,
    runs: Option<Sparse>,
    vectors: Option<Sparse>,
    behaviour: Option<Table>,
}

impl Extractor {
    /// The vocabulary of n-grams and the scale of the vectors.
    pub fn fit(members: &[Member], train: &Evidence, settings: &MemberSettings) -> Extractor {
        let ngrams = members.contains(&Member::Ngrams).then(|| Ngrams::fit(train.texts(), &settings.ngrams));
        let scale = members.contains(&Member::Vectors).then(|| scale_of(&moments(train), train.len()));
        let runs = members.contains(&Member::Neighbours).then(|| Ngrams::fit(train.texts(), &RUNS));
        Extractor { members: members.to_vec(), ngrams, runs, scale }
    }

    /// Features of `items`.
    pub fn features(&self, items: &Evidence) -> Features {
        let behaviour = self.members.contains(&Member::Behaviour);
        Features {
            ngrams: self.ngrams.as_ref().map(|n| n.rows(items.texts())),
            runs: self.runs.as_ref().map(|n| n.rows(items.texts())),
            vectors: self.scale.as_ref().map(|scale| scaled(&moments(items), scale)),
            behaviour: behaviour.then(|| items.behaviour().beside(items.botometer())),
        }
    }
}

/// Numbers of the joint vectors of each item, `[items, 2 dim + 1]`: their mean, the deviation of each coordinate over the
/// posts, the length of the mean (how much the posts are about one thing).
fn moments(items: &Evidence) -> Vec<f32> {
    let dim = items.dim();
    let mut all = Vec::with_capacity(items.len() * (2 * dim + 1));
    for item in &items.items {
        let rows = items.rows(&item.posts);
        let mean = items.mean(&rows);
        let mut variance = vec![0.0f32; dim];
        for row in rows.chunks_exact(dim.max(1)) {
            variance.iter_mut().zip(row).zip(&mean).for_each(|((v, x), m)| *v += (x - m).powi(2));
        }
        let count = (rows.len() / dim.max(1)).max(1) as f32;
        all.extend(&mean);
        all.extend(variance.iter().map(|v| (v / count).sqrt()));
        all.push(mean.iter().map(|m| m * m).sum::<f32>().sqrt());
    }
    all
}

fn scale_of(moments: &[f32], items: usize) -> (Vec<f32>, Vec<f32>) {
    let width = moments.len() / items.max(1);
    let (mut means, mut deviations) = (vec![0.0f64; width], vec![0.0f64; width]);
    for row in moments.chunks_exact(width.max(1)) {
        means.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / items as f64);
    }
    for row in moments.chunks_exact(width.max(1)) {
        let squares = deviations.iter_mut().zip(row).zip(&means);
        squares.for_each(|((d, v), m)| *d += (f64::from(*v) - m).powi(2) / items as f64);
    }
    let single = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
    (single(means), single(deviations.into_iter().map(f64::sqrt).collect()))
}

/// Rows with mean 0 and a length of about 1: the penalty then means the same as on n-grams.
fn scaled(moments: &[f32], (means, deviations): &(Vec<f32>, Vec<f32>)) -> Sparse {
    let width = means.len();
    let used = deviations.iter().filter(|d| **d > 1e-6).count().max(1) as f32;
    let mut out = Sparse::new(width);
    for row in moments.chunks_exact(width.max(1)) {
        let value = |c: usize| (row[c] - means[c]) / deviations[c] / used.sqrt();
        out.push((0..width).filter(|&c| deviations[c] > 1e-6).map(|c| (c as u32, value(c))));
    }
    out
}

/// A fitted member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fitted {
    /// On n-grams.
    Ngrams(Logistic),
    /// On joint vectors.
    Vectors(Logistic),
    /// On numbers of behaviour.
    Behaviour(Forest),
    /// On runs of characters.
    Neighbours(Neighbours),
}

fn missing() -> Error {
    Error::internal("the features of a member were not made")
}

impl Fitted {
    /// Fits `member` on the items `chosen` of `features`; `bots` is of all items.
    ///
    /// # Errors
    /// If a class is missing among the chosen, or the person stops the work.
    pub fn fit(
        member: Member,
        features: &Features,
        bots: &[bool],
        chosen: &[usize],
        settings: &MemberSettings,
        progress: &dyn Progress,
    ) -> Result<Fitted> {
        let classes: Vec<bool> = chosen.iter().map(|&i| bots[i]).collect();
        let logistic = |x: &Option<Sparse>, cost: f64| {
            let x = x.as_ref().ok_or_else(missing)?.rows(chosen);
            Logistic::fit(&x, &classes, &LogisticSettings { cost, tolerance: 1e-3, steps: 200 })
        };
        if progress.interrupted() {
            return Err(Error::interrupted("stopped while fitting; nothing to resume"));
        }
        Ok(match member {
            Member::Ngrams => Fitted::Ngrams(logistic(&features.ngrams, settings.ngram_cost)?),
            Member::Vectors => Fitted::Vectors(logistic(&features.vectors, settings.vector_cost)?),
            Member::Behaviour => {
                let table = features.behaviour.as_ref().ok_or_else(missing)?.rows(chosen);
                Fitted::Behaviour(forest::fit_binary(&table, &classes, settings.seed, progress)?)
            }
            Member::Neighbours => {
                Fitted::Neighbours(Neighbours::fit(&features.runs.as_ref().ok_or_else(missing)?.rows(chosen), classes))
            }
        })
    }

    /// Log-odds of the items `chosen`.
    ///
    /// # Errors
    /// If the features are not those of the fit.
    pub fn log_odds(&self, features: &Features, chosen: &[usize]) -> Result<Vec<f64>> {
        Ok(match self {
            Fitted::Ngrams(model) => model.log_odds(&features.ngrams.as_ref().ok_or_else(missing)?.rows(chosen)),
            Fitted::Vectors(model) => model.log_odds(&features.vectors.as_ref().ok_or_else(missing)?.rows(chosen)),
            Fitted::Neighbours(model) => model.log_odds(&features.runs.as_ref().ok_or_else(missing)?.rows(chosen)),
            Fitted::Behaviour(trees) => {
                let table = features.behaviour.as_ref().ok_or_else(missing)?.rows(chosen);
                // A hundred trees that agree are no certainty: one vote is split between the classes.
                let votes = trees.trees().len() as f64;
                let p = forest::probabilities(trees, &table)?.into_iter().map(|p| (p * votes + 0.5) / (votes + 1.0));
                p.map(|p| (p / (1.0 - p)).ln()).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named() {
        assert_eq!(members("vectors+ngrams").unwrap(), [Member::Vectors, Member::Ngrams]);
        let error = members("vectors+magic").unwrap_err().to_string();
        assert!(error.contains("magic") && error.contains("behaviour"), "{error}");
    }

    #[test]
    fn rows_are_scaled_and_constant_columns_left_out() {
        let moments = [1.0, 5.0, 3.0, 5.0];
        let rows = scaled(&moments, &scale_of(&moments, 2));
        assert_eq!(rows.row(0).collect::<Vec<_>>(), [(0, -1.0)]);
        assert_eq!(rows.row(1).collect::<Vec<_>>(), [(0, 1.0)]);
    }
}
