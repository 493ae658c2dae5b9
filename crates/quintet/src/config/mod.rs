//! The configuration: plain structs whose fields carry default, unit and meaning.
//!
//! `configs/*.toml` hold complete examples; unknown keys are errors that name the nearest key.

mod check;
mod keys;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::error::{AtPath, Result};

/// Everything that decides a run. The default is what won on real posts (`docs/results.md`);
/// `configs/paper.toml` is the published setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seed of everything random. Same seed, same bits, at any thread count.
    pub seed: u64,
    /// Components the model has, in the fixed order.
    pub components: Vec<Component>,
    /// At most this many posts per author in training (0: all); the first ones in corpus order.
    pub posts_per_author: usize,
    /// Skip-gram word vectors with subwords.
    pub words: Words,
    /// `[text]`: the text component.
    pub text: Text,
    /// `[image]`: the image component.
    pub image: Image,
    /// `[hashtags]`: the hashtag component.
    pub hashtags: Hashtags,
    /// `[location]`: the location component.
    pub location: Location,
    /// `[user]`: the user component.
    pub user: User,
    /// Shape of the joint space.
    pub model: Model,
    /// Training signal.
    pub loss: Loss,
    /// Optimiser, schedule, validation.
    pub train: Train,
}

/// `[words]`: word vectors (fastText skip-gram; `fasttext_node2vec.md` section A in the specification).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// Dimension of a word vector. Paper: 300.
    pub dim: usize,
    /// Passes over the training texts.
    pub epochs: usize,
    /// Words seen less often get no vector of their own (subwords still serve them).
    pub min_count: usize,
    /// Largest distance of a context word.
    pub window: usize,
    /// Negative samples per pair.
    pub negatives: usize,
    /// Number of hash buckets for subwords. fastText: 2,000,000 (2.4 GB at 300 dimensions); 200,000 does for small corpora.
    pub buckets: usize,
    /// Shortest and longest subword, in characters.
    pub subwords: [usize; 2],
    /// Initial learning rate, falling linearly to 0.
    pub learning_rate: f64,
    /// Sub-sampling threshold of frequent words.
    pub sample: f64,
    /// Seed of training. Apart from the run's seed, so that runs with several seeds share one set of vectors.
    pub seed: u64,
    /// Vectors to read (`.bin` or `.vec`) in place of training; relative to the config file.
    pub pretrained: Option<PathBuf>,
}

/// `[text]`: words -> embedding rows -> GRU, last state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// Words seen less often in training texts share one unknown row.
    pub min_count: usize,
    /// Largest vocabulary; the most frequent words stay.
    pub max_words: usize,
    /// Longest text in tokens, start and end included; the rest is cut.
    pub max_tokens: usize,
    /// Whether `@handles` stay in the text.
    pub keep_mentions: bool,
    /// Whether hashtags count as text (the baseline "VSE++ with hashtags as text"): only the hashtags make the text.
    pub hashtags_as_text: bool,
}

/// `[image]`: encoder features -> fully connected layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Image {
    /// `efficientnet-lite0` (shipped), or the path of an ONNX file with its preprocessing beside it
    /// (`encoder.onnx` + `encoder.toml`); relative to the config file.
    pub encoder: String,
}

/// `[hashtags]`: mean word vector of the tags -> fully connected layer. No settings yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hashtags {}

/// `[location]`: texts of other training posts from the same place -> own copy of the text branch -> mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Location {
    /// Neighbour posts per post, drawn anew each epoch in training.
    pub neighbours: usize,
    /// Leave the post itself and its near-duplicates out of its neighbours. Only the leakage ablation turns this off.
    pub exclude_self: bool,
    /// Whether a place without neighbours from training is encoded from its name (status `inferred`).
    pub place_name: bool,
}

/// `[user]`: mention graph -> second-order walks -> skip-gram -> fully connected layer (`fasttext_node2vec.md` section B).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// Dimension of a user vector. Paper: 300.
    pub dim: usize,
    /// Walks started at every node (passes over the graph).
    pub walks: usize,
    /// Nodes in a walk, the start included.
    pub walk_length: usize,
    /// Largest distance of a context node.
    pub window: usize,
    /// Return parameter p of node2vec.
    pub p: f64,
    /// In-out parameter q of node2vec.
    pub q: f64,
    /// Whether a mention also leads back from the mentioned to the author. Paper: directed.
    pub undirected: bool,
    /// Negative samples per pair.
    pub negatives: usize,
    /// Initial learning rate, falling linearly.
    pub learning_rate: f64,
    /// Seed of walks and training. Apart from the run's seed, so that runs with several seeds share one set of vectors.
    pub seed: u64,
    /// Whether an author unknown to the graph gets the mean of those they mention (status `inferred`).
    pub infer: bool,
}

/// `[model]`: shape of the joint space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// Dimension of the joint space. Paper: 1024.
    pub dim: usize,
    /// Whether the mean of a text's word vectors, through a layer of its own, is added to the GRU's last state: with few
    /// posts it learns what words mean sooner than the GRU does. Paper: no.
    pub bag_of_words: bool,
    /// Probability that a present component of a training post is hidden (at least two stay). Paper: 0.
    pub component_dropout: f64,
    /// Probability that a number of an image, hashtag or user input becomes 0, and a word the unknown word, in training.
    /// Paper: 0.
    pub input_dropout: f64,
    /// Precision of the factors in the matrix products of the GRUs, in training and in embedding.
    pub precision: Precision,
}

/// How factors of matrix products are held; weights, sums and gradients are 32-bit numbers in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 24 significant bits (paper).
    F32,
    /// 8 significant bits: faster on processors that multiply bfloat16 fast (AMX, AVX-512 BF16 of AMD), slower on others.
    Bf16,
}

/// Which training signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Hardest negative of the batch (VSE++, paper).
    MaxOfHinges,
    /// Every negative of the batch (VSE0).
    SumOfHinges,
    /// Symmetric cross-entropy over the batch with a learned temperature.
    InfoNce,
    /// Independent sigmoid per pair with learned temperature and bias.
    SigLip,
}

/// What a component is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// Mean of all components of the post, the component itself included (paper).
    IncludeSelf,
    /// Mean of the other components.
    LeaveOneOut,
    /// No average: every other component by itself.
    Pairwise,
}

/// `[loss]`: training signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loss {
    /// `max-of-hinges`, `sum-of-hinges`, `info-nce`, `sig-lip`.
    pub kind: LossKind,
    /// `include-self`, `leave-one-out`, `pairwise`.
    pub average: Average,
    /// Margin of the hinges, in cosine. Paper: 0.2.
    pub margin: f64,
    /// Epochs of sum-of-hinges before max-of-hinges takes over; 0: none.
    pub warmup_epochs: f64,
    /// Initial temperature of info-nce and sig-lip (learned).
    pub temperature: f64,
    /// Whether posts of a batch with the same image, the same text or the same content of the compared component (one
    /// author, one place) stop counting as each other's negatives.
    pub mask_duplicates: bool,
}

/// `[train]`: optimiser, schedule, validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Train {
    /// Passes over the training posts. Paper: 30.
    pub epochs: usize,
    /// Posts per step. Paper: 128.
    pub batch: usize,
    /// Adam's learning rate. Paper: 2e-4.
    pub learning_rate: f64,
    /// Epochs after which the learning rate is divided by 10 (0: never). Paper: 15.
    pub drop_after: usize,
    /// Largest L2 norm of the whole gradient. Paper: 2.
    pub clip: f64,
    /// Steps between validations; each epoch ends with one too. Paper: 500.
    pub validate_every: usize,
    /// Steps between checkpoints from which a stopped run resumes.
    pub checkpoint_every: usize,
    /// Validations without a better sum of recalls before training stops (0: never).
    pub patience: usize,
    /// At most this many validation posts are ranked during training (0: all).
    pub validation_posts: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            components: Component::ALL.to_vec(),
            posts_per_author: 0,
            words: Words::default(),
            text: Text::default(),
            image: Image::default(),
            hashtags: Hashtags::default(),
            location: Location::default(),
            user: User::default(),
            model: Model::default(),
            loss: Loss::default(),
            train: Train::default(),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Words {
            dim: 300,
            epochs: 5,
            min_count: 5,
            window: 5,
            negatives: 5,
            buckets: 200_000,
            subwords: [3, 6],
            learning_rate: 0.05,
            sample: 1e-4,
            seed: 1,
            pretrained: None,
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Text { min_count: 4, max_words: 50_000, max_tokens: 64, keep_mentions: false, hashtags_as_text: false }
    }
}

impl Default for Image {
    fn default() -> Self {
        Image { encoder: "efficientnet-lite0".into() }
    }
}

impl Default for Location {
    fn default() -> Self {
        Location { neighbours: 4, exclude_self: true, place_name: true }
    }
}

impl Default for User {
    fn default() -> Self {
        User {
            dim: 300,
            walks: 10,
            walk_length: 80,
            window: 10,
            p: 1.0,
            q: 1.0,
            undirected: false,
            negatives: 5,
            learning_rate: 0.025,
            seed: 1,
            infer: true,
        }
    }
}

impl Default for Model {
    fn default() -> Self {
        Model { dim: 512, bag_of_words: false, component_dropout: 0.4, input_dropout: 0.15, precision: Precision::F32 }
    }
}

impl Default for Loss {
    fn default() -> Self {
        Loss {
            kind: LossKind::InfoNce,
            average: Average::LeaveOneOut,
            margin: 0.2,
            warmup_epochs: 0.0,
            temperature: 0.07,
            mask_duplicates: true,
        }
    }
}

impl Default for Train {
    fn default() -> Self {
        Train {
            epochs: 10,
            batch: 128,
            learning_rate: 5e-4,
            drop_after: 7,
            clip: 2.0,
            validate_every: 500,
            checkpoint_every: 500,
            patience: 0,
            validation_posts: 0,
        }
    }
}

impl Config {
    /// Reads and checks a TOML file; paths inside become relative to the file's folder.
    ///
    /// # Errors
    /// Names the file, the key and the nearest or accepted value.
    pub fn read(path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path).at(path)?;
        let mut config = Config::parse(&text).map_err(|e| e.at(path))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        if let Some(file) = &mut config.words.pretrained {
            *file = folder.join(&*file);
        }
        if config.image.encoder.ends_with(".onnx") {
            config.image.encoder = folder.join(&config.image.encoder).display().to_string();
        }
        Ok(config)
    }

    /// Parses and checks TOML; keys that do not stand in it have their default. Paths stay as written.
    ///
    /// # Errors
    /// Names the key and the nearest or accepted value.
    pub fn parse(text: &str) -> Result<Config> {
        let config = keys::parse(text)?;
        config.check()?;
        Ok(config)
    }

    /// Sets one key by its dotted name, as in `set("train.epochs", "10")`. The value is TOML, where a string may stand
    /// without quotes; `none` takes an optional key back. Check the whole with [`Config::check`] after the last one:
    /// single steps may pass through combinations that fit only together.
    ///
    /// # Errors
    /// Names the key, the nearest key if there is no such one, and what is accepted.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        *self = keys::set(self, key, value)?;
        Ok(())
    }

    /// The configuration as TOML, complete but for optional keys that have no value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// What differs from `other`, as `key: value here, value there`, in the order of the keys.
    pub fn differences(&self, other: &Config) -> Vec<String> {
        keys::differences(self, other)
    }

    /// Checks every value and the combinations that cannot work. What passed needs no further check.
    ///
    /// # Errors
    /// Names the key, its value and what is accepted.
    pub fn check(&self) -> Result<()> {
        check::check(self)
    }

    /// Whether the model has component `c`.
    pub fn has(&self, c: Component) -> bool {
        self.components.contains(&c)
    }
}
