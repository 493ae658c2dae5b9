//! A trained model as a folder that opens by path alone and holds everything needed to embed new posts.
//!
//! ```text
//! MODEL/
//!   model.json            format version, shapes, what it was trained on
//!   config.toml           the complete configuration
//!   network.safetensors   best weights, with their step and their figures in the header
//!   features/             what `Fitted` holds (vocabulary, word vectors, users, places, encoder)
//!   README.md             model card
//! ```
//!
//! The folder is built under another name and renamed. Better weights later replace the small files one by one; step and
//! figures stand in the weights' own file, so that a kill between two files cannot give weights another's figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::batches::Plan;
use super::card;
use super::checkpoint::Best;
use super::log::Direction;
use super::run::{Job, MODEL};
use super::tensors;
use crate::atomic;
use crate::component::Component;
use crate::config::Config;
use crate::device::Device;
use crate::error::{AtPath, Error, Result};
use crate::features::{Dataset, Fitted};
use crate::model::{Network, Shapes};
use crate::posts::{Corpus, Part};

/// Version of the folder's layout.
const FORMAT: u32 = 1;
const JSON: &str = "model.json";
const CONFIG: &str = "config.toml";
const NETWORK: &str = "network.safetensors";
const FEATURES: &str = "features";
const CARD: &str = "README.md";

/// What a model was trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Name of the corpus.
    pub corpus: String,
    /// Whether the posts were made up by the town generator.
    pub synthetic: bool,
    /// Imported sources with their number of posts.
    pub sources: BTreeMap<String, u64>,
    /// How the parts were made, in words.
    pub split: Option<String>,
    /// Posts in the training part.
    pub train_posts: usize,
    /// Posts in the dev part.
    pub dev_posts: usize,
    /// Training posts that have each component of the model.
    pub train_components: BTreeMap<Component, usize>,
}

impl About {
    /// Collects it.
    pub fn of(corpus: &Corpus, config: &Config, dataset: &Dataset) -> About {
        let manifest = corpus.manifest();
        let in_part = |part| dataset.parts.iter().filter(|p| **p == Some(part)).count();
        let with = |c: Component| {
            dataset.parts.iter().zip(&dataset.status).filter(|(p, s)| **p == Some(Part::Train) && s[c].used()).count()
        };
        About {
            corpus: manifest.name.clone(),
            synthetic: manifest.synthetic,
            sources: manifest.sources.clone(),
            split: manifest.split.clone(),
            train_posts: in_part(Part::Train),
            dev_posts: in_part(Part::Dev),
            train_components: config.components.iter().map(|&c| (c, with(c))).collect(),
        }
    }
}

/// `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Version of the folder's layout.
    pub format: u32,
    /// Version of quintet that wrote it.
    pub quintet: String,
    /// Sizes that the features decided.
    pub shapes: Shapes,
    /// Seed of the run.
    pub seed: u64,
    /// What it was trained on.
    pub about: About,
    /// Training posts in use.
    pub posts: usize,
    /// Which weights these are.
    pub weights: Weights,
}

/// Which weights of a run a model holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Steps they were trained for.
    pub step: usize,
    /// Sum of recalls on the dev part in percent, by which they were chosen; none without validation.
    pub sum: Option<f64>,
    /// Figures on the dev part.
    pub directions: Vec<Direction>,
}

/// An open model folder.
pub struct ModelFolder {
    /// The configuration it was trained with.
    pub config: Config,
    /// What turns posts into numbers.
    pub fitted: Fitted,
    /// What turns numbers into vectors.
    pub network: Network,
    /// Where it comes from and how good it was on its dev part.
    pub info: ModelInfo,
}

impl ModelFolder {
    /// Opens a model folder (or a run folder: its best model).
    ///
    /// # Errors
    /// If a file is missing, damaged or of a newer format.
    pub fn open(path: &Path) -> Result<ModelFolder> {
        Self::open_on(&Device::cpu(), path)
    }

    /// As [`ModelFolder::open`], to compute on a device of choice, whichever it was trained on.
    ///
    /// # Errors
    /// As [`ModelFolder::open`].
    pub fn open_on(device: &Device, path: &Path) -> Result<ModelFolder> {
        let folder = find(path)?;
        let (mut info, config) = read_info(&folder)?;
        let fitted = Fitted::open(&folder.join(FEATURES))?;
        let mut network = Network::new_on(&config, info.shapes, &fitted.word_rows(), device);
        info.weights = load_weights(&folder, &mut network)?;
        Ok(ModelFolder { config, fitted, network, info })
    }
}

/// Loads the weights of a model folder into `network`; returns which they are.
///
/// # Errors
/// If the file is missing or damaged, or the network has another shape.
pub fn load_weights(folder: &Path, network: &mut Network) -> Result<Weights> {
    let path = folder.join(NETWORK);
    let (weights, note) = tensors::read(&path)?;
    network.load(&weights).map_err(|e| e.at(&path))?;
    serde_json::from_str(&note).map_err(|e| Error::input(format!("damaged header: {e}")).at(&path))
}

/// The model folder that `path` means: itself, or the best model of the run folder it is.
fn find(path: &Path) -> Result<PathBuf> {
    let inner = path.join(MODEL);
    if path.join(JSON).is_file() {
        return Ok(path.to_path_buf());
    }
    if inner.join(JSON).is_file() {
        return Ok(inner);
    }
    let run = path.join(super::checkpoint::FILE).is_file();
    Err(Error::input(if run { "this run has no model yet" } else { "not a model folder" }).at(path).help(if run {
        "it is written at the first validation: go on training with `--resume`"
    } else {
        "name the folder that `quintet train --into` wrote, or the `model` folder in it"
    }))
}

/// `model.json` and `config.toml` of a model folder.
fn read_info(folder: &Path) -> Result<(ModelInfo, Config)> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let path = folder.join(JSON);
    let text = std::fs::read_to_string(&path).at(&path)?;
    let damaged = |e: serde_json::Error| Error::input(format!("damaged: {e}")).at(&path);
    // The version first: a newer layout may have other fields.
    let Version { format } = serde_json::from_str(&text).map_err(damaged)?;
    if format > FORMAT {
        return Err(Error::input(format!("model format {format}, this version reads up to {FORMAT}"))
            .at(&path)
            .help("open it with a newer version of quintet"));
    }
    let info = serde_json::from_str(&text).map_err(damaged)?;
    let path = folder.join(CONFIG);
    // `parse`, not `read`: paths in it say where things were in training and mean nothing any more.
    let config = Config::parse(&std::fs::read_to_string(&path).at(&path)?).map_err(|e| e.at(&path))?;
    Ok((info, config))
}

/// Writes the model folder of a run.
pub(super) struct Writer<'a> {
    run: &'a Path,
    job: &'a Job<'a>,
    posts: usize,
}

impl<'a> Writer<'a> {
    /// For the run folder `run`; clears away what a killed run left half built.
    pub fn new(run: &'a Path, job: &'a Job<'a>, plan: &Plan) -> Result<Self> {
        for entry in std::fs::read_dir(run).at(run)? {
            let path = entry.at(run)?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with(".quintet-") {
                let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                removed.at(&path)?;
            }
        }
        Ok(Writer { run, job, posts: plan.posts.len() })
    }

    /// Whether there is a model already.
    pub fn exists(&self) -> bool {
        self.run.join(MODEL).join(NETWORK).is_file()
    }

    /// Makes the weights of `network` the model of this run.
    pub fn write(&self, network: &Network, step: usize, best: Option<&Best>) -> Result<()> {
        let weights = Weights {
            step,
            sum: best.map(Best::sum),
            directions: best.map(|b| b.directions.clone()).unwrap_or_default(),
        };
        let target = self.run.join(MODEL);
        if self.exists() {
            return self.fill(&target, network, weights);
        }
        let building = tempfile::Builder::new().prefix(".quintet-model-").tempdir_in(self.run).at(self.run)?;
        (self.job.features)(&building.path().join(FEATURES))?;
        atomic::write_bytes(&building.path().join(CONFIG), self.job.config.to_toml().as_bytes())?;
        self.fill(building.path(), network, weights)?;
        std::fs::rename(building.keep(), &target).at(&target)?;
        atomic::sync_folder(self.run)
    }

    /// The files that change with the weights.
    fn fill(&self, folder: &Path, network: &Network, weights: Weights) -> Result<()> {
        let bug = |e: serde_json::Error| Error::internal(format!("writing a model's description: {e}"));
        let note = serde_json::to_string(&weights).map_err(bug)?;
        tensors::write(&folder.join(NETWORK), &network.tensors(), &note)?;
        let info = ModelInfo {
            format: FORMAT,
            quintet: env!("CARGO_PKG_VERSION").into(),
            shapes: self.job.shapes,
            seed: self.job.config.seed,
            about: self.job.about.clone(),
            posts: self.posts,
            weights,
        };
        atomic::write_bytes(&folder.join(JSON), &serde_json::to_vec_pretty(&info).map_err(bug)?)?;
        atomic::write_bytes(&folder.join(CARD), card::card(&info, self.job.config).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_model_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| find(path).unwrap_err().to_string();
        assert!(error(folder.path()).contains("not a model folder"));
        std::fs::write(folder.path().join(crate::train::checkpoint::FILE), "").unwrap();
        assert!(error(folder.path()).contains("--resume"));
        std::fs::create_dir(folder.path().join(MODEL)).unwrap();
        std::fs::write(folder.path().join(MODEL).join(JSON), "{\"format\":99,\"new\":1}").unwrap();
        let found = find(folder.path()).unwrap();
        assert_eq!(found, folder.path().join(MODEL));
        let error = read_info(&found).unwrap_err().to_string();
        assert!(error.contains("format 99") && error.contains("newer version"), "{error}");
    }
}
