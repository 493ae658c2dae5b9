//! Puts a folder in order after a kill: what was written past the last whole frame is read as far as it goes, saved again
//! in a file of its own, and cut off where it was.
//!
//! Every step may itself be killed: until `cursor.json` names the new file, all is read and written again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use quintet_posts::atomic;
use quintet_posts::error::{AtPath, Result};

use super::raw;
use super::state::{Mark, State};

/// What was found.
pub struct Recovered {
    /// The state to go on with.
    pub state: State,
    /// Lines that were written but not acknowledged, and are now.
    pub rescued: u64,
    /// Acknowledged lines that are not there.
    pub missing: u64,
}

/// Puts the folder in order.
///
/// # Errors
/// If the disk refuses.
pub fn recover(root: &Path, mut state: State) -> Result<Recovered> {
    let folder = root.join("raw");
    [root, &folder].into_iter().try_for_each(remove_unfinished)?;
    let files = raw::files(root)?;
    if state.sequence == 0 {
        // Without a cursor only the last file can be torn; the others were ended.
        state.sequence = files.last().map_or(0, |(n, _)| n - 1);
    }
    let tail: Vec<(u64, PathBuf)> = files.into_iter().filter(|(n, _)| *n >= state.sequence).collect();
    let mark = state.mark;
    let acknowledged = mark.lines - mark.frame_lines;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for (number, path) in &tail {
        let found = lines_from(path, if *number == state.sequence { mark.frame } else { 0 })?;
        // A recovery that was killed itself has saved them all again, in front of the next file.
        if found.starts_with(&lines) {
            lines.clear();
        }
        lines.extend(found);
    }
    let found = lines.len() as u64;
    let missing = acknowledged.saturating_sub(found);
    state.lines = (state.lines + found).saturating_sub(acknowledged);
    // A file that ended whole and has nothing behind it needs nothing.
    if tail.iter().all(|(n, path)| *n == state.sequence && length(path) == Some(mark.frame)) {
        state.mark = Mark { bytes: mark.frame, lines: mark.frame_lines, ..mark };
        return Ok(Recovered { state, rescued: 0, missing });
    }
    let new = tail.iter().find(|(n, _)| *n == state.sequence + 1).map(|(_, path)| path.clone());
    let new = new.unwrap_or_else(|| folder.join(raw::name(state.sequence + 1, Timestamp::now())));
    let bytes = save_again(&new, &lines)?;
    for (number, path) in &tail {
        if *number == state.sequence && mark.frame > 0 {
            let file = OpenOptions::new().write(true).open(path).at(path)?;
            file.set_len(mark.frame).and_then(|()| file.sync_all()).at(path)?;
        } else if *path != new {
            std::fs::remove_file(path).at(path)?;
        }
    }
    atomic::sync_folder(&folder)?;
    state.sequence += 1;
    state.file = new.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    state.mark = Mark { bytes, frame: bytes, lines: found, frame_lines: found };
    state.write(root)?;
    Ok(Recovered { state, rescued: found - acknowledged.min(found), missing })
}

/// Removes what a kill left of files that were being written.
fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(".quintet-") && name.ends_with(".tmp") {
            std::fs::remove_file(&path).at(&path)?;
        }
    }
    Ok(())
}

fn length(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|m| m.len())
}

/// Whole lines from a frame's beginning on, as far as the bytes unpack.
fn lines_from(path: &Path, from: u64) -> Result<Vec<Vec<u8>>> {
    let mut file = File::open(path).at(path)?;
    file.seek(SeekFrom::Start(from)).at(path)?;
    let mut plain = Vec::new();
    if let Ok(mut decoder) = zstd::Decoder::new(file) {
        // The end of a torn file is an error; what was read before it counts.
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n @ 1..) = decoder.read(&mut buffer) {
            plain.extend_from_slice(&buffer[..n]);
        }
    }
    let whole = plain.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    Ok(plain[..whole].split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect())
}

/// Writes lines as one frame into a file of their own; its length.
fn save_again(path: &Path, lines: &[Vec<u8>]) -> Result<u64> {
    atomic::write(path, |out| {
        let mut encoder = zstd::Encoder::new(out, 3).at(path)?;
        encoder.include_checksum(true).at(path)?;
        for line in lines {
            encoder.write_all(line).at(path)?;
        }
        encoder.finish().at(path)?;
        Ok(())
    })?;
    Ok(length(path).unwrap_or(0))
}

/// Gives every whole line of a raw file, as far as it can be read.
///
/// # Errors
/// If the file cannot be opened.
pub fn each_line(path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
    let mut reader = BufReader::new(zstd::Decoder::new(File::open(path).at(path)?).at(path)?);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line) {
        if line.ends_with(b"\n") {
            each(&line[..line.len() - 1]);
        }
        line.clear();
    }
    Ok(())
}
