//! Training from a corpus, or from a dataset, into a run folder.
//!
//! ```text
//! RUN/
//!   last.safetensors   weights, optimiser and place: what `--resume` goes on from
//!   log.jsonl          one line a step and validation
//!   model/             the best weights as a model folder
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::batches::Plan;
use super::checkpoint::{self, Best, DataId, State};
use super::collapse;
use super::log::{Entry, Log, named};
use super::model_folder::{About, Writer};
use super::optimiser::{Optimiser, StepReport, StepSettings};
use super::validation::{Validation, Validator};
use crate::component::Component;
use crate::config::{Config, LossKind};
use crate::device::Device;
use crate::error::{AtPath, Error, Result};
use crate::features::{Dataset, Dense, Fitted};
use crate::model::{Batch, Network, Shapes};
use crate::posts::{Corpus, Part, Post};
use crate::progress::{Progress, Task};

/// Name of the log in a run folder.
pub const LOG: &str = "log.jsonl";
/// Name of the best model in a run folder.
pub const MODEL: &str = "model";

/// What a training run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Steps done.
    pub steps: usize,
    /// Training posts in use.
    pub posts: usize,
    /// Training posts with fewer than two usable components, left out.
    pub too_few_components: usize,
    /// Training posts beyond `posts_per_author`, left out.
    pub author_full: usize,
    /// Posts ranked at each validation (0: there was none, the last weights were kept).
    pub validation_posts: usize,
    /// The best validation.
    pub best: Option<Best>,
    /// Components that were collapsed at the end.
    pub collapsed: Vec<Component>,
    /// Seconds of training, those before a resume included.
    pub seconds: f64,
    /// The model folder.
    pub model: PathBuf,
}

/// What training works on, once posts are numbers.
pub struct Job<'a> {
    /// Numbers of the training and dev posts.
    pub dataset: &'a Dataset,
    /// The configuration, checked.
    pub config: &'a Config,
    /// Sizes that the features decide.
    pub shapes: Shapes,
    /// Initial rows of the word embedding `[words, word_dim]`.
    pub word_rows: &'a Dense,
    /// What the model card says about the data.
    pub about: &'a About,
    /// Writes what the model needs to turn posts into numbers into a folder.
    pub features: &'a dyn Fn(&Path) -> Result<()>,
    /// Where the model computes.
    pub device: &'a Device,
}

/// Trains on the training part of `corpus` and chooses on its dev part; writes the run folder `into`.
/// With `resume` an interrupted or killed run goes on, to the same bits as if it had never stopped.
///
/// # Errors
/// If `into` is in use and `resume` is not asked for, if the run was begun with another configuration or corpus,
/// if the loss stops being a number, if a file cannot be written, or if the person stops the work (state saved).
pub fn train(corpus: &Corpus, config: &Config, into: &Path, resume: bool, progress: &dyn Progress) -> Result<Summary> {
    train_on(&Device::cpu(), corpus, config, into, resume, progress)
}

/// As [`train`], on a device of choice. A run may be resumed on another device; the bits are the same only on the CPU.
///
/// # Errors
/// As [`train`].
pub fn train_on(
    device: &Device,
    corpus: &Corpus,
    config: &Config,
    into: &Path,
    resume: bool,
    progress: &dyn Progress,
) -> Result<Summary> {
    config.check()?;
    // Before the features, which may take long.
    check_folder(into, resume)?;
    let fitted = Fitted::fit(corpus, config, progress)?;
    let parts = corpus.parts()?;
    let mut posts: Vec<Post> = Vec::new();
    for chunk in corpus.chunks(4096)? {
        let wanted = |p: &Post| matches!(parts.get(&p.id), Some(Part::Train | Part::Dev));
        posts.extend(chunk?.into_iter().filter(wanted));
    }
    let dataset = fitted.numbers(corpus, &posts, &parts, progress)?;
    drop(posts);
    let word_rows = fitted.word_rows();
    let shapes = Shapes {
        words: word_rows.len(),
        word_dim: fitted.word_dim(),
        image_dim: fitted.image_dim(),
        user_dim: fitted.user_dim(),
    };
    let job = Job {
        dataset: &dataset,
        config,
        shapes,
        word_rows: &word_rows,
        about: &About::of(corpus, config, &dataset),
        features: &|folder| fitted.save(folder),
        device,
    };
    train_dataset(&job, into, resume, progress)
}

/// As [`train`], from numbers.
///
/// # Errors
/// As [`train`].
pub fn train_dataset(job: &Job, into: &Path, resume: bool, progress: &dyn Progress) -> Result<Summary> {
    job.config.check()?;
    check_folder(into, resume)?;
    std::fs::create_dir_all(into).at(into)?;
    let mut run = Run::open(job, into, progress)?;
    if run.state.finished {
        progress.note("training had already finished; nothing was left to do");
        return Ok(run.summary());
    }
    run.go()?;
    Ok(run.summary())
}

/// A run is begun in an empty folder only; resuming takes what is there.
fn check_folder(into: &Path, resume: bool) -> Result<()> {
    if into.is_file() {
        return Err(Error::input("a run needs a folder; this is a file").at(into).help("name another folder"));
    }
    let empty = !into.is_dir() || std::fs::read_dir(into).at(into)?.next().is_none();
    if empty || (resume && (into.join(checkpoint::FILE).is_file() || into.join(LOG).is_file())) {
        return Ok(());
    }
    Err(if resume {
        Error::input("the folder is not empty, and no training run either").at(into).help("name the folder of a run")
    } else if into.join(checkpoint::FILE).is_file() {
        Error::input("there is a training run in this folder already")
            .at(into)
            .help("go on with it by `--resume`, or name another folder")
    } else {
        Error::input("the folder is not empty").at(into).help("name a new or empty folder")
    })
}

struct Run<'a> {
    job: &'a Job<'a>,
    into: &'a Path,
    progress: &'a dyn Progress,
    plan: Plan,
    validator: Validator,
    network: Network,
    optimiser: Optimiser,
    state: State,
    log: Log,
    model: Writer<'a>,
    seconds_before: f64,
    began: Instant,
}

impl<'a> Run<'a> {
    /// Everything as the checkpoint left it, or fresh if there is none.
    fn open(job: &'a Job<'a>, into: &'a Path, progress: &'a dyn Progress) -> Result<Run<'a>> {
        let plan = Plan::new(job.dataset, job.config);
        if plan.posts.len() < 2 {
            return Err(Error::input(format!(
                "{} training posts have two usable components; at least 2 are needed",
                plan.posts.len()
            ))
            .help("see `quintet check`, or name other `components` in the configuration"));
        }
        let mut network = Network::new_on(job.config, job.shapes, job.word_rows, job.device);
        let mut optimiser = Optimiser::new(&network);
        let data = DataId::of(&job.about.corpus, job.dataset);
        let fresh = State { data: data.clone(), config: job.config.to_toml(), ..State::default() };
        let old = into.join(checkpoint::FILE).is_file();
        let state = if old { checkpoint::load(into, &mut network, &mut optimiser)? } else { fresh };
        checkpoint::same_run(into, &state, &data, job.config)?;
        let model = Writer::new(into, job, &plan)?;
        if state.best.is_some() && !model.exists() {
            return Err(Error::input("the run has a checkpoint, but its best model is gone")
                .at(&into.join(MODEL))
                .help("restore the model folder from a copy, or train again into another folder"));
        }
        let mut run = Run {
            job,
            into,
            progress,
            validator: Validator::new(job.dataset, job.config),
            plan,
            network,
            optimiser,
            log: Log::open(&into.join(LOG), state.log_bytes)?,
            model,
            seconds_before: state.seconds,
            began: Instant::now(),
            state,
        };
        if !old {
            run.begin()?;
        }
        if let Some(remark) = job.device.remark(job.config) {
            run.note(&remark)?;
        }
        Ok(run)
    }

    /// First line of the log, first checkpoint.
    fn begin(&mut self) -> Result<()> {
        self.log.append(&Entry::Start {
            posts: self.plan.posts.len(),
            too_few_components: self.plan.too_few_components,
            author_full: self.plan.author_full,
            validation_posts: self.validator.posts.len(),
            steps_per_epoch: self.plan.steps_per_epoch(),
            steps: self.steps(),
        })?;
        if self.plan.too_few_components > 0 {
            self.note(&format!(
                "{} training posts have fewer than two usable components and are left out",
                self.plan.too_few_components
            ))?;
        }
        if self.validator.is_empty() {
            self.note("the dev part has too few posts with two components: no validation, the last weights are kept")?;
        }
        self.save()
    }

    fn steps(&self) -> usize {
        self.plan.steps_per_epoch() * self.job.config.train.epochs
    }

    /// Epoch (from 0) and position in it of the step that is next.
    fn place(&self) -> (usize, usize) {
        let per_epoch = self.plan.steps_per_epoch();
        (self.state.step / per_epoch, self.state.step % per_epoch)
    }

    fn go(&mut self) -> Result<()> {
        let left = self.steps().saturating_sub(self.state.step);
        let task = self.progress.task("train", Some(left as u64), "steps");
        let mut order = (usize::MAX, Vec::new());
        while self.state.step < self.steps() && !self.out_of_patience() {
            if self.progress.interrupted() {
                return self.interrupted();
            }
            let (epoch, position) = self.place();
            if order.0 != epoch {
                order = (epoch, self.plan.order(epoch));
            }
            let batch = self.plan.batch(self.job.dataset, &order.1, epoch, position);
            self.step(epoch, &batch, task.as_ref())?;
            task.advance(1);
        }
        self.state.finished = true;
        if self.validator.is_empty() {
            self.model.write(&self.network, self.state.step, None)?;
        }
        self.save()
    }

    /// One step, and what is due after it.
    fn step(&mut self, epoch: usize, batch: &Batch, task: &dyn Task) -> Result<()> {
        let settings = self.settings(epoch);
        let report = self.optimiser.step(&mut self.network, batch, &settings);
        self.state.step += 1;
        self.check_finite(&report, &settings)?;
        self.log_step(epoch, &report, &settings, task)?;
        self.watch_collapse(&report, &settings)?;
        let train = &self.job.config.train;
        let (next_epoch, _) = self.place();
        let epoch_ended = next_epoch != epoch;
        if self.validator.is_empty() {
            if epoch_ended {
                self.model.write(&self.network, self.state.step, None)?;
            }
        } else if epoch_ended || self.state.step.is_multiple_of(train.validate_every) {
            self.validate(epoch, task)?;
        }
        if self.state.step.is_multiple_of(train.checkpoint_every) {
            self.save()?;
        }
        Ok(())
    }

    /// Schedule: the rate falls to a tenth every `drop_after` epochs (`vsepp.md` section 3); the warm-up sums all hinges.
    fn settings(&self, epoch: usize) -> StepSettings {
        let (train, loss) = (&self.job.config.train, &self.job.config.loss);
        let drops = epoch.checked_div(train.drop_after).unwrap_or(0);
        let warm = (self.state.step as f64) < loss.warmup_epochs * self.plan.steps_per_epoch() as f64;
        StepSettings {
            learning_rate: train.learning_rate * 0.1f64.powi(drops as i32),
            clip: train.clip,
            kind: if warm { LossKind::SumOfHinges } else { loss.kind },
            average: loss.average,
            margin: loss.margin,
            mask_duplicates: loss.mask_duplicates,
        }
    }

    fn log_step(&mut self, epoch: usize, report: &StepReport, settings: &StepSettings, task: &dyn Task) -> Result<()> {
        let components = &self.job.config.components;
        let loss = report.losses.0.iter().sum();
        let pairs: usize = report.pairs.0.iter().sum();
        task.message(&format!("epoch {}, loss {:.3} a post", epoch + 1, loss / pairs.max(1) as f64));
        self.log.append(&Entry::Step {
            step: self.state.step,
            epoch: epoch + 1,
            learning_rate: settings.learning_rate,
            loss,
            losses: named(components, &report.losses),
            pairs: named(components, &report.pairs),
            gradient_norm: report.gradient_norm,
            off_diagonal: named(components, &report.off_diagonal),
            seconds: self.seconds(),
        })
    }

    fn check_finite(&self, report: &StepReport, settings: &StepSettings) -> Result<()> {
        let bad = report.losses.iter().find(|(_, loss)| !loss.is_finite());
        if bad.is_none() && report.gradient_norm.is_finite() {
            return Ok(());
        }
        let what = bad.map_or("the gradient".to_string(), |(c, _)| format!("the loss of {c}"));
        Err(Error::input(format!("{what} stopped being a number at step {}", self.state.step)).at(self.into).help(
            format!(
                "train into another folder with a lower `train.learning_rate` (now {}), a lower `train.clip` (now {}) or \
                 `loss.warmup_epochs`; the last good checkpoint and the best model so far are kept",
                settings.learning_rate, settings.clip
            ),
        ))
    }

    fn watch_collapse(&mut self, report: &StepReport, settings: &StepSettings) -> Result<()> {
        for &c in &self.job.config.components {
            if let Some(line) = collapse::watch(c, report, settings, &mut self.state.collapsed_for[c]) {
                self.note(&line)?;
            }
        }
        Ok(())
    }

    fn validate(&mut self, epoch: usize, task: &dyn Task) -> Result<()> {
        task.message(&format!("epoch {}, validating", epoch + 1));
        let Validation { sum, directions } = self.validator.measure(&self.network, self.job.dataset);
        self.state.validations += 1;
        let best = self.state.best.as_ref().is_none_or(|b| sum > b.sum());
        self.log.append(&Entry::Validation {
            step: self.state.step,
            epoch: epoch + 1,
            sum,
            best,
            directions: directions.clone(),
            seconds: self.seconds(),
        })?;
        if best {
            let validation = self.state.validations;
            let found = Best { step: self.state.step, validation, sum_bits: sum.to_bits(), directions };
            // The model first, the checkpoint that knows of it later: see `checkpoint`.
            self.model.write(&self.network, self.state.step, Some(&found))?;
            self.state.best = Some(found);
        }
        task.message(&format!("epoch {}, sum of recalls {sum:.1}{}", epoch + 1, if best { " (best)" } else { "" }));
        Ok(())
    }

    fn out_of_patience(&self) -> bool {
        let patience = self.job.config.train.patience;
        let best = self.state.best.as_ref().map_or(0, |b| b.validation);
        patience > 0 && self.state.validations >= best + patience
    }

    fn interrupted(&mut self) -> Result<()> {
        self.save()?;
        Err(Error::interrupted(format!("stopped at step {} of {}; the state is saved", self.state.step, self.steps()))
            .at(self.into)
            .help("the same command with `--resume` goes on from here"))
    }

    /// Log to disk, then the checkpoint that knows its length.
    fn save(&mut self) -> Result<()> {
        self.state.log_bytes = self.log.sync()?;
        self.state.seconds = self.seconds();
        checkpoint::save(self.into, &self.network, &self.optimiser, &self.state)
    }

    fn note(&mut self, line: &str) -> Result<()> {
        self.progress.note(line);
        self.log.append(&Entry::Note { step: self.state.step, text: line.to_string() })
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.began.elapsed().as_secs_f64()
    }

    fn summary(&self) -> Summary {
        let collapsed = |c: &Component| collapse::lasting(self.state.collapsed_for[*c]);
        Summary {
            steps: self.state.step,
            posts: self.plan.posts.len(),
            too_few_components: self.plan.too_few_components,
            author_full: self.plan.author_full,
            validation_posts: self.validator.posts.len(),
            best: self.state.best.clone(),
            collapsed: self.job.config.components.iter().copied().filter(collapsed).collect(),
            seconds: self.state.seconds,
            model: self.into.join(MODEL),
        }
    }
}
