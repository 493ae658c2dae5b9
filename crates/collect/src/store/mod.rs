//! "Keep these messages, whatever happens": raw files that survive a kill, and the place to go on from.
//!
//! ```text
//! COLLECTION/
//!   collect.json   what is collected, by which version of the folder's format
//!   raw/           0000001-20200301T120000Z.jsonl.zst ...: messages as they came, one a line, in the order they came
//!   cursor.json    where to go on, how much of the raw files it stands for, and counts by day
//!   log.jsonl      connections, failures, waits, gaps, notices of the service, and when what was saved
//!   lock           held by the collector that writes here
//! ```
//!
//! A message is acknowledged once it is on disk and `cursor.json` says so. What was written after that is not thrown away
//! at the next start but saved again, as far as it is whole.

pub mod log;
mod manifest;
pub mod raw;
pub mod recover;
pub mod state;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quintet_posts::error::{AtPath, Error, Result};
use serde_json::{Value, json};

use log::Log;
use manifest::Manifest;
use raw::RawFile;
use state::State;

/// Version of the folder's format; a newer one is refused.
pub const FORMAT: u32 = 1;

/// When files are saved and begun anew.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// What came is acknowledged after this time at the latest.
    pub sync_every: Duration,
    /// A raw file ends at this many bytes on disk...
    pub rotate_bytes: u64,
    /// ... or at this age.
    pub rotate_age: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            sync_every: Duration::from_secs(5),
            rotate_bytes: 64 << 20,
            rotate_age: Duration::from_secs(24 * 3600),
        }
    }
}

/// An open collection folder.
pub struct Store {
    root: PathBuf,
    options: StoreOptions,
    file: Option<RawFile>,
    /// What `cursor.json` will say next.
    pub state: State,
    saved: State,
    /// `log.jsonl`.
    pub log: Log,
    last_save: Instant,
    /// Lines saved again at the start, because they were written but not acknowledged.
    pub rescued: u64,
    /// Acknowledged lines that are gone: the disk lost them or a file was changed.
    pub missing: u64,
    /// Held until the store is dropped.
    _lock: File,
}

impl Store {
    /// Opens or makes a folder; what a killed collector left is put in order first.
    ///
    /// # Errors
    /// If the folder belongs to another collection or is in use, or the disk refuses.
    pub fn open(root: &Path, source: &str, about: &Value, options: StoreOptions) -> Result<Store> {
        let raw = root.join("raw");
        manifest::refuse_other_folders(root)?;
        std::fs::create_dir_all(&raw).at(&raw)?;
        let lock = lock(root)?;
        Manifest { format: FORMAT, source: source.to_owned(), about: about.clone() }.hold(root)?;
        let mut log = Log::open(root)?;
        let state = State::read(root)?;
        let recovered = recover::recover(root, state)?;
        if recovered.rescued > 0 || recovered.missing > 0 {
            let event = json!({"event": "recovered", "lines": recovered.rescued, "missing": recovered.missing});
            log.write(event)?;
        }
        let state = recovered.state;
        Ok(Store {
            root: root.to_owned(),
            options,
            file: None,
            saved: state.clone(),
            state,
            log,
            last_save: Instant::now(),
            rescued: recovered.rescued,
            missing: recovered.missing,
            _lock: lock,
        })
    }

    /// The raw files, oldest first.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn raw_files(&self) -> Result<Vec<PathBuf>> {
        Ok(raw::files(&self.root)?.into_iter().map(|(_, path)| path).collect())
    }

    /// Appends a message.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn push(&mut self, message: &[u8]) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = RawFile::create(&self.root, self.state.sequence + 1)?;
                self.state.sequence = file.sequence();
                self.state.file = file.name().to_owned();
                self.file.insert(file)
            }
        };
        file.push(message)?;
        self.state.lines += 1;
        Ok(())
    }

    /// Whether it is time to save.
    pub fn is_due(&self) -> bool {
        self.last_save.elapsed() >= self.options.sync_every
    }

    /// Acknowledges all that was pushed: messages on disk first, then where to go on.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save(&mut self) -> Result<()> {
        self.last_save = Instant::now();
        let Some(file) = &mut self.file else { return self.save_state() };
        let full = file.bytes() >= self.options.rotate_bytes || file.age() >= self.options.rotate_age;
        let mark = if full { file.finish()? } else { file.sync()? };
        self.state.mark = mark;
        if full {
            self.file = None;
        }
        self.save_state()
    }

    fn save_state(&mut self) -> Result<()> {
        if self.state == self.saved {
            return Ok(());
        }
        if self.state.lines > self.saved.lines {
            // The time a message was received, to within the time between two saves.
            let event = json!({"event": "saved", "file": self.state.file, "lines": self.state.mark.lines});
            self.log.write(event)?;
        }
        self.log.sync()?;
        self.state.write(&self.root)?;
        self.saved = self.state.clone();
        Ok(())
    }

    /// Ends the file and saves.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn close(mut self) -> Result<State> {
        if let Some(mut file) = self.file.take() {
            self.state.mark = file.finish()?;
        }
        self.save_state()?;
        self.log.sync()?;
        Ok(self.state)
    }
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join("lock");
    let file = File::create(&path).at(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::input("another collector writes here")
            .at(root)
            .help("stop it first, or collect into another folder")),
        Err(TryLockError::Error(e)) => Err(Error::io(&path, e)),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
