//! The protocol: which posts ask, what counts as right, the figures of each method.

use std::time::Instant;

use super::baseline::settings;
use super::cases::{Candidates, Case};
use super::components;
use super::learned::{self, Setting, Training};
use super::trivial::{Lists, filled};
use crate::component::Component;
use crate::embed::Embeddings;
use crate::error::{Error, Result};
use crate::metrics::tags::{Hits, MOST};
use crate::metrics::{Interval, TagSummary};
use crate::posts::{Corpus, Part};
use crate::progress::Progress;
use crate::tasks::{Labels, Line, Measure, Method, Options, Role, TaskReport, Unit, inputs};
use crate::train::ModelFolder;

/// Posts with a tag, by part.
pub struct Cases {
    /// Learned from.
    pub train: Vec<Case>,
    /// Chosen on.
    pub dev: Vec<Case>,
    /// Of the part that is measured.
    pub asking: Vec<Case>,
}

impl Cases {
    /// Reads the corpus and takes the tags out of its posts.
    ///
    /// # Errors
    /// If the corpus is empty, a setting is unknown, or no label has the value of `authors`.
    pub fn read(corpus: &Corpus, options: &Options) -> Result<Cases> {
        let known: Vec<&str> = std::iter::once("authors").chain(settings::NAMES).collect();
        options.check_settings(&known)?;
        let (mut posts, mut parts) = inputs::read(corpus, options.source.as_deref())?;
        let only: String = options.setting("authors", String::new())?;
        if !only.is_empty() {
            let labels = Labels::read(corpus, &posts, options.label.as_deref())?;
            let Some(value) = labels.values.iter().position(|value| *value == only) else {
                let what = format!("the label `{}` never says `{only}`", labels.name);
                return Err(Error::config(what).help(format!("it says {}", labels.values.join(", "))));
            };
            let keep: Vec<bool> = posts.iter().map(|post| labels.of(post) == Some(value)).collect();
            let mut at = keep.iter();
            posts.retain(|_| at.next() == Some(&true));
            let mut at = keep.iter();
            parts.retain(|_| at.next() == Some(&true));
        }
        let of = |part: Part| -> Vec<Case> {
            let of_part = posts.iter().zip(&parts).filter(|(_, p)| **p == Some(part));
            of_part.filter_map(|(post, _)| Case::of(post)).collect()
        };
        Ok(Cases { train: of(Part::Train), dev: of(Part::Dev), asking: of(options.part) })
    }

    /// The tags that may be recommended.
    ///
    /// # Errors
    /// If no training post has a tag.
    pub fn candidates(&self, corpus: &Corpus) -> Result<Candidates> {
        let candidates = Candidates::of(&self.train);
        if candidates.is_empty() {
            return Err(Error::input("no post of the training part has a hashtag").at(corpus.root()).help(
                "tags are learned from the training part: make parts with `quintet split`, or choose another corpus or source",
            ));
        }
        Ok(candidates)
    }

    /// What methods may learn from.
    pub fn training<'a>(&'a self, candidates: &'a Candidates) -> Training<'a> {
        Training { cases: &self.train, dev: &self.dev, candidates }
    }
}

/// Fits the methods on the training part and measures them on `options.part`.
///
/// # Errors
/// If a part has no post with a tag, the model lacks what a method needs, or the person stops the work.
pub fn evaluate(
    corpus: &Corpus,
    model: &ModelFolder,
    options: &Options,
    methods: &[Method],
    progress: &dyn Progress,
) -> Result<TaskReport> {
    let components = components(model, options)?;
    let setting = Setting { corpus, model, components: &components, kept: true, options, progress };
    let cases = Cases::read(corpus, options)?;
    let candidates = cases.candidates(corpus)?;
    if cases.asking.is_empty() {
        return Err(Error::input(format!("no post of the {} part has a hashtag", options.part))
            .at(corpus.root())
            .help("choose another part with --part, or make parts with `quintet split`"));
    }
    let mut vectors = None;
    let mut lines = Vec::new();
    for &method in methods {
        if progress.interrupted() {
            return Err(Error::interrupted("stopped while evaluating; nothing to resume"));
        }
        let Some(reads) = says_something(method, &cases.asking) else { continue };
        let clock = Instant::now();
        let (learned, history) = learned::fit(setting, method, &cases.training(&candidates))?;
        if learned.needs_vectors() && vectors.is_none() {
            vectors = Some(usable(setting.vectors(&cases.asking, Some(options.part))?, &components)?);
        }
        let lists = learned.recommend(setting, &cases.asking, vectors.as_ref())?;
        let hits = judge(&lists, &cases.asking, &candidates);
        let seconds = clock.elapsed().as_secs_f64();
        let silent = lists.iter().filter(|list| list.is_empty()).count();
        let mut remark = history.remark;
        if silent > 0 {
            let note = format!("{silent} posts {reads} got the most frequent tags");
            remark = if remark.is_empty() { note } else { format!("{remark}; {note}") };
        }
        let summary = TagSummary::of(&hits);
        // The same draws for every method: intervals of two methods move together.
        let resamples = options.bootstrap.tag_summaries(&hits, 0);
        lines.extend(lines_of(method.name, method.role, hits.len(), &summary, &resamples).into_iter().enumerate().map(
            |(group, mut line)| {
                line.seconds = seconds;
                if group == 0 {
                    (line.remark, line.curve) = (remark.clone(), history.curve.clone());
                }
                line
            },
        ));
    }
    let known: Vec<(usize, usize)> = cases
        .asking
        .iter()
        .map(|case| (case.tags.iter().filter(|t| candidates.position(t).is_some()).count(), case.tags.len()))
        .collect();
    let chance = TagSummary::chance(&known, candidates.len());
    lines.extend(lines_of("chance", Role::Trivial, known.len(), &chance, &[]));
    // One table a kind of figure, the methods in their order in each.
    let groups: Vec<String> = GROUPS.iter().map(|(name, _)| (*name).to_string()).collect();
    lines.sort_by_key(|line| groups.iter().position(|group| *group == line.group));
    let facts = facts(&cases, &candidates, &known, &components);
    Ok(TaskReport::new("hashtags", corpus, model, options, Unit::Post, facts, lines))
}

/// Why a method may stay silent on a post; `None` if it can say nothing about any: then it is left out.
fn says_something(method: Method, asking: &[Case]) -> Option<&'static str> {
    match method.name {
        "same-author" => {
            asking.iter().any(|case| case.author().is_some()).then_some("of authors without training posts")
        }
        "same-place" => {
            asking.iter().any(|case| case.place().is_some()).then_some("without a place known from training")
        }
        "text-neighbours" => Some("without a known word"),
        _ => Some("with nothing to go by"),
    }
}

/// Vectors of which at least one exists.
fn usable(vectors: Embeddings, components: &[Component]) -> Result<Embeddings> {
    if components.iter().all(|&c| vectors.vectors[c].is_empty()) {
        let names: Vec<&str> = components.iter().map(|c| c.name()).collect();
        return Err(Error::input(format!("no post that asks has a component the model can use: {}", names.join(", ")))
            .help("choose other components with --component, or a model trained with those the posts have"));
    }
    Ok(vectors)
}

/// Each list, filled with the most frequent tags, against the post's tags.
fn judge(lists: &Lists, asking: &[Case], candidates: &Candidates) -> Vec<Hits> {
    let truth = candidates.of_cases(asking);
    let of = |(post, list): (usize, &Vec<(u32, f32)>)| {
        let tags = filled(list.iter().map(|(tag, _)| *tag), candidates);
        Hits::of(&tags, truth.get(post), asking[post].tags.len())
    };
    lists.iter().enumerate().map(of).collect()
}

type Pick = fn(&TagSummary) -> [f64; MOST];

/// Tables and their figures. The first is what methods are compared by.
const GROUPS: [(&str, &[(&str, Pick)]); 4] = [
    ("", &[("F1", |s| s.f1)]),
    ("precision and recall", &[("P", |s| s.precision), ("R", |s| s.recall)]),
    ("F1 of mean precision and recall", &[("F1 of means", |s| s.f1_of_means)]),
    ("posts with a hit", &[("hit", |s| s.hit)]),
];

/// The figures of a method, a line a table.
fn lines_of(name: &str, role: Role, items: usize, summary: &TagSummary, resamples: &[TagSummary]) -> Vec<Line> {
    let figures = |picks: &[(&str, Pick)]| {
        let of = |(name, pick): &(&str, Pick)| -> Vec<Measure> {
            (0..MOST)
                .map(|at| {
                    let mut values: Vec<f64> = resamples.iter().map(|s| pick(s)[at]).collect();
                    let interval = (!values.is_empty()).then(|| Interval::of(&mut values));
                    Measure::new(format!("{name}@{}", at + 1), pick(summary)[at], interval)
                })
                .collect()
        };
        picks.iter().flat_map(of).collect()
    };
    GROUPS
        .iter()
        .map(|(group, picks)| Line {
            group: (*group).into(),
            method: name.into(),
            role,
            items,
            figures: figures(picks),
            curve: Vec::new(),
            remark: String::new(),
            seconds: 0.0,
        })
        .collect()
}

fn facts(
    cases: &Cases,
    candidates: &Candidates,
    known: &[(usize, usize)],
    components: &[Component],
) -> Vec<(String, String)> {
    let (seen, all): (usize, usize) = known.iter().fold((0, 0), |(a, b), (k, n)| (a + k, b + n));
    let reachable = known.iter().filter(|(k, _)| *k > 0).count();
    let names: Vec<&str> = components.iter().map(|c| c.name()).collect();
    let share = |a: usize, b: usize| format!("{:.1} %", 100.0 * a as f64 / b.max(1) as f64);
    vec![
        ("training posts with a tag".into(), cases.train.len().to_string()),
        ("candidates (tags of the training part)".into(), candidates.len().to_string()),
        ("posts that ask".into(), known.len().to_string()),
        ("their tags".into(), format!("{all}, of which {seen} ({}) are candidates", share(seen, all))),
        ("posts with a candidate among their tags".into(), format!("{reachable} ({})", share(reachable, known.len()))),
        ("components".into(), names.join(", ")),
    ]
}
