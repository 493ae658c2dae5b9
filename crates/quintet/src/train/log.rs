//! `RUN/log.jsonl`: one JSON object a line for the start, every step, every validation and every note.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::component::{Component, PerComponent};
use crate::error::{AtPath, Error, Result};

/// One line of the log. Only `seconds` differs between two runs of the same seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// First line: what training works on.
    Start {
        /// Training posts in use.
        posts: usize,
        /// Training posts with fewer than two usable components, left out.
        too_few_components: usize,
        /// Training posts beyond `posts_per_author`, left out.
        author_full: usize,
        /// Posts ranked at each validation.
        validation_posts: usize,
        /// Steps in an epoch.
        steps_per_epoch: usize,
        /// Steps in all.
        steps: usize,
    },
    /// An optimisation step.
    Step {
        /// Steps done, this one included.
        step: usize,
        /// Epoch, from 1.
        epoch: usize,
        /// Learning rate.
        learning_rate: f64,
        /// Loss of the batch, summed over components.
        loss: f64,
        /// Loss of the batch per component.
        losses: BTreeMap<Component, f64>,
        /// Posts that entered each component's loss.
        pairs: BTreeMap<Component, usize>,
        /// L2 norm of the gradient before clipping.
        gradient_norm: f64,
        /// Mean cosine between different posts per component (towards 1: collapse).
        off_diagonal: BTreeMap<Component, f64>,
        /// Seconds of training so far, those before a resume included.
        seconds: f64,
    },
    /// A validation.
    Validation {
        /// Steps done.
        step: usize,
        /// Epoch, from 1.
        epoch: usize,
        /// Sum of the recalls of all directions, in percent.
        sum: f64,
        /// Whether this is the best so far.
        best: bool,
        /// Figures per direction.
        directions: Vec<Direction>,
        /// Seconds of training so far.
        seconds: f64,
    },
    /// Something a person should know.
    Note {
        /// Steps done.
        step: usize,
        /// What.
        text: String,
    },
}

/// Figures of one direction of retrieval on the dev part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Component of the query.
    pub from: Component,
    /// Component of the candidates.
    pub to: Component,
    /// Number of queries.
    pub queries: usize,
    /// Number of candidates, equal content counted once.
    pub candidates: usize,
    /// Recall at 1, 5 and 10, in percent.
    pub recall: [f64; 3],
    /// Median rank of the best right answer.
    pub median_rank: f64,
}

/// The values of the model's components by name, as a line of the log shows them.
pub fn named<T: Copy>(components: &[Component], values: &PerComponent<T>) -> BTreeMap<Component, T> {
    components.iter().map(|&c| (c, values[c])).collect()
}

/// The open log of a run.
pub struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Log {
    /// Opens `path` for appending after its first `bytes` bytes; what stands behind them was written after the
    /// checkpoint in use and is cut off.
    ///
    /// # Errors
    /// If the file is shorter than `bytes` or cannot be opened.
    pub fn open(path: &Path, bytes: u64) -> Result<Log> {
        // Not `append`: it would also have to be cut, and one handle should do both.
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path).at(path)?;
        let found = file.metadata().at(path)?.len();
        if found < bytes {
            return Err(Error::input(format!("the log has {found} bytes, the checkpoint was written after {bytes}"))
                .at(path)
                .help("restore the log from a copy, or train again into another folder"));
        }
        file.set_len(bytes).at(path)?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).at(path)?;
        Ok(Log { path: path.to_path_buf(), file, bytes })
    }

    /// Appends one line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry).map_err(|e| Error::internal(format!("writing a log line: {e}")))?;
        line.push(b'\n');
        self.file.write_all(&line).at(&self.path)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Makes everything appended so far survive a power cut; returns the length of the log in bytes.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn sync(&mut self) -> Result<u64> {
        self.file.sync_all().at(&self.path)?;
        Ok(self.bytes)
    }
}

/// Reads a log. A last line that a kill cut short is left out.
///
/// # Errors
/// If the file cannot be read or a whole line is not a log line.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path).at(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line)
                .map_err(|e| Error::input(format!("not a line of a training log: {e}")).at_line(path, i as u64 + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(step: usize) -> Entry {
        Entry::Note { step, text: format!("note {step}") }
    }

    #[test]
    fn what_came_after_the_checkpoint_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path, 0).unwrap();
        log.append(&note(1)).unwrap();
        let length = log.sync().unwrap();
        log.append(&note(2)).unwrap();
        drop(log);
        let mut log = Log::open(&path, length).unwrap();
        log.append(&note(3)).unwrap();
        assert_eq!(read(&path).unwrap(), [note(1), note(3)]);
        assert!(Log::open(&path, 10_000).is_err());
    }

    #[test]
    fn a_line_cut_short_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, "{\"kind\":\"note\",\"step\":1,\"text\":\"note 1\"}\n{\"kind\":\"no").unwrap();
        assert_eq!(read(&path).unwrap(), [note(1)]);
        std::fs::write(&path, "{\"kind\":\"other\"}\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("log.jsonl:1"), "{error}");
    }
}
