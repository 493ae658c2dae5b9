//! The range of every value, and the combinations that cannot work.

use super::{Config, LossKind};
use crate::component::Component;
use crate::error::{Error, Result};

/// Checks `config`; the first value that cannot be used is the error.
pub(super) fn check(config: &Config) -> Result<()> {
    // TOML's whole numbers are signed.
    for (key, seed) in [("seed", config.seed), ("words.seed", config.words.seed), ("user.seed", config.user.seed)] {
        if i64::try_from(seed).is_err() {
            return Err(refuse(key, seed, "a whole number from 0 to 9223372036854775807"));
        }
    }
    components(config)?;
    words(config)?;
    branches(config)?;
    user(config)?;
    loss(config)?;
    train(config)
}

fn refuse(key: &str, value: impl std::fmt::Display, accepted: &str) -> Error {
    Error::config(format!("`{key} = {value}` cannot be used")).help(format!("accepted: {accepted}"))
}

fn at_least(key: &str, value: usize, least: usize) -> Result<()> {
    if value < least {
        return Err(refuse(key, value, &format!("a whole number from {least}")));
    }
    Ok(())
}

fn within(key: &str, value: usize, least: usize, most: usize) -> Result<()> {
    if !(least..=most).contains(&value) {
        return Err(refuse(key, value, &format!("a whole number from {least} to {most}")));
    }
    Ok(())
}

/// `value` in (0, `most`]; not-a-number is never accepted.
fn positive(key: &str, value: f64, most: f64) -> Result<()> {
    if value > 0.0 && value <= most {
        return Ok(());
    }
    Err(refuse(key, value, &format!("a number above 0, at most {most}")))
}

fn components(config: &Config) -> Result<()> {
    let names: Vec<&str> = config.components.iter().map(|c| c.name()).collect();
    let list = format!("[{}]", names.join(", "));
    let accepted = "at least two of text, image, hashtags, location, user, each once, in this order";
    if config.components.len() < 2 || config.components.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(refuse("components", list, accepted));
    }
    if config.text.hashtags_as_text {
        if !config.has(Component::Text) {
            return Err(Error::config(format!("`text.hashtags_as_text = true` needs text, but `components = {list}`"))
                .help("add \"text\" to `components` or set `text.hashtags_as_text = false`"));
        }
        if config.has(Component::Hashtags) {
            return Err(Error::config(
                "`text.hashtags_as_text = true` makes the hashtags the text; they cannot be a component of their own too",
            )
            .help("take \"hashtags\" out of `components` or set `text.hashtags_as_text = false`"));
        }
    }
    Ok(())
}

fn words(config: &Config) -> Result<()> {
    let words = &config.words;
    within("words.dim", words.dim, 1, 4096)?;
    at_least("words.epochs", words.epochs, 1)?;
    at_least("words.min_count", words.min_count, 1)?;
    at_least("words.window", words.window, 1)?;
    at_least("words.negatives", words.negatives, 1)?;
    within("words.buckets", words.buckets, 1, 100_000_000)?;
    let [shortest, longest] = words.subwords;
    if shortest < 1 || longest < shortest || longest > 32 {
        return Err(refuse(
            "words.subwords",
            format!("[{shortest}, {longest}]"),
            "[shortest, longest] in characters, shortest from 1, longest not below it and at most 32",
        ));
    }
    positive("words.learning_rate", words.learning_rate, 1.0)?;
    positive("words.sample", words.sample, 1.0)
}

fn branches(config: &Config) -> Result<()> {
    at_least("text.min_count", config.text.min_count, 1)?;
    within("text.max_words", config.text.max_words, 1, 10_000_000)?;
    // Start and end take two places; below three no word would be left.
    within("text.max_tokens", config.text.max_tokens, 3, 10_000)?;
    let encoder = &config.image.encoder;
    if encoder != "efficientnet-lite0" && !encoder.ends_with(".onnx") {
        return Err(refuse(
            "image.encoder",
            format!("\"{encoder}\""),
            "\"efficientnet-lite0\" (shipped), or the path of an .onnx file with its preprocessing beside it (.toml)",
        ));
    }
    within("location.neighbours", config.location.neighbours, 1, 1000)?;
    within("model.dim", config.model.dim, 2, 65_536)?;
    for (key, dropout) in [
        ("model.component_dropout", config.model.component_dropout),
        ("model.input_dropout", config.model.input_dropout),
    ] {
        if !(0.0..1.0).contains(&dropout) {
            return Err(refuse(key, dropout, "a probability from 0, below 1"));
        }
    }
    Ok(())
}

fn user(config: &Config) -> Result<()> {
    let user = &config.user;
    within("user.dim", user.dim, 1, 4096)?;
    at_least("user.walks", user.walks, 1)?;
    // Rows of 16 walks are copied, up to 5 GB of them at the widest.
    within("user.walk_length", user.walk_length, 2, 10_000)?;
    at_least("user.window", user.window, 1)?;
    positive("user.p", user.p, 1e6)?;
    positive("user.q", user.q, 1e6)?;
    at_least("user.negatives", user.negatives, 1)?;
    positive("user.learning_rate", user.learning_rate, 1.0)
}

fn loss(config: &Config) -> Result<()> {
    let loss = &config.loss;
    positive("loss.margin", loss.margin, 2.0)?;
    if !(loss.warmup_epochs >= 0.0 && loss.warmup_epochs.is_finite()) {
        return Err(refuse("loss.warmup_epochs", loss.warmup_epochs, "a number of epochs from 0, also a fraction"));
    }
    if loss.warmup_epochs > 0.0 && loss.kind != LossKind::MaxOfHinges {
        return Err(Error::config(format!(
            "`loss.warmup_epochs = {}` is for `loss.kind = \"max-of-hinges\"` only",
            loss.warmup_epochs
        ))
        .help("set `loss.warmup_epochs = 0`, or `loss.kind = \"max-of-hinges\"`"));
    }
    positive("loss.temperature", loss.temperature, 10.0)
}

fn train(config: &Config) -> Result<()> {
    let train = &config.train;
    at_least("train.epochs", train.epochs, 1)?;
    // The other posts of the batch are the negatives: one post has none.
    within("train.batch", train.batch, 2, 65_536)?;
    positive("train.learning_rate", train.learning_rate, 1.0)?;
    positive("train.clip", train.clip, f64::MAX)?;
    at_least("train.validate_every", train.validate_every, 1)?;
    at_least("train.checkpoint_every", train.checkpoint_every, 1)
}
