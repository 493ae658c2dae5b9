//! Ours: members that each look at one kind of evidence, pooled with one weight each ([`crate::tasks::pool`]) that was fitted to their
//! answers on authors they were not fitted on. What a member says is free of the classes' shares; those are a member of their own
//! where authors are located.

use std::collections::HashMap;

use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::complement::Complement;
use super::graph::Graph;
use super::items::{Item, View, document, words};
use super::linear::Linear;
use super::trivial::{Gazetteer, prior};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tasks::Unit;
use crate::tasks::ngrams::NgramSettings;
use crate::tasks::pool::{Evidence, Pool};
use crate::tasks::sparse::Sparse;

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Member {
    /// Complement naive Bayes over words.
    Words,
    /// Complement naive Bayes over runs of characters.
    Characters,
    /// Logistic regression over the mean joint vectors of the components, profile location included.
    Vectors,
    /// Who mentions whom; needs the author.
    Graph,
    /// The names of places in the profile location; needs the author.
    Profile,
    /// Complement naive Bayes over all that the author wrote in the corpus; needs the author, and is for posts only.
    Author,
    /// The classes' shares in training; for authors only: the shares of posts are those of whoever posts most.
    Shares,
}

impl Member {
    /// Every member.
    pub const ALL: [Member; 7] = [
        Member::Words,
        Member::Characters,
        Member::Vectors,
        Member::Graph,
        Member::Profile,
        Member::Author,
        Member::Shares,
    ];

    /// As in settings.
    pub fn name(self) -> &'static str {
        match self {
            Member::Words => "words",
            Member::Characters => "characters",
            Member::Vectors => "vectors",
            Member::Graph => "graph",
            Member::Profile => "profile",
            Member::Author => "author",
            Member::Shares => "shares",
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

    fn fits(self, view: &View, unit: Unit) -> bool {
        match self {
            Member::Graph | Member::Profile => view.author(),
            Member::Author => view.author() && unit == Unit::Post,
            Member::Shares => unit == Unit::Author,
            _ => true,
        }
    }
}

/// Settings of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The members; those that need the author are left out where it may not be seen, those for another unit always.
    pub members: Vec<Member>,
    /// Weight of the losses in the regression over vectors.
    pub vector_cost: f64,
    /// Penalty on the weights that pool the members.
    pub penalty: f64,
    /// Folds for the members' answers on items they have not seen; authors stay whole.
    pub folds: usize,
    /// Seed of the folds.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { members: Member::ALL.to_vec(), vector_cost: 0.001, penalty: 0.3, folds: 5, seed: 1 }
    }
}

/// What a member has learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Fitted {
    Complement(Complement),
    Vectors(Linear),
    Graph(Graph),
    Profile(Gazetteer),
    Author(Complement, Complement),
    Shares(Vec<f64>),
}

/// The fitted members and their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ours {
    members: Vec<Member>,
    fitted: Vec<Fitted>,
    /// What each member says of each class on average, `[members][classes]`: no evidence for the class.
    usual: Vec<Vec<f64>>,
    pool: Pool,
}

/// What fitting needs besides the view.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// Items to learn from.
    pub items: &'a [Item],
    /// Items without a class, for the graph.
    pub others: &'a [Item],
    /// Names of the classes.
    pub class_names: &'a [String],
    /// What the items are.
    pub unit: Unit,
}

impl Ours {
    /// Fits members and their weights.
    ///
    /// # Errors
    /// If no member is left, or the person stops the work.
    pub fn fit(view: &View, training: &Training, settings: &Settings, progress: &dyn Progress) -> Result<Ours> {
        let items = training.items;
        let members: Vec<Member> =
            settings.members.iter().copied().filter(|member| member.fits(view, training.unit)).collect();
        if members.is_empty() {
            return Err(Error::config("ours has no member left").help("give some with --set members=words+vectors"));
        }
        let folds = folds(items, training.class_names.len(), settings);
        let task = progress.task("ours", Some((members.len() * (settings.folds + 1)) as u64), "fits");
        let written = Written::of(view, &members, items);
        let fit = |chosen: &[usize]| -> Result<Vec<Fitted>> {
            let some: Vec<Item> = chosen.iter().map(|&i| items[i].clone()).collect();
            let training = Training { items: &some, ..*training };
            let one = |&member: &Member| {
                if progress.interrupted() {
                    return Err(Error::interrupted("stopped while ours was fitted"));
                }
                task.advance(1);
                fit_member(member, view, &training, &written.some(chosen), settings)
            };
            members.iter().map(one).collect()
        };
        let (mut rows, mut classes, mut groups): (Vec<Evidence>, Vec<usize>, Vec<&str>) = Default::default();
        for fold in 0..settings.folds {
            let others: Vec<usize> = (0..items.len()).filter(|&i| folds[i] != fold).collect();
            // Of a class that only these authors have nothing is known without them.
            let taught = |class: usize| others.iter().any(|&i| items[i].class == class);
            let held: Vec<usize> = (0..items.len()).filter(|&i| folds[i] == fold && taught(items[i].class)).collect();
            if held.is_empty() || others.is_empty() {
                continue;
            }
            let fitted = fit(&others)?;
            let some: Vec<Item> = held.iter().map(|&i| items[i].clone()).collect();
            rows.extend(evidence(&fitted, view, &some, &written.some(&held)));
            classes.extend(some.iter().map(|item| item.class));
            groups.extend(held.iter().map(|&i| items[i].group.as_deref().unwrap_or(&items[i].id)));
        }
        // An author teaches once, however much they write.
        let mut sizes: HashMap<&str, usize> = HashMap::new();
        groups.iter().for_each(|&group| *sizes.entry(group).or_default() += 1);
        let importance: Vec<f64> = groups.iter().map(|&group| 1.0 / sizes[group] as f64).collect();
        let usual = usual(&members, &rows, &classes, &importance, training.class_names.len());
        rows.iter_mut().for_each(|row| subtract(row, &usual));
        let pool = Pool::fit(&rows, &classes, &importance, settings.penalty);
        Ok(Ours { fitted: fit(&(0..items.len()).collect::<Vec<_>>())?, members, usual, pool })
    }

    /// Probabilities of the classes for each item.
    pub fn probabilities(&self, view: &View, items: &[Item]) -> Vec<Vec<f64>> {
        let written = Written::of(view, &self.members, items);
        let mut rows = evidence(&self.fitted, view, items, &written);
        rows.iter_mut().for_each(|row| subtract(row, &self.usual));
        rows.iter().map(|row| self.pool.probabilities(row)).collect()
    }

    /// What each member weighs, in words.
    pub fn weights(&self) -> String {
        let weights = self.members.iter().zip(&self.pool.weights);
        let weights: Vec<String> = weights.map(|(member, weight)| format!("{} {weight:.2}", member.name())).collect();
        format!("weights of the members: {}", weights.join(", "))
    }
}

/// The mean of what members say on items they were not fitted on, every class as heavy as the others: members that were fitted
/// on many items of a class lean towards it.
fn usual(members: &[Member], rows: &[Evidence], classes: &[usize], importance: &[f64], count: usize) -> Vec<Vec<f64>> {
    let mut mass = vec![0.0; count];
    classes.iter().zip(importance).for_each(|(&class, weight)| mass[class] += weight);
    let known = mass.iter().filter(|mass| **mass > 0.0).count().max(1) as f64;
    let mut usual = vec![vec![0.0; count]; members.len()];
    for ((row, &class), weight) in rows.iter().zip(classes).zip(importance) {
        let share = weight / mass[class] / known;
        for ((usual, evidence), member) in usual.iter_mut().zip(row).zip(members) {
            if *member != Member::Shares {
                usual.iter_mut().zip(evidence).for_each(|(u, e)| *u += share * e);
            }
        }
    }
    usual
}

fn subtract(row: &mut Evidence, usual: &[Vec<f64>]) {
    for (evidence, usual) in row.iter_mut().zip(usual) {
        evidence.iter_mut().zip(usual).for_each(|(e, u)| *e -= u);
    }
}

/// What items say, and what all posts of their authors say.
struct Written {
    items: Vec<String>,
    /// For each item a position in `authors`, if [`Member::Author`] asks.
    author_of: Vec<usize>,
    authors: Vec<String>,
}

impl Written {
    fn of(view: &View, members: &[Member], items: &[Item]) -> Written {
        let documents = items.iter().map(|item| document(view, item)).collect();
        let mut written = Written { items: documents, author_of: Vec::new(), authors: Vec::new() };
        if !members.contains(&Member::Author) {
            return written;
        }
        let mut posts: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, post) in view.posts.iter().enumerate() {
            if let Some(author) = &post.author {
                posts.entry(&author.id).or_default().push(i);
            }
        }
        let mut known: HashMap<&str, usize> = HashMap::new();
        for item in items {
            let own = item.group.as_deref().unwrap_or(&item.id);
            let at = *known.entry(own).or_insert_with(|| {
                let posts = posts.get(own).unwrap_or(&item.posts);
                let texts: Vec<String> = posts.iter().map(|&post| words(&view.posts[post].text)).collect();
                written.authors.push(texts.join(" "));
                written.authors.len() - 1
            });
            written.author_of.push(at);
        }
        written
    }

    fn some(&self, chosen: &[usize]) -> Written {
        let mut authors: Vec<usize> = chosen.iter().filter_map(|&i| self.author_of.get(i).copied()).collect();
        authors.sort_unstable();
        authors.dedup();
        let author_of = chosen.iter().filter_map(|&i| authors.binary_search(self.author_of.get(i)?).ok()).collect();
        Written {
            items: chosen.iter().map(|&i| self.items[i].clone()).collect(),
            author_of,
            authors: authors.iter().map(|&a| self.authors[a].clone()).collect(),
        }
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

fn ngrams(characters: [usize; 2], words: [usize; 2]) -> NgramSettings {
    NgramSettings { characters, words, least: 2, most: 0, lower_case: false, counts: false }
}

/// Longest runs of characters that are counted, from two on.
const RUNS: [usize; 2] = [2, 5];

fn fit_member(
    member: Member,
    view: &View,
    training: &Training,
    written: &Written,
    settings: &Settings,
) -> Result<Fitted> {
    let (items, classes) = (training.items, training.class_names.len());
    let of: Vec<usize> = items.iter().map(|item| item.class).collect();
    let complement = |characters, words| Complement::fit(&written.items, &of, classes, &ngrams(characters, words));
    Ok(match member {
        Member::Words => Fitted::Complement(complement([0, 0], [1, 1])),
        Member::Characters => Fitted::Complement(complement(RUNS, [0, 0])),
        Member::Author => Fitted::Author(complement([0, 0], [1, 1]), complement(RUNS, [0, 0])),
        Member::Vectors => Fitted::Vectors(Linear::fit(&vectors(view, items), &of, classes, settings.vector_cost)?),
        Member::Graph => Fitted::Graph(Graph::fit(view, items, training.others, classes)),
        Member::Profile => Fitted::Profile(Gazetteer::fit(view, items, training.class_names)),
        Member::Shares => Fitted::Shares(centred(prior(items, classes).into_iter().map(f64::ln).collect())),
    })
}

/// What every member says of every class for each item; each sums to zero over the classes.
fn evidence(fitted: &[Fitted], view: &View, items: &[Item], written: &Written) -> Vec<Evidence> {
    let mut rows = vec![Evidence::new(); items.len()];
    for member in fitted {
        let found = answer(member, view, items, written);
        rows.iter_mut().zip(found).for_each(|(row, found)| row.push(found));
    }
    rows
}

fn centred(mut scores: Vec<f64>) -> Vec<f64> {
    let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    scores.iter_mut().for_each(|score| *score -= mean);
    scores
}

fn answer(fitted: &Fitted, view: &View, items: &[Item], written: &Written) -> Vec<Vec<f64>> {
    match fitted {
        Fitted::Complement(complement) => complement.evidence(&written.items),
        Fitted::Vectors(linear) => linear.evidence(&vectors(view, items)).into_iter().map(centred).collect(),
        Fitted::Graph(graph) => items.iter().map(|item| centred(graph.evidence(view, item))).collect(),
        Fitted::Profile(gazetteer) => items.iter().map(|item| centred(gazetteer.evidence(view, item))).collect(),
        Fitted::Author(words, characters) => {
            let (words, characters) = (words.evidence(&written.authors), characters.evidence(&written.authors));
            let both = |&at: &usize| words[at].iter().zip(&characters[at]).map(|(w, c)| (w + c) / 2.0).collect();
            written.author_of.iter().map(both).collect()
        }
        Fitted::Shares(shares) => vec![shares.clone(); items.len()],
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
