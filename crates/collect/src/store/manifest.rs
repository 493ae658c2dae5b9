//! `collect.json`: what a folder collects, so that it takes only the same again.

use std::path::Path;

use quintet_posts::atomic;
use quintet_posts::error::{AtPath, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FORMAT;
use super::raw;
use super::state::State;

const NAME: &str = "collect.json";

/// What it says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    pub source: String,
    pub about: Value,
}

/// Refuses a folder that holds something and is no collection: a corpus, or a mistyped name.
pub(super) fn refuse_other_folders(root: &Path) -> Result<()> {
    if !root.is_dir() || root.join(NAME).is_file() {
        return Ok(());
    }
    for entry in std::fs::read_dir(root).at(root)? {
        let name = entry.at(root)?.file_name();
        // What a collector leaves that was killed before it wrote the manifest.
        let ours = name == "raw" || name == "lock" || name.to_string_lossy().starts_with('.');
        if !ours {
            return Err(Error::input("the folder holds other files, and no collection")
                .at(root)
                .help("name a folder that does not exist yet, or that of a collection to go on with"));
        }
    }
    Ok(())
}

impl Manifest {
    /// Writes it into a folder that has none, or has received nothing yet; else it must say the same.
    pub(super) fn hold(&self, root: &Path) -> Result<()> {
        let path = root.join(NAME);
        if !path.exists() {
            return self.write(&path);
        }
        let bytes = std::fs::read(&path).at(&path)?;
        let there: Manifest =
            serde_json::from_slice(&bytes).map_err(|e| Error::input(format!("not a manifest: {e}")).at(&path))?;
        if there.format > FORMAT {
            let what = format!("the collection has format {}; this program reads up to {FORMAT}", there.format);
            return Err(Error::input(what).at(&path).help("use the version of quintet that wrote it, or a newer one"));
        }
        let mut differences = Vec::new();
        if there.source != self.source {
            differences.push(format!("from {}, not {}", there.source, self.source));
        } else {
            differ("", &there.about, &self.about, &mut differences);
        }
        if differences.is_empty() {
            return Ok(());
        }
        if is_unused(root)? {
            // The first try had a slip, such as a wrong address.
            State::forget(root)?;
            return self.write(&path);
        }
        let what = format!("the folder holds another collection: {}", differences.join("; "));
        Err(Error::input(what).at(&path).help("go on with the same options, or collect into another folder"))
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::internal("the manifest has no JSON form").caused_by(e))?;
        atomic::write_bytes(path, &text)
    }
}

/// Whether nothing was received into a folder.
fn is_unused(root: &Path) -> Result<bool> {
    let state = State::read(root)?;
    Ok(state.lines == 0 && state.cursor.is_none() && raw::files(root)?.is_empty())
}

/// Says where two values differ, by the names of their fields.
fn differ(name: &str, there: &Value, wished: &Value, out: &mut Vec<String>) {
    if let (Value::Object(a), Value::Object(b)) = (there, wished) {
        for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            differ(&name, &there[key], &wished[key], out);
        }
    } else if there != wished {
        out.push(format!("{name} is {there}, not {wished}"));
    }
}
