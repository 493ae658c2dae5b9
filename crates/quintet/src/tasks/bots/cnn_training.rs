//! Trains the text CNN: Kim's settings, the best epoch on a tenth of the training items, one model a fold.

use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::cnn::{Adadelta, Batch, Shape, TextCnn, loss};
use super::folds;
use crate::error::{Error, Result};
use crate::metrics::Binary;
use crate::progress::Progress;

/// Settings of the text CNN and its training; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CnnSettings {
    /// Heights of the filters.
    pub windows: Vec<usize>,
    /// Feature maps of each window.
    pub maps: usize,
    /// Folds, and so models, whose probabilities are averaged.
    pub folds: usize,
    /// Items a step; the last step of an epoch is filled with items drawn anew.
    pub batch: usize,
    /// Chance that a feature is dropped in training.
    pub dropout: f64,
    /// Longest weight vector of a class in the softmax layer.
    pub max_norm: f32,
    /// Epochs that are always trained (Kim: 25 in all).
    pub least_epochs: usize,
    /// Epochs after which training ends even if it still improves.
    pub most_epochs: usize,
    /// Training ends after so many epochs without a better dev accuracy, once `least_epochs` are done.
    pub patience: usize,
    /// Seed of folds, first weights, order and dropout.
    pub seed: u64,
}

impl Default for CnnSettings {
    fn default() -> Self {
        CnnSettings {
            windows: vec![2, 3, 4],
            maps: 300,
            folds: 5,
            batch: 50,
            dropout: 0.5,
            max_norm: 3.0,
            least_epochs: 25,
            most_epochs: 100,
            patience: 10,
            seed: 1,
        }
    }
}

/// Items to learn from: each the vectors of up to n posts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Items {
    /// Numbers of a post's vector.
    pub dim: usize,
    /// Each item's rows, `[posts, dim]`.
    pub rows: Vec<Vec<f32>>,
    /// Which items are bots.
    pub bots: Vec<bool>,
    /// Items of one group are never divided between folds, nor between training and dev.
    pub groups: Vec<u32>,
}

impl Items {
    /// Appends an item.
    pub fn push(&mut self, rows: Vec<f32>, bot: bool, group: u32) {
        self.rows.push(rows);
        self.bots.push(bot);
        self.groups.push(group);
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without items.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// How the training of one model went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Mean training loss of each epoch.
    pub loss: Vec<f64>,
    /// Accuracy on the dev tenth after each epoch.
    pub dev: Vec<f64>,
    /// The epoch (from 1) whose weights were kept.
    pub best: usize,
    /// Why training ended.
    pub stopped: String,
}

/// One model a fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CnnEnsemble {
    /// The models, in the order of their folds.
    pub models: Vec<TextCnn>,
    /// Their training.
    pub curves: Vec<Curve>,
    /// Fold of each training item, the one whose model did not see it.
    pub folds: Vec<usize>,
}

impl CnnEnsemble {
    /// Trains one model a fold, each on the items of the other folds.
    ///
    /// # Errors
    /// If there is nothing to learn (no items, one class only) or the person stops the work.
    pub fn train(items: &Items, settings: &CnnSettings, progress: &dyn Progress) -> Result<CnnEnsemble> {
        if !items.bots.contains(&true) || !items.bots.contains(&false) {
            return Err(Error::input("the text CNN needs training items of both classes, bots and humans"));
        }
        let folds = folds::assign(&items.groups, &items.bots, settings.folds, settings.seed);
        let (mut models, mut curves) = (Vec::new(), Vec::new());
        let task = progress.task("text CNN", Some(settings.folds as u64), "folds");
        for fold in 0..settings.folds {
            let others: Vec<usize> = (0..items.len()).filter(|&i| folds[i] != fold || settings.folds == 1).collect();
            let (model, curve) = train_one(items, &others, settings, fold as u64, progress)?;
            models.push(model);
            curves.push(curve);
            task.advance(1);
        }
        Ok(CnnEnsemble { models, curves, folds })
    }

    /// P(bot) of each item: mean over the models.
    pub fn predict(&self, rows: &[Vec<f32>]) -> Vec<f64> {
        let mut sum = vec![0.0; rows.len()];
        for model in &self.models {
            let scores = model.predict(rows.iter().map(Vec::as_slice));
            sum.iter_mut().zip(scores).for_each(|(s, p)| *s += p / self.models.len() as f64);
        }
        sum
    }

    /// P(bot) of each training item from the model that did not see it.
    pub fn out_of_fold(&self, items: &Items) -> Vec<f64> {
        let mut out = vec![0.0; items.len()];
        for (fold, model) in self.models.iter().enumerate() {
            let held: Vec<usize> = (0..items.len()).filter(|&i| self.folds[i] == fold).collect();
            let scores = model.predict(held.iter().map(|&i| items.rows[i].as_slice()));
            held.into_iter().zip(scores).for_each(|(i, p)| out[i] = p);
        }
        out
    }
}

/// Trains one model on `chosen`, of which a tenth decides which epoch's weights are kept.
fn train_one(
    items: &Items,
    chosen: &[usize],
    settings: &CnnSettings,
    fold: u64,
    progress: &dyn Progress,
) -> Result<(TextCnn, Curve)> {
    let groups: Vec<u32> = chosen.iter().map(|&i| items.groups[i]).collect();
    let bots: Vec<bool> = chosen.iter().map(|&i| items.bots[i]).collect();
    let tenths = folds::assign(&groups, &bots, 10, settings.seed.wrapping_add(fold));
    let part = |dev: bool| -> Vec<usize> {
        chosen.iter().zip(&tenths).filter(|(_, t)| (**t == 0) == dev).map(|(i, _)| *i).collect()
    };
    let (train, dev) = (part(false), part(true));
    let longest = items.rows.iter().map(|r| r.len() / items.dim.max(1)).max().unwrap_or(0);
    let shape = Shape { dim: items.dim, rows: longest, windows: settings.windows.clone(), maps: settings.maps };
    let mut model = TextCnn::new(shape.clone(), settings.seed.wrapping_add(fold));
    let mut adadelta = Adadelta::new(&shape, 0.95, 1e-6, settings.max_norm);
    let mut curve = Curve::default();
    let (mut best, mut best_at, mut improved) = (model.clone(), (f64::NEG_INFINITY, f64::INFINITY), 0);
    while curve.dev.len() < settings.most_epochs {
        if progress.interrupted() {
            return Err(Error::interrupted("stopped while training the text CNN; nothing to resume"));
        }
        let epoch = curve.dev.len() as u64;
        curve.loss.push(one_epoch(&mut model, &mut adadelta, items, &train, settings, [fold, epoch]));
        // Epochs with equally many right answers are told apart by the loss: the dev part is small.
        let now = score(&model, items, &dev);
        curve.dev.push(now.0);
        if now.0 > best_at.0 || (now.0 == best_at.0 && now.1 < best_at.1) {
            if now.0 > best_at.0 {
                improved = curve.dev.len();
            }
            (best, best_at, curve.best) = (model.clone(), now, curve.dev.len());
        }
        if curve.dev.len() >= settings.least_epochs.max(improved + settings.patience) {
            curve.stopped = format!("no better dev accuracy in the last {} epochs", curve.dev.len() - improved);
            return Ok((best, curve));
        }
    }
    curve.stopped = format!("the limit of {} epochs", settings.most_epochs);
    Ok((best, curve))
}

/// Accuracy and loss on `chosen`.
fn score(model: &TextCnn, items: &Items, chosen: &[usize]) -> (f64, f64) {
    let scores = model.predict(chosen.iter().map(|&i| items.rows[i].as_slice()));
    let truth: Vec<bool> = chosen.iter().map(|&i| items.bots[i]).collect();
    let nats = scores.iter().zip(&truth).map(|(p, t)| -(if *t { *p } else { 1.0 - p }).max(1e-12).ln());
    (Binary::of(&scores, &truth, 0.5).accuracy, nats.sum::<f64>() / chosen.len().max(1) as f64)
}

/// One pass over `train` in a new order; the mean loss.
fn one_epoch(
    model: &mut TextCnn,
    adadelta: &mut Adadelta,
    items: &Items,
    train: &[usize],
    settings: &CnnSettings,
    [fold, epoch]: [u64; 2],
) -> f64 {
    let mut order = train.to_vec();
    let mut rng = Rng::new(settings.seed, &[label("text cnn order"), fold, epoch]);
    rng.shuffle(&mut order);
    while !order.is_empty() && !order.len().is_multiple_of(settings.batch) {
        order.push(train[rng.index(train.len())]);
    }
    let mut total = 0.0;
    for (step, batch) in order.chunks(settings.batch).enumerate() {
        let x = Batch::of(&model.shape, batch.iter().map(|&i| items.rows[i].as_slice()));
        let classes: Vec<u8> = batch.iter().map(|&i| u8::from(items.bots[i])).collect();
        let mut rng = Rng::new(settings.seed, &[label("text cnn dropout"), fold, epoch, step as u64]);
        let keep = 1.0 / (1.0 - settings.dropout as f32);
        let mask: Vec<f32> = (0..batch.len() * model.shape.features())
            .map(|_| if rng.chance(settings.dropout) { 0.0 } else { keep })
            .collect();
        let saved = model.forward(&x, Some(&mask));
        total += loss(&saved.probabilities, &classes);
        let grads = model.backward(&x, Some(&mask), &saved, &classes);
        adadelta.step(&mut model.weights, &grads);
    }
    total / order.len().div_ceil(settings.batch).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    /// Two kinds of posts in either order: the mean of an item's rows says nothing, windows of two rows all.
    fn order_task(count: usize, seed: u64) -> Items {
        let mut rng = Rng::new(seed, &[]);
        let mut items = Items { dim: 4, ..Items::default() };
        for i in 0..count {
            let bot = i % 2 == 0;
            let mut rows: Vec<f32> = (0..6 * 4).map(|_| rng.uniform(-0.1, 0.1)).collect();
            let at = rng.index(5);
            let (first, second) = if bot { (0, 1) } else { (1, 0) };
            rows[at * 4 + first] += 1.0;
            rows[(at + 1) * 4 + second] += 1.0;
            items.push(rows, bot, i as u32);
        }
        items
    }

    fn settings() -> CnnSettings {
        CnnSettings {
            windows: vec![2, 3],
            maps: 24,
            folds: 2,
            batch: 20,
            least_epochs: 10,
            most_epochs: 60,
            ..Default::default()
        }
    }

    #[test]
    fn learns_an_order_that_means_do_not_show() {
        let (train, test) = (order_task(400, 1), order_task(100, 2));
        let ensemble = CnnEnsemble::train(&train, &settings(), &Silent::default()).unwrap();
        let accuracy = Binary::of(&ensemble.predict(&test.rows), &test.bots, 0.5).accuracy;
        assert!(accuracy > 0.95, "{accuracy}, {:?}", ensemble.curves);
        let held = Binary::of(&ensemble.out_of_fold(&train), &train.bots, 0.5).accuracy;
        assert!(held > 0.95, "out of fold: {held}");
        assert!(ensemble.curves.iter().all(|c| c.dev.len() == c.loss.len() && !c.stopped.is_empty()));
    }

    #[test]
    fn one_class_is_refused() {
        let mut items = order_task(20, 1);
        items.bots.fill(true);
        let error = CnnEnsemble::train(&items, &settings(), &Silent::default()).unwrap_err();
        assert!(error.to_string().contains("both classes"));
        assert!(CnnEnsemble::train(&Items::default(), &settings(), &Silent::default()).is_err());
    }

    #[test]
    fn the_same_seed_gives_the_same_weights_at_any_thread_count() {
        let items = order_task(60, 3);
        let short = CnnSettings { least_epochs: 2, most_epochs: 2, ..settings() };
        let train = || CnnEnsemble::train(&items, &short, &Silent::default()).unwrap();
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(train);
        assert_eq!(alone, train());
    }
}
