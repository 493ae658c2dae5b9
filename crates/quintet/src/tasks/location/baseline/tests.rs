//! Deepgeo against PyTorch (`reference/deepgeo.py`), and its promises.

use std::collections::BTreeMap;

use burn::tensor::Device;
use serde::Deserialize;

use super::network::{Batch, Deepgeo, Sizes};
use super::training::{Trainer, probabilities};
use crate::model::params;

#[derive(Deserialize)]
struct Reference {
    sizes: Sizes,
    length: usize,
    texts: Vec<u32>,
    times: [Vec<f32>; 3],
    zones: Vec<u32>,
    places: Vec<u32>,
    classes: Vec<u32>,
    keep: Vec<f32>,
    start: BTreeMap<String, Vec<f32>>,
    log_probabilities: Vec<f64>,
    loss: f64,
    gradients: BTreeMap<String, Vec<f64>>,
    learning_rate: f64,
    after: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    fn read() -> Reference {
        serde_json::from_str(include_str!("../../../../tests/reference/deepgeo.json")).unwrap()
    }

    fn batch(&self) -> Batch {
        let (times, zones, places) = (self.times.clone(), self.zones.clone(), self.places.clone());
        Batch::new(&self.texts, self.length, self.sizes.window, times, zones, places)
    }

    fn trainer(&self) -> Trainer {
        let device = Device::flex();
        let network = Deepgeo::new(&self.sizes, 1, &device);
        let names: Vec<String> = params::shapes(&network).into_iter().map(|(name, _)| name).collect();
        let network = params::edit(network, |at, _, values| values.copy_from_slice(&self.start[&names[at]]));
        Trainer::new(network, &device)
    }
}

/// Off by at most a hundred-thousandth of the largest.
fn close(what: &str, ours: &[f32], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() <= 1e-5 * scale + 1e-9, "{what}, value {i}: {a} instead of {b}");
    }
}

#[test]
fn values_loss_and_gradients_are_those_of_pytorch() {
    let r = Reference::read();
    let trainer = r.trainer();
    let batch = r.batch();
    let found = params::values(trainer.network().forward(&batch, Some(r.keep.clone())));
    close("log-probabilities", &found, &r.log_probabilities);
    let (loss, gradients) = trainer.gradients(&batch, &r.classes, Some(r.keep.clone()));
    assert!((loss - r.loss).abs() < 1e-5 * r.loss, "{loss} instead of {}", r.loss);
    let shapes = params::shapes(trainer.network());
    assert_eq!(shapes.len(), r.gradients.len());
    for ((name, _), gradient) in shapes.iter().zip(&gradients) {
        close(name, gradient, &r.gradients[name]);
    }
}

#[test]
fn a_step_of_adam_is_that_of_pytorch() {
    let r = Reference::read();
    let mut trainer = r.trainer();
    trainer.step(&r.batch(), &r.classes, Some(r.keep.clone()), r.learning_rate);
    for tensor in params::named(trainer.network()) {
        // The step is about the learning rate, whatever the gradient: where that is nothing but rounding its sign is not sure.
        let sure: Vec<usize> =
            (0..tensor.values.len()).filter(|&i| r.gradients[&tensor.name][i].abs() > 1e-7).collect();
        let ours: Vec<f32> = sure.iter().map(|&i| tensor.values[i]).collect();
        let expected: Vec<f64> = sure.iter().map(|&i| r.after[&tensor.name][i]).collect();
        close(&tensor.name, &ours, &expected);
    }
}

#[test]
fn the_thread_count_changes_no_bit() {
    let r = Reference::read();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = r.trainer();
            for _ in 0..3 {
                trainer.step(&r.batch(), &r.classes, None, 0.01);
            }
            params::named(trainer.network())
        })
    };
    assert!(run(1) == run(4));
}

#[test]
fn a_post_does_not_depend_on_its_batch() {
    let r = Reference::read();
    let trainer = r.trainer();
    let posts = r.zones.len();
    let together = probabilities(trainer.network(), &[((0..posts).collect(), r.batch())], r.sizes.classes);
    for i in 0..posts {
        let (text, place) = (i * r.length..(i + 1) * r.length, i * 20..(i + 1) * 20);
        let times = r.times.clone().map(|time| vec![time[i]]);
        let one =
            Batch::new(&r.texts[text], r.length, r.sizes.window, times, vec![r.zones[i]], r.places[place].to_vec());
        let alone = probabilities(trainer.network(), &[(vec![0], one)], r.sizes.classes);
        assert_eq!(alone, together[i * r.sizes.classes..][..r.sizes.classes]);
    }
}
