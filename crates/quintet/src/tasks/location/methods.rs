//! The methods of the task behind one face: fit, then probabilities of the classes for each item.

use serde::{Deserialize, Serialize};

use super::baseline::training::Settings as DeepgeoSettings;
use super::baseline::{Told, Trained};
use super::items::{Item, View};
use super::ours::{Member, Ours, Settings as OursSettings, Training};
use super::paper::Paper;
use super::trivial::{BayesSettings, Gazetteer, NaiveBayes, documents, prior};
use crate::error::Result;
use crate::metrics::Confusion;
use crate::progress::Progress;
use crate::tasks::linear::softmax;
use crate::tasks::{Method, Options, Role};

/// Every method; the first is ours.
pub const METHODS: [Method; 6] = [
    Method { name: "ours", role: Role::Ours, about: "words, joint vectors, mentions, profile; pooled out of fold" },
    Method { name: "forest", role: Role::Paper, about: "Rivas et al. 2022: a random forest on joint vectors" },
    Method { name: "deepgeo", role: Role::Baseline, about: "Lau et al. 2017: characters, times, profile location" },
    Method { name: "gazetteer", role: Role::Trivial, about: "names of places in the profile location" },
    Method { name: "naive-bayes", role: Role::Trivial, about: "naive Bayes over words" },
    Method { name: "majority", role: Role::Trivial, about: "the largest class" },
];

/// Names of the settings, for `--set`.
pub const SETTINGS: [&str; 12] = [
    "author",
    "place_kind",
    "members",
    "vector_cost",
    "penalty",
    "folds",
    "trees",
    "deepgeo.batch",
    "deepgeo.epochs",
    "deepgeo.patience",
    "deepgeo.rate",
    "deepgeo.restore",
];

/// Settings of all methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Of ours.
    pub ours: OursSettings,
    /// Trees of the paper's forest.
    pub trees: usize,
    /// Of Deepgeo.
    pub deepgeo: DeepgeoSettings,
    /// Seed of everything random.
    pub seed: u64,
}

impl Settings {
    /// Reads `--set name=value`.
    ///
    /// # Errors
    /// If a name is unknown or a value does not parse.
    pub fn read(options: &Options) -> Result<Settings> {
        options.check_settings(&SETTINGS)?;
        let (ours, deepgeo) = (OursSettings::default(), DeepgeoSettings::default());
        let members: String = options.setting("members", String::new())?;
        let members = if members.is_empty() { ours.members.clone() } else { Member::list(&members)? };
        let seed = options.seed;
        Ok(Settings {
            ours: OursSettings {
                members,
                vector_cost: options.setting("vector_cost", ours.vector_cost)?,
                penalty: options.setting("penalty", ours.penalty)?,
                folds: options.at_least("folds", ours.folds, 2)?,
                seed,
            },
            trees: options.at_least("trees", 100, 1)?,
            deepgeo: DeepgeoSettings {
                batch: options.at_least("deepgeo.batch", deepgeo.batch, 1)?,
                epochs: options.at_least("deepgeo.epochs", deepgeo.epochs, 1)?,
                patience: options.at_least("deepgeo.patience", deepgeo.patience, 1)?,
                rate: options.setting("deepgeo.rate", deepgeo.rate)?,
                restore: options.setting("deepgeo.restore", deepgeo.restore)?,
                seed,
                ..deepgeo
            },
            seed,
        })
    }
}

/// A fitted method.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Learned {
    /// See [`Ours`].
    Ours(Ours),
    /// See [`Paper`].
    Forest(Paper),
    /// See [`Trained`].
    Deepgeo(Trained),
    /// See [`Gazetteer`].
    Gazetteer(Gazetteer),
    /// See [`NaiveBayes`].
    NaiveBayes(NaiveBayes),
    /// Share of each class.
    Majority(Vec<f64>),
}

impl Learned {
    /// Fits `method` on `training`; what has epochs or a grid is chosen on `held`.
    ///
    /// # Errors
    /// If a method cannot learn from these items, or the person stops the work.
    pub fn fit(
        method: Method,
        view: &View,
        training: &Training,
        held: &[Item],
        settings: &Settings,
        progress: &dyn Progress,
    ) -> Result<(Learned, Told)> {
        let (items, classes) = (training.items, training.class_names.len());
        let told = |remark: &str| Told { remark: remark.to_owned(), ..Told::default() };
        Ok(match method.name {
            "ours" => {
                let ours = Ours::fit(view, training, &settings.ours, progress)?;
                let remark = ours.weights();
                (Learned::Ours(ours), told(&remark))
            }
            "forest" => {
                let paper = Paper::fit(view, items, classes, settings.trees, settings.seed, progress)?;
                (Learned::Forest(paper), Told::default())
            }
            "deepgeo" => {
                let (trained, told) = Trained::fit(view, items, held, classes, &settings.deepgeo, progress)?;
                (Learned::Deepgeo(trained), told)
            }
            "gazetteer" => (Learned::Gazetteer(Gazetteer::fit(view, items, training.class_names)), Told::default()),
            "naive-bayes" => {
                let (bayes, chosen) = best_bayes(view, items, held, classes);
                (Learned::NaiveBayes(bayes), told(&format!("chosen on the posts for choosing: {}", chosen.words())))
            }
            _ => (Learned::Majority(prior(items, classes)), Told::default()),
        })
    }

    /// Probabilities of the classes for each item, `[items][classes]`.
    ///
    /// # Errors
    /// If what was learned is damaged.
    pub fn probabilities(&self, view: &View, items: &[Item]) -> Result<Vec<Vec<f64>>> {
        Ok(match self {
            Learned::Ours(ours) => ours.probabilities(view, items),
            Learned::Forest(paper) => paper.probabilities(view, items)?,
            Learned::Deepgeo(trained) => trained.probabilities(view, items)?,
            Learned::Gazetteer(gazetteer) => items.iter().map(|item| gazetteer.probabilities(view, item)).collect(),
            Learned::NaiveBayes(bayes) => {
                bayes.scores(&documents(view, items)).iter().map(|scores| softmax(scores)).collect()
            }
            Learned::Majority(shares) => vec![shares.clone(); items.len()],
        })
    }
}

/// Naive Bayes with the settings that do best on `held` by macro-F1, the first of equals.
fn best_bayes(view: &View, items: &[Item], held: &[Item], classes: usize) -> (NaiveBayes, BayesSettings) {
    let (texts, held_texts) = (documents(view, items), documents(view, held));
    let of: Vec<usize> = items.iter().map(|item| item.class).collect();
    let truths: Vec<usize> = held.iter().map(|item| item.class).collect();
    let mut best: Option<(f64, NaiveBayes, BayesSettings)> = None;
    for settings in BayesSettings::grid() {
        let bayes = NaiveBayes::fit(&texts, &of, classes, settings);
        let answers: Vec<usize> = bayes.scores(&held_texts).iter().map(|scores| super::largest(scores)).collect();
        let all = classes.max(truths.iter().max().map_or(0, |most| most + 1));
        let score = Confusion::of(&truths, &answers, all).figures().macro_f1;
        if best.as_ref().is_none_or(|(highest, ..)| score > *highest) {
            best = Some((score, bayes, settings));
        }
    }
    best.map_or_else(
        || {
            let settings = BayesSettings { smoothing: 1.0, once: false, least: 1 };
            (NaiveBayes::fit(&texts, &of, classes, settings), settings)
        },
        |(_, bayes, settings)| (bayes, settings),
    )
}
