//! `step FILE f32|bf16 [DEVICE]` and `embed FILE f32|bf16 [DEVICE]`: a training step on, and the vectors of, the batches
//! of a file.
//!
//! The file holds the weights by their names in a model folder, and for batch i the arrays `i.text.tokens`,
//! `i.text.lengths`, `i.location.tokens`, `i.location.lengths` (equally many neighbour texts for each post), `i.image`,
//! `i.hashtags` and `i.user`; every post has every component.

use std::collections::HashMap;
use std::path::Path;

use quintet::config::{Average, LossKind, Precision};
use quintet::features::Dense;
use quintet::model::{Batch, DenseRows, NamedTensor, Network, Sequences, Shapes};
use quintet::train::{Optimiser, StepSettings};
use quintet::{Config, Device, PerComponent};
use serde_json::json;

use crate::arrays::Arrays;
use crate::{Failure, Work, argument};

/// A training step with the published loss; batches in turn.
pub fn step(arguments: &[String]) -> Result<Work, Failure> {
    let (mut network, batches) = network(arguments)?;
    let settings = StepSettings {
        learning_rate: 2e-4,
        clip: 2.0,
        kind: LossKind::MaxOfHinges,
        average: Average::IncludeSelf,
        margin: 0.2,
        mask_duplicates: false,
    };
    let mut optimiser = Optimiser::new(&network);
    let mut at = 0;
    Ok(Box::new(move || {
        // A user's step starts from token lists and features, so making the batch of them counts.
        let report = optimiser.step(&mut network, &batches[at % batches.len()].batch()?, &settings);
        at += 1;
        let device = network.device();
        // A card's last products may still be under way.
        device.finish()?;
        Ok(json!({
            "loss": report.losses.0.iter().sum::<f64>(), "gradient_norm": report.gradient_norm, "device": device.name(),
            "software": device.is_software(),
        }))
    }))
}

/// Vectors of all components; batches in turn.
pub fn embed(arguments: &[String]) -> Result<Work, Failure> {
    let (network, batches) = network(arguments)?;
    let mut at = 0;
    Ok(Box::new(move || {
        let batch = batches[at % batches.len()].batch()?;
        let vectors = network.embed(&batch);
        at += 1;
        let sums: Vec<f64> = vectors.0.iter().map(|v| v.values.iter().map(|&x| f64::from(x)).sum()).collect();
        Ok(json!({ "posts": batch.size, "sums": sums }))
    }))
}

fn network(arguments: &[String]) -> Result<(Network, Vec<Posts>), Failure> {
    let path: String = argument(arguments, 0, "the file")?;
    let folder = Path::new(&path);
    let weights = Arrays::open(&folder.join("weights.safetensors"))?;
    let mut config = Config::default();
    config.model.precision = match argument::<String>(arguments, 1, "f32 or bf16")?.as_str() {
        "bf16" => Precision::Bf16,
        _ => Precision::F32,
    };
    let mut tensors = Vec::new();
    for name in weights.names()? {
        tensors.push(weights.floats(&name)?);
    }
    let shape = |name: &str| -> Result<Vec<usize>, Failure> {
        let found: Option<&NamedTensor> = tensors.iter().find(|t| t.name == name);
        Ok(found.ok_or_else(|| format!("no `{name}`"))?.shape.clone())
    };
    let (table, image) = (shape("text.embedding.weight")?, shape("image.fc.weight")?);
    config.model.dim = image[0];
    let (words, word_dim) = (table[0], table[1]);
    let shapes = Shapes { words, word_dim, image_dim: image[1], user_dim: shape("user.fc.weight")?[1] };
    let rows = Dense { dim: word_dim, values: vec![0.0; words * word_dim] };
    let device = Device::open(arguments.get(2).map_or("cpu", String::as_str))?;
    let mut network = Network::new_on(&config, shapes, &rows, &device);
    // The loss's own numbers are no part of the peer's model.
    tensors.extend(network.tensors().into_iter().filter(|t| t.name.starts_with("loss.")));
    network.load(&tensors)?;
    let mut batches = Vec::new();
    while let Ok(arrays) = Arrays::open(&folder.join(format!("batch{}.safetensors", batches.len()))) {
        batches.push(Posts::read(&arrays)?);
    }
    if batches.is_empty() {
        return Err(format!("{path} has no batch0.safetensors").into());
    }
    Ok((network, batches))
}

/// What a batch is made of.
struct Posts {
    /// Tokens one after the other, and the length of every text.
    text: (Vec<u32>, Vec<u32>),
    location: (Vec<u32>, Vec<u32>),
    image: DenseRows,
    hashtags: DenseRows,
    user: DenseRows,
}

impl Posts {
    fn read(arrays: &Arrays) -> Result<Posts, Failure> {
        let dense = |name: &str| -> Result<DenseRows, Failure> {
            let tensor = arrays.floats(name)?;
            let rows = (0..tensor.shape[0] as u32).collect();
            Ok(DenseRows { rows, values: Dense { dim: tensor.shape[1], values: tensor.values } })
        };
        let texts = |name: &str| -> Result<_, Failure> {
            Ok((arrays.numbers(&format!("{name}.tokens"))?, arrays.numbers(&format!("{name}.lengths"))?))
        };
        Ok(Posts {
            text: texts("text")?,
            location: texts("location")?,
            image: dense("image")?,
            hashtags: dense("hashtags")?,
            user: dense("user")?,
        })
    }

    fn batch(&self) -> Result<Batch, Failure> {
        let size = self.image.rows.len();
        Ok(Batch {
            size,
            text: sequences(&self.text, size)?,
            image: self.image.clone(),
            hashtags: self.hashtags.clone(),
            location: sequences(&self.location, size)?,
            user: self.user.clone(),
            keys: vec![PerComponent::default(); size],
        })
    }
}

/// Distinct texts once, in the order of their first places.
fn sequences((tokens, lengths): &(Vec<u32>, Vec<u32>), posts: usize) -> Result<Sequences, Failure> {
    let mut rest = &tokens[..];
    let mut known: HashMap<&[u32], u32> = HashMap::new();
    let mut sequences = Sequences { rows: (0..posts as u32).collect(), ..Sequences::default() };
    for texts in lengths.chunks(lengths.len() / posts) {
        let mut members = Vec::new();
        for &length in texts {
            let (text, after) = rest.split_at_checked(length as usize).ok_or("fewer tokens than the lengths say")?;
            rest = after;
            let next = known.len() as u32;
            members.push(*known.entry(text).or_insert_with(|| {
                sequences.tokens.push(text.iter().copied());
                next
            }));
        }
        sequences.members.push(members);
    }
    Ok(sequences)
}
