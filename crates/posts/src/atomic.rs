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
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let what = "this is no ordinary file, and nothing but a file is replaced";
        return Err(Error::input(what).at(path).help("name a file"));
    }
    fs::create_dir_all(folder).at(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".quintet-").suffix(".tmp");
    // Temporary files are private by default; what stays has the permissions of an ordinary new file (less the umask).
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).at(folder)?;
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

/// Writes `bytes` to `path` as [`write()`] does.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_bytes(&path, b"old").unwrap();
        let failed: Result<()> = write(&path, |out| {
            out.write_all(b"half").at(&path)?;
            Err(Error::input("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_bytes(folder.path(), b"x").unwrap_err().to_string();
        assert!(error.contains("no ordinary file"), "{error}");
        let pipe = folder.path().join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&pipe).unwrap();
        assert!(write_bytes(&pipe, b"x").unwrap_err().to_string().contains("no ordinary file"));
        assert!(!fs::metadata(&pipe).unwrap().is_file());
    }

    /// Files were once readable by their owner only, whatever the umask.
    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, ordinary) = (folder.path().join("ours"), folder.path().join("ordinary"));
        write_bytes(&ours, b"x").unwrap();
        fs::write(&ordinary, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&ordinary));
    }
}
