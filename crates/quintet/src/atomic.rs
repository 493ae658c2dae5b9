//! Writes that are whole or not there: temporary name, fsync, rename, fsync of the folder.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{AtPath, Error, Result};

/// Writes `path` through `fill`. Until everything is on disk the old file stays; a failure leaves it whole.
///
/// # Errors
/// Whatever `fill` returns, or an I/O error that names `path`.
pub fn write<T>(path: &Path, fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<T>) -> Result<T> {
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).at(folder)?;
    let mut temporary = tempfile::Builder::new().prefix(".quintet-").suffix(".tmp").tempfile_in(folder).at(folder)?;
    let out = {
        let mut writer = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
        let out = fill(&mut writer)?;
        writer.flush().at(path)?;
        out
    };
    temporary.as_file().sync_all().at(path)?;
    temporary.persist(path).map_err(|e| Error::io(path, e.error))?;
    sync_folder(folder)?;
    Ok(out)
}

/// Writes `bytes` to `path` as [`write`] does.
///
/// # Errors
/// An I/O error that names `path`.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |w| w.write_all(bytes).at(path))
}

/// Makes a rename or a new file in `folder` survive a power cut.
///
/// # Errors
/// An I/O error that names `folder`.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).at(folder)
}
