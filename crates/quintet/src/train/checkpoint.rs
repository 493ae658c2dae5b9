//! `RUN/last.safetensors`: everything from which training goes on as if it had never stopped, in one file.
//!
//! One file, because it is replaced by one rename: a kill at any moment leaves either the old state or the new one, whole.
//! The log is cut to the length that the checkpoint recorded. The best model is always written before the checkpoint
//! that knows of it, so it may be newer than the checkpoint but never older; the steps between are the same again after
//! a resume, and so is the model.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::log::Direction;
use super::optimiser::Optimiser;
use super::tensors;
use crate::component::PerComponent;
use crate::error::{Error, Result};
use crate::features::Dataset;
use crate::model::Network;

/// Name of the checkpoint in a run folder.
pub const FILE: &str = "last.safetensors";
/// Version of the checkpoint's layout and of what the steps after it depend on; 2: neighbours are drawn otherwise.
const FORMAT: u32 = 2;
/// Prefixes that keep the two sets of tensors apart.
const NETWORK: &str = "network.";
const OPTIMISER: &str = "optimiser.";

/// Where training stands, apart from the tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Version of the layout.
    pub format: u32,
    /// Steps done. Epoch and position in it follow from this number.
    pub step: usize,
    /// Validations done.
    pub validations: usize,
    /// The best validation so far.
    pub best: Option<Best>,
    /// Steps in a row in which each component looked collapsed.
    pub collapsed_for: PerComponent<u32>,
    /// Length of the log in bytes.
    pub log_bytes: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Whether training has ended.
    pub finished: bool,
    /// The numbers that training works on.
    pub data: DataId,
    /// The configuration as TOML.
    pub config: String,
}

/// A validation that was better than all before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps done.
    pub step: usize,
    /// Number of the validation, from 1.
    pub validation: usize,
    /// Bits of the sum of recalls: JSON may lose the last bit of a float, and the comparison must stay exact.
    pub sum_bits: u64,
    /// Figures per direction.
    pub directions: Vec<Direction>,
}

impl Best {
    /// Sum of the recalls in percent.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.sum_bits)
    }
}

/// What a dataset is, so that a resume with another one is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataId {
    /// Name of the corpus.
    pub corpus: String,
    /// Posts in the training and dev parts.
    pub posts: usize,
    /// Hash of all numbers, in hex.
    pub hash: String,
}

impl DataId {
    /// The identity of `dataset`.
    pub fn of(corpus: &str, dataset: &Dataset) -> DataId {
        let mut hasher = blake3::Hasher::new();
        let mut list = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        for (i, id) in dataset.ids.iter().enumerate() {
            list(id.as_bytes());
            list(&[dataset.parts[i].map_or(0, |p| p as u8 + 1)]);
            list(&dataset.status[i].0.map(|s| s as u8));
            list(bytemuck::cast_slice(&dataset.keys[i].0));
        }
        for ragged in [&dataset.text, &dataset.places, &dataset.neighbours, &dataset.excluded] {
            list(bytemuck::cast_slice(&ragged.offsets));
            list(bytemuck::cast_slice(&ragged.values));
        }
        for rows in [&dataset.image, &dataset.hashtags, &dataset.location, &dataset.user] {
            list(bytemuck::cast_slice(rows));
        }
        for dense in [&dataset.images, &dataset.tags, &dataset.users] {
            list(bytemuck::cast_slice(&dense.values));
        }
        DataId { corpus: corpus.into(), posts: dataset.len(), hash: hasher.finalize().to_hex()[..32].to_string() }
    }

    /// How this one differs from `other`, in words; `None` if it does not.
    fn difference(&self, other: &DataId) -> Option<String> {
        if self == other {
            return None;
        }
        Some(if self.corpus != other.corpus {
            format!("corpus \"{}\" instead of \"{}\"", other.corpus, self.corpus)
        } else if self.posts != other.posts {
            format!("{} training and dev posts instead of {}", other.posts, self.posts)
        } else {
            format!("the features of \"{}\" have changed", self.corpus)
        })
    }
}

/// Writes `RUN/last.safetensors`; the old one stays until the new one is whole.
///
/// # Errors
/// If the file cannot be written.
pub fn save(run: &Path, network: &Network, optimiser: &Optimiser, state: &State) -> Result<()> {
    let mut all = network.tensors();
    all.iter_mut().for_each(|t| t.name.insert_str(0, NETWORK));
    let mut moments = optimiser.tensors();
    moments.iter_mut().for_each(|t| t.name.insert_str(0, OPTIMISER));
    all.append(&mut moments);
    let note = serde_json::to_string(&State { format: FORMAT, ..state.clone() })
        .map_err(|e| Error::internal(format!("writing a checkpoint's state: {e}")))?;
    tensors::write(&run.join(FILE), &all, &note)
}

/// Restores weights and optimiser from `RUN/last.safetensors` and returns the state.
///
/// # Errors
/// If the file is missing, damaged, of a newer format, of an older one before its end, or of another network.
pub fn load(run: &Path, network: &mut Network, optimiser: &mut Optimiser) -> Result<State> {
    let path = run.join(FILE);
    let (all, note) = tensors::read(&path)?;
    let state = parse(&path, &note)?;
    let (mut weights, mut moments) = (Vec::new(), Vec::new());
    for mut tensor in all {
        if let Some(name) = tensor.name.strip_prefix(NETWORK) {
            tensor.name = name.to_string();
            weights.push(tensor);
        } else if let Some(name) = tensor.name.strip_prefix(OPTIMISER) {
            tensor.name = name.to_string();
            moments.push(tensor);
        }
    }
    network.load(&weights).map_err(|e| e.at(&path))?;
    optimiser.load(&moments).map_err(|e| e.at(&path))?;
    Ok(state)
}

fn parse(path: &Path, note: &str) -> Result<State> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let damaged = |e: serde_json::Error| Error::input(format!("not a checkpoint of a training run: {e}")).at(path);
    let version: Version = serde_json::from_str(note).map_err(damaged)?;
    if version.format > FORMAT {
        return Err(Error::input(format!("checkpoint format {}, this version reads up to {FORMAT}", version.format))
            .at(path)
            .help("resume with the version of quintet that began the run, or a newer one"));
    }
    let state: State = serde_json::from_str(note).map_err(damaged)?;
    if state.format < FORMAT && !state.finished {
        return Err(Error::input(format!(
            "begun by an older version of quintet (checkpoint format {}), whose next steps would have been others",
            state.format
        ))
        .at(path)
        .help("resume with the version of quintet that began the run, or train into another folder"));
    }
    Ok(state)
}

/// Refuses to go on from `state` with other data or another configuration.
///
/// # Errors
/// Names what differs: the corpus, or every configuration key with both values.
pub fn same_run(run: &Path, state: &State, data: &DataId, config: &crate::Config) -> Result<()> {
    let then: crate::Config = toml::from_str(&state.config)
        .map_err(|e| Error::input(format!("the checkpoint's configuration cannot be read: {e}")).at(run))?;
    let mut differences = then.differences(config);
    differences.extend(state.data.difference(data));
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::input(format!("this run was begun otherwise (then, now): {}", differences.join("; ")))
        .at(run)
        .help("resume with the configuration and corpus it was begun with, or train into another folder"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn another_configuration_or_corpus_is_named() {
        let config = Config::default();
        let data = DataId { corpus: "town".into(), posts: 10, hash: "a".into() };
        let state = State { data: data.clone(), config: config.to_toml(), ..State::default() };
        let run = Path::new("RUN");
        assert!(same_run(run, &state, &data, &config).is_ok());
        let mut other = config.clone();
        other.train.batch = 64;
        let error = same_run(run, &state, &data, &other).unwrap_err().to_string();
        assert!(error.contains("train.batch: 128, 64"), "{error}");
        for (changed, said) in [
            (DataId { corpus: "city".into(), ..data.clone() }, "corpus \"city\" instead of \"town\""),
            (DataId { posts: 11, ..data.clone() }, "11 training and dev posts instead of 10"),
            (DataId { hash: "b".into(), ..data.clone() }, "features of \"town\" have changed"),
        ] {
            let error = same_run(run, &state, &changed, &config).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_newer_format_and_the_middle_of_an_older_one_are_refused() {
        let error = parse(Path::new("a"), "{\"format\":99}").unwrap_err().to_string();
        assert!(error.contains("format 99"), "{error}");
        let note = |finished| serde_json::to_string(&State { format: 1, finished, ..State::default() }).unwrap();
        assert_eq!(parse(Path::new("a"), &note(true)).unwrap().format, 1);
        let error = parse(Path::new("a"), &note(false)).unwrap_err().to_string();
        assert!(error.contains("older version") && error.contains("another folder"), "{error}");
    }
}
