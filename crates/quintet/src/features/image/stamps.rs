//! Which content a file had when it was last read, by path, size and time: what has not changed is not read again.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::error::{AtPath, Error, Result};

/// A file changed this recently may change again within the same tick of the file system's clock: it is read again.
const SETTLED_NANOS: u128 = 2_000_000_000;

/// Size and time of a file's last change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified_nanos: u128,
}

impl Stamp {
    /// The stamp of a file that can be trusted not to have changed since; `None` if it was changed just now.
    pub(super) fn of(metadata: &Metadata) -> Option<Stamp> {
        let nanos = |t: SystemTime| t.duration_since(UNIX_EPOCH).ok().map(|d| d.as_nanos());
        let modified_nanos = nanos(metadata.modified().ok()?)?;
        let settled = modified_nanos + SETTLED_NANOS < nanos(SystemTime::now())?;
        settled.then_some(Stamp { size: metadata.len(), modified_nanos })
    }
}

#[derive(Serialize, Deserialize)]
struct Row {
    path: String,
    size: u64,
    modified_nanos: u128,
    hash: String,
}

/// `files.csv`: path, size, time of last change, content hash. Damage costs a second reading, nothing else.
pub(super) struct Stamps {
    file: PathBuf,
    known: BTreeMap<PathBuf, (Stamp, blake3::Hash)>,
    changed: bool,
}

impl Stamps {
    pub(super) fn open(file: PathBuf) -> Stamps {
        let mut known = BTreeMap::new();
        if let Ok(reader) = csv::Reader::from_path(&file) {
            for row in reader.into_deserialize::<Row>().flatten() {
                if let Ok(hash) = blake3::Hash::from_hex(&row.hash) {
                    let stamp = Stamp { size: row.size, modified_nanos: row.modified_nanos };
                    known.insert(PathBuf::from(row.path), (stamp, hash));
                }
            }
        }
        Stamps { file, known, changed: false }
    }

    /// The content hash of a file whose stamp is still the same.
    pub(super) fn get(&self, path: &Path, stamp: Stamp) -> Option<blake3::Hash> {
        self.known.get(path).filter(|(s, _)| *s == stamp).map(|(_, hash)| *hash)
    }

    pub(super) fn insert(&mut self, path: &Path, stamp: Stamp, hash: blake3::Hash) {
        if self.known.insert(path.to_owned(), (stamp, hash)) != Some((stamp, hash)) {
            self.changed = true;
        }
    }

    /// Writes what has been learnt since opening. Paths that are not Unicode are left out.
    pub(super) fn save(&mut self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        atomic::write(&self.file, |out| {
            let mut writer = csv::Writer::from_writer(out);
            for (path, (stamp, hash)) in &self.known {
                let Some(path) = path.to_str() else { continue };
                let row = Row {
                    path: path.to_owned(),
                    size: stamp.size,
                    modified_nanos: stamp.modified_nanos,
                    hash: hash.to_hex().to_string(),
                };
                writer.serialize(row).map_err(|e| Error::internal(e.to_string()).at(&self.file))?;
            }
            writer.flush().at(&self.file)
        })?;
        self.changed = false;
        Ok(())
    }
}
