//! The task's face: measures the methods side by side, fits one, applies it to new posts.

use std::collections::HashSet;
use std::time::Instant;

use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::baseline::botometer_lite::{Bigrams, handles};
use super::methods::{Learned, METHODS, Settings};
use super::units::{Evidence, Item, group};
use crate::component::Component;
use crate::embed::model_id;
use crate::error::{Error, Result};
use crate::metrics::Binary;
use crate::posts::{Corpus, Part, Post};
use crate::progress::Progress;
use crate::tasks::predictions::Answer;
use crate::tasks::saved::{Header, Saved};
use crate::tasks::{
    Inputs, Labels, Line, Measure, Method, Options, Prediction, Predictions, Task, TaskReport, Unit, inputs,
};
use crate::train::ModelFolder;

/// Bot detection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bots;

/// What `fit` writes.
#[derive(Serialize, Deserialize)]
struct Fitted {
    unit: Unit,
    components: Vec<Component>,
    positive: String,
    negative: String,
    bigrams: Bigrams,
    learned: Learned,
}

/// Labelled posts, ready for the methods.
struct Prepared {
    inputs: Inputs,
    bigrams: Bigrams,
    train: Vec<Item>,
    measured: Vec<Item>,
    unit: Unit,
    components: Vec<Component>,
    classes: Classes,
    facts: Vec<(String, String)>,
}

impl Task for Bots {
    fn name(&self) -> &'static str {
        "bots"
    }

    fn methods(&self) -> &'static [Method] {
        &METHODS
    }

    fn evaluate(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<TaskReport> {
        let methods = options.methods_of(self)?;
        let p = prepare(corpus, model, options, Some(options.part), progress)?;
        let settings = Settings::read(options, p.unit)?;
        let train = Evidence::new(&p.inputs, p.train, &p.bigrams);
        let measured = Evidence::new(&p.inputs, p.measured, &p.bigrams);
        let mut facts = p.facts;
        let names: Vec<&str> = p.components.iter().map(|c| c.name()).collect();
        facts.push(("components".into(), names.join(", ")));
        let without = format!("{} training, {} measured", train.without_vectors(), measured.without_vectors());
        facts.push((format!("{}s without a joint vector", p.unit), without));
        let mut lines = Vec::new();
        for method in methods {
            progress.note(&format!("bots: {}", method.name));
            let start = Instant::now();
            let (learned, told) = Learned::fit(method, &train, &settings, progress)?;
            let scores = learned.scores(&measured)?;
            lines.push(Line {
                group: if p.unit == Unit::Post { "per post, without the author".into() } else { "per author".into() },
                method: method.name.into(),
                role: method.role,
                items: measured.len(),
                figures: figures(&scores, &measured.items, options),
                curve: told.curve,
                remark: told.remark,
                seconds: start.elapsed().as_secs_f64(),
            });
        }
        Ok(TaskReport::new(self.name(), corpus, model, options, p.unit, facts, lines))
    }

    fn fit(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        method: Method,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Saved> {
        let p = prepare(corpus, model, options, None, progress)?;
        let settings = Settings::read(options, p.unit)?;
        let train = Evidence::new(&p.inputs, p.train, &p.bigrams);
        let (learned, _) = Learned::fit(method, &train, &settings, progress)?;
        let header = Header {
            task: self.name().into(),
            method: method.name.into(),
            model: model_id(model),
            corpus: corpus.manifest().name.clone(),
            synthetic: corpus.manifest().synthetic,
            items: train.len(),
            seed: options.seed,
            ..Header::default()
        };
        let (unit, components, bigrams) = (p.unit, p.components, p.bigrams.clone());
        let Classes { positive, negative, .. } = p.classes;
        Saved::pack(header, &Fitted { unit, components, positive, negative, bigrams, learned })
    }

    fn predict(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        saved: &Saved,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Predictions> {
        saved.check(self.name(), model)?;
        let fitted: Fitted = saved.unpack()?;
        let (mut posts, parts) = inputs::read(corpus, options.source.as_deref())?;
        let items = group(&posts, fitted.unit);
        if fitted.unit == Unit::Post {
            forget_authors(&mut posts);
        }
        let inputs = Inputs::embed(corpus, model, posts, parts, &fitted.components, progress)?;
        let items = Evidence::new(&inputs, items, &fitted.bigrams);
        let rows = fitted.learned.scores(&items)?.into_iter().enumerate().map(|(i, score)| {
            let texts = items.items[i].posts.iter().any(|&p| !inputs.posts[p].text.trim().is_empty());
            let answer = |name: &String, score| Answer { name: name.clone(), score };
            let mut alternatives = vec![answer(&fitted.positive, score), answer(&fitted.negative, 1.0 - score)];
            if score < 0.5 {
                alternatives.reverse();
            }
            let status = if texts || !items.latest(i, 1).is_empty() { "predicted" } else { "fallback" };
            Prediction { id: items.items[i].id.clone(), status, alternatives }
        });
        let (task, method) = (self.name().into(), saved.header.method.clone());
        Ok(Predictions { task, method, unit: fitted.unit, rows: rows.collect() })
    }
}

/// Takes away who wrote the posts.
fn forget_authors(posts: &mut [Post]) {
    posts.iter_mut().for_each(|post| post.author = None);
}

/// Reads, labels and embeds what a fit needs: the training part and, to be `measured`, another part.
fn prepare(
    corpus: &Corpus,
    model: &ModelFolder,
    options: &Options,
    measured: Option<Part>,
    progress: &dyn Progress,
) -> Result<Prepared> {
    let asked = measured.is_some();
    let (mut posts, mut parts) = inputs::read(corpus, options.source.as_deref())?;
    let labels = labels(corpus, &posts, options.label.as_deref())?;
    let unit = options.unit.unwrap_or(labels.unit);
    if unit == Unit::Author && labels.unit == Unit::Post {
        return Err(Error::input(format!("the label `{}` is about posts, not authors", labels.name))
            .help("judge posts (--by post), or give labels with the column author_id"));
    }
    let settings = Settings::read(options, unit)?;
    let classes = Classes::of(&labels, &settings.positive)?;
    let kinds = Labels::read(corpus, &posts, Some(&settings.kind)).ok();
    let wanted = |post: &Post, part: Option<Part>| {
        labels.of(post).is_some() && (part == Some(Part::Train) || (part.is_some() && part == measured))
    };
    let keep: Vec<bool> = posts.iter().zip(&parts).map(|(post, part)| wanted(post, *part)).collect();
    retain(&mut posts, &keep);
    retain(&mut parts, &keep);
    let items = |part: Part| {
        let mut items = group(&posts, unit);
        items.iter_mut().for_each(|item| item.posts.retain(|&p| parts[p] == Some(part)));
        items.retain(|item| !item.posts.is_empty());
        for item in &mut items {
            let first = &posts[item.posts[0]];
            let value = labels.of(first);
            item.bot = value.is_some_and(|v| classes.bots[v]);
            let named = kinds.as_ref().and_then(|k| k.of(first).map(|v| k.values[v].clone()));
            item.kind = named.or_else(|| value.filter(|_| classes.kinds).map(|v| labels.values[v].clone()));
        }
        items
    };
    let (mut train, mut measured) = (items(Part::Train), measured.map_or(Vec::new(), items));
    let both = part_from(&mut train, &mut measured);
    check_classes(&train, unit, &classes.positive, corpus)?;
    if asked && measured.is_empty() {
        return Err(nothing_to_measure(corpus, options));
    }
    let hidden: &[Component] = if unit == Unit::Post { &[Component::User] } else { &[] };
    let components = inputs::components(model, &options.components, hidden)?;
    let bigrams =
        Bigrams::of(handles(posts.iter().zip(&parts).filter(|(_, part)| **part == Some(Part::Train)).map(|(p, _)| p)));
    if unit == Unit::Post {
        forget_authors(&mut posts);
    }
    let count = |items: &[Item]| {
        let bots = items.iter().filter(|i| i.bot).count();
        format!("{} ({bots} {}, {} {})", items.len(), classes.positive, items.len() - bots, classes.negative)
    };
    let mut facts = vec![(format!("training {unit}s"), count(&train)), (format!("measured {unit}s"), count(&measured))];
    if both > 0 {
        let fact = "a fifth of them is judged by their later posts, the others are learned from".to_string();
        facts.push((format!("{both} authors post in both parts"), fact));
    }
    if labels.unknown > 0 {
        facts.push(("labels of ids that are not here".into(), labels.unknown.to_string()));
    }
    let inputs = Inputs::embed(corpus, model, posts, parts, &components, progress)?;
    Ok(Prepared { inputs, bigrams, train, measured, unit, components, classes, facts })
}

/// The label asked for; of several, the one called `label`.
fn labels(corpus: &Corpus, posts: &[Post], name: Option<&str>) -> Result<Labels> {
    match (Labels::read(corpus, posts, name), name) {
        (Err(several), None) => Labels::read(corpus, posts, Some("label")).map_err(|_| several),
        (read, _) => read,
    }
}

/// What the values of a label mean.
struct Classes {
    positive: String,
    negative: String,
    /// Which values mean bot.
    bots: Vec<bool>,
    /// Whether the values that mean bot are kinds of bots.
    kinds: bool,
}

impl Classes {
    /// `positive` means bot, or, where it is empty, `bot`; a label that has no such value but `human` names kinds of bots.
    fn of(labels: &Labels, positive: &str) -> Result<Classes> {
        let has = |value: &str| labels.values.iter().any(|v| v == value);
        let wanted = if positive.is_empty() { "bot" } else { positive };
        if has(wanted) {
            let others: Vec<&String> = labels.values.iter().filter(|v| *v != wanted).collect();
            let negative = if let [one] = others[..] { one.clone() } else { format!("not {wanted}") };
            let bots = labels.values.iter().map(|v| v == wanted).collect();
            return Ok(Classes { positive: wanted.into(), negative, bots, kinds: false });
        }
        if positive.is_empty() && has("human") {
            let bots = labels.values.iter().map(|v| v != "human").collect();
            return Ok(Classes { positive: "bot".into(), negative: "human".into(), bots, kinds: true });
        }
        let what = format!("the label `{}` is never `{wanted}`", labels.name);
        let help =
            format!("its values are {}; say which means bot with --set positive=VALUE", labels.values.join(", "));
        Err(Error::input(what).help(help))
    }
}

/// Keeps the items at positions where `keep` says so.
fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(false));
}

/// Sees to it that no author is both learned from and judged, which a split by time does not: a fifth of those with posts in
/// both parts, by a hash of the id, is judged only, the others are learned from only. How many have posts in both.
fn part_from(train: &mut Vec<Item>, measured: &mut Vec<Item>) -> usize {
    let ids: HashSet<&String> = train.iter().map(|i| &i.id).collect();
    let both: HashSet<String> = measured.iter().filter(|i| ids.contains(&i.id)).map(|i| i.id.clone()).collect();
    let judged = |id: &str| Rng::new(0, &[label("judged"), label(id)]).index(5) == 0;
    train.retain(|i| !both.contains(&i.id) || !judged(&i.id));
    measured.retain(|i| !both.contains(&i.id) || judged(&i.id));
    both.len()
}

fn check_classes(train: &[Item], unit: Unit, positive: &str, corpus: &Corpus) -> Result<()> {
    let bots = train.iter().filter(|i| i.bot).count();
    if bots > 0 && bots < train.len() {
        return Ok(());
    }
    let what = match train.len() {
        0 => format!("no labelled {unit} is in the train part"),
        n if bots == 0 => format!("none of the {n} labelled {unit}s in the train part is `{positive}`"),
        n => format!("all {n} labelled {unit}s in the train part are `{positive}`"),
    };
    Err(Error::input(what).at(corpus.root()).help("both classes are needed to learn; divide with `quintet split`"))
}

fn nothing_to_measure(corpus: &Corpus, options: &Options) -> Error {
    let what = format!("no labelled post or author is in the {} part", options.part);
    Error::input(what).at(corpus.root()).help("make parts with `quintet split`, or measure another with --part")
}

/// The figures of `scores` at one half, and the recall of each named kind of bot.
fn figures(scores: &[f64], items: &[Item], options: &Options) -> Vec<Measure> {
    let truth: Vec<bool> = items.iter().map(|i| i.bot).collect();
    let b = Binary::of(scores, &truth, 0.5);
    let i = options.bootstrap.binary(scores, &truth, 0.5, 0);
    let mut figures = vec![
        Measure::new("accuracy", b.accuracy, Some(i.accuracy)),
        Measure::new("F1", b.f1, Some(i.f1)),
        Measure::new("AUC", b.auc, Some(i.auc)),
        Measure::new("balanced accuracy", b.balanced_accuracy, Some(i.balanced_accuracy)),
        Measure::new("MCC", b.mcc, Some(i.mcc)),
        Measure::new("precision", b.precision, None),
        Measure::new("recall", b.recall, None),
    ];
    let mut kinds: Vec<&String> = items.iter().filter(|i| i.bot).filter_map(|i| i.kind.as_ref()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of_kind = items.iter().zip(scores).filter(|(i, _)| i.bot && i.kind.as_ref() == Some(kind));
        let (found, all) = of_kind.fold((0.0, 0.0), |(f, a), (_, s)| (f + f64::from(u8::from(*s >= 0.5)), a + 1.0));
        figures.push(Measure::new(format!("recall of {kind}"), found / all, None));
    }
    figures
}
