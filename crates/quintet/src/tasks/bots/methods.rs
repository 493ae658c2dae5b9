//! The methods behind one face: fitted on training items, each gives every item a score.

use std::str::FromStr;

use quintet_forest::Forest;
use serde::{Deserialize, Serialize};

use super::baseline::botometer::Specialists;
use super::cnn_training::{CnnSettings, Curve};
use super::members::{Member, MemberSettings, members};
use super::ours::{Ours, OursSettings};
use super::paper::{Cnn, Knn};
use super::trivial::{NaiveBayes, TextNeighbour};
use super::units::Evidence;
use super::{clusters, forest};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tasks::Unit;
use crate::tasks::ngrams::NgramSettings;
use crate::tasks::report::CurvePoint;
use crate::tasks::{Method, Options, Role};

/// Every method, ours first.
pub const METHODS: [Method; 9] = [
    Method {
        name: "ours",
        role: Role::Ours,
        about: "joint vectors, n-grams, behaviour and neighbours, joined out of fold",
    },
    Method {
        name: "cnn",
        role: Role::Paper,
        about: "text CNN (Kim 2014) over the vectors of an author's latest posts",
    },
    Method { name: "knn", role: Role::Paper, about: "the nearest training author in the joint space" },
    Method {
        name: "botometer-lite",
        role: Role::Baseline,
        about: "a forest on BotometerLite's 20 numbers of a profile",
    },
    Method { name: "botometer", role: Role::Baseline, about: "specialised forests in the manner of Botometer v4" },
    Method { name: "all-bot", role: Role::Trivial, about: "everybody is a bot" },
    Method { name: "majority", role: Role::Trivial, about: "everybody is of the larger training class" },
    Method { name: "text-knn", role: Role::Trivial, about: "the nearest training text by tf-idf of words" },
    Method { name: "naive-bayes", role: Role::Trivial, about: "multinomial naive Bayes on words" },
];

/// Names of the settings of [`Settings`].
pub const SETTINGS: [&str; 15] = [
    "positive",
    "kind",
    "posts",
    "k",
    "windows",
    "maps",
    "folds",
    "epochs",
    "kinds",
    "members",
    "characters",
    "cost",
    "vector_cost",
    "campaign",
    "penalty",
];

/// Settings of all methods, `--set NAME=VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Value of the label that means bot; empty: `bot`, or whatever is not `human`.
    pub positive: String,
    /// Name of a second label that says what kind of bot; absent, kinds are found by clustering.
    pub kind: String,
    /// Latest posts of an author that the CNN and the nearest neighbours see.
    pub posts: usize,
    /// Neighbours that vote, odd.
    pub k: usize,
    /// Kinds of bots that clustering makes.
    pub kinds: usize,
    /// Of the text CNN.
    pub cnn: CnnSettings,
    /// Of ours.
    pub ours: OursSettings,
}

impl Settings {
    /// Reads the settings from `options`.
    ///
    /// # Errors
    /// Names an unknown setting, or a value that cannot be.
    pub fn read(options: &Options, unit: Unit) -> Result<Settings> {
        options.check_settings(&SETTINGS)?;
        let cnn = CnnSettings::default();
        let folds = options.at_least("folds", 5, 2)?;
        let windows: String = options.setting("windows", "2,3,4".into())?;
        let most_epochs = options.at_least("epochs", cnn.most_epochs, 1)?;
        let alone = unit == Unit::Post;
        // Starting values, not tuned.
        let characters: String = options.setting("characters", if alone { "1,4" } else { "2,4" }.into())?;
        let list: String = options.setting("members", String::new())?;
        let k = options.setting("k", 1usize)?;
        if k.is_multiple_of(2) {
            return Err(Error::config(format!("{k} neighbours can be of two minds")).help("give an odd k"));
        }
        Ok(Settings {
            positive: options.setting("positive", String::new())?,
            kind: options.setting("kind", "generator".into())?,
            posts: options.at_least("posts", 10, 1)?,
            k,
            kinds: options.at_least("kinds", 4, 1)?,
            cnn: CnnSettings {
                windows: list_of("windows", &windows)?,
                maps: options.at_least("maps", cnn.maps, 1)?,
                folds,
                most_epochs,
                seed: options.seed,
                ..cnn
            },
            ours: OursSettings {
                members: if list.is_empty() { Vec::new() } else { members(&list)? },
                fitting: MemberSettings {
                    ngrams: NgramSettings {
                        characters: pair_of("characters", &characters)?,
                        words: if alone { [1, 2] } else { [1, 1] },
                        ..NgramSettings::default()
                    },
                    ngram_cost: options.setting("cost", if alone { 4.0 } else { 30.0 })?,
                    vector_cost: options.setting("vector_cost", 10.0)?,
                    seed: options.seed,
                },
                folds,
                penalty: options.setting("penalty", 0.3)?,
                campaign: options.setting("campaign", 0)?,
            },
        })
    }
}

fn list_of(name: &str, text: &str) -> Result<Vec<usize>> {
    let numbers: Option<Vec<usize>> =
        text.split(',').map(|n| usize::from_str(n.trim()).ok().filter(|n| *n > 0)).collect();
    numbers.ok_or_else(|| Error::config(format!("`{name}={text}` is no list of numbers")).help("such as 2,3,4"))
}

fn pair_of(name: &str, text: &str) -> Result<[usize; 2]> {
    match list_of(name, text)?.as_slice() {
        [low, high] if low <= high => Ok([*low, *high]),
        _ => Err(Error::config(format!("`{name}={text}` is no range")).help("give shortest and longest, such as 2,4")),
    }
}

/// What a method has learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Learned {
    /// `ours`
    Ours(Ours),
    /// `cnn`
    Cnn(Cnn),
    /// `knn`
    Knn(Knn),
    /// `botometer-lite`
    Lite(Forest),
    /// `botometer`
    Botometer(Specialists),
    /// `all-bot`, `majority`: the same score for everybody.
    Constant(f64),
    /// `text-knn`
    TextNeighbour(TextNeighbour),
    /// `naive-bayes`
    NaiveBayes(NaiveBayes),
}

/// What is told of a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Training by epochs.
    pub curve: Vec<CurvePoint>,
    /// Why it stopped, what was chosen.
    pub remark: String,
}

impl Learned {
    /// Fits `method` on `train`, which holds both classes.
    ///
    /// # Errors
    /// If the items lack what the method needs, or the person stops the work.
    pub fn fit(
        method: Method,
        train: &Evidence,
        settings: &Settings,
        progress: &dyn Progress,
    ) -> Result<(Learned, Told)> {
        let (bots, seed) = (train.bots(), settings.cnn.seed);
        let mut told = Told::default();
        let needs_vectors = matches!(method.name, "cnn" | "knn")
            || (method.name == "ours" && settings.ours.members_for(train).contains(&Member::Vectors));
        if needs_vectors && train.without_vectors() == train.len() {
            return Err(Error::input("no training post has a joint vector: every component the model has is missing")
                .help("give a model with the text component"));
        }
        let learned = match method.name {
            "ours" => {
                let ours = Ours::fit(train, &settings.ours, progress)?;
                told.remark = ours.weights();
                Learned::Ours(ours)
            }
            "cnn" => {
                let cnn = Cnn::fit(train, settings.posts, &settings.cnn, progress)?;
                told = tell(&cnn.ensemble.curves);
                Learned::Cnn(cnn)
            }
            "knn" => Learned::Knn(Knn::fit(train, settings.posts, settings.k)?),
            "botometer-lite" => {
                told.remark = absent(train.lite());
                Learned::Lite(forest::fit_binary(train.lite(), &bots, seed, progress)?)
            }
            "botometer" => {
                let (kinds, how) = kinds_of(train, settings);
                told.remark = format!("{how}; {}", absent(train.botometer()));
                Learned::Botometer(Specialists::fit(train.botometer(), &bots, &kinds, seed, progress)?)
            }
            "all-bot" => Learned::Constant(1.0),
            "majority" => {
                let more = 2 * bots.iter().filter(|b| **b).count() >= bots.len();
                Learned::Constant(if more { 1.0 } else { 0.0 })
            }
            "text-knn" => Learned::TextNeighbour(TextNeighbour::fit(train)),
            "naive-bayes" => Learned::NaiveBayes(NaiveBayes::fit(train)),
            other => return Err(Error::internal(format!("no method `{other}`"))),
        };
        Ok((learned, told))
    }

    /// A score per item; one half or more means bot.
    ///
    /// # Errors
    /// If the features are not those of the fit (a bug).
    pub fn scores(&self, items: &Evidence) -> Result<Vec<f64>> {
        Ok(match self {
            Learned::Ours(m) => m.scores(items)?,
            Learned::Cnn(m) => m.scores(items),
            Learned::Knn(m) => m.scores(items),
            Learned::Lite(m) => forest::probabilities(m, items.lite())?,
            Learned::Botometer(m) => m.scores(items.botometer())?,
            Learned::Constant(score) => vec![*score; items.len()],
            Learned::TextNeighbour(m) => m.scores(items),
            Learned::NaiveBayes(m) => m.scores(items),
        })
    }
}

/// The kind of each training bot and how it was found.
fn kinds_of(train: &Evidence, settings: &Settings) -> (Vec<usize>, String) {
    let mut kinds = vec![0; train.len()];
    let bots: Vec<usize> = (0..train.len()).filter(|&i| train.items[i].bot).collect();
    if bots.iter().all(|&i| train.items[i].kind.is_some()) {
        let mut names: Vec<&String> = bots.iter().filter_map(|&i| train.items[i].kind.as_ref()).collect();
        names.sort_unstable();
        names.dedup();
        for &i in &bots {
            kinds[i] = train.items[i].kind.as_ref().and_then(|k| names.binary_search(&k).ok()).unwrap_or(0);
        }
        return (kinds, format!("{} kinds of bots from the labels", names.len()));
    }
    let clusters = clusters::of_rows(&train.botometer().rows(&bots), settings.kinds, settings.cnn.seed);
    bots.iter().zip(clusters).for_each(|(&i, c)| kinds[i] = c);
    (kinds, format!("{} kinds of bots by k-means on the training bots' features", settings.kinds))
}

fn absent(table: &super::numbers::Table) -> String {
    let (absent, all) = (table.absent().len(), table.names.len());
    format!("{} of {all} features are known here", all - absent)
}

/// The mean curve of the folds that still trained in an epoch, and why each ended.
fn tell(curves: &[Curve]) -> Told {
    let longest = curves.iter().map(|c| c.dev.len()).max().unwrap_or(0);
    let curve = (0..longest).map(|e| {
        let running: Vec<&Curve> = curves.iter().filter(|c| e < c.dev.len()).collect();
        let mean = |of: fn(&Curve) -> &Vec<f64>| running.iter().map(|c| of(c)[e]).sum::<f64>() / running.len() as f64;
        CurvePoint { epoch: (e + 1) as f64, loss: mean(|c| &c.loss), score: mean(|c| &c.dev) }
    });
    let ends: Vec<String> =
        curves.iter().map(|c| format!("epoch {} of {} kept ({})", c.best, c.dev.len(), c.stopped)).collect();
    Told { curve: curve.collect(), remark: format!("folds: {}", ends.join("; ")) }
}
