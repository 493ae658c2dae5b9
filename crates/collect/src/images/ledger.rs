//! `ledger.jsonl`: what came of each address, so that a later call goes on where one was stopped or killed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use quintet_posts::error::{AtPath, Error, Result};
use serde::{Deserialize, Serialize};

/// What came of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The address.
    pub url: String,
    /// When it was tried last.
    pub at: Timestamp,
    /// The file, from the ledger's folder on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its length.
    #[serde(default)]
    pub bytes: u64,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// It may work later: the next call tries again.
    #[serde(default)]
    pub passes: bool,
}

impl Entry {
    /// It was fetched.
    pub fn fetched(url: &str, file: &str, bytes: usize) -> Entry {
        Entry { file: Some(file.to_owned()), bytes: bytes as u64, ..Entry::failed(url, "", false) }.without_reason()
    }

    /// It failed.
    pub fn failed(url: &str, reason: &str, passes: bool) -> Entry {
        let reason = Some(reason.to_owned());
        Entry { url: url.to_owned(), at: Timestamp::now(), file: None, bytes: 0, reason, passes }
    }

    fn without_reason(self) -> Entry {
        Entry { reason: None, ..self }
    }
}

/// The ledger of a folder of pictures.
pub struct Ledger {
    path: PathBuf,
    file: File,
    entries: HashMap<String, Entry>,
}

impl Ledger {
    /// Opens it. A line that a kill cut, and pictures whose file is gone, are as if they had not been tried.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn open(folder: &Path) -> Result<Ledger> {
        let path = folder.join("ledger.jsonl");
        let mut file = OpenOptions::new().create(true).append(true).open(&path).at(&path)?;
        let text = std::fs::read(&path).at(&path)?;
        if text.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n").at(&path)?;
        }
        let mut entries = HashMap::new();
        for entry in text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<Entry>(line).ok()) {
            entries.insert(entry.url.clone(), entry);
        }
        let is_there = |file: &str, bytes: u64| std::fs::metadata(folder.join(file)).is_ok_and(|m| m.len() == bytes);
        entries.retain(|_, e: &mut Entry| e.file.as_ref().is_none_or(|file| is_there(file, e.bytes)));
        Ok(Ledger { path, file, entries })
    }

    /// Writes an entry down.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        let line = serde_json::to_string(entry)
            .map_err(|e| Error::internal("an entry of the ledger has no JSON form").caused_by(e))?;
        self.file.write_all((line + "\n").as_bytes()).at(&self.path)?;
        self.entries.insert(entry.url.clone(), entry.clone());
        Ok(())
    }

    /// Whether an address is still to be tried; with `again`, also where it failed for good.
    pub fn is_open(&self, url: &str, again: bool) -> bool {
        self.entries.get(url).is_none_or(|e| e.file.is_none() && (e.passes || again))
    }

    /// Whether an address was tried.
    pub fn knows(&self, url: &str) -> bool {
        self.entries.contains_key(url)
    }

    /// The file of an address.
    pub fn file(&self, url: &str) -> Option<&str> {
        self.entries.get(url)?.file.as_deref()
    }

    /// Why an address has no file, if it was tried.
    pub fn reason(&self, url: &str) -> Option<&str> {
        self.entries.get(url)?.reason.as_deref()
    }

    /// Addresses that failed, with the reason.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.values().filter_map(|e| Some((e.url.as_str(), e.reason.as_deref()?)))
    }
}
