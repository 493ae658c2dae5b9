//! The network, its losses, every gradient and three Adam steps agree with PyTorch (`reference/model.py`).

use std::collections::BTreeMap;

use quintet::config::{Average, LossKind};
use quintet::features::Dense;
use quintet::model::{Batch, DenseRows, NamedTensor, Network, Sequences, Shapes};
use quintet::train::{Optimiser, StepSettings};
use quintet::{Component, Config, PerComponent};
use serde::Deserialize;

type Named = BTreeMap<String, Vec<f32>>;

#[derive(Deserialize)]
struct Reference {
    words: usize,
    word_dim: usize,
    image_dim: usize,
    user_dim: usize,
    dim: usize,
    margin: f64,
    temperature: f64,
    learning_rate: f64,
    clip: f64,
    batches: Vec<Posts>,
    start: Named,
    vectors: BTreeMap<Component, Vec<f32>>,
    cases: Vec<Case>,
    steps: Vec<Steps>,
}

#[derive(Deserialize)]
struct Posts {
    size: usize,
    /// Content keys per post in the fixed order of components.
    keys: Vec<[u64; 5]>,
    text: Texts,
    image: Rows,
    hashtags: Rows,
    location: Texts,
    user: Rows,
}

#[derive(Deserialize)]
struct Texts {
    rows: Vec<u32>,
    texts: Vec<Vec<Vec<u32>>>,
}

#[derive(Deserialize)]
struct Rows {
    rows: Vec<u32>,
    values: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Case {
    components: Vec<Component>,
    kind: LossKind,
    average: Average,
    /// With a bag of words in the text branches.
    bag: bool,
    losses: BTreeMap<Component, f64>,
    gradients: Named,
}

#[derive(Deserialize)]
struct Steps {
    kind: LossKind,
    average: Average,
    bag: bool,
    norms: Vec<f64>,
    weights: Named,
}

impl Texts {
    /// Distinct texts once.
    fn sequences(&self) -> Sequences {
        let mut sequences = Sequences { rows: self.rows.clone(), ..Sequences::default() };
        let mut known = BTreeMap::new();
        for list in &self.texts {
            let members: Vec<u32> = list
                .iter()
                .map(|text| {
                    *known.entry(text.clone()).or_insert_with(|| {
                        sequences.tokens.push(text.iter().copied());
                        sequences.tokens.len() as u32 - 1
                    })
                })
                .collect();
            sequences.members.push(members);
        }
        sequences
    }
}

impl Rows {
    fn dense(&self, dim: usize) -> DenseRows {
        DenseRows { rows: self.rows.clone(), values: Dense { dim, values: self.values.concat() } }
    }
}

impl Reference {
    fn read() -> Reference {
        serde_json::from_str(include_str!("reference/model.json")).expect("reference/model.py wrote it")
    }

    fn batch(&self, at: usize) -> Batch {
        let posts = &self.batches[at];
        Batch {
            size: posts.size,
            text: posts.text.sequences(),
            image: posts.image.dense(self.image_dim),
            hashtags: posts.hashtags.dense(self.word_dim),
            location: posts.location.sequences(),
            user: posts.user.dense(self.user_dim),
            keys: posts.keys.iter().map(|&keys| PerComponent(keys)).collect(),
        }
    }

    /// A network with the reference's weights.
    fn network(&self, components: &[Component], bag: bool) -> Network {
        let mut config = Config { components: components.to_vec(), ..Config::default() };
        config.model.dim = self.dim;
        config.model.bag_of_words = bag;
        config.loss.temperature = self.temperature;
        let shapes =
            Shapes { words: self.words, word_dim: self.word_dim, image_dim: self.image_dim, user_dim: self.user_dim };
        let rows = Dense { dim: self.word_dim, values: vec![0.0; self.words * self.word_dim] };
        let mut network = Network::new(&config, shapes, &rows);
        let start = |tensor: NamedTensor| match self.start.get(&tensor.name) {
            Some(values) => NamedTensor { values: values.clone(), ..tensor },
            None => tensor,
        };
        let tensors: Vec<NamedTensor> = network.tensors().into_iter().map(start).collect();
        network.load(&tensors).expect("same names and shapes");
        network
    }

    fn settings(&self, kind: LossKind, average: Average) -> StepSettings {
        StepSettings {
            learning_rate: self.learning_rate,
            clip: self.clip,
            kind,
            average,
            margin: self.margin,
            mask_duplicates: true,
        }
    }
}

/// `got` differs from `want` by at most 1e-5 of the length of `want`.
fn assert_close(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let off = length(&mut got.iter().zip(want).map(|(g, w)| f64::from(*g) - f64::from(*w)));
    let size = length(&mut want.iter().map(|w| f64::from(*w)));
    assert!(off <= 1e-5 * size + 1e-9, "{what}: off by {off:e} at length {size:e}");
}

fn assert_all_close(what: &str, got: &[NamedTensor], want: &Named) {
    let names: Vec<&String> = got.iter().map(|t| &t.name).collect();
    assert_eq!(names.len(), want.len(), "{what}: {names:?} against {:?}", want.keys());
    for tensor in got {
        assert_close(&format!("{what}, {}", tensor.name), &tensor.values, &want[&tensor.name]);
    }
}

#[test]
fn vectors() {
    let reference = Reference::read();
    let vectors = reference.network(&Component::ALL, false).embed(&reference.batch(0));
    for (component, want) in &reference.vectors {
        assert_close(component.name(), &vectors[*component].values, want);
    }
}

#[test]
fn losses_and_gradients() {
    let reference = Reference::read();
    for case in &reference.cases {
        let what = format!("{:?} {:?} {:?}, bag {}", case.components, case.kind, case.average, case.bag);
        let network = reference.network(&case.components, case.bag);
        let settings = reference.settings(case.kind, case.average);
        let (report, gradients) = Optimiser::new(&network).gradients(&network, &reference.batch(0), &settings);
        for (component, loss) in report.losses.iter() {
            let want = case.losses.get(&component).copied().unwrap_or(0.0);
            assert!((loss - want).abs() <= 1e-5 * want.abs(), "{what}: loss of {component} is {loss}, not {want}");
        }
        assert_all_close(&what, &gradients, &case.gradients);
    }
}

/// Three different batches, in the last of which no post has an author; every gradient is clipped.
#[test]
fn three_adam_steps() {
    let reference = Reference::read();
    for steps in &reference.steps {
        let what = format!("three steps of {:?}, bag {}", steps.kind, steps.bag);
        let mut network = reference.network(&Component::ALL, steps.bag);
        let mut optimiser = Optimiser::new(&network);
        for (at, want) in steps.norms.iter().enumerate() {
            let settings = reference.settings(steps.kind, steps.average);
            let norm = optimiser.step(&mut network, &reference.batch(at), &settings).gradient_norm;
            assert!((norm - want).abs() < 1e-5 * want, "{what}: norm {norm} at step {at}, not {want}");
        }
        assert_all_close(&what, &network.tensors(), &steps.weights);
    }
}
