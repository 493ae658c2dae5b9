//! The task's face: measures the methods side by side, fits one, applies it to new posts.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::baseline::reading;
use super::items::Item;
use super::largest;
use super::methods::{Learned, METHODS, Settings};
use super::ours::Training;
use super::problem::Problem;
use crate::component::Component;
use crate::embed::model_id;
use crate::error::Result;
use crate::metrics::Confusion;
use crate::metrics::geo::{NEAR, kilometres, median};
use crate::posts::{Corpus, Point, Post};
use crate::progress::Progress;
use crate::tasks::predictions::Answer;
use crate::tasks::saved::{Header, Saved};
use crate::tasks::{Line, Measure, Method, Options, Prediction, Predictions, Task, TaskReport, Unit};
use crate::train::ModelFolder;

/// Location prediction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Location;

/// Answers in a prediction's list.
const ALTERNATIVES: usize = 5;

/// What `fit` writes.
#[derive(Serialize, Deserialize)]
struct Fitted {
    unit: Unit,
    author: bool,
    components: Vec<Component>,
    class_names: Vec<String>,
    learned: Learned,
}

impl Task for Location {
    fn name(&self) -> &'static str {
        "location"
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
        let (methods, settings) = (options.methods_of(self)?, Settings::read(options)?);
        let problem = Problem::read(corpus, model, options, Some(options.part), progress)?;
        let views: Vec<bool> = match options.setting("author", String::new())?.as_str() {
            "" => vec![false, true],
            _ => vec![options.setting("author", true)?],
        };
        let mut lines: Vec<Line> = Vec::new();
        for &author in &views {
            for &method in &methods {
                // Nothing of the author would be read.
                if method.name == "gazetteer" && !author {
                    continue;
                }
                let line = match same_without_author(&lines, method, author, &problem) {
                    Some(line) => line,
                    None => measure(method, author, &problem, &settings, options, progress)?,
                };
                lines.push(Line { group: group(problem.unit, author), ..line });
            }
        }
        let mut facts = problem.facts.clone();
        let names: Vec<&str> = problem.components().iter().map(|c| c.name()).collect();
        facts.push(("components".into(), names.join(", ")));
        if methods.iter().any(|method| method.name == "deepgeo") {
            facts.push(("Deepgeo's inputs in training".into(), reading::inputs(&posts(&problem, &problem.train))));
        }
        Ok(TaskReport::new(self.name(), corpus, model, options, problem.unit, facts, lines))
    }

    fn fit(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        method: Method,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Saved> {
        let settings = Settings::read(options)?;
        let author = options.setting("author", true)?;
        let problem = Problem::read(corpus, model, options, None, progress)?;
        let class_names = problem.class_names[..problem.classes].to_vec();
        let training =
            Training { items: &problem.train, others: &problem.others, class_names: &class_names, unit: problem.unit };
        let (learned, _) = Learned::fit(method, &problem.view(author), &training, &problem.held, &settings, progress)?;
        let header = Header {
            task: self.name().into(),
            method: method.name.into(),
            model: model_id(model),
            corpus: corpus.manifest().name.clone(),
            synthetic: corpus.manifest().synthetic,
            items: problem.train.len(),
            seed: options.seed,
            ..Header::default()
        };
        let components = problem.components().to_vec();
        Saved::pack(header, &Fitted { unit: problem.unit, author, components, class_names, learned })
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
        let problem = Problem::unlabelled(corpus, model, options, &fitted.components, fitted.unit, progress)?;
        let found = fitted.learned.probabilities(&problem.view(fitted.author), &problem.measured)?;
        let rows = problem.measured.iter().zip(found).map(|(item, found)| {
            let name = |class: usize| fitted.class_names[class].clone();
            let mut answers: Vec<Answer> =
                found.iter().enumerate().map(|(class, &score)| Answer { name: name(class), score }).collect();
            answers.sort_by(|a, b| b.score.total_cmp(&a.score));
            answers.truncate(ALTERNATIVES);
            let status = if problem.usable(item) { "predicted" } else { "fallback" };
            Prediction { id: item.id.clone(), status, alternatives: answers }
        });
        let (task, method) = (self.name().into(), saved.header.method.clone());
        Ok(Predictions { task, method, unit: fitted.unit, rows: rows.collect() })
    }
}

fn group(unit: Unit, author: bool) -> String {
    format!("per {unit}, {}", if author { "text and author" } else { "text only" })
}

fn posts<'a>(problem: &'a Problem, items: &[Item]) -> Vec<&'a Post> {
    let all = problem.posts();
    items.iter().flat_map(|item| item.posts.iter().map(|&post| &all[post])).collect()
}

/// Deepgeo reads nothing but the text where profiles are empty: the line of the text alone, again.
fn same_without_author(lines: &[Line], method: Method, author: bool, problem: &Problem) -> Option<Line> {
    let all = [&problem.train, &problem.measured, &problem.held];
    let some = all.iter().any(|items| posts(problem, items).into_iter().any(reading::has_profile));
    if method.name != "deepgeo" || !author || some {
        return None;
    }
    let mut line = lines.iter().find(|line| line.method == "deepgeo")?.clone();
    line.remark += "; no post has an input of the author's that Deepgeo reads, so this is the figure of the text alone";
    Some(line)
}

fn measure(
    method: Method,
    author: bool,
    problem: &Problem,
    settings: &Settings,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Line> {
    progress.note(&format!("location: {}, {}", method.name, group(problem.unit, author)));
    let start = Instant::now();
    let view = problem.view(author);
    let class_names = &problem.class_names[..problem.classes];
    let training = Training { items: &problem.train, others: &problem.others, class_names, unit: problem.unit };
    let (learned, told) = Learned::fit(method, &view, &training, &problem.held, settings, progress)?;
    let found = learned.probabilities(&view, &problem.measured)?;
    let answers: Vec<usize> = found.iter().map(|row| largest(row)).collect();
    Ok(Line {
        group: String::new(),
        method: method.name.into(),
        role: method.role,
        items: problem.measured.len(),
        figures: figures(problem, &answers, options),
        curve: told.curve,
        remark: told.remark,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Accuracy and macro-F1; where measured items and classes have coordinates, the share within 161 km and the median distance
/// between an item and the middle of the class it was given.
fn figures(problem: &Problem, answers: &[usize], options: &Options) -> Vec<Measure> {
    let truths: Vec<usize> = problem.measured.iter().map(|item| item.class).collect();
    let classes = problem.class_names.len();
    let f = Confusion::of(&truths, answers, classes).figures();
    let i = options.bootstrap.classification(&truths, answers, classes);
    let mut figures = vec![
        Measure::new("accuracy", f.accuracy, Some(i.accuracy)),
        Measure::new("macro-F1", f.macro_f1, Some(i.macro_f1)),
    ];
    let distance = |(item, &answer): (&Item, &usize)| -> Option<f64> {
        let (truth, guess): (Point, Point) = (problem.point(item)?, problem.centres[answer]?);
        Some(kilometres(truth, guess))
    };
    let distances: Vec<f64> = problem.measured.iter().zip(answers).filter_map(distance).collect();
    if let Some(middle) = median(&distances) {
        let near: Vec<bool> = distances.iter().map(|&d| d <= NEAR).collect();
        let share = near.iter().filter(|n| **n).count() as f64 / near.len() as f64;
        figures.push(Measure::new("within 161 km", share, Some(options.bootstrap.share(&near))));
        figures.push(Measure::new("median km", middle, None).lower_is_better());
    }
    figures
}
