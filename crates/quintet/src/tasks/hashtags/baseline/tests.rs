//! Co-Attention against PyTorch: features, loss, gradients, a step of Adam (`reference/coattention.py`).

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use serde::Deserialize;

use super::network::{Batch, CoAttention};
use super::settings::{Guide, Settings};
use super::training::{Trainer, load};
use crate::features::{Dense, Ragged};
use crate::model::network::NamedTensor;
use crate::model::params;
use crate::train::moments::Gradient;

#[derive(Deserialize)]
struct Reference {
    region: usize,
    attention: usize,
    dim: usize,
    learning_rate: f64,
    words: Vec<Vec<u32>>,
    tags: Vec<Vec<u32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    concatenate: bool,
    regions: Vec<Option<Vec<f32>>>,
    weights: BTreeMap<String, Weight>,
    features: Vec<f32>,
    loss: f64,
    gradients: BTreeMap<String, Vec<f32>>,
    after: BTreeMap<String, Vec<f32>>,
}

#[derive(Deserialize)]
struct Weight {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn ragged(lists: &[Vec<u32>]) -> Ragged<u32> {
    let mut all = Ragged::default();
    lists.iter().for_each(|list| all.push(list.iter().copied()));
    all
}

fn close(name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{name}");
    let length = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let (off, of) = (length(&mut got.iter().zip(want).map(|(a, b)| a - b)), length(&mut want.iter().copied()));
    // The floor is the rounding of what a softmax cancels: exact zeros in the reference.
    assert!(off <= 1e-5 * of + 1e-7, "{name} is off by {off:e} of {of:e}");
}

/// The network of a case, its batch and tags.
fn setting(reference: &Reference, case: &Case) -> (CoAttention, Batch) {
    let settings = Settings {
        dim: reference.dim,
        attention: reference.attention,
        guide: if case.concatenate { Guide::Concatenate } else { Guide::Add },
        ..Settings::default()
    };
    let of = |name: &str| &case.weights[name];
    let rows = Dense { dim: of("embedding.weight").shape[1], values: of("embedding.weight").values.clone() };
    let with_images = case.regions.iter().any(Option::is_some);
    let classes = of("output.bias").shape[0];
    let region = with_images.then_some(reference.region);
    let network = CoAttention::new(&rows, region, classes, &settings, &Device::flex());
    let tensor = |(name, weight): (&String, &Weight)| NamedTensor {
        name: name.clone(),
        shape: weight.shape.clone(),
        values: weight.values.clone(),
    };
    let tensors: Vec<NamedTensor> = case.weights.iter().map(tensor).collect();
    let network = load(network, &tensors).unwrap();
    let mut regions = Dense::new(reference.region);
    let mut offsets = vec![0];
    for of_post in &case.regions {
        regions.values.extend(of_post.iter().flatten());
        offsets.push(regions.len());
    }
    (network, Batch::new(&ragged(&reference.words), regions, offsets))
}

#[test]
fn features_loss_gradients_and_a_step_are_pytorchs() {
    let text = include_str!("../../../../tests/reference/coattention.json");
    let reference: Reference = serde_json::from_str(text).unwrap();
    let tags = Arc::new(ragged(&reference.tags));
    assert_eq!(reference.cases.len(), 3);
    for case in &reference.cases {
        let (network, batch) = setting(&reference, case);
        let device = Device::flex();
        close("features", &params::values(network.forward(&batch, None, &device).features), &case.features);

        let mut trainer = Trainer::new(network, &device);
        let (loss, gradients) = trainer.gradients(&batch, &tags, None);
        assert!((loss / case.loss - 1.0).abs() < 1e-5, "loss {loss} instead of {}", case.loss);
        let names = params::shapes(trainer.network());
        let mut found: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        for ((name, shape), gradient) in names.iter().zip(gradients) {
            let dense = match gradient {
                Gradient::Zero => vec![0.0; shape.iter().product()],
                Gradient::Dense(values) => values,
                Gradient::Rows(rows, some) => {
                    let mut values = vec![0.0; shape.iter().product()];
                    for (row, some) in rows.iter().zip(some.chunks(shape[1])) {
                        values[*row as usize * shape[1]..][..shape[1]].copy_from_slice(some);
                    }
                    values
                }
            };
            close(name, &dense, &case.gradients[name]);
            found.insert(name.clone(), dense);
        }

        let before = trainer.step(&batch, &tags, None, reference.learning_rate);
        assert_eq!(before, loss);
        for tensor in trainer.tensors() {
            // A weight without gradient must not move; one with a tiny gradient, as rounding leaves where parts cancel, moves by
            // the whole rate whichever its sign.
            let gradients = case.gradients[&tensor.name].iter().zip(&found[&tensor.name]);
            let sure: Vec<bool> =
                gradients.map(|(theirs, ours)| theirs.abs() > 1e-6 || (*theirs == 0.0 && *ours == 0.0)).collect();
            let sure = |values: &[f32]| -> Vec<f32> {
                values.iter().zip(&sure).filter(|(_, sure)| **sure).map(|(v, _)| *v).collect()
            };
            close(&tensor.name, &sure(&tensor.values), &sure(&case.after[&tensor.name]));
        }
    }
}

/// As printed, with the guide side by side, the guide's weights never learn: the softmax cancels their part.
#[test]
fn a_concatenated_guide_guides_nothing() {
    let text = include_str!("../../../../tests/reference/coattention.json");
    let reference: Reference = serde_json::from_str(text).unwrap();
    let largest = |case: &Case, name: &str| case.gradients[name].iter().fold(0f32, |most, g| most.max(g.abs()));
    assert!(largest(&reference.cases[1], "image.attention.guide") < 1e-9);
    assert!(largest(&reference.cases[0], "image.attention.guide") > 1e-4);
}
