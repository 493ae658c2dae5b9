//! What the joint model is for: retrieval, hashtags, bots, location.
//!
//! [`retrieval`] asks the vectors themselves. The other tasks fit something small on top of them and share one face, the
//! trait [`Task`]: `evaluate` measures every method of the task side by side, `fit` learns one method, `predict` applies it
//! to posts it has never seen. What they share stands here:
//!
//! - [`inputs`]: posts, parts, labels and joint vectors, from which every method starts;
//! - [`saved`]: the file that `fit` writes and `predict` reads;
//! - [`predictions`]: the table that `predict` writes, a row per post or author;
//! - [`report`]: figures of methods side by side, and several reports (seeds) in one table;
//! - [`linear`], [`sparse`], [`ngrams`]: logistic regression on n-grams.

pub mod bots;
pub mod hashtags;
pub mod inputs;
pub mod linear;
pub mod location;
pub mod ngrams;
pub mod pool;
pub mod predictions;
pub mod report;
pub mod retrieval;
pub mod saved;
pub mod sparse;

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::error::{Error, Result};
use crate::metrics::Bootstrap;
use crate::posts::{Corpus, Part};
use crate::progress::Progress;
use crate::train::ModelFolder;

pub use inputs::{Inputs, Labels, Unit};
pub use predictions::{Prediction, Predictions};
pub use report::{Line, Measure, Role, TaskReport};
pub use saved::Saved;

/// A method of a task: what it is called and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Name in options, files and tables, such as `co-attention`.
    pub name: &'static str,
    /// Whose it is.
    pub role: Role,
    /// One line for help and reports.
    pub about: &'static str,
}

/// How to evaluate, fit or predict. Every field has a sensible default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Part of the corpus that is measured; fitting always uses the training part.
    pub part: Part,
    /// Only posts imported from this source, for corpora that unite several.
    pub source: Option<String>,
    /// Methods to measure, in this order; empty: all of the task.
    pub methods: Vec<String>,
    /// Name of the label to predict; `None`: the one the corpus has, if it is one.
    pub label: Option<String>,
    /// What a prediction is about; `None`: what the label is about.
    pub unit: Option<Unit>,
    /// Components that methods may see; empty: all the model has, less those that would give the answer away.
    pub components: Vec<Component>,
    /// Settings of methods, `name=value`; each task documents its own.
    pub settings: Vec<(String, String)>,
    /// Seed of everything random in fitting.
    pub seed: u64,
    /// Resamples and seed of the intervals.
    pub bootstrap: Bootstrap,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            part: Part::Dev,
            source: None,
            methods: Vec::new(),
            label: None,
            unit: None,
            components: Vec::new(),
            settings: Vec::new(),
            seed: 1,
            bootstrap: Bootstrap::default(),
        }
    }
}

impl Options {
    /// The methods asked for, of those that `task` has.
    ///
    /// # Errors
    /// Names a method that the task does not have, and those it has.
    pub fn methods_of(&self, task: &dyn Task) -> Result<Vec<Method>> {
        if self.methods.is_empty() {
            return Ok(task.methods().to_vec());
        }
        self.methods.iter().map(|name| method(task, name)).collect()
    }

    /// The settings as `(name, value)`, checked against the names in `known`.
    ///
    /// # Errors
    /// Names a setting that is not in `known`, and those that are.
    pub fn check_settings(&self, known: &[&str]) -> Result<()> {
        match self.settings.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let names = if known.is_empty() { "this task has none".into() } else { known.join(", ") };
                Err(Error::config(format!("no setting is called `{name}`")).help(format!("settings: {names}")))
            }
        }
    }

    /// The last value given for setting `name`, or `default`.
    ///
    /// # Errors
    /// If the value does not parse.
    pub fn setting<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T> {
        match self.settings.iter().rev().find(|(n, _)| n == name) {
            None => Ok(default),
            Some((_, value)) => value.parse().map_err(|_| {
                Error::config(format!("`{value}` cannot be a value of `{name}`"))
                    .help("give a number or word of its kind")
            }),
        }
    }

    /// As [`Options::setting`], refusing what is below `least`.
    ///
    /// # Errors
    /// If the value does not parse or is too small.
    pub fn at_least(&self, name: &str, default: usize, least: usize) -> Result<usize> {
        match self.setting(name, default)? {
            value if value < least => {
                Err(Error::config(format!("`{name}` is {value}")).help(format!("give {least} or more")))
            }
            value => Ok(value),
        }
    }
}

/// A task on top of the joint vectors.
pub trait Task: Sync {
    /// `hashtags`, `bots`, `location`.
    fn name(&self) -> &'static str;

    /// Its methods: the first is ours, which `fit` takes when none is named.
    fn methods(&self) -> &'static [Method];

    /// Measures the methods side by side: fitted on the training part, measured on `options.part`.
    ///
    /// # Errors
    /// If the corpus has no labels or no posts in a part, the model lacks what the task needs, a file cannot be read, or
    /// the person stops the work.
    fn evaluate(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<TaskReport>;

    /// Fits one method on the training part.
    ///
    /// # Errors
    /// As [`Task::evaluate`].
    fn fit(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        method: Method,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Saved>;

    /// Predicts for every post or author of `corpus`; rows out = rows in.
    ///
    /// # Errors
    /// If `saved` is not of this task or was fitted with another model, a file cannot be read, or the person stops the work.
    fn predict(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        saved: &Saved,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Predictions>;
}

/// Every task with this face.
pub fn tasks() -> &'static [&'static dyn Task] {
    &[&hashtags::Hashtags, &bots::Bots, &location::Location]
}

/// The task called `name`.
///
/// # Errors
/// Names the tasks there are.
pub fn task(name: &str) -> Result<&'static dyn Task> {
    tasks().iter().copied().find(|task| task.name() == name).ok_or_else(|| {
        let names: Vec<&str> = tasks().iter().map(|task| task.name()).collect();
        Error::config(format!("no task is called `{name}`")).help(format!("tasks: {}", names.join(", ")))
    })
}

/// The method of `task` called `name`.
///
/// # Errors
/// Names the methods there are.
pub fn method(task: &dyn Task, name: &str) -> Result<Method> {
    task.methods().iter().copied().find(|method| method.name == name).ok_or_else(|| {
        let names: Vec<&str> = task.methods().iter().map(|method| method.name).collect();
        Error::config(format!("{} has no method `{name}`", task.name())).help(format!("methods: {}", names.join(", ")))
    })
}
