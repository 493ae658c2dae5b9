//! `log.jsonl`: what happened, one JSON object a line with its time.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use quintet_posts::error::{AtPath, Result};
use serde_json::Value;

/// The log of a collection.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log to append to it. A line that a kill cut stays, on a line of its own.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn open(root: &Path) -> Result<Log> {
        let path = root.join("log.jsonl");
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).at(&path)?;
        let length = file.metadata().at(&path)?.len();
        if length > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(length - 1)).and_then(|_| file.read_exact(&mut last)).at(&path)?;
            if last != *b"\n" {
                file.write_all(b"\n").at(&path)?;
            }
        }
        Ok(Log { path, file })
    }

    /// Appends an event, with the time in front.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&mut self, event: Value) -> Result<()> {
        let mut line = serde_json::Map::new();
        line.insert("at".to_owned(), Value::String(format!("{:.3}", Timestamp::now())));
        if let Value::Object(fields) = event {
            line.extend(fields);
        }
        let line = Value::Object(line).to_string() + "\n";
        self.file.write_all(line.as_bytes()).at(&self.path)
    }

    /// Puts it on disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sync(&mut self) -> Result<()> {
        self.file.sync_data().at(&self.path)
    }
}
