//! Ours: members that each look at one kind of evidence, joined by a logistic regression that saw their answers on items they
//! were not fitted on.

use std::collections::HashMap;

use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::items::{Item, View, document};
use super::linear::Linear;
use super::trivial::{BayesSettings, Gazetteer, NaiveBayes, softmax};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tasks::ngrams::{NgramSettings, Ngrams};
use crate::tasks::sparse::Sparse;

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Member {
    /// Naive Bayes over words.
    Bayes,
    /// Logistic regression over words and pairs of words.
    Words,
    /// Logistic regression over runs of characters.
    Characters,
    /// Logistic regression over the mean joint vectors of the components, profile location included.
    Vectors,
    /// Who mentions whom; needs the author.
    Graph,
    /// The profile location in the gazetteer; needs the author.
    Gazetteer,
}

impl Member {
    /// Every member.
    pub const ALL: [Member; 6] =
        [Member::Bayes, Member::Words, Member::Characters, Member::Vectors, Member::Graph, Member::Gazetteer];

    /// As in settings.
    pub fn name(self) -> &'static str {
        match self {
            Member::Bayes => "bayes",
            Member::Words => "words",
            Member::Characters => "characters",
            Member::Vectors => "vectors",
            Member::Graph => "graph",
            Member::Gazetteer => "gazetteer",
        }
    }

    /// Members by name, separated by `+`.
    ///
    /// # Errors
    /// Names what is no member, and those there are.
    pub fn list(names: &str) -> Result<Vec<Member>> {
        let one = |name: &str| {
            Member::ALL.into_iter().find(|member| member.name() == name.trim()).ok_or_else(|| {
                let known: Vec<&str> = Member::ALL.iter().map(|m| m.name()).collect();
                Error::config(format!("`{name}` is no member")).help(format!("members: {}", known.join(", ")))
            })
        };
        names.split('+').filter(|name| !name.trim().is_empty()).map(one).collect()
    }

    fn needs_author(self) -> bool {
        matches!(self, Member::Graph | Member::Gazetteer)
    }
}

/// Settings of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The members; those that need the author are left out where it may not be seen.
    pub members: Vec<Member>,
    /// Weight of the losses in the members' regressions over n-grams.
    pub cost: f64,
    /// The same over vectors.
    pub vector_cost: f64,
    /// The same in the regression that joins the members.
    pub joint_cost: f64,
    /// Of naive Bayes.
    pub bayes: BayesSettings,
    /// Folds for the members' answers on items they have not seen; authors stay whole.
    pub folds: usize,
    /// Seed of the folds.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            members: Member::ALL.to_vec(),
            cost: 10.0,
            vector_cost: 1.0,
            joint_cost: 1.0,
            bayes: BayesSettings { smoothing: 0.3, once: true, least: 2 },
            folds: 5,
            seed: 1,
        }
    }
}

/// What a member has learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Fitted {
    Bayes(NaiveBayes),
    Ngrams(Ngrams, Linear),
    Vectors(Linear),
    Graph(Graph),
    Gazetteer(Gazetteer),
}

/// The fitted stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ours {
    members: Vec<Member>,
    fitted: Vec<Fitted>,
    joint: Linear,
    classes: usize,
}

/// What fitting needs besides the view.
pub struct Training<'a> {
    /// Items to learn from.
    pub items: &'a [Item],
    /// Items without a class, for the graph.
    pub others: &'a [Item],
    /// Names of the classes.
    pub class_names: &'a [String],
}

impl Ours {
    /// Fits members and stack.
    ///
    /// # Errors
    /// If no member is left, or the person stops the work.
    pub fn fit(view: &View, training: &Training, settings: &Settings, progress: &dyn Progress) -> Result<Ours> {
        let (items, classes) = (training.items, training.class_names.len());
        let members: Vec<Member> =
            settings.members.iter().copied().filter(|m| view.author() || !m.needs_author()).collect();
        if members.is_empty() {
            return Err(Error::config("ours has no member left").help("give some with --set members=bayes+words"));
        }
        let folds = folds(items, classes, settings);
        let task = progress.task("ours", Some((members.len() * (settings.folds + 1)) as u64), "fits");
        let documents: Vec<String> = items.iter().map(|item| document(view, item)).collect();
        let (mut fitted, mut answers) = (Vec::new(), vec![Vec::new(); items.len()]);
        for &member in &members {
            let fit = |chosen: &[usize]| {
                if progress.interrupted() {
                    return Err(Error::interrupted("stopped while ours was fitted"));
                }
                task.advance(1);
                let some: Vec<Item> = chosen.iter().map(|&i| items[i].clone()).collect();
                let texts: Vec<String> = chosen.iter().map(|&i| documents[i].clone()).collect();
                fit_member(member, view, &Training { items: &some, ..*training }, &texts, settings)
            };
            for fold in 0..settings.folds {
                let held: Vec<usize> = (0..items.len()).filter(|&i| folds[i] == fold).collect();
                let others: Vec<usize> = (0..items.len()).filter(|&i| folds[i] != fold).collect();
                if held.is_empty() || others.is_empty() {
                    continue;
                }
                let some: Vec<Item> = held.iter().map(|&i| items[i].clone()).collect();
                let texts: Vec<String> = held.iter().map(|&i| documents[i].clone()).collect();
                let found = answer(&fit(&others)?, view, &some, &texts);
                held.into_iter().zip(found).for_each(|(i, row)| answers[i].extend(row));
            }
            fitted.push(fit(&(0..items.len()).collect::<Vec<_>>())?);
        }
        let of: Vec<usize> = items.iter().map(|item| item.class).collect();
        let joint = Linear::fit(&beside(&answers), &of, classes, settings.joint_cost)?;
        Ok(Ours { members, fitted, joint, classes })
    }

    /// Probabilities of the classes for each item.
    pub fn probabilities(&self, view: &View, items: &[Item]) -> Vec<Vec<f64>> {
        let documents: Vec<String> = items.iter().map(|item| document(view, item)).collect();
        let mut answers = vec![Vec::new(); items.len()];
        for fitted in &self.fitted {
            let found = answer(fitted, view, items, &documents);
            answers.iter_mut().zip(found).for_each(|(row, found)| row.extend(found));
        }
        self.joint.scores(&beside(&answers)).iter().map(|scores| softmax(scores)).collect()
    }

    /// What each member's own answer for a class weighs in that class, in words.
    pub fn weights(&self) -> String {
        let mean = |at: usize| {
            let own = (0..self.classes).map(|class| self.joint.weight(class, at * self.classes + class));
            own.sum::<f64>() / self.classes as f64
        };
        let weights = self.members.iter().enumerate().map(|(at, m)| format!("{} {:.2}", m.name(), mean(at)));
        format!("weights of the members: {}", weights.collect::<Vec<_>>().join(", "))
    }
}

/// Whole authors in folds, each class spread evenly.
fn folds(items: &[Item], classes: usize, settings: &Settings) -> Vec<usize> {
    let group = |whole: bool| {
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, item) in items.iter().enumerate() {
            let author = item.group.as_deref().filter(|_| whole).unwrap_or(&item.id);
            groups.entry(author).or_default().push(i);
        }
        groups
    };
    let mut groups = group(true);
    // Too few authors to leave some out: their posts are divided.
    if groups.len() < settings.folds {
        groups = group(false);
    }
    let mut groups: Vec<(&str, Vec<usize>)> = groups.into_iter().collect();
    groups.sort_unstable();
    Rng::new(settings.seed, &[label("location folds")]).shuffle(&mut groups);
    // The largest first, each where its class is rarest.
    groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let mut held = vec![vec![0usize; classes]; settings.folds];
    let mut fold_of = vec![0; items.len()];
    for (_, members) in groups {
        let class = items[members[0]].class;
        let size = |fold: usize| held[fold].iter().sum::<usize>();
        let fold = (0..settings.folds).min_by_key(|&fold| (held[fold][class], size(fold))).unwrap_or(0);
        members.iter().for_each(|&i| {
            held[fold][items[i].class] += 1;
            fold_of[i] = fold;
        });
    }
    fold_of
}

fn fit_member(
    member: Member,
    view: &View,
    training: &Training,
    documents: &[String],
    settings: &Settings,
) -> Result<Fitted> {
    let (items, classes) = (training.items, training.class_names.len());
    let of: Vec<usize> = items.iter().map(|item| item.class).collect();
    let ngrams = |characters: [usize; 2], words: [usize; 2], least: u32| -> Result<Fitted> {
        let settings_of = NgramSettings { characters, words, least, lower_case: false, counts: false };
        let vocabulary = Ngrams::fit(documents, &settings_of);
        let linear = Linear::fit(&vocabulary.rows(documents), &of, classes, settings.cost)?;
        Ok(Fitted::Ngrams(vocabulary, linear))
    };
    match member {
        Member::Bayes => Ok(Fitted::Bayes(NaiveBayes::fit(documents, &of, classes, settings.bayes))),
        Member::Words => ngrams([0, 0], [1, 2], 2),
        Member::Characters => ngrams([2, 4], [0, 0], 3),
        Member::Vectors => Ok(Fitted::Vectors(Linear::fit(&vectors(view, items), &of, classes, settings.vector_cost)?)),
        Member::Graph => Ok(Fitted::Graph(Graph::fit(view, items, training.others, classes))),
        Member::Gazetteer => Ok(Fitted::Gazetteer(Gazetteer::fit(view, items, training.class_names))),
    }
}

/// A member's answers `[items][classes]` as numbers of moderate size, more where it is surer.
fn answer(fitted: &Fitted, view: &View, items: &[Item], documents: &[String]) -> Vec<Vec<f64>> {
    let centred = |scores: Vec<f64>| {
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        scores.into_iter().map(|score| score - mean).collect::<Vec<f64>>()
    };
    match fitted {
        Fitted::Bayes(bayes) => {
            // Words are not independent: the evidence of a long document grows with the root of its length.
            let scaled = |(scores, document): (Vec<f64>, &String)| {
                let root = (1.0 + document.split(' ').count() as f64).sqrt();
                centred(scores).into_iter().map(|score| score / root).collect()
            };
            bayes.scores(documents).into_iter().zip(documents).map(scaled).collect()
        }
        Fitted::Ngrams(vocabulary, linear) => {
            linear.scores(&vocabulary.rows(documents)).into_iter().map(centred).collect()
        }
        Fitted::Vectors(linear) => linear.scores(&vectors(view, items)).into_iter().map(centred).collect(),
        Fitted::Graph(graph) => {
            items.iter().map(|item| graph.evidence(view, item).into_iter().map(|share| 4.0 * share).collect()).collect()
        }
        Fitted::Gazetteer(gazetteer) => {
            let logs = |item: &Item| {
                let found = gazetteer.probabilities(view, item);
                centred(found.into_iter().map(|p| (p + 0.05).ln()).collect())
            };
            items.iter().map(logs).collect()
        }
    }
}

/// Mean vectors of each item's posts, component after component, then of the profile location; zero where missing.
fn vectors(view: &View, items: &[Item]) -> Sparse {
    let dim = view.dim();
    let blocks = view.components.len() + usize::from(view.author());
    let mut rows = Sparse::new(dim * blocks);
    for item in items {
        let mut row = vec![0.0f32; dim * blocks];
        for (block, mean) in row.chunks_exact_mut(dim).enumerate() {
            let of = |&post: &usize| match view.components.get(block) {
                Some(&component) => view.vector(post, component),
                None => view.profile(post),
            };
            let found: Vec<&[f32]> = item.posts.iter().filter_map(of).collect();
            for vector in &found {
                mean.iter_mut().zip(*vector).for_each(|(m, v)| *m += v / found.len() as f32);
            }
        }
        // Unit vectors of many dimensions have small entries; the penalty should not depend on how many.
        let scale = (dim as f32).sqrt();
        rows.push(row.iter().enumerate().filter(|(_, v)| **v != 0.0).map(|(i, v)| (i as u32, v * scale)));
    }
    rows
}

fn beside(answers: &[Vec<f64>]) -> Sparse {
    let mut rows = Sparse::new(answers.first().map_or(0, Vec::len));
    answers.iter().for_each(|row| rows.push(row.iter().enumerate().map(|(i, &v)| (i as u32, v as f32))));
    rows
}
