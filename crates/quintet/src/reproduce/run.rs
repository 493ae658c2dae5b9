//! Does what the plan says, one result at a time; what is finished stays finished.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::page;
use super::plan::{Ask, Data, Run, Section, TOWN_POSTS, data, plan};
use crate::atomic;
use crate::config::Config;
use crate::error::{AtPath, Error, Result};
use crate::posts::carry::Images;
use crate::posts::town::{TownOptions, generate};
use crate::posts::{Corpus, ImportOptions, Part, import};
use crate::progress::Progress;
use crate::report;
use crate::tasks::retrieval::{self, RetrievalReport};
use crate::tasks::{self, TaskReport};
use crate::train::{self, ModelFolder};

/// What to reproduce.
#[derive(Clone, Debug, PartialEq)]
pub struct ReproduceOptions {
    /// Folder of the public data sets; `None`: the synthetic town alone.
    pub data: Option<PathBuf>,
    /// Number of seeds.
    pub seeds: u64,
    /// Only runs whose slug (`retrieval-union-joint`) contains one of these; empty: all.
    pub only: Vec<String>,
    /// Draw the report from what is there and run nothing.
    pub report_only: bool,
}

/// Figures of one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Figures {
    /// Of `quintet eval retrieval`.
    Retrieval(RetrievalReport),
    /// Of `quintet eval TASK`.
    Task(TaskReport),
}

/// One evaluation with the command that repeats it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Name of the evaluation in the plan.
    pub name: String,
    /// Corpus whose posts were asked about.
    pub corpus: String,
    /// The command.
    pub command: String,
    /// The figures.
    pub figures: Figures,
    /// Wall seconds.
    pub seconds: f64,
}

/// Everything about one run with one seed: a file in `results/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Section of the report.
    pub section: Section,
    /// `corpus/setting`.
    pub run: String,
    /// Seed of training and of fitting.
    pub seed: u64,
    /// Data sets in the corpus; none: synthetic.
    pub sets: Vec<String>,
    /// Committed configuration, and what was changed in it.
    pub config: String,
    /// `key=value` each.
    pub changed: Vec<String>,
    /// The command that trains it.
    pub command: String,
    /// Steps of training, and the step whose weights were kept.
    pub steps: [usize; 2],
    /// Wall seconds of training.
    pub seconds: f64,
    /// Version of Quintet.
    pub quintet: String,
    /// Hash of configuration, seed and evaluations: another one is run anew.
    pub key: String,
    /// The figures.
    pub evaluations: Vec<Evaluated>,
}

/// What [`reproduce`] came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reproduced {
    /// Runs that were done before.
    pub kept: usize,
    /// Runs done now.
    pub done: usize,
    /// Data sets that are not in the data folder, whose runs were left out.
    pub missing: Vec<String>,
    /// The runs that failed, with the reason.
    pub failed: Vec<String>,
    /// The page.
    pub report: PathBuf,
    /// All figures.
    pub results: PathBuf,
    /// Wall seconds.
    pub seconds: f64,
}

/// Runs the plan into `into` and draws `report.html` and `report.md` and writes `results.json`. A run that fails is reported and the others go on.
///
/// # Errors
/// If `into` cannot be written, or the person stops the work (what is finished is kept, and a training goes on from its
/// last checkpoint when the same command is given again).
pub fn reproduce(into: &Path, options: &ReproduceOptions, progress: &dyn Progress) -> Result<Reproduced> {
    let began = Instant::now();
    let mut runs = plan()?;
    runs.retain(|run| options.only.is_empty() || options.only.iter().any(|only| run.slug().contains(only)));
    if runs.is_empty() {
        return Err(Error::config(format!("no run is called {}", options.only.join(", ")))
            .help("names are like retrieval-union-joint, bots-pan19, ablations-town; part of one is enough"));
    }
    let results = into.join("results");
    std::fs::create_dir_all(&results).at(&results)?;
    let mut summary = Reproduced {
        kept: 0,
        done: 0,
        missing: Vec::new(),
        failed: Vec::new(),
        report: into.join("report.html"),
        results: into.join("results.json"),
        seconds: 0.0,
    };
    let bar = progress.task("runs", Some(runs.len() as u64 * options.seeds), "runs");
    // Every run with the first seed before any with the second: a stopped reproduction has every table.
    for seed in 1..=options.seeds {
        for run in &runs {
            bar.message(&format!("{} (seed {seed})", run.name));
            step(into, run, seed, options, &mut summary, progress)?;
            bar.advance(1);
        }
    }
    let outcomes = read_all(&results)?;
    let json = serde_json::to_vec_pretty(&outcomes).map_err(|e| Error::internal("no JSON of results").caused_by(e))?;
    atomic::write_bytes(&summary.results, &json)?;
    let page = page::page(&outcomes, &summary.missing);
    report::write(&page, &summary.report)?;
    atomic::write_bytes(&into.join("report.md"), page.markdown().as_bytes())?;
    summary.seconds = began.elapsed().as_secs_f64();
    Ok(summary)
}

/// One run with one seed: kept, done, left out, or failed.
fn step(
    into: &Path,
    run: &Run,
    seed: u64,
    options: &ReproduceOptions,
    summary: &mut Reproduced,
    progress: &dyn Progress,
) -> Result<()> {
    let path = into.join("results").join(format!("{}-{seed}.json", run.slug()));
    let key = key(run, seed);
    if read(&path).is_some_and(|outcome| outcome.key == key) {
        summary.kept += 1;
        return Ok(());
    }
    if options.report_only {
        return Ok(());
    }
    let absent: Vec<&str> = run
        .data
        .sets
        .iter()
        .copied()
        .filter(|set| !options.data.as_ref().is_some_and(|d| d.join(set).is_dir()))
        .collect();
    if !absent.is_empty() {
        for set in absent {
            if !summary.missing.iter().any(|m| m == set) {
                progress.note(&format!("data set {set} is not there: what needs it is left out"));
                summary.missing.push(set.to_string());
            }
        }
        return Ok(());
    }
    match outcome(into, run, seed, key, options, progress) {
        Ok(outcome) => {
            let json = serde_json::to_vec_pretty(&outcome).map_err(|e| Error::internal("no JSON").caused_by(e))?;
            atomic::write_bytes(&path, &json)?;
            summary.done += 1;
            Ok(())
        }
        Err(error) if error.kind() == crate::ErrorKind::Interrupted => Err(error),
        Err(error) => {
            progress.note(&format!("{} (seed {seed}) failed: {error}", run.name));
            summary.failed.push(format!("{} (seed {seed}): {error}", run.name));
            Ok(())
        }
    }
}

fn outcome(
    into: &Path,
    run: &Run,
    seed: u64,
    key: String,
    options: &ReproduceOptions,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let corpus = corpus_of(into, run.data, options.data.as_deref(), progress)?;
    let mut config = run.config.clone();
    config.seed = seed;
    let folder = training_folder(into, run, &config);
    let trained = train::train(&corpus, &config, &folder, folder.exists(), progress)?;
    let model = ModelFolder::open(&folder)?;
    let mut evaluations = Vec::new();
    for evaluation in &run.evaluations {
        let began = Instant::now();
        let asked = corpus_of(into, data(evaluation.corpus), options.data.as_deref(), progress)?;
        let (figures, command) = match &evaluation.ask {
            Ask::Retrieval(options) => {
                let figures = retrieval::run(&asked, &model, options, progress)?;
                (Figures::Retrieval(figures), retrieval_command(evaluation.corpus, options))
            }
            Ask::Task(name, options) => {
                let options = tasks::Options { seed, ..options.clone() };
                let figures = tasks::task(name)?.evaluate(&asked, &model, &options, progress)?;
                (Figures::Task(figures), task_command(evaluation.corpus, name, &options))
            }
        };
        let seconds = began.elapsed().as_secs_f64();
        let (name, corpus) = (evaluation.name.into(), evaluation.corpus.into());
        evaluations.push(Evaluated { name, corpus, command, figures, seconds });
    }
    let sets: String = run.changed.iter().map(|change| format!(" --set '{change}'")).collect();
    Ok(Outcome {
        section: run.section,
        run: run.name.clone(),
        seed,
        sets: run.data.sets.iter().map(|set| (*set).to_string()).collect(),
        config: run.file.into(),
        changed: run.changed.clone(),
        command: format!("quintet train {} --config {}{sets} --set seed={seed} --into RUN", run.data.name, run.file),
        steps: [trained.steps, trained.best.as_ref().map_or(trained.steps, |best| best.step)],
        seconds: trained.seconds,
        quintet: env!("CARGO_PKG_VERSION").into(),
        key,
        evaluations,
    })
}

/// Runs of one configuration on one corpus share their training.
fn training_folder(into: &Path, run: &Run, config: &Config) -> PathBuf {
    let hash = blake3::hash(config.to_toml().as_bytes()).to_hex();
    into.join("runs").join(run.data.name).join(&hash[..12])
}

fn key(run: &Run, seed: u64) -> String {
    let what = format!("{:?} {seed} {} {:?}", run.data, run.config.to_toml(), run.evaluations);
    blake3::hash(what.as_bytes()).to_hex()[..16].to_string()
}

/// The corpus, imported or generated once.
fn corpus_of(into: &Path, data: Data, from: Option<&Path>, progress: &dyn Progress) -> Result<Corpus> {
    let folder = into.join("corpora").join(data.name);
    if !folder.join("corpus.json").is_file() {
        std::fs::create_dir_all(into.join("corpora")).at(into)?;
        match from {
            Some(from) if !data.sets.is_empty() => {
                let inputs: Vec<PathBuf> = data.sets.iter().map(|set| from.join(set)).collect();
                let options =
                    ImportOptions { rest: Some(Part::Train), images: Images::Link, ..ImportOptions::default() };
                import(&inputs, &options, &folder, progress)?;
            }
            _ => {
                let town = TownOptions { posts: TOWN_POSTS, seed: 1, ..TownOptions::default() };
                generate(&town, &folder, progress)?;
            }
        }
    }
    Corpus::open(&folder)
}

fn retrieval_command(corpus: &str, options: &retrieval::Options) -> String {
    let mut command = format!("quintet eval retrieval {corpus} --model RUN");
    if let Some(source) = &options.source {
        command += &format!(" --source {source}");
    }
    if let Some(from) = &options.queries_from {
        command += &format!(" --queries-from {from}");
    }
    if options.min_queries != retrieval::Options::default().min_queries {
        command += &format!(" --min-queries {}", options.min_queries);
    }
    command
}

fn task_command(corpus: &str, task: &str, options: &tasks::Options) -> String {
    let mut command = format!("quintet eval {task} {corpus} --model RUN --seed {}", options.seed);
    if let Some(label) = &options.label {
        command += &format!(" --label {label}");
    }
    if let Some(unit) = options.unit {
        command += &format!(" --by {unit}");
    }
    for (name, value) in &options.settings {
        command += &format!(" --set {name}={value}");
    }
    command
}

/// A result, if there is one that can be read.
fn read(path: &Path) -> Option<Outcome> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Every result in the folder that the plan still knows, in the order of the plan and the seeds.
fn read_all(folder: &Path) -> Result<Vec<Outcome>> {
    let order: Vec<Run> = plan()?;
    let known: HashSet<String> = order.iter().map(Run::slug).collect();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let slug = stem.rsplit_once('-').map_or(stem, |(slug, _)| slug).to_string();
        if let Some(outcome) = known.contains(&slug).then(|| read(&path)).flatten() {
            found.push((order.iter().position(|run| run.slug() == slug), outcome));
        }
    }
    found.sort_by(|(a, x), (b, y)| (a, x.seed).cmp(&(b, y.seed)));
    Ok(found.into_iter().map(|(_, outcome)| outcome).collect())
}
