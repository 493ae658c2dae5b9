//! How Co-Attention is built and trained.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tasks::Options;

/// How the guide enters a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guide {
    /// tanh of the sum of both products.
    Add,
    /// tanh of each, side by side, as printed. The guide then adds one number to all scores of a post, which the softmax
    /// cancels: nothing is guided.
    Concatenate,
}

impl FromStr for Guide {
    type Err = Error;

    fn from_str(s: &str) -> Result<Guide> {
        match s {
            "add" => Ok(Guide::Add),
            "concatenate" => Ok(Guide::Concatenate),
            _ => Err(Error::config(format!("`{s}` is no way to guide")).help("give add or concatenate")),
        }
    }
}

/// Everything but the data. Where the paper says nothing the values follow `coattention.md`; they are not tuned yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// d: states of the LSTM and projected regions. Paper: 500.
    pub dim: usize,
    /// k: inside the attention.
    pub attention: usize,
    /// How the guide enters.
    pub guide: Guide,
    /// Word rows start from the model's word vectors rather than at random.
    pub word_vectors: bool,
    /// Share of the summed features that is dropped.
    pub dropout: f64,
    /// Adam's.
    pub learning_rate: f64,
    /// Posts a step.
    pub batch: usize,
    /// At most so many passes over the training posts.
    pub epochs: usize,
    /// Passes without a better F1@1 before it stops.
    pub patience: usize,
    /// Of weights, order and dropout.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            dim: 200,
            attention: 100,
            guide: Guide::Add,
            word_vectors: true,
            dropout: 0.5,
            learning_rate: 1e-3,
            batch: 128,
            epochs: 40,
            patience: 5,
            seed: 1,
        }
    }
}

/// The settings by name in `--set`.
pub const NAMES: [&str; 9] = [
    "co-attention.dim",
    "co-attention.attention",
    "co-attention.guide",
    "co-attention.word-vectors",
    "co-attention.dropout",
    "co-attention.learning-rate",
    "co-attention.batch",
    "co-attention.epochs",
    "co-attention.patience",
];

impl Settings {
    /// As the options say.
    ///
    /// # Errors
    /// If a value does not parse or makes no sense.
    pub fn of(options: &Options) -> Result<Settings> {
        let d = Settings::default();
        let settings = Settings {
            dim: options.setting(NAMES[0], d.dim)?,
            attention: options.setting(NAMES[1], d.attention)?,
            guide: options.setting(NAMES[2], d.guide)?,
            word_vectors: options.setting(NAMES[3], d.word_vectors)?,
            dropout: options.setting(NAMES[4], d.dropout)?,
            learning_rate: options.setting(NAMES[5], d.learning_rate)?,
            batch: options.setting(NAMES[6], d.batch)?,
            epochs: options.setting(NAMES[7], d.epochs)?,
            patience: options.setting(NAMES[8], d.patience)?,
            seed: options.seed,
        };
        let positive = [settings.dim, settings.attention, settings.batch, settings.epochs, settings.patience];
        if let Some(at) = positive.iter().position(|&n| n == 0) {
            let name = [NAMES[0], NAMES[1], NAMES[6], NAMES[7], NAMES[8]][at];
            return Err(Error::config(format!("`{name}` is 0")).help("give 1 or more"));
        }
        if !(0.0..1.0).contains(&settings.dropout) {
            return Err(
                Error::config(format!("`{}` is {}", NAMES[4], settings.dropout)).help("give 0 or more, below 1")
            );
        }
        if !(settings.learning_rate > 0.0 && settings.learning_rate.is_finite()) {
            return Err(Error::config(format!("`{}` is {}", NAMES[5], settings.learning_rate)).help("give more than 0"));
        }
        Ok(settings)
    }
}
