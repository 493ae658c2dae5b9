//! `cursor.json`: where to go on, how far the raw files are acknowledged, and counts by day.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use quintet_posts::PerComponent;
use quintet_posts::atomic;
use quintet_posts::error::{AtPath, Error, Result};
use serde::{Deserialize, Serialize};

use super::FORMAT;

/// What `cursor.json` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Version of the folder's format.
    pub format: u32,
    /// Where to go on: what the service calls its last message.
    pub cursor: Option<String>,
    /// When the stream was last known to be alive.
    pub heard: Option<Timestamp>,
    /// The last raw file...
    pub file: String,
    /// ... its number...
    pub sequence: u64,
    /// ... and how much of it is acknowledged.
    pub mark: Mark,
    /// Acknowledged lines of all files.
    pub lines: u64,
    /// Counts by day (UTC) of receipt.
    pub days: BTreeMap<String, Counts>,
}

/// How much of a raw file is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Where the last zstd frame begins, if it is not ended.
    pub frame: u64,
    /// Lines before it.
    pub frame_lines: u64,
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages of every kind, duplicates left out.
    pub messages: u64,
    /// Posts among them.
    pub posts: u64,
    /// Posts that passed the filter and were saved.
    pub kept: u64,
    /// Posts that have a component, in the fixed order, before the filter.
    pub components: PerComponent<u64>,
    /// Posts that have all components, before the filter.
    pub all: u64,
    /// Orders to forget a post, a place or an account.
    pub deletes: u64,
    /// Messages that came twice and were left out.
    pub duplicates: u64,
    /// Messages that are no JSON; they are saved as they came.
    pub unreadable: u64,
    /// Messages that were too long to be kept.
    pub too_long: u64,
    /// Messages the service says it did not deliver.
    pub undelivered: u64,
    /// Connections.
    pub connections: u64,
    /// Seconds in which nobody listened and which the service did not replay.
    pub gap_seconds: u64,
}

impl Counts {
    /// Adds what another has counted.
    pub fn add(&mut self, other: &Counts) {
        self.messages += other.messages;
        self.posts += other.posts;
        self.kept += other.kept;
        for (ours, theirs) in self.components.0.iter_mut().zip(other.components.0) {
            *ours += theirs;
        }
        self.all += other.all;
        self.deletes += other.deletes;
        self.duplicates += other.duplicates;
        self.unreadable += other.unreadable;
        self.too_long += other.too_long;
        self.undelivered += other.undelivered;
        self.connections += other.connections;
        self.gap_seconds += other.gap_seconds;
    }
}

impl State {
    /// Reads it; a new one if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(root: &Path) -> Result<State> {
        let path = root.join("cursor.json");
        if !path.exists() {
            return Ok(State { format: FORMAT, ..State::default() });
        }
        let bytes = std::fs::read(&path).at(&path)?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Error::input(format!("not a cursor: {e}")).at(&path).help("without this file the collection begins anew")
        })
    }

    /// Takes it away, if there is one.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn forget(root: &Path) -> Result<()> {
        let path = root.join("cursor.json");
        if path.exists() { std::fs::remove_file(&path).at(&path) } else { Ok(()) }
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, root: &Path) -> Result<()> {
        let text =
            serde_json::to_vec_pretty(self).map_err(|e| Error::internal("the cursor has no JSON form").caused_by(e))?;
        atomic::write_bytes(&root.join("cursor.json"), &text)
    }
}
