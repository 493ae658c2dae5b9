//! Training Co-Attention: Adam, early stop on F1@1 of posts held out, the best weights kept.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use quintet_kernels::adam::Adam;
use quintet_kernels::rng::{Rng, label};
use quintet_kernels::topk;

use super::network::{Batch, CoAttention};
use super::regions::Regions;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::features::Ragged;
use crate::metrics::TagSummary;
use crate::metrics::tags::{Hits, MOST};
use crate::model::network::NamedTensor;
use crate::model::params;
use crate::progress::Progress;
use crate::tasks::report::CurvePoint;
use crate::train::moments::{Gradient, Moments};

/// Posts a pass when nothing is learned.
const BATCH: usize = 256;
/// Name of the embedding table.
const TABLE: &str = "embedding.weight";

/// Posts as Co-Attention reads them.
pub struct Examples {
    /// Words of each post, by their rows; none where it has no text.
    pub tokens: Ragged<u32>,
    /// Their images.
    pub regions: Regions,
    /// Tags of each post that are candidates.
    pub tags: Ragged<u32>,
    /// Number of tags of each post, those that are no candidates included.
    pub all_tags: Vec<usize>,
}

impl Examples {
    /// Number of posts.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn batch(&self, posts: &[usize]) -> Batch {
        let (regions, images) = self.regions.rows(posts);
        Batch::new(&lists(&self.tokens, posts), regions, images)
    }
}

fn lists(of: &Ragged<u32>, posts: &[usize]) -> Ragged<u32> {
    let mut chosen = Ragged::default();
    posts.iter().for_each(|&post| chosen.push(of.get(post).iter().copied()));
    chosen
}

/// A network with what Adam remembers.
pub struct Trainer {
    network: CoAttention,
    moments: Vec<Moments>,
    names: Vec<String>,
    steps: u64,
    device: Device,
}

impl Trainer {
    /// Fresh state for `network`.
    pub fn new(network: CoAttention, device: &Device) -> Trainer {
        quintet_kernels::scratch::keep_freed_memory();
        let shapes = params::shapes(&network);
        let moments = shapes.iter().map(|(name, shape)| Moments::new(shape, name == TABLE)).collect();
        let names = shapes.into_iter().map(|(name, _)| name).collect();
        Trainer { network, moments, names, steps: 0, device: device.clone() }
    }

    /// Loss and gradient of every weight, in the order of the weights.
    pub(crate) fn gradients(
        &self,
        batch: &Batch,
        tags: &Arc<Ragged<u32>>,
        dropout: Option<Vec<f32>>,
    ) -> (f64, Vec<Gradient<Vec<f32>>>) {
        let network = self.network.clone().train();
        let pass = network.forward(batch, dropout, &self.device.clone().autodiff());
        let loss = network.loss(pass.features, tags);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let mut found = loss.backward();
        let dense = params::gradients(&network, &mut found).into_iter();
        let mut gradients: Vec<_> =
            dense.map(|g| g.map_or(Gradient::Zero, |g| Gradient::Dense(params::values(g)))).collect();
        let table = self.names.iter().position(|name| name == TABLE);
        if let (Some(at), Some((rows, read))) = (table, pass.read)
            && let Some(gradient) = rows.grad_remove(&mut found)
        {
            gradients[at] = Gradient::Rows(read, params::values(gradient));
        }
        (value, gradients)
    }

    /// One step of Adam; returns the loss before it.
    pub fn step(&mut self, batch: &Batch, tags: &Arc<Ragged<u32>>, dropout: Option<Vec<f32>>, rate: f64) -> f64 {
        let (loss, gradients) = self.gradients(batch, tags, dropout);
        self.steps += 1;
        let adam = Adam::new(rate, self.steps);
        // Moved, not cloned: a clone would share the weights' memory.
        let network = std::mem::replace(&mut self.network, CoAttention::hollow(&self.device));
        let moments = &mut self.moments;
        self.network = params::edit(network, |at, _, values| moments[at].update(values, &gradients[at], &adam));
        loss
    }

    /// The weights by name.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        params::named(&self.network)
    }

    /// Replaces all weights by those of [`Trainer::tensors`].
    ///
    /// # Errors
    /// If a name is missing or a shape differs.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<()> {
        let network = std::mem::replace(&mut self.network, CoAttention::hollow(&self.device));
        self.network = load(network, tensors)?;
        Ok(())
    }

    /// The network.
    pub fn network(&self) -> &CoAttention {
        &self.network
    }
}

/// `network` with the weights of `tensors`.
///
/// # Errors
/// If a name is missing or a shape differs.
pub fn load(network: CoAttention, tensors: &[NamedTensor]) -> Result<CoAttention> {
    let wanted = params::shapes(&network);
    let found = wanted.iter().map(|(name, shape)| crate::model::network::find(tensors, name, shape));
    let found = found.collect::<Result<Vec<_>>>()?;
    Ok(params::edit(network, |at, _, values| values.copy_from_slice(&found[at].values)))
}

/// The best tags of each post with their logits, best first.
pub fn recommend(network: &CoAttention, examples: &Examples, device: &Device) -> Vec<Vec<(u32, f32)>> {
    let (weight, bias) = network.output();
    let (weight, bias) = (params::values(weight), params::values(bias));
    let dim = weight.len() / bias.len();
    // The bias is one more number of each vector, against a one in each query.
    let vectors: Vec<f32> =
        weight.chunks(dim).zip(&bias).flat_map(|(row, b)| row.iter().copied().chain([*b])).collect();
    let posts: Vec<usize> = (0..examples.len()).collect();
    let mut lists = Vec::with_capacity(posts.len());
    for posts in posts.chunks(BATCH) {
        let features = params::values(network.forward(&examples.batch(posts), None, device).features);
        let queries: Vec<f32> = features.chunks(dim).flat_map(|row| row.iter().copied().chain([1.0])).collect();
        let hits = topk::top_k(&queries, &vectors, dim + 1, MOST);
        lists.extend((0..posts.len()).map(|i| hits.of(i).iter().map(|hit| (hit.index, hit.score)).collect()));
    }
    lists
}

fn f1_at_1(network: &CoAttention, examples: &Examples, device: &Device) -> f64 {
    let lists = recommend(network, examples, device);
    let judge = |(post, list): (usize, &Vec<(u32, f32)>)| {
        let tags: Vec<u32> = list.iter().map(|(tag, _)| *tag).collect();
        Hits::of(&tags, examples.tags.get(post), examples.all_tags[post])
    };
    TagSummary::of(&lists.iter().enumerate().map(judge).collect::<Vec<_>>()).f1[0]
}

/// How training went.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// A point an epoch.
    pub curve: Vec<CurvePoint>,
    /// Why it stopped and what was chosen.
    pub remark: String,
}

/// Trains on `train` until F1@1 on `held_out` stops rising; the best weights stay.
///
/// # Errors
/// If the loss is no number any more, or the person stops the work.
pub fn train(
    network: CoAttention,
    train: &Examples,
    held_out: &Examples,
    settings: &Settings,
    device: &Device,
    progress: &dyn Progress,
) -> Result<(CoAttention, History)> {
    let mut trainer = Trainer::new(network, device);
    let mut history = History::default();
    let mut best: Option<(usize, f64, Vec<NamedTensor>)> = None;
    let task = progress.task("co-attention", Some((settings.epochs * train.len()) as u64), "posts");
    let mut reason = format!("all {} epochs", settings.epochs);
    for epoch in 1..=settings.epochs {
        let mut order: Vec<usize> = (0..train.len()).collect();
        Rng::new(settings.seed, &[label("co-attention/order"), epoch as u64]).shuffle(&mut order);
        let mut sum = 0.0;
        for posts in order.chunks(settings.batch) {
            if progress.interrupted() {
                return Err(Error::interrupted("stopped while training Co-Attention; it starts anew next time"));
            }
            let tags = Arc::new(lists(&train.tags, posts));
            let dropout = dropout(settings, trainer.steps, posts.len());
            let loss = rayon::scope(|_| trainer.step(&train.batch(posts), &tags, dropout, settings.learning_rate));
            sum += loss * posts.len() as f64;
            task.advance(posts.len() as u64);
        }
        if !sum.is_finite() {
            return Err(Error::config("the loss of Co-Attention is no number any more")
                .help("lower `co-attention.learning-rate`"));
        }
        let score = f1_at_1(trainer.network(), held_out, device);
        let loss = sum / train.len() as f64;
        task.message(&format!("epoch {epoch}, loss {loss:.3}, F1@1 {score:.4}"));
        history.curve.push(CurvePoint { epoch: epoch as f64, loss, score });
        if best.as_ref().is_none_or(|(_, before, _)| score > *before) {
            best = Some((epoch, score, trainer.tensors()));
        } else if best.as_ref().is_some_and(|(at, ..)| epoch - at >= settings.patience) {
            reason = format!("{} epochs without a better F1@1", settings.patience);
            break;
        }
    }
    let Some((epoch, score, weights)) = best else { return Err(Error::internal("no epoch of training")) };
    trainer.load(&weights)?;
    history.remark = format!(
        "stopped after {} epochs ({reason}); the weights are those of epoch {epoch}, F1@1 {score:.4} on the posts held out",
        history.curve.len()
    );
    Ok((trainer.network, history))
}

/// Factors of the features of step `step`: 0 for what is dropped, more than 1 for the rest.
fn dropout(settings: &Settings, step: u64, posts: usize) -> Option<Vec<f32>> {
    if settings.dropout == 0.0 {
        return None;
    }
    let mut rng = Rng::new(settings.seed, &[label("co-attention/dropout"), step]);
    let kept = (1.0 / (1.0 - settings.dropout)) as f32;
    let factor = |_| if rng.chance(settings.dropout) { 0.0 } else { kept };
    Some((0..posts * settings.dim).map(factor).collect())
}
