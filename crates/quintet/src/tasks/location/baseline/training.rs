//! Training Deepgeo: Adam; after an epoch that is no better on held-out posts the best weights come back, and when patience
//! ends they stay.

use burn::module::Module;
use burn::tensor::Device;
use quintet_kernels::adam::Adam;
use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::network::{Batch, Deepgeo, Sizes, loss};
use crate::error::{Error, Result};
use crate::model::network::NamedTensor;
use crate::model::params;
use crate::progress::Progress;
use crate::tasks::report::CurvePoint;

/// Posts a pass when nothing is learned.
pub const PASS: usize = 128;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Posts a step; published: 512, which leaves few steps on small sets.
    pub batch: usize,
    /// Most epochs; published: 10.
    pub epochs: usize,
    /// Epochs without a better score after which training ends.
    pub patience: usize,
    /// Learning rate.
    pub rate: f64,
    /// Chance that a number of what is side by side is kept.
    pub keep: f32,
    /// Whether an epoch that is no better is taken back, as in the authors' program.
    pub restore: bool,
    /// Seed of first weights, order and dropout.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { batch: 64, epochs: 30, patience: 5, rate: 1e-3, keep: 0.8, restore: true, seed: 1 }
    }
}

/// A network with what Adam remembers.
#[derive(Clone)]
struct State {
    weights: Vec<NamedTensor>,
    moments: Vec<[Vec<f32>; 2]>,
    steps: u64,
}

/// Trains a network step by step.
pub struct Trainer {
    network: Option<Deepgeo>,
    moments: Vec<[Vec<f32>; 2]>,
    steps: u64,
    device: Device,
}

impl Trainer {
    /// Fresh state for `network`.
    pub fn new(network: Deepgeo, device: &Device) -> Trainer {
        quintet_kernels::scratch::keep_freed_memory();
        let zeros = |(_, shape): (String, Vec<usize>)| {
            let length = shape.iter().product();
            [vec![0.0; length], vec![0.0; length]]
        };
        let moments = params::shapes(&network).into_iter().map(zeros).collect();
        Trainer { network: Some(network), moments, steps: 0, device: device.clone() }
    }

    /// The network.
    ///
    /// # Panics
    /// Never: it is only away during a step.
    pub fn network(&self) -> &Deepgeo {
        self.network.as_ref().unwrap_or_else(|| unreachable!("a step puts the network back"))
    }

    /// Loss of `batch` and the gradient of every weight, in the order of the weights.
    pub fn gradients(&self, batch: &Batch, classes: &[u32], keep: Option<Vec<f32>>) -> (f64, Vec<Vec<f32>>) {
        rayon::scope(|_| {
            let network = self.network().clone().train();
            let loss = loss(network.forward(batch, keep), classes);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            let mut found = loss.backward();
            let gradients = params::gradients(&network, &mut found).into_iter().zip(&self.moments);
            let dense = gradients.map(|(g, moments)| g.map_or(vec![0.0; moments[0].len()], params::values));
            (value, dense.collect())
        })
    }

    /// One step of Adam; the loss before it.
    pub fn step(&mut self, batch: &Batch, classes: &[u32], keep: Option<Vec<f32>>, rate: f64) -> f64 {
        let (loss, gradients) = self.gradients(batch, classes, keep);
        self.steps += 1;
        let adam = Adam::new(rate, self.steps);
        let moments = &mut self.moments;
        // Moved, not cloned: a clone would share the weights' memory.
        self.network = self.network.take().map(|network| {
            params::edit(network, |at, _, values| {
                let [first, second] = &mut moments[at];
                adam.dense(values, first, second, &gradients[at]);
            })
        });
        loss
    }

    fn state(&self) -> State {
        State { weights: params::named(self.network()), moments: self.moments.clone(), steps: self.steps }
    }

    fn restore(&mut self, state: &State) {
        self.moments.clone_from(&state.moments);
        self.steps = state.steps;
        let network = self.network.take();
        self.network = network
            .map(|network| params::edit(network, |at, _, values| values.copy_from_slice(&state.weights[at].values)));
    }

    /// Where the network lives.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// Probabilities `[posts, classes]` of the posts of `batches`, in the order of the posts.
pub fn probabilities(network: &Deepgeo, batches: &[(Vec<usize>, Batch)], classes: usize) -> Vec<f32> {
    let posts = batches.iter().map(|(posts, _)| posts.len()).sum::<usize>();
    let mut out = vec![0.0; posts * classes];
    for (posts, batch) in batches {
        let values = rayon::scope(|_| params::values(network.forward(batch, None).exp()));
        for (&post, row) in posts.iter().zip(values.chunks(classes)) {
            out[post * classes..][..classes].copy_from_slice(row);
        }
    }
    out
}

/// A score on held-out posts: share of right answers, and among equals the mean log-loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean of minus the logarithm of the right answer's probability.
    pub loss: f64,
}

impl Score {
    fn better(&self, other: &Score) -> bool {
        self.accuracy > other.accuracy || (self.accuracy == other.accuracy && self.loss < other.loss)
    }
}

/// Trains a network on `train` with the classes of its posts, scored after each epoch by `score`; the best weights, the curve,
/// and why it stopped.
///
/// # Errors
/// If the loss stops being a number, or the person stops the work.
pub fn train(
    sizes: &Sizes,
    settings: &Settings,
    train: &[(Vec<usize>, Batch)],
    classes: &[u32],
    score: &dyn Fn(&Deepgeo) -> Score,
    progress: &dyn Progress,
) -> Result<(Deepgeo, Vec<CurvePoint>, String)> {
    let device = Device::flex();
    let mut trainer = Trainer::new(Deepgeo::new(sizes, settings.seed, &device), &device);
    let (mut best, mut best_epoch, mut curve) = (None::<(Score, State)>, 0, Vec::new());
    let task = progress.task("Deepgeo", Some(settings.epochs as u64), "epochs");
    let mut why = format!("all {} epochs done", settings.epochs);
    for epoch in 1..=settings.epochs {
        let mut order: Vec<usize> = (0..train.len()).collect();
        Rng::new(settings.seed, &[label("deepgeo order"), epoch as u64]).shuffle(&mut order);
        let (mut sum, mut posts) = (0.0, 0);
        for &at in &order {
            if progress.interrupted() {
                return Err(Error::interrupted("stopped while Deepgeo was in training"));
            }
            let (members, batch) = &train[at];
            let of: Vec<u32> = members.iter().map(|&post| classes[post]).collect();
            let keep = dropout(settings, [epoch, at], members.len() * sizes.joined());
            sum += trainer.step(batch, &of, Some(keep), settings.rate) * members.len() as f64;
            posts += members.len();
        }
        let mean = sum / posts.max(1) as f64;
        if !mean.is_finite() {
            return Err(Error::input(format!("Deepgeo's loss is not a number in epoch {epoch}"))
                .help("lower its learning rate: --set deepgeo.rate=1e-4"));
        }
        let now = score(trainer.network());
        curve.push(CurvePoint { epoch: epoch as f64, loss: mean, score: now.accuracy });
        task.advance(1);
        if best.as_ref().is_none_or(|(best, _)| now.better(best)) {
            best = Some((now, trainer.state()));
            best_epoch = epoch;
        } else if epoch - best_epoch >= settings.patience {
            why = format!("no better for {} epochs", settings.patience);
            break;
        } else if let (true, Some((_, state))) = (settings.restore, &best) {
            trainer.restore(state);
        }
    }
    if let Some((_, state)) = &best {
        trainer.restore(state);
    }
    let remark = format!(
        "stopped after {} epochs of {} steps: {why}; epoch {best_epoch} kept, accuracy {:.3} on the posts for choosing",
        curve.len(),
        train.len(),
        best.map_or(0.0, |(score, _)| score.accuracy),
    );
    let network = trainer.network.take().ok_or_else(|| Error::internal("a step lost the network"))?;
    Ok((network, curve, remark))
}

/// Factors of dropout: 0, or 1 / keep.
fn dropout(settings: &Settings, [epoch, batch]: [usize; 2], length: usize) -> Vec<f32> {
    let mut rng = Rng::new(settings.seed, &[label("deepgeo dropout"), epoch as u64, batch as u64]);
    (0..length).map(|_| if rng.f32() < settings.keep { 1.0 / settings.keep } else { 0.0 }).collect()
}
