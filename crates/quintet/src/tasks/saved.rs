//! The file that `quintet fit` writes and `quintet predict` reads.
//!
//! A line `quintet task`, a line of JSON ([`Header`]), then the learned values: postcard in zstd. A file of another format,
//! of another task, or fitted with another model is refused with the reason.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::embed::model_id;
use crate::error::{AtPath, Error, Result};
use crate::train::ModelFolder;

/// Version of the file's layout, what was learned included.
const FORMAT: u32 = 2;
const MAGIC: &str = "quintet task";
/// Longest header that is believed.
const LONGEST_HEADER: u64 = 1 << 24;

/// What the file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the layout.
    pub format: u32,
    /// Version of Quintet that wrote it.
    pub quintet: String,
    /// `hashtags`, `bots`, `location`.
    pub task: String,
    /// Method.
    pub method: String,
    /// [`model_id`] of the joint model it was fitted with; its vectors mean nothing to another.
    pub model: String,
    /// Name of the corpus it was fitted on.
    pub corpus: String,
    /// Whether that corpus is the synthetic town.
    pub synthetic: bool,
    /// Training posts or authors.
    pub items: usize,
    /// Seed of fitting.
    pub seed: u64,
}

/// A fitted method.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// What it is.
    pub header: Header,
    payload: Vec<u8>,
}

impl Saved {
    /// Packs what a method has learned. `format` and `quintet` of the header are filled in.
    ///
    /// # Errors
    /// If `learned` cannot be serialised (a bug).
    pub fn pack(header: Header, learned: &impl Serialize) -> Result<Saved> {
        let payload = postcard::to_stdvec(learned)
            .map_err(|e| Error::internal("what was learned has no serial form").caused_by(e))?;
        let header = Header { format: FORMAT, quintet: env!("CARGO_PKG_VERSION").into(), ..header };
        Ok(Saved { header, payload })
    }

    /// Unpacks what a method has learned.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn unpack<T: DeserializeOwned>(&self) -> Result<T> {
        postcard::from_bytes(&self.payload).map_err(|e| {
            Error::input(format!("what {} learned is damaged", self.header.method))
                .help("fit it again with `quintet fit`")
                .caused_by(e)
        })
    }

    /// Checks that this was fitted for `task`, and with `model`.
    ///
    /// # Errors
    /// Says which task or model it is of.
    pub fn check(&self, task: &str, model: &ModelFolder) -> Result<()> {
        if self.header.task != task {
            return Err(Error::input(format!("this was fitted for {}, not for {task}", self.header.task))
                .help(format!("use `quintet predict {}`, or fit again for {task}", self.header.task)));
        }
        let id = model_id(model);
        if self.header.model != id {
            return Err(Error::input(format!(
                "this was fitted with model {}, the model given is {id}",
                self.header.model
            ))
            .help("give the model it was fitted with, or fit again with this one"));
        }
        Ok(())
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let header =
            serde_json::to_string(&self.header).map_err(|e| Error::internal("no JSON of a header").caused_by(e))?;
        atomic::write(path, |out| {
            writeln!(out, "{MAGIC}\n{header}").at(path)?;
            let mut packed = zstd::Encoder::new(&mut *out, 3).at(path)?;
            packed.write_all(&self.payload).at(path)?;
            packed.finish().at(path).map(drop)
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it is no such file, damaged, or of another format.
    pub fn read(path: &Path) -> Result<Saved> {
        let mut file = BufReader::new(std::fs::File::open(path).at(path)?);
        let mut line = |most: u64| -> Result<String> {
            let mut bytes = Vec::new();
            file.by_ref().take(most).read_until(b'\n', &mut bytes).at(path)?;
            Ok(String::from_utf8_lossy(&bytes).trim_end().to_string())
        };
        let damaged = || Error::input("damaged").at(path).help("fit it again with `quintet fit`");
        if line(MAGIC.len() as u64 + 1)? != MAGIC {
            return Err(Error::input("not a fitted task").at(path).help("make one with `quintet fit TASK CORPUS`"));
        }
        let header = line(LONGEST_HEADER)?;
        let format = serde_json::from_str::<serde_json::Value>(&header).map_err(|e| damaged().caused_by(e))?;
        let format = format["format"].as_u64().unwrap_or(u64::MAX);
        if format > u64::from(FORMAT) {
            return Err(Error::input("written by a newer version of Quintet").at(path).help("update Quintet"));
        }
        if format < u64::from(FORMAT) {
            return Err(Error::input("written by an older version of Quintet, which learned in another layout")
                .at(path)
                .help("fit it again with `quintet fit`"));
        }
        let header: Header = serde_json::from_str(&header).map_err(|e| damaged().caused_by(e))?;
        let mut payload = Vec::new();
        zstd::Decoder::new(file)
            .and_then(|mut packed| packed.read_to_end(&mut payload))
            .map_err(|e| damaged().caused_by(e))?;
        Ok(Saved { header, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Saved {
        Saved::pack(Header { task: "bots".into(), ..Header::default() }, &(vec![1.5f32, -0.0], "x")).unwrap()
    }

    #[test]
    fn there_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bots.task");
        saved().write(&path).unwrap();
        let back = Saved::read(&path).unwrap();
        assert_eq!(back, saved());
        assert_eq!(back.unpack::<(Vec<f32>, String)>().unwrap(), (vec![1.5, -0.0], "x".to_string()));
        assert!(back.unpack::<(Vec<f32>, String, Vec<u64>)>().is_err());
    }

    #[test]
    fn other_and_damaged_files_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bots.task");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Saved::read(&path).unwrap_err().to_string()
        };
        assert!(error(b"").contains("not a fitted task"));
        assert!(error(b"quintet task\n{").contains("damaged"));
        assert!(error(b"quintet task\n{\"format\":99}\n").contains("newer version"));
        assert!(error(b"quintet task\n{\"format\":1}\n").contains("fit it again"));
        saved().write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert!(error(&whole[..whole.len() - 5]).contains("damaged"));
    }
}
