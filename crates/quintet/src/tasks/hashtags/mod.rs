//! Hashtag recommendation (Rivas et al. 2022, Figure 5): a post without its tags asks, the training part's tags answer.
//!
//! [`cases`] takes the tags out of a post and says what may be recommended; [`evaluation`] measures; [`ours`] holds the
//! paper's method and ours, [`baseline`] Co-Attention, [`trivial`] what needs no model (with [`text_index`]); [`learned`] fits
//! any of them and asks it.
//!
//! Every tag of a post is a target at once, and taken out of its text in every form ([`crate::posts::extract::without_tags`]).
//! Tags unseen in training stay in the recall's denominator. A list with less than five tags is filled with the most
//! frequent ones when measured.
//!
//! Settings (`--set`): `authors` measures and learns only from posts whose label (or whose author's) says that value, such as
//! `human`; those of Co-Attention stand in [`baseline::settings`].

pub mod baseline;
pub mod cases;
pub mod evaluation;
pub mod learned;
pub mod ours;
pub mod text_index;
pub mod trivial;

use super::predictions::Answer;
use super::saved::Header;
use super::{Method, Options, Prediction, Predictions, Saved, Task, TaskReport, Unit, inputs};
use crate::component::Component;
use crate::embed::model_id;
use crate::error::{Error, Result};
use crate::posts::Corpus;
use crate::progress::Progress;
use crate::train::ModelFolder;
use cases::Case;
use learned::{Learned, METHODS, Setting};

/// Posts asked for at a time when predicting: bounds the memory for their vectors and image regions.
const CHUNK: usize = 4096;

/// The task.
pub struct Hashtags;

impl Task for Hashtags {
    fn name(&self) -> &'static str {
        "hashtags"
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
        evaluation::evaluate(corpus, model, options, &options.methods_of(self)?, progress)
    }

    fn fit(
        &self,
        corpus: &Corpus,
        model: &ModelFolder,
        method: Method,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<Saved> {
        let components = components(model, options)?;
        let setting = Setting { corpus, model, components: &components, kept: true, options, progress };
        let parts = evaluation::Cases::read(corpus, options)?;
        let candidates = parts.candidates(corpus)?;
        let (learned, _) = learned::fit(setting, method, &parts.training(&candidates))?;
        let header = Header {
            task: self.name().into(),
            method: method.name.into(),
            model: model_id(model),
            corpus: corpus.manifest().name.clone(),
            synthetic: corpus.manifest().synthetic,
            items: parts.train.len(),
            seed: options.seed,
            ..Header::default()
        };
        Saved::pack(header, &learned)
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
        let learned: Learned = saved.unpack()?;
        let (posts, _) = inputs::read(corpus, options.source.as_deref())?;
        let setting = Setting { corpus, model, components: learned.components(), kept: false, options, progress };
        let frequent = trivial::most_frequent(&learned.candidates, learned.posts, 1).remove(0);
        let mut rows = Vec::with_capacity(posts.len());
        for posts in posts.chunks(CHUNK) {
            if progress.interrupted() {
                return Err(Error::interrupted("stopped while recommending"));
            }
            let cases: Vec<Case> = posts.iter().map(Case::asking).collect();
            let vectors = learned.needs_vectors().then(|| setting.vectors(&cases, None)).transpose()?;
            let lists = learned.recommend(setting, &cases, vectors.as_ref())?;
            for (post, list) in posts.iter().zip(lists) {
                let status = if list.is_empty() { "fallback" } else { "predicted" };
                let list = if list.is_empty() { frequent.clone() } else { list };
                let answer = |(tag, score): (u32, f32)| Answer {
                    name: learned.candidates.tags[tag as usize].0.clone(),
                    score: f64::from(score),
                };
                rows.push(Prediction {
                    id: post.id.clone(),
                    status,
                    alternatives: list.into_iter().map(answer).collect(),
                });
            }
        }
        Ok(Predictions { task: self.name().into(), method: saved.header.method.clone(), unit: Unit::Post, rows })
    }
}

/// The components that methods may see: never the hashtags.
fn components(model: &ModelFolder, options: &Options) -> Result<Vec<Component>> {
    inputs::components(model, &options.components, &[Component::Hashtags])
}
