//! One file a verb: arguments as typed -> what the library wants -> the result on standard output.

pub mod check;
#[cfg(feature = "collect")]
pub mod collect;
pub mod demo;
pub mod embed;
pub mod export;
pub mod features;
pub mod import;
pub mod reproduce;
pub mod retrieval;
pub mod search;
pub mod split;
pub mod task;
pub mod town;
pub mod train;

use std::io::Write;
use std::path::Path;

use quintet::posts::Part;
use quintet::train::ModelFolder;
use quintet::{Config, Device, Error, Progress, Result};
use serde_json::Value;

use crate::args::{Common, ConfigArgs, DeviceArgs};
use crate::talk::Talk;

/// Prints the result: JSON with `--json`, text otherwise. stdout is data.
pub fn print(
    common: &Common,
    json: impl FnOnce() -> serde_json::Result<Value>,
    text: impl FnOnce() -> String,
) -> Result<()> {
    let out = if common.json {
        let value = json().map_err(|e| Error::internal("the result has no JSON form").caused_by(e))?;
        format!("{value:#}\n")
    } else {
        let text = text();
        if text.ends_with('\n') { text } else { text + "\n" }
    };
    match std::io::stdout().lock().write_all(out.as_bytes()) {
        // The reader of a pipe may go away early; that is its choice.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Error::io(std::path::Path::new("standard output"), e)),
        Ok(()) => Ok(()),
    }
}

/// Reads the configuration and applies `--set`.
pub fn config(args: &ConfigArgs) -> Result<Config> {
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    for pair in &args.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Error::config(format!("--set {pair} has no =")).help("write --set key=value, such as --set train.epochs=10")
        })?;
        config.set(key.trim(), value.trim())?;
    }
    Ok(config)
}

/// Opens a model to compute on the device asked for.
pub fn model(path: &Path, device: &DeviceArgs, talk: &Talk) -> Result<ModelFolder> {
    let device = Device::open(&device.device)?;
    let model = ModelFolder::open_on(&device, path)?;
    if let Some(remark) = device.remark(&model.config) {
        talk.note(&remark);
    }
    Ok(model)
}

/// Reads a part's name.
pub fn part(name: &str) -> Result<Part> {
    name.parse()
}
